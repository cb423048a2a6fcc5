/* What the layers that are left can add at most.
 *
 * Costs are counted from each layer's cheapest option, in steps, and rounded down: the rounded cost of the rest of a
 * network is at most its true one, and less than one step a layer below it. gain[l][r] is the largest gain of layers
 * l.. whose rounded costs add up to r; open[l][r] the largest of a rest of true cost up to r steps, tight[l][r] of one
 * that besides lies within the range's width below it.
 *
 * A network of the range keeps every column open, and one of them tight: the least over the open ones bounds what it
 * can gain, and so does the tight one. */
#include "search/budget_columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 20000 };                /* of rounded cost between the cheapest and the dearest network */
static const double COST_ROOM = 1e-15; /* budget.h tells it */

double spn_budget_counts(const spn_budget *b, int cost, double sum) {
  return cost ? spn_limit_counts(sum, b->limit[cost - 1].high, b->limit[cost - 1].target) : sum;
}

double spn_budget_worst(const spn_budget_columns *t, const double *sum) {
  double worst = sum[0];
  for (int i = 1; i < t->costs; i++) worst = fmax(worst, spn_budget_counts(t->budget, i, sum[i]));
  return worst;
}

void spn_budget_spend(const spn_budget_columns *t, int layer, int option, const double *spent, double *after) {
  for (int i = 0; i < t->columns; i++) after[i] = spent[i] + t->column[i].cost[layer][option];
}

void spn_budget_answer_of(const spn_budget_columns *t, const int *picked, spn_budget_answer *out) {
  const spn_budget *b = t->budget;
  double sum[SPN_MAX_COLUMNS] = {0};
  memset(&out->choice, 0, sizeof out->choice);
  out->choice.layers = b->layers;
  out->gain = 0;
  for (int i = 0; i < t->costs; i++) sum[i] = t->column[i].rest;
  for (int l = 0; l < b->layers; l++) {
    out->choice.layer[l] = b->option[l][picked[l]].choice;
    out->gain += b->option[l][picked[l]].gain;
    for (int i = 0; i < t->costs; i++) sum[i] += t->column[i].cost[l][picked[l]];
  }
  out->cost = sum[0];
  out->worst = spn_budget_worst(t, sum);
}

/* Sums of the least and the most that layers cost. */
static void find_ends(const spn_budget *b, spn_budget_column *c) {
  c->rest_least[b->layers] = c->rest_most[b->layers] = 0;
  for (int l = b->layers - 1; l >= 0; l--) {
    double least = INFINITY, most = -INFINITY;
    for (int o = 0; o < b->count[l]; o++) {
      least = fmin(least, c->cost[l][o]);
      most = fmax(most, c->cost[l][o]);
    }
    c->rest_least[l] = c->rest_least[l + 1] + least;
    c->rest_most[l] = c->rest_most[l + 1] + most;
  }
  c->room = COST_ROOM * fmax(fabs(c->rest + c->rest_most[0]), 1e-300);
}

spn_budget_columns *spn_budget_columns_new(const spn_budget *b) {
  spn_budget_columns *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->budget = b;
  t->costs = t->columns = 1 + b->limits;
  t->size = (b->steps > 0 ? b->steps : STEPS) + 2;
  for (int i = 0; i < t->costs; i++) {
    spn_budget_column *c = &t->column[i];
    c->rest = i ? b->limit[i - 1].rest : b->rest;
    for (int l = 0; l < b->layers; l++)
      for (int o = 0; o < b->count[l]; o++) c->cost[l][o] = i ? b->limit[i - 1].cost[l][o] : b->option[l][o].cost;
    find_ends(b, c);
  }
  return t;
}

void spn_budget_columns_free(spn_budget_columns *t) {
  if (!t) return;
  for (int i = 0; i < SPN_MAX_COLUMNS; i++) {
    free(t->column[i].gain);
    free(t->column[i].open);
    free(t->column[i].tight);
  }
  free(t);
}

/* ---- The weighted sum ---- */

enum { ROUNDS = 6, HALVINGS = 40, DOUBLINGS = 60 };

/* Share of its limit that a cost is used by, summed over the network that the prices choose. */
static double use(const spn_budget_columns *t, const double *price, int of) {
  const spn_budget *b = t->budget;
  double sum = t->column[of].rest / t->column[of].high;
  for (int l = 0; l < b->layers; l++) {
    double best = -INFINITY, own = 0;
    for (int o = 0; o < b->count[l]; o++) {
      double value = b->option[l][o].gain;
      for (int i = 0; i < t->costs; i++) value -= price[i] * (t->column[i].cost[l][o] / t->column[i].high);
      if (value > best) {
        best = value;
        own = t->column[of].cost[l][o] / t->column[of].high;
      }
    }
    sum += own;
  }
  return sum;
}

/* The price of one cost at which its use comes to 1, given the others': use falls as the price rises. */
static double price_of(const spn_budget_columns *t, double *price, int of, double start) {
  double low = 0, high = start;
  price[of] = 0;
  if (use(t, price, of) <= 1) return 0;
  for (int i = 0; i < DOUBLINGS; i++, high *= 2) {
    price[of] = high;
    if (use(t, price, of) <= 1) break;
  }
  for (int i = 0; i < HALVINGS; i++) {
    price[of] = 0.5 * (low + high);
    if (use(t, price, of) > 1) low = price[of];
    else high = price[of];
  }
  return high;
}

/* Prices that, alternately solved for, nearly minimise Lagrange's dual: the shares weighed by them are the sum whose
 * single bound is nearly as good as that dual. Any weights give a true bound. */
static void weigh(spn_budget_columns *t) {
  const spn_budget *b = t->budget;
  double price[SPN_MAX_COLUMNS] = {0}, start = 1e-300;
  spn_budget_column *mix = &t->column[t->costs];
  int priced = 0;
  t->columns = t->costs;
  if (t->costs == 1) return;
  for (int i = 0; i < t->costs; i++)
    if (!(t->column[i].high > 0)) return;
  for (int l = 0; l < b->layers; l++)
    for (int o = 0; o < b->count[l]; o++) start = fmax(start, fabs(b->option[l][o].gain));
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < t->costs; i++) price[i] = price_of(t, price, i, start);
  for (int i = 0; i < t->costs; i++) priced += price[i] > 0;
  if (priced < 2) return; /* one column alone says as much */
  double sum = 0;
  for (int i = 0; i < t->costs; i++) sum += price[i];
  mix->rest = 0;
  memset(mix->cost, 0, sizeof mix->cost);
  for (int i = 0; i < t->costs; i++) {
    double weight = price[i] / sum / t->column[i].high;
    mix->rest += weight * t->column[i].rest;
    for (int l = 0; l < b->layers; l++)
      for (int o = 0; o < b->count[l]; o++) mix->cost[l][o] += weight * t->column[i].cost[l][o];
  }
  find_ends(b, mix);
  mix->room *= 4 * t->costs; /* its terms are rounded themselves */
  mix->high = 1 + mix->room;
  mix->low = -INFINITY;
  t->columns = t->costs + 1;
}

/* ---- Tables ---- */

static double *row(double *of, const spn_budget_columns *t, int layer) { return of + (size_t)layer * (size_t)t->size; }

static spn_status allocate(spn_budget_columns *t, double **table, spn_err *err) {
  size_t entries = (size_t)t->size * ((size_t)t->budget->layers + 1);
  if (!*table) *table = malloc(entries * sizeof **table);
  return *table ? SPN_OK : spn_fail(err, SPN_ENOMEM, "budget: out of memory for %zu entries of a cost table", entries);
}

static void fill_gain(const spn_budget_columns *t, spn_budget_column *c) {
  const spn_budget *b = t->budget;
  c->step = fmax((c->rest_most[0] - c->rest_least[0]) / (t->size - 2), 1e-300);
  for (size_t i = 0; i < (size_t)t->size * ((size_t)b->layers + 1); i++) c->gain[i] = -INFINITY;
  row(c->gain, t, b->layers)[0] = 0;
  for (int l = b->layers - 1; l >= 0; l--) {
    double least = INFINITY;
    const double *after = row(c->gain, t, l + 1);
    double *here = row(c->gain, t, l);
    for (int o = 0; o < b->count[l]; o++) least = fmin(least, c->cost[l][o]);
    for (int o = 0; o < b->count[l]; o++) {
      int steps = (int)((c->cost[l][o] - least) / c->step);
      for (int r = 0; r + steps < t->size; r++)
        here[r + steps] = fmax(here[r + steps], after[r] + b->option[l][o].gain);
    }
  }
}

static void fill_open(const spn_budget_columns *t, spn_budget_column *c) {
  for (int l = 0; l <= t->budget->layers; l++) {
    const double *gain = row(c->gain, t, l);
    double *open = row(c->open, t, l), best = -INFINITY;
    for (int r = 0; r < t->size; r++) open[r] = best = fmax(best, gain[r]);
  }
}

/* The main cost's highest is at most the dearest network: above it there is nothing to round. */
spn_status spn_budget_columns_fill(spn_budget_columns *t, double high, spn_err *err) {
  const spn_budget *b = t->budget;
  for (int i = 0; i < t->costs; i++) {
    spn_budget_column *c = &t->column[i];
    c->high = i ? b->limit[i - 1].high : high;
    if (i && high != b->limit[i - 1].target) c->high *= high / b->limit[i - 1].target;
    c->high = fmin(c->high, c->rest + c->rest_most[0] + c->room);
  }
  weigh(t);
  for (int i = 0; i < t->columns; i++) {
    spn_budget_column *c = &t->column[i];
    SPN_TRY(allocate(t, &c->gain, err));
    fill_gain(t, c);
    if (t->columns == 1) continue; /* of a single cost every bound is a tight one */
    SPN_TRY(allocate(t, &c->open, err));
    fill_open(t, c);
  }
  return SPN_OK;
}

/* Steps by which a rest's rounded cost may differ from the top of its range: the range's width, the rounding of every
 * layer, and one more for the rounding of the division. */
static int window(const spn_budget_columns *t, const spn_budget_column *c, int layer) {
  double steps = fmax(c->high - c->low, 0) / c->step + (t->budget->layers - layer) + 2;
  return steps < t->size ? (int)steps : t->size;
}

/* tight[l][r] = max of gain[l][r - window .. r]: a queue of candidates whose gains descend. */
static void fill_tight(const spn_budget_columns *t, spn_budget_column *c, int *queue) {
  for (int l = 0; l <= t->budget->layers; l++) {
    const double *gain = row(c->gain, t, l);
    double *tight = row(c->tight, t, l);
    int first = 0, end = 0, reach = window(t, c, l);
    for (int r = 0; r < t->size; r++) {
      while (end > first && gain[queue[end - 1]] <= gain[r]) end--;
      queue[end++] = r;
      while (queue[first] < r - reach) first++;
      tight[r] = gain[queue[first]];
    }
  }
}

spn_status spn_budget_columns_from(spn_budget_columns *t, double low, spn_err *err) {
  const spn_budget *b = t->budget;
  int *queue = malloc((size_t)t->size * sizeof *queue);
  spn_status status = queue ? SPN_OK : spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  for (int i = 0; i < t->costs && !status; i++) {
    spn_budget_column *c = &t->column[i];
    c->low = i ? b->limit[i - 1].high * (low / b->limit[i - 1].target) : low;
    status = allocate(t, &c->tight, err);
    if (!status) fill_tight(t, c, queue);
  }
  free(queue);
  return status;
}

/* ---- Bounds ---- */

/* Entry of a table for what is left of a column; -1: nothing of the range is. */
static int place(const spn_budget_columns *t, const spn_budget_column *c, int layer, double spent) {
  double least = spent + c->rest_least[layer], slack = c->high - least;
  if (slack < -c->room) return -1;
  double steps = fmax(slack, 0) / c->step + 1;
  return steps < t->size - 1 ? (int)steps : t->size - 1;
}

static double tight_at(const spn_budget_columns *t, int i, int layer, double spent, int at) {
  const spn_budget_column *c = &t->column[i];
  if (spent + c->rest_most[layer] < c->low - c->room) return -INFINITY;
  return row(c->tight, t, layer)[at];
}

double spn_budget_bound(const spn_budget_columns *t, int layer, const double *spent, double gain) {
  double open = INFINITY, tight = -INFINITY;
  for (int i = 0; i < t->columns; i++) {
    int at = place(t, &t->column[i], layer, spent[i]);
    if (at < 0) return -INFINITY;
    if (t->columns > 1) open = fmin(open, row(t->column[i].open, t, layer)[at]);
    if (i < t->costs) tight = fmax(tight, tight_at(t, i, layer, spent[i], at));
  }
  return gain + fmin(open, tight);
}
