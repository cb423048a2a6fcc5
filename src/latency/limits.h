/* What a network must keep besides the budget of its cost: upper limits of further costs, of other devices, of
 * parameters, of MACs. The cost and its limits are one number, the worst of them: a cost of half its limit counts as
 * half of the target. So a network keeps all where the worst is at most the target, and uses them where the worst is
 * near to it. */
#ifndef SPN_LATENCY_LIMITS_H
#define SPN_LATENCY_LIMITS_H

#include "latency/latency.h"

enum { SPN_MAX_LIMITS = 6 };

typedef struct spn_cost_limit {
  spn_cost cost; /* additive or of whole networks, as the main one; without limits of its own */
  double high;   /* no network may cost more; > 0 */
  int follows;   /* high is the main cost's target */
  double target; /* of the main cost, what `high` counts as; 0 until there is a budget: the limit counts nothing */
  struct spn_cost_limit *next;
} spn_cost_limit;

/* Adds a limit as users write one, "params <= 4.5", "params <= 60%" of the dearest network, or a name alone for the
 * main cost's target in its unit. load(owner, name, space, out, err) loads the cost. SPN_EINPUT. */
typedef spn_status (*spn_cost_loader)(const void *owner, const char *name, const spn_space *space, spn_cost *out,
                                      spn_err *err);
spn_status spn_limits_add(spn_cost *cost, const char *text, const spn_space *space, spn_cost_loader load,
                          const void *owner, spn_err *err);
void spn_limits_free(spn_cost_limit *limits);

/* What a limited cost counts as in the main one. */
static inline double spn_limit_counts(double cost, double high, double target) { return target * (cost / high); }

/* The main cost or what a limited one counts as, whichever is more. Without limits spn_cost_of, to the last bit. */
double spn_cost_worst(const spn_cost *cost, const spn_choice *choice);
int spn_limits_count(const spn_cost *cost);

#endif
