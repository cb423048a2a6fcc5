/* Finite differences of a graph's loss in double precision. */
#ifndef SPN_TESTS_GRADCHECK_H
#define SPN_TESTS_GRADCHECK_H

#include "check.h"
#include "core/rng.h"
#include "graph/graph.h"

typedef struct {
  spn_graph *g;
  real *images;
  int32_t *labels;
  int count; /* images that are valid */
} grad_case;

/* Loss of a training pass with a fixed step, so that dropout draws the same mask. Running statistics move with every
 * call; a training pass does not read them. */
static double grad_loss(const grad_case *t) {
  spn_graph_forward(t->g, t->images, t->labels, t->count, 1, NULL);
  return t->g->loss;
}

static void grad_data(grad_case *t, int h, int w, int c, int classes) {
  size_t n = (size_t)t->g->batch * h * w * c;
  t->count = t->g->batch;
  t->images = malloc(n * sizeof *t->images);
  t->labels = malloc((size_t)t->g->batch * sizeof *t->labels);
  for (size_t i = 0; i < n; i++) t->images[i] = (real)spn_rng_normal(3, SPN_RNG_TEST, i);
  for (int i = 0; i < t->g->batch; i++)
    t->labels[i] = (int32_t)spn_rng_below(4, SPN_RNG_TEST, (uint64_t)i, (uint64_t)classes);
}

static void grad_free(grad_case *t) {
  spn_graph_free(t->g);
  free(t->images);
  free(t->labels);
}

/* Every parameter moves off its initial value: zeros and ones hide mistakes. */
static void grad_perturb(spn_graph *g) {
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    if (p->kind == SPN_PARAM_STATE) continue;
    for (size_t k = 0; k < p->size; k++)
      g->weights[p->offset + k] += (real)(0.3 * spn_rng_normal(5, SPN_RNG_TEST, (uint64_t)i << 32 | k));
  }
}

/* Central difference of f along *slot. Kinks of ReLU make single points wrong: a second, smaller step must agree with
 * the first before the point counts; `skipped` counts those that do not. */
static int central(double (*f)(const void *), const void *context, real *slot, double *out) {
  double keep = *slot, d[2];
  for (int i = 0; i < 2; i++) {
    double h = i ? 2.5e-6 : 5e-6;
    *slot = keep + h;
    double up = f(context);
    *slot = keep - h;
    d[i] = (up - f(context)) / (2 * h);
  }
  *slot = keep;
  *out = d[1];
  return fabs(d[0] - d[1]) <= 1e-7 * fmax(1, fabs(d[1]));
}

static double grad_loss_of(const void *context) { return grad_loss(context); }

/* Checks `per_param` spread elements of every parameter, and every gate. Returns the number of points compared. */
__attribute__((unused)) static int grad_check(const grad_case *t, const char *what, int per_param) {
  spn_graph *g = t->g;
  int compared = 0, skipped = 0;
  grad_loss(t);
  spn_graph_backward(g, NULL);
  real *grads = malloc(g->param_elements * sizeof *grads);
  memcpy(grads, g->grads, g->param_elements * sizeof *grads);
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    if (p->kind == SPN_PARAM_STATE) continue;
    size_t step = p->size / (size_t)per_param + 1;
    for (size_t k = (size_t)i % step; k < p->size; k += step) {
      double numeric;
      if (!central(grad_loss_of, t, &g->weights[p->offset + k], &numeric)) {
        skipped++;
        continue;
      }
      CHECK_NEAR((double)grads[p->offset + k], numeric, 1e-6, "%s %s[%zu]", what, p->name, k);
      compared++;
    }
  }
  double *gate_grads = malloc(((size_t)g->gate_count + 1) * sizeof *gate_grads);
  for (int i = 0; i < g->gate_count; i++) gate_grads[i] = g->gates[i].grad;
  for (int i = 0; i < g->gate_count; i++) {
    double numeric;
    if (!g->gates[i].wanted) continue;
    real *slot = (real *)&g->gates[i].value; /* real is double here */
    if (!central(grad_loss_of, t, slot, &numeric)) {
      skipped++;
      continue;
    }
    CHECK_NEAR(gate_grads[i], numeric, 1e-6, "%s gate %d", what, i);
    compared++;
  }
  CHECK(skipped * 5 <= compared, "%s: %d of %d points at kinks", what, skipped, compared + skipped);
  free(grads);
  free(gate_grads);
  return compared;
}

#endif
