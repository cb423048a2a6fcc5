/* What can still be decided without passing a cost, and a network as a list of steps, each with its choices: what a
 * method takes that goes from step to step.
 *
 * Costs are worst costs (latency/limits.h). Where costs add up over layers a step is a layer, and the cheapest way to
 * complete a network is known for every beginning of one. With limits a few ways are tried: the cheapest of each cost,
 * and the network of the least worst cost. So what counts as possible is, and a way is left as long as there is a
 * network within the budget; options may count as impossible only where the costs disagree about which layers are
 * cheap. Where layers are tied together a step is a decision, and the completion of first options counts as the
 * cheapest: it is, where every further channel, layer, tap and ratio costs something. */
#ifndef SPN_SEARCH_REACH_H
#define SPN_SEARCH_REACH_H

#include "latency/limits.h"

enum { SPN_REACH_COSTS = 1 + SPN_MAX_LIMITS, SPN_REACH_WAYS = SPN_REACH_COSTS + 1 };

typedef struct {
  const spn_space *space;
  const spn_cost *cost;
  const spn_decisions *decisions;
  double high; /* no network may cost more; at least the least worst cost */
  int steps;
  /* Of additive costs: */
  const spn_cost *by[SPN_REACH_COSTS]; /* the main one, then the limits */
  int costs, ways;
  double after[SPN_REACH_WAYS][SPN_REACH_COSTS][SPN_MAX_LAYERS + 1]; /* [l]: what layers from l on cost, that way */
  struct {
    int count;
    spn_layer_choice choice[SPN_MAX_LAYER_CHOICES];
    double cost[SPN_REACH_COSTS][SPN_MAX_LAYER_CHOICES];
  } layer[SPN_MAX_LAYERS];
} spn_reach;

/* malloc'd; the caller frees. NULL: out of memory. What is pointed to must live as long. */
spn_reach *spn_reach_new(const spn_space *space, const spn_cost *cost, const spn_decisions *decisions, double high);

/* allowed[o]: whether option o of decision d, after the decisions before it as in `choice`, still leads to a network of
 * at most `high`. Returns how many do, at least 1: where none does, the cheapest option is allowed. */
int spn_reach_options(const spn_reach *reach, int d, const spn_choice *choice, unsigned char *allowed);

/* The worst cost that a network has at least, once its first `steps` steps are settled. */
double spn_reach_least(const spn_reach *reach, const spn_choice *choice, int steps);
/* How many choices a step has, given the steps before it; 1: nothing to choose. */
int spn_reach_choices(const spn_reach *reach, int step, const spn_choice *choice);
int spn_reach_taken(const spn_reach *reach, int step, const spn_choice *choice);
void spn_reach_take(const spn_reach *reach, int step, int which, spn_choice *choice);

#endif
