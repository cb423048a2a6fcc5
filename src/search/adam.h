/* Adam (arXiv 1412.6980) over a flat list of numbers, for the small models that search methods learn. */
#ifndef SPN_SEARCH_ADAM_H
#define SPN_SEARCH_ADAM_H

#include <stddef.h>

typedef struct {
  size_t count;
  double beta1; /* beta2 is 0.999 */
  double steps;
  double *moment1, *moment2; /* count each */
} spn_adam;

/* moments: 2 * count zeros that the caller owns. */
void spn_adam_init(spn_adam *a, size_t count, double beta1, double *moments);
/* Moves the weights by a step of at most about `rate` against the gradient. */
void spn_adam_step(spn_adam *a, double *weight, const double *gradient, double rate);

#endif
