/* Depthwise convolution with the superkernel mask folded into its weights.
 *
 * The effective kernel w_k = w_inner + d_1*(w_ring1 + d_2*w_ring2) is formed once a step (Single-Path NAS, arXiv
 * 1904.02877, eq. 2; larger rings nest in the same way). Its gradient gives the weights' (times the mask) and the
 * gates' (dot product with the ring). Rings that are closed are left out: the step costs what its kernel costs. */
#include "graph/ops.h"

typedef struct {
  spn_dw_spec spec;
  int weight;
  spn_dw_shape shape, used; /* with the whole kernel; with the one that the pass under way needs */
  real *effective;          /* (used.k,used.k,c), room for (k,k,c) */
} dw_state;

static int ring_of(const spn_dw_spec *spec, int ky, int kx) {
  return spn_ring_of(spec->k, spec->inner_k, spec->rings, spec->ring_k, ky, kx);
}

static spn_status prepare(spn_graph *g, spn_node *node, spn_err *err) {
  dw_state *s = node->state;
  spn_graph_need_scratch(g, g->kernels->dw_scratch(&s->shape));
  spn_graph_keep(g, &s->effective, spn_bytes(g->params[s->weight].size));
  spn_graph_need_part(g, spn_bytes(g->params[s->weight].size));
  return SPN_OK;
}

static int rings_in_use(const spn_graph *g, const spn_dw_spec *spec, int backward) {
  return spn_rings_in_use(g, spec->rings, spec->gates, backward);
}

/* The convolution with the kernel that these rings leave. */
static spn_dw_shape shape_in_use(const dw_state *s, int rings) {
  spn_dw_shape shape = s->shape;
  if (rings == s->spec.rings) return shape;
  shape.k = rings ? s->spec.ring_k[rings - 1] : s->spec.inner_k;
  shape.pad_top -= (s->shape.k - shape.k) / 2;
  shape.pad_left -= (s->shape.k - shape.k) / 2;
  return shape;
}

/* Number in the whole kernel of tap t of the one in use, which lies at its centre. */
static int whole_tap(const dw_state *s, int t) {
  int k = s->used.k, border = (s->shape.k - k) / 2;
  return (t / k + border) * s->shape.k + t % k + border;
}

static void form_kernel(spn_graph *g, dw_state *s) {
  const real *w = spn_param_weights(g, s->weight);
  double coef[4];
  spn_nested_coefs(g, s->spec.rings, s->spec.gates, coef);
  size_t c = (size_t)s->shape.c;
  for (int t = 0; t < s->used.k * s->used.k; t++) {
    int whole = whole_tap(s, t);
    real m = (real)coef[ring_of(&s->spec, whole / s->spec.k, whole % s->spec.k)];
    for (size_t i = 0; i < c; i++) s->effective[(size_t)t * c + i] = m * w[(size_t)whole * c + i];
  }
}

static void forward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  dw_state *s = node->state;
  const spn_value *x = node->in[0];
  spn_value *y = node->out;
  double *stats = g->training && y->stats ? y->stats + (size_t)part * 2 * y->c : NULL;
  if (stats) memset(stats, 0, 2 * (size_t)y->c * sizeof *stats);
  spn_view view = spn_value_view(x, n0);
  g->kernels->dw_forward(&s->used, n1 - n0, spn_width_computed(s->spec.width, x->c), &view,
                         x->x + (size_t)n0 * x->h * x->w * x->ld, s->effective, y->x + (size_t)n0 * y->h * y->w * y->ld,
                         stats, stats ? stats + y->c : NULL, scratch);
}

static void forward(spn_graph *g, spn_node *node) {
  dw_state *s = node->state;
  s->used = shape_in_use(s, rings_in_use(g, &s->spec, 0));
  form_kernel(g, s);
  s->used.streams = spn_value_streams(g, node->out, s->used.c);
  spn_graph_parts(g, node, forward_part);
}

static void backward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  dw_state *s = node->state;
  spn_value *x = node->in[0], *y = node->out;
  size_t in = (size_t)n0 * x->h * x->w * x->ld, out = (size_t)n0 * y->h * y->w * y->ld;
  real *dw = spn_graph_part(g, part);
  memset(dw, 0, (size_t)(s->used.k * s->used.k) * (size_t)s->used.c * sizeof(real));
  spn_view view = spn_value_view(x, n0);
  spn_view_sums sums = spn_value_sums(x, part, n0);
  g->kernels->dw_backward(&s->used, n1 - n0, spn_width_through(s->spec.width, x->c), &view, x->x + in, s->effective,
                          &y->norm, y->dz + out, y->x + out, x->base->grad_written, x->needs_grad ? x->dz + in : NULL,
                          &sums, dw, scratch);
}

/* From the gradient of the effective kernel to those of the weights and the gates. */
static void split_gradient(spn_graph *g, dw_state *s) {
  const real *w = spn_param_weights(g, s->weight);
  real *grad = spn_param_grads(g, s->weight);
  double coef[4], dcoef[4] = {0};
  spn_nested_coefs(g, s->spec.rings, s->spec.gates, coef);
  size_t c = (size_t)s->shape.c;
  for (int t = 0; t < s->spec.k * s->spec.k; t++) {
    int ring = ring_of(&s->spec, t / s->spec.k, t % s->spec.k);
    if (!ring) continue;
    dcoef[ring] += g->kernels->dot(c, w + (size_t)t * c, grad + (size_t)t * c);
    for (size_t i = 0; i < c && coef[ring] != 1; i++) grad[(size_t)t * c + i] *= (real)coef[ring];
  }
  spn_nested_add_grads(g, s->spec.rings, s->spec.gates, dcoef);
}

static void backward(spn_graph *g, spn_node *node) {
  dw_state *s = node->state;
  int formed = s->used.k;
  s->used = shape_in_use(s, rings_in_use(g, &s->spec, 1));
  if (s->used.k != formed) form_kernel(g, s); /* a ring is wanted that forward left out */
  s->used.streams = spn_value_streams(g, node->in[0], s->used.c);
  size_t c = (size_t)s->used.c;
  int taps = s->used.k * s->used.k;
  real *sum = spn_graph_part(g, 0), *grad = spn_param_grads(g, s->weight);
  spn_graph_parts(g, node, backward_part);
  if (node->in[0]->needs_grad) node->in[0]->base->grad_written = 1;
  spn_graph_reduce(g, (size_t)taps * c, (const char *)sum, g->need_part, sum);
  for (int t = 0; t < taps; t++) memcpy(grad + (size_t)whole_tap(s, t) * c, sum + (size_t)t * c, c * sizeof(real));
  split_gradient(g, s);
}

static void cost(const spn_graph *g, const spn_node *node, double *flops, double *bytes) {
  const dw_state *s = node->state;
  double out = (double)g->batch * s->shape.ho * s->shape.wo * s->shape.c;
  *flops = 2 * out * s->shape.k * s->shape.k;
  *bytes = sizeof(real) * (out + (double)g->batch * s->shape.h * s->shape.w * s->shape.c);
}

const spn_op spn_op_depthwise = {
    .name = "depthwise", .prepare = prepare, .forward = forward, .backward = backward, .cost = cost};

spn_value *spn_add_depthwise(spn_graph *g, const char *name, spn_value *x, const spn_dw_spec *spec) {
  spn_node *node = spn_graph_node(g, &spn_op_depthwise, name, x, NULL, spec->branch, sizeof(dw_state));
  dw_state *s = node->state;
  s->spec = *spec;
  size_t k = (size_t)spec->k;
  s->weight = spn_op_param(g, name, "weight", SPN_PARAM_WEIGHT, 3, (size_t[]){k, k, (size_t)x->c}, spec->init_std, 0);
  int padded = spec->pad_before + spec->pad_after - spec->k;
  int ho = (x->h + padded) / spec->stride + 1, wo = (x->w + padded) / spec->stride + 1;
  s->shape = (spn_dw_shape){.h = x->h,
                            .w = x->w,
                            .c = x->c,
                            .ld = x->ld,
                            .ho = ho,
                            .wo = wo,
                            .k = spec->k,
                            .stride = spec->stride,
                            .pad_top = spec->pad_before,
                            .pad_left = spec->pad_before};
  spn_value *y = spn_graph_stored(g, node, ho, wo, x->c);
  y->width = spec->width;
  y->ld = x->ld;
  return y;
}
