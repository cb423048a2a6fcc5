#include "ref/ref.h"

enum {
  KERNELS = 0
#define SPN_KERNEL(kernel) +1
#include "kernels.def"
#undef SPN_KERNEL
};
_Static_assert(sizeof(spn_kernels) == offsetof(spn_kernels, view_load) + KERNELS * sizeof(void (*)(void)),
               "kernels.def lists every function of spn_kernels, whose first is view_load");

const spn_kernels *spn_kernels_ref(void) {
  static const spn_kernels table = {
      .name = "ref",
      .tile_bytes = 512 << 10,
#define SPN_KERNEL(kernel) .kernel = spn_ref_##kernel,
#include "kernels.def"
#undef SPN_KERNEL
  };
  return &table;
}
