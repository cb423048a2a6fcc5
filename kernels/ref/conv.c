#include "ref/ref.h"

#include <string.h>

void spn_ref_conv_out(const spn_conv_shape *s, int *ho, int *wo) {
  *ho = (s->h + s->pad_top + s->pad_bottom - s->k) / s->stride + 1;
  *wo = (s->w + s->pad_left + s->pad_right - s->k) / s->stride + 1;
}

/* One output pixel against every tap and input channel: the three directions differ in who is written. */
static void pixel(spn_conv_kind kind, const spn_conv_shape *s, int oh, int ow, real *src, real *w, real *dst) {
  for (int kh = 0; kh < s->k; kh++)
    for (int kw = 0; kw < s->k; kw++) {
      int ih = oh * s->stride - s->pad_top + kh, iw = ow * s->stride - s->pad_left + kw;
      if (ih < 0 || ih >= s->h || iw < 0 || iw >= s->w) continue;
      real *in = src + ((size_t)ih * s->w + iw) * s->ci;
      for (int o = 0; o < s->co; o++)
        for (int i = 0; i < s->ci; i++) {
          real *weight = w + (((size_t)o * s->ci + i) * s->k + kh) * s->k + kw;
          if (kind == SPN_CONV_FORWARD) dst[o] += in[i] * *weight;
          else if (kind == SPN_CONV_BACKWARD_DATA) in[i] += dst[o] * *weight;
          else *weight += in[i] * dst[o];
        }
    }
}

void spn_ref_conv(spn_conv_kind kind, const spn_conv_shape *s, real *src, real *w, real *dst) {
  int ho, wo;
  spn_ref_conv_out(s, &ho, &wo);
  size_t in = (size_t)s->h * s->w * s->ci, out = (size_t)ho * wo * s->co;
  if (kind == SPN_CONV_FORWARD) memset(dst, 0, s->n * out * sizeof *dst);
  else if (kind == SPN_CONV_BACKWARD_DATA) memset(src, 0, s->n * in * sizeof *src);
  else memset(w, 0, (size_t)s->co * s->ci * s->k * s->k * sizeof *w);
  for (int n = 0; n < s->n; n++)
    for (int oh = 0; oh < ho; oh++)
      for (int ow = 0; ow < wo; ow++)
        pixel(kind, s, oh, ow, src + n * in, w, dst + n * out + ((size_t)oh * wo + ow) * s->co);
}
