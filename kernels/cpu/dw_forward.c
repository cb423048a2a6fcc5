#include "cpu/table.h"
#include "cpu/dw_strip.h"

/* Everything the walk over one part needs. */
typedef struct {
  const spn_dw_shape *s;
  dw_part part;
  dw_window window;
  int r0, r1;
  const float *planes;
  float *y;
  double *sum, *sq;
  dw_ahead *ahead;
  int stream; /* y is written past the caches */
} band;

typedef struct {
  vf sum, sq;
  int pixels;
} running;

/* Writes n pixels of one vector, `put` lanes, to y and adds them to the running sums. */
INLINE void store_row(int stream, const float *row, int n, float *y, size_t ld, int put, running *run) {
  vf s[2] = {run->sum}, q[2] = {run->sq};
  int j = 0;
  for (; j + 2 <= n; j += 2)
    for (int u = 0; u < 2; u++) {
      vf v = v_load(row + (j + u) * SPN_VL);
      s[u] += v;
      q[u] = v_fma(v, v, q[u]);
      if (stream) v_stream(y + (j + u) * ld, v);
      else v_put(y + (j + u) * ld, v, put);
    }
  if (j < n) {
    vf v = v_load(row + j * SPN_VL);
    s[0] += v;
    q[0] = v_fma(v, v, q[0]);
    v_put(y + j * ld, v, put);
  }
  run->sum = s[0] + s[1];
  run->sq = q[0] + q[1];
  run->pixels += n;
}

static void flush(const band *b, int channel, int lanes, running *run) {
  v_flush(b->sum ? b->sum + channel : NULL, run->sum, lanes);
  v_flush(b->sq ? b->sq + channel : NULL, run->sq, lanes);
  *run = (running){0};
}

/* One vector of channels of one image. */
static void convolve_plane(const band *b, int image, int channel, int lanes, const float *plane, const vf *w,
                           running *run) {
  const spn_dw_shape *s = b->s;
  size_t pitch = (size_t)b->window.cols * SPN_VL;
  float row[(DW_CHUNK + DW_STRIP) * SPN_VL] __attribute__((aligned(64)));
  int put = dw_put_lanes(s, channel, lanes);
  for (int from = 0; from < s->wo; from += DW_CHUNK) {
    int n = s->wo - from < DW_CHUNK ? s->wo - from : DW_CHUNK;
    for (int r = b->r0; r < b->r1; r++) {
      const float *x = plane + (r - b->r0) * s->stride * pitch + (size_t)from * s->stride * SPN_VL;
      float *y = b->y + (((size_t)image * s->ho + r) * s->wo + from) * s->ld + channel;
      ahead_step(b->ahead);
      SPN_SYM(dw_conv_row)(s->k, s->stride, s->k, x, pitch, w, n, row);
      if (put < SPN_VL) store_row(0, row, n, y, s->ld, put, run);
      else if (b->stream) store_row(1, row, n, y, s->ld, SPN_VL, run);
      else store_row(0, row, n, y, s->ld, SPN_VL, run);
      if (run->pixels >= SPN_SHORT_RUN) flush(b, channel, lanes, run);
    }
  }
}

static void convolve_part(const band *b, const float *weights) {
  size_t plane = window_floats(&b->window);
  for (int v = 0; v < b->part.vectors; v++) {
    int channel = b->part.c0 + v * SPN_VL, lanes = part_lanes(&b->part, v);
    vf w[DW_MAX_TAPS];
    running run = {0};
    for (int tap = 0; tap < b->s->k * b->s->k; tap++) w[tap] = v_get(weights + (size_t)tap * b->s->c + channel, lanes);
    for (int i = 0; i < b->part.images; i++)
      convolve_plane(b, b->part.image0 + i, channel, lanes, b->planes + ((size_t)v * b->part.images + i) * plane, w,
                     &run);
    flush(b, channel, lanes, &run);
  }
}

static void look_ahead(dw_walk next, const float *x, size_t steps, dw_ahead *ahead) {
  const spn_dw_shape *s = next.shape;
  *ahead = (dw_ahead){0};
  if (!walk_next(&next)) return;
  dw_part part = walk_part(&next, s->h, s->w);
  dw_window window = SPN_SYM(dw_x_window)(s, next.r0, next.r1);
  ahead_add(ahead, &part, window.row0, window.rows, x, steps);
}

void SPN_SYM(dw_forward)(const spn_dw_shape *s, int images, int c_used, const spn_view *view, const float *x,
                         const float *w, float *y, double *sum, double *sq, void *scratch) {
  dw_walk walk;
  dw_ahead ahead;
  int layout = -1, stream = SPN_SYM(dw_streams)(s, y);
  int more = walk_start(&walk, s, SPN_SYM(dw_make_plan)(s, 0, images, c_used), images, c_used);
  for (; more; more = walk_next(&walk)) {
    band b = {.s = s,
              .part = walk_part(&walk, s->h, s->w),
              .window = SPN_SYM(dw_x_window)(s, walk.r0, walk.r1),
              .r0 = walk.r0,
              .r1 = walk.r1,
              .planes = scratch,
              .y = y,
              .sum = sum,
              .sq = sq,
              .ahead = &ahead,
              .stream = stream};
    size_t chunks = (s->wo + DW_CHUNK - 1) / DW_CHUNK;
    look_ahead(walk, x, chunks * (walk.r1 - walk.r0) * walk.vectors * walk.images, &ahead);
    SPN_SYM(dw_load_view)(&b.part, &b.window, view, x, walk_keeps_borders(&walk, &layout), scratch);
    convolve_part(&b, w);
  }
  if (stream) v_stream_end();
}
