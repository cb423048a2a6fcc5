#include "cpu/dw_strip.h"

/* ---- One row of a convolution: `strip` outputs in registers, each loaded x used by every tap that reads it ---- */

INLINE void strip_body(int taps, int step, int strip, int tap_rows, const float *x, size_t pitch, const vf *w,
                       float *out) {
  vf acc[DW_STRIP];
#pragma GCC unroll 16
  for (int j = 0; j < strip; j++) acc[j] = (vf){0};
  for (int r = 0; r < tap_rows; r++, x += pitch, w += taps) {
    vf weight[7];
#pragma GCC unroll 7
    for (int t = 0; t < taps; t++) weight[t] = w[t];
#pragma GCC unroll 40
    for (int col = 0; col < (strip - 1) * step + taps; col++) {
      vf value = v_load(x + col * SPN_VL);
#pragma GCC unroll 7
      for (int t = 0; t < taps; t++) {
        int j = (col - t) / step;
        if (col >= t && (col - t) % step == 0 && j < strip) acc[j] = v_fma(weight[t], value, acc[j]);
      }
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < strip; j++) v_store(out + j * SPN_VL, acc[j]);
}

typedef void strip_fn(int tap_rows, const float *x, size_t pitch, const vf *w, float *out);

#define STRIP(TAPS, STEP, WIDTH)                                                                                     \
  static void strip_##TAPS##_##STEP##_##WIDTH(int tap_rows, const float *x, size_t pitch, const vf *w, float *out) { \
    strip_body(TAPS, STEP, WIDTH, tap_rows, x, pitch, w, out);                                                       \
  }
#if SPN_VL == 16
#define STRIPS(TAPS, STEP) STRIP(TAPS, STEP, 4) STRIP(TAPS, STEP, 8) STRIP(TAPS, STEP, 16)
#define ROW_OF(TAPS, STEP) {strip_##TAPS##_##STEP##_4, strip_##TAPS##_##STEP##_8, strip_##TAPS##_##STEP##_16}
#else
#define STRIPS(TAPS, STEP) STRIP(TAPS, STEP, 4) STRIP(TAPS, STEP, 8)
#define ROW_OF(TAPS, STEP) {strip_##TAPS##_##STEP##_4, strip_##TAPS##_##STEP##_8, NULL}
#endif

STRIPS(1, 1)
STRIPS(2, 1)
STRIPS(3, 1)
STRIPS(4, 1)
STRIPS(5, 1)
STRIPS(7, 1)
STRIPS(3, 2)
STRIPS(5, 2)
STRIPS(7, 2)

static strip_fn *const strips[2][8][3] = {
    {{NULL}, ROW_OF(1, 1), ROW_OF(2, 1), ROW_OF(3, 1), ROW_OF(4, 1), ROW_OF(5, 1), {NULL}, ROW_OF(7, 1)},
    {{NULL}, {NULL}, {NULL}, ROW_OF(3, 2), {NULL}, ROW_OF(5, 2), {NULL}, ROW_OF(7, 2)},
};

void SPN_SYM(dw_conv_row)(int taps, int step, int tap_rows, const float *x, size_t pitch, const vf *w, int n,
                          float *out) {
  strip_fn *const *by_width = strips[step - 1][taps];
  int size, width;
  for (int j = 0; j < n; j += width) {
    int left = n - j;
    size = left <= 4 ? 0 : left <= 8 || DW_STRIP == 8 ? 1 : 2;
    width = 4 << size;
    by_width[size](tap_rows, x + (size_t)j * step * SPN_VL, pitch, w, out + (size_t)j * SPN_VL);
  }
}

/* ---- Weight gradient: as many whole kernel rows of sums as fit the registers, one pass over the planes each ---- */

INLINE void sum_body(int k, int tap_rows, int step, const dw_sum *s, const float *x_image, vf *acc) {
  vf sum[28];
  const float *g_image = s->g;
#pragma GCC unroll 28
  for (int i = 0; i < tap_rows * k; i++) sum[i] = (vf){0};
  for (int image = 0; image < s->images; image++, x_image += s->x_plane, g_image += s->g_plane)
    for (int row = 0; row < s->rows; row++) {
      ahead_step(s->ahead);
      const float *x = x_image + row * step * s->x_pitch, *g = g_image + row * s->g_pitch;
      for (int col = 0; col < s->cols; col++, x += step * SPN_VL, g += SPN_VL) {
        __asm__("" : "+r"(x)); /* the compiler would carry loads on to the next column, in registers sums need */
        vf grad = v_load(g);
#pragma GCC unroll 7
        for (int r = 0; r < tap_rows; r++)
#pragma GCC unroll 7
          for (int t = 0; t < k; t++)
            sum[r * k + t] = v_fma(grad, v_load(x + r * s->x_pitch + t * SPN_VL), sum[r * k + t]);
      }
    }
#pragma GCC unroll 28
  for (int i = 0; i < tap_rows * k; i++) acc[i] = sum[i];
}

typedef void sum_fn(const dw_sum *s, const float *x, vf *acc);

#define SUM(K, ROWS, STEP)                                                          \
  static void sum_##K##_##ROWS##_##STEP(const dw_sum *s, const float *x, vf *acc) { \
    sum_body(K, ROWS, STEP, s, x, acc);                                             \
  }
#define SUMS(K, ROWS) SUM(K, ROWS, 1) SUM(K, ROWS, 2)
#define SUMS_OF(K, ROWS) {sum_##K##_##ROWS##_1, sum_##K##_##ROWS##_2}

SUMS(3, 3)
#if SPN_VL == 16
SUMS(5, 5)
SUMS(7, 3)
SUMS(7, 4)
static sum_fn *const sums[3][8][2] = {
    {[3] = SUMS_OF(3, 3)}, {[5] = SUMS_OF(5, 5)}, {[3] = SUMS_OF(7, 3), SUMS_OF(7, 4)}};
#else
SUMS(5, 1)
SUMS(5, 2)
SUMS(7, 1)
#if SPN_VL == 8
SUMS(7, 2)
static sum_fn *const sums[3][8][2] = {
    {[3] = SUMS_OF(3, 3)}, {[1] = SUMS_OF(5, 1), SUMS_OF(5, 2)}, {[1] = SUMS_OF(7, 1), SUMS_OF(7, 2)}};
#else
static sum_fn *const sums[3][8][2] = {
    {[3] = SUMS_OF(3, 3)}, {[1] = SUMS_OF(5, 1), SUMS_OF(5, 2)}, {[1] = SUMS_OF(7, 1)}};
#endif
#endif

void SPN_SYM(dw_weight_sum)(int k, const dw_sum *sum, vf *acc) {
  int each = dw_sum_rows(k);
  for (int r = 0; r < k; r += each) {
    int rows = k - r < each ? k - r : each;
    sums[(k - 3) / 2][rows][sum->step - 1](sum, sum->x + r * sum->x_pitch, acc + r * k);
  }
}
