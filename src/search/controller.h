/* Steers lambda, the weight of the cost term, so that a search meets its target, and gives the terms themselves.
 * Plain numbers, all of them state: a checkpoint keeps the whole struct. */
#ifndef SPN_SEARCH_CONTROLLER_H
#define SPN_SEARCH_CONTROLLER_H

#include "train/choices.h"

/* ln R (Single-Path NAS, arXiv 1904.02877, without its factor), R/T, |R/T - 1| (TuNAS, arXiv 2008.06120), or
 * max(0, R/T - 1), and the derivative with respect to R. */
double spn_cost_term(spn_cost_form form, double r, double target, double *derivative);

typedef struct {
  double log_lambda;   /* integral part */
  double average_cost; /* running average of R */
} spn_controller;

/* lambda at which cross entropy and cost would pull equally, and R of the first step. */
void spn_controller_start(spn_controller *c, double lambda, double r);
/* One step: lambda for it. r: R of the decisions; soft_r: R with softened decisions, which falls while thresholds
 * travel towards a flip, where the hard R stands still, so that the integral does not wind up. aim: the cost to hold.
 * ramp: share (0 to 1) of lambda that counts so early; the integral stands still until it is 1. */
double spn_controller_step(spn_controller *c, double r, double soft_r, double aim, double ramp);

#endif
