#include "latency/chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "latency/nested.h"
#include "latency/whole.h"

/* What a layer's cost depends on. */
enum { BEFORE, AFTER, KERNEL, EXPAND, SE, SHORTCUT, AXES };

typedef struct {
  int options[AXES], size; /* in_size is that of the layer's input */
  double *cost, skip;      /* (options of every axis) */
} layer_table;

struct spn_cost_chain {
  spn_space space;
  layer_table layer[SPN_MAX_LAYERS];
  double frame[SPN_MAX_OPTIONS];
};

static const spn_layer *stage_of(const spn_cost_chain *c, int layer) {
  return &c->space.layer[c->space.layer[layer].leader];
}

static size_t cells(const layer_table *t) {
  size_t count = 1;
  for (int a = 0; a < AXES; a++) count *= (size_t)t->options[a];
  return count;
}

static double *cell(const layer_table *t, const int *at) {
  size_t index = 0;
  for (int a = 0; a < AXES; a++) index = index * (size_t)t->options[a] + (size_t)at[a];
  return &t->cost[index];
}

/* Steps to the next cell; 0 behind the last. */
static int next_cell(const layer_table *t, int *at) {
  for (int a = AXES - 1; a >= 0; a--) {
    if (++at[a] < t->options[a]) return 1;
    at[a] = 0;
  }
  return 0;
}

static void set_options(const spn_cost_chain *c, int layer, layer_table *t) {
  const spn_layer *l = &c->space.layer[layer], *stage = stage_of(c, layer);
  t->options[BEFORE] = layer && l->leads ? c->space.layer[layer - 1].channels : 1;
  t->options[AFTER] = stage->channels;
  t->options[KERNEL] = l->kernels;
  t->options[EXPAND] = l->tied ? 1 : l->expands;
  t->options[SE] = l->ses;
  t->options[SHORTCUT] = l->residual ? stage->shortcuts : 1;
}

static spn_block block_at(const spn_cost_chain *c, int layer, const int *at) {
  const spn_layer *l = &c->space.layer[layer];
  int in = !layer     ? c->space.base.stem_channels
           : l->leads ? c->space.layer[layer - 1].channel[at[BEFORE]]
                      : l->channel[at[AFTER]];
  spn_block b = {.in = in,
                 .out = l->channel[at[AFTER]],
                 .kernel = l->kernel[at[KERNEL]],
                 .stride = l->stride,
                 .expand = l->expand[l->tied ? at[KERNEL] : at[EXPAND]],
                 .se = l->se[at[SE]],
                 .activation = l->activation};
  b.residual = l->residual && (stage_of(c, layer)->shortcuts < 2 || at[SHORTCUT]);
  if (!b.expand) b.se = 0;
  return b;
}

static spn_status fill(spn_cost_chain *c, const struct spn_cost_whole *whole, spn_err *err) {
  const spn_arch *base = &c->space.base;
  int size = spn_pad_axis(base->padding, base->input_size, base->stem_kernel, base->stem_stride).out;
  for (int l = 0; l < c->space.layers; l++) {
    layer_table *t = &c->layer[l];
    int at[AXES] = {0};
    set_options(c, l, t);
    t->cost = malloc(cells(t) * sizeof *t->cost);
    if (!t->cost) return spn_fail(err, SPN_ENOMEM, "cost: out of memory");
    do {
      spn_block b = block_at(c, l, at);
      *cell(t, at) = spn_cost_whole_block(whole, l, &b, size);
    } while (next_cell(t, at));
    spn_block none = block_at(c, l, at);
    none.skipped = 1;
    t->skip = spn_cost_whole_block(whole, l, &none, size);
    size = spn_pad_axis(base->padding, size, c->space.layer[l].kernel[0], c->space.layer[l].stride).out;
  }
  const spn_layer *last = &c->space.layer[c->space.layers - 1];
  for (int i = 0; i < last->channels; i++) c->frame[i] = spn_cost_whole_frame(whole, last->channel[i], size);
  return SPN_OK;
}

/* ---- Networks ---- */

double spn_cost_chain_layer(const spn_cost_chain *c, int layer, int before, const spn_layer_choice *lead,
                            const spn_layer_choice *own) {
  const layer_table *t = &c->layer[layer];
  int at[AXES] = {
      t->options[BEFORE] > 1 ? before : 0,      lead->channels, own->kernel,
      t->options[EXPAND] > 1 ? own->expand : 0, own->se,        t->options[SHORTCUT] > 1 ? lead->shortcut : 0};
  return own->keep ? *cell(t, at) : t->skip;
}

double spn_cost_chain_frame(const spn_cost_chain *c, int channels) { return c->frame[channels]; }

static double sum_of(const spn_cost_chain *c, const spn_choice *choice) {
  double sum = 0;
  int before = 0, last = 0;
  for (int l = 0; l < c->space.layers; l++) {
    const spn_layer_choice *lead = &choice->layer[c->space.layer[l].leader];
    sum += spn_cost_chain_layer(c, l, before, lead, &choice->layer[l]);
    before = last = lead->channels;
  }
  return sum + c->frame[last];
}

/* Random networks, and how far from their cost the sum may be by rounding. */
enum { TRIALS = 32 };
static const double ROUNDING = 1e-9;

static spn_status check(const spn_cost_chain *c, const spn_cost *cost, spn_err *err) {
  for (uint64_t i = 0; i < TRIALS; i++) {
    spn_choice choice;
    spn_choice_random(&c->space, 1, i, &choice);
    double whole = spn_cost_of(cost, &choice), sum = sum_of(c, &choice);
    if (!(fabs(whole - sum) <= ROUNDING * fabs(whole)))
      return spn_fail(
          err, SPN_EINPUT,
          "search.cost %s: expected a cost that adds up over the layers of space %s, for gradient needs its "
          "slope; a network of %.9g %s adds up to %.9g",
          cost->name, c->space.name, whole, cost->unit, sum);
  }
  return SPN_OK;
}

spn_status spn_cost_chain_new(const spn_cost *cost, const spn_space *space, spn_cost_chain **out, spn_err *err) {
  spn_cost_chain *c = calloc(1, sizeof *c);
  if (!c) return spn_fail(err, SPN_ENOMEM, "cost: out of memory");
  c->space = *space;
  spn_status status = fill(c, cost->whole, err);
  if (!status) status = check(c, cost, err);
  if (status) spn_cost_chain_free(c);
  else *out = c;
  return status;
}

void spn_cost_chain_free(spn_cost_chain *c) {
  if (!c) return;
  for (int l = 0; l < c->space.layers; l++) free(c->layer[l].cost);
  free(c);
}

/* ---- The differentiable form ---- */

/* Where the gates of an axis stand. */
typedef struct {
  int layer;
  spn_decision_kind kind;
} gate_place;

static void places_of(const spn_cost_chain *c, int layer, gate_place *place) {
  const spn_layer *l = &c->space.layer[layer];
  int owner = l->shared ? l->leader : layer;
  place[BEFORE] = (gate_place){layer ? c->space.layer[layer - 1].leader : 0, SPN_DECISION_CHANNELS};
  place[AFTER] = (gate_place){l->leader, SPN_DECISION_CHANNELS};
  place[KERNEL] = (gate_place){owner, SPN_DECISION_KERNEL};
  place[EXPAND] = (gate_place){owner, SPN_DECISION_EXPAND};
  place[SE] = (gate_place){owner, SPN_DECISION_SE};
  place[SHORTCUT] = (gate_place){l->leader, SPN_DECISION_SHORTCUT};
}

/* Sum over the options of all axes; partial: its derivative with respect to each option's weight. */
static double weighted(const layer_table *t, const spn_nested *axis, double partial[AXES][SPN_MAX_OPTIONS]) {
  int at[AXES] = {0};
  double sum = 0;
  memset(partial, 0, sizeof(double[AXES][SPN_MAX_OPTIONS]));
  do {
    double value = *cell(t, at), before[AXES + 1] = {1}, behind = 1;
    for (int a = 0; a < AXES; a++) before[a + 1] = before[a] * axis[a].w[at[a]];
    sum += before[AXES] * value;
    for (int a = AXES - 1; a >= 0; a--) {
      partial[a][at[a]] += before[a] * behind * value;
      behind *= axis[a].w[at[a]];
    }
  } while (next_cell(t, at));
  return sum;
}

/* Gates that keep the layer; returns how many. index: which of their decision's. */
static int keeps_of(const spn_cost_chain *c, int layer, gate_place *place, int *index) {
  const spn_layer *l = &c->space.layer[layer], *stage = stage_of(c, layer);
  int count = 0;
  if (l->skippable) place[count] = (gate_place){layer, SPN_DECISION_KEEP}, index[count++] = 0;
  for (int i = 0; i + 1 < stage->counts && stage->count[i] <= layer - l->leader; i++)
    place[count] = (gate_place){l->leader, SPN_DECISION_LAYERS}, index[count++] = i;
  return count;
}

static double layer_soft(const spn_cost_chain *c, int layer, const spn_layer_gates *gates, spn_layer_gates *grad) {
  const layer_table *t = &c->layer[layer];
  spn_nested axis[AXES];
  gate_place place[AXES], keep[SPN_MAX_OPTIONS];
  double partial[AXES][SPN_MAX_OPTIONS], value[SPN_MAX_OPTIONS], kept = 1;
  int index[SPN_MAX_OPTIONS], keeps = keeps_of(c, layer, keep, index);
  places_of(c, layer, place);
  for (int a = 0; a < AXES; a++) spn_nest(t->options[a], gates[place[a].layer].gate[place[a].kind], &axis[a]);
  double sum = weighted(t, axis, partial);
  for (int i = 0; i < keeps; i++) kept *= value[i] = gates[keep[i].layer].gate[keep[i].kind][index[i]];
  for (int i = 0; grad && i < keeps; i++) {
    double others = 1;
    for (int k = 0; k < keeps; k++) others *= k == i ? 1 : value[k];
    grad[keep[i].layer].gate[keep[i].kind][index[i]] += others * (sum - t->skip);
  }
  for (int a = 0; grad && a < AXES; a++) {
    for (int o = 0; o < t->options[a]; o++) partial[a][o] *= kept;
    spn_nest_pull(&axis[a], partial[a], grad[place[a].layer].gate[place[a].kind]);
  }
  return kept * sum + (1 - kept) * t->skip;
}

double spn_cost_chain_soft(const spn_cost_chain *c, const spn_layer_gates *gates, spn_layer_gates *grad) {
  int leader = c->space.layer[c->space.layers - 1].leader;
  spn_nested last;
  double sum = 0;
  if (grad) memset(grad, 0, (size_t)c->space.layers * sizeof *grad);
  for (int l = 0; l < c->space.layers; l++) sum += layer_soft(c, l, gates, grad);
  spn_nest(c->space.layer[leader].channels, gates[leader].gate[SPN_DECISION_CHANNELS], &last);
  for (int i = 0; i < last.n; i++) sum += last.w[i] * c->frame[i];
  if (grad) spn_nest_pull(&last, c->frame, grad[leader].gate[SPN_DECISION_CHANNELS]);
  return sum;
}
