/* The oracle: every kernel as plain loops in `real`. Slow, and right by inspection. */
#ifndef SPN_KERNELS_REF_H
#define SPN_KERNELS_REF_H

#include "kernels.h"

/* act(z) and act'(z). NaN stays NaN in act and passes the gradient on, so that a broken step is seen. */
static inline real ref_act(spn_act act, real z) {
  if (act == SPN_ACT_NONE) return z;
  if (act == SPN_ACT_HSWISH) {
    real gate = z + 3;
    gate = gate < 0 ? 0 : gate > 6 ? 6 : gate;
    return z * gate / 6;
  }
  if (z < 0) return 0;
  return act == SPN_ACT_RELU6 && z > 6 ? 6 : z;
}

static inline real ref_act_grad(spn_act act, real z) {
  if (act == SPN_ACT_NONE) return 1;
  if (act == SPN_ACT_HSWISH) return z <= -3 ? 0 : z >= 3 ? 1 : (2 * z + 3) / 6;
  if (z <= 0) return 0;
  return act == SPN_ACT_RELU6 && z >= 6 ? 0 : 1;
}

static inline real ref_view_z(const spn_view *view, int c, real x) {
  return view->scale ? view->scale[c] * x + view->shift[c] : x;
}

/* View of one element; image selects the gate's row. */
static inline real ref_view(const spn_view *view, size_t image, int c, real x) {
  real a = ref_act(view->act, ref_view_z(view, c, x));
  return view->gate ? view->gate[image * view->gate_ld + c] * a : a;
}

static inline real ref_norm_grad(const spn_norm_grad *grad, int c, real dz, real x) {
  return grad->a ? grad->a[c] * dz + grad->b[c] * x + grad->k[c] : dz;
}

/* Receives da of one element: writes dz and adds into the sums, as view_grad promises. */
static inline void ref_view_grad(const spn_view *view, size_t image, int c, real x, real da, int accumulate, real *dz,
                                 const spn_view_sums *sums) {
  real z = ref_view_z(view, c, x);
  real t = da * ref_act_grad(view->act, z);
  if (view->gate) t *= view->gate[image * view->gate_ld + c];
  *dz = accumulate ? *dz + t : t;
  if (sums->sum_dz) sums->sum_dz[c] += t;
  if (sums->sum_dzx) sums->sum_dzx[c] += (double)t * x;
  if (sums->dgate) sums->dgate[image * view->gate_ld + c] += da * ref_act(view->act, z);
}

void spn_ref_dw_forward(const spn_dw_shape *shape, int images, int c_used, const spn_view *view, const real *x,
                        const real *w, real *y, double *sum, double *sq, void *scratch);
void spn_ref_dw_backward(const spn_dw_shape *shape, int images, int c_used, const spn_view *view, const real *x,
                         const real *w, const spn_norm_grad *grad, const real *dz_out, const real *y, int accumulate,
                         real *dz_in, const spn_view_sums *sums, real *dw, void *scratch);
size_t spn_ref_dw_scratch(const spn_dw_shape *shape);

/* Output height and width of a dense convolution. */
void spn_ref_conv_out(const spn_conv_shape *shape, int *ho, int *wo);
/* What spn_conv_run computes, with w in oihw (co,ci,k,k): forward writes dst, backward data src, weights w. */
void spn_ref_conv(spn_conv_kind kind, const spn_conv_shape *shape, real *src, real *w, real *dst);

#endif
