/* How a depthwise call is cut so that its scratch stays in the second-level cache.
 *
 * The tensors are copied, through their view, into planes: for a group of vectors' worth of channels, some images and
 * a band of rows, [vector][image][row][column][SPN_VL], with the padding around them written out as zeros and the
 * lanes beyond the last channel zero too. Everything after that runs on whole vectors without edges. */
#ifndef SPN_KERNELS_CPU_DW_PLAN_H
#define SPN_KERNELS_CPU_DW_PLAN_H

#include "cpu/simd.h"

enum {
  DW_MAX_GROUP = 8,           /* vectors of channels loaded together: 512 bytes a pixel with the widest vectors */
  DW_MAX_TAPS = 7 * 7,
  DW_CHUNK = 64,              /* output columns between two epilogues; K rows of it stay in the first-level cache */
  DW_STRIP = SPN_VL == 16 ? 16 : 8, /* most outputs one micro-kernel computes */
  DW_SLACK = 2 * DW_STRIP + 8 /* vectors a strip may read (and ignore) beyond the last plane */
};

/* The rows and columns of an image that a plane holds; those outside the image are zero. */
typedef struct {
  int row0, rows, col0, cols;
} dw_window;

typedef struct {
  int group, images, rows; /* at most this many vectors of channels, images, output rows at a time */
} dw_plan;

/* backward: 0 forward, otherwise planes for x and for g. */
dw_plan SPN_SYM(dw_make_plan)(const spn_dw_shape *shape, int backward, int images, int c_used);
size_t SPN_SYM(dw_scratch)(const spn_dw_shape *shape);

/* x planes for output rows [r0, r1). */
dw_window SPN_SYM(dw_x_window)(const spn_dw_shape *shape, int r0, int r1);
/* g planes for the weight gradient of output rows [r0, r1) and the data gradient of the input rows of dw_in_rows. */
dw_window SPN_SYM(dw_g_window)(const spn_dw_shape *shape, int r0, int r1);
/* The input rows [*i0, *i1) whose gradient belongs to the band of output rows [r0, r1): the bands partition them. */
void SPN_SYM(dw_in_rows)(const spn_dw_shape *shape, int r0, int r1, int *i0, int *i1);

INLINE size_t window_floats(const dw_window *window) { return (size_t)window->rows * window->cols * SPN_VL; }

/* Part of an NHWC tensor: `images` images from `image0` on, `vectors` vectors of channels from channel c0 on. */
typedef struct {
  int h, w, c;
  int image0, images;
  int c0, vectors, c_used;
} dw_part;

/* Lanes of the part's i-th vector that are channels. */
INLINE int part_lanes(const dw_part *part, int i) {
  int left = part->c_used - part->c0 - i * SPN_VL;
  return left < SPN_VL ? left : SPN_VL;
}

void SPN_SYM(dw_load_view)(const dw_part *part, const dw_window *window, const spn_view *view, const float *x,
                           float *planes);
void SPN_SYM(dw_load_grad)(const dw_part *part, const dw_window *window, const spn_norm_grad *grad, const float *dz,
                           const float *y, float *planes);

#endif
