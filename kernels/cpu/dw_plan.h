/* How a depthwise call is cut so that its scratch stays in the second-level cache.
 *
 * The tensors are copied, through their view, into planes: for a group of vectors' worth of channels, some images and
 * a band of rows, [vector][image][row][column][SPN_VL], with the padding around them written out as zeros and the
 * lanes beyond the last channel zero too. Everything after that runs on whole vectors without edges. */
#ifndef SPN_KERNELS_CPU_DW_PLAN_H
#define SPN_KERNELS_CPU_DW_PLAN_H

#include "cpu/simd.h"

enum {
  DW_LINE = 16 / SPN_VL,      /* vectors of a cache line: one written past the caches is written whole */
  DW_MAX_GROUP = 8 * DW_LINE, /* vectors of channels loaded together: 512 bytes a pixel */
  DW_MAX_TAPS = 7 * 7,
  DW_CHUNK = 64, /* output columns between two epilogues; K rows of it stay in the first-level cache */
  DW_STRIP = SPN_VL == 16 ? 16 : 8,       /* most outputs one micro-kernel computes */
  DW_SLACK = 2 * DW_STRIP + 8,            /* vectors a strip may read (and ignore) beyond the last plane */
  DW_ROW = (DW_CHUNK + DW_STRIP) * SPN_VL /* floats of one vector's results */
};

/* The rows and columns of an image that a plane holds; those outside the image are zero. */
typedef struct {
  int row0, rows, col0, cols;
} dw_window;

typedef struct {
  int group, images, rows; /* at most this many vectors of channels (whole lines), images, output rows at a time */
} dw_plan;

/* backward: 0 forward, otherwise planes for x and for g. */
dw_plan SPN_SYM(dw_make_plan)(const spn_dw_shape *shape, int backward, int images, int c_used);
size_t SPN_SYM(dw_scratch)(const spn_dw_shape *shape);
/* Whether a tensor is to be written past the caches and can be: its pixels start at cache lines. */
int SPN_SYM(dw_streams)(const spn_dw_shape *shape, const float *tensor);

/* Lanes to write of a vector that has `lanes` channels from `channel` on: all where there is room. */
INLINE int dw_put_lanes(const spn_dw_shape *s, int channel, int lanes) {
  return channel + SPN_VL <= s->ld ? SPN_VL : lanes;
}

/* Vectors, from the group's i-th on, whose rows are computed before the next ones': a whole line where there is room
 * for one in the tensor, so that it can be written past the caches, otherwise one. */
INLINE int dw_line_vectors(const spn_dw_shape *s, int channel, int left) {
  return left >= DW_LINE && channel + DW_LINE * SPN_VL <= s->ld ? DW_LINE : 1;
}

/* At least how many times dw_line_vectors cuts `vectors`. */
INLINE int dw_steps(int vectors) { return (vectors + DW_LINE - 1) / DW_LINE; }

/* Writes n pixels of a line past the caches; its vectors' rows lie DW_ROW floats apart. */
INLINE void dw_stream_line(const float *rows, int n, float *y, size_t ld) {
  for (int j = 0; j < n; j++)
    for (int u = 0; u < DW_LINE; u++) v_stream(y + j * ld + u * SPN_VL, v_load(rows + u * DW_ROW + j * SPN_VL));
}

/* The parts of a call, one after another: images, in them groups of channels, in them bands of output rows. */
typedef struct {
  const spn_dw_shape *shape;
  dw_plan plan;
  int all_images, all_vectors, c_used;
  int image0, images; /* the current part */
  int vector0, vectors;
  int r0, r1; /* output rows */
} dw_walk;

INLINE int walk_least(int a, int b) { return a < b ? a : b; }

/* Moves to the part at (image, vector, row); 0 past the last. */
INLINE int walk_to(dw_walk *walk, int image, int vector, int row) {
  if (row >= walk->shape->ho) row = 0, vector += walk->plan.group;
  if (vector >= walk->all_vectors) vector = 0, image += walk->plan.images;
  walk->image0 = image;
  walk->images = walk_least(walk->all_images - image, walk->plan.images);
  walk->vector0 = vector;
  walk->vectors = walk_least(walk->all_vectors - vector, walk->plan.group);
  walk->r0 = row;
  walk->r1 = walk_least(walk->shape->ho, row + walk->plan.rows);
  return image < walk->all_images;
}

/* Whether the planes still have the zeros of the part before around them: both are whole images, laid out alike. *last:
 * -1 before the first part. */
INLINE int walk_keeps_borders(const dw_walk *walk, int *last) {
  int whole = walk->r0 == 0 && walk->r1 == walk->shape->ho, layout = whole ? walk->vectors << 16 | walk->images : -1;
  int keeps = whole && layout == *last;
  *last = layout;
  return keeps;
}

INLINE int walk_next(dw_walk *walk) { return walk_to(walk, walk->image0, walk->vector0, walk->r1); }

/* Starts the walk of a call; 0 when there is nothing to do. */
INLINE int walk_start(dw_walk *walk, const spn_dw_shape *shape, dw_plan plan, int images, int c_used) {
  *walk = (dw_walk){.shape = shape, .plan = plan, .all_images = images, .c_used = c_used};
  walk->all_vectors = (c_used + SPN_VL - 1) / SPN_VL;
  return walk_to(walk, 0, 0, 0) && c_used > 0;
}

/* x planes for output rows [r0, r1). */
dw_window SPN_SYM(dw_x_window)(const spn_dw_shape *shape, int r0, int r1);
/* g planes for the weight gradient of output rows [r0, r1) and the data gradient of the input rows of dw_in_rows. */
dw_window SPN_SYM(dw_g_window)(const spn_dw_shape *shape, int r0, int r1);
/* The input rows [*i0, *i1) whose gradient belongs to the band of output rows [r0, r1): the bands partition them. */
void SPN_SYM(dw_in_rows)(const spn_dw_shape *shape, int r0, int r1, int *i0, int *i1);

INLINE size_t window_floats(const dw_window *window) { return (size_t)window->rows * window->cols * SPN_VL; }

/* Part of an NHWC tensor: `images` images from `image0` on, `vectors` vectors of channels from channel c0 on. */
typedef struct {
  int h, w, ld;
  int image0, images;
  int c0, vectors, c_used;
} dw_part;

/* Lanes of the part's i-th vector that are channels. */
INLINE int part_lanes(const dw_part *part, int i) {
  int left = part->c_used - part->c0 - i * SPN_VL;
  return left < SPN_VL ? left : SPN_VL;
}

/* The walk's part of a tensor of h x w images. */
INLINE dw_part walk_part(const dw_walk *walk, int h, int w) {
  return (dw_part){.h = h,
                   .w = w,
                   .ld = walk->shape->ld,
                   .image0 = walk->image0,
                   .images = walk->images,
                   .c0 = walk->vector0 * SPN_VL,
                   .vectors = walk->vectors,
                   .c_used = walk->c_used};
}

/* Copy a part into planes. borders: the zeros around the image are already there. */
void SPN_SYM(dw_load_view)(const dw_part *part, const dw_window *window, const spn_view *view, const float *x,
                           int borders, float *planes);
void SPN_SYM(dw_load_grad)(const dw_part *part, const dw_window *window, const spn_norm_grad *grad, const float *dz,
                           const float *y, int borders, float *planes);

/* ---- Ahead: while one part is computed, the next part's pixels are fetched into the second-level cache ---- */
typedef struct {
  const char *at;       /* first channel of the next pixel to fetch */
  size_t stride, bytes; /* between pixels, and of each */
  size_t left;          /* pixels */
  size_t per_step;
} dw_stream;

typedef struct {
  dw_stream streams[3];
  int count;
} dw_ahead;

/* Adds the part's rows [row0, row0 + rows) of tensor x, to be fetched within `steps` steps. */
INLINE void ahead_add(dw_ahead *ahead, const dw_part *part, int row0, int rows, const float *x, size_t steps) {
  int end = walk_least(row0 + rows, part->h);
  if (row0 < 0) row0 = 0;
  if (end <= row0) return;
  size_t pixels = (size_t)((part->images - 1) * part->h + end - row0) * part->w;
  ahead->streams[ahead->count++] = (dw_stream){
      .at = (const char *)(x + (((size_t)part->image0 * part->h + row0) * part->w) * part->ld + part->c0),
      .stride = (size_t)part->ld * sizeof *x,
      .bytes = (size_t)walk_least(part->vectors * SPN_VL, part->c_used - part->c0) * sizeof *x,
      .left = pixels,
      .per_step = pixels / steps + 1,
  };
}

INLINE void ahead_step(dw_ahead *ahead) {
  for (int i = 0; i < ahead->count; i++) {
    dw_stream *s = &ahead->streams[i];
    for (size_t n = s->left < s->per_step ? s->left : s->per_step; n; n--, s->left--, s->at += s->stride)
      for (size_t b = 0; b < s->bytes; b += 64) __builtin_prefetch(s->at + b, 0, 2);
  }
}

#endif
