/* A run folder: what a search or a training leaves behind, and how it stops and goes on.
 *   config.resolved.json  every setting          env.json       machine and versions
 *   metrics.jsonl         one object a line      checkpoints/   step-000123.safetensors, the last K
 *   events.out.tfevents.spnas   the same for TensorBoard, where run.tensorboard asks for it
 *   arch.json, *.safetensors, exports            as they are made */
#ifndef SPN_TRAIN_RUN_H
#define SPN_TRAIN_RUN_H

#include <stdint.h>

#include "core/status.h"
#include "core/phase.h"
#include "io/tensors.h"
#include "train/record.h"
#include "train/settings.h"

typedef struct spn_run spn_run;

/* Opens (resume: continues) a run folder and locks it. A folder that holds a run is refused without resume, one that
 * holds none with it; so are settings that a result depends on and that differ from the run's, by name. In `s` paths
 * become absolute and run.precision=auto is settled (train/machine.h). Nothing but the folder is made yet. */
spn_status spn_run_open(const char *folder, spn_settings *s, const char *command, int resume, int quiet, spn_run **out,
                        spn_err *err);
/* The run begins (goes on) behind `step`, now that everything that may be refused has been: config, environment and
 * metrics are written, metrics of later steps cut off, so that the file reads as if there had been no stop. Before the
 * first file, row or checkpoint; later calls do nothing. */
spn_status spn_run_begin(spn_run *run, uint64_t step, spn_err *err);
/* A new run that has not begun leaves nothing behind. */
void spn_run_close(spn_run *run);
/* Path of a file in the folder; valid until the fourth next call. */
const char *spn_run_path(spn_run *run, const char *name);

/* Begins a row of the metrics; the caller adds its fields and ends it (record.h). */
spn_recorder *spn_run_row(spn_run *run, uint64_t step);

/* Writes checkpoints/step-N and removes all but the last run.keep. The step is stored in the set's metadata. On failure
 * earlier checkpoints are untouched. */
spn_status spn_run_checkpoint(spn_run *run, uint64_t step, spn_tensors *set, spn_err *err);
/* The newest checkpoint that loads and passes its checksum, and its step; damaged ones are named on stderr, also when
 * quiet, and passed over. None at all: *out = NULL, step 0. SPN_EINPUT when there are some and none is whole. */
spn_status spn_run_restore(spn_run *run, uint64_t *step, spn_tensors **out, spn_err *err);

/* The file of a step's checkpoint; lives as spn_run_path's. */
const char *spn_run_checkpoint_path(spn_run *run, uint64_t step);

/* ---- Progress: one rewritten line on a terminal, a plain line every few seconds elsewhere, nothing when quiet. ----
 */
typedef struct {
  uint64_t step, steps; /* done and all */
  uint64_t first_step;  /* where this process started */
  double epoch, epochs, ce, accuracy;
  double cost, target; /* expected cost; target 0: no cost is shown */
  const char *unit;
  int batch;
} spn_progress;
void spn_run_progress(spn_run *run, const spn_progress *p, int last);
/* A message for people, on its own line, kept apart from the progress line. */
void spn_run_say(spn_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What must not be missed: also said when quiet. */
void spn_run_warn(spn_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
double spn_run_seconds(const spn_run *run); /* wall time of the command, from its start */

#endif
