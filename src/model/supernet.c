/* Building the supernet and driving its gates; decoding is in decode.c. */
#include "model/supernet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

enum { MAX_INDICATORS = SPN_MAX_LAYERS * 4 * SPN_MAX_OPTIONS };

/* ---- Building ---- */

static spn_indicator *new_indicator(spn_supernet *s, int layer, spn_indicator_kind kind, int step, const char *what) {
  spn_indicator *n = &s->indicator[s->indicators++];
  *n = (spn_indicator){.layer = layer, .kind = kind, .step = step, .gate2 = -1, .reference = 1, .kept = 1};
  n->gate = spn_graph_gate(s->graph, 1);
  snprintf(n->name, sizeof n->name, "layer %d %s", layer, what);
  return n;
}

/* Gates of one layer; the parameters behind the statistics are found once the graph has them. */
static void layer_masks(spn_supernet *s, int i, spn_block_masks *m) {
  const spn_layer *l = &s->space.layer[i];
  const spn_block *b = &s->arch.block[i];
  int channels[SPN_MAX_LEVELS], gates[SPN_MAX_LEVELS];
  char what[24];
  memset(m, 0, sizeof *m);
  m->se_on = -1;
  if (l->skippable) m->branch = spn_graph_branch(s->graph, new_indicator(s, i, SPN_KIND_SKIP, 0, "keep")->gate);
  m->inner_k = l->kernel[0];
  m->rings = l->kernels - 1;
  for (int k = 1; k < l->kernels; k++) {
    snprintf(what, sizeof what, "kernel %d", l->kernel[k]);
    spn_indicator *n = new_indicator(s, i, SPN_KIND_KERNEL, k - 1, what);
    m->ring_gate[k - 1] = n->gate;
    m->ring_k[k - 1] = l->kernel[k];
    if (l->tied) gates[k - 1] = n->gate2 = spn_graph_gate(s->graph, 1);
  }
  for (int e = 0; e < l->expands; e++) {
    channels[e] = b->in * l->expand[e];
    if (!e || l->tied) continue;
    snprintf(what, sizeof what, "expand %d", l->expand[e]);
    gates[e - 1] = new_indicator(s, i, SPN_KIND_EXPAND, e - 1, what)->gate;
  }
  if (l->expands > 1) m->width = spn_graph_width(s->graph, l->expands, channels, gates);
  int first = l->se[0] == 0; /* the first indicator switches SE on; later ones widen the squeeze */
  for (int e = 0; e < l->ses; e++) {
    spn_block sized = *b;
    sized.se = l->se[e];
    if (e >= first) m->se_channels[e - first] = spn_block_squeeze(&sized);
    if (!e) continue;
    snprintf(what, sizeof what, "se %g", l->se[e]);
    int gate = new_indicator(s, i, SPN_KIND_SE, e - 1, what)->gate;
    if (first && e == 1) m->se_on = gate;
    else m->se_gate[e - 1 - first] = gate;
  }
  m->se_levels = l->ses - first;
}

static int param_number(const spn_graph *g, int layer, const char *suffix) {
  char name[64];
  snprintf(name, sizeof name, "block.%d.%s", layer, suffix);
  const spn_param *p = spn_graph_find_param(g, name);
  return p ? (int)(p - g->params) : -1;
}

static spn_region region(const spn_graph *g, int param, int outer_dims, size_t outer0, size_t outer1, size_t inner0,
                         size_t inner1) {
  const spn_param *p = &g->params[param];
  spn_region r = {
      .param = param, .outer0 = outer0, .outer1 = outer1, .inner0 = inner0, .inner1 = inner1, .inner_size = 1};
  for (int d = outer_dims; d < p->dims; d++) r.inner_size *= p->shape[d];
  return r;
}

/* Taps of a depthwise kernel (rows k*k, columns channels) in rings ring0..ring1 and channels c0..c1-1. */
static spn_region taps(const spn_graph *g, int param, int ring0, int ring1, int c0, int c1) {
  int k = (int)g->params[param].shape[0];
  spn_region r = region(g, param, 2, 0, (size_t)k * (size_t)k, (size_t)c0, (size_t)c1);
  r.k = k;
  r.ring0 = ring0;
  r.ring1 = ring1;
  return r;
}

/* What each indicator looks at. Kernel: the ring against what it surrounds. Expansion: the added channels against the
 * earlier ones. SE: the added squeeze rows against the earlier ones. Where there is nothing to extend (skip, SE as a
 * whole) the reference is the size the weights had at initialisation. */
static void set_regions(spn_supernet *s, spn_indicator *n) {
  const spn_graph *g = s->graph;
  const spn_layer *l = &s->space.layer[n->layer];
  const spn_block *b = &s->arch.block[n->layer];
  int dw = param_number(g, n->layer, "dw.weight"), big = l->kernel[l->kernels - 1], all = spn_block_expanded(b);
  n->extends.param = -1;
  if (n->kind == SPN_KIND_SKIP) {
    n->part = taps(g, dw, 0, l->kernel[0], 0, b->in * l->expand[0]);
    n->reference = g->params[dw].init_std;
  } else if (n->kind == SPN_KIND_KERNEL) {
    n->part = taps(g, dw, l->kernel[n->step] + 1, l->kernel[n->step + 1], 0, all);
    n->extends = taps(g, dw, 0, l->kernel[n->step], 0, all);
  } else if (n->kind == SPN_KIND_EXPAND) {
    int c0 = b->in * l->expand[n->step], c1 = b->in * l->expand[n->step + 1];
    n->part = taps(g, dw, 0, big, c0, c1);
    n->extends = taps(g, dw, 0, big, 0, c0);
  } else {
    int w1 = param_number(g, n->layer, "se.reduce.weight");
    spn_block below = *b, at = *b;
    below.se = l->se[n->step];
    at.se = l->se[n->step + 1];
    size_t r0 = (size_t)spn_block_squeeze(&below), r1 = (size_t)spn_block_squeeze(&at);
    n->part = region(g, w1, 1, r0, r1, 0, (size_t)all);
    if (r0) n->extends = region(g, w1, 1, 0, r0, 0, (size_t)all);
    else n->reference = g->params[w1].init_std;
  }
}

spn_status spn_supernet_create(const spn_space *space, const spn_cost *cost, int classes, int channels,
                               const spn_network_options *o, spn_statistic statistic, double temperature,
                               spn_supernet **out, spn_err *err) {
  spn_supernet *s = calloc(1, sizeof *s);
  spn_block_masks *masks = calloc((size_t)space->layers, sizeof *masks);
  if (s) s->indicator = calloc(MAX_INDICATORS, sizeof *s->indicator);
  if (!s || !masks || !s->indicator) {
    free(masks);
    spn_supernet_free(s);
    return spn_fail(err, SPN_ENOMEM, "supernet: out of memory");
  }
  s->space = *space;
  s->cost = *cost;
  s->statistic = statistic;
  s->temperature = temperature;
  s->gain_decay = 0.998;
  spn_choice max;
  spn_choice_max(space, &max);
  spn_space_arch(space, &max, 1, &s->arch);
  s->arch.classes = classes;
  s->arch.input_channels = channels;
  s->graph = spn_graph_new(o->batch, o->threads, o->reproducible, o->kernels, o->seed);
  for (int i = 0; i < space->layers; i++) layer_masks(s, i, &masks[i]);
  spn_network_build(&s->arch, o, masks, s->graph);
  free(masks);
  for (int i = 0; i < s->indicators; i++) set_regions(s, &s->indicator[i]);
  spn_status status = spn_graph_compile(s->graph, 0, err);
  if (status) {
    spn_supernet_free(s);
    return status;
  }
  *out = s;
  return SPN_OK;
}

void spn_supernet_free(spn_supernet *s) {
  if (!s) return;
  spn_graph_free(s->graph);
  free(s->indicator);
  free(s);
}

/* ---- Statistics ---- */

static int tap_reach(int k, size_t tap) {
  int dy = abs((int)tap / k - k / 2), dx = abs((int)tap % k - k / 2);
  return 2 * (dy > dx ? dy : dx) + 1;
}

static int row_belongs(const spn_region *r, size_t row) {
  if (!r->k) return 1;
  int reach = tap_reach(r->k, row);
  return reach >= r->ring0 && reach <= r->ring1;
}

/* Sum of squares and number of elements. */
static double region_squares(const spn_graph *g, const spn_region *r, double *count) {
  const real *w = g->weights + g->params[r->param].offset;
  double sum = 0;
  *count = 0;
  for (size_t o = r->outer0; o < r->outer1; o++) {
    if (!row_belongs(r, o)) continue;
    const real *row = w + o * r->inner_size + r->inner0;
    sum += g->kernels->dot(r->inner1 - r->inner0, row, row);
    *count += (double)(r->inner1 - r->inner0);
  }
  return sum;
}

static void region_add(const spn_graph *g, const spn_region *r, double factor) {
  size_t base = g->params[r->param].offset;
  for (size_t o = r->outer0; o < r->outer1; o++) {
    if (!row_belongs(r, o)) continue;
    size_t at = base + o * r->inner_size + r->inner0;
    g->kernels->axpy(r->inner1 - r->inner0, (real)factor, g->weights + at, g->grads + at);
  }
}

typedef struct {
  double value, dpart, dextends; /* d value / d w = dpart*w in the part, dextends*w in what it extends */
} statistic;

static statistic measure(const spn_supernet *s, const spn_indicator *n) {
  double count, squares = region_squares(s->graph, &n->part, &count), tiny = 1e-30;
  if (s->statistic == SPN_STATISTIC_NORM) {
    double norm = sqrt(squares);
    return (statistic){.value = norm, .dpart = 1 / (norm + tiny)};
  }
  double part = sqrt(squares / count), below = n->reference, below_count = 0;
  if (n->extends.param >= 0) below = sqrt(region_squares(s->graph, &n->extends, &below_count) / below_count);
  statistic t = {.value = part / (below + tiny), .dpart = 1 / (count * (part + tiny) * (below + tiny))};
  if (n->extends.param >= 0) t.dextends = -part / (below_count * below * below * below + tiny);
  return t;
}

/* ---- A step ---- */

static void set_gate(spn_supernet *s, const spn_indicator *n, double value, int wanted) {
  s->graph->gates[n->gate].value = value;
  s->graph->gates[n->gate].wanted = wanted;
  if (n->gate2 < 0) return;
  s->graph->gates[n->gate2].value = value;
  s->graph->gates[n->gate2].wanted = wanted;
}

/* The gate's value in this step: the decision, unless dropout or exploration says otherwise. */
static double draw_gate(const spn_supernet *s, spn_indicator *n, int i, uint64_t seed, uint64_t step,
                        double keep_probability, double explore) {
  uint64_t key = spn_rng_split(seed, SPN_RNG_INDICATOR, step << 32 | (uint64_t)i);
  n->kept = keep_probability >= 1 || spn_rng_uniform(key, SPN_RNG_INDICATOR, 0) < keep_probability;
  n->between = 0;
  if (s->soft) return n->kept / (1 + exp(-n->x));
  if (explore <= 0 || spn_rng_uniform(key, SPN_RNG_INDICATOR, 1) >= explore) return n->kept && n->on;
  uint64_t kind = spn_rng_below(key, SPN_RNG_INDICATOR, 2, 3);
  n->between = kind == 2;
  return n->between ? spn_rng_uniform(key, SPN_RNG_INDICATOR, 3) : (double)kind;
}

void spn_supernet_measure(spn_supernet *s) {
  for (int i = 0; i < s->indicators; i++) {
    spn_indicator *n = &s->indicator[i];
    n->statistic = measure(s, n).value;
    n->x = (n->statistic - n->threshold) / s->temperature;
    double sigmoid = 1 / (1 + exp(-n->x));
    n->derivative = sigmoid * (1 - sigmoid);
    n->on = n->x >= 0;
  }
}

/* Gates of a layer in the form the cost model takes: the decisions (kept ones), sigmoid(sharpness * x), or, for the
 * gradient check of soft gates, as they stand. */
static void cost_gates(const spn_supernet *s, int layer, double sharpness, spn_layer_gates *out) {
  *out = (spn_layer_gates){.keep = 1};
  for (int i = 0; i < s->indicators; i++) {
    const spn_indicator *n = &s->indicator[i];
    if (n->layer != layer) continue;
    double value = sharpness > 0             ? 1 / (1 + exp(-sharpness * n->x))
                   : s->soft || !s->explores ? s->graph->gates[n->gate].value
                                             : n->on;
    if (n->kind == SPN_KIND_SKIP) out->keep = value;
    if (n->kind == SPN_KIND_KERNEL) out->kernel[n->step] = value;
    if (n->kind == SPN_KIND_EXPAND) out->expand[n->step] = value;
    if (n->kind == SPN_KIND_SE) out->se[n->step] = value;
  }
}

static double pick(const spn_layer_gates *g, const spn_indicator *n) {
  if (n->kind == SPN_KIND_SKIP) return g->keep;
  if (n->kind == SPN_KIND_KERNEL) return g->kernel[n->step];
  return n->kind == SPN_KIND_EXPAND ? g->expand[n->step] : g->se[n->step];
}

/* R and its derivative with respect to every gate. */
static void set_cost(spn_supernet *s) {
  s->expected_cost = s->cost.rest;
  for (int layer = 0; layer < s->space.layers; layer++) {
    spn_layer_gates gates, grad, inside;
    cost_gates(s, layer, 0, &gates);
    s->expected_cost += spn_cost_layer_soft(&s->cost, &s->space, layer, &gates, &grad);
    inside = grad;
    if (s->explores) { /* what is decided inside a skipped layer is decided for the case that it is kept */
      gates.keep = 1;
      spn_cost_layer_soft(&s->cost, &s->space, layer, &gates, &inside);
    }
    for (int i = 0; i < s->indicators; i++) {
      spn_indicator *n = &s->indicator[i];
      if (n->layer == layer) n->dcost = pick(n->kind == SPN_KIND_SKIP ? &grad : &inside, n);
    }
  }
}

void spn_supernet_decide(spn_supernet *s, uint64_t seed, uint64_t step, double keep_probability, double explore,
                         double average_decay) {
  s->explores = explore > 0;
  spn_supernet_measure(s);
  for (int i = 0; i < s->indicators; i++) {
    spn_indicator *n = &s->indicator[i];
    if (average_decay >= 0) n->average = average_decay * n->average + (1 - average_decay) * n->x;
    double value = draw_gate(s, n, i, seed, step, keep_probability, explore);
    set_gate(s, n, value, s->explores ? n->between : n->kept);
  }
  set_cost(s);
}

double spn_supernet_soft_cost(const spn_supernet *s, double sharpness) {
  double sum = s->cost.rest;
  for (int layer = 0; layer < s->space.layers; layer++) {
    spn_layer_gates gates;
    cost_gates(s, layer, sharpness, &gates);
    sum += spn_cost_layer_soft(&s->cost, &s->space, layer, &gates, NULL);
  }
  return sum;
}

double spn_cost_term(spn_cost_form form, double r, double target, double *derivative) {
  switch (form) {
    case SPN_COST_RATIO: *derivative = 1 / target; return r / target;
    case SPN_COST_DISTANCE: *derivative = (r >= target ? 1 : -1) / target; return fabs(r / target - 1);
    case SPN_COST_HINGE: *derivative = r > target ? 1 / target : 0; return r > target ? r / target - 1 : 0;
    default: *derivative = 1 / r; return log(r);
  }
}

/* ---- Gradients of the indicators ---- */

/* Whether other decides about indicator n at all: its layer's skip, or an earlier step of its kind. */
static int is_above(const spn_indicator *other, const spn_indicator *n) {
  if (other->layer != n->layer || n->kind == SPN_KIND_SKIP) return 0;
  return other->kind == SPN_KIND_SKIP || (other->kind == n->kind && other->step < n->step);
}

/* Product of the gates above an indicator: how much of it the step let through. below_skip: without the layer's own. */
static double openness(const spn_supernet *s, const spn_indicator *n, int below_skip) {
  double product = 1;
  for (int i = 0; i < s->indicators; i++) {
    const spn_indicator *other = &s->indicator[i];
    if (is_above(other, n) && !(below_skip && other->kind == SPN_KIND_SKIP))
      product *= s->graph->gates[other->gate].value;
  }
  return product;
}

/* Whether an option is decided on, with every step below it in its kind. */
static int is_decided(const spn_supernet *s, const spn_indicator *n) {
  for (int i = 0; i < s->indicators; i++) {
    const spn_indicator *other = &s->indicator[i];
    if (is_above(other, n) && other->kind != SPN_KIND_SKIP && !other->on) return 0;
  }
  return n->on;
}

/* Gain of a layer's options as they stand in this step, or, by_decision, as they are decided. */
static double inner_gain(const spn_supernet *s, int layer, int by_decision) {
  double sum = 0;
  for (int i = 0; i < s->indicators; i++) {
    const spn_indicator *n = &s->indicator[i];
    if (n->layer != layer || n->kind == SPN_KIND_SKIP) continue;
    double value = by_decision ? is_decided(s, n) : s->graph->gates[n->gate].value * openness(s, n, 1);
    sum += value * n->gain;
  }
  return sum;
}

static void gather_gain(const spn_supernet *s, spn_indicator *n) {
  if (!n->between || openness(s, n, 0) < 1) return;
  double seen = -n->dce - (n->kind == SPN_KIND_SKIP ? inner_gain(s, n->layer, 0) : 0);
  n->gain_weight = s->gain_decay * n->gain_weight + 1;
  n->gain += (seen - n->gain) / n->gain_weight;
}

/* What the cross entropy says against opening the gate. */
static double evidence(const spn_supernet *s, const spn_indicator *n) {
  if (!s->explores) return n->dce;
  return -n->gain - (n->kind == SPN_KIND_SKIP ? inner_gain(s, n->layer, 1) : 0);
}

double spn_supernet_indicator_grads(spn_supernet *s, double lambda, spn_cost_form form, double target) {
  double slope, term = spn_cost_term(form, s->expected_cost, target, &slope);
  for (int i = 0; i < s->indicators; i++) {
    spn_indicator *n = &s->indicator[i];
    n->dce = s->graph->gates[n->gate].grad + (n->gate2 < 0 ? 0 : s->graph->gates[n->gate2].grad);
    if (s->explores) gather_gain(s, n);
  }
  for (int i = 0; i < s->indicators; i++) {
    spn_indicator *n = &s->indicator[i];
    int moves = n->kept || s->explores;
    double dx = moves ? n->derivative * (evidence(s, n) + lambda * slope * n->dcost) / s->temperature : 0;
    n->dthreshold = -dx;
    if (dx == 0) continue;
    statistic t = measure(s, n);
    region_add(s->graph, &n->part, dx * t.dpart);
    if (n->extends.param >= 0 && s->statistic == SPN_STATISTIC_RMS) region_add(s->graph, &n->extends, dx * t.dextends);
  }
  return term;
}

void spn_supernet_set(spn_supernet *s, const spn_choice *choice) {
  for (int i = 0; i < s->indicators; i++) {
    const spn_indicator *n = &s->indicator[i];
    int at = n->kind == SPN_KIND_KERNEL   ? choice->layer[n->layer].kernel
             : n->kind == SPN_KIND_EXPAND ? choice->layer[n->layer].expand
                                          : choice->layer[n->layer].se;
    set_gate(s, n, n->kind == SPN_KIND_SKIP ? choice->layer[n->layer].keep : at > n->step, 0);
  }
}
