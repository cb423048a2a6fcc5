#include "search/controller.h"

#include <math.h>

double spn_cost_term(spn_cost_form form, double r, double target, double *derivative) {
  switch (form) {
    case SPN_COST_RATIO: *derivative = 1 / target; return r / target;
    case SPN_COST_DISTANCE: *derivative = (r >= target ? 1 : -1) / target; return fabs(r / target - 1);
    case SPN_COST_HINGE: *derivative = r > target ? 1 / target : 0; return r > target ? r / target - 1 : 0;
    default: *derivative = 1 / r; return log(r);
  }
}

/* lambda acts on thresholds, which move by a rate of about 0.01 a step over a distance of about 1: some hundred steps
 * lie between a change of lambda and its effect on R. */

/* e-folds of lambda a step and unit of log error: at the largest error lambda changes e-fold in 125 steps, no faster
 * than thresholds can follow. */
static const double INTEGRAL = 0.02;
/* Damps: an error of 10 % moves lambda at once by 10 %, as much as the integral does in 50 steps. */
static const double PROPORTIONAL = 1;
/* Of R's running average: 20 steps, so that single draws of dropout or exploration are not answered. */
static const double AVERAGE = 0.95;
/* Of the log error: a start far from the target (R at 1.5 times it or more) moves lambda no faster than this. */
static const double LIMIT = 0.4;

void spn_controller_start(spn_controller *c, double lambda, double r) {
  c->log_lambda = log(lambda);
  c->average_cost = r;
}

double spn_controller_step(spn_controller *c, double r, double soft_r, double aim, double ramp) {
  c->average_cost = AVERAGE * c->average_cost + (1 - AVERAGE) * r;
  double error = log(0.5 * (c->average_cost + soft_r) / aim);
  error = fmax(-LIMIT, fmin(LIMIT, error));
  if (ramp >= 1) c->log_lambda += INTEGRAL * error;
  return ramp * exp(c->log_lambda + PROPORTIONAL * error);
}
