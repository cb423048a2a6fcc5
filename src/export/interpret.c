#include "export/interpret.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/team.h"

typedef struct {
  const spn_lowered *net;
  float **packed;   /* of a convolution: (K,K,I,O), so that the inner loop runs over outputs; else NULL */
  size_t *place;    /* of a node's output in a thread's arena */
  size_t arena;     /* floats of one */
  float *memory;    /* an arena a thread */
  spn_range *range; /* two a node, for each thread; NULL: not wanted */
  const float *images;
  float *out;
} interpreter;

/* ---- Nodes ---- */

static void start(float *y, const spn_lowered_node *n) {
  if (n->bias) memcpy(y, n->bias, (size_t)n->c * sizeof *y);
  else memset(y, 0, (size_t)n->c * sizeof *y);
}

/* What a convolution reads. */
typedef struct {
  const float *x, *weight; /* (h,w,c) of the input; (K,K,...) */
  int h, w, c;
} source;

static void conv_pixel(const source *s, const spn_lowered_node *n, int oy, int ox, float *y) {
  const size_t in = (size_t)s->c, out = (size_t)n->c;
  for (int ky = 0; ky < n->kernel; ky++)
    for (int kx = 0; kx < n->kernel; kx++) {
      const int iy = oy * n->stride + ky - n->y.before, ix = ox * n->stride + kx - n->x.before;
      if (iy < 0 || ix < 0 || iy >= s->h || ix >= s->w) continue;
      const float *x = s->x + ((size_t)iy * (size_t)s->w + (size_t)ix) * in;
      const float *w = s->weight + (size_t)(ky * n->kernel + kx) * in * out;
      for (size_t i = 0; i < in; i++, w += out) {
        const float v = x[i];
        if (v == 0) continue; /* half of them, behind a ReLU */
        for (size_t o = 0; o < out; o++) y[o] += v * w[o];
      }
    }
}

static void depthwise_pixel(const source *s, const spn_lowered_node *n, int oy, int ox, float *y) {
  const size_t c = (size_t)n->c;
  for (int ky = 0; ky < n->kernel; ky++)
    for (int kx = 0; kx < n->kernel; kx++) {
      const int iy = oy * n->stride + ky - n->y.before, ix = ox * n->stride + kx - n->x.before;
      if (iy < 0 || ix < 0 || iy >= s->h || ix >= s->w) continue;
      const float *x = s->x + ((size_t)iy * (size_t)s->w + (size_t)ix) * c;
      const float *w = s->weight + (size_t)(ky * n->kernel + kx) * c;
      for (size_t o = 0; o < c; o++) y[o] += x[o] * w[o];
    }
}

static void convolve(const source *s, const spn_lowered_node *n, float *y) {
  for (int oy = 0; oy < n->h; oy++)
    for (int ox = 0; ox < n->w; ox++, y += n->c) {
      start(y, n);
      if (n->kind == SPN_LOWERED_DEPTHWISE) depthwise_pixel(s, n, oy, ox, y);
      else conv_pixel(s, n, oy, ox, y);
    }
}

static void pool(const source *s, float *y) {
  const size_t pixels = (size_t)s->h * (size_t)s->w, c = (size_t)s->c;
  for (size_t o = 0; o < c; o++) {
    double sum = 0;
    for (size_t p = 0; p < pixels; p++) sum += (double)s->x[p * c + o];
    y[o] = (float)(sum / (double)pixels);
  }
}

static void dense(const source *s, const spn_lowered_node *n, float *y) {
  for (int o = 0; o < n->c; o++) {
    double sum = n->bias ? (double)n->bias[o] : 0;
    for (int i = 0; i < s->c; i++) sum += (double)n->weight[(size_t)o * (size_t)s->c + (size_t)i] * (double)s->x[i];
    y[o] = (float)sum;
  }
}

static void per_channel(const source *s, const spn_lowered_node *n, float *y) {
  const size_t c = (size_t)n->c, pixels = (size_t)n->h * (size_t)n->w;
  for (size_t o = 0; o < c; o++) {
    double scale = n->weight ? (double)n->weight[o] : 1, shift = n->bias ? (double)n->bias[o] : 0;
    if (n->kind == SPN_LOWERED_NORM) {
      scale = (double)n->norm[o] / sqrt((double)n->norm[3 * c + o] + (double)n->eps);
      shift = (double)n->norm[c + o] - (double)n->norm[2 * c + o] * scale;
    }
    for (size_t p = 0; p < pixels; p++) y[p * c + o] = (float)((double)s->x[p * c + o] * scale + shift);
  }
}

static float active(spn_fused act, float v) {
  switch (act) {
    case SPN_FUSED_NONE: break;
    case SPN_FUSED_RELU: return v > 0 ? v : 0;
    case SPN_FUSED_RELU6: return v < 0 ? 0 : v > 6 ? 6 : v;
    case SPN_FUSED_HSWISH: return v * (v < -3 ? 0 : v > 3 ? 6 : v + 3) / 6;
    case SPN_FUSED_SIGMOID: return 1 / (1 + expf(-v));
  }
  return v;
}

static void round_to(spn_quant q, float *v, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const float level = roundf(v[i] / q.scale) + (float)q.zero;
    v[i] = q.scale * ((level < -128 ? -128 : level > 127 ? 127 : level) - (float)q.zero);
  }
}

static void widen(spn_range *r, const float *v, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (v[i] < r->min) r->min = v[i];
    if (v[i] > r->max) r->max = v[i];
  }
}

static void run_node(const interpreter *t, int i, float *arena, spn_range *range) {
  const spn_lowered_node *n = &t->net->node[i], *from = &t->net->node[n->in[0] < 0 ? 0 : n->in[0]];
  const size_t elements = spn_lowered_elements(n), c = (size_t)n->c;
  float *y = arena + t->place[i];
  const float *other = n->in[1] < 0 ? NULL : arena + t->place[n->in[1]];
  const source s = {arena + t->place[n->in[0] < 0 ? 0 : n->in[0]], t->packed[i] ? t->packed[i] : n->weight, from->h,
                    from->w, from->c};
  switch (n->kind) {
    case SPN_LOWERED_INPUT: break; /* it is there */
    case SPN_LOWERED_CONV:
    case SPN_LOWERED_DEPTHWISE: convolve(&s, n, y); break;
    case SPN_LOWERED_NORM:
    case SPN_LOWERED_SCALE: per_channel(&s, n, y); break;
    case SPN_LOWERED_POOL: pool(&s, y); break;
    case SPN_LOWERED_DENSE: dense(&s, n, y); break;
    case SPN_LOWERED_MUL:
      for (size_t k = 0; k < elements; k++) y[k] = s.x[k] * other[k % c];
      break;
    case SPN_LOWERED_ADD:
      for (size_t k = 0; k < elements; k++) y[k] = s.x[k] + other[k];
      break;
  }
  if (range) widen(&range[2 * i], y, elements);
  for (size_t k = 0; n->act != SPN_FUSED_NONE && k < elements; k++) y[k] = active(n->act, y[k]);
  if (n->quant.scale > 0) round_to(n->quant, y, elements);
  if (range) widen(&range[2 * i + 1], y, elements);
}

/* ---- Images ---- */

static void run_image(void *context, int image, int thread) {
  const interpreter *t = context;
  const size_t in = spn_lowered_elements(&t->net->node[0]);
  float *arena = t->memory + (size_t)thread * t->arena;
  memcpy(arena, t->images + (size_t)image * in, in * sizeof *arena);
  for (int i = 0; i < t->net->count; i++)
    run_node(t, i, arena, t->range ? t->range + (size_t)thread * 2 * (size_t)t->net->count : NULL);
  float *out = t->out ? t->out + (size_t)image * spn_lowered_results(t->net) : NULL;
  for (int i = 0; out && i < t->net->outputs; i++) {
    const int node = t->net->output[i].node;
    const size_t n = spn_lowered_elements(&t->net->node[node]);
    memcpy(out, arena + t->place[node], n * sizeof *out);
    out += n;
  }
}

/* (O,I,K,K) -> (K,K,I,O) */
static float *pack(const spn_lowered_node *n, int in) {
  const size_t taps = (size_t)n->kernel * (size_t)n->kernel, row = taps * (size_t)in, out = (size_t)n->c;
  float *packed = malloc(row * out * sizeof *packed);
  for (size_t o = 0; packed && o < out; o++)
    for (size_t i = 0; i < row; i++) packed[(i % taps * (size_t)in + i / taps) * out + o] = n->weight[o * row + i];
  return packed;
}

static void clear(interpreter *t) {
  for (int i = 0; t->packed && i < t->net->count; i++) free(t->packed[i]);
  free(t->packed);
  free(t->place);
  free(t->memory);
  free(t->range);
}

/* 0 when memory is exhausted. */
static int prepare(interpreter *t, int threads, int ranges) {
  const size_t nodes = (size_t)t->net->count;
  t->packed = calloc(nodes, sizeof *t->packed);
  t->place = calloc(nodes, sizeof *t->place);
  if (!t->packed || !t->place) return 0;
  for (size_t i = 0; i < nodes; i++) {
    const spn_lowered_node *n = &t->net->node[i];
    t->place[i] = t->arena;
    t->arena += spn_lowered_elements(n);
    if (n->kind == SPN_LOWERED_CONV && !(t->packed[i] = pack(n, t->net->node[n->in[0]].c))) return 0;
  }
  t->memory = calloc((size_t)threads * t->arena, sizeof *t->memory);
  if (!ranges) return t->memory != NULL;
  t->range = malloc((size_t)threads * 2 * nodes * sizeof *t->range);
  for (size_t i = 0; t->range && i < (size_t)threads * 2 * nodes; i++) t->range[i] = SPN_RANGE_NONE;
  return t->memory && t->range;
}

static void merge(const interpreter *t, int threads, spn_range *ranges) {
  const size_t n = 2 * (size_t)t->net->count;
  for (size_t i = 0; i < n * (size_t)threads; i++) {
    spn_range *r = &ranges[i % n];
    if (t->range[i].min < r->min) r->min = t->range[i].min;
    if (t->range[i].max > r->max) r->max = t->range[i].max;
  }
}

spn_status spn_interpret(const spn_lowered *net, int threads, const float *images, int count, float *out,
                         spn_range *ranges, spn_err *err) {
  interpreter t = {.net = net, .images = images, .out = out};
  spn_team *team = NULL;
  if (threads > count) threads = count < 1 ? 1 : count;
  spn_status status = prepare(&t, threads, ranges != NULL) ? spn_team_create(threads, &team, err)
                                                           : spn_fail(err, SPN_ENOMEM, "export: out of memory");
  if (!status) {
    spn_team_run(team, count, run_image, &t);
    if (ranges) merge(&t, threads, ranges);
  }
  spn_team_free(team);
  clear(&t);
  return status;
}
