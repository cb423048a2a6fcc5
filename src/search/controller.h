/* The controller of MnasNet (arXiv 1807.11626): an LSTM that emits the decisions of a space, and PPO's loss on what it
 * drew (arXiv 1707.06347). */
#ifndef SPN_SEARCH_CONTROLLER_H
#define SPN_SEARCH_CONTROLLER_H

#include "search/lstm.h"
#include "search/policy.h"

typedef struct {
  const spn_decisions *decisions; /* borrowed */
  spn_lstm *lstm;
  spn_lstm_trace *trace;
  double *dlogits, *scratch;
} spn_controller;

spn_status spn_controller_create(const spn_decisions *decisions, int hidden, uint64_t seed, spn_controller *out,
                                 spn_err *err);
void spn_controller_free(spn_controller *c);

/* spn_policy_logits of a controller, whose paths are drawn one after another. */
void spn_controller_logits(void *controller, const spn_path *path, double *logits);

typedef struct {
  double advantage, old_log_probability; /* of the path, when it was drawn */
  double clip, entropy;                  /* entropy: its weight */
  double share;                          /* of this path in the mean */
} spn_ppo;

/* share * (-min(r A, clip(r, 1 - clip, 1 + clip) A) - entropy * H), r: new over old probability of the whole path; adds
 * its gradient to the LSTM's. */
double spn_controller_loss(spn_controller *c, const spn_path *path, const spn_ppo *ppo);

#endif
