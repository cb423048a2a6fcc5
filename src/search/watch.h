/* A look at held-out images while a search goes on. */
#ifndef SPN_SEARCH_WATCH_H
#define SPN_SEARCH_WATCH_H

#include "search/indicators.h"
#include "search/method.h"

/* Scores the network that the indicators of the last step decided for, with the supernet's weights and batch-norm
 * statistics of their own, on held-out images: search.watch of them and as many training images, always the same ones.
 * Nothing that the search goes on with changes. out: no images where search.watch is 0 or fewer than a batch are held
 * out. A phase (core/phase.h). */
spn_status spn_watch(const spn_problem *problem, const spn_indicators *in, spn_score *out, spn_err *err);

#endif
