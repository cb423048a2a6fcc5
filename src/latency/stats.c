#include "latency/stats.h"

#include <math.h>
#include <string.h>

/* Ranks among the values, ties at their mean. */
static double rank_of(const double *values, int count, double value) {
  int below = 0, equal = 0;
  for (int i = 0; i < count; i++) {
    below += values[i] < value;
    equal += values[i] == value;
  }
  return below + (equal + 1) / 2.0;
}

static double spearman(const double *a, const double *b, int count) {
  double mean = (count + 1) / 2.0, ab = 0, aa = 0, bb = 0;
  for (int i = 0; i < count; i++) {
    double ra = rank_of(a, count, a[i]) - mean, rb = rank_of(b, count, b[i]) - mean;
    ab += ra * rb;
    aa += ra * ra;
    bb += rb * rb;
  }
  return ab / sqrt(aa * bb);
}

static double kendall(const double *a, const double *b, int count) {
  double agree = 0, in_a = 0, in_b = 0;
  for (int i = 0; i < count; i++)
    for (int k = 0; k < i; k++) {
      int da = (a[i] > a[k]) - (a[i] < a[k]), db = (b[i] > b[k]) - (b[i] < b[k]);
      agree += da * db;
      in_a += da != 0;
      in_b += db != 0;
    }
  return agree / sqrt(in_a * in_b);
}

void spn_agreement_of(const double *predicted, const double *measured, int count, spn_agreement *out) {
  memset(out, 0, sizeof *out);
  out->count = count;
  for (int i = 0; i < count; i++) {
    double difference = predicted[i] - measured[i], relative = fabs(difference) / measured[i];
    out->rmse += difference * difference;
    out->mape += relative;
    out->worst = fmax(out->worst, relative);
    out->within += relative <= 0.1;
  }
  out->rmse = sqrt(out->rmse / count);
  out->mape /= count;
  out->within /= count;
  out->kendall = kendall(predicted, measured, count);
  out->spearman = spearman(predicted, measured, count);
}
