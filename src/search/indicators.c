/* Measuring and deciding. What the indicators learn from a step is in gains.c. */
#include "search/indicators.h"

#include <math.h>
#include <stdlib.h>

#include "core/rng.h"

spn_status spn_indicators_create(spn_supernet *net, const spn_cost *cost, spn_statistic statistic, double temperature,
                                 spn_indicators **out, spn_err *err) {
  spn_indicators *s = calloc(1, sizeof *s);
  if (s) s->list = calloc((size_t)net->masks + 1, sizeof *s->list);
  if (s) s->budget = spn_budget_new(&net->space, cost);
  if (!s || !s->list || !s->budget) {
    spn_indicators_free(s);
    return spn_fail(err, SPN_ENOMEM, "indicators: out of memory");
  }
  s->net = net;
  s->cost = cost;
  s->statistic = statistic;
  s->temperature = temperature;
  s->count = net->masks;
  s->gain_decay = 0.998; /* a mean over 500 draws between 0 and 1: some 3000 steps at half of the masks exploring */
  for (int i = 0; i < s->count; i++) s->list[i].kept = 1;
  *out = s;
  return SPN_OK;
}

void spn_indicators_free(spn_indicators *s) {
  if (!s) return;
  free(s->list);
  free(s->budget);
  free(s);
}

/* ---- Statistics ---- */

typedef struct {
  double value, dpart, dextends; /* d value / d w = dpart*w in the part, dextends*w in what it extends */
} measurement;

static measurement measure(const spn_indicators *s, const spn_mask *m) {
  double count, squares = spn_region_squares(s->net->graph, &m->part, &count), tiny = 1e-30;
  if (s->statistic == SPN_STATISTIC_NORM) {
    double norm = sqrt(squares);
    return (measurement){.value = norm, .dpart = 1 / (norm + tiny)};
  }
  int extends = m->extends.param >= 0;
  double part = sqrt(squares / count), below = m->init_std, below_count = 0;
  if (extends) below = sqrt(spn_region_squares(s->net->graph, &m->extends, &below_count) / below_count);
  measurement t = {.value = part / (below + tiny), .dpart = 1 / (count * (part + tiny) * (below + tiny))};
  if (extends) t.dextends = -part / (below_count * below * below * below + tiny);
  return t;
}

void spn_indicators_measure(spn_indicators *s) {
  for (int i = 0; i < s->count; i++) {
    spn_indicator *n = &s->list[i];
    n->statistic = measure(s, &s->net->mask[i]).value;
    n->x = (n->statistic - n->threshold) / s->temperature;
    double sigmoid = 1 / (1 + exp(-n->x));
    n->derivative = sigmoid * (1 - sigmoid);
    n->on = n->x >= 0;
  }
}

/* ---- Cost ---- */

/* Every mask's value in one of the forms that a cost is asked for: the decisions (with exploration, or what dropout
 * left of them), what the step drew, or softened x. */
static void gates_decided(const spn_indicators *s, double *open) {
  for (int i = 0; i < s->count; i++) open[i] = s->explores && !s->soft ? s->list[i].on : spn_mask_value(s->net, i);
}

static void gates_drawn(const spn_indicators *s, double *open) {
  for (int i = 0; i < s->count; i++) open[i] = spn_mask_value(s->net, i);
}

static void gates_softened(const spn_indicators *s, double sharpness, double *open) {
  for (int i = 0; i < s->count; i++) open[i] = 1 / (1 + exp(-sharpness * s->list[i].x));
}

static spn_layer_gates gates_of(const spn_indicators *s, int layer, const double *open) {
  spn_layer_gates gates = {.keep = {1}};
  for (int i = 0; i < s->count; i++) {
    const spn_mask *m = &s->net->mask[i];
    if (m->layer == layer) gates.gate[m->kind][m->step] = open[i];
  }
  return gates;
}

/* R of masks that are open so far; slope (count; or NULL): its derivative with respect to every one. */
static double cost_of(const spn_indicators *s, const double *open, double *slope) {
  double sum = s->cost->rest;
  for (int layer = 0; layer < s->net->space.layers; layer++) {
    spn_layer_gates gates = gates_of(s, layer, open), grad;
    sum += spn_cost_layer_soft(s->cost, &s->net->space, layer, &gates, &grad);
    for (int i = 0; slope && i < s->count; i++) {
      const spn_mask *m = &s->net->mask[i];
      if (m->layer == layer) slope[i] = grad.gate[m->kind][m->step];
    }
  }
  return sum;
}

/* R of this step in its forms, and the derivative of the decided one with respect to every mask. */
static void set_cost(spn_indicators *s) {
  double open[SPN_MAX_MASKS], slope[SPN_MAX_MASKS], inside[SPN_MAX_MASKS];
  gates_drawn(s, open);
  s->drawn_cost = cost_of(s, open, NULL);
  gates_decided(s, open);
  s->expected_cost = cost_of(s, open, slope);
  if (s->explores) { /* what is decided inside a skipped layer is decided for the case that it is kept */
    for (int i = 0; i < s->count; i++)
      if (s->net->mask[i].kind == SPN_DECISION_KEEP) open[i] = 1;
    cost_of(s, open, inside);
  }
  for (int i = 0; i < s->count; i++)
    s->list[i].dcost = s->explores && s->net->mask[i].kind != SPN_DECISION_KEEP ? inside[i] : slope[i];
}

double spn_indicators_soft_cost(const spn_indicators *s, double sharpness, double *grip) {
  double open[SPN_MAX_MASKS];
  gates_softened(s, sharpness, open);
  double sum = cost_of(s, open, grip);
  for (int i = 0; grip && i < s->count; i++) grip[i] *= sharpness * open[i] * (1 - open[i]);
  return sum;
}

/* ---- Holding decisions to the budget ---- */

/* How far a layer's option is from the signs of x, or of its running average, among what has a say in it. */
static double distance(const spn_indicators *s, int layer, const spn_layer_choice *choice, int averaged) {
  double sum = 0;
  for (int i = 0; i < s->count; i++) {
    const spn_mask *m = &s->net->mask[i];
    double x = averaged ? s->list[i].average : s->list[i].x;
    if (m->layer == layer && spn_mask_matters(m, choice) && spn_mask_is_open(m, choice) != (x >= 0)) sum += fabs(x);
  }
  return sum;
}

static double decided_cost(const spn_indicators *s) {
  unsigned char on[SPN_MAX_MASKS];
  spn_choice choice;
  for (int i = 0; i < s->count; i++) on[i] = (unsigned char)s->list[i].on;
  spn_supernet_choice(s->net, on, &choice);
  return spn_cost_of(s->cost, &choice);
}

/* A step must not wait for the last of exactness: milliseconds. */
enum { HOLD_STEPS = 2000, HOLD_NODES = 20000 };

/* Another network takes the place of the last step's only if it is nearer by this: five usual steps of a threshold.
 * Without it networks that are about equally near take turns, in every step another one. */
static const double STAY = 0.05;

static double whole_distance(const spn_indicators *s, const spn_choice *choice) {
  double sum = 0;
  for (int l = 0; l < choice->layers; l++) sum += distance(s, l, &choice->layer[l], 0);
  return sum;
}

static spn_status hold(spn_indicators *s, double low, double high, spn_err *err) {
  spn_budget *b = s->budget;
  spn_budget_answer nearest;
  if (s->free_cost >= low && s->free_cost <= high) return SPN_OK;
  b->steps = HOLD_STEPS;
  b->max_nodes = HOLD_NODES;
  for (int l = 0; l < b->layers; l++)
    for (int o = 0; o < b->count[l]; o++) b->option[l][o].gain = -distance(s, l, &b->option[l][o].choice, 0);
  SPN_TRY(spn_budget_best(b, low, high, &nearest, err));
  unsigned char was_on[SPN_MAX_MASKS];
  spn_choice last;
  for (int i = 0; i < s->count; i++) was_on[i] = s->list[i].was_on != 0;
  spn_supernet_choice(s->net, was_on, &last);
  double cost = spn_cost_of(s->cost, &last);
  int stays = cost >= low && cost <= high && whole_distance(s, &last) < whole_distance(s, &nearest.choice) + STAY;
  const spn_choice *held = stays ? &last : &nearest.choice;
  for (int i = 0; i < s->count; i++) {
    const spn_mask *m = &s->net->mask[i];
    const spn_layer_choice *choice = &held->layer[m->layer];
    if (spn_mask_matters(m, choice)) s->list[i].on = spn_mask_is_open(m, choice);
  }
  return SPN_OK;
}

/* ---- A step ---- */

/* The mask's value in this step: the decision, unless dropout or exploration says otherwise. */
static double draw_mask(const spn_indicators *s, int i, uint64_t seed, uint64_t step, const spn_draw *draw) {
  spn_indicator *n = &s->list[i];
  uint64_t key = spn_rng_split(seed, SPN_RNG_INDICATOR, step << 32 | (uint64_t)i);
  n->kept = draw->keep_probability >= 1 || spn_rng_uniform(key, SPN_RNG_INDICATOR, 0) < draw->keep_probability;
  n->between = 0;
  if (s->soft) return n->kept / (1 + exp(-n->x));
  if (draw->explore <= 0 || spn_rng_uniform(key, SPN_RNG_INDICATOR, 1) >= draw->explore) return n->kept && n->on;
  uint64_t kind = spn_rng_below(key, SPN_RNG_INDICATOR, 2, 3);
  n->between = kind == 2;
  return n->between ? spn_rng_uniform(key, SPN_RNG_INDICATOR, 3) : (double)kind;
}

spn_status spn_indicators_decide(spn_indicators *s, uint64_t seed, uint64_t step, const spn_draw *draw, spn_err *err) {
  s->explores = draw->explore > 0;
  spn_indicators_measure(s);
  s->free_cost = decided_cost(s);
  if (draw->high > 0) SPN_TRY(hold(s, draw->low, draw->high, err));
  for (int i = 0; i < s->count; i++) {
    spn_indicator *n = &s->list[i];
    n->was_on = n->on;
    if (draw->average_decay >= 0) n->average = draw->average_decay * n->average + (1 - draw->average_decay) * n->x;
    double value = draw_mask(s, i, seed, step, draw);
    spn_mask_open(s->net, i, value, s->explores ? n->between : n->kept);
  }
  set_cost(s);
  return SPN_OK;
}

void spn_indicators_pull(spn_indicators *s, double price) {
  for (int i = 0; i < s->count; i++) {
    spn_indicator *n = &s->list[i];
    const spn_mask *m = &s->net->mask[i];
    int moves = n->kept || s->explores;
    double dx = moves ? n->derivative * (spn_indicator_evidence(s, i) + price * n->dcost) / s->temperature : 0;
    n->dthreshold = -dx;
    if (dx == 0) continue;
    measurement t = measure(s, m);
    spn_region_pull(s->net->graph, &m->part, dx * t.dpart);
    if (m->extends.param >= 0 && s->statistic == SPN_STATISTIC_RMS)
      spn_region_pull(s->net->graph, &m->extends, dx * t.dextends);
  }
}

/* ---- Decoding ---- */

/* Sum of the gains of the masks that a layer's option opens. */
static double gain_of(const spn_indicators *s, int layer, const spn_layer_choice *choice) {
  double sum = 0;
  for (int i = 0; i < s->count; i++) {
    const spn_mask *m = &s->net->mask[i];
    if (m->layer == layer && spn_mask_matters(m, choice) && spn_mask_is_open(m, choice)) sum += s->list[i].gain;
  }
  return sum;
}

static int flips_of(const spn_indicators *s, const spn_choice *choice) {
  int flips = 0;
  for (int i = 0; i < s->count; i++) {
    const spn_mask *m = &s->net->mask[i];
    const spn_layer_choice *layer = &choice->layer[m->layer];
    flips += spn_mask_matters(m, layer) && spn_mask_is_open(m, layer) != (s->list[i].average >= 0);
  }
  return flips;
}

spn_status spn_indicators_decode(const spn_indicators *s, double low, double high, spn_budget_answer *out, int *flips,
                                 spn_err *err) {
  spn_budget *b = s->budget;
  int by_gains = s->explores && high < INFINITY;
  b->steps = 0;
  b->max_nodes = 0;
  for (int l = 0; l < b->layers; l++)
    for (int o = 0; o < b->count[l]; o++) {
      const spn_layer_choice *choice = &b->option[l][o].choice;
      b->option[l][o].gain = by_gains ? gain_of(s, l, choice) : -distance(s, l, choice, 1);
    }
  SPN_TRY(spn_budget_best(b, low, high, out, err));
  *flips = flips_of(s, &out->choice);
  return SPN_OK;
}
