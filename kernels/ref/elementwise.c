#include <string.h>

#include "ref/ref.h"

void spn_ref_view_load(size_t pixels, int c, const spn_view *view, const real *x, size_t ldx, real *a, size_t lda) {
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) a[p * lda + i] = ref_view(view, 0, i, x[p * ldx + i]);
}

void spn_ref_view_grad(size_t pixels, int c, const spn_view *view, const real *x, size_t ldx, const real *da,
                       size_t ldda, spn_grad_put put, real *dz, size_t lddz, const spn_view_sums *sums) {
  const spn_view_sums none = {0};
  if (!sums) sums = &none;
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++)
      ref_view_grad(view, 0, i, x[p * ldx + i], da[p * ldda + i], put == SPN_GRAD_ADD, &dz[p * lddz + i], sums);
}

void spn_ref_norm_grad_load(size_t pixels, int c, const spn_norm_grad *grad, const real *dz, size_t lddz, const real *x,
                            size_t ldx, real *g, size_t ldg) {
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) g[p * ldg + i] = ref_norm_grad(grad, i, dz[p * lddz + i], grad->a ? x[p * ldx + i] : 0);
}

void spn_ref_stats(size_t pixels, int c, const real *x, size_t ldx, double *sum, double *sq) {
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) {
      double v = x[p * ldx + i];
      sum[i] += v;
      sq[i] += v * v;
    }
}

void spn_ref_view_sum(size_t pixels, int c, const spn_view *view, const real *x, size_t ldx, double *sum) {
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) sum[i] += ref_view(view, 0, i, x[p * ldx + i]);
}

void spn_ref_join(size_t pixels, int c, const spn_view *view_a, const real *a, const spn_view *view_b, const real *b,
                  real weight, real *y) {
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) {
      size_t at = p * (size_t)c + i;
      y[at] = ref_view(view_a, 0, i, a[at]) + weight * ref_view(view_b, 0, i, b[at]);
    }
}

void spn_ref_stream(size_t pixels, int c, const real *x, size_t ldx, real *y, size_t ldy) {
  for (size_t p = 0; p < pixels; p++) memcpy(y + p * ldy, x + p * ldx, (size_t)c * sizeof *y);
}

void spn_ref_axpy(size_t n, real alpha, const real *x, real *acc) {
  for (size_t i = 0; i < n; i++) acc[i] += alpha * x[i];
}

void spn_ref_add(size_t n, const real *x, real *acc) {
  for (size_t i = 0; i < n; i++) acc[i] += x[i];
}

double spn_ref_dot(size_t n, const real *a, const real *b) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
  return sum;
}
