#include "search/reach.h"

#include <math.h>
#include <stdlib.h>

/* Costs are sums in another order than spn_cost_of takes: a network of exactly `high` must not be lost. */
static const double ROUNDING = 1e-12;

spn_reach *spn_reach_new(const spn_space *space, const spn_cost *cost, const spn_decisions *decisions, double high) {
  spn_reach *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->space = space;
  r->cost = cost;
  r->decisions = decisions;
  r->high = high + ROUNDING * fabs(high);
  for (int l = space->layers - 1; l >= 0; l--) {
    double least = INFINITY;
    r->layer[l].count = spn_layer_choices(&space->layer[l], r->layer[l].choice);
    for (int i = 0; i < r->layer[l].count; i++) {
      r->layer[l].cost[i] = spn_cost_layer(cost, l, &r->layer[l].choice[i]);
      least = fmin(least, r->layer[l].cost[i]);
    }
    r->after[l] = r->after[l + 1] + least;
  }
  return r;
}

/* Whether a layer agrees with what was decided of it before decision d. */
static int agrees(const spn_reach *r, int d, const spn_layer_choice *layer, const spn_choice *choice) {
  const spn_decision *now = &r->decisions->list[d];
  for (int i = d - 1; i >= 0 && r->decisions->list[i].layer == now->layer; i--) {
    spn_decision_kind kind = r->decisions->list[i].kind;
    if (layer->option[kind] != choice->layer[now->layer].option[kind]) return 0;
  }
  return 1;
}

int spn_reach_options(const spn_reach *r, int d, const spn_choice *choice, unsigned char *allowed) {
  const spn_decision *now = &r->decisions->list[d];
  double spent = r->cost->rest, least[SPN_MAX_OPTIONS];
  int count = 0;
  for (int l = 0; l < now->layer; l++) spent += spn_cost_layer(r->cost, l, &choice->layer[l]);
  for (int o = 0; o < now->options; o++) least[o] = INFINITY;
  for (int i = 0; i < r->layer[now->layer].count; i++) {
    const spn_layer_choice *layer = &r->layer[now->layer].choice[i];
    int o = layer->option[now->kind];
    if (agrees(r, d, layer, choice)) least[o] = fmin(least[o], r->layer[now->layer].cost[i]);
  }
  for (int o = 0; o < now->options; o++) count += allowed[o] = spent + least[o] + r->after[now->layer + 1] <= r->high;
  return count;
}
