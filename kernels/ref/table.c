#include "ref/ref.h"

enum {
  KERNELS = 0
#define SPN_KERNEL(kernel) +1
#include "kernels.def"
#undef SPN_KERNEL
};
_Static_assert(sizeof(spn_kernels) == sizeof(const char *) + KERNELS * sizeof(void (*)(void)),
               "kernels.def lists every member of spn_kernels but its name");

const spn_kernels *spn_kernels_ref(void) {
  static const spn_kernels table = {
      .name = "ref",
#define SPN_KERNEL(kernel) .kernel = spn_ref_##kernel,
#include "kernels.def"
#undef SPN_KERNEL
  };
  return &table;
}
