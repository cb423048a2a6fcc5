/* What can still be decided without passing a cost: costs add up over layers, so that the cheapest way to complete a
 * network is known for every beginning of one. */
#ifndef SPN_SEARCH_REACH_H
#define SPN_SEARCH_REACH_H

#include "latency/latency.h"

typedef struct {
  const spn_space *space;
  const spn_cost *cost;
  const spn_decisions *decisions;
  double high;                      /* no network may cost more; at least the cheapest network's cost */
  double after[SPN_MAX_LAYERS + 1]; /* [l]: the least that layers from l on cost */
  struct {
    int count;
    spn_layer_choice choice[SPN_MAX_LAYER_CHOICES];
    double cost[SPN_MAX_LAYER_CHOICES];
  } layer[SPN_MAX_LAYERS];
} spn_reach;

/* malloc'd; the caller frees. NULL: out of memory. What is pointed to must live as long. */
spn_reach *spn_reach_new(const spn_space *space, const spn_cost *cost, const spn_decisions *decisions, double high);

/* allowed[o]: whether option o of decision d, after the decisions before it as in `choice`, still leads to a network of
 * at most `high`. Returns how many do, at least 1 when the decisions before were taken from here. */
int spn_reach_options(const spn_reach *reach, int d, const spn_choice *choice, unsigned char *allowed);

#endif
