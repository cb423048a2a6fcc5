#include "search/significance.h"

#include <math.h>

void spn_sample_of(const double *values, int count, spn_sample *out) {
  double square = 0;
  *out = (spn_sample){.count = count, .mean = NAN, .deviation = NAN};
  if (count < 1) return;
  out->mean = 0;
  for (int i = 0; i < count; i++) out->mean += values[i] / count;
  for (int i = 0; i < count; i++) square += (values[i] - out->mean) * (values[i] - out->mean);
  if (count > 1) out->deviation = sqrt(square / (count - 1));
}

/* ---- Student's t ---- */

/* Ends the continued fraction: a few units of double's last place; and keeps its terms from 0. */
static const double FRACTION_END = 1e-15, FRACTION_TINY = 1e-300;
enum { FRACTION_TERMS = 500, HALVINGS = 200 };

static double kept_from_zero(double x) { return fabs(x) < FRACTION_TINY ? FRACTION_TINY : x; }

/* The continued fraction of the incomplete beta function (26.5.8), by Lentz's method; converges fast for
 * x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x) {
  double c = 1, d = 1 / kept_from_zero(1 - (a + b) * x / (a + 1)), value = d;
  for (int m = 1; m <= FRACTION_TERMS; m++) {
    double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / kept_from_zero(1 + even * d);
    c = kept_from_zero(1 + even / c);
    value *= c * d;
    d = 1 / kept_from_zero(1 + odd * d);
    c = kept_from_zero(1 + odd / c);
    value *= c * d;
    if (fabs(c * d - 1) < FRACTION_END) break;
  }
  return value;
}

/* The regularised incomplete beta function I_x(a, b). */
static double beta_share(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* P(|T| > t), exact in the tail too (26.7.1). */
static double beyond(double t, double freedom) {
  return isinf(t) ? 0 : beta_share(freedom / 2, 0.5, freedom / (freedom + t * t));
}

double spn_student(double t, double freedom) {
  double tail = beyond(t, freedom) / 2;
  return t < 0 ? tail : 1 - tail;
}

double spn_student_bound(double share, double freedom) {
  double low = 0, high = 1;
  while (beyond(high, freedom) > 1 - share && high < INFINITY) high *= 2;
  for (int i = 0; i < HALVINGS; i++) {
    double middle = low + (high - low) / 2;
    if (beyond(middle, freedom) > 1 - share) low = middle;
    else high = middle;
  }
  return low + (high - low) / 2;
}

double spn_sample_interval(const spn_sample *s, double share) {
  if (s->count < 2) return NAN;
  return spn_student_bound(share, s->count - 1) * s->deviation / sqrt(s->count);
}

/* ---- Tests ---- */

void spn_welch(const spn_sample *a, const spn_sample *b, spn_comparison *out) {
  *out = (spn_comparison){.difference = a->mean - b->mean, .t = NAN, .freedom = NAN, .p = NAN};
  if (a->count < 2 || b->count < 2) return;
  double of_a = a->deviation * a->deviation / a->count, of_b = b->deviation * b->deviation / b->count;
  double both = of_a + of_b;
  if (!(both > 0)) return;
  out->t = out->difference / sqrt(both);
  out->freedom = both * both / (of_a * of_a / (a->count - 1) + of_b * of_b / (b->count - 1));
  out->p = beyond(out->t, out->freedom);
}

/* From the smallest on: p times how many tests are left, and no less than the one before. */
void spn_holm(double *p, int count) {
  const double done = -1; /* adjusted ones wait below 0 */
  double least = 0;
  int left = 0;
  for (int i = 0; i < count; i++) left += !isnan(p[i]);
  while (left > 0) {
    int at = -1;
    for (int i = 0; i < count; i++)
      if (p[i] >= 0 && (at < 0 || p[i] < p[at])) at = i;
    least = fmax(least, fmin(1, left-- * p[at]));
    p[at] = done - least;
  }
  for (int i = 0; i < count; i++)
    if (!isnan(p[i])) p[i] = done - p[i];
}

double spn_percentile(double value, const double *population, int count) {
  double below = 0;
  for (int i = 0; i < count; i++) below += population[i] < value ? 1 : population[i] == value ? 0.5 : 0;
  return count > 0 && !isnan(value) ? 100 * below / count : NAN;
}
