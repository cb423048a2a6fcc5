/* The optimiser of the indicators' thresholds, and what is known of their gradients' significance. */
#ifndef SPN_SEARCH_THRESHOLDS_H
#define SPN_SEARCH_THRESHOLDS_H

#include "search/indicators.h"

/* Of one threshold; all but the last step's is state that a checkpoint keeps. */
typedef struct {
  double moment1, moment2, updates, observations; /* of the cross entropy's pull */
  double sum, square, count;                      /* of dCE/dmask in this epoch */
  double x_at_start;                              /* when the warm-up ended: what has not moved since is frozen */
  /* of the last step, in Adam's units: what the cross entropy pushes, and what a price of 1 would add */
  double push, load;
} spn_threshold;

/* Adam (arXiv 1412.6980) on the cross entropy alone: moments, push and load. The cost's gradient is no random variable
 * and needs no moments; inside the second one it would set the size of the step and drown the evidence that tells one
 * indicator from another. Where nothing is known yet, and for an indicator that was dropped, both are 0; one whose
 * derivative is always 0 (an outer ring on images that are smaller than it) follows the cost alone. */
void spn_threshold_weigh(spn_threshold *t, const spn_indicators *in, int i);
/* Moves the threshold by rate times push + price * load, at most three times the size of a usual step. |x| stays below
 * `reach`: an indicator that has been sure for long must not need as long to change its mind. */
void spn_threshold_step(const spn_threshold *t, spn_indicator *n, double temperature, double rate, double price,
                        double reach);

/* The price at which the thresholds' next step changes the softened cost by `want`, in units of rate / temperature: the
 * sum over indicators of -grip[i] (its derivative with respect to x) times the step; or as nearly as the longest steps
 * allow. Below 0 where the cross entropy alone would bring it lower. */
double spn_thresholds_price(const spn_threshold *list, const double *grip, int count, double want);

/* Gathers a step's dCE/dmask; a mask that was dropped or not looked at adds nothing. */
void spn_threshold_gather(spn_threshold *t, const spn_indicator *n);
/* |mean| of this epoch's dCE/dmask in standard errors; 0 below two observations. */
double spn_threshold_significance(const spn_threshold *t);
void spn_threshold_end_epoch(spn_threshold *t);

#endif
