/* What every search leaves: arch.json, the found network with its cost, counts and block strings. */
#ifndef SPN_SEARCH_OUTCOME_H
#define SPN_SEARCH_OUTCOME_H

#include "io/json_write.h"
#include "search/method.h"

/* Members of arch.json that only one method has; owner: the method's. */
typedef void (*spn_outcome_facts)(const void *owner, spn_json_writer *arch);

/* Writes arch.json into the run: decisions, cost, counts, block strings, the network as deployed and as trained on the
 * proxy, and the method's own facts (NULL: none). */
spn_status spn_outcome_write(const spn_problem *problem, const spn_search_result *r, spn_outcome_facts facts,
                             const void *owner, spn_err *err);

#endif
