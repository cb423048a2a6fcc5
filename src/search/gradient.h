/* Differentiable single-path search (Single-Path NAS, arXiv 1904.02877; SE: arXiv 1907.00959). */
#ifndef SPN_SEARCH_GRADIENT_H
#define SPN_SEARCH_GRADIENT_H

#include "latency/latency.h"
#include "model/space.h"
#include "train/evaluate.h"
#include "train/run.h"

typedef struct {
  spn_choice choice;
  double cost; /* exact table sum of the found network */
  double target;
  int within;                                  /* cost lies in the asked range */
  int flips;                                   /* decisions changed to meet it, against the plain decoding */
  spn_score inherited_holdout, inherited_test; /* with the supernet's weights, batch norm recalibrated */
  double images, seconds;                      /* processed; wall time */
} spn_search_result;

/* Searches; writes checkpoints, metrics, arch.json and inherited.safetensors into the run. Continues the run's newest
 * checkpoint. SPN_ESTOPPED after a signal. */
spn_status spn_search_gradient(spn_run *run, const spn_settings *s, const spn_space *space, const spn_cost *cost,
                               const spn_data *data, spn_search_result *out, spn_err *err);

/* The budget in cost units: search.target, or search.target_share of the dearest network. */
spn_status spn_search_target(const spn_settings *s, const spn_space *space, const spn_cost *cost, double *target,
                             spn_err *err);

#endif
