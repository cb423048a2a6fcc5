/* The cost term of a search's loss. */
#ifndef SPN_SEARCH_COST_TERM_H
#define SPN_SEARCH_COST_TERM_H

#include "train/choices.h"

/* ln R (Single-Path NAS, arXiv 1904.02877, without its factor), R/T, |R/T - 1| (TuNAS, arXiv 2008.06120), or
 * max(0, R/T - 1), and the derivative with respect to R. */
double spn_cost_term(spn_cost_form form, double r, double target, double *derivative);

#endif
