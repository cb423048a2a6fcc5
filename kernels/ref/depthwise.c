#include "ref/ref.h"

size_t spn_ref_dw_scratch(const spn_dw_shape *shape) { return 0; }

/* Offset of pixel (row, col) of an image plane, or -1 when it lies in the padding. */
static ptrdiff_t pixel_at(int row, int col, int h, int w, int c) {
  if (row < 0 || row >= h || col < 0 || col >= w) return -1;
  return ((ptrdiff_t)row * w + col) * c;
}

static real output_at(const spn_dw_shape *s, size_t image, int channel, int oh, int ow, const spn_view *view,
                      const real *x, const real *w) {
  real acc = 0;
  for (int tap = 0; tap < s->k * s->k; tap++) {
    ptrdiff_t at = pixel_at(oh * s->stride - s->pad_top + tap / s->k, ow * s->stride - s->pad_left + tap % s->k, s->h,
                            s->w, s->ld);
    if (at >= 0) acc += w[(size_t)tap * s->c + channel] * ref_view(view, image, channel, x[at + channel]);
  }
  return acc;
}

void spn_ref_dw_forward(const spn_dw_shape *s, int images, int c_used, const spn_view *view, const real *x,
                        const real *w, real *y, double *sum, double *sq, void *scratch) {
  for (int image = 0; image < images; image++, x += (size_t)s->h * s->w * s->ld)
    for (int oh = 0; oh < s->ho; oh++)
      for (int ow = 0; ow < s->wo; ow++, y += s->ld)
        for (int c = 0; c < c_used; c++) {
          double v = y[c] = output_at(s, image, c, oh, ow, view, x, w);
          if (sum) sum[c] += v;
          if (sq) sq[c] += v * v;
        }
}

/* da at input pixel (ih, iw): every output that read it, through the tap it was read with. */
static real input_grad_at(const spn_dw_shape *s, int channel, int ih, int iw, const real *w, const spn_norm_grad *grad,
                          const real *dz_out, const real *y) {
  real da = 0;
  for (int tap = 0; tap < s->k * s->k; tap++) {
    int oh = ih + s->pad_top - tap / s->k, ow = iw + s->pad_left - tap % s->k;
    if (oh % s->stride || ow % s->stride) continue;
    ptrdiff_t at = pixel_at(oh / s->stride, ow / s->stride, s->ho, s->wo, s->ld);
    if (at < 0) continue;
    at += channel;
    da += w[(size_t)tap * s->c + channel] * ref_norm_grad(grad, channel, dz_out[at], grad->a ? y[at] : 0);
  }
  return da;
}

static void input_grad(const spn_dw_shape *s, size_t image, int c_used, const spn_view *view, const real *x,
                       const real *w, const spn_norm_grad *grad, const real *dz_out, const real *y, int accumulate,
                       real *dz_in, const spn_view_sums *sums) {
  for (int ih = 0; ih < s->h; ih++)
    for (int iw = 0; iw < s->w; iw++, x += s->ld, dz_in += s->ld)
      for (int c = 0; c < c_used; c++)
        ref_view_grad(view, image, c, x[c], input_grad_at(s, c, ih, iw, w, grad, dz_out, y), accumulate, &dz_in[c],
                      sums);
}

/* The gradient of one weight from one image, summed in double: the oracle's own rounding must not be seen. */
static double weight_grad_at(const spn_dw_shape *s, int tap, int c, const spn_view *view, size_t image, const real *x,
                             const spn_norm_grad *grad, const real *dz_out, const real *y) {
  double sum = 0;
  for (int oh = 0; oh < s->ho; oh++)
    for (int ow = 0; ow < s->wo; ow++) {
      size_t out = ((size_t)oh * s->wo + ow) * s->ld + (size_t)c;
      ptrdiff_t at = pixel_at(oh * s->stride - s->pad_top + tap / s->k, ow * s->stride - s->pad_left + tap % s->k, s->h,
                              s->w, s->ld);
      if (at >= 0)
        sum += (double)ref_view(view, image, c, x[at + c]) * ref_norm_grad(grad, c, dz_out[out], grad->a ? y[out] : 0);
    }
  return sum;
}

static void weight_grad(const spn_dw_shape *s, size_t image, int c_used, const spn_view *view, const real *x,
                        const spn_norm_grad *grad, const real *dz_out, const real *y, real *dw) {
  for (int tap = 0; tap < s->k * s->k; tap++)
    for (int c = 0; c < c_used; c++)
      dw[(size_t)tap * s->c + c] += (real)weight_grad_at(s, tap, c, view, image, x, grad, dz_out, y);
}

void spn_ref_dw_backward(const spn_dw_shape *s, int images, int c_used, const spn_view *view, const real *x,
                         const real *w, const spn_norm_grad *grad, const real *dz_out, const real *y, int accumulate,
                         real *dz_in, const spn_view_sums *sums, real *dw, void *scratch) {
  const spn_view_sums none = {0};
  if (!sums) sums = &none;
  size_t in = (size_t)s->h * s->w * s->ld, out = (size_t)s->ho * s->wo * s->ld;
  for (int image = 0; image < images; image++) {
    const real *y_image = grad->a ? y + image * out : NULL;
    if (dz_in)
      input_grad(s, image, c_used, view, x + image * in, w, grad, dz_out + image * out, y_image, accumulate,
                 dz_in + image * in, sums);
    if (dw) weight_grad(s, image, c_used, view, x + image * in, grad, dz_out + image * out, y_image, dw);
  }
}
