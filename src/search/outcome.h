/* What a search leaves: the found network cut out of the supernet, scored with inherited weights, and its files. */
#ifndef SPN_SEARCH_OUTCOME_H
#define SPN_SEARCH_OUTCOME_H

#include "model/supernet.h"
#include "search/gradient.h"

/* Cuts out->choice, recalibrates its batch norm, fills the inherited scores, writes inherited.safetensors and
 * arch.json. */
spn_status spn_outcome_write(spn_run *run, const spn_settings *s, const spn_supernet *net, const spn_data *data,
                             spn_search_result *out, spn_err *err);

/* arch.json: decisions, cost, counts, block strings, the network as deployed and as trained on the proxy; net (NULL: a
 * method without a supernet): its indicators and the inherited scores. */
spn_status spn_outcome_arch(spn_run *run, const spn_settings *s, const spn_space *space, const spn_cost *cost,
                            int classes, const spn_supernet *net, const spn_search_result *r, spn_err *err);

#endif
