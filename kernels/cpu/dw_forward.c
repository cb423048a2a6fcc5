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

/* What becomes of a row beside being summed up: a whole line is written past the caches when all its rows are there. */
typedef enum { PUT, STREAM, KEEP } fate;

/* Writes n pixels of one vector, `put` lanes, to y and adds them to the running sums. */
INLINE void store_row(fate what, const float *row, int n, float *y, size_t ld, int put, running *run) {
  vf s[2] = {run->sum}, q[2] = {run->sq};
  int j = 0;
  for (; j + 2 <= n; j += 2)
    for (int u = 0; u < 2; u++) {
      vf v = v_load(row + (j + u) * SPN_VL);
      s[u] += v;
      q[u] = v_fma(v, v, q[u]);
      if (what == STREAM) v_stream(y + (j + u) * ld, v);
      if (what == PUT) v_put(y + (j + u) * ld, v, put);
    }
  if (j < n) {
    vf v = v_load(row + j * SPN_VL);
    s[0] += v;
    q[0] = v_fma(v, v, q[0]);
    if (what != KEEP) v_put(y + j * ld, v, put);
  }
  run->sum = s[0] + s[1];
  run->sq = q[0] + q[1];
  run->pixels += n;
}

/* One vector of channels. */
typedef struct {
  int channel, lanes;
  const float *planes;
  vf w[DW_MAX_TAPS];
  running run;
} column;

static void flush(const band *b, column *col) {
  v_flush(b->sum ? b->sum + col->channel : NULL, col->run.sum, col->lanes);
  v_flush(b->sq ? b->sq + col->channel : NULL, col->run.sq, col->lanes);
  col->run = (running){0};
}

/* n outputs of one row, from column `from` on, of one vector. */
static void convolve_row(const band *b, column *col, int image, int r, int from, int n, int streams, float *row) {
  const spn_dw_shape *s = b->s;
  size_t pitch = (size_t)b->window.cols * SPN_VL;
  const float *x = col->planes + image * window_floats(&b->window) + (r - b->r0) * s->stride * pitch +
                   (size_t)from * s->stride * SPN_VL;
  float *y = b->y + (((size_t)(b->part.image0 + image) * s->ho + r) * s->wo + from) * s->ld + col->channel;
  int put = dw_put_lanes(s, col->channel, col->lanes);
  SPN_SYM(dw_conv_row)(s->k, s->stride, s->k, x, pitch, col->w, n, row);
  if (put < SPN_VL) store_row(PUT, row, n, y, s->ld, put, &col->run);
  else if (streams && DW_LINE == 1) store_row(STREAM, row, n, y, s->ld, SPN_VL, &col->run);
  else if (streams) store_row(KEEP, row, n, y, s->ld, SPN_VL, &col->run);
  else store_row(PUT, row, n, y, s->ld, SPN_VL, &col->run);
  if (col->run.pixels >= SPN_SHORT_RUN) flush(b, col);
}

/* `count` neighbouring vectors of channels of one image. */
static void convolve_image(const band *b, column *cols, int count, int image) {
  const spn_dw_shape *s = b->s;
  float rows[DW_LINE * DW_ROW] __attribute__((aligned(64)));
  int streams = b->stream && count == DW_LINE;
  for (int from = 0; from < s->wo; from += DW_CHUNK) {
    int n = s->wo - from < DW_CHUNK ? s->wo - from : DW_CHUNK;
    for (int r = b->r0; r < b->r1; r++) {
      float *y = b->y + (((size_t)(b->part.image0 + image) * s->ho + r) * s->wo + from) * s->ld + cols->channel;
      ahead_step(b->ahead);
      for (int u = 0; u < count; u++) convolve_row(b, &cols[u], image, r, from, n, streams, rows + u * DW_ROW);
      if (streams && DW_LINE > 1) dw_stream_line(rows, n, y, s->ld);
    }
  }
}

static void convolve_part(const band *b, const float *weights) {
  column cols[DW_LINE];
  size_t planes = b->part.images * window_floats(&b->window);
  for (int v = 0, count; v < b->part.vectors; v += count) {
    count = dw_line_vectors(b->s, b->part.c0 + v * SPN_VL, b->part.vectors - v);
    for (int u = 0; u < count; u++) {
      column *col = &cols[u];
      col->channel = b->part.c0 + (v + u) * SPN_VL;
      col->lanes = part_lanes(&b->part, v + u);
      col->planes = b->planes + (v + u) * planes;
      col->run = (running){0};
      for (int tap = 0; tap < b->s->k * b->s->k; tap++)
        col->w[tap] = v_get(weights + (size_t)tap * b->s->c + col->channel, col->lanes);
    }
    for (int i = 0; i < b->part.images; i++) convolve_image(b, cols, count, i);
    for (int u = 0; u < count; u++) flush(b, &cols[u]);
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
    look_ahead(walk, x, chunks * (walk.r1 - walk.r0) * dw_steps(walk.vectors) * walk.images, &ahead);
    SPN_SYM(dw_load_view)(&b.part, &b.window, view, x, walk_keeps_borders(&walk, &layout), scratch);
    convolve_part(&b, w);
  }
  if (stream) v_stream_end();
}
