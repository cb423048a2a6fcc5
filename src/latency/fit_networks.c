/* The second half of a fit: factors of the classes of work from networks measured as a whole. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "latency/fit.h"
#include "latency/nnls.h"

/* What one measurement of a whole network is worth, relative: published figures have two or three digits. */
static const double NOISE = 0.02;

/* How far a class may lie from the common scale, relative (a standard deviation). Multiplying and reading inside a
 * convolution were measured by the thousand and differ between a block and a network by caches only. Additions and
 * pools have few entries of their own, the classifier one, whose runs spread by 40 % on the Pixel 1, and SE none. */
static const double FREEDOM[SPN_CLASSES] = {
    [SPN_CLASS_MACS] = 0.2, [SPN_CLASS_TRAFFIC] = 0.4,    [SPN_CLASS_WEIGHTS] = 0.4,
    [SPN_CLASS_TAPS] = 0.4, [SPN_CLASS_STEM] = 0.4,       [SPN_CLASS_MOVED] = 1.0,
    [SPN_CLASS_OPS] = 0.6,  [SPN_CLASS_CLASSIFIER] = 2.0, [SPN_CLASS_SE] = 2.0};

typedef struct {
  double share[SPN_CLASSES]; /* of the predicted sum, in units of the measured latency */
  double measured;
} network_row;

static void solve(const network_row *row, const int *use, int count, double *factor, double *covariance) {
  double gram[SPN_CLASSES * SPN_CLASSES] = {0}, moment[SPN_CLASSES] = {0}, sums = 0, squares = 0;
  for (int i = 0; i < count; i++) {
    const double *share = row[use[i]].share;
    double sum = 0;
    for (int a = 0; a < SPN_CLASSES; a++) {
      sum += share[a];
      moment[a] += share[a];
      for (int b = 0; b < SPN_CLASSES; b++) gram[a * SPN_CLASSES + b] += share[a] * share[b];
    }
    sums += sum;
    squares += sum * sum;
  }
  double scale = sums / squares; /* real = scale * sum */
  for (int c = 0; c < SPN_CLASSES; c++) {
    double pull = NOISE / (FREEDOM[c] * scale);
    gram[c * SPN_CLASSES + c] += pull * pull;
    moment[c] += pull * pull * scale;
  }
  spn_nnls(SPN_CLASSES, gram, moment, factor);
  if (!covariance) return;
  spn_inverse(SPN_CLASSES, gram, covariance);
  for (int i = 0; i < SPN_CLASSES * SPN_CLASSES; i++) covariance[i] *= NOISE * NOISE;
}

static double relative(const network_row *row, const double *factor) {
  double sum = 0;
  for (int c = 0; c < SPN_CLASSES; c++) sum += factor[c] * row->share[c];
  return sum;
}

/* The sums of every network by class, from the fit without factors. */
static spn_status rows_of(const spn_fit *fit, const spn_network_time *network, int count, network_row **out,
                          spn_err *err) {
  network_row *row = calloc((size_t)count, sizeof *row);
  spn_prediction *p = malloc(sizeof *p);
  for (int i = 0; row && p && i < count; i++) {
    spn_fit_predict(fit, &network[i].arch, p);
    row[i].measured = network[i].measured;
    for (int part = -1; part < p->parts; part++) {
      const spn_part_latency *one = part < 0 ? &p->rest : &p->latency[part];
      for (int c = 0; c < SPN_CLASSES; c++) row[i].share[c] += one->share[c] / network[i].measured;
    }
  }
  free(p);
  *out = row;
  if (row && p) return SPN_OK;
  free(row);
  return spn_fail(err, SPN_ENOMEM, "latency fit: out of memory");
}

static spn_status check_networks(const spn_network_time *network, int count, spn_err *err) {
  if (count < 1) return spn_fail(err, SPN_EINPUT, "latency fit: expected at least one measured network, got none");
  for (int i = 0; i < count; i++)
    if (!(network[i].measured > 0))
      return spn_fail(err, SPN_EINPUT, "network %s: expected a latency above 0, got %g", network[i].name,
                      network[i].measured);
  return SPN_OK;
}

/* Each network left out in turn. With one or two the noise of a measurement is all there is to say. */
static double left_out_error(const network_row *row, int count) {
  int use[SPN_MAX_NETWORKS];
  double squares = 0, factor[SPN_CLASSES];
  if (count < 3) return NOISE;
  for (int i = 0; i < count; i++) {
    int kept = 0;
    for (int k = 0; k < count; k++)
      if (k != i) use[kept++] = k;
    solve(row, use, kept, factor, NULL);
    double off = relative(&row[i], factor) - 1;
    squares += off * off;
  }
  return sqrt(squares / count);
}

spn_status spn_fit_calibrate(spn_fit *fit, const spn_network_time *network, int count, spn_err *err) {
  network_row *row;
  int use[SPN_MAX_NETWORKS];
  SPN_TRY(check_networks(network, count, err));
  SPN_TRY(rows_of(fit, network, count, &row, err));
  for (int i = 0; i < count; i++) use[i] = i;
  solve(row, use, count, fit->factor, fit->factor_covariance);
  fit->networks = count;
  fit->network_spread = left_out_error(row, count);
  free(row);
  return SPN_OK;
}

/* ---- Halves ---- */

/* So many halves are all looked at (15 networks have 6435); of more, so many at random. */
enum { MAX_HALVES = 8000 };

typedef struct {
  const network_row *row;
  int count, half;
  double *worst;
  spn_halves *out;
} study;

static void judge_half(study *s, const int *chosen) {
  int others[SPN_MAX_NETWORKS], left = 0, next = 0;
  double factor[SPN_CLASSES], predicted[SPN_MAX_NETWORKS], measured[SPN_MAX_NETWORKS];
  spn_agreement a;
  solve(s->row, chosen, s->half, factor, NULL);
  for (int i = 0; i < s->count; i++) {
    if (next < s->half && chosen[next] == i) next++;
    else others[left++] = i;
  }
  for (int i = 0; i < left; i++) {
    measured[i] = s->row[others[i]].measured;
    predicted[i] = measured[i] * relative(&s->row[others[i]], factor);
  }
  spn_agreement_of(predicted, measured, left, &a);
  s->worst[s->out->halves++] = a.worst;
  s->out->mape += a.mape;
  s->out->worst_mape = fmax(s->out->worst_mape, a.mape);
  s->out->worst = fmax(s->out->worst, a.worst);
  s->out->kendall += a.kendall;
  s->out->good += a.mape <= 0.03 && a.worst <= 0.08;
  s->out->least_kendall = fmin(s->out->least_kendall, a.kendall);
}

/* The next choice of `half` numbers below count in lexical order; 0 behind the last. */
static int next_choice(int *chosen, int half, int count) {
  int i = half - 1;
  while (i >= 0 && chosen[i] == count - half + i) i--;
  if (i < 0) return 0;
  chosen[i]++;
  for (int k = i + 1; k < half; k++) chosen[k] = chosen[k - 1] + 1;
  return 1;
}

/* A choice as a function of (seed 1, index): each number is taken with the probability that leaves all choices equal.
 */
static void random_choice(uint64_t index, int *chosen, int half, int count) {
  uint64_t seed = spn_rng_split(1, SPN_RNG_SAMPLE, index);
  for (int i = 0, taken = 0; i < count && taken < half; i++)
    if (spn_rng_below(seed, SPN_RNG_SAMPLE, (uint64_t)i, (uint64_t)(count - i)) < (uint64_t)(half - taken))
      chosen[taken++] = i;
}

static double choices(int half, int count) {
  double n = 1;
  for (int i = 1; i <= half; i++) n = n * (count - half + i) / i;
  return n;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

spn_status spn_fit_halves(const spn_fit *fit, const spn_network_time *network, int count, spn_halves *out,
                          spn_err *err) {
  int chosen[SPN_MAX_NETWORKS], more = 1;
  network_row *row;
  study s = {.count = count, .half = count / 2, .out = out};
  *out = (spn_halves){.least_kendall = 1, .all = choices(s.half, count) <= MAX_HALVES};
  SPN_TRY(check_networks(network, count, err));
  if (count < 4)
    return spn_fail(err, SPN_EINPUT, "expected at least 4 networks to judge one half by the other, got %d", count);
  SPN_TRY(rows_of(fit, network, count, &row, err));
  s.row = row;
  s.worst = malloc(sizeof *s.worst * MAX_HALVES);
  if (!s.worst) {
    free(row);
    return spn_fail(err, SPN_ENOMEM, "latency fit: out of memory");
  }
  for (int i = 0; i < s.half; i++) chosen[i] = i;
  while (more && out->halves < MAX_HALVES) {
    if (!out->all) random_choice((uint64_t)out->halves, chosen, s.half, count);
    judge_half(&s, chosen);
    if (out->all) more = next_choice(chosen, s.half, count);
  }
  out->mape /= out->halves;
  out->kendall /= out->halves;
  out->good /= out->halves;
  qsort(s.worst, (size_t)out->halves, sizeof *s.worst, ascending);
  out->typical_worst = s.worst[out->halves / 2];
  free(s.worst);
  free(row);
  return SPN_OK;
}
