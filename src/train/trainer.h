/* Training one network to the end. */
#ifndef SPN_TRAIN_TRAINER_H
#define SPN_TRAIN_TRAINER_H

#include "model/arch.h"
#include "train/evaluate.h"
#include "train/run.h"

typedef struct {
  spn_score best_holdout; /* of the best epoch's averaged weights; zero without a held-out part */
  int best_epoch;
  spn_score test; /* best weights on the test images */
  double seconds;
} spn_train_result;

/* Trains arch on data with s's recipe, from scratch or from `init` (NULL; spn_model_start).
 * Writes checkpoints, best.safetensors, last.safetensors and result.json into the run. Continues the run's newest
 * checkpoint. SPN_ESTOPPED after a signal. */
spn_status spn_train(spn_run *run, const spn_settings *s, const spn_arch *arch, const spn_data *data,
                     const spn_tensors *init, spn_train_result *out, spn_err *err);

#endif
