#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "model/network.h"
#include "train/environment.h"
#include "train/model_file.h"
#include "train/steps.h"

/* What a checkpoint holds besides the weights; doubles only, saved as they stand. */
typedef struct {
  double epoch_loss, epoch_hits, epoch_images; /* of the epoch under way */
  double best_epoch, best_images, best_loss, best_top1, best_top5;
} train_numbers;

typedef struct {
  spn_steps walk;
  const spn_arch *arch;
  train_numbers n;
} trainer;

static const real *final_weights(const trainer *t) {
  return t->walk.optimizer->ema ? t->walk.optimizer->ema : t->walk.graph->weights;
}

static spn_status save_model(trainer *t, const char *name, const spn_score *score, spn_err *err) {
  char text[3][40];
  snprintf(text[0], sizeof text[0], "%lld", t->walk.s->run_seed);
  snprintf(text[1], sizeof text[1], "%.6f", score->top1);
  snprintf(text[2], sizeof text[2], "%llu", (unsigned long long)(t->walk.step / t->walk.per_epoch));
  const char *facts[] = {"spnas.seed", text[0], "spnas.holdout_top1", text[1], "spnas.epochs", text[2], NULL};
  return spn_model_save(spn_run_path(t->walk.run, name), t->walk.graph, final_weights(t), t->arch, t->walk.data, facts,
                        err);
}

static spn_status train_step(void *owner, const spn_batch *batch, spn_err *err) {
  trainer *t = owner;
  double lr = spn_learning_rate(t->walk.s, t->walk.epoch, (double)t->walk.s->train_epochs);
  spn_graph_forward(t->walk.graph, batch->images, batch->labels, batch->count, 1);
  SPN_TRY(spn_steps_check_finite(&t->walk, err));
  spn_graph_backward(t->walk.graph);
  double decay = spn_optimizer_step(t->walk.optimizer, t->walk.graph, lr);
  t->n.epoch_loss += t->walk.graph->loss * batch->count;
  t->n.epoch_hits += t->walk.graph->correct;
  t->n.epoch_images += batch->count;
  if (!spn_steps_log_due(&t->walk)) return SPN_OK;
  return spn_run_metric(t->walk.run, t->walk.step + 1, err,
                        "\"epoch\": %.4f, \"ce\": %.9g, \"weight_decay\": %.9g, \"lr\": %.9g, "
                        "\"top1\": %.4f",
                        t->walk.epoch, t->walk.graph->loss, decay, lr, (double)t->walk.graph->correct / batch->count);
}

/* Scores the epoch on the held-out images (the training images' own loss without them) and keeps the best weights. */
static spn_status end_epoch(void *owner, spn_err *err) {
  trainer *t = owner;
  spn_run *run = t->walk.run;
  spn_score score = {.loss = t->n.epoch_loss / t->n.epoch_images, .top1 = t->n.epoch_hits / t->n.epoch_images};
  int held_out = spn_dataset_count(t->walk.data->set, SPN_SPLIT_HOLDOUT) > 0;
  if (held_out)
    SPN_TRY(spn_evaluate(t->walk.graph, final_weights(t), t->walk.data, t->walk.s, SPN_SPLIT_HOLDOUT, &score, err));
  double epoch = (double)(t->walk.step / t->walk.per_epoch);
  SPN_TRY(spn_run_metric(run, t->walk.step, err,
                         "\"epoch_end\": %.0f, \"train_loss\": %.9g, \"train_top1\": %.6f, \"holdout_loss\": %.9g, "
                         "\"holdout_top1\": %.6f",
                         epoch, t->n.epoch_loss / t->n.epoch_images, t->n.epoch_hits / t->n.epoch_images,
                         held_out ? score.loss : 0, held_out ? score.top1 : 0));
  char chosen[40] = "";
  if (held_out) snprintf(chosen, sizeof chosen, "; held out %.2f %%", 100 * score.top1);
  spn_run_say(run, "epoch %.0f: train loss %.3f, top-1 %.2f %%%s", epoch, t->n.epoch_loss / t->n.epoch_images,
              100 * t->n.epoch_hits / t->n.epoch_images, chosen);
  t->n.epoch_loss = t->n.epoch_hits = t->n.epoch_images = 0;
  if (!held_out || score.top1 > t->n.best_top1 || !t->n.best_epoch) {
    t->n.best_epoch = epoch;
    t->n.best_images = (double)score.images;
    t->n.best_loss = score.loss;
    t->n.best_top1 = score.top1;
    t->n.best_top5 = score.top5;
    SPN_TRY(save_model(t, "best.safetensors", &score, err));
  }
  return save_model(t, "last.safetensors", &score, err);
}

static const spn_steps_hooks hooks = {.step = train_step, .end_epoch = end_epoch};

/* The best weights again, on the images that chose nothing. */
static spn_status final_test(trainer *t, spn_train_result *out, spn_err *err) {
  spn_model best;
  SPN_TRY(spn_model_load(spn_run_path(t->walk.run, "best.safetensors"), &best, err));
  spn_status status = spn_network_from_tensors(t->walk.graph, best.tensors, 0, err);
  spn_model_free(&best);
  if (!status) status = spn_evaluate(t->walk.graph, NULL, t->walk.data, t->walk.s, SPN_SPLIT_TEST, &out->test, err);
  if (status) return status;
  char text[512];
  int n = snprintf(
      text, sizeof text,
      "{\n  \"best_epoch\": %d,\n  \"holdout_top1\": %.6f,\n  \"test_top1\": %.6f,\n  \"test_top5\": %.6f,\n"
      "  \"test_loss\": %.9g,\n  \"test_images\": %zu,\n  \"seconds\": %.1f\n}\n",
      out->best_epoch, out->best_holdout.top1, out->test.top1, out->test.top5, out->test.loss, out->test.images,
      out->seconds);
  return spn_file_write(spn_run_path(t->walk.run, "result.json"), text, (size_t)n, err);
}

static spn_status prepare(trainer *t, const spn_tensors *init, spn_err *err) {
  const spn_settings *s = t->walk.s;
  spn_network_options o;
  SPN_TRY(spn_options_choose(s, &o, err));
  SPN_TRY(spn_network_create(t->arch, &o, 0, &t->walk.graph, err));
  if (init) SPN_TRY(spn_network_from_tensors(t->walk.graph, init, 1, err));
  SPN_TRY(spn_optimizer_create(t->walk.graph, s, &t->walk.optimizer, err));
  return spn_steps_open(&t->walk, (int)s->train_epochs, err);
}

spn_status spn_train(spn_run *run, const spn_settings *s, const spn_arch *arch, const spn_data *data,
                     const spn_tensors *init, spn_train_result *out, spn_err *err) {
  trainer t = {.walk = {.run = run,
                        .s = s,
                        .data = data,
                        .numbers = (double *)&t.n,
                        .count = sizeof t.n / sizeof(double),
                        .hooks = &hooks,
                        .owner = &t},
               .arch = arch};
  spn_status status = prepare(&t, init, err);
  if (!status) status = spn_steps_run(&t.walk, err);
  if (!status) {
    *out = (spn_train_result){
        .best_epoch = (int)t.n.best_epoch,
        .seconds = spn_run_seconds(run),
        .best_holdout = {
            .images = (size_t)t.n.best_images, .loss = t.n.best_loss, .top1 = t.n.best_top1, .top5 = t.n.best_top5}};
    status = final_test(&t, out, err);
  }
  spn_steps_close(&t.walk);
  spn_optimizer_free(t.walk.optimizer);
  spn_graph_free(t.walk.graph);
  return status;
}
