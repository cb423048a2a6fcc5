/* What every search leaves: arch.json, the found network with its cost, counts and block strings. */
#ifndef SPN_SEARCH_OUTCOME_H
#define SPN_SEARCH_OUTCOME_H

#include "io/json_write.h"
#include "search/method.h"
#include "train/origin.h"

/* Members of arch.json that only one method has; owner: the method's. */
typedef void (*spn_outcome_facts)(const void *owner, spn_json_writer *arch);

/* Where the found network comes from, for its weight files. Its note says where the evidence is too little. */
void spn_outcome_origin(const spn_problem *problem, const spn_search_result *r, spn_origin *out);
/* SPN_EINPUT where the evidence is too little to name a network, unless search.force is set: says what is missing and
 * what to do. */
spn_status spn_outcome_require(const spn_problem *problem, const spn_search_result *r, spn_err *err);

/* Writes arch.json into the run: decisions, cost, counts, block strings, the network as deployed and as trained on the
 * proxy, and the method's own facts (NULL: none). */
spn_status spn_outcome_write(const spn_problem *problem, const spn_search_result *r, spn_outcome_facts facts,
                             const void *owner, spn_err *err);

#endif
