/* The best network within a budget, for any gain of every option of every layer: what a search method that values
 * options apart needs at its end. A budget is a range of a network's worst cost (latency/limits.h): the main cost and
 * what each limited one counts as. */
#ifndef SPN_SEARCH_BUDGET_H
#define SPN_SEARCH_BUDGET_H

#include "latency/limits.h"
#include "model/decisions.h"

typedef struct {
  spn_layer_choice choice;
  double cost, gain;
} spn_layer_option;

/* A further additive cost: its sum counts as target * (sum / high) in the main one. */
typedef struct {
  double rest, high, target;
  double cost[SPN_MAX_LAYERS][SPN_MAX_LAYER_CHOICES];
} spn_budget_limit;

/* A space's layers with what each option costs and brings. */
typedef struct {
  double rest;    /* cost besides the layers */
  long max_nodes; /* partial networks that are looked at before an answer counts as not exact; 0: 20 million, seconds */
  int steps;      /* of the table of rounded costs; 0: 20000. Fewer are quicker and bound less tightly */
  int layers, count[SPN_MAX_LAYERS];
  spn_layer_option option[SPN_MAX_LAYERS][SPN_MAX_LAYER_CHOICES];
  int limits;
  spn_budget_limit limit[SPN_MAX_LIMITS];
} spn_budget;

typedef enum {
  SPN_BUDGET_MET,   /* low <= worst cost <= high */
  SPN_BUDGET_BELOW, /* nothing was found in the range: the best of the next ones below it */
  SPN_BUDGET_ABOVE  /* every network costs more than high: the one whose worst cost is least */
} spn_budget_outcome;

typedef struct {
  spn_choice choice;
  double cost;  /* = spn_cost_of, to the last bit */
  double worst; /* = spn_cost_worst, to the last bit */
  double gain;
  double bound; /* no network of the range asked for has a larger gain; = gain where the answer is exact */
  spn_budget_outcome outcome;
} spn_budget_answer;

/* Every option of the space with its cost and limited costs, gains 0 (malloc'd; the caller frees; NULL: out of memory).
 */
spn_budget *spn_budget_new(const spn_space *space, const spn_cost *cost);

/* The network of the largest sum of gains among those whose worst cost lies between low and high (low may be
 * -INFINITY).
 *
 * Exact, but for differences in gain under 1e-9 of the largest sum and costs closer than 1e-15 of the dearest network
 * (their rounding), which count as equal: a depth-first search over the layers, bounded by what the remaining layers
 * can add at most, which tables over finely rounded costs tell (rounded so that they never promise too little). There
 * is a table for each cost, and where several of them bind one more for their weighted sum, with the weights of
 * Lagrange's dual. Where max_nodes are not enough (ranges far narrower than the table's rounding, several costs that
 * disagree about what is dear) the best so far is returned, and `bound` says how much may be missing.
 *
 * Where no network lies in the range it is widened downward, to twice its width (at least 1e-6 of high) again and
 * again, until one does (SPN_BUDGET_BELOW). Where every network costs more than high, the one of the least worst cost
 * is the answer (SPN_BUDGET_ABOVE). SPN_EINPUT: low > high or not a number, a gain that is not finite. SPN_ENOMEM. */
spn_status spn_budget_best(const spn_budget *budget, double low, double high, spn_budget_answer *out, spn_err *err);

/* The network of the least worst cost, whatever its gain; `bound` is its gain. Exact with one cost, and with several
 * unless 2 million partial networks are not enough. SPN_ENOMEM. */
spn_status spn_budget_least(const spn_budget *budget, spn_budget_answer *out, spn_err *err);

#endif
