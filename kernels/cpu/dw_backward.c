#include "cpu/table.h"
#include "cpu/dw_strip.h"

/* Backward-data at stride s splits into s*s stride-1 convolutions of g: input row i is read by the kernel rows kh that
 * are congruent to i + pad_top modulo s. For class (ph,pw) the taps are kh = ph + m*s; walking g upwards means walking
 * m downwards, so the class's weights are stored flipped. */
typedef struct {
  int tap_rows, taps;
  const vf *w; /* (tap_rows*taps), flipped */
} parity_class;

typedef struct {
  const spn_dw_shape *s;
  dw_part in, out; /* the part seen as input and as output */
  dw_window x_window, g_window;
  int r0, r1; /* output rows */
  int i0, i1; /* input rows */
  const spn_view *view;
  const float *x, *w;
  const float *x_planes, *g_planes;
  int accumulate;
  float *dz_in, *dw;
  const spn_view_sums *sums;
  dw_ahead *ahead;
  int stream; /* dz_in is written past the caches */
} band;

typedef struct {
  vf dz, dzx, gate;
  int pixels;
} running;

/* view_grad of n pixels of one vector, of which `put` lanes are written. */
INLINE void grad_row(act_form form, int stream, const view_lanes *view, const float *da, int n, const float *x,
                     size_t ldx, float *dz, size_t lddz, int accumulate, int lanes, int put, running *run) {
  const view_lanes v = *view;
  vf dz_sum = run->dz, dzx_sum = run->dzx, gate_sum = run->gate;
  for (int j = 0; j < n; j++, x += ldx, dz += lddz) {
    vf in = v_load(da + j * SPN_VL), value = v_get(x, lanes), z = view_z(&v, value);
    vf t = view_slope(form, &v, z, in * v.gate);
    gate_sum = v_fma(in, view_act(form, &v, z), gate_sum);
    dz_sum += t;
    dzx_sum = v_fma(t, value, dzx_sum);
    if (accumulate) t += v_get(dz, lanes);
    if (stream) v_stream(dz, t);
    else v_put(dz, t, put);
  }
  *run = (running){dz_sum, dzx_sum, gate_sum, run->pixels + n};
}

/* One vector of channels, and its weights: for every class, k*k together. */
typedef struct {
  int channel, lanes;
  const float *planes; /* of g */
  parity_class classes[2][2];
  vf w[DW_MAX_TAPS];
  view_lanes view; /* of the image */
  running run;
} column;

static void flush(const band *b, int image, column *col) {
  const spn_view_sums *sums = b->sums;
  v_flush(sums->sum_dz ? sums->sum_dz + col->channel : NULL, col->run.dz, col->lanes);
  v_flush(sums->sum_dzx ? sums->sum_dzx + col->channel : NULL, col->run.dzx, col->lanes);
  if (sums->dgate) {
    float *dgate = sums->dgate + image * b->view->gate_ld + col->channel;
    v_put(dgate, v_get(dgate, col->lanes) + col->run.gate, col->lanes);
  }
  col->run = (running){0};
}

/* A run of pixels of one input row, `stride` columns apart. */
typedef struct {
  int image, ih, iw, n;
} pixels;

INLINE size_t pixels_at(const spn_dw_shape *s, const pixels *p) {
  return (((size_t)p->image * s->h + p->ih) * s->w + p->iw) * s->ld;
}

/* Finishes one vector of them. kept: the result stays in da, to be written with the rest of its line. */
static void finish_row(const band *b, column *col, const pixels *p, int kept, float *da) {
  size_t at = pixels_at(b->s, p) + col->channel, ld = (size_t)b->s->stride * b->s->ld, lddz = kept ? SPN_VL : ld;
  const float *x = b->x + at;
  float *dz = kept ? da : b->dz_in + at;
  int clamp = view_form(b->view) == ACT_CLAMP, n = p->n;
  int put = kept ? SPN_VL : dw_put_lanes(b->s, col->channel, col->lanes);
  int stream = DW_LINE == 1 && b->stream && put == SPN_VL;
  running *run = &col->run;
  if (col->lanes < SPN_VL)
    grad_row(view_form(b->view), stream, &col->view, da, n, x, ld, dz, lddz, b->accumulate, col->lanes, put, run);
  else if (clamp && stream) grad_row(ACT_CLAMP, 1, &col->view, da, n, x, ld, dz, ld, 0, SPN_VL, SPN_VL, run);
  else if (clamp) grad_row(ACT_CLAMP, 0, &col->view, da, n, x, ld, dz, lddz, b->accumulate, SPN_VL, SPN_VL, run);
  else grad_row(ACT_HSWISH, 0, &col->view, da, n, x, ld, dz, lddz, b->accumulate, SPN_VL, SPN_VL, run);
  if (run->pixels >= SPN_SHORT_RUN) flush(b, p->image, col);
}

/* Input columns of parity pw in [chunk, chunk + DW_CHUNK*stride) of row ih, of `count` neighbouring vectors. */
static void input_row(const band *b, column *cols, int count, int pw, int image, int ih, int chunk) {
  const spn_dw_shape *s = b->s;
  int end = chunk + DW_CHUNK * s->stride;
  if (end > s->w) end = s->w;
  int iw = chunk;
  while ((iw + s->pad_left) % s->stride != pw) iw++;
  if (iw >= end) return;
  const pixels p = {image, ih, iw, (end - iw + s->stride - 1) / s->stride};
  const parity_class *first = &cols->classes[(ih + s->pad_top) % s->stride][pw];
  int row = (ih + s->pad_top) / s->stride - (first->tap_rows - 1) - b->g_window.row0;
  int col = (iw + s->pad_left) / s->stride - (first->taps - 1) - b->g_window.col0;
  size_t pitch = (size_t)b->g_window.cols * SPN_VL;
  size_t plane = (image - b->in.image0) * window_floats(&b->g_window) + row * pitch + (size_t)col * SPN_VL;
  float da[DW_LINE * DW_ROW] __attribute__((aligned(64)));
  int kept = DW_LINE > 1 && b->stream && count == DW_LINE;
  for (int u = 0; u < count; u++) {
    const parity_class *class = &cols[u].classes[(ih + s->pad_top) % s->stride][pw];
    SPN_SYM(dw_conv_row)(class->taps, 1, class->tap_rows, cols[u].planes + plane, pitch, class->w, p.n,
                         da + u * DW_ROW);
    finish_row(b, &cols[u], &p, kept, da + u * DW_ROW);
  }
  if (kept) dw_stream_line(da, p.n, b->dz_in + pixels_at(s, &p) + cols->channel, (size_t)s->stride * s->ld);
}

static void input_grad_image(const band *b, column *cols, int count, int image) {
  const spn_dw_shape *s = b->s;
  const float *gate = b->view->gate ? b->view->gate + image * b->view->gate_ld : NULL;
  for (int u = 0; u < count; u++) cols[u].view = view_at(b->view, gate, cols[u].channel, cols[u].lanes);
  for (int chunk = 0; chunk < s->w; chunk += DW_CHUNK * s->stride)
    for (int ih = b->i0; ih < b->i1; ih++) {
      ahead_step(b->ahead);
      for (int pw = 0; pw < s->stride; pw++) input_row(b, cols, count, pw, image, ih, chunk);
    }
}

/* Fills a column's classes and their weights. */
static void make_classes(const band *b, column *col) {
  const spn_dw_shape *s = b->s;
  vf *w = col->w;
  for (int ph = 0; ph < s->stride; ph++)
    for (int pw = 0; pw < s->stride; pw++) {
      parity_class *class = &col->classes[ph][pw];
      *class = (parity_class){(s->k - ph + s->stride - 1) / s->stride, (s->k - pw + s->stride - 1) / s->stride, w};
      for (int m = class->tap_rows - 1; m >= 0; m--)
        for (int t = class->taps - 1; t >= 0; t--) {
          size_t tap = (size_t)(ph + m * s->stride) * s->k + pw + t * s->stride;
          *w++ = v_get(b->w + tap * s->c + col->channel, col->lanes);
        }
    }
}

/* `count` neighbouring vectors, from the part's v-th on. */
static void input_grad(const band *b, int v, int count) {
  column cols[DW_LINE];
  size_t planes = b->in.images * window_floats(&b->g_window);
  for (int u = 0; u < count; u++) {
    cols[u].channel = b->in.c0 + (v + u) * SPN_VL;
    cols[u].lanes = part_lanes(&b->in, v + u);
    cols[u].planes = b->g_planes + (v + u) * planes;
    cols[u].run = (running){0};
    make_classes(b, &cols[u]);
  }
  for (int i = 0; i < b->in.images; i++) {
    int image = b->in.image0 + i;
    input_grad_image(b, cols, count, image);
    for (int u = 0; u < count; u++)
      if (b->sums->dgate || i + 1 == b->in.images) flush(b, image, &cols[u]);
  }
}

static void weight_grad(const band *b, int v) {
  const spn_dw_shape *s = b->s;
  int channel = b->in.c0 + v * SPN_VL, lanes = part_lanes(&b->in, v);
  size_t x_plane = window_floats(&b->x_window), g_plane = window_floats(&b->g_window);
  size_t first = v * (size_t)b->in.images;
  dw_sum sum = {.images = b->in.images,
                .rows = b->r1 - b->r0,
                .cols = s->wo,
                .step = s->stride,
                .x_plane = x_plane,
                .g_plane = g_plane,
                .ahead = b->ahead};
  sum.x_pitch = (size_t)b->x_window.cols * SPN_VL;
  sum.g_pitch = (size_t)b->g_window.cols * SPN_VL;
  sum.x = b->x_planes + first * x_plane;
  sum.g = b->g_planes + first * g_plane + (b->r0 - b->g_window.row0) * sum.g_pitch - b->g_window.col0 * SPN_VL;
  vf acc[DW_MAX_TAPS];
  SPN_SYM(dw_weight_sum)(s->k, &sum, acc);
  for (int tap = 0; tap < s->k * s->k; tap++) {
    float *dw = b->dw + (size_t)tap * s->c + channel;
    v_put(dw, v_get(dw, lanes) + acc[tap], lanes);
  }
}

/* Steps of the current part: one for every row of the weight sums' passes and of the data gradient. */
static size_t steps_of(const band *b) {
  size_t planes = (size_t)b->in.vectors * b->in.images, steps = 1;
  if (b->dw) steps += planes * (b->r1 - b->r0) * dw_sum_passes(b->s->k);
  int chunk = DW_CHUNK * b->s->stride;
  planes = (size_t)dw_steps(b->in.vectors) * b->in.images;
  if (b->dz_in) steps += planes * (b->i1 - b->i0) * ((b->s->w + chunk - 1) / chunk);
  return steps;
}

static void look_ahead(const band *b, dw_walk next, const float *dz_out, const float *y, dw_ahead *ahead) {
  const spn_dw_shape *s = b->s;
  size_t steps = steps_of(b);
  *ahead = (dw_ahead){0};
  if (!walk_next(&next)) return;
  dw_part in = walk_part(&next, s->h, s->w), out = walk_part(&next, s->ho, s->wo);
  dw_window x = SPN_SYM(dw_x_window)(s, next.r0, next.r1), g = SPN_SYM(dw_g_window)(s, next.r0, next.r1);
  ahead_add(ahead, &out, g.row0, g.rows, dz_out, steps);
  if (y) ahead_add(ahead, &out, g.row0, g.rows, y, steps);
  ahead_add(ahead, &in, x.row0, x.rows, b->x, steps);
}

static void backward_part(band *b, const dw_walk *walk, const spn_norm_grad *grad, const float *dz_out, const float *y,
                          int borders, float *scratch) {
  const spn_dw_shape *s = b->s;
  b->in = walk_part(walk, s->h, s->w);
  b->out = walk_part(walk, s->ho, s->wo);
  b->r0 = walk->r0;
  b->r1 = walk->r1;
  SPN_SYM(dw_in_rows)(s, b->r0, b->r1, &b->i0, &b->i1);
  b->x_window = SPN_SYM(dw_x_window)(s, b->r0, b->r1);
  b->g_window = SPN_SYM(dw_g_window)(s, b->r0, b->r1);
  float *g_planes = scratch + (b->dw ? (size_t)b->in.vectors * b->in.images * window_floats(&b->x_window) : 0);
  b->x_planes = scratch;
  b->g_planes = g_planes;
  look_ahead(b, *walk, dz_out, grad->a ? y : NULL, b->ahead);
  if (b->dw) SPN_SYM(dw_load_view)(&b->in, &b->x_window, b->view, b->x, borders, scratch);
  SPN_SYM(dw_load_grad)(&b->out, &b->g_window, grad, dz_out, y, borders, g_planes);
  for (int v = 0, count; v < b->in.vectors; v += count) {
    count = dw_line_vectors(s, b->in.c0 + v * SPN_VL, b->in.vectors - v);
    for (int u = 0; b->dw && u < count; u++) weight_grad(b, v + u);
    if (b->dz_in) input_grad(b, v, count);
  }
}

void SPN_SYM(dw_backward)(const spn_dw_shape *s, int images, int c_used, const spn_view *view, const float *x,
                          const float *w, const spn_norm_grad *grad, const float *dz_out, const float *y,
                          int accumulate, float *dz_in, const spn_view_sums *sums, float *dw, void *scratch) {
  const spn_view_sums no_sums = {0};
  dw_ahead ahead;
  band b = {.s = s,
            .view = view,
            .x = x,
            .w = w,
            .accumulate = accumulate,
            .dz_in = dz_in,
            .dw = dw,
            .sums = sums ? sums : &no_sums,
            .ahead = &ahead};
  b.stream = dz_in && !accumulate && SPN_SYM(dw_streams)(s, dz_in);
  dw_walk walk;
  int more = walk_start(&walk, s, SPN_SYM(dw_make_plan)(s, 1, images, c_used), images, c_used);
  for (int layout = -1; more; more = walk_next(&walk))
    backward_part(&b, &walk, grad, dz_out, y, walk_keeps_borders(&walk, &layout), scratch);
  if (b.stream) v_stream_end();
}
