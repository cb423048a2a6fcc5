/* Measuring and deciding. What the indicators learn from a step is in gains.c. */
#include "search/indicators.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

static spn_status price_options(spn_indicators *s, const spn_space *space, const spn_cost *cost, spn_err *err) {
  if (cost->whole) {
    SPN_TRY(spn_cost_chain_new(cost, space, &s->chain, err));
    return spn_stages_new(space, cost, s->chain, &s->stages, err);
  }
  s->budget = spn_budget_new(space, cost);
  return s->budget ? SPN_OK : spn_fail(err, SPN_ENOMEM, "indicators: out of memory");
}

spn_status spn_indicators_create(spn_supernet *net, const spn_cost *cost, spn_statistic statistic, double temperature,
                                 spn_indicators **out, spn_err *err) {
  spn_indicators *s = calloc(1, sizeof *s);
  if (s) s->list = calloc((size_t)net->masks + 1, sizeof *s->list);
  spn_status status = s && s->list ? SPN_OK : spn_fail(err, SPN_ENOMEM, "indicators: out of memory");
  if (!status) status = price_options(s, &net->space, cost, err);
  if (status) {
    spn_indicators_free(s);
    return status;
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
  spn_stages_free(s->stages);
  spn_cost_chain_free(s->chain);
  free(s);
}

/* ---- Statistics ---- */

typedef struct {
  double value, dpart, dextends; /* d value / d w = dpart*w in the part, dextends*w in what it extends */
} measurement;

static measurement measure(const spn_indicators *s, const spn_mask *m) {
  double count, squares = spn_regions_squares(s->net, m->first, m->parts, &count), tiny = 1e-30;
  if (!count)
    return (measurement){.value = 1}; /* no weights: a shortcut, or channels that the proxy's width takes away */
  if (s->statistic == SPN_STATISTIC_NORM) {
    double norm = sqrt(squares);
    return (measurement){.value = norm, .dpart = 1 / (norm + tiny)};
  }
  int extends = m->extended > 0;
  double part = sqrt(squares / count), below = m->init_std, below_count = 0;
  if (extends) below = sqrt(spn_regions_squares(s->net, m->first + m->parts, m->extended, &below_count) / below_count);
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

/* The same of a cost of whole networks. */
static double chain_cost(const spn_indicators *s, const double *open, double *slope) {
  spn_layer_gates gates[SPN_MAX_LAYERS], grad[SPN_MAX_LAYERS];
  for (int layer = 0; layer < s->net->space.layers; layer++) gates[layer] = gates_of(s, layer, open);
  double sum = spn_cost_chain_soft(s->chain, gates, slope ? grad : NULL);
  for (int i = 0; slope && i < s->count; i++) {
    const spn_mask *m = &s->net->mask[i];
    slope[i] = grad[m->layer].gate[m->kind][m->step];
  }
  return sum;
}

/* R of masks that are open so far, by one cost; slope (count; or NULL): its derivative with respect to every one. */
static double one_cost(const spn_indicators *s, const spn_cost *cost, const double *open, double *slope) {
  double sum = cost->rest;
  for (int layer = 0; layer < s->net->space.layers; layer++) {
    spn_layer_gates gates = gates_of(s, layer, open), grad;
    sum += spn_cost_layer_soft(cost, &s->net->space, layer, &gates, &grad);
    for (int i = 0; slope && i < s->count; i++) {
      const spn_mask *m = &s->net->mask[i];
      if (m->layer == layer) slope[i] = grad.gate[m->kind][m->step];
    }
  }
  return sum;
}

/* What a limited cost, or the main one (NULL), counts as. */
static double counted(const spn_indicators *s, const spn_cost_limit *limit, const double *open, double *slope) {
  if (!limit) return s->chain ? chain_cost(s, open, slope) : one_cost(s, s->cost, open, slope);
  double sum = one_cost(s, &limit->cost, open, slope);
  for (int i = 0; slope && i < s->count; i++) slope[i] *= limit->target / limit->high;
  return spn_limit_counts(sum, limit->high, limit->target);
}

/* R: the worst of the cost and its limits, which is exact for hard masks, with the derivative of the one that binds. */
static double cost_of(const spn_indicators *s, const double *open, double *slope, const spn_cost_limit **binds) {
  double worst = counted(s, NULL, open, slope), own[SPN_MAX_MASKS];
  *binds = NULL;
  for (const spn_cost_limit *l = s->unlimited ? NULL : s->cost->limits; l; l = l->next) {
    double counts = counted(s, l, open, slope ? own : NULL);
    if (counts <= worst) continue;
    worst = counts;
    *binds = l;
    if (slope) memcpy(slope, own, (size_t)s->count * sizeof *slope);
  }
  return worst;
}

/* Whether a mask decides which layers are there. */
static int is_of_layers(const spn_indicators *s, int i) {
  spn_decision_kind kind = s->net->mask[i].kind;
  return kind == SPN_DECISION_KEEP || kind == SPN_DECISION_LAYERS;
}

/* R of this step in its forms, and the derivative of the decided one with respect to every mask. */
static void set_cost(spn_indicators *s) {
  double open[SPN_MAX_MASKS], slope[SPN_MAX_MASKS], inside[SPN_MAX_MASKS];
  const spn_cost_limit *binds;
  gates_drawn(s, open);
  s->drawn_cost = cost_of(s, open, NULL, &binds);
  gates_decided(s, open);
  s->expected_cost = cost_of(s, open, slope, &binds);
  if (s->explores) { /* what is decided inside a skipped layer is decided for the case that it is kept */
    for (int i = 0; i < s->count; i++)
      if (is_of_layers(s, i)) open[i] = 1;
    counted(s, binds, open, inside);
  }
  for (int i = 0; i < s->count; i++) {
    const spn_mask *m = &s->net->mask[i];
    int led = m->kind >= SPN_DECISION_CHANNELS || s->net->space.layer[m->layer].shared;
    s->list[i].dcost = s->explores && m->kind != SPN_DECISION_KEEP && !led ? inside[i] : slope[i];
  }
}

double spn_indicators_soft_cost(const spn_indicators *s, double sharpness, double *grip) {
  double open[SPN_MAX_MASKS];
  gates_softened(s, sharpness, open);
  const spn_cost_limit *binds;
  double sum = cost_of(s, open, grip, &binds);
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
  return s->unlimited ? spn_cost_of(s->cost, &choice) : spn_cost_worst(s->cost, &choice);
}

/* A step must not wait for the last of exactness: milliseconds. */
enum { HOLD_STEPS = 2000, HOLD_NODES = 20000 };

/* Another network takes the place of the last step's only if it is nearer by this: five usual steps of a threshold.
 * Without it networks that are about equally near take turns, in every step another one. */
static const double STAY = 0.05;

static double whole_distance(const spn_indicators *s, const spn_choice *choice) {
  double sum = 0;
  for (int l = 0; l < choice->layers; l++) {
    spn_layer_choice layer = spn_stages_layer(&s->net->space, choice, l);
    sum += distance(s, l, &layer, 0);
  }
  return sum;
}

/* Sum of the gains of the masks that a layer's option opens. */
static double gain_of(const spn_indicators *s, int layer, const spn_layer_choice *choice) {
  double sum = 0;
  for (int i = 0; i < s->count; i++) {
    const spn_mask *m = &s->net->mask[i];
    if (m->layer == layer && spn_mask_matters(m, choice) && spn_mask_is_open(m, choice)) sum += s->list[i].gain;
  }
  return sum;
}

/* What an option of a layer counts when a network within a range is looked for. */
typedef enum { NEAR_NOW, NEAR_AVERAGE, GAINS } judgement;

static double worth(const spn_indicators *s, int layer, const spn_layer_choice *choice, judgement by) {
  return by == GAINS ? gain_of(s, layer, choice) : -distance(s, layer, choice, by == NEAR_AVERAGE);
}

/* steps and max_nodes: as of spn_budget. */
static spn_status best_within(const spn_indicators *s, double low, double high, judgement by, int steps, long max_nodes,
                              spn_budget_answer *out, spn_err *err) {
  spn_budget *b = s->budget;
  spn_stages *t = s->stages;
  if (t) {
    t->path.steps = steps;
    t->path.max_nodes = max_nodes;
    for (int u = 0; u < t->path.units; u++)
      for (int o = 0; o < t->path.count[u]; o++)
        t->path.option[u][o].gain = worth(s, t->layer[u], &t->choice[u][o], by);
    return spn_stages_best(t, low, high, out, err);
  }
  b->steps = steps;
  b->max_nodes = max_nodes;
  for (int l = 0; l < b->layers; l++)
    for (int o = 0; o < b->count[l]; o++) b->option[l][o].gain = worth(s, l, &b->option[l][o].choice, by);
  return spn_budget_best(b, low, high, out, err);
}

static spn_status hold(spn_indicators *s, double low, double high, spn_err *err) {
  spn_budget_answer nearest;
  if (s->free_cost >= low && s->free_cost <= high) return SPN_OK;
  SPN_TRY(best_within(s, low, high, NEAR_NOW, HOLD_STEPS, HOLD_NODES, &nearest, err));
  unsigned char was_on[SPN_MAX_MASKS];
  spn_choice last;
  for (int i = 0; i < s->count; i++) was_on[i] = s->list[i].was_on != 0;
  spn_supernet_choice(s->net, was_on, &last);
  double cost = spn_cost_worst(s->cost, &last);
  int stays = cost >= low && cost <= high && whole_distance(s, &last) < whole_distance(s, &nearest.choice) + STAY;
  const spn_choice *held = stays ? &last : &nearest.choice;
  for (int i = 0; i < s->count; i++) {
    const spn_mask *m = &s->net->mask[i];
    spn_layer_choice choice = spn_stages_layer(&s->net->space, held, m->layer);
    if (spn_mask_matters(m, &choice)) s->list[i].on = spn_mask_is_open(m, &choice);
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
  s->unlimited = draw->unlimited;
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
    spn_regions_pull(s->net, m->first, m->parts, dx * t.dpart);
    if (s->statistic == SPN_STATISTIC_RMS) spn_regions_pull(s->net, m->first + m->parts, m->extended, dx * t.dextends);
  }
}

/* ---- Decoding ---- */

static int flips_of(const spn_indicators *s, const spn_choice *choice) {
  int flips = 0;
  for (int i = 0; i < s->count; i++) {
    const spn_mask *m = &s->net->mask[i];
    spn_layer_choice layer = spn_stages_layer(&s->net->space, choice, m->layer);
    flips += spn_mask_matters(m, &layer) && spn_mask_is_open(m, &layer) != (s->list[i].average >= 0);
  }
  return flips;
}

spn_status spn_indicators_decode(const spn_indicators *s, double low, double high, spn_budget_answer *out, int *flips,
                                 spn_err *err) {
  int by_gains = s->explores && high < INFINITY;
  SPN_TRY(best_within(s, low, high, by_gains ? GAINS : NEAR_AVERAGE, 0, 0, out, err));
  *flips = flips_of(s, &out->choice);
  return SPN_OK;
}
