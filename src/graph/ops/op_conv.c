/* Dense convolution, 1x1 convolution and dense layer.
 *
 * Each part walks its images in tiles small enough for a core's cache: the input's view is applied while a tile is
 * loaded, oneDNN multiplies the tile with a primitive made for one thread, and the output's sums are taken while it is
 * still in cache. Backward loads the output's gradient through batch norm, and writes the input's through its view.
 * A unit is a pixel for 1x1 stride 1, otherwise an image. */
#include <stdio.h>

#include "graph/ops.h"

enum { FORWARD, BACK_DATA, BACK_WEIGHTS, KINDS };

/* What a level is: a level of the width, or, of a convolution with rings, a kernel size. */

typedef struct {
  spn_conv_spec spec;
  int weight, bias;                       /* parameter numbers; bias -1: none */
  int in_area, out_area, units_per_image; /* pixels of a unit; units of an image */
  int tile;                               /* units of a tile */
  int max_level;
  spn_conv *conv[KINDS][SPN_MAX_LEVELS];
  real *packed[2]; /* weights in the private formats of FORWARD and BACK_DATA */
  size_t packed_elements[KINDS];
  size_t src_bytes, dst_bytes; /* of a tile */
  size_t rest_at, rest_bytes;  /* oneDNN's own scratch: where in a thread's, and the most a primitive asks for */
} conv_state;

static const spn_width *width_of(const conv_state *s) {
  return s->spec.in_width ? s->spec.in_width : s->spec.out_width;
}

static int in_channels(const spn_node *node, const conv_state *s, int level) {
  return s->spec.in_width ? s->spec.in_width->channels[level] : node->in[0]->c;
}

static int out_channels(const spn_node *node, const conv_state *s, int level) {
  return s->spec.out_width ? s->spec.out_width->channels[level] : node->out->c;
}

/* A level's kernel size, which lies in the middle of the largest. */
static int kernel_of(const conv_state *s, int level) {
  if (level == s->spec.rings) return s->spec.k;
  return level ? s->spec.ring_k[level - 1] : s->spec.inner_k;
}

/* Which level a kind runs at: readers see the channels that gates let through; channels computed only for a gate's
 * gradient need the forward pass (expand) or the weight gradient (project), nothing else. */
static int level_of(const spn_graph *g, const conv_state *s, int kind) {
  const spn_width *w = width_of(s);
  if (!w) return s->spec.rings ? spn_rings_in_use(g, s->spec.rings, s->spec.gates, kind == BACK_WEIGHTS) : 0;
  int more = (s->spec.out_width && kind == FORWARD) || (s->spec.in_width && kind == BACK_WEIGHTS);
  return more ? w->computed : w->through;
}

/* Pixels so that a tile of input and output fills its share of the cache; more where the weights, which every tile
 * reads again, are large: of 512 KB four times the weights, of less as much less. */
static int choose_tile(const spn_graph *g, const conv_state *s, int ci, int co) {
  size_t unit = ((size_t)s->in_area * ci + (size_t)s->out_area * co) * sizeof(real);
  size_t weights = (size_t)ci * co * s->spec.k * s->spec.k * sizeof(real);
  size_t share = g->kernels->tile_bytes, large = share / (128 << 10) * weights, budget = large > share ? large : share;
  long most = ((long)g->batch + g->parts - 1) / g->parts * s->units_per_image;
  long tile = (long)(budget / unit);
  if (tile > most) tile = most;
  if (tile < 1) tile = 1;
  long tiles = (most + tile - 1) / tile;
  return (int)((most + tiles - 1) / tiles); /* equal tiles */
}

static spn_status create(spn_graph *g, spn_node *node, conv_state *s, int kind, int level, spn_err *err) {
  const spn_value *x = node->in[0];
  int border = s->spec.rings ? (s->spec.k - kernel_of(s, level)) / 2 : 0;
  int before = s->spec.pad_before - border, after = s->spec.pad_after - border;
  spn_conv_shape shape = {.n = s->tile,
                          .h = x->h,
                          .w = x->w,
                          .ci = in_channels(node, s, level),
                          .co = out_channels(node, s, level),
                          .k = s->spec.k - 2 * border,
                          .stride = s->spec.stride,
                          .pad_top = before,
                          .pad_left = before,
                          .pad_bottom = after,
                          .pad_right = after,
                          .bf16 = g->bf16};
  if (s->in_area == 1 && s->units_per_image == x->h * x->w) shape.n = 1, shape.h = 1, shape.w = s->tile;
  static const spn_conv_kind kinds[KINDS] = {SPN_CONV_FORWARD, SPN_CONV_BACKWARD_DATA, SPN_CONV_BACKWARD_WEIGHTS};
  spn_err inner;
  if (spn_conv_create(kinds[kind], &shape, g->threads, &s->conv[kind][level], &inner))
    return spn_fail(err, inner.code, "%s: %s", node->name, inner.text);
  size_t packed = spn_conv_packed(s->conv[kind][level]);
  if (packed > s->packed_elements[kind]) s->packed_elements[kind] = packed;
  size_t bytes = spn_conv_scratch(s->conv[kind][level]);
  if (bytes > s->rest_bytes) s->rest_bytes = bytes;
  return SPN_OK;
}

static spn_status prepare(spn_graph *g, spn_node *node, spn_err *err) {
  conv_state *s = node->state;
  const spn_value *x = node->in[0], *y = node->out;
  int pixelwise = s->spec.k == 1 && s->spec.stride == 1;
  s->in_area = pixelwise ? 1 : x->h * x->w;
  s->out_area = pixelwise ? 1 : y->h * y->w;
  s->units_per_image = pixelwise ? x->h * x->w : 1;
  s->tile = choose_tile(g, s, x->c, y->c);
  s->src_bytes = spn_bytes((size_t)s->tile * s->in_area * x->c);
  s->dst_bytes = spn_bytes((size_t)s->tile * s->out_area * y->c);
  s->max_level = width_of(s) ? width_of(s)->levels : s->spec.rings + 1;
  for (int level = 0; level < s->max_level; level++) {
    SPN_TRY(create(g, node, s, FORWARD, level, err));
    if (g->inference_only) continue;
    if (x->needs_grad) SPN_TRY(create(g, node, s, BACK_DATA, level, err));
    SPN_TRY(create(g, node, s, BACK_WEIGHTS, level, err));
  }
  for (int kind = FORWARD; kind <= BACK_DATA; kind++)
    if (s->packed_elements[kind]) spn_graph_keep(g, &s->packed[kind], spn_bytes(s->packed_elements[kind]));
  /* One place for every kind, behind the largest packed weight gradient: BACK_DATA runs while that is in scratch. */
  s->rest_at = 2 * s->src_bytes + s->dst_bytes + spn_bytes(s->packed_elements[BACK_WEIGHTS]);
  spn_graph_need_scratch(g, s->rest_at + s->rest_bytes);
  spn_graph_need_part(g, spn_bytes(s->packed_elements[BACK_WEIGHTS]) + spn_bytes((size_t)y->c));
  if (s->max_level > 1) spn_graph_need_scratch(g, spn_bytes(g->params[s->weight].size));
  return SPN_OK;
}

/* Tells the graph what the backend would not do. */
static void check(spn_graph *g, const spn_node *node, const spn_conv *conv, int status) {
  spn_err why;
  if (!status) return;
  spn_conv_failed(conv, status, &why);
  spn_graph_fail(g, node, &why);
}

/* Taps of a level's kernel among those of the whole, and the ring each lies in. */
static int taps_of(const conv_state *s, int level, int *whole, int *ring) {
  int k = kernel_of(s, level), border = (s->spec.k - k) / 2;
  for (int t = 0; t < k * k; t++) {
    int y = t / k + border, x = t % k + border;
    whole[t] = y * s->spec.k + x;
    ring[t] = spn_ring_of(s->spec.k, s->spec.inner_k, s->spec.rings, s->spec.ring_k, y, x);
  }
  return k * k;
}

/* The kernel of a level, each ring by its gates, in scratch. */
static real *form_kernel(spn_graph *g, const conv_state *s, int level) {
  int whole[SPN_MAX_TAPS], ring[SPN_MAX_TAPS], taps = taps_of(s, level, whole, ring);
  size_t area = (size_t)s->spec.k * (size_t)s->spec.k, filters = g->params[s->weight].size / area;
  const real *w = spn_param_weights(g, s->weight);
  real *formed = (real *)g->scratch;
  double coef[4];
  spn_nested_coefs(g, s->spec.rings, s->spec.gates, coef);
  for (size_t i = 0; i < filters; i++)
    for (int t = 0; t < taps; t++)
      formed[i * (size_t)taps + (size_t)t] = (real)coef[ring[t]] * w[i * area + (size_t)whole[t]];
  return formed;
}

/* Packs the weights of a level into kind's format; a prefix of the input channels is gathered first. */
static void pack(spn_graph *g, spn_node *node, conv_state *s, int kind) {
  int level = level_of(g, s, kind), all = node->in[0]->c, ci = in_channels(node, s, level);
  real *w = s->spec.rings ? form_kernel(g, s, level) : spn_param_weights(g, s->weight);
  if (ci < all) {
    real *gathered = (real *)g->scratch;
    int co = out_channels(node, s, level);
    for (int o = 0; o < co; o++) memcpy(gathered + (size_t)o * ci, w + (size_t)o * all, (size_t)ci * sizeof(real));
    w = gathered;
  }
  check(g, node, s->conv[kind][level], spn_conv_pack(s->conv[kind][level], w, s->packed[kind]));
}

/* The input tile through its view: in place where the view is the identity, otherwise in scratch, zeros at the end. */
static real *load_source(spn_graph *g, const spn_node *node, const conv_state *s, long unit, long units, int c,
                         int scaled, real *scratch) {
  const spn_value *x = node->in[0];
  size_t first = (size_t)unit * s->in_area, pixels = (size_t)units * s->in_area, all = (size_t)s->tile * s->in_area;
  if (spn_value_plain(x) && c == x->ld && units == s->tile) return x->x + first * (size_t)x->ld;
  spn_value_load(g, x, first, pixels, c, scratch, (size_t)c);
  if (scaled) spn_width_scale(g, s->spec.in_width, pixels, c, scratch, (size_t)c);
  memset(scratch + pixels * (size_t)c, 0, (all - pixels) * (size_t)c * sizeof(real));
  return scratch;
}

static void add_bias(const real *bias, size_t pixels, int c, real *y) {
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < c; i++) y[p * (size_t)c + i] += bias[i];
}

static void forward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  conv_state *s = node->state;
  spn_value *y = node->out;
  int level = level_of(g, s, FORWARD), ci = in_channels(node, s, level), co = out_channels(node, s, level);
  real *src = (real *)scratch, *dst = (real *)(scratch + 2 * s->src_bytes);
  void *rest = scratch + s->rest_at;
  double *stats = g->training && y->stats ? y->stats + (size_t)part * 2 * y->c : NULL;
  if (stats) memset(stats, 0, 2 * (size_t)y->c * sizeof *stats);
  long end = (long)n1 * s->units_per_image;
  for (long unit = (long)n0 * s->units_per_image; unit < end; unit += s->tile) {
    long units = end - unit < s->tile ? end - unit : s->tile;
    size_t pixels = (size_t)units * s->out_area;
    real *in = load_source(g, node, s, unit, units, ci, 1, src);
    real *home = y->x + (size_t)unit * s->out_area * y->ld;
    int streams = spn_value_streams(g, y, co), direct = !streams && units == s->tile && co == y->ld;
    real *out = direct ? home : dst;
    check(g, node, s->conv[FORWARD][level],
          spn_conv_run(s->conv[FORWARD][level], thread, in, s->packed[FORWARD], out, rest));
    if (s->bias >= 0) add_bias(spn_param_weights(g, s->bias), pixels, co, out);
    if (stats) g->kernels->stats(pixels, co, out, (size_t)co, stats, stats + y->c);
    if (streams) g->kernels->stream(pixels, co, out, (size_t)co, home, (size_t)y->ld);
    else if (!direct)
      for (size_t p = 0; p < pixels; p++)
        memcpy(home + p * (size_t)y->ld, out + p * (size_t)co, (size_t)co * sizeof(real));
  }
}

static void forward(spn_graph *g, spn_node *node) {
  pack(g, node, node->state, FORWARD);
  spn_graph_parts(g, node, forward_part);
}

static void backward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  conv_state *s = node->state;
  spn_value *x = node->in[0], *y = node->out;
  int wl = level_of(g, s, BACK_WEIGHTS), dl = level_of(g, s, BACK_DATA);
  int ci = in_channels(node, s, wl), ci_data = in_channels(node, s, dl), co = out_channels(node, s, wl);
  real *src = (real *)scratch, *dsrc = (real *)(scratch + s->src_bytes), *dst = (real *)(scratch + 2 * s->src_bytes);
  real *dw = (real *)(scratch + 2 * s->src_bytes + s->dst_bytes);
  size_t packed = spn_conv_packed(s->conv[BACK_WEIGHTS][wl]);
  void *rest = scratch + s->rest_at;
  real *sum = spn_graph_part(g, part), *dbias = (real *)((char *)sum + spn_bytes(s->packed_elements[BACK_WEIGHTS]));
  memset(sum, 0, packed * sizeof(real));
  memset(dbias, 0, (size_t)y->c * sizeof(real));
  long end = (long)n1 * s->units_per_image;
  for (long unit = (long)n0 * s->units_per_image; unit < end; unit += s->tile) {
    long units = end - unit < s->tile ? end - unit : s->tile;
    size_t first = (size_t)unit * s->out_area, pixels = (size_t)units * s->out_area;
    real *dy = y->dz + first * (size_t)y->ld;
    if (y->norm.a || units < s->tile || co < y->ld) {
      g->kernels->norm_grad_load(pixels, co, &y->norm, dy, (size_t)y->ld, y->x + first * (size_t)y->ld, (size_t)y->ld,
                                 dst, (size_t)co);
      memset(dst + pixels * (size_t)co, 0, ((size_t)s->tile * s->out_area - pixels) * (size_t)co * sizeof(real));
      dy = dst;
    }
    real *in = load_source(g, node, s, unit, units, ci, 0, src);
    check(g, node, s->conv[BACK_WEIGHTS][wl], spn_conv_run(s->conv[BACK_WEIGHTS][wl], thread, in, dw, dy, rest));
    g->kernels->add(packed, dw, sum);
    for (size_t p = 0; s->bias >= 0 && p < pixels; p++) g->kernels->add((size_t)co, dy + p * (size_t)co, dbias);
    if (!x->needs_grad) continue;
    check(g, node, s->conv[BACK_DATA][dl],
          spn_conv_run(s->conv[BACK_DATA][dl], thread, dsrc, s->packed[BACK_DATA], dy, rest));
    spn_width_scale(g, s->spec.in_width, (size_t)units * s->in_area, ci_data, dsrc, (size_t)ci_data);
    spn_value_grad_tile(g, x, part, (size_t)unit * s->in_area, (size_t)units * s->in_area, ci_data, dsrc,
                        x->base->grad_written);
  }
}

/* dW was taken with the channel mask at 1. Then dLoss/dmask of a level is <W, dW> over its columns, because the mask
 * multiplies the input linearly; and the true dW is the mask times what was taken. */
static void mask_gradient(spn_graph *g, const spn_node *node, const conv_state *s, int level) {
  const spn_width *w = s->spec.in_width;
  int all = node->in[0]->c, co = node->out->c;
  real *weight = spn_param_weights(g, s->weight), *grad = spn_param_grads(g, s->weight);
  double coef[SPN_MAX_LEVELS], dcoef[SPN_MAX_LEVELS] = {0};
  spn_width_coefs(g, w, coef);
  for (int l = 1; l <= level; l++)
    for (int o = 0; o < co; o++) {
      size_t from = (size_t)o * all + (size_t)w->channels[l - 1];
      int n = w->channels[l] - w->channels[l - 1];
      dcoef[l] += g->kernels->dot((size_t)n, weight + from, grad + from);
      if (coef[l] != 1)
        for (int i = 0; i < n; i++) grad[from + (size_t)i] *= (real)coef[l];
    }
  spn_width_add_grads(g, w, dcoef);
}

/* Gradient of a level's kernel, taken with every ring at 1, into the whole's and the gates'. */
static void scatter_rings(spn_graph *g, const conv_state *s, int level, const real *formed) {
  int whole[SPN_MAX_TAPS], ring[SPN_MAX_TAPS], taps = taps_of(s, level, whole, ring);
  size_t area = (size_t)s->spec.k * (size_t)s->spec.k, filters = g->params[s->weight].size / area;
  const real *w = spn_param_weights(g, s->weight);
  real *grad = spn_param_grads(g, s->weight);
  double coef[4], dcoef[4] = {0};
  spn_nested_coefs(g, s->spec.rings, s->spec.gates, coef);
  for (size_t i = 0; i < filters; i++)
    for (int t = 0; t < taps; t++) {
      size_t at = i * area + (size_t)whole[t];
      real d = formed[i * (size_t)taps + (size_t)t];
      dcoef[ring[t]] += (double)w[at] * (double)d;
      grad[at] = (real)coef[ring[t]] * d;
    }
  spn_nested_add_grads(g, s->spec.rings, s->spec.gates, dcoef);
}

static void unpack(spn_graph *g, const spn_node *node, conv_state *s, int level, real *packed) {
  int all = node->in[0]->c, ci = in_channels(node, s, level), co = out_channels(node, s, level);
  real *grad = spn_param_grads(g, s->weight);
  if (ci == all && !s->spec.rings) {
    check(g, node, s->conv[BACK_WEIGHTS][level], spn_conv_unpack(s->conv[BACK_WEIGHTS][level], packed, grad));
    return;
  }
  real *dense = (real *)g->scratch;
  check(g, node, s->conv[BACK_WEIGHTS][level], spn_conv_unpack(s->conv[BACK_WEIGHTS][level], packed, dense));
  if (s->spec.rings) scatter_rings(g, s, level, dense);
  else
    for (int o = 0; o < co; o++) memcpy(grad + (size_t)o * all, dense + (size_t)o * ci, (size_t)ci * sizeof(real));
}

static void backward(spn_graph *g, spn_node *node) {
  conv_state *s = node->state;
  spn_value *x = node->in[0];
  if (x->needs_grad) pack(g, node, s, BACK_DATA);
  spn_graph_parts(g, node, backward_part);
  if (x->needs_grad) x->base->grad_written = 1;
  int level = level_of(g, s, BACK_WEIGHTS);
  real *sum = spn_graph_part(g, 0);
  size_t packed = spn_conv_packed(s->conv[BACK_WEIGHTS][level]);
  spn_graph_reduce(g, packed, (const char *)sum, g->need_part, sum);
  unpack(g, node, s, level, sum);
  if (s->spec.in_width) mask_gradient(g, node, s, level);
  if (s->bias >= 0) {
    char *bias = (char *)sum + spn_bytes(s->packed_elements[BACK_WEIGHTS]);
    spn_graph_reduce(g, (size_t)node->out->c, bias, g->need_part, spn_param_grads(g, s->bias));
  }
}

static void release(spn_node *node) {
  conv_state *s = node->state;
  for (int kind = 0; kind < KINDS; kind++)
    for (int level = 0; level < SPN_MAX_LEVELS; level++) spn_conv_destroy(s->conv[kind][level]);
}

static void cost(const spn_graph *g, const spn_node *node, double *flops, double *bytes) {
  const conv_state *s = node->state;
  const spn_value *x = node->in[0], *y = node->out;
  *flops = 2.0 * g->batch * y->h * y->w * x->c * y->c * s->spec.k * s->spec.k;
  *bytes = sizeof(real) * (double)g->batch * ((double)x->h * x->w * x->c + (double)y->h * y->w * y->c);
}

static const char *implementation(const spn_node *node) {
  const conv_state *s = node->state;
  return spn_conv_impl(s->conv[FORWARD][s->max_level - 1]);
}

const spn_op spn_op_conv = {.name = "conv",
                            .prepare = prepare,
                            .forward = forward,
                            .backward = backward,
                            .release = release,
                            .cost = cost,
                            .implementation = implementation};

spn_value *spn_add_conv(spn_graph *g, const char *name, spn_value *x, const spn_conv_spec *spec) {
  spn_node *node = spn_graph_node(g, &spn_op_conv, name, x, NULL, spec->branch, sizeof(conv_state));
  conv_state *s = node->state;
  s->spec = *spec;
  size_t k = (size_t)spec->k, co = (size_t)spec->co;
  s->weight = spn_op_param(g, name, "weight", SPN_PARAM_WEIGHT, 4, (size_t[]){co, (size_t)x->c, k, k}, spec->init_std,
                           0);
  s->bias = spec->bias ? spn_op_param(g, name, "bias", SPN_PARAM_BIAS, 1, &co, 0, 0) : -1;
  int padded = spec->pad_before + spec->pad_after - spec->k;
  spn_value *y = spn_graph_stored(g, node, (x->h + padded) / spec->stride + 1, (x->w + padded) / spec->stride + 1,
                                  spec->co);
  y->width = spec->out_width;
  if (spec->aligned) y->ld = (y->c + 15) / 16 * 16;
  return y;
}
