/* The evaluator without shared weights, as MnasNet has it (arXiv 1807.11626): every network that is asked for is
 * trained by itself on the training images for search.scratch_epochs, with the recipe of the settings' optim section,
 * and judged on the held-out ones. Each training is a run of its own in the search's folder (networks/CODE), so that
 * one which was stopped goes on. At the end the search.top best are trained for longer, and the best of them is the
 * answer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "search/evaluator.h"
#include "train/resume.h"
#include "train/schedule.h"
#include "train/trainer.h"

typedef struct {
  spn_choice choice;
  double accuracy; /* in the search */
  spn_score score; /* after the longer training, on held-out images */
} finalist;

typedef struct {
  const spn_problem *problem;
  spn_decisions decisions;
  spn_settings recipe; /* of a network in the search */
  finalist *list;      /* the best, once they are trained */
  size_t count;
  spn_images finals; /* what their training took */
} scratch;

static void close_scratch(void *own) {
  scratch *t = own;
  if (t) free(t->list);
  free(t);
}

/* The settings of one network's training. epochs 0: as a training has them by default. */
static spn_status make_recipe(const spn_problem *p, long long epochs, spn_settings *out, spn_err *err) {
  *out = *p->settings;
  out->train_epochs = epochs;
  out->train_patience = 0; /* every network takes the same images */
  out->run_max_steps = 0;
  out->run_keep = 1;
  out->optim_lr_warmup_epochs = -1; /* the search's is settled for a search's length */
  return spn_schedule_train(out, spn_dataset_count(p->data->set, SPN_SPLIT_TRAIN), err);
}

static spn_status open_scratch(const spn_problem *p, void **out, spn_err *err) {
  if (!spn_dataset_count(p->data->set, SPN_SPLIT_HOLDOUT))
    return spn_fail(err, SPN_EINPUT, "search.evaluator=scratch: expected held-out images to judge by (data.holdout)");
  scratch *t = calloc(1, sizeof *t);
  if (!t) return spn_fail(err, SPN_ENOMEM, "search: out of memory");
  t->problem = p;
  spn_decisions_of(p->space, &t->decisions);
  spn_status status = make_recipe(p, p->settings->search_scratch_epochs, &t->recipe, err);
  if (status) close_scratch(t);
  else *out = t;
  return status;
}

/* What a training processes: an epoch's end computes batch norm's statistics anew and walks the held-out images. */
static spn_images images_of(const scratch *t, const spn_settings *recipe) {
  const spn_dataset *set = t->problem->data->set;
  double epochs = (double)recipe->train_epochs, batch = (double)recipe->optim_batch;
  double steps = (double)spn_steps_per_epoch(recipe, spn_dataset_count(set, SPN_SPLIT_TRAIN));
  double norm = fmin(steps, ceil((double)recipe->train_recalibrate / batch)) * batch;
  double judged = (double)spn_dataset_count(set, SPN_SPLIT_HOLDOUT);
  return (spn_images){.trained = epochs * steps * batch, .evaluated = epochs * (norm + judged)};
}

static spn_price price(const void *own) {
  const scratch *t = own;
  spn_images each = images_of(t, &t->recipe);
  return (spn_price){.first = each, .each = each};
}

/* Only what was learnt of the network is worth its place on the disk. */
static void forget_weights(spn_run *run, const spn_settings *recipe, const spn_data *data) {
  uint64_t steps = spn_steps_per_epoch(recipe, spn_dataset_count(data->set, SPN_SPLIT_TRAIN));
  unlink(spn_run_path(run, "best.safetensors"));
  unlink(spn_run_path(run, "last.safetensors"));
  unlink(spn_run_checkpoint_path(run, steps * (uint64_t)recipe->train_epochs));
}

/* Trains a network in its folder, in which it goes on where it was stopped. keep: its weights stay. */
static spn_status train(scratch *t, const spn_choice *choice, const char *where, const spn_settings *recipe, int keep,
                        spn_score *out, spn_err *err) {
  const spn_problem *p = t->problem;
  spn_settings s = *recipe;
  spn_train_result result;
  spn_arch arch;
  spn_code code;
  spn_run *run;
  char folder[1024];
  spn_origin origin = {0};
  spn_space_arch(p->space, choice, 1, &arch);
  arch.classes = p->data->classes;
  spn_code_of(&t->decisions, choice, &code);
  snprintf(folder, sizeof folder, "%s/%s", spn_run_path(p->run, where), code.text);
  SPN_TRY(spn_run_open(folder, &s, "train", spn_run_exists(folder), 1, &run, err));
  spn_training job = {.run = run, .settings = &s, .arch = &arch, .data = p->data, .origin = &origin, .spare_test = 1};
  spn_status status = spn_train(&job, &result, err);
  if (!status && !keep) forget_weights(run, &s, p->data);
  if (!status) *out = result.best_holdout;
  spn_run_close(run);
  return status;
}

static spn_status answer(void *own, const spn_choice *choice, spn_answer *out, spn_images *images, spn_err *err) {
  scratch *t = own;
  spn_score score;
  spn_images took = images_of(t, &t->recipe);
  SPN_TRY(train(t, choice, "networks", &t->recipe, 0, &score, err));
  out->accuracy = score.top1;
  out->loss = score.loss;
  images->trained += took.trained;
  images->evaluated += took.evaluated;
  return SPN_OK;
}

/* ---- The end ---- */

/* Puts a network among the `most` best; of equal ones, and of the same one, the first stays ahead. */
static void place(scratch *t, const spn_evaluation *e, size_t most) {
  size_t at = t->count;
  for (size_t i = 0; i < t->count; i++)
    if (spn_choice_equal(&t->list[i].choice, &e->choice)) return;
  while (at > 0 && t->list[at - 1].accuracy < e->answer.accuracy) at--;
  if (at == most) return;
  if (t->count < most) t->count++;
  memmove(t->list + at + 1, t->list + at, (t->count - 1 - at) * sizeof *t->list);
  t->list[at] = (finalist){.choice = e->choice, .accuracy = e->answer.accuracy};
}

static spn_status choose_finalists(scratch *t, size_t most, spn_err *err) {
  const spn_problem *p = t->problem;
  spn_archive *archive;
  t->count = 0;
  t->list = calloc(most, sizeof *t->list);
  if (!t->list) return spn_fail(err, SPN_ENOMEM, "search.top: out of memory");
  SPN_TRY(spn_archive_open(spn_run_path(p->run, "archive.jsonl"), p->space, p->cost->unit, &archive, NULL, err));
  for (size_t i = 0; i < spn_archive_count(archive); i++) {
    const spn_evaluation *e = spn_archive_at(archive, i);
    if (spn_cost_worst(p->cost, &e->choice) <= p->target) place(t, e, most);
  }
  spn_archive_free(archive);
  return SPN_OK;
}

static spn_status train_finalists(scratch *t, spn_search_result *result, spn_err *err) {
  const spn_problem *p = t->problem;
  const finalist *best = NULL;
  spn_settings recipe;
  SPN_TRY(make_recipe(p, p->settings->train_epochs, &recipe, err));
  spn_images took = images_of(t, &recipe);
  for (size_t i = 0; i < t->count; i++) {
    finalist *f = &t->list[i];
    spn_run_say(p->run, "training number %zu of the search's best for %lld epochs", i + 1, recipe.train_epochs);
    SPN_TRY(train(t, &f->choice, "final", &recipe, 1, &f->score, err));
    if (!best || f->score.top1 > best->score.top1) best = f;
    t->finals.trained += took.trained;
    t->finals.evaluated += took.evaluated;
  }
  if (!best) return SPN_OK;
  result->choice = best->choice;
  result->cost = spn_cost_of(p->cost, &best->choice);
  double worst = spn_cost_worst(p->cost, &best->choice);
  result->within = worst >= p->low && worst <= p->target;
  result->images += t->finals.trained + t->finals.evaluated;
  return SPN_OK;
}

static spn_status finish(void *own, const spn_problem *p, spn_search_result *result, spn_err *err) {
  scratch *t = own;
  size_t most = (size_t)p->settings->search_top;
  if (!most) return SPN_OK;
  SPN_TRY(choose_finalists(t, most, err));
  return train_finalists(t, result, err);
}

static void put_facts(const void *own, const spn_search_result *result, spn_json_writer *w) {
  const scratch *t = own;
  spn_json_array(w, "finalists", SPN_JSON_LINES);
  for (size_t i = 0; i < t->count; i++) {
    const finalist *f = &t->list[i];
    spn_code code;
    spn_code_of(&t->decisions, &f->choice, &code);
    spn_json_object(w, NULL, SPN_JSON_INLINE);
    spn_json_put_text(w, "network", code.text);
    spn_json_put_number(w, "accuracy", f->accuracy);
    spn_json_put_number(w, "final_accuracy", f->score.top1);
    spn_json_end(w);
  }
  spn_json_end(w);
  spn_json_put_number(w, "finalists_images_trained", t->finals.trained);
  spn_json_put_number(w, "finalists_images_evaluated", t->finals.evaluated);
}

const spn_evaluator spn_evaluator_scratch = {
    .about = "every network trained by itself (search.scratch_epochs); the best then for longer (search.top)",
    .images = 1,
    .settled = 1,
    .open = open_scratch,
    .close = close_scratch,
    .answer = answer,
    .price = price,
    .finish = finish,
    .facts = put_facts};
