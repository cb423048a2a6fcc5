/* One instruction set's depthwise kernels, as kernels.h describes them. */
#ifndef SPN_KERNELS_CPU_DEPTHWISE_H
#define SPN_KERNELS_CPU_DEPTHWISE_H

#include "cpu/simd.h"

void SPN_SYM(dw_forward)(const spn_dw_shape *shape, int images, int c_used, const spn_view *view, const float *x,
                         const float *w, float *y, double *sum, double *sq, void *scratch);
void SPN_SYM(dw_backward)(const spn_dw_shape *shape, int images, int c_used, const spn_view *view, const float *x,
                          const float *w, const spn_norm_grad *grad, const float *dz_out, const float *y,
                          int accumulate, float *dz_in, const spn_view_sums *sums, float *dw, void *scratch);
size_t SPN_SYM(dw_scratch)(const spn_dw_shape *shape);

#endif
