#include "search/budget_columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  MAX_NODES = 20000000, /* partial networks looked at: some seconds */
  MEMORY_BITS = 18,     /* 2^18 partial networks remembered */
};
static const double GAIN_ROOM = 1e-9, LEAST_WIDTH = 1e-6; /* budget.h tells them */

spn_budget *spn_budget_new(const spn_space *space, const spn_cost *cost) {
  spn_budget *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  b->rest = cost->rest;
  b->layers = space->layers;
  for (const spn_cost_limit *m = cost->limits; m; m = m->next)
    b->limit[b->limits++] = (spn_budget_limit){.rest = m->cost.rest, .high = m->high, .target = m->target};
  for (int l = 0; l < space->layers; l++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    b->count[l] = spn_layer_choices(&space->layer[l], all);
    for (int o = 0; o < b->count[l]; o++) {
      spn_budget_limit *limit = b->limit;
      b->option[l][o] = (spn_layer_option){.choice = all[o], .cost = spn_cost_layer(cost, l, &all[o])};
      for (const spn_cost_limit *m = cost->limits; m; m = m->next)
        (limit++)->cost[l][o] = spn_cost_layer(&m->cost, l, &all[o]);
    }
  }
  return b;
}

/* ---- The search ---- */

/* A partial network that has been followed to its end: another one of the same costs and no larger gain adds nothing.
 */
typedef struct {
  int layer; /* 0: empty; layers so far */
  uint64_t costs;
  double gain;
} seen;

typedef struct {
  spn_budget_columns *table;
  double low, high, room; /* gains within room are equal */
  seen *memory;           /* (2^MEMORY_BITS); the newest stays where two meet */
  long nodes, max_nodes;
  int picked[SPN_MAX_LAYERS], best[SPN_MAX_LAYERS];
  double best_gain;
  int found;
} walk;

/* Costs within their rounding give the same key: of one cost exactly those, of several by their mixed bits. */
static uint64_t key_of(const walk *w, const double *spent) {
  uint64_t key = 0;
  for (int i = 0; i < w->table->costs; i++)
    key = (key ^ key >> 29) * 0xbf58476d1ce4e5b9u + (uint64_t)llround(spent[i] / w->table->column[i].room);
  return key;
}

static int known(walk *w, int layer, const double *spent, double gain) {
  uint64_t key = key_of(w, spent), hash = (key ^ (uint64_t)layer << 57) * 0x9e3779b97f4a7c15u;
  seen *s = &w->memory[hash >> (64 - MEMORY_BITS)];
  if (s->layer == layer && s->costs == key && gain <= s->gain) return 1;
  *s = (seen){.layer = layer, .costs = key, .gain = gain};
  return 0;
}

static void end_of(walk *w, const double *spent, double gain) {
  double worst = spn_budget_worst(w->table, spent);
  if (worst < w->low || worst > w->high || (w->found && gain <= w->best_gain)) return;
  w->found = 1;
  w->best_gain = gain;
  memcpy(w->best, w->picked, sizeof w->best);
}

/* Follows the options of a layer, the most promising first. */
static void follow(walk *w, int layer, const double *spent, double gain) {
  const spn_budget *b = w->table->budget;
  if (layer == b->layers) {
    end_of(w, spent, gain);
    return;
  }
  if (layer && known(w, layer, spent, gain)) return;
  unsigned char tried[SPN_MAX_LAYER_CHOICES] = {0};
  double bound[SPN_MAX_LAYER_CHOICES], after[SPN_MAX_COLUMNS];
  for (int o = 0; o < b->count[layer]; o++) {
    spn_budget_spend(w->table, layer, o, spent, after);
    bound[o] = spn_budget_bound(w->table, layer + 1, after, gain + b->option[layer][o].gain);
  }
  for (int n = 0; n < b->count[layer]; n++) {
    int next = -1;
    for (int o = 0; o < b->count[layer]; o++)
      if (!tried[o] && (next < 0 || bound[o] > bound[next])) next = o;
    tried[next] = 1;
    if (isinf(bound[next]) || (w->found && bound[next] <= w->best_gain + w->room)) return;
    if (++w->nodes > w->max_nodes) return;
    w->picked[layer] = next;
    spn_budget_spend(w->table, layer, next, spent, after);
    follow(w, layer + 1, after, gain + b->option[layer][next].gain);
  }
}

/* Sum of every layer's largest |gain|; NaN where one is not finite. */
static double gain_scale(const spn_budget *b) {
  double sum = 0;
  for (int l = 0; l < b->layers; l++) {
    double most = 0;
    for (int o = 0; o < b->count[l]; o++)
      if (isfinite(b->option[l][o].gain)) most = fmax(most, fabs(b->option[l][o].gain));
      else return NAN;
    sum += most;
  }
  return sum;
}

/* Searches [low, high]; returns whether a network was found. *bound: no network there has a larger gain. */
static int search(walk *w, double low, double *bound, spn_budget_answer *out) {
  const spn_budget_columns *t = w->table;
  double spent[SPN_MAX_COLUMNS];
  for (int i = 0; i < t->columns; i++) spent[i] = t->column[i].rest;
  w->low = low;
  w->nodes = w->found = 0;
  memset(w->memory, 0, sizeof *w->memory << MEMORY_BITS);
  *bound = spn_budget_bound(t, 0, spent, 0);
  if (!isinf(*bound)) follow(w, 0, spent, 0);
  if (w->found) spn_budget_answer_of(t, w->best, out);
  if (w->nodes <= w->max_nodes) *bound = w->found ? out->gain : -INFINITY;
  return w->found;
}

/* The range as asked, then widened. out: the network of the least worst cost, which is at most w->high. */
static spn_status solve(walk *w, double low, spn_budget_answer *out, spn_err *err) {
  double least = out->worst, asked = -INFINITY, bound;
  for (double width = w->high - low;; width = fmax(2 * width, LEAST_WIDTH * fabs(w->high))) {
    low = fmax(w->high - width, least);
    SPN_TRY(spn_budget_columns_from(w->table, low, err));
    int found = search(w, low, &bound, out);
    if (out->outcome == SPN_BUDGET_MET) asked = bound;
    out->bound = fmax(asked, out->gain);
    if (found || low <= least) return SPN_OK; /* at least the one of the least worst cost is there */
    out->outcome = SPN_BUDGET_BELOW;
  }
}

/* The largest worst cost there can be, and its rounding. */
static double dearest(const spn_budget_columns *t) {
  double most = -INFINITY;
  for (int i = 0; i < t->costs; i++) {
    const spn_budget_column *c = &t->column[i];
    most = fmax(most, spn_budget_counts(t->budget, i, c->rest + c->rest_most[0] + c->room));
  }
  return most;
}

static spn_status within(spn_budget_columns *t, double low, double high, double scale, spn_budget_answer *out,
                         spn_err *err) {
  const spn_budget *b = t->budget;
  walk w = {.table = t, .room = GAIN_ROOM * scale, .max_nodes = b->max_nodes ? b->max_nodes : MAX_NODES};
  w.high = fmin(high, dearest(t));
  SPN_TRY(spn_budget_columns_fill(t, w.high, err));
  w.memory = malloc(sizeof *w.memory << MEMORY_BITS);
  if (!w.memory) return spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  spn_status status = solve(&w, fmin(low, w.high), out, err);
  free(w.memory);
  return status;
}

spn_status spn_budget_best(const spn_budget *b, double low, double high, spn_budget_answer *out, spn_err *err) {
  double scale = gain_scale(b);
  if (!(low <= high)) return spn_fail(err, SPN_EINPUT, "budget: expected a range, got %g to %g", low, high);
  if (!isfinite(scale)) return spn_fail(err, SPN_EINPUT, "budget: a gain is not finite");
  SPN_TRY(spn_budget_least(b, out, err));
  out->outcome = SPN_BUDGET_ABOVE;
  if (out->worst > high) return SPN_OK;
  out->outcome = SPN_BUDGET_MET;
  spn_budget_columns *t = spn_budget_columns_new(b);
  spn_status status = t ? within(t, low, high, scale, out, err) : spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  spn_budget_columns_free(t);
  return status;
}
