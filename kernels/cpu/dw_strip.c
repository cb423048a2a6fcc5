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

/* ---- Weight gradient: as many sums as fit the registers, one pass over the planes each ---- */

/* Adds to the sums of taps [first, end). */
INLINE void sum_body(int k, int first, int end, int step, const dw_sum *s, vf *acc) {
  vf sum[DW_SUMS];
  const float *x_image = s->x + first / k * s->x_pitch, *g_image = s->g;
#pragma GCC unroll 28
  for (int i = 0; i < end - first; i++) sum[i] = acc[first + i];
  for (int image = 0; image < s->images; image++, x_image += s->x_plane, g_image += s->g_plane)
    for (int row = 0; row < s->rows; row++) {
      ahead_step(s->ahead);
      const float *x = x_image + row * step * s->x_pitch, *g = g_image + row * s->g_pitch;
      for (int col = 0; col < s->cols; col++, x += step * SPN_VL, g += SPN_VL) {
        __asm__("" : "+r"(x)); /* the compiler would carry loads on to the next column, in registers sums need */
        vf grad = v_load(g);
#pragma GCC unroll 28
        for (int tap = first; tap < end; tap++)
          sum[tap - first] = v_fma(grad, v_load(x + (tap / k - first / k) * s->x_pitch + tap % k * SPN_VL),
                                   sum[tap - first]);
      }
    }
#pragma GCC unroll 28
  for (int i = 0; i < end - first; i++) acc[first + i] = sum[i];
}

typedef void sum_fn(const dw_sum *s, vf *acc);

#define PASS(K, P, STEP)                                                                          \
  static void sum_##K##_##P##_##STEP(const dw_sum *s, vf *acc) {                                  \
    sum_body(K, P *DW_SUMS, (P + 1) * DW_SUMS < K * K ? (P + 1) * DW_SUMS : K * K, STEP, s, acc); \
  }
#define PASSES(K, P) PASS(K, P, 1) PASS(K, P, 2)
#define PASSES_OF(K, P) {sum_##K##_##P##_1, sum_##K##_##P##_2}

PASSES(3, 0)
PASSES(5, 0)
PASSES(7, 0)
PASSES(7, 1)
#if SPN_VL == 16
static sum_fn *const sums[3][4][2] = {{PASSES_OF(3, 0)}, {PASSES_OF(5, 0)}, {PASSES_OF(7, 0), PASSES_OF(7, 1)}};
#else
PASSES(5, 1)
PASSES(7, 2)
PASSES(7, 3)
static sum_fn *const sums[3][4][2] = {{PASSES_OF(3, 0)},
                                      {PASSES_OF(5, 0), PASSES_OF(5, 1)},
                                      {PASSES_OF(7, 0), PASSES_OF(7, 1), PASSES_OF(7, 2), PASSES_OF(7, 3)}};
#endif

/* Where several passes are needed they go over a few rows at a time, which the second finds in the first-level cache.
 */
void SPN_SYM(dw_weight_sum)(int k, const dw_sum *sum, vf *acc) {
  enum { FEW_ROWS = 8 };
  for (int tap = 0; tap < k * k; tap++) acc[tap] = (vf){0};
  int passes = dw_sum_passes(k);
  if (passes == 1) return sums[(k - 3) / 2][0][sum->step - 1](sum, acc);
  for (int image = 0; image < sum->images; image++)
    for (int row = 0; row < sum->rows; row += FEW_ROWS) {
      dw_sum few = *sum;
      few.images = 1;
      few.rows = walk_least(FEW_ROWS, sum->rows - row);
      few.x += image * sum->x_plane + row * sum->step * sum->x_pitch;
      few.g += image * sum->g_plane + row * sum->g_pitch;
      for (int pass = 0; pass < passes; pass++) sums[(k - 3) / 2][pass][sum->step - 1](&few, acc);
    }
}
