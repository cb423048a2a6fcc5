#include "latency/nnls.h"

#include <math.h>
#include <string.h>

/* Share of a diagonal entry below which a pivot counts as zero: columns then depend on each other. */
static const double DEPENDENT = 1e-11;

/* Cholesky factor of the rows and columns in `set`; returns 0 when one depends on those before it. */
static int factor(int n, const double *a, const int *set, int count, double *l) {
  for (int i = 0; i < count; i++)
    for (int j = 0; j <= i; j++) {
      double sum = a[set[i] * n + set[j]];
      for (int k = 0; k < j; k++) sum -= l[i * count + k] * l[j * count + k];
      if (i > j) l[i * count + j] = sum / l[j * count + j];
      else if (sum <= DEPENDENT * a[set[i] * n + set[i]]) return 0;
      else l[i * count + i] = sqrt(sum);
    }
  return 1;
}

static void substitute(const double *l, int count, double *b) {
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < i; k++) b[i] -= l[i * count + k] * b[k];
    b[i] /= l[i * count + i];
  }
  for (int i = count - 1; i >= 0; i--) {
    for (int k = i + 1; k < count; k++) b[i] -= l[k * count + i] * b[k];
    b[i] /= l[i * count + i];
  }
}

/* Weights of the passive set without the bound; returns 0 when its columns depend on each other. */
static int solve(int n, const double *gram, const double *moment, const int *set, int count, double *out) {
  static _Thread_local double l[SPN_NNLS_MAX * SPN_NNLS_MAX];
  if (!factor(n, gram, set, count, l)) return 0;
  for (int i = 0; i < count; i++) out[i] = moment[set[i]];
  substitute(l, count, out);
  return 1;
}

/* The most promising column outside the set: the largest slope, per unit of the column's length. -1: none left. */
static int next_column(int n, const double *gram, const double *moment, const double *x, const int *barred) {
  int best = -1;
  double most = 0;
  for (int j = 0; j < n; j++) {
    double length = sqrt(gram[j * n + j]), slope = moment[j];
    if (barred[j] || !(length > 0)) continue;
    for (int k = 0; k < n; k++) slope -= gram[j * n + k] * x[k];
    slope /= length;
    if (slope > most && slope * length > 1e-10 * fabs(moment[j])) {
      most = slope;
      best = j;
    }
  }
  return best;
}

/* Moves x towards the unbounded weights as far as none gets negative; drops the columns that arrive at 0. */
static int step_inside(const double *wanted, double *x, int *set, int count, int *barred) {
  double share = 1;
  int kept = 0;
  for (int i = 0; i < count; i++)
    if (wanted[i] <= 0) share = fmin(share, x[set[i]] / (x[set[i]] - wanted[i]));
  for (int i = 0; i < count; i++) {
    int j = set[i], falls = wanted[i] <= 0 && x[j] / (x[j] - wanted[i]) <= share;
    x[j] = falls ? 0 : x[j] + share * (wanted[i] - x[j]);
    if (falls) barred[j] = 0;
    else set[kept++] = j;
  }
  return kept;
}

void spn_nnls(int n, const double *gram, const double *moment, double *x) {
  int set[SPN_NNLS_MAX] = {0}, count = 0, barred[SPN_NNLS_MAX] = {0};
  double wanted[SPN_NNLS_MAX];
  memset(x, 0, sizeof *x * (size_t)n);
  for (int round = 0; round < 10 * n; round++) {
    int column = next_column(n, gram, moment, x, barred);
    if (column < 0) return;
    set[count++] = column;
    barred[column] = 1;
    if (!solve(n, gram, moment, set, count, wanted)) { /* stays barred: others say the same */
      count--;
      continue;
    }
    for (;;) {
      int negative = 0;
      for (int i = 0; i < count; i++) negative |= wanted[i] <= 0;
      if (!negative) break;
      count = step_inside(wanted, x, set, count, barred);
      if (!count || !solve(n, gram, moment, set, count, wanted)) return;
    }
    for (int i = 0; i < count; i++) x[set[i]] = wanted[i];
  }
}

void spn_inverse(int n, const double *matrix, double *out) {
  static _Thread_local double l[SPN_NNLS_MAX * SPN_NNLS_MAX], ridged[SPN_NNLS_MAX * SPN_NNLS_MAX];
  int set[SPN_NNLS_MAX] = {0}, count = 0;
  double column[SPN_NNLS_MAX];
  memcpy(ridged, matrix, sizeof *matrix * (size_t)(n * n));
  memset(out, 0, sizeof *out * (size_t)(n * n));
  for (int i = 0; i < n; i++) {
    ridged[i * n + i] *= 1 + 1e-9;
    if (matrix[i * n + i] > 0) set[count++] = i;
  }
  if (!factor(n, ridged, set, count, l)) return;
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < count; k++) column[k] = k == i;
    substitute(l, count, column);
    for (int k = 0; k < count; k++) out[set[i] * n + set[k]] = column[k];
  }
}
