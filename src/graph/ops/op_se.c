/* Squeeze-and-excitation (arXiv 1709.01507) as a gate on a view, with the masks of a search:
 *
 *   u = view(x);  h = mask*u;  q = mean over pixels of h;  r = W1 q + b1;  s = squeeze mask * relu(r)
 *   e = sigmoid(W2 s + b2);  gate = 1 + on*(e - 1);  readers see u*gate (and apply the channel mask themselves)
 *
 * Backward finds the readers' dgate, and adds what flows through the mean to dz of the storage behind the view. */
#include <math.h>

#include "graph/ops.h"

typedef struct {
  spn_se_spec spec;
  int w1, b1, w2, b2; /* (S,c,1,1), (S), (c,S,1,1), (c) */
  real *mean;         /* (N,c): of u, the mask not applied */
  real *squeezed;     /* (N,S): r */
  real *excited;      /* (N,c): e */
  real *gate, *dgate; /* (N,c) */
  double *part_gates; /* (parts, 1 + 2*SPN_MAX_LEVELS): d on, d squeeze mask, d channel mask */
} se_state;

enum { PART_GATES = 1 + 2 * SPN_MAX_LEVELS };

static spn_status prepare(spn_graph *g, spn_node *node, spn_err *err) {
  se_state *s = node->state;
  size_t c = (size_t)node->out->c, sq = (size_t)s->spec.squeeze, n = (size_t)g->batch;
  spn_graph_keep(g, &s->mean, spn_bytes(n * c));
  spn_graph_keep(g, &s->squeezed, spn_bytes(n * sq));
  spn_graph_keep(g, &s->excited, spn_bytes(n * c));
  spn_graph_keep(g, &s->gate, spn_bytes(n * c));
  spn_graph_need_scratch(g, 4 * spn_bytes(c) + 3 * spn_bytes(sq) + sizeof(double) * c);
  if (g->inference_only) return SPN_OK;
  spn_graph_keep(g, &s->dgate, spn_bytes(n * c));
  spn_graph_keep(g, &s->part_gates, sizeof(double) * PART_GATES * (size_t)g->parts);
  spn_graph_need_part(g, 2 * spn_bytes(c * sq) + spn_bytes(sq) + spn_bytes(c));
  return SPN_OK;
}

static void bind(spn_graph *g, spn_node *node) {
  se_state *s = node->state;
  const spn_value *x = node->in[0];
  node->out->scale = x->scale;
  node->out->shift = x->shift;
  node->out->sums = x->sums;
  node->out->gate = s->gate;
  node->out->dgate = s->dgate;
}

/* Mask of every squeeze unit and every channel, by level. */
typedef struct {
  double on, squeeze[SPN_MAX_LEVELS], channel[SPN_MAX_LEVELS];
} se_masks;

static se_masks masks_of(const spn_graph *g, const spn_node *node) {
  const se_state *s = node->state;
  se_masks m = {.on = s->spec.on_gate < 0 ? 1 : g->gates[s->spec.on_gate].value, .squeeze = {1}, .channel = {1}};
  if (s->spec.units) spn_width_coefs(g, s->spec.units, m.squeeze);
  if (node->out->width) spn_width_coefs(g, node->out->width, m.channel);
  return m;
}

/* to[i] = mask of i's level times from[i]. */
static void mask_row(const double *mask, int levels, const int *ends, const real *from, int n, real *to) {
  for (int l = 0, i = 0; l < levels; l++)
    for (; i < ends[l] && i < n; i++) to[i] = (real)mask[l] * from[i];
}

/* d[l] += sum over level l of a[i]*b[i]. */
static void level_dots(int levels, const int *ends, const real *a, const real *b, int n, double *d) {
  for (int l = 0, i = 0; l < levels; l++)
    for (; i < ends[l] && i < n; i++) d[l] += (double)a[i] * (double)b[i];
}

typedef struct {
  int levels;
  const int *ends;
} se_levels;

static se_levels levels_of(const spn_width *w, const int *all) {
  return w ? (se_levels){w->levels, w->channels} : (se_levels){1, all};
}

static se_levels channel_levels(const spn_value *v) { return levels_of(v->width, &v->c); }

static se_levels unit_levels(const se_state *s) { return levels_of(s->spec.units, &s->spec.squeeze); }

static void forward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  const se_state *s = node->state;
  const spn_value *x = node->in[0];
  int c = spn_width_computed(x->width, x->c), sq = s->spec.squeeze;
  size_t ld = (size_t)x->c, area = (size_t)x->h * x->w;
  const real *w1 = spn_param_weights(g, s->w1), *b1 = spn_param_weights(g, s->b1);
  const real *w2 = spn_param_weights(g, s->w2), *b2 = spn_param_weights(g, s->b2);
  se_masks m = masks_of(g, node);
  se_levels levels = channel_levels(x), units_at = unit_levels(s);
  double *sum = (double *)scratch;
  real *q = (real *)(scratch + sizeof(double) * ld), *units = (real *)((char *)q + spn_bytes(ld));
  for (int n = n0; n < n1; n++) {
    real *mean = s->mean + (size_t)n * ld, *r = s->squeezed + (size_t)n * (size_t)sq;
    memset(sum, 0, ld * sizeof *sum);
    spn_view view = spn_value_view(x, n);
    g->kernels->view_sum(area, c, &view, x->x + (size_t)n * area * x->ld, (size_t)x->ld, sum);
    for (int i = 0; i < c; i++) mean[i] = (real)(sum[i] / (double)area);
    mask_row(m.channel, levels.levels, levels.ends, mean, c, q);
    for (int j = 0; j < sq; j++) {
      r[j] = b1[j] + (real)g->kernels->dot((size_t)c, w1 + (size_t)j * ld, q);
      units[j] = r[j] > 0 ? r[j] : 0;
    }
    mask_row(m.squeeze, units_at.levels, units_at.ends, units, sq, units);
    for (int i = 0; i < c; i++) {
      double z = (double)b2[i] + g->kernels->dot((size_t)sq, w2 + (size_t)i * (size_t)sq, units);
      double e = 1 / (1 + exp(-z));
      s->excited[(size_t)n * ld + (size_t)i] = (real)e;
      s->gate[(size_t)n * ld + (size_t)i] = (real)(1 + m.on * (e - 1));
    }
  }
}

static void forward(spn_graph *g, spn_node *node) { spn_graph_parts(g, node, forward_part); }

/* One image's backward through both dense layers; returns the gradient of the mean q in dq. */
static void dense_backward(spn_graph *g, spn_node *node, const se_masks *m, int n, int part, char *scratch, real *dq) {
  const se_state *s = node->state;
  const spn_value *x = node->in[0];
  int c = spn_width_through(x->width, x->c), all = spn_width_computed(x->width, x->c), sq = s->spec.squeeze;
  size_t ld = (size_t)x->c;
  const real *w1 = spn_param_weights(g, s->w1), *w2 = spn_param_weights(g, s->w2);
  const real *mean = s->mean + (size_t)n * ld, *r = s->squeezed + (size_t)n * (size_t)sq;
  const real *e = s->excited + (size_t)n * ld, *dgate = s->dgate + (size_t)n * ld;
  real *dw1 = spn_graph_part(g, part), *dw2 = (real *)((char *)dw1 + spn_bytes(ld * (size_t)sq));
  real *db1 = (real *)((char *)dw2 + spn_bytes(ld * (size_t)sq)), *db2 = (real *)((char *)db1 + spn_bytes((size_t)sq));
  double *gates = s->part_gates + (size_t)part * PART_GATES;
  real *q = (real *)scratch, *units = (real *)((char *)q + spn_bytes(ld));
  real *masked = (real *)((char *)units + spn_bytes((size_t)sq)),
       *ds = (real *)((char *)masked + spn_bytes((size_t)sq));
  se_levels levels = channel_levels(x), units_at = unit_levels(s);
  mask_row(m->channel, levels.levels, levels.ends, mean, all, q);
  for (int j = 0; j < sq; j++) units[j] = r[j] > 0 ? r[j] : 0;
  mask_row(m->squeeze, units_at.levels, units_at.ends, units, sq, masked);
  memset(ds, 0, (size_t)sq * sizeof *ds);
  for (int i = 0; i < c; i++) {
    gates[0] += (double)dgate[i] * ((double)e[i] - 1);
    real dz = dgate[i] * (real)m->on * e[i] * (1 - e[i]);
    db2[i] += dz;
    g->kernels->axpy((size_t)sq, dz, masked, dw2 + (size_t)i * (size_t)sq);
    g->kernels->axpy((size_t)sq, dz, w2 + (size_t)i * (size_t)sq, ds);
  }
  level_dots(units_at.levels, units_at.ends, ds, units, sq, gates + 1);
  mask_row(m->squeeze, units_at.levels, units_at.ends, ds, sq, ds);
  memset(dq, 0, ld * sizeof *dq);
  for (int j = 0; j < sq; j++) {
    if (!(r[j] > 0)) continue;
    db1[j] += ds[j];
    g->kernels->axpy((size_t)all, ds[j], q, dw1 + (size_t)j * ld);
    g->kernels->axpy((size_t)all, ds[j], w1 + (size_t)j * ld, dq);
  }
  level_dots(levels.levels, levels.ends, dq, mean, all, gates + 1 + SPN_MAX_LEVELS);
  mask_row(m->channel, levels.levels, levels.ends, dq, all, dq);
}

static void backward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  const se_state *s = node->state;
  const spn_value *x = node->in[0];
  size_t ld = (size_t)x->c, area = (size_t)x->h * x->w;
  int c = spn_width_through(x->width, x->c);
  se_masks m = masks_of(g, node);
  real *dq = (real *)scratch;
  memset(spn_graph_part(g, part), 0,
         2 * spn_bytes(ld * (size_t)s->spec.squeeze) + spn_bytes((size_t)s->spec.squeeze) + spn_bytes(ld));
  memset(s->part_gates + (size_t)part * PART_GATES, 0, sizeof(double) * PART_GATES);
  for (int n = n0; n < n1; n++) {
    dense_backward(g, node, &m, n, part, scratch + spn_bytes(ld), dq);
    if (m.on == 0) continue; /* dgate carried nothing */
    for (size_t i = 0; i < ld; i++) dq[i] /= (real)area;
    spn_value_grad(g, x, part, (size_t)n * area, area, c, dq, 0, 1);
  }
}

static void add_gates(spn_graph *g, spn_node *node) {
  const se_state *s = node->state;
  double sum[PART_GATES] = {0};
  for (int i = 0; i < PART_GATES * g->parts; i++) sum[i % PART_GATES] += s->part_gates[i];
  if (s->spec.on_gate >= 0) g->gates[s->spec.on_gate].grad += sum[0];
  const spn_width *w = node->in[0]->width;
  if (s->spec.units) spn_width_add_grads(g, s->spec.units, sum + 1);
  if (w) spn_width_add_grads(g, w, sum + 1 + SPN_MAX_LEVELS);
}

static void backward(spn_graph *g, spn_node *node) {
  se_state *s = node->state;
  size_t c = (size_t)node->out->c, sq = (size_t)s->spec.squeeze;
  spn_graph_parts(g, node, backward_part);
  add_gates(g, node);
  const char *part = spn_graph_part(g, 0);
  spn_graph_reduce(g, c * sq, part, g->need_part, spn_param_grads(g, s->w1));
  spn_graph_reduce(g, c * sq, part + spn_bytes(c * sq), g->need_part, spn_param_grads(g, s->w2));
  spn_graph_reduce(g, sq, part + 2 * spn_bytes(c * sq), g->need_part, spn_param_grads(g, s->b1));
  spn_graph_reduce(g, c, part + 2 * spn_bytes(c * sq) + spn_bytes(sq), g->need_part, spn_param_grads(g, s->b2));
}

const spn_op spn_op_se = {.name = "se", .prepare = prepare, .bind = bind, .forward = forward, .backward = backward};

spn_value *spn_add_se(spn_graph *g, const char *name, spn_value *x, const spn_se_spec *spec) {
  spn_node *node = spn_graph_node(g, &spn_op_se, name, x, NULL, spec->branch, sizeof(se_state));
  se_state *s = node->state;
  s->spec = *spec;
  size_t c = (size_t)x->c, sq = (size_t)spec->squeeze;
  s->w1 = spn_op_param(g, name, "reduce.weight", SPN_PARAM_WEIGHT, 4, (size_t[]){sq, c, 1, 1}, sqrt(2.0 / (double)c),
                       0);
  s->b1 = spn_op_param(g, name, "reduce.bias", SPN_PARAM_BIAS, 1, &sq, 0, 0);
  s->w2 = spn_op_param(g, name, "expand.weight", SPN_PARAM_WEIGHT, 4, (size_t[]){c, sq, 1, 1}, sqrt(1.0 / (double)sq),
                       0);
  s->b2 = spn_op_param(g, name, "expand.bias", SPN_PARAM_BIAS, 1, &c, 0, 0);
  spn_value *y = spn_graph_view(g, node, x);
  return y;
}
