#include "search/thresholds.h"

#include <math.h>

/* Adam's usual decay of the mean: 10 steps. */
static const double BETA1 = 0.9;
/* A memory of 100 steps (Adam's 0.999 has 1000): a search phase has few hundred, and the gradient's size changes in it.
 */
static const double BETA2 = 0.99;
/* Where the second moment has seen almost nothing of the cost's pull, the ratio has no bound: at most three times the
 * size of a usual step. */
static const double LONGEST = 3;

void spn_threshold_step(spn_threshold *t, spn_indicator *n, double temperature, double rate) {
  if (n->dthreshold == 0) return;
  t->updates++;
  t->moment1 = BETA1 * t->moment1 + (1 - BETA1) * n->dthreshold;
  if (n->dce != 0) { /* else the step did not look */
    double observed = n->derivative * n->dce / temperature;
    t->observations++;
    t->moment2 = BETA2 * t->moment2 + (1 - BETA2) * observed * observed;
  }
  if (t->observations < 1) return;
  double first = t->moment1 / (1 - pow(BETA1, t->updates)), second = t->moment2 / (1 - pow(BETA2, t->observations));
  double step = first / (sqrt(second) + 1e-12);
  n->threshold -= rate * fmax(-LONGEST, fmin(LONGEST, step));
}

void spn_threshold_gather(spn_threshold *t, const spn_indicator *n) {
  if (n->dce == 0) return;
  t->sum += n->dce;
  t->square += n->dce * n->dce;
  t->count++;
}

double spn_threshold_significance(const spn_threshold *t) {
  if (t->count < 2) return 0;
  double mean = t->sum / t->count, variance = (t->square / t->count - mean * mean) * t->count / (t->count - 1);
  return variance > 0 ? fabs(mean) / sqrt(variance / t->count) : 0;
}

void spn_threshold_end_epoch(spn_threshold *t) {
  if (t->count > 0) t->last_mean = t->sum / t->count;
  t->sum = t->square = t->count = 0;
}
