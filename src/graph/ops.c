#include "graph/ops.h"

#include <stdio.h>

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

void spn_width_scale(const spn_graph *g, const spn_width *w, size_t rows, int c, real *a, size_t lda) {
  if (!w) return;
  double coef[SPN_MAX_LEVELS];
  spn_nested_coefs(g, w->levels - 1, w->gates, coef);
  for (int l = 1; l < w->levels && w->channels[l] <= c; l++) {
    if (coef[l] == 1 || coef[l] == 0) continue;
    for (size_t p = 0; p < rows; p++)
      for (int i = w->channels[l - 1]; i < w->channels[l]; i++) a[p * lda + (size_t)i] *= (real)coef[l];
  }
}
