#include "model/supernet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Building ---- */

static spn_mask *new_mask(spn_supernet *net, int layer, spn_decision_kind kind, int step) {
  spn_mask *m = &net->mask[net->masks++];
  char what[24];
  spn_option_text(&net->space.layer[layer], kind, step + 1, what, sizeof what);
  *m = (spn_mask){.layer = layer, .kind = kind, .step = step, .gate2 = -1};
  m->gate = spn_graph_gate(net->graph, 1);
  snprintf(m->name, sizeof m->name, "layer %d %s", layer, what);
  return m;
}

/* Gates of one layer; the parameters behind them are found once the graph has them. */
static void layer_masks(spn_supernet *net, int i, spn_block_masks *out) {
  const spn_layer *l = &net->space.layer[i];
  const spn_block *b = &net->arch.block[i];
  int channels[SPN_MAX_LEVELS], gates[SPN_MAX_LEVELS];
  memset(out, 0, sizeof *out);
  out->se_on = -1;
  if (l->skippable) out->branch = spn_graph_branch(net->graph, new_mask(net, i, SPN_DECISION_KEEP, 0)->gate);
  out->inner_k = l->kernel[0];
  out->rings = l->kernels - 1;
  for (int k = 1; k < l->kernels; k++) {
    spn_mask *m = new_mask(net, i, SPN_DECISION_KERNEL, k - 1);
    out->ring_gate[k - 1] = m->gate;
    out->ring_k[k - 1] = l->kernel[k];
    if (l->tied) gates[k - 1] = m->gate2 = spn_graph_gate(net->graph, 1);
  }
  for (int e = 0; e < l->expands; e++) {
    channels[e] = b->in * l->expand[e];
    if (e && !l->tied) gates[e - 1] = new_mask(net, i, SPN_DECISION_EXPAND, e - 1)->gate;
  }
  if (l->expands > 1) out->width = spn_graph_width(net->graph, l->expands, channels, gates);
  int first = l->se[0] == 0; /* the first mask switches SE on; later ones widen the squeeze */
  for (int e = 0; e < l->ses; e++) {
    spn_block sized = *b;
    sized.se = l->se[e];
    if (e >= first) out->se_channels[e - first] = spn_block_squeeze(&sized);
    if (!e) continue;
    int gate = new_mask(net, i, SPN_DECISION_SE, e - 1)->gate;
    if (first && e == 1) out->se_on = gate;
    else out->se_gate[e - 1 - first] = gate;
  }
  out->se_levels = l->ses - first;
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

/* Kernel: the ring, and what it surrounds. Expansion: the added channels, and the earlier ones. SE: the added squeeze
 * rows, and the earlier ones. A layer as a whole: its smallest option, which extends nothing. */
static void set_regions(const spn_supernet *net, spn_mask *m) {
  const spn_graph *g = net->graph;
  const spn_layer *l = &net->space.layer[m->layer];
  const spn_block *b = &net->arch.block[m->layer];
  int dw = param_number(g, m->layer, "dw.weight"), all = spn_block_expanded(b);
  m->extends.param = -1;
  if (m->kind == SPN_DECISION_KEEP) {
    m->part = taps(g, dw, 0, l->kernel[0], 0, b->in * l->expand[0]);
  } else if (m->kind == SPN_DECISION_KERNEL) {
    m->part = taps(g, dw, l->kernel[m->step] + 1, l->kernel[m->step + 1], 0, all);
    m->extends = taps(g, dw, 0, l->kernel[m->step], 0, all);
  } else if (m->kind == SPN_DECISION_EXPAND) {
    int largest = l->kernel[l->kernels - 1], c0 = b->in * l->expand[m->step], c1 = b->in * l->expand[m->step + 1];
    m->part = taps(g, dw, 0, largest, c0, c1);
    m->extends = taps(g, dw, 0, largest, 0, c0);
  } else {
    int reduce = param_number(g, m->layer, "se.reduce.weight");
    spn_block below = *b, at = *b;
    below.se = l->se[m->step];
    at.se = l->se[m->step + 1];
    size_t r0 = (size_t)spn_block_squeeze(&below), r1 = (size_t)spn_block_squeeze(&at);
    m->part = region(g, reduce, 1, r0, r1, 0, (size_t)all);
    if (r0) m->extends = region(g, reduce, 1, 0, r0, 0, (size_t)all);
  }
  m->init_std = g->params[m->part.param].init_std;
}

/* Masks nest within a layer: that is what the supernet can hold. */
static spn_status check_space(const spn_space *space, spn_err *err) {
  char decision[SPN_DECISION_NAME];
  const char *advice = "expected search.evaluator=scratch, or tabular, with a method that asks";
  if (spn_space_coupled(space, decision))
    return spn_fail(err, SPN_EINPUT, "space %s: the supernet has no masks for %s, on which whole layers depend; %s",
                    space->name, decision, advice);
  for (int i = 0; i < space->layers; i++) {
    const spn_layer *l = &space->layer[i];
    int last = l->expand[l->expands - 1];
    if (l->expands > 1 && (l->expand[0] == 1 || !last))
      return spn_fail(
          err, SPN_EINPUT,
          "space %s: layer %d: the supernet needs expansions that nest in each other, which %d does not; %s",
          space->name, i, last ? 1 : 0, advice);
  }
  return SPN_OK;
}

spn_status spn_supernet_create(const spn_space *space, int classes, int channels, const spn_network_options *o,
                               spn_supernet **out, spn_err *err) {
  SPN_TRY(check_space(space, err));
  spn_supernet *net = calloc(1, sizeof *net);
  spn_block_masks *masks = calloc((size_t)space->layers, sizeof *masks);
  if (net) net->mask = calloc(SPN_MAX_MASKS, sizeof *net->mask);
  if (!net || !masks || !net->mask) {
    free(masks);
    spn_supernet_free(net);
    return spn_fail(err, SPN_ENOMEM, "supernet: out of memory");
  }
  net->space = *space;
  spn_choice max;
  spn_choice_max(space, &max);
  spn_space_arch(space, &max, 1, &net->arch);
  net->arch.classes = classes;
  net->arch.input_channels = channels;
  net->graph = spn_graph_new(o->batch, o->threads, o->reproducible, o->kernels, o->seed);
  for (int i = 0; net->graph && i < space->layers; i++) layer_masks(net, i, &masks[i]);
  if (net->graph) spn_network_build(&net->arch, o, masks, net->graph);
  free(masks);
  spn_status status = spn_graph_status(net->graph, err);
  for (int i = 0; !status && i < net->masks; i++) set_regions(net, &net->mask[i]);
  if (!status) status = spn_graph_compile(net->graph, 0, err);
  if (status) {
    spn_supernet_free(net);
    return status;
  }
  *out = net;
  return SPN_OK;
}

void spn_supernet_free(spn_supernet *net) {
  if (!net) return;
  spn_graph_free(net->graph);
  free(net->mask);
  free(net);
}

/* ---- Masks ---- */

void spn_mask_open(spn_supernet *net, int mask, double value, int wanted) {
  int gates[] = {net->mask[mask].gate, net->mask[mask].gate2};
  for (int i = 0; i < 2 && gates[i] >= 0; i++) {
    net->graph->gates[gates[i]].value = value;
    net->graph->gates[gates[i]].wanted = wanted;
  }
}

double spn_mask_value(const spn_supernet *net, int mask) { return net->graph->gates[net->mask[mask].gate].value; }

double spn_mask_gradient(const spn_supernet *net, int mask) {
  const spn_mask *m = &net->mask[mask];
  return net->graph->gates[m->gate].grad + (m->gate2 < 0 ? 0 : net->graph->gates[m->gate2].grad);
}

int spn_mask_matters(const spn_mask *m, const spn_layer_choice *choice) {
  return m->kind == SPN_DECISION_KEEP || (choice->keep && choice->option[m->kind] >= m->step);
}

int spn_mask_is_open(const spn_mask *m, const spn_layer_choice *choice) { return choice->option[m->kind] > m->step; }

void spn_supernet_set(spn_supernet *net, const spn_choice *choice) {
  for (int i = 0; i < net->masks; i++) {
    const spn_mask *m = &net->mask[i];
    spn_mask_open(net, i, spn_mask_is_open(m, &choice->layer[m->layer]), 0);
  }
}

void spn_supernet_choice(const spn_supernet *net, const unsigned char *on, spn_choice *out) {
  spn_choice_max(&net->space, out); /* for what has no mask */
  for (int i = net->masks - 1; i >= 0; i--) {
    const spn_mask *m = &net->mask[i];
    spn_layer_choice *choice = &out->layer[m->layer];
    if (on[i]) continue;
    if (m->kind == SPN_DECISION_KEEP) *choice = (spn_layer_choice){.keep = 0};
    else choice->option[m->kind] = (signed char)m->step;
    if (net->space.layer[m->layer].tied) choice->expand = choice->kernel;
  }
}

/* ---- Regions of weights ---- */

static int tap_reach(int k, size_t tap) {
  int dy = abs((int)tap / k - k / 2), dx = abs((int)tap % k - k / 2);
  return 2 * (dy > dx ? dy : dx) + 1;
}

static int row_belongs(const spn_region *r, size_t row) {
  if (!r->k) return 1;
  int reach = tap_reach(r->k, row);
  return reach >= r->ring0 && reach <= r->ring1;
}

double spn_region_squares(const spn_graph *g, const spn_region *r, double *count) {
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

void spn_region_pull(const spn_graph *g, const spn_region *r, double factor) {
  size_t base = g->params[r->param].offset;
  for (size_t o = r->outer0; o < r->outer1; o++) {
    if (!row_belongs(r, o)) continue;
    size_t at = base + o * r->inner_size + r->inner0;
    g->kernels->axpy(r->inner1 - r->inner0, (real)factor, g->weights + at, g->grads + at);
  }
}
