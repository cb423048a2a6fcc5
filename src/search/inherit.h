/* The found network with a supernet's weights, for methods that have one. */
#ifndef SPN_SEARCH_INHERIT_H
#define SPN_SEARCH_INHERIT_H

#include "model/supernet.h"
#include "search/method.h"

/* Cuts out->choice out of the supernet, recalibrates its batch norm, scores it on the held-out and the test images and
 * writes inherited.safetensors into the run. Fills out's inherited scores and the evidence they are; SPN_EINPUT, with
 * nothing written, where the evidence is too little (spn_outcome_require). */
spn_status spn_inherit(const spn_problem *problem, const spn_supernet *net, spn_search_result *out, spn_err *err);

#endif
