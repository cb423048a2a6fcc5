/* What can still be decided without passing a cost, and a network as a list of steps, each with its choices: what a
 * method takes that goes from step to step.
 *
 * Where costs add up over layers a step is a layer, and the cheapest way to complete a network is known for every
 * beginning of one. Where layers are tied together a step is a decision, and the completion of first options counts as
 * the cheapest: it is, where every further channel, layer, tap and ratio costs something. */
#ifndef SPN_SEARCH_REACH_H
#define SPN_SEARCH_REACH_H

#include "latency/latency.h"

typedef struct {
  const spn_space *space;
  const spn_cost *cost;
  const spn_decisions *decisions;
  double high; /* no network may cost more; at least the cheapest network's cost */
  int steps;
  /* Of an additive cost: */
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
 * at most `high`. Returns how many do, at least 1: where none does, the cheapest option is allowed. */
int spn_reach_options(const spn_reach *reach, int d, const spn_choice *choice, unsigned char *allowed);

/* What a network costs at least, once its first `steps` steps are settled. */
double spn_reach_least(const spn_reach *reach, const spn_choice *choice, int steps);
/* How many choices a step has, given the steps before it; 1: nothing to choose. */
int spn_reach_choices(const spn_reach *reach, int step, const spn_choice *choice);
int spn_reach_taken(const spn_reach *reach, int step, const spn_choice *choice);
void spn_reach_take(const spn_reach *reach, int step, int which, spn_choice *choice);

#endif
