#include "cpu/table.h"

#define NAME_OF(isa) #isa
#define NAME(isa) NAME_OF(isa)

const spn_kernels *SPN_SYM(kernels)(void) {
  static const spn_kernels table = {
      .name = NAME(SPN_ISA),
      .tile_bytes = (SPN_VL == 16 ? 512 : 128) << 10,
#define SPN_KERNEL(kernel) .kernel = SPN_SYM(kernel),
#include "kernels.def"
#undef SPN_KERNEL
  };
  return &table;
}
