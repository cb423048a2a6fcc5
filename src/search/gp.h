/* Regression by a Gaussian process, for few points: what a costly function is believed to be where it was not asked. */
#ifndef SPN_SEARCH_GP_H
#define SPN_SEARCH_GP_H

#include "core/status.h"

enum { SPN_GP_INPUTS = 8 };

/* The prior: covariance amplitude * (matern(r) + noise at the same point), r^2 = sum over inputs of (difference /
 * length)^2, matern(r) = (1 + sqrt(5) r + 5 r^2 / 3) exp(-sqrt(5) r): Matern 5/2 (Rasmussen and Williams, Gaussian
 * Processes for Machine Learning, eq. 4.17), a constant mean. */
typedef struct {
  double length[SPN_GP_INPUTS];
  double noise; /* variance, as a share of the amplitude */
} spn_gp_prior;

typedef struct spn_gp spn_gp;

/* The posterior of n points x (n, inputs) with values y (n), copied. Mean and amplitude are those of the largest
 * likelihood, which are known in closed form. SPN_ENUMERIC: the covariance is not positive definite (points that are
 * alike, without noise). n >= 1, inputs at most SPN_GP_INPUTS. */
spn_status spn_gp_create(const spn_gp_prior *prior, const double *x, const double *y, int n, int inputs, spn_gp **out,
                         spn_err *err);
/* The same with the prior of the largest marginal likelihood, among a small grid for inputs that lie in [0, 1]: the
 * best common length, then one input's length (and the noise) after another until none changes. */
spn_status spn_gp_fit(const double *x, const double *y, int n, int inputs, spn_gp **out, spn_err *err);
void spn_gp_free(spn_gp *gp); /* NULL is allowed */

/* Mean and standard deviation of the function itself (without the noise) at x (inputs). One thread at a time. */
void spn_gp_predict(const spn_gp *gp, const double *x, double *mean, double *deviation);
double spn_gp_log_likelihood(const spn_gp *gp);

/* What a value with this mean and deviation is expected to add to `best` (Jones, Schonlau and Welch 1998, eq. 15):
 * E max(0, value - best). */
double spn_expected_improvement(double mean, double deviation, double best);

#endif
