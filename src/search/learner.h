/* What the gradient method learns with: indicators, their thresholds, and lambda. A step is
 *   spn_learner_decide; forward and backward of the supernet's graph; spn_learner_pull; the weights' optimiser;
 *   spn_learner_update.
 * It knows nothing of images, files or runs.
 *
 * The target is held in three ways, once the ramp after the warm-up is over (search.lambda < 0):
 * - Decisions are projected onto the budget in every step (spn_indicators_decide): what trains is always a network that
 *   meets it, or the nearest there is, and which one changes on evidence alone.
 * - lambda is solved for, not integrated: it is the price at which the thresholds' next step brings the softened cost a
 *   fiftieth nearer to the target. So x stays centred on the budget, and nothing winds up: the pull of the cross
 * entropy that is left is the one along networks of equal cost (projected gradient). Below 0, it is the price of not
 * falling short of the range: the cross entropy alone would choose a cheaper network.
 * - What the softened cost is off by, against the cost of the signs of x, is a running mean: with few or dear options
 *   half an option counts where none is decided on. */
#ifndef SPN_SEARCH_LEARNER_H
#define SPN_SEARCH_LEARNER_H

#include "search/cost_term.h"
#include "search/thresholds.h"
#include "train/settings.h"
#include "train/state.h"

typedef struct {
  spn_indicators *indicators;
  spn_threshold *threshold; /* one for each indicator */
  double lambda;            /* of the last step */
  double price;             /* lambda times the cost term's derivative: what a unit of cost adds to the loss */
  double started;           /* 1: the warm-up has ended */
  double offset;            /* running mean of the cost of the signs of x less the softened cost */
  double target;            /* cost */
  double cost_term;         /* of the last step, without lambda */
  double *grip;             /* one for each indicator: derivative of the softened cost with respect to x */
  const spn_settings *settings;
} spn_learner;

/* Reads search.* of the settings, which must live as long as the learner; net and cost are borrowed. */
spn_status spn_learner_create(spn_supernet *net, const spn_cost *cost, double target, const spn_settings *settings,
                              spn_learner **out, spn_err *err);
void spn_learner_free(spn_learner *t); /* NULL is allowed */

/* What a checkpoint keeps. */
void spn_learner_state(spn_learner *t, spn_state *s);

/* Opens the masks of a step; epoch counts from 0 and tells the warm-up from the search. SPN_ENOMEM. */
spn_status spn_learner_decide(spn_learner *t, uint64_t step, double epoch, spn_err *err);
/* After backward: gradients of thresholds, and those of weights through the statistics. The first call after the
 * warm-up starts the thresholds. */
void spn_learner_pull(spn_learner *t, double epoch);
/* Moves the thresholds (not in the warm-up). */
void spn_learner_update(spn_learner *t, double epoch);

/* Measures all gains anew with the weights as they are. pass(owner, i, err) runs forward and backward on batch i of
 * images that the weights have not seen. A layer's gain is taken net of those inside, so it is only gathered once these
 * have settled (after a quarter of the batches). first_step: number of the first batch's draws. */
typedef spn_status (*spn_judge_pass)(void *owner, uint64_t i, spn_err *err);
spn_status spn_learner_judge(spn_learner *t, uint64_t batches, uint64_t first_step, spn_judge_pass pass, void *owner,
                             spn_err *err);

#endif
