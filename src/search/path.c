#include "search/path.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
  STEPS = 20000,         /* of rounded cost between the cheapest and the dearest way */
  MAX_NODES = 2000000,   /* partial ways looked at: some seconds */
  MAX_ENTRIES = 1 << 23, /* of the table: spaces with many states have fewer steps */
  MEMORY_BITS = 18,      /* 2^18 partial ways remembered */
};
static const double GAIN_ROOM = 1e-9, COST_ROOM = 1e-15;

/* ---- What the units from u on can add at most ----
 * Costs are counted from each unit's cheapest option, in steps, and rounded down. gain[u][state][r] is the largest gain
 * of units u.. from that state on whose rounded costs add up to r; most the largest over all r that a rest of true cost
 * up to r steps, within the range's width, can have. */
typedef struct {
  const spn_path *path;
  double step, rest_least[SPN_MAX_UNITS + 1], rest_most[SPN_MAX_UNITS + 1],
      scale;                       /* scale: sum of the largest |gain| */
  int size;                        /* entries a state */
  size_t first[SPN_MAX_UNITS + 2]; /* state 0 before unit u */
  double *gain, *most;
} table;

static double *row(double *of, const table *t, int unit, int state) {
  return of + (t->first[unit] + (size_t)state) * (size_t)t->size;
}

/* How the units' options spread; returns the sum of all states. */
static void measure(const spn_path *p, table *t) {
  size_t states = 0;
  for (int u = p->units - 1; u >= 0; u--) {
    double least = INFINITY, most = -INFINITY, gain = 0;
    for (int o = 0; o < p->count[u]; o++) {
      least = fmin(least, p->option[u][o].cost);
      most = fmax(most, p->option[u][o].cost);
      gain = fmax(gain, fabs(p->option[u][o].gain));
    }
    t->rest_least[u] = t->rest_least[u + 1] + least;
    t->rest_most[u] = t->rest_most[u + 1] + most;
    t->scale += gain;
  }
  for (int u = 0; u <= p->units; u++) {
    t->first[u] = states;
    states += (size_t)p->states[u];
  }
  t->first[p->units + 1] = states;
}

static spn_status make_table(const spn_path *p, table *t, spn_err *err) {
  *t = (table){.path = p};
  measure(p, t);
  size_t states = t->first[p->units + 1], most = MAX_ENTRIES / states;
  t->size = (p->steps > 0 ? p->steps : STEPS) + 2;
  if ((size_t)t->size > most) t->size = (int)most;
  t->step = fmax((t->rest_most[0] - t->rest_least[0]) / (t->size - 2), 1e-300);
  size_t entries = states * (size_t)t->size;
  t->gain = malloc(entries * sizeof *t->gain);
  t->most = malloc(entries * sizeof *t->most);
  if (!t->gain || !t->most) return spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  for (size_t i = 0; i < entries; i++) t->gain[i] = -INFINITY;
  for (int s = 0; s < p->states[p->units]; s++) row(t->gain, t, p->units, s)[0] = 0;
  for (int u = p->units - 1; u >= 0; u--) {
    double least = t->rest_least[u] - t->rest_least[u + 1];
    for (int o = 0; o < p->count[u]; o++) {
      const spn_path_option *option = &p->option[u][o];
      const double *after = row(t->gain, t, u + 1, option->to);
      double *here = row(t->gain, t, u, option->from);
      int steps = (int)(fmax(option->cost - least, 0) / t->step);
      for (int r = 0; r + steps < t->size; r++) here[r + steps] = fmax(here[r + steps], after[r] + option->gain);
    }
  }
  return SPN_OK;
}

/* most[r] = max of gain[r - reach .. r]: a queue of candidates whose gains descend. */
static void slide(const double *gain, int size, int reach, int *queue, double *most) {
  int first = 0, end = 0;
  for (int r = 0; r < size; r++) {
    while (end > first && gain[queue[end - 1]] <= gain[r]) end--;
    queue[end++] = r;
    while (queue[first] < r - reach) first++;
    most[r] = gain[queue[first]];
  }
}

/* Rounded costs may differ from the top of their range by its width, a step a unit, and one of the division. */
static spn_status slide_all(table *t, double width, spn_err *err) {
  int *queue = malloc((size_t)t->size * sizeof *queue);
  if (!queue) return spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  for (int u = 0; u <= t->path->units; u++) {
    double steps = width / t->step + (t->path->units - u) + 2;
    for (int s = 0; s < t->path->states[u]; s++)
      slide(row(t->gain, t, u, s), t->size, steps < t->size ? (int)steps : t->size, queue, row(t->most, t, u, s));
  }
  free(queue);
  return SPN_OK;
}

/* ---- The search ---- */

/* A partial way that has been followed to its end: another one of the same cost and no larger gain adds nothing. */
typedef struct {
  int unit, state; /* unit 0: empty */
  long long cost;
  double gain;
} seen;

typedef struct {
  const table *table;
  double low, high, room, cost_room; /* gains, and costs, within their room are equal */
  seen *memory;
  long nodes, max_nodes;
  int picked[SPN_MAX_UNITS], found;
  spn_path_answer *best;
} walk;

/* Largest gain of any way of the range that has come to this state, cost and gain before `unit`. */
static double bound_of(const walk *w, int unit, int state, double cost, double gain) {
  const table *t = w->table;
  double slack = w->high - (cost + t->rest_least[unit]);
  if (slack < -w->cost_room || cost + t->rest_most[unit] < w->low - w->cost_room) return -INFINITY;
  double steps = fmax(slack, 0) / t->step + 1;
  return gain + row(t->most, t, unit, state)[steps < t->size - 1 ? (int)steps : t->size - 1];
}

static int known(const walk *w, int unit, int state, double cost, double gain) {
  long long key = llround(cost / w->cost_room);
  uint64_t hash = ((uint64_t)key ^ (uint64_t)unit << 57 ^ (uint64_t)state << 48) * 0x9e3779b97f4a7c15u;
  seen *s = &w->memory[hash >> (64 - MEMORY_BITS)];
  if (s->unit == unit && s->state == state && s->cost == key && gain <= s->gain) return 1;
  *s = (seen){.unit = unit, .state = state, .cost = key, .gain = gain};
  return 0;
}

static void end_of(walk *w, double cost, double gain) {
  if (cost < w->low || cost > w->high || (w->found && gain <= w->best->gain)) return;
  w->found = 1;
  w->best->gain = gain;
  w->best->cost = cost;
  memcpy(w->best->picked, w->picked, sizeof w->picked);
}

/* Follows the options of a unit, the most promising first: again and again the best below the last. */
static void follow(walk *w, int unit, int state, double cost, double gain) {
  const spn_path *p = w->table->path;
  double below = INFINITY;
  int last = -1;
  if (unit == p->units) {
    end_of(w, cost, gain);
    return;
  }
  if (unit && known(w, unit, state, cost, gain)) return;
  for (;;) {
    double best = -INFINITY;
    int next = -1;
    for (int o = 0; o < p->count[unit]; o++) {
      const spn_path_option *option = &p->option[unit][o];
      if (option->from != state) continue;
      double bound = bound_of(w, unit + 1, option->to, cost + option->cost, gain + option->gain);
      int left = bound < below || (bound == below && o > last);
      if (left && bound > best) best = bound, next = o;
    }
    if (next < 0 || isinf(best) || (w->found && best <= w->best->gain + w->room)) return;
    if (++w->nodes > w->max_nodes) return;
    below = best;
    last = next;
    w->picked[unit] = next;
    const spn_path_option *option = &p->option[unit][next];
    follow(w, unit + 1, option->to, cost + option->cost, gain + option->gain);
  }
}

static spn_status search(table *t, double low, double high, spn_path_answer *out, int *found, spn_err *err) {
  const spn_path *p = t->path;
  walk w = {.table = t, .low = low, .room = GAIN_ROOM * t->scale, .best = out};
  w.max_nodes = p->max_nodes ? p->max_nodes : MAX_NODES;
  w.cost_room = COST_ROOM * fmax(fabs(t->rest_most[0]), 1e-300);
  w.high = fmin(high, t->rest_most[0] + w.cost_room);
  SPN_TRY(slide_all(t, w.high - fmax(low, t->rest_least[0] - w.cost_room), err));
  w.memory = calloc((size_t)1 << MEMORY_BITS, sizeof *w.memory);
  if (!w.memory) return spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  double bound = bound_of(&w, 0, 0, 0, 0);
  if (!isinf(bound)) follow(&w, 0, 0, 0, 0);
  out->bound = w.nodes > w.max_nodes ? bound : out->gain;
  *found = w.found;
  free(w.memory);
  return SPN_OK;
}

spn_status spn_path_best(const spn_path *path, double low, double high, spn_path_answer *out, int *found,
                         spn_err *err) {
  table t;
  *found = 0;
  out->gain = out->bound = -INFINITY;
  spn_status status = make_table(path, &t, err);
  if (!status && low <= high && high >= t.rest_least[0]) status = search(&t, low, high, out, found, err);
  free(t.gain);
  free(t.most);
  return status;
}

/* least[first[u] + state]: cost of the cheapest rest from that state before unit u. */
static void least_rest(const spn_path *p, double *least, const size_t *first) {
  for (int u = p->units - 1; u >= 0; u--) {
    for (int s = 0; s < p->states[u]; s++) least[first[u] + (size_t)s] = INFINITY;
    for (int o = 0; o < p->count[u]; o++) {
      const spn_path_option *option = &p->option[u][o];
      double *here = &least[first[u] + (size_t)option->from];
      *here = fmin(*here, option->cost + least[first[u + 1] + (size_t)option->to]);
    }
  }
}

spn_status spn_path_cheapest(const spn_path *p, spn_path_answer *out, spn_err *err) {
  size_t first[SPN_MAX_UNITS + 2] = {0};
  for (int u = 0; u <= p->units; u++) first[u + 1] = first[u] + (size_t)p->states[u];
  double *least = calloc(first[p->units + 1], sizeof *least);
  if (!least) return spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  least_rest(p, least, first);
  out->cost = out->gain = 0;
  for (int u = 0, state = 0; u < p->units; u++) {
    double best = INFINITY;
    for (int o = 0; o < p->count[u]; o++) {
      const spn_path_option *option = &p->option[u][o];
      double rest = option->cost + least[first[u + 1] + (size_t)option->to];
      if (option->from != state || rest >= best) continue;
      best = rest;
      out->picked[u] = o;
    }
    const spn_path_option *taken = &p->option[u][out->picked[u]];
    out->cost += taken->cost;
    out->gain += taken->gain;
    state = taken->to;
  }
  out->bound = out->gain;
  free(least);
  return SPN_OK;
}
