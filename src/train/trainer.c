#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_write.h"
#include "model/network.h"
#include "train/finetune.h"
#include "train/machine.h"
#include "train/model_file.h"
#include "train/parting.h"
#include "train/regularise.h"
#include "train/steps.h"

/* Of the epoch under way, and of the best one. */
typedef struct {
  double epoch_loss, epoch_hits, epoch_images;
  double best_epoch, best_images, best_loss, best_top1, best_top5;
} train_numbers;

typedef struct {
  spn_steps walk;
  const spn_training *job;
  train_numbers n;
  spn_parting parting;
  spn_regulariser *regulariser; /* or NULL */
  spn_details *details;         /* of the test images; its confusion NULL: too many classes to look at */
  real *judged; /* what an epoch's end evaluates and saves: averaged weights with statistics of their own */
} trainer;

/* The averaged weights into t->judged. What is trained is left alone. */
static spn_status settle_weights(trainer *t, spn_err *err) {
  spn_graph *g = t->walk.graph;
  const real *from = t->walk.optimizer->ema ? t->walk.optimizer->ema : g->weights;
  memcpy(t->judged, from, g->param_elements * sizeof *from);
  size_t images = (size_t)t->walk.s->train_recalibrate;
  return images ? spn_recalibrate(g, t->judged, t->walk.data, t->walk.s, images, err) : SPN_OK;
}

static spn_status save_model(trainer *t, const char *name, const spn_score *score, spn_err *err) {
  char text[3][40];
  snprintf(text[0], sizeof text[0], "%lld", t->walk.s->run_seed);
  snprintf(text[1], sizeof text[1], score->images ? "%.6f" : "unknown", score->top1);
  snprintf(text[2], sizeof text[2], "%llu", (unsigned long long)(t->walk.step / t->walk.per_epoch));
  const char *facts[SPN_ORIGIN_FACTS + 7] = {"spnas.seed", text[0],        "spnas.holdout_top1",
                                             text[1],      "spnas.epochs", text[2]};
  spn_origin_text numbers;
  spn_origin_facts(t->job->origin, &numbers, facts + 6);
  return spn_model_save(spn_run_path(t->walk.run, name), t->walk.graph, t->judged, t->job->arch, t->walk.data, facts,
                        err);
}

static spn_status log_step(trainer *t, const spn_batch *batch, double decay, double lr, spn_err *err) {
  const spn_graph *g = t->walk.graph;
  spn_recorder *row = spn_run_row(t->walk.run, t->walk.step + 1);
  spn_row_number(row, "epoch", t->walk.epoch, 9);
  spn_row_number(row, "ce", g->loss, 9);
  spn_row_number(row, "weight_decay", decay, 9);
  spn_row_number(row, "lr", lr, 9);
  spn_row_number(row, "top1", (double)g->correct / batch->count, 6);
  return spn_row_end(row, err);
}

/* Loss and gradients of the batch. */
static spn_status pass(trainer *t, const spn_batch *batch, spn_err *err) {
  spn_graph *g = t->walk.graph;
  const float *images = batch->images;
  if (t->regulariser) SPN_TRY(spn_regulariser_apply(t->regulariser, batch, t->walk.step, &images, &g->targets, err));
  SPN_TRY(spn_graph_forward(g, images, batch->labels, batch->count, 1, err));
  SPN_TRY(spn_steps_check_finite(&t->walk, err));
  return spn_graph_backward(g, err);
}

static spn_status train_step(void *owner, const spn_batch *batch, spn_err *err) {
  trainer *t = owner;
  double lr = spn_learning_rate(t->walk.s, t->walk.epoch, (double)t->walk.s->train_epochs);
  spn_finetune_step(t->walk.s, t->walk.epoch, t->walk.graph, t->walk.optimizer);
  SPN_TRY(pass(t, batch, err));
  double decay = spn_optimizer_step(t->walk.optimizer, t->walk.graph, lr);
  t->n.epoch_loss += t->walk.graph->loss * batch->count;
  t->n.epoch_hits += t->walk.graph->correct;
  t->n.epoch_images += batch->count;
  return spn_steps_log_due(&t->walk) ? log_step(t, batch, decay, lr, err) : SPN_OK;
}

/* score: on the held-out images, or NULL. */
static spn_status log_epoch(trainer *t, double epoch, const spn_score *score, spn_err *err) {
  spn_recorder *row = spn_run_row(t->walk.run, t->walk.step);
  spn_row_number(row, "epoch_end", epoch, 9);
  spn_row_number(row, "train_loss", t->n.epoch_loss / t->n.epoch_images, 9);
  spn_row_number(row, "train_top1", t->n.epoch_hits / t->n.epoch_images, 6);
  spn_row_number(row, "holdout_loss", score ? score->loss : NAN, 9);
  spn_row_number(row, "holdout_top1", score ? score->top1 : NAN, 6);
  spn_row_number(row, "parted_epochs", t->parting.epochs, 6);
  return spn_row_end(row, err);
}

static void say_epoch(trainer *t, double epoch, const spn_score *score) {
  double loss = t->n.epoch_loss / t->n.epoch_images;
  int classes = t->walk.data->classes;
  char held_out[80] = "";
  if (score) snprintf(held_out, sizeof held_out, "; held out: loss %.3f, %.2f %%", score->loss, 100 * score->top1);
  spn_run_say(t->walk.run, "epoch %.0f: train loss %.3f, top-1 %.2f %%%s", epoch, loss,
              100 * t->n.epoch_hits / t->n.epoch_images, held_out);
  if (score && t->parting.epochs == SPN_PARTING_EPOCHS)
    spn_run_say(
        t->walk.run,
        "warning: held-out and training loss have parted (%.3f and %.3f; a guess among %d classes: %.3f; the best so "
        "far: %.3f): %s",
        score->loss, loss, classes, log(classes), t->parting.best,
        spn_parting_cause(&t->parting, loss, classes, t->walk.s->train_recalibrate > 0));
}

static spn_status keep_models(trainer *t, double epoch, const spn_score *score, int held_out, spn_err *err) {
  if (!held_out || score->top1 > t->n.best_top1 || !t->n.best_epoch) {
    t->n.best_epoch = epoch;
    t->n.best_images = (double)score->images;
    t->n.best_loss = score->loss;
    t->n.best_top1 = score->top1;
    t->n.best_top5 = score->top5;
    SPN_TRY(save_model(t, "best.safetensors", score, err));
  }
  return save_model(t, "last.safetensors", score, err);
}

/* Ends the walk where the best epoch lies train.patience epochs back. */
static void stop_early(trainer *t) {
  double epoch = (double)t->walk.step / (double)t->walk.per_epoch, patience = (double)t->walk.s->train_patience;
  if (patience < 1 || t->n.best_epoch < 1 || epoch < t->n.best_epoch + patience || t->walk.step == t->walk.steps)
    return;
  spn_run_say(t->walk.run, "stopped early: held-out accuracy has not risen for %g epochs (train.patience)", patience);
  t->walk.steps = t->walk.step;
}

/* Scores the epoch on the held-out images (the training images' own loss without them) and keeps the best weights. */
static spn_status end_epoch(void *owner, spn_err *err) {
  trainer *t = owner;
  double epoch = (double)(t->walk.step / t->walk.per_epoch);
  spn_score score = {.loss = t->n.epoch_loss / t->n.epoch_images, .top1 = t->n.epoch_hits / t->n.epoch_images};
  int held_out = spn_dataset_count(t->walk.data->set, SPN_SPLIT_HOLDOUT) > 0;
  SPN_TRY(settle_weights(t, err));
  if (held_out) {
    double train = score.loss;
    SPN_TRY(spn_evaluate(t->walk.graph, t->judged, t->walk.data, t->walk.s, SPN_SPLIT_HOLDOUT, &score, err));
    spn_parting_epoch(&t->parting, train, score.loss, t->walk.data->classes);
  }
  SPN_TRY(log_epoch(t, epoch, held_out ? &score : NULL, err));
  say_epoch(t, epoch, held_out ? &score : NULL);
  t->n.epoch_loss = t->n.epoch_hits = t->n.epoch_images = 0;
  SPN_TRY(keep_models(t, epoch, &score, held_out, err));
  stop_early(t);
  return SPN_OK;
}

static void list_state(void *owner, spn_state *s) {
  trainer *t = owner;
  spn_state_double(s, "epoch.loss", &t->n.epoch_loss);
  spn_state_double(s, "epoch.hits", &t->n.epoch_hits);
  spn_state_double(s, "epoch.images", &t->n.epoch_images);
  spn_state_double(s, "best.epoch", &t->n.best_epoch);
  spn_state_double(s, "best.images", &t->n.best_images);
  spn_state_double(s, "best.loss", &t->n.best_loss);
  spn_state_double(s, "best.top1", &t->n.best_top1);
  spn_state_double(s, "best.top5", &t->n.best_top5);
  spn_state_double(s, "parting.epochs", &t->parting.epochs);
  spn_state_double(s, "parting.best", &t->parting.best);
  spn_state_double(s, "parting.best_train", &t->parting.best_train);
}

static const spn_steps_hooks hooks = {.step = train_step, .end_epoch = end_epoch, .state = list_state};

enum { MAX_CONFUSION = 100 }; /* classes: ten thousand counts */

static void put_confusion(spn_json_writer *w, const trainer *t) {
  const int classes = t->walk.data->classes;
  spn_json_array(w, "classes", SPN_JSON_INLINE);
  for (int i = 0; i < classes; i++) spn_json_put_text(w, NULL, spn_dataset_class_name(t->walk.data->set, i));
  spn_json_end(w);
  spn_json_array(w, "confusion", SPN_JSON_LINES);
  for (int i = 0; i < classes; i++) {
    spn_json_array(w, NULL, SPN_JSON_INLINE);
    for (int k = 0; k < classes; k++) spn_json_put_integer(w, NULL, t->details->confusion[i * classes + k]);
    spn_json_end(w);
  }
  spn_json_end(w);
}

static spn_status write_result(const trainer *t, const spn_train_result *r, spn_err *err) {
  spn_json_writer w = {0};
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_json_put_integer(&w, "best_epoch", r->best_epoch);
  const int tested = r->test.images > 0; /* what there is no image for is null */
  spn_json_put_rounded(&w, "holdout_top1", r->best_holdout.images ? r->best_holdout.top1 : NAN, 6);
  spn_json_put_rounded(&w, "test_top1", tested ? r->test.top1 : NAN, 6);
  spn_json_put_rounded(&w, "test_top5", tested ? r->test.top5 : NAN, 6);
  spn_json_put_rounded(&w, "test_loss", tested ? r->test.loss : NAN, 9);
  spn_json_put_integer(&w, "test_images", (long long)r->test.images);
  spn_json_put_rounded(&w, "seconds", r->seconds, 6);
  if (tested && t->details->confusion) put_confusion(&w, t);
  spn_json_end(&w);
  return spn_json_save(&w, spn_run_path(t->walk.run, "result.json"), err);
}

static spn_status test(trainer *t, spn_score *out, spn_err *err) {
  const size_t classes = (size_t)t->walk.data->classes;
  t->details = calloc(1, sizeof *t->details);
  if (t->details && classes <= MAX_CONFUSION)
    t->details->confusion = calloc(classes * classes, sizeof *t->details->confusion);
  if (!t->details || (classes <= MAX_CONFUSION && !t->details->confusion))
    return spn_fail(err, SPN_ENOMEM, "training: out of memory for the counts of confused classes");
  SPN_TRY(spn_evaluate_closely(t->walk.graph, t->walk.data, t->walk.s, SPN_SPLIT_TEST, out, t->details, err));
  return spn_mistakes_save(&t->details->mistakes, t->walk.data, spn_run_path(t->walk.run, "mistakes.json"), err);
}

/* The best weights again, on the images that chose nothing. */
static spn_status final_test(trainer *t, spn_train_result *out, spn_err *err) {
  spn_model best;
  SPN_TRY(spn_model_load(spn_run_path(t->walk.run, "best.safetensors"), &best, err));
  spn_status status = spn_network_from_tensors(t->walk.graph, best.tensors, err);
  spn_model_free(&best);
  if (!status && !t->job->spare_test && spn_dataset_count(t->walk.data->set, SPN_SPLIT_TEST))
    status = test(t, &out->test, err);
  if (status) return status;
  out->seconds = spn_run_seconds(t->walk.run);
  return write_result(t, out, err);
}

static spn_status prepare(trainer *t, spn_err *err) {
  const spn_settings *s = t->walk.s;
  spn_network_options o;
  char note[512] = "";
  SPN_TRY(spn_options_choose(s, &o, err));
  if (s->train_patience && !spn_dataset_count(t->walk.data->set, SPN_SPLIT_HOLDOUT))
    return spn_fail(err, SPN_EINPUT, "train.patience: expected 0 where no images are held out (data.holdout), got %lld",
                    s->train_patience);
  o.drop_path = s->train_drop_path;
  SPN_TRY(spn_network_create(t->job->arch, &o, 0, &t->walk.graph, err));
  SPN_TRY(spn_regulariser_create(s, t->walk.data, t->job->arch, &t->regulariser, err));
  if (t->job->init) SPN_TRY(spn_model_start(t->walk.graph, t->job->init, t->walk.data, note, sizeof note, err));
  if (note[0]) spn_run_say(t->walk.run, "%s", note);
  SPN_TRY(spn_optimizer_create(t->walk.graph, s, &t->walk.optimizer, err));
  SPN_TRY(spn_finetune_begin(s, t->walk.graph, t->job->init != NULL, t->walk.optimizer, err));
  t->judged = calloc(t->walk.graph->param_elements + 16, sizeof *t->judged); /* kernels load whole vectors */
  if (!t->judged) return spn_fail(err, SPN_ENOMEM, "training: out of memory for a copy of the weights");
  SPN_TRY(spn_steps_open(&t->walk, (int)s->train_epochs, err));
  if (t->walk.step % t->walk.per_epoch == 0) stop_early(t); /* it had ended before this process resumed it */
  return SPN_OK;
}

spn_status spn_train(const spn_training *job, spn_train_result *out, spn_err *err) {
  trainer t = {.walk = {.run = job->run, .s = job->settings, .data = job->data, .hooks = &hooks, .owner = &t},
               .job = job};
  spn_status status = prepare(&t, err);
  if (!status) status = spn_steps_run(&t.walk, err);
  if (!status) {
    *out = (spn_train_result){
        .best_epoch = (int)t.n.best_epoch,
        .best_holdout = {
            .images = (size_t)t.n.best_images, .loss = t.n.best_loss, .top1 = t.n.best_top1, .top5 = t.n.best_top5}};
    status = final_test(&t, out, err);
  }
  spn_steps_close(&t.walk);
  free(t.judged);
  if (t.details) free(t.details->confusion);
  free(t.details);
  spn_regulariser_free(t.regulariser);
  spn_optimizer_free(t.walk.optimizer);
  spn_graph_free(t.walk.graph);
  return status;
}
