#include <string.h>

#include "ref/ref.h"

static void view_load(size_t pixels, int c, const spn_view *view, const real *x, size_t ldx, real *a, size_t lda) {
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) a[p * lda + i] = ref_view(view, 0, i, x[p * ldx + i]);
}

static void view_grad(size_t pixels, int c, const spn_view *view, const real *x, size_t ldx, const real *da,
                      size_t ldda, spn_grad_put put, real *dz, size_t lddz, const spn_view_sums *sums) {
  const spn_view_sums none = {0};
  if (!sums) sums = &none;
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++)
      ref_view_grad(view, 0, i, x[p * ldx + i], da[p * ldda + i], put == SPN_GRAD_ADD, &dz[p * lddz + i], sums);
}

static void norm_grad_load(size_t pixels, int c, const spn_norm_grad *grad, const real *dz, size_t lddz, const real *x,
                           size_t ldx, real *g, size_t ldg) {
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) g[p * ldg + i] = ref_norm_grad(grad, i, dz[p * lddz + i], grad->a ? x[p * ldx + i] : 0);
}

static void stats(size_t pixels, int c, const real *x, size_t ldx, double *sum, double *sq) {
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) {
      double v = x[p * ldx + i];
      sum[i] += v;
      sq[i] += v * v;
    }
}

static void view_sum(size_t pixels, int c, const spn_view *view, const real *x, size_t ldx, double *sum) {
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) sum[i] += ref_view(view, 0, i, x[p * ldx + i]);
}

static void join(size_t pixels, int c, const spn_view *view_a, const real *a, const spn_view *view_b, const real *b,
                 real weight, real *y) {
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) {
      size_t at = p * (size_t)c + i;
      y[at] = ref_view(view_a, 0, i, a[at]) + weight * ref_view(view_b, 0, i, b[at]);
    }
}

static void stream(size_t pixels, int c, const real *x, size_t ldx, real *y, size_t ldy) {
  for (size_t p = 0; p < pixels; p++) memcpy(y + p * ldy, x + p * ldx, (size_t)c * sizeof *y);
}

static void axpy(size_t n, real alpha, const real *x, real *acc) {
  for (size_t i = 0; i < n; i++) acc[i] += alpha * x[i];
}

static void add(size_t n, const real *x, real *acc) {
  for (size_t i = 0; i < n; i++) acc[i] += x[i];
}

static double dot(size_t n, const real *a, const real *b) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
  return sum;
}

const spn_kernels *spn_kernels_ref(void) {
  static const spn_kernels table = {
      .name = "ref",
      .tile_bytes = 512 << 10,
      .view_load = view_load,
      .view_grad = view_grad,
      .norm_grad_load = norm_grad_load,
      .stats = stats,
      .view_sum = view_sum,
      .join = join,
      .dw_forward = ref_dw_forward,
      .dw_backward = ref_dw_backward,
      .dw_scratch = ref_dw_scratch,
      .stream = stream,
      .axpy = axpy,
      .add = add,
      .dot = dot,
  };
  return &table;
}
