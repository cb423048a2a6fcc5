/* Using a supernet. How it is built is in supernet_build.c. */
#include "model/supernet.h"

#include <stdlib.h>

void spn_supernet_free(spn_supernet *net) {
  if (!net) return;
  spn_graph_free(net->graph);
  free(net->mask);
  free(net->region);
  free(net);
}

/* ---- Masks ---- */

void spn_mask_open(spn_supernet *net, int mask, double value, int wanted) {
  int gates[] = {net->mask[mask].gate, net->mask[mask].gate2};
  for (int i = 0; i < 2 && gates[i] >= 0; i++) {
    net->graph->gates[gates[i]].value = value;
    net->graph->gates[gates[i]].wanted = wanted;
  }
}

double spn_mask_value(const spn_supernet *net, int mask) { return net->graph->gates[net->mask[mask].gate].value; }

double spn_mask_gradient(const spn_supernet *net, int mask) {
  const spn_mask *m = &net->mask[mask];
  return net->graph->gates[m->gate].grad + (m->gate2 < 0 ? 0 : net->graph->gates[m->gate2].grad);
}

int spn_mask_matters(const spn_mask *m, const spn_layer_choice *choice) {
  if (m->kind == SPN_DECISION_SE && choice->expand == m->moot) return 0;
  return m->kind == SPN_DECISION_KEEP || (choice->keep && choice->option[m->kind] >= m->step);
}

int spn_mask_is_open(const spn_mask *m, const spn_layer_choice *choice) { return choice->option[m->kind] > m->step; }

void spn_supernet_set(spn_supernet *net, const spn_choice *choice) {
  for (int i = 0; i < net->masks; i++) {
    const spn_mask *m = &net->mask[i];
    spn_mask_open(net, i, spn_mask_is_open(m, &choice->layer[m->layer]), 0);
  }
}

/* Every option is the number of open masks in a row; what follows from it is set too. */
void spn_supernet_choice(const spn_supernet *net, const unsigned char *on, spn_choice *out) {
  spn_decisions decisions;
  spn_decisions_of(&net->space, &decisions);
  spn_choice_max(&net->space, out); /* for what has no mask */
  for (int d = 0, mask = 0; d < decisions.count; mask += decisions.list[d++].options - 1) {
    int option = 0;
    while (option < decisions.list[d].options - 1 && on[mask + option]) option++;
    spn_decision_set(&net->space, &decisions.list[d], option, out);
  }
}

/* ---- Regions of weights ---- */

static int tap_belongs(const spn_region *r, size_t tap) {
  int dy = abs((int)tap / r->k - r->k / 2), dx = abs((int)tap % r->k - r->k / 2);
  int reach = 2 * (dy > dx ? dy : dx) + 1;
  return reach >= r->ring0 && reach <= r->ring1;
}

/* Calls `visit` for every run of weights of a region. */
static void walk(const spn_supernet *net, const spn_region *r,
                 void (*visit)(const spn_graph *g, size_t at, size_t count, double *value), double *value) {
  size_t base = net->graph->params[r->param].offset;
  for (size_t o = r->outer0; o < r->outer1; o++) {
    size_t row = base + o * r->inner_size;
    if (!r->k || (!r->columns && tap_belongs(r, o))) visit(net->graph, row + r->inner0, r->inner1 - r->inner0, value);
    for (size_t i = r->inner0; r->columns && i < r->inner1; i++)
      if (tap_belongs(r, i % (size_t)(r->k * r->k))) visit(net->graph, row + i, 1, value);
  }
}

/* value[0] += squares, value[1] += how many. */
static void add_squares(const spn_graph *g, size_t at, size_t count, double *value) {
  value[0] += g->kernels->dot(count, g->weights + at, g->weights + at);
  value[1] += (double)count;
}

static void pull(const spn_graph *g, size_t at, size_t count, double *factor) {
  g->kernels->axpy(count, (real)*factor, g->weights + at, g->grads + at);
}

double spn_regions_squares(const spn_supernet *net, int first, int count, double *weights) {
  double sums[2] = {0};
  for (int i = 0; i < count; i++) walk(net, &net->region[first + i], add_squares, sums);
  *weights = sums[1];
  return sums[0];
}

void spn_regions_pull(const spn_supernet *net, int first, int count, double factor) {
  for (int i = 0; i < count; i++) walk(net, &net->region[first + i], pull, &factor);
}
