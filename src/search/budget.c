#include "search/budget.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  STEPS = 20000,        /* of rounded cost between the cheapest and the dearest network */
  MAX_NODES = 20000000, /* partial networks looked at: some seconds */
  MEMORY_BITS = 18,     /* 2^18 partial networks remembered */
};
static const double GAIN_ROOM = 1e-9, COST_ROOM = 1e-15, LEAST_WIDTH = 1e-6; /* budget.h tells them */

spn_budget *spn_budget_new(const spn_space *space, const spn_cost *cost) {
  spn_budget *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  b->rest = cost->rest;
  b->layers = space->layers;
  for (int l = 0; l < space->layers; l++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    b->count[l] = spn_layer_choices(&space->layer[l], all);
    for (int o = 0; o < b->count[l]; o++)
      b->option[l][o] = (spn_layer_option){.choice = all[o], .cost = spn_cost_layer(cost, l, &all[o])};
  }
  return b;
}

/* ---- What the layers from l on can add at most ----
 * Costs are counted from each layer's cheapest option, in steps, and rounded down: the rounded cost of the rest of a
 * network is at most its true one, and less than one step a layer below it. gain[l][r] is the largest gain of layers
 * l.. whose rounded costs add up to r; most[l][r] the largest over all r that a rest of true cost up to r steps, within
 * a range of the asked width, can have. */
typedef struct {
  const spn_budget *budget;
  double step, width;                    /* cost of a step; width of the range */
  double rest_least[SPN_MAX_LAYERS + 1]; /* cost of the cheapest rest */
  double rest_most[SPN_MAX_LAYERS + 1];
  int size;            /* entries a layer */
  double *gain, *most; /* (layers + 1, size) */
} table;

static double *row(double *of, const table *t, int layer) { return of + (size_t)layer * (size_t)t->size; }

static void free_table(table *t) {
  free(t->gain);
  free(t->most);
}

static double least_cost(const spn_budget *b, int l) {
  double least = INFINITY;
  for (int o = 0; o < b->count[l]; o++) least = fmin(least, b->option[l][o].cost);
  return least;
}

static spn_status make_table(const spn_budget *b, table *t, spn_err *err) {
  *t = (table){.budget = b, .size = (b->steps > 0 ? b->steps : STEPS) + 2};
  for (int l = b->layers - 1; l >= 0; l--) {
    double least = least_cost(b, l), most = least;
    for (int o = 0; o < b->count[l]; o++) most = fmax(most, b->option[l][o].cost);
    t->rest_least[l] = t->rest_least[l + 1] + least;
    t->rest_most[l] = t->rest_most[l + 1] + most;
  }
  t->step = fmax((t->rest_most[0] - t->rest_least[0]) / (t->size - 2), 1e-300);
  size_t entries = (size_t)t->size * ((size_t)b->layers + 1);
  t->gain = malloc(entries * sizeof *t->gain);
  t->most = malloc(entries * sizeof *t->most);
  if (!t->gain || !t->most) {
    free_table(t);
    return spn_fail(err, SPN_ENOMEM, "budget: out of memory for %zu entries of the cost table", entries);
  }
  for (size_t i = 0; i < entries; i++) t->gain[i] = -INFINITY;
  row(t->gain, t, b->layers)[0] = 0;
  for (int l = b->layers - 1; l >= 0; l--) {
    double least = least_cost(b, l);
    const double *after = row(t->gain, t, l + 1);
    double *here = row(t->gain, t, l);
    for (int o = 0; o < b->count[l]; o++) {
      int steps = (int)((b->option[l][o].cost - least) / t->step);
      for (int r = 0; r + steps < t->size; r++)
        here[r + steps] = fmax(here[r + steps], after[r] + b->option[l][o].gain);
    }
  }
  return SPN_OK;
}

/* Steps by which a rest's rounded cost may differ from the top of its range: the range's width, the rounding of every
 * layer, and one more for the rounding of the division. */
static int window(const table *t, int layer) {
  double steps = t->width / t->step + (t->budget->layers - layer) + 2;
  return steps < t->size ? (int)steps : t->size;
}

/* most[l][r] = max of gain[l][r - window .. r]: a queue of candidates whose gains descend. */
static spn_status slide(table *t, double width, spn_err *err) {
  int *queue = malloc((size_t)t->size * sizeof *queue);
  if (!queue) return spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  t->width = width;
  for (int l = 0; l <= t->budget->layers; l++) {
    const double *gain = row(t->gain, t, l);
    double *most = row(t->most, t, l);
    int first = 0, end = 0, reach = window(t, l);
    for (int r = 0; r < t->size; r++) {
      while (end > first && gain[queue[end - 1]] <= gain[r]) end--;
      queue[end++] = r;
      while (queue[first] < r - reach) first++;
      most[r] = gain[queue[first]];
    }
  }
  free(queue);
  return SPN_OK;
}

/* ---- The search ---- */

/* A partial network that has been followed to its end: another one of the same cost and no larger gain adds nothing. */
typedef struct {
  int layer; /* 0: empty; layers so far */
  long long cost;
  double gain;
} seen;

typedef struct {
  const table *table;
  double low, high, room; /* gains within room are equal */
  double cost_room;       /* costs within it are */
  seen *memory;           /* (2^MEMORY_BITS); the newest stays where two meet */
  long nodes, max_nodes;
  int picked[SPN_MAX_LAYERS], best[SPN_MAX_LAYERS];
  double best_gain, best_cost;
  int found;
} walk;

/* Largest gain of any network of the range that begins with `layer` layers of this cost and gain. */
static double bound_of(const walk *w, int layer, double cost, double gain) {
  const table *t = w->table;
  double least = cost + t->rest_least[layer], slack = w->high - least;
  if (slack < -w->cost_room) return -INFINITY;
  if (cost + t->rest_most[layer] < w->low - w->cost_room) return -INFINITY;
  double steps = fmax(slack, 0) / t->step + 1;
  return gain + row(t->most, t, layer)[steps < t->size - 1 ? (int)steps : t->size - 1];
}

static int known(walk *w, int layer, double cost, double gain) {
  long long key = llround(cost / w->cost_room);
  uint64_t hash = ((uint64_t)key ^ (uint64_t)layer << 57) * 0x9e3779b97f4a7c15u;
  seen *s = &w->memory[hash >> (64 - MEMORY_BITS)];
  if (s->layer == layer && s->cost == key && gain <= s->gain) return 1;
  *s = (seen){.layer = layer, .cost = key, .gain = gain};
  return 0;
}

static void end_of(walk *w, double cost, double gain) {
  if (cost < w->low || cost > w->high || (w->found && gain <= w->best_gain)) return;
  w->found = 1;
  w->best_gain = gain;
  w->best_cost = cost;
  memcpy(w->best, w->picked, sizeof w->best);
}

/* Follows the options of a layer, the most promising first. */
static void follow(walk *w, int layer, double cost, double gain) {
  const spn_budget *b = w->table->budget;
  if (layer == b->layers) {
    end_of(w, cost, gain);
    return;
  }
  if (layer && known(w, layer, cost, gain)) return;
  unsigned char tried[SPN_MAX_LAYER_CHOICES] = {0};
  double bound[SPN_MAX_LAYER_CHOICES];
  for (int o = 0; o < b->count[layer]; o++)
    bound[o] = bound_of(w, layer + 1, cost + b->option[layer][o].cost, gain + b->option[layer][o].gain);
  for (int n = 0; n < b->count[layer]; n++) {
    int next = -1;
    for (int o = 0; o < b->count[layer]; o++)
      if (!tried[o] && (next < 0 || bound[o] > bound[next])) next = o;
    tried[next] = 1;
    if (isinf(bound[next]) || (w->found && bound[next] <= w->best_gain + w->room)) return;
    if (++w->nodes > w->max_nodes) return;
    w->picked[layer] = next;
    follow(w, layer + 1, cost + b->option[layer][next].cost, gain + b->option[layer][next].gain);
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

static void answer(const spn_budget *b, const int *picked, spn_budget_answer *out) {
  memset(&out->choice, 0, sizeof out->choice);
  out->choice.layers = b->layers;
  out->cost = b->rest;
  out->gain = 0;
  for (int l = 0; l < b->layers; l++) {
    out->choice.layer[l] = b->option[l][picked[l]].choice;
    out->cost += b->option[l][picked[l]].cost;
    out->gain += b->option[l][picked[l]].gain;
  }
}

/* Searches [low, high]; returns whether a network was found. *bound: no network there has a larger gain. */
static int search(walk *w, double low, double *bound, spn_budget_answer *out) {
  const spn_budget *b = w->table->budget;
  w->low = low;
  w->nodes = w->found = 0;
  memset(w->memory, 0, sizeof *w->memory << MEMORY_BITS);
  *bound = bound_of(w, 0, b->rest, 0);
  if (!isinf(*bound)) follow(w, 0, b->rest, 0);
  if (w->found) answer(b, w->best, out);
  if (w->nodes <= w->max_nodes) *bound = w->found ? out->gain : -INFINITY;
  return w->found;
}

static void cheapest(const spn_budget *b, spn_budget_answer *out) {
  int picked[SPN_MAX_LAYERS];
  for (int l = 0; l < b->layers; l++) {
    picked[l] = 0;
    for (int o = 1; o < b->count[l]; o++)
      if (b->option[l][o].cost < b->option[l][picked[l]].cost) picked[l] = o;
  }
  answer(b, picked, out);
}

/* The range as asked, then widened. out: the cheapest network, which costs at most w->high. */
static spn_status solve(table *t, walk *w, double low, spn_budget_answer *out, spn_err *err) {
  double least = out->cost, asked = -INFINITY, bound;
  for (double width = w->high - low;; width = fmax(2 * width, LEAST_WIDTH * fabs(w->high))) {
    low = fmax(w->high - width, least);
    SPN_TRY(slide(t, w->high - low, err));
    int found = search(w, low, &bound, out);
    if (out->outcome == SPN_BUDGET_MET) asked = bound;
    out->bound = fmax(asked, out->gain);
    if (found || low <= least) return SPN_OK; /* at least the cheapest network is there */
    out->outcome = SPN_BUDGET_BELOW;
  }
}

spn_status spn_budget_best(const spn_budget *b, double low, double high, spn_budget_answer *out, spn_err *err) {
  double scale = gain_scale(b);
  if (!(low <= high)) return spn_fail(err, SPN_EINPUT, "budget: expected a range, got %g to %g", low, high);
  if (!isfinite(scale)) return spn_fail(err, SPN_EINPUT, "budget: a gain is not finite");
  cheapest(b, out);
  out->outcome = SPN_BUDGET_ABOVE;
  out->bound = out->gain;
  if (out->cost > high) return SPN_OK;
  out->outcome = SPN_BUDGET_MET;
  table t;
  SPN_TRY(make_table(b, &t, err));
  walk w = {.table = &t, .room = GAIN_ROOM * scale, .max_nodes = b->max_nodes ? b->max_nodes : MAX_NODES};
  w.cost_room = COST_ROOM * fmax(fabs(b->rest + t.rest_most[0]), 1e-300);
  w.high = fmin(high, b->rest + t.rest_most[0] + w.cost_room);
  low = fmin(low, w.high);
  w.memory = malloc(sizeof *w.memory << MEMORY_BITS);
  spn_status status = w.memory ? solve(&t, &w, low, out, err) : spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  free(w.memory);
  free_table(&t);
  return status;
}
