#include "graph/ops.h"

#include <stdio.h>
#include <stdlib.h>

int spn_op_param(spn_graph *g, const char *name, const char *suffix, spn_param_kind kind, int dims, const size_t *shape,
                 double init_std, double init_value) {
  char full[64];
  snprintf(full, sizeof full, "%.50s.%s", name, suffix);
  return spn_graph_param(g, full, kind, dims, shape, init_std, init_value);
}

void spn_nested_coefs(const spn_graph *g, int count, const int *gates, double *coef) {
  coef[0] = 1;
  for (int l = 0; l < count; l++) coef[l + 1] = coef[l] * g->gates[gates[l]].value;
}

void spn_nested_add_grads(spn_graph *g, int count, const int *gates, const double *dcoef) {
  for (int j = 0; j < count; j++)
    for (int l = j + 1; l <= count; l++) {
      double others = 1;
      for (int i = 0; i < l; i++)
        if (i != j) others *= g->gates[gates[i]].value;
      g->gates[gates[j]].grad += dcoef[l] * others;
    }
}

/* The outer axis has option a (weight P_a = C_a - C_{a+1} by the nested products C), and level l is reached from the
 * first option of the inner axis on that gives as many channels; none does: inner->options. */
static int first_inner(const spn_width *w, int a, int level) {
  int b = 0;
  while (b < w->inner.options && w->level[a][b] < level) b++;
  return b;
}

typedef struct {
  double outer[SPN_MAX_AXIS + 1], inner[SPN_MAX_AXIS + 1]; /* nested products; 0 behind the last option */
} width_products;

static width_products products_of(const spn_graph *g, const spn_width *w) {
  width_products p = {{0}, {0}};
  spn_nested_coefs(g, w->outer.options - 1, w->outer.gate, p.outer);
  spn_nested_coefs(g, w->inner.options - 1, w->inner.gate, p.inner);
  return p;
}

void spn_width_coefs(const spn_graph *g, const spn_width *w, double *coef) {
  width_products p = products_of(g, w);
  for (int l = 0; l < w->levels; l++) {
    coef[l] = 0;
    for (int a = 0; a < w->outer.options; a++) coef[l] += (p.outer[a] - p.outer[a + 1]) * p.inner[first_inner(w, a, l)];
  }
}

void spn_width_add_grads(spn_graph *g, const spn_width *w, const double *dcoef) {
  width_products p = products_of(g, w), d = {{0}, {0}};
  for (int l = 0; l < w->levels; l++)
    for (int a = 0; a < w->outer.options; a++) {
      int b = first_inner(w, a, l);
      d.inner[b] += dcoef[l] * (p.outer[a] - p.outer[a + 1]);
      d.outer[a] += dcoef[l] * p.inner[b];
      d.outer[a + 1] -= dcoef[l] * p.inner[b];
    }
  spn_nested_add_grads(g, w->outer.options - 1, w->outer.gate, d.outer);
  spn_nested_add_grads(g, w->inner.options - 1, w->inner.gate, d.inner);
}

int spn_branch_gate(const spn_branch *b, int k) { return k < b->ons ? b->on[k] : b->off[k - b->ons]; }

/* Product of the gates but one (-1: of all). */
static double product_but(const spn_graph *g, int count, const int *gates, int but) {
  double product = 1;
  for (int i = 0; i < count; i++)
    if (i != but) product *= g->gates[gates[i]].value;
  return product;
}

double spn_branch_value(const spn_graph *g, const spn_branch *b) {
  double off = b->offs ? product_but(g, b->offs, b->off, -1) : 0;
  return product_but(g, b->ons, b->on, -1) * (1 - off);
}

double spn_branch_slope(const spn_graph *g, const spn_branch *b, int k) {
  double off = b->offs ? product_but(g, b->offs, b->off, -1) : 0;
  if (k < b->ons) return product_but(g, b->ons, b->on, k) * (1 - off);
  return -product_but(g, b->ons, b->on, -1) * product_but(g, b->offs, b->off, k - b->ons);
}

int spn_ring_of(int k, int inner_k, int rings, const int *ring_k, int ky, int kx) {
  int dy = ky - k / 2, dx = kx - k / 2;
  int reach = 2 * (abs(dy) > abs(dx) ? abs(dy) : abs(dx)) + 1;
  if (reach <= inner_k) return 0;
  for (int i = 0; i < rings; i++)
    if (reach <= ring_k[i]) return i + 1;
  return rings;
}

int spn_rings_in_use(const spn_graph *g, int rings, const int *gates, int backward) {
  int count = 0;
  while (count < rings && (g->gates[gates[count]].value != 0 || (backward && g->gates[gates[count]].wanted))) count++;
  return count;
}

void spn_width_scale(const spn_graph *g, const spn_width *w, size_t rows, int c, real *a, size_t lda) {
  if (!w) return;
  double coef[SPN_MAX_LEVELS];
  spn_width_coefs(g, w, coef);
  for (int l = 1; l < w->levels && w->channels[l] <= c; l++) {
    if (coef[l] == 1) continue;
    for (size_t p = 0; p < rows; p++)
      for (int i = w->channels[l - 1]; i < w->channels[l]; i++) a[p * lda + (size_t)i] *= (real)coef[l];
  }
}
