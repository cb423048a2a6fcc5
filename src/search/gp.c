#include "search/gp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct spn_gp {
  spn_gp_prior prior;
  int n, inputs;
  double mean, amplitude, log_likelihood;
  double *x;      /* (n, inputs) */
  double *lower;  /* (n, n): Cholesky factor of the covariance over the amplitude; the upper triangle is unused */
  double *weight; /* (n): that covariance's inverse times (y - mean) */
  double *room;   /* (n): scratch */
};

static const double PI = 3.14159265358979323846;
/* Added to the diagonal against rounding: far below any noise of the grid. */
static const double JITTER = 1e-10;
/* The amplitude of values that are all alike is not quite 0, so that what lies far from them is still less certain. */
static const double LEAST_AMPLITUDE = 1e-12;

static double covariance(const spn_gp_prior *p, const double *a, const double *b, int inputs) {
  double square = 0;
  for (int i = 0; i < inputs; i++) square += (a[i] - b[i]) * (a[i] - b[i]) / (p->length[i] * p->length[i]);
  double r = sqrt(5 * square);
  return (1 + r + r * r / 3) * exp(-r);
}

/* ---- Dense solving ---- */

/* A = L L^T in place, A (n, n) given by its lower triangle. Returns 0 where A is not positive definite. */
static int factorise(double *a, int n) {
  for (int j = 0; j < n; j++) {
    double *row = a + (size_t)j * (size_t)n;
    for (int k = 0; k < j; k++) row[j] -= row[k] * row[k];
    if (!(row[j] > 0)) return 0;
    row[j] = sqrt(row[j]);
    for (int i = j + 1; i < n; i++) {
      double *below = a + (size_t)i * (size_t)n;
      for (int k = 0; k < j; k++) below[j] -= below[k] * row[k];
      below[j] /= row[j];
    }
  }
  return 1;
}

/* L z = v, in place. */
static void solve_lower(const double *lower, int n, double *v) {
  for (int i = 0; i < n; i++) {
    const double *row = lower + (size_t)i * (size_t)n;
    for (int k = 0; k < i; k++) v[i] -= row[k] * v[k];
    v[i] /= row[i];
  }
}

/* L^T z = v, in place. */
static void solve_upper(const double *lower, int n, double *v) {
  for (int i = n - 1; i >= 0; i--) {
    for (int k = i + 1; k < n; k++) v[i] -= lower[(size_t)k * (size_t)n + (size_t)i] * v[k];
    v[i] /= lower[(size_t)i * (size_t)n + (size_t)i];
  }
}

/* ---- The posterior ---- */

/* Mean, amplitude and likelihood, by z = L^-1 y and o = L^-1 1. */
static void settle(spn_gp *g, const double *y) {
  double *ones = g->room;
  double cross = 0, square = 0, rest = 0, log_determinant = 0;
  size_t n = (size_t)g->n;
  for (size_t i = 0; i < n; i++) {
    ones[i] = 1;
    g->weight[i] = y[i];
  }
  solve_lower(g->lower, g->n, ones);
  solve_lower(g->lower, g->n, g->weight);
  for (size_t i = 0; i < n; i++) {
    cross += ones[i] * g->weight[i];
    square += ones[i] * ones[i];
    log_determinant += 2 * log(g->lower[i * n + i]);
  }
  g->mean = cross / square;
  for (size_t i = 0; i < n; i++) {
    g->weight[i] -= g->mean * ones[i];
    rest += g->weight[i] * g->weight[i];
  }
  solve_upper(g->lower, g->n, g->weight);
  g->amplitude = fmax(rest / g->n, LEAST_AMPLITUDE);
  g->log_likelihood = -0.5 * (g->n * log(2 * PI * g->amplitude) + log_determinant + rest / g->amplitude);
}

static spn_status condition(spn_gp *g, const double *y, spn_err *err) {
  size_t n = (size_t)g->n, inputs = (size_t)g->inputs;
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k <= i; k++)
      g->lower[i * n + k] = covariance(&g->prior, g->x + i * inputs, g->x + k * inputs, g->inputs) +
                            (i == k ? g->prior.noise + JITTER : 0);
  if (!factorise(g->lower, g->n))
    return spn_fail(err, SPN_ENUMERIC, "gaussian process: the covariance of %d points is not positive definite", g->n);
  settle(g, y);
  return SPN_OK;
}

spn_status spn_gp_create(const spn_gp_prior *prior, const double *x, const double *y, int n, int inputs, spn_gp **out,
                         spn_err *err) {
  size_t points = (size_t)n, numbers = points * (size_t)inputs;
  spn_gp *g = calloc(1, sizeof *g);
  if (g) {
    *g = (spn_gp){.prior = *prior, .n = n, .inputs = inputs};
    g->x = malloc(numbers * sizeof *g->x);
    g->lower = malloc(points * points * sizeof *g->lower);
    g->weight = malloc(points * sizeof *g->weight);
    g->room = malloc(points * sizeof *g->room);
  }
  spn_status status = SPN_OK;
  if (!g || !g->x || !g->lower || !g->weight || !g->room)
    status = spn_fail(err, SPN_ENOMEM, "gaussian process: out of memory");
  if (!status) {
    memcpy(g->x, x, numbers * sizeof *g->x);
    status = condition(g, y, err);
  }
  if (status) spn_gp_free(g);
  else *out = g;
  return status;
}

void spn_gp_free(spn_gp *g) {
  if (!g) return;
  free(g->x);
  free(g->lower);
  free(g->weight);
  free(g->room);
  free(g);
}

/* The deviation leaves out how uncertain the mean is, as is usual. */
void spn_gp_predict(const spn_gp *g, const double *x, double *mean, double *deviation) {
  double own = 1;
  size_t n = (size_t)g->n;
  *mean = g->mean;
  for (size_t i = 0; i < n; i++) {
    g->room[i] = covariance(&g->prior, x, g->x + i * (size_t)g->inputs, g->inputs);
    *mean += g->weight[i] * g->room[i];
  }
  solve_lower(g->lower, g->n, g->room);
  for (size_t i = 0; i < n; i++) own -= g->room[i] * g->room[i];
  *deviation = sqrt(g->amplitude * fmax(own, 0));
}

double spn_gp_log_likelihood(const spn_gp *g) { return g->log_likelihood; }

double spn_expected_improvement(double mean, double deviation, double best) {
  double ahead = mean - best;
  if (!(deviation > 0)) return fmax(ahead, 0);
  double z = ahead / deviation, below = 0.5 * erfc(-z / sqrt(2)), density = exp(-0.5 * z * z) / sqrt(2 * PI);
  return deviation * fmax(z * below + density, 0);
}

/* ---- Choosing the prior ---- */

/* Of a unit cube: from a function that one trial tells nothing about beyond a tenth of the range, to one that is almost
 * straight. Of the noise: from an answer that repeats itself to one that is as much chance as setting. The first of two
 * that are alike counts: the smoother, the noisier. */
static const double LENGTHS[] = {2.4, 1.2, 0.6, 0.3, 0.15};
static const double NOISES[] = {0.5, 0.1, 0.01, 1e-4};
#define LENGTH_OF(list) (sizeof(list) / sizeof *(list))

typedef struct {
  const double *x, *y;
  int n, inputs;
  spn_gp *best;
  int improved;
} fitting;

/* A prior that cannot be conditioned is passed over. */
static spn_status try_prior(fitting *f, const spn_gp_prior *prior, spn_err *err) {
  spn_gp *gp = NULL;
  spn_status status = spn_gp_create(prior, f->x, f->y, f->n, f->inputs, &gp, err);
  if (status) return status == SPN_ENUMERIC ? SPN_OK : status;
  int better = !f->best || gp->log_likelihood > f->best->log_likelihood;
  f->improved |= better;
  spn_gp_free(better ? f->best : gp);
  if (better) f->best = gp;
  return SPN_OK;
}

static spn_status try_noises(fitting *f, const spn_gp_prior *prior, spn_err *err) {
  spn_gp_prior p = *prior;
  for (size_t i = 0; i < LENGTH_OF(NOISES); i++) {
    p.noise = NOISES[i];
    SPN_TRY(try_prior(f, &p, err));
  }
  return SPN_OK;
}

static spn_status try_common(fitting *f, spn_err *err) {
  for (size_t l = 0; l < LENGTH_OF(LENGTHS); l++) {
    spn_gp_prior p;
    for (int i = 0; i < f->inputs; i++) p.length[i] = LENGTHS[l];
    SPN_TRY(try_noises(f, &p, err));
  }
  if (f->best) return SPN_OK;
  return spn_fail(err, SPN_ENUMERIC, "gaussian process: no covariance of %d points is positive definite", f->n);
}

static spn_status try_inputs(fitting *f, spn_err *err) {
  for (int i = 0; i < f->inputs; i++)
    for (size_t l = 0; l < LENGTH_OF(LENGTHS); l++) {
      spn_gp_prior p = f->best->prior;
      p.length[i] = LENGTHS[l];
      SPN_TRY(try_noises(f, &p, err));
    }
  return SPN_OK;
}

spn_status spn_gp_fit(const double *x, const double *y, int n, int inputs, spn_gp **out, spn_err *err) {
  fitting f = {.x = x, .y = y, .n = n, .inputs = inputs};
  spn_status status = try_common(&f, err);
  do {
    f.improved = 0;
    if (!status) status = try_inputs(&f, err);
  } while (!status && f.improved);
  if (status) spn_gp_free(f.best);
  else *out = f.best;
  return status;
}
