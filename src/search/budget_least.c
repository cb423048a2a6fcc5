/* The network of the least worst cost: a depth-first search, bounded by the cheapest rest of every cost, and of a
 * weighted sum of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/budget_columns.h"

enum { LEAST_NODES = 2000000, ROUNDS = 200 };
/* Of the weights, a round: they end within about e^(200 * 0.1) of each other. */
static const double LEARN = 0.1;
/* A bound that is nearer to the best than this says that it is the best: rounding of the weighted sum. */
static const double LEAST_ROOM = 1e-12;

typedef struct {
  const spn_budget_columns *table;
  double weight[SPN_MAX_COLUMNS];        /* of what costs count as; they add up to 1 */
  double rest_least[SPN_MAX_LAYERS + 1]; /* of the weighted sum */
  long nodes;
  int picked[SPN_MAX_LAYERS], best[SPN_MAX_LAYERS];
  double best_worst;
} descent;

/* What a layer's option adds to the weighted sum. */
static double weighted(const descent *d, int layer, int option) {
  double sum = 0;
  for (int i = 0; i < d->table->costs; i++)
    sum += d->weight[i] * spn_budget_counts(d->table->budget, i, d->table->column[i].cost[layer][option]);
  return sum;
}

/* Completes the network of picked[0 .. layer) by the least weighted sum, keeps it if it is the best so far; sum: its
 * costs. */
static void complete(descent *d, int layer, const double *spent, double *sum) {
  const spn_budget *b = d->table->budget;
  memcpy(sum, spent, (size_t)d->table->costs * sizeof *sum);
  for (int l = layer; l < b->layers; l++) {
    d->picked[l] = 0;
    for (int o = 1; o < b->count[l]; o++)
      if (weighted(d, l, o) < weighted(d, l, d->picked[l])) d->picked[l] = o;
    for (int i = 0; i < d->table->costs; i++) sum[i] += d->table->column[i].cost[l][d->picked[l]];
  }
  double worst = spn_budget_worst(d->table, sum);
  if (worst >= d->best_worst) return;
  d->best_worst = worst;
  memcpy(d->best, d->picked, sizeof d->best);
}

/* Weights by which the least weighted sum is large: costs that stick out weigh more in the next round. Any weights give
 * a true bound. */
static void find_weights(descent *d, const double *spent) {
  double sum[SPN_MAX_COLUMNS], score[SPN_MAX_COLUMNS] = {0};
  for (int i = 0; i < d->table->costs; i++) d->weight[i] = 1.0 / d->table->costs;
  for (int round = 0; d->table->costs > 1 && round < ROUNDS; round++) {
    double total = 0, most = -INFINITY;
    complete(d, 0, spent, sum);
    double worst = fmax(spn_budget_worst(d->table, sum), 1e-300);
    for (int i = 0; i < d->table->costs; i++) {
      score[i] += LEARN * spn_budget_counts(d->table->budget, i, sum[i]) / worst;
      most = fmax(most, score[i]);
    }
    for (int i = 0; i < d->table->costs; i++) total += d->weight[i] = exp(score[i] - most);
    for (int i = 0; i < d->table->costs; i++) d->weight[i] /= total;
  }
  for (int l = d->table->budget->layers - 1; l >= 0; l--) {
    double least = INFINITY;
    for (int o = 0; o < d->table->budget->count[l]; o++) least = fmin(least, weighted(d, l, o));
    d->rest_least[l] = d->rest_least[l + 1] + least;
  }
}

/* No network that begins with these costs has a lesser worst cost. */
static double least_of(const descent *d, int layer, const double *spent) {
  double mixed = d->rest_least[layer], least = -INFINITY;
  for (int i = 0; i < d->table->costs; i++) {
    const spn_budget_column *c = &d->table->column[i];
    mixed += d->weight[i] * spn_budget_counts(d->table->budget, i, spent[i]);
    least = fmax(least, spn_budget_counts(d->table->budget, i, spent[i] + c->rest_least[layer]));
  }
  return fmax(least, mixed);
}

static void descend(descent *d, int layer, const double *spent) {
  const spn_budget *b = d->table->budget;
  double after[SPN_MAX_COLUMNS], sum[SPN_MAX_COLUMNS], bound[SPN_MAX_LAYER_CHOICES];
  unsigned char tried[SPN_MAX_LAYER_CHOICES] = {0};
  complete(d, layer, spent, sum);
  if (layer == b->layers) return;
  for (int o = 0; o < b->count[layer]; o++) {
    spn_budget_spend(d->table, layer, o, spent, after);
    bound[o] = least_of(d, layer + 1, after);
  }
  for (int n = 0; n < b->count[layer]; n++) {
    int next = -1;
    for (int o = 0; o < b->count[layer]; o++)
      if (!tried[o] && (next < 0 || bound[o] < bound[next])) next = o;
    tried[next] = 1;
    if (bound[next] >= d->best_worst * (1 - LEAST_ROOM) || ++d->nodes > LEAST_NODES) return;
    d->picked[layer] = next;
    spn_budget_spend(d->table, layer, next, spent, after);
    descend(d, layer + 1, after);
  }
}

spn_status spn_budget_least(const spn_budget *b, spn_budget_answer *out, spn_err *err) {
  double spent[SPN_MAX_COLUMNS];
  spn_budget_columns *t = spn_budget_columns_new(b);
  descent *d = calloc(1, sizeof *d);
  spn_status status = t && d ? SPN_OK : spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  if (!status) {
    d->table = t;
    d->best_worst = INFINITY;
    for (int i = 0; i < t->costs; i++) spent[i] = t->column[i].rest;
    find_weights(d, spent);
    descend(d, 0, spent);
    spn_budget_answer_of(t, d->best, out);
    out->bound = out->gain;
    out->outcome = SPN_BUDGET_MET;
  }
  spn_budget_columns_free(t);
  free(d);
  return status;
}
