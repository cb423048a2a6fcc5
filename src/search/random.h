/* Random search's smallest form: one network drawn uniformly among those that meet the target. */
#ifndef SPN_SEARCH_RANDOM_H
#define SPN_SEARCH_RANDOM_H

#include "search/gradient.h"

/* Draws networks by (seed, number) until one costs between (1 - tolerance) x target and the target; writes arch.json.
 */
spn_status spn_search_random(spn_run *run, const spn_settings *s, const spn_space *space, const spn_cost *cost,
                             int classes, spn_search_result *out, spn_err *err);

#endif
