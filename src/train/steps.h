/* The walk that a search and a training share: batch after batch, with epochs, progress, checkpoints, stops and
 * resuming. */
#ifndef SPN_TRAIN_STEPS_H
#define SPN_TRAIN_STEPS_H

#include "graph/graph.h"
#include "input/input.h"
#include "train/data.h"
#include "train/optimizer.h"
#include "train/run.h"
#include "train/state.h"

typedef struct spn_steps spn_steps;

/* What differs. owner is the struct that holds the walk. */
typedef struct {
  /* One step: forward, backward, update. Writes what it learns to metrics.jsonl when spn_steps_log_due says so. */
  spn_status (*step)(void *owner, const spn_batch *batch, spn_err *err);
  /* Before the epoch's checkpoint. It may be stopped (SPN_ESTOPPED) as long as it has written nothing, and is then done
   * again, whole, by the process that resumes the run. */
  spn_status (*end_epoch)(void *owner, spn_err *err);
  void (*state)(void *owner, spn_state *s); /* lists what a checkpoint holds besides weights and optimiser */
  void (*describe)(const void *owner, spn_progress *p); /* adds to the progress line; or NULL */
} spn_steps_hooks;

struct spn_steps {
  spn_run *run;
  const spn_settings *s;
  const spn_data *data;
  spn_graph *graph;
  spn_optimizer *optimizer;
  const spn_steps_hooks *hooks;
  void *owner;
  /* filled by spn_steps_open */
  spn_loader *loader;
  uint64_t step, first_step, steps, per_epoch; /* done; where this process started; all */
  int epochs;
  int epoch_open; /* the steps of an epoch are done, its end is not */
  double epoch;   /* of the step under way: step / per_epoch */
};

/* Restores the newest checkpoint, if there is one, opens the training images where it stands and begins the run. The
 * fields above loader are the caller's; spn_steps_close frees none of them. */
spn_status spn_steps_open(spn_steps *t, int epochs, spn_err *err);
/* Walks to the end. SPN_ESTOPPED after a signal or run.max_steps, with a checkpoint of what is done. */
spn_status spn_steps_run(spn_steps *t, spn_err *err);
void spn_steps_close(spn_steps *t);
/* Whether the step under way is one that metrics.jsonl gets a line of. */
int spn_steps_log_due(const spn_steps *t);
/* Fails with SPN_ENUMERIC, naming the layer, when the loss of the last forward pass is not finite. */
spn_status spn_steps_check_finite(const spn_steps *t, spn_err *err);

#endif
