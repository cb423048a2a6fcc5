/* Training one network to the end. */
#ifndef SPN_TRAIN_TRAINER_H
#define SPN_TRAIN_TRAINER_H

#include "model/arch.h"
#include "train/evaluate.h"
#include "train/origin.h"
#include "train/run.h"

typedef struct {
  spn_run *run;
  const spn_settings *settings;
  const spn_arch *arch;
  const spn_data *data;
  const spn_tensors *init;  /* weights to start from: those of equal name and shape are taken; NULL: from scratch */
  const spn_origin *origin; /* what the weight files say about where the network is from */
  int spare_test;           /* the test images are not looked at: for trainings that something is chosen by */
} spn_training;

typedef struct {
  spn_score best_holdout; /* of the best epoch's averaged weights; zero without a held-out part */
  int best_epoch;
  spn_score test; /* best weights on the test images */
  double seconds;
} spn_train_result;

/* Trains a network with the settings' recipe. Writes checkpoints, best.safetensors, last.safetensors and result.json
 * into the run. Continues the run's newest checkpoint. SPN_ESTOPPED after a signal. */
spn_status spn_train(const spn_training *job, spn_train_result *out, spn_err *err);

#endif
