/* The best network within a cost range where stages are decided as wholes (spn_space_coupled), for any gain of every
 * option: what spn_budget is where layers are independent. */
#ifndef SPN_SEARCH_STAGES_H
#define SPN_SEARCH_STAGES_H

#include "latency/chain.h"
#include "model/decisions.h"
#include "search/budget.h"
#include "search/path.h"

/* A unit is a layer, or a whole stage whose layers share their options. */
typedef struct {
  const spn_space *space; /* borrowed, as cost and chain */
  const spn_cost *cost;
  const spn_cost_chain *chain;
  spn_decisions decisions;
  spn_path path;
  int layer[SPN_MAX_UNITS];                /* of a unit: its first */
  spn_layer_choice *choice[SPN_MAX_UNITS]; /* (path.count): what that layer is; shortcut -1 where none can be */
} spn_stages;

/* Every option with its cost, gains 0. SPN_ENOMEM. */
spn_status spn_stages_new(const spn_space *space, const spn_cost *cost, const spn_cost_chain *chain, spn_stages **out,
                          spn_err *err);
void spn_stages_free(spn_stages *stages); /* NULL is allowed */

/* The layer of a network as a unit's option has it: shortcut -1 where no layer is there that could have one. */
spn_layer_choice spn_stages_layer(const spn_space *space, const spn_choice *choice, int layer);

/* As spn_budget_best. */
spn_status spn_stages_best(const spn_stages *stages, double low, double high, spn_budget_answer *out, spn_err *err);

#endif
