/* The optimiser of the indicators' thresholds, and what is known of their gradients' significance. */
#ifndef SPN_SEARCH_THRESHOLDS_H
#define SPN_SEARCH_THRESHOLDS_H

#include "search/indicators.h"

/* Of one threshold; all of it is state that a checkpoint keeps. */
typedef struct {
  double moment1, moment2, updates, observations; /* of spn_threshold_step */
  double sum, square, count;                      /* of dCE/dmask in this epoch */
  double last_mean;                               /* of dCE/dmask in the epoch before */
  double x_at_start;                              /* when the warm-up ended: what has not moved since is frozen */
} spn_threshold;

/* Adam (arXiv 1412.6980), with one change: the second moment is that of the cross entropy's gradient alone. The cost's
 * gradient is the same in every step; inside the second moment it would set the size of the update and drown the
 * evidence that tells one indicator from another. An indicator without a gradient (dropped) is left alone. */
void spn_threshold_step(spn_threshold *t, spn_indicator *n, double temperature, double rate);

/* Gathers a step's dCE/dmask; a mask that was dropped or not looked at adds nothing. */
void spn_threshold_gather(spn_threshold *t, const spn_indicator *n);
/* |mean| of this epoch's dCE/dmask in standard errors; 0 below two observations. */
double spn_threshold_significance(const spn_threshold *t);
void spn_threshold_end_epoch(spn_threshold *t);

#endif
