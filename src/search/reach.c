#include "search/reach.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Costs are sums in another order than spn_cost_of takes: a network of exactly `high` must not be lost. */
static const double ROUNDING = 1e-12;

static void price_layers(spn_reach *r) {
  for (int l = r->space->layers - 1; l >= 0; l--) {
    double least = INFINITY;
    r->layer[l].count = spn_layer_choices(&r->space->layer[l], r->layer[l].choice);
    for (int i = 0; i < r->layer[l].count; i++) {
      r->layer[l].cost[i] = spn_cost_layer(r->cost, l, &r->layer[l].choice[i]);
      least = fmin(least, r->layer[l].cost[i]);
    }
    r->after[l] = r->after[l + 1] + least;
  }
}

spn_reach *spn_reach_new(const spn_space *space, const spn_cost *cost, const spn_decisions *decisions, double high) {
  spn_reach *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->space = space;
  r->cost = cost;
  r->decisions = decisions;
  r->high = high + ROUNDING * fabs(high);
  r->steps = cost->whole ? decisions->count : space->layers;
  if (!cost->whole) price_layers(r);
  return r;
}

double spn_reach_least(const spn_reach *r, const spn_choice *choice, int steps) {
  if (r->cost->whole) {
    spn_choice cheapest = *choice;
    for (int d = steps; d < r->decisions->count; d++) spn_decision_set(r->space, &r->decisions->list[d], 0, &cheapest);
    return spn_cost_of(r->cost, &cheapest);
  }
  double sum = r->cost->rest;
  for (int l = 0; l < steps; l++) sum += spn_cost_layer(r->cost, l, &choice->layer[l]);
  return sum + r->after[steps];
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
  double spent = r->cost->rest;
  for (int o = 0; o < now->options; o++) least[o] = INFINITY;
  if (r->cost->whole) {
    for (int o = 0; o < now->options; o++) {
      spn_choice one = *choice;
      spn_decision_set(r->space, now, o, &one);
      least[o] = spn_reach_least(r, &one, d + 1);
    }
    return;
  }
  for (int l = 0; l < now->layer; l++) spent += spn_cost_layer(r->cost, l, &choice->layer[l]);
  for (int i = 0; i < r->layer[now->layer].count; i++) {
    const spn_layer_choice *layer = &r->layer[now->layer].choice[i];
    int o = layer->option[now->kind];
    if (agrees(r, d, layer, choice)) least[o] = fmin(least[o], r->layer[now->layer].cost[i]);
  }
  for (int o = 0; o < now->options; o++) least[o] = spent + least[o] + r->after[now->layer + 1];
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
