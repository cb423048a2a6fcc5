#include "search/reach.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/budget.h"

/* Costs are sums in another order than spn_cost_of takes: a network of exactly `high` must not be lost. */
static const double ROUNDING = 1e-12;

static void price_layers(spn_reach *r) {
  for (const spn_cost_limit *l = r->cost->limits; l; l = l->next) r->by[r->costs++] = &l->cost;
  for (int l = 0; l < r->space->layers; l++) {
    r->layer[l].count = spn_layer_choices(&r->space->layer[l], r->layer[l].choice);
    for (int c = 0; c < r->costs; c++)
      for (int i = 0; i < r->layer[l].count; i++)
        r->layer[l].cost[c][i] = spn_cost_layer(r->by[c], l, &r->layer[l].choice[i]);
  }
}

/* A way to complete networks: each layer's choice that is cheapest by one cost, or that of a network. */
static void add_way(spn_reach *r, int cheapest, const spn_choice *network) {
  for (int l = r->space->layers - 1; l >= 0; l--) {
    int which = 0;
    for (int i = 1; i < r->layer[l].count; i++) {
      if (network) which = memcmp(&r->layer[l].choice[i], &network->layer[l], sizeof network->layer[l]) ? which : i;
      else if (r->layer[l].cost[cheapest][i] < r->layer[l].cost[cheapest][which]) which = i;
    }
    for (int c = 0; c < r->costs; c++)
      r->after[r->ways][c][l] = r->after[r->ways][c][l + 1] + r->layer[l].cost[c][which];
  }
  r->ways++;
}

/* 0: out of memory. */
static int add_ways(spn_reach *r) {
  spn_budget_answer least;
  for (int c = 0; c < r->costs; c++) add_way(r, c, NULL);
  if (r->costs == 1) return 1;
  spn_budget *b = spn_budget_new(r->space, r->cost);
  int found = b && !spn_budget_least(b, &least, NULL);
  if (found) add_way(r, 0, &least.choice);
  free(b);
  return found;
}

spn_reach *spn_reach_new(const spn_space *space, const spn_cost *cost, const spn_decisions *decisions, double high) {
  spn_reach *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->space = space;
  r->cost = cost;
  r->decisions = decisions;
  r->high = high + ROUNDING * fabs(high);
  r->steps = cost->whole ? decisions->count : space->layers;
  r->by[r->costs++] = cost;
  if (cost->whole) return r;
  price_layers(r);
  if (add_ways(r)) return r;
  free(r);
  return NULL;
}

/* What layers before `layer` cost, and all besides layers. */
static void spend(const spn_reach *r, const spn_choice *choice, int layer, double *spent) {
  for (int c = 0; c < r->costs; c++) {
    spent[c] = r->by[c]->rest;
    for (int l = 0; l < layer; l++) spent[c] += spn_cost_layer(r->by[c], l, &choice->layer[l]);
  }
}

/* The least worst cost of the ways from `layer` on; option: of the layer before it, or -1. */
static double least_from(const spn_reach *r, const double *spent, int layer, int option) {
  double least = INFINITY;
  for (int way = 0; way < r->ways; way++) {
    const spn_cost_limit *limit = r->cost->limits;
    double worst = -INFINITY;
    for (int c = 0; c < r->costs; c++) {
      double sum = spent[c] + (option < 0 ? 0 : r->layer[layer - 1].cost[c][option]) + r->after[way][c][layer];
      if (c) {
        sum = spn_limit_counts(sum, limit->high, limit->target);
        limit = limit->next;
      }
      worst = fmax(worst, sum);
    }
    least = fmin(least, worst);
  }
  return least;
}

double spn_reach_least(const spn_reach *r, const spn_choice *choice, int steps) {
  if (r->cost->whole) {
    spn_choice cheapest = *choice;
    for (int d = steps; d < r->decisions->count; d++) spn_decision_set(r->space, &r->decisions->list[d], 0, &cheapest);
    return spn_cost_worst(r->cost, &cheapest);
  }
  double spent[SPN_REACH_COSTS];
  spend(r, choice, steps, spent);
  return least_from(r, spent, steps, -1);
}

/* ---- Options of a decision ---- */

/* Whether a layer agrees with what was decided of it before decision d. */
static int agrees(const spn_reach *r, int d, const spn_layer_choice *layer, const spn_choice *choice) {
  const spn_decision *now = &r->decisions->list[d];
  for (int i = d - 1; i >= 0 && r->decisions->list[i].layer == now->layer; i--) {
    spn_decision_kind kind = r->decisions->list[i].kind;
    if (layer->option[kind] != choice->layer[now->layer].option[kind]) return 0;
  }
  return 1;
}

/* least[o]: what a network costs at least that takes option o. */
static void find_least(const spn_reach *r, int d, const spn_choice *choice, double *least) {
  const spn_decision *now = &r->decisions->list[d];
  double spent[SPN_REACH_COSTS];
  for (int o = 0; o < now->options; o++) least[o] = INFINITY;
  if (r->cost->whole) {
    for (int o = 0; o < now->options; o++) {
      spn_choice one = *choice;
      spn_decision_set(r->space, now, o, &one);
      least[o] = spn_reach_least(r, &one, d + 1);
    }
    return;
  }
  spend(r, choice, now->layer, spent);
  for (int i = 0; i < r->layer[now->layer].count; i++) {
    const spn_layer_choice *layer = &r->layer[now->layer].choice[i];
    int o = layer->option[now->kind];
    if (agrees(r, d, layer, choice)) least[o] = fmin(least[o], least_from(r, spent, now->layer + 1, i));
  }
}

int spn_reach_options(const spn_reach *r, int d, const spn_choice *choice, unsigned char *allowed) {
  const spn_decision *now = &r->decisions->list[d];
  double least[SPN_MAX_OPTIONS];
  int count = 0, cheapest = 0;
  find_least(r, d, choice, least);
  for (int o = 0; o < now->options; o++) {
    count += allowed[o] = least[o] <= r->high;
    if (least[o] < least[cheapest]) cheapest = o;
  }
  if (count) return count;
  allowed[cheapest] = 1;
  return 1;
}

/* ---- Steps ---- */

int spn_reach_choices(const spn_reach *r, int step, const spn_choice *choice) {
  if (!r->cost->whole) return r->layer[step].count;
  const spn_decision *d = &r->decisions->list[step];
  return spn_decision_matters(d, choice) ? d->options : 1;
}

int spn_reach_taken(const spn_reach *r, int step, const spn_choice *choice) {
  if (r->cost->whole) return spn_decision_get(&r->decisions->list[step], choice);
  int which = 0;
  while (memcmp(&r->layer[step].choice[which], &choice->layer[step], sizeof choice->layer[step])) which++;
  return which;
}

void spn_reach_take(const spn_reach *r, int step, int which, spn_choice *choice) {
  if (r->cost->whole) spn_decision_set(r->space, &r->decisions->list[step], which, choice);
  else choice->layer[step] = r->layer[step].choice[which];
}
