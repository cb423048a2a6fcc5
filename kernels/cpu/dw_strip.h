/* The two inner loops of depthwise convolution, on planes of vectors (dw_plan.h). */
#ifndef SPN_KERNELS_CPU_DW_STRIP_H
#define SPN_KERNELS_CPU_DW_STRIP_H

#include "cpu/dw_plan.h"

/* out[j] = sum over tap_rows x taps of w[r*taps + t] * x[r][j*step + t], j < n: one row of a convolution. taps is 1 to
 * 5 or 7 at step 1, 3, 5 or 7 at step 2. x points into a plane with `pitch` floats between rows; w is (tap_rows*taps).
 * out has room for n rounded up to whole strips, and x may be read DW_SLACK vectors beyond. */
void SPN_SYM(dw_conv_row)(int taps, int step, int tap_rows, const float *x, size_t pitch, const vf *w, int n,
                          float *out);

/* What the weight gradient sums over: `images` planes of g rows x cols, and x planes step times as dense. */
typedef struct {
  int images, rows, cols, step;
  const float *x, *g;
  size_t x_pitch, x_plane, g_pitch, g_plane; /* in floats */
  dw_ahead *ahead;                           /* one step a row */
} dw_sum;

/* Taps whose sums fit the registers together: each pass over the planes takes as many, the last what is left. */
enum { DW_SUMS = SPN_VL == 16 ? 28 : 13 };

INLINE int dw_sum_passes(int k) { return (k * k + DW_SUMS - 1) / DW_SUMS; }

/* acc (k*k) = sum of g[row][col] * x[row*step + kh][col*step + kw]. */
void SPN_SYM(dw_weight_sum)(int k, const dw_sum *sum, vf *acc);

#endif
