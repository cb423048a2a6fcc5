/* What a network with given weights scores on held-out images. */
#ifndef SPN_SEARCH_SCORE_H
#define SPN_SEARCH_SCORE_H

#include "search/archive.h"
#include "search/batches.h"
#include "search/method.h"

/* The kept images of search.norm_images and search.score_images. SPN_EINPUT: nothing is held out. */
spn_status spn_score_load(const spn_problem *problem, spn_batches *norm, spn_batches *score, spn_err *err);

/* Batch-norm statistics by plain averages over the first batches, with the masks as they are; then accuracy and loss
 * on the others. The running statistics are those of this network afterwards. */
spn_status spn_score_network(spn_graph *g, const spn_batches *norm, const spn_batches *score, spn_answer *out,
                             spn_err *err);

#endif
