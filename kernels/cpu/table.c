#include "cpu/depthwise.h"
#include "cpu/elementwise.h"

#define NAME_OF(isa) #isa
#define NAME(isa) NAME_OF(isa)

const spn_kernels *SPN_SYM(spn_kernels)(void) {
  static const spn_kernels table = {
      .name = NAME(SPN_ISA),
      .tile_bytes = (SPN_VL == 16 ? 512 : 128) << 10,
      .view_load = SPN_SYM(ew_view_load),
      .view_grad = SPN_SYM(ew_view_grad),
      .norm_grad_load = SPN_SYM(ew_norm_grad_load),
      .stats = SPN_SYM(ew_stats),
      .view_sum = SPN_SYM(ew_view_sum),
      .join = SPN_SYM(ew_join),
      .dw_forward = SPN_SYM(dw_forward),
      .dw_backward = SPN_SYM(dw_backward),
      .dw_scratch = SPN_SYM(dw_scratch),
      .stream = SPN_SYM(ew_stream),
      .axpy = SPN_SYM(ew_axpy),
      .add = SPN_SYM(ew_add),
      .dot = SPN_SYM(ew_dot),
  };
  return &table;
}
