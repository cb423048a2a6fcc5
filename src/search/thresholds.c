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
enum { HALVINGS = 60 }; /* to the last bits of a double */

void spn_threshold_weigh(spn_threshold *t, const spn_indicators *in, int i) {
  const spn_indicator *n = &in->list[i];
  double to_x = n->derivative / in->temperature;
  t->push = t->load = 0;
  if (!n->kept && !in->explores) return;
  t->updates++;
  t->moment1 = BETA1 * t->moment1 + (1 - BETA1) * to_x * spn_indicator_evidence(in, i);
  if (n->looked) {
    t->observations++;
    t->moment2 = BETA2 * t->moment2 + (1 - BETA2) * to_x * n->dce * to_x * n->dce;
  }
  if (t->observations < 1) return;
  double size = sqrt(t->moment2 / (1 - pow(BETA2, t->observations))) + 1e-12;
  t->push = t->moment1 / (1 - pow(BETA1, t->updates)) / size;
  t->load = to_x * n->dcost / size;
}

static double step_of(const spn_threshold *t, double price) {
  return fmax(-LONGEST, fmin(LONGEST, t->push + price * t->load));
}

void spn_threshold_step(const spn_threshold *t, spn_indicator *n, double temperature, double rate, double price,
                        double reach) {
  double x = n->x - rate / temperature * step_of(t, price);
  n->threshold = n->statistic - temperature * fmax(-reach, fmin(reach, x));
}

static double change(const spn_threshold *list, const double *grip, int count, double price) {
  double sum = 0;
  for (int i = 0; i < count; i++) sum -= grip[i] * step_of(&list[i], price);
  return sum;
}

/* Where every threshold that the price moves takes its longest step: a higher price changes nothing. */
static double highest_price(const spn_threshold *list, const double *grip, int count) {
  double highest = 0;
  for (int i = 0; i < count; i++)
    if (grip[i] * list[i].load != 0) highest = fmax(highest, (LONGEST + fabs(list[i].push)) / fabs(list[i].load));
  return highest;
}

/* The change falls as the price rises. */
double spn_thresholds_price(const spn_threshold *list, const double *grip, int count, double want) {
  double high = highest_price(list, grip, count), low = -high;
  for (int i = 0; i < HALVINGS; i++) {
    double middle = 0.5 * (low + high);
    if (change(list, grip, count, middle) > want) low = middle;
    else high = middle;
  }
  return 0.5 * (low + high);
}

void spn_threshold_gather(spn_threshold *t, const spn_indicator *n) {
  if (!n->looked) return;
  t->sum += n->dce;
  t->square += n->dce * n->dce;
  t->count++;
}

double spn_threshold_significance(const spn_threshold *t) {
  if (t->count < 2) return 0;
  double mean = t->sum / t->count, variance = (t->square / t->count - mean * mean) * t->count / (t->count - 1);
  return variance > 0 ? fabs(mean) / sqrt(variance / t->count) : 0;
}

void spn_threshold_end_epoch(spn_threshold *t) { t->sum = t->square = t->count = 0; }
