/* Drawing networks decision by decision from a policy: a softmax over the options of each, in the decisions' order.
 * Decisions of a skipped layer are not taken. With a reach, options after which no network within the budget is left
 * have probability 0. */
#ifndef SPN_SEARCH_POLICY_H
#define SPN_SEARCH_POLICY_H

#include "search/inquiry.h"
#include "search/reach.h"

typedef struct {
  int decision; /* of the list */
  int option;   /* taken */
  unsigned char allowed[SPN_MAX_OPTIONS];
} spn_policy_step;

/* One network as it was drawn. */
typedef struct {
  spn_choice choice;
  double log_probability; /* of all that was taken */
  int steps;
  spn_policy_step step[SPN_MAX_DECISIONS];
} spn_path;

/* The logits of the path's last step, whose option is not yet taken; those before it are. */
typedef void (*spn_policy_logits)(void *owner, const spn_path *path, double *logits);

/* Probabilities of n options; those not allowed have 0, and at least one is. */
void spn_policy_softmax(const double *logits, const unsigned char *allowed, int n, double *probability);

/* reach NULL: every option is allowed. greedy: always the most probable option, nothing is drawn. */
void spn_policy_draw(spn_inquiry *q, const spn_reach *reach, int greedy, spn_policy_logits logits, void *owner,
                     spn_path *out);

/* Running mean of rewards: the first value is the first reward. */
typedef struct {
  double mean;
  int begun;
} spn_baseline;
/* Moves the mean and returns how much better the reward is than it was before. */
double spn_baseline_advantage(spn_baseline *b, double decay, double reward);

#endif
