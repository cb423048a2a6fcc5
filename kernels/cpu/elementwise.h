/* One instruction set's elementwise kernels, as kernels.h describes them. */
#ifndef SPN_KERNELS_CPU_ELEMENTWISE_H
#define SPN_KERNELS_CPU_ELEMENTWISE_H

#include "cpu/simd.h"

void SPN_SYM(ew_view_load)(size_t pixels, int c, const spn_view *view, const float *x, size_t ldx, float *a,
                           size_t lda);
void SPN_SYM(ew_view_grad)(size_t pixels, int c, const spn_view *view, const float *x, size_t ldx, const float *da,
                           size_t ldda, spn_grad_put put, float *dz, size_t lddz, const spn_view_sums *sums);
void SPN_SYM(ew_norm_grad_load)(size_t pixels, int c, const spn_norm_grad *grad, const float *dz, size_t lddz,
                                const float *x, size_t ldx, float *g, size_t ldg);
void SPN_SYM(ew_stats)(size_t pixels, int c, const float *x, size_t ldx, double *sum, double *sq);
void SPN_SYM(ew_view_sum)(size_t pixels, int c, const spn_view *view, const float *x, size_t ldx, double *sum);
void SPN_SYM(ew_join)(size_t pixels, int c, const spn_view *view_a, const float *a, const spn_view *view_b,
                      const float *b, float weight, float *y);
void SPN_SYM(ew_stream)(size_t pixels, int c, const float *x, size_t ldx, float *y, size_t ldy);
void SPN_SYM(ew_axpy)(size_t n, float alpha, const float *x, float *acc);
void SPN_SYM(ew_add)(size_t n, const float *x, float *acc);
double SPN_SYM(ew_dot)(size_t n, const float *a, const float *b);

#endif
