#include "train/steps.h"

#include <math.h>

/* ---- Checkpoints ---- */

static spn_status check_weights(const spn_steps *t, spn_err *err) {
  const spn_graph *g = t->graph;
  for (int i = 0; i < g->param_count; i++)
    for (size_t k = 0; k < g->params[i].size; k++)
      if (!isfinite(g->weights[g->params[i].offset + k]))
        return spn_fail(err, SPN_ENUMERIC,
                        "step %llu: %s holds NaN or infinity; no checkpoint is written over the last good one",
                        (unsigned long long)t->step, g->params[i].name);
  return SPN_OK;
}

/* Everything that the next step depends on. */
static void list_state(void *owner, spn_state *s) {
  spn_steps *t = owner;
  spn_state_floats(s, "weights", t->graph->weights, t->graph->param_elements);
  spn_optimizer_state(t->optimizer, s);
  t->hooks->state(t->owner, s);
}

static spn_status snapshot(spn_steps *t, spn_tensors **out, spn_err *err) {
  spn_tensors *set = spn_tensors_new();
  if (!set) return spn_fail(err, SPN_ENOMEM, "checkpoint: out of memory");
  spn_status status = spn_state_save(list_state, t, set, err);
  if (status) spn_tensors_free(set);
  else *out = set;
  return status;
}

static spn_status checkpoint(spn_steps *t, spn_err *err) {
  spn_tensors *set = NULL;
  SPN_TRY(check_weights(t, err));
  SPN_TRY(snapshot(t, &set, err));
  spn_status status = spn_run_checkpoint(t->run, t->step, set, err);
  spn_tensors_free(set);
  return status;
}

/* Of a checkpoint in whose epoch every step is done, but not what follows them. */
#define EPOCH_OPEN "spnas.epoch_open"

static spn_status restore(spn_steps *t, spn_err *err) {
  spn_tensors *set = NULL;
  SPN_TRY(spn_run_restore(t->run, &t->first_step, &set, err));
  t->step = t->first_step;
  if (!set) return SPN_OK;
  spn_status status = spn_state_load(list_state, t, set, spn_run_checkpoint_path(t->run, t->step), err);
  t->epoch_open = spn_tensors_meta(set, EPOCH_OPEN) != NULL;
  spn_tensors_free(set);
  if (!status) spn_run_say(t->run, "going on from step %llu", (unsigned long long)t->step);
  return status;
}

/* Where a stop cuts it short, the checkpoint holds what was before, and a resumed run ends the epoch first. */
static spn_status end_epoch(spn_steps *t, spn_err *err) {
  spn_tensors *before = NULL;
  spn_err failed;
  SPN_TRY(check_weights(t, err));
  SPN_TRY(snapshot(t, &before, err));
  spn_status status = t->hooks->end_epoch(t->owner, err);
  if (status == SPN_ESTOPPED && (spn_tensors_set_meta(before, EPOCH_OPEN, "1", &failed) ||
                                 spn_run_checkpoint(t->run, t->step, before, &failed))) {
    status = failed.code;
    if (err) *err = failed;
  }
  spn_tensors_free(before);
  t->epoch_open = status != SPN_OK;
  return status;
}

/* ---- The walk ---- */

spn_status spn_steps_open(spn_steps *t, int epochs, spn_err *err) {
  SPN_TRY(restore(t, err));
  SPN_TRY(spn_data_loader(t->data, t->s, SPN_SPLIT_TRAIN, 1, t->step, &t->loader, err));
  SPN_TRY(spn_run_begin(t->run, t->step, err));
  t->epochs = epochs;
  t->per_epoch = spn_loader_batches(t->loader);
  t->steps = t->per_epoch * (uint64_t)epochs;
  return SPN_OK;
}

void spn_steps_close(spn_steps *t) {
  if (t->loader) spn_loader_close(t->loader);
  t->loader = NULL;
}

int spn_steps_log_due(const spn_steps *t) {
  return (t->step + 1) % (uint64_t)t->s->run_log_steps == 0 || t->step + 1 == t->steps;
}

spn_status spn_steps_check_finite(const spn_steps *t, spn_err *err) {
  if (isfinite(t->graph->loss)) return SPN_OK;
  const char *where = spn_graph_find_bad(t->graph);
  return spn_fail(err, SPN_ENUMERIC,
                  "step %llu: %s holds NaN or infinity; the run stops and its last checkpoint is intact. "
                  "A lower optim.lr is the usual remedy",
                  (unsigned long long)t->step, where ? where : "the loss");
}

static spn_status one_step(spn_steps *t, spn_err *err) {
  spn_batch batch;
  int end = 0;
  SPN_TRY(spn_loader_next(t->loader, &batch, &end, err));
  t->epoch = (double)t->step / (double)t->per_epoch;
  t->graph->step = t->step;
  SPN_TRY(t->hooks->step(t->owner, &batch, err));
  t->step++;
  spn_progress p = {.step = t->step,
                    .steps = t->steps,
                    .first_step = t->first_step,
                    .ce = t->graph->loss,
                    .epoch = (double)t->step / (double)t->per_epoch,
                    .epochs = t->epochs,
                    .accuracy = (double)t->graph->correct / batch.count,
                    .batch = t->graph->batch};
  if (t->hooks->describe) t->hooks->describe(t->owner, &p);
  spn_run_progress(t->run, &p, t->step == t->steps);
  return SPN_OK;
}

static spn_status stopped(const spn_steps *t, spn_err *err) {
  return spn_fail(err, SPN_ESTOPPED, "stopped at step %llu of %llu", (unsigned long long)t->step,
                  (unsigned long long)t->steps);
}

static int stop_now(const spn_steps *t) {
  int enough = t->s->run_max_steps && t->step - t->first_step >= (uint64_t)t->s->run_max_steps;
  return t->step < t->steps && (spn_stop_requested() || enough);
}

spn_status spn_steps_run(spn_steps *t, spn_err *err) {
  if (t->epoch_open) {
    SPN_TRY(end_epoch(t, err));
    SPN_TRY(checkpoint(t, err));
  }
  if (stop_now(t)) return stopped(t, err); /* asked for before the first step: the checkpoint is there, if any */
  while (t->step < t->steps) {
    SPN_TRY(one_step(t, err));
    int epoch_done = t->step % t->per_epoch == 0;
    if (epoch_done) SPN_TRY(end_epoch(t, err));
    int due = t->s->run_checkpoint_steps && t->step % (uint64_t)t->s->run_checkpoint_steps == 0, stop = stop_now(t);
    if (epoch_done || due || stop || spn_checkpoint_requested()) SPN_TRY(checkpoint(t, err));
    if (stop) return stopped(t, err);
  }
  return SPN_OK;
}
