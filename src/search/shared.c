/* The evaluator of shared weights: one supernet, whose masks give every network (model/supernet.h), trained while it is
 * asked. Before the first answer it warms up on random networks, with options opened at random besides (TuNAS, arXiv
 * 2008.06120, "op warmup"): in each step every decision takes its largest option with a probability that falls from 1
 * to 0. Then each question trains its network for a few steps, recomputes the batch-norm statistics under its masks, on
 * training images, and scores it on held-out ones. Both kinds of images are decoded once and stay in memory; an answer
 * makes no graph and opens no loader.
 *
 * Half of the budget is the warm-up: answers mean nothing before the weights have learnt, and what training a search
 * does later is little beside its scoring. */
#include <math.h>
#include <stdlib.h>

#include "core/rng.h"
#include "core/phase.h"
#include "search/batches.h"
#include "search/evaluator.h"
#include "search/inherit.h"
#include "train/machine.h"
#include "train/optimizer.h"

typedef struct {
  const spn_problem *problem;
  spn_decisions decisions;
  spn_supernet *net;
  spn_optimizer *optimizer;
  spn_loader *loader; /* of training images, from `step` on */
  spn_batches score, norm;
  uint64_t step, done;         /* training steps; evaluations, as a checkpoint has them */
  uint64_t first_step;         /* where this process began */
  uint64_t warmup, steps;      /* of the warm-up; expected of the whole search, for the learning rate */
  double images_of_evaluation; /* forward only */
  spn_settings recipe;         /* of the weights' training */
} shared;

/* ---- Training ---- */

/* A random network, with every decision at its largest option with probability `open`. */
static void warmup_network(const shared *t, double open, spn_choice *out) {
  uint64_t seed = spn_rng_split((uint64_t)t->problem->settings->run_seed, SPN_RNG_METHOD, ~t->step);
  spn_choice_random(t->problem->space, seed, 0, out);
  for (int i = 0; i < t->decisions.count; i++) {
    const spn_decision *d = &t->decisions.list[i];
    if (spn_rng_uniform(seed, SPN_RNG_METHOD, (uint64_t)i) < open)
      spn_decision_set(t->problem->space, d, d->options - 1, out);
  }
}

/* Where the training stands on the schedule of the settings, which is stretched to its length. */
static double epoch_of(const shared *t) {
  return (double)t->problem->settings->search_epochs * fmin(1, (double)t->step / (double)t->steps);
}

static void show(const shared *t, const spn_batch *batch) {
  const spn_graph *g = t->net->graph;
  spn_progress p = {.step = t->step,
                    .steps = t->steps > t->step ? t->steps : t->step,
                    .first_step = t->first_step,
                    .ce = g->loss,
                    .epoch = epoch_of(t),
                    .epochs = (double)t->problem->settings->search_epochs,
                    .accuracy = (double)g->correct / batch->count,
                    .batch = g->batch};
  if (t->problem->run) spn_run_progress(t->problem->run, &p, 0);
}

/* A line of metrics.jsonl: cross entropy apart from weight decay, and the cost of the network that was trained. */
static spn_status log_step(const shared *t, const spn_choice *choice, double lr, double decay, spn_err *err) {
  const spn_settings *s = t->problem->settings;
  const spn_graph *g = t->net->graph;
  if (!t->problem->run || (t->step + 1) % (uint64_t)s->run_log_steps) return SPN_OK;
  spn_recorder *row = spn_run_row(t->problem->run, t->step + 1);
  spn_row_number(row, "epoch", epoch_of(t), 9);
  spn_row_number(row, "ce", g->loss, 9);
  spn_row_number(row, "cost", spn_cost_of(t->problem->cost, choice), 9);
  spn_row_number(row, "weight_decay", decay, 9);
  spn_row_number(row, "lr", lr, 9);
  spn_row_number(row, "top1", (double)g->correct / g->batch, 6);
  return spn_row_end(row, err);
}

static spn_status train_step(shared *t, const spn_choice *choice, spn_err *err) {
  spn_graph *g = t->net->graph;
  spn_batch batch;
  int end = 0;
  SPN_TRY(spn_loader_next(t->loader, &batch, &end, err));
  spn_supernet_set(t->net, choice);
  g->step = t->step;
  SPN_TRY(spn_graph_forward(g, batch.images, batch.labels, batch.count, 1, err));
  if (!isfinite(g->loss))
    return spn_fail(err, SPN_ENUMERIC,
                    "training step %llu: the loss is NaN or infinity; a lower search.shared_lr is the usual remedy",
                    (unsigned long long)t->step);
  SPN_TRY(spn_graph_backward(g, err));
  double lr = spn_learning_rate(&t->recipe, epoch_of(t), (double)t->recipe.search_epochs);
  double decay = spn_optimizer_step(t->optimizer, g, lr);
  SPN_TRY(log_step(t, choice, lr, decay, err));
  t->step++;
  show(t, &batch);
  return SPN_OK;
}

static spn_status save(void *own, spn_run *run, size_t done, spn_err *err);

static spn_status warm_up(shared *t, spn_err *err) {
  uint64_t most = (uint64_t)t->problem->settings->run_max_steps;
  while (t->step < t->warmup) {
    spn_choice choice;
    int stop = spn_stop_requested() || (most && t->step - t->first_step >= most);
    if (t->problem->run && (stop || spn_checkpoint_requested())) SPN_TRY(save(t, t->problem->run, 0, err));
    if (stop)
      return spn_fail(err, SPN_ESTOPPED, "stopped at step %llu of the warm-up's %llu", (unsigned long long)t->step,
                      (unsigned long long)t->warmup);
    warmup_network(t, 1 - (double)t->step / (double)t->warmup, &choice);
    SPN_TRY(train_step(t, &choice, err));
  }
  return SPN_OK;
}

/* ---- Answers ---- */

/* Batch-norm statistics of the network whose masks are open: the plain average over the kept training images. */
static spn_status measure_norm(shared *t, spn_err *err) {
  spn_graph *g = t->net->graph;
  spn_status status = SPN_OK;
  for (size_t i = 0; i < t->norm.count && !status; i++) {
    g->norm_momentum = (double)i / (double)(i + 1);
    status = spn_graph_forward(g, t->norm.batch[i].pixels, NULL, t->norm.batch[i].count, 1, err);
  }
  g->norm_momentum = -1;
  return status;
}

static spn_status score(shared *t, spn_answer *out, spn_err *err) {
  spn_graph *g = t->net->graph;
  double loss = 0, hits = 0;
  for (size_t i = 0; i < t->score.count; i++) {
    int count = t->score.batch[i].count;
    SPN_TRY(spn_graph_forward(g, t->score.batch[i].pixels, t->score.batch[i].labels, count, 0, err));
    loss += g->loss_plain * count;
    hits += g->correct;
  }
  out->accuracy = hits / (double)t->score.images;
  out->loss = loss / (double)t->score.images;
  return SPN_OK;
}

/* Of the weights as they are. */
static spn_status rescore(void *own, const spn_choice *choice, spn_answer *out, spn_images *images, spn_err *err) {
  shared *t = own;
  spn_supernet_set(t->net, choice);
  SPN_TRY(measure_norm(t, err));
  images->evaluated += t->images_of_evaluation;
  return score(t, out, err);
}

static spn_status answer(void *own, const spn_choice *choice, spn_answer *out, spn_images *images, spn_err *err) {
  shared *t = own;
  const spn_settings *s = t->problem->settings;
  SPN_TRY(warm_up(t, err));
  for (long long i = 0; i < s->search_train_steps; i++) SPN_TRY(train_step(t, choice, err));
  images->trained = (double)t->step * (double)s->optim_batch;
  return rescore(t, choice, out, images, err);
}

static spn_price price(const void *own) {
  const shared *t = own;
  const spn_settings *s = t->problem->settings;
  spn_price p = {
      .each = {.trained = (double)s->search_train_steps * (double)s->optim_batch, .evaluated = t->images_of_evaluation},
      .again = {.evaluated = t->images_of_evaluation}};
  p.first = p.each;
  p.first.trained += (double)t->warmup * (double)s->optim_batch;
  return p;
}

/* ---- State ---- */

static void list_state(void *own, spn_state *s) {
  shared *t = own;
  spn_state_floats(s, "weights", t->net->graph->weights, t->net->graph->param_elements);
  spn_optimizer_state(t->optimizer, s);
  spn_state_counter(s, "training_steps", &t->step);
  spn_state_counter(s, "evaluations", &t->done);
}

static spn_status save(void *own, spn_run *run, size_t done, spn_err *err) {
  shared *t = own;
  spn_tensors *set = spn_tensors_new();
  if (!set) return spn_fail(err, SPN_ENOMEM, "checkpoint: out of memory");
  t->done = done;
  spn_status status = spn_state_save(list_state, t, set, err);
  if (!status) status = spn_run_checkpoint(run, t->step + done, set, err);
  spn_tensors_free(set);
  return status;
}

static spn_status restore(void *own, spn_run *run, size_t *done, spn_err *err) {
  shared *t = own;
  spn_tensors *set = NULL;
  uint64_t number = 0;
  *done = 0;
  if (run) SPN_TRY(spn_run_restore(run, &number, &set, err));
  if (set) {
    spn_status status = spn_state_load(list_state, t, set, spn_run_checkpoint_path(run, number), err);
    spn_tensors_free(set);
    if (status) return status;
    *done = (size_t)t->done;
  }
  t->first_step = t->step;
  SPN_TRY(spn_data_loader(t->problem->data, t->problem->settings, SPN_SPLIT_TRAIN, 1, t->step, &t->loader, err));
  return run ? spn_run_begin(run, t->step, err) : SPN_OK; /* rows of the metrics are training steps */
}

/* ---- Opening ---- */

/* How the weights learn. RMSProp's default rate lets a classifier of 1280 features run wild before they mean anything:
 * on the half-width proxy of singlepath (16x16, CIFAR-10, batches of 64) the cross entropy went up to 3.3 within 100
 * steps and was 2.2 to 2.4 after 190, of some 400 in a short search; a tenth of the rate, a longer rise to it or
 * clipped gradients made it no better. Adam at this rate never was above 2.36, and at 2.12 after 190. */
static void choose_recipe(shared *t) {
  t->recipe = *t->problem->settings;
  t->recipe.optim_ema = 0; /* the supernet's weights are not kept beyond the search */
  if (!(t->recipe.search_shared_lr > 0)) return;
  t->recipe.optim_optimizer = SPN_ADAM;
  t->recipe.optim_lr = t->recipe.search_shared_lr;
}

/* How long the warm-up is: its share of the images, or of the training steps where evaluations are counted. What is
 * kept for the rescoring is not trained on. */
static void plan(shared *t) {
  const spn_settings *s = t->problem->settings;
  double share = s->search_option_warmup, steps = (double)s->search_train_steps, batch = (double)s->optim_batch;
  double each = steps * batch + t->images_of_evaluation, evaluations = (double)s->search_evaluations;
  double images = spn_problem_images(t->problem);
  if (images > 0) {
    t->warmup = (uint64_t)(share * images / batch);
    double fit = floor((images - (double)t->warmup * batch) / each);
    if (evaluations <= 0 || fit < evaluations) evaluations = fmax(fit, 1);
  } else t->warmup = (uint64_t)(share / (1 - share) * evaluations * each / batch);
  t->steps = t->warmup + (uint64_t)((evaluations - (double)spn_rescorings(s, evaluations)) * steps);
  if (!t->steps) t->steps = 1;
}

static spn_status open_parts(shared *t, spn_err *err) {
  const spn_problem *p = t->problem;
  const spn_settings *s = p->settings;
  spn_network_options o;
  if (!spn_dataset_count(p->data->set, SPN_SPLIT_HOLDOUT))
    return spn_fail(
        err, SPN_EINPUT,
        "data.holdout: expected held-out images, on which search.evaluator=shared scores networks, got none");
  SPN_TRY(spn_options_choose(s, &o, err));
  SPN_TRY(spn_supernet_create(p->space, p->data->classes, p->space->base.input_channels, &o, &t->net, err));
  choose_recipe(t);
  SPN_TRY(spn_optimizer_create(t->net->graph, &t->recipe, &t->optimizer, err));
  SPN_TRY(spn_batches_load(p->data, s, SPN_SPLIT_HOLDOUT, 0, (size_t)s->search_score_images, &t->score, err));
  SPN_TRY(spn_batches_load(p->data, s, SPN_SPLIT_TRAIN, 1, (size_t)s->search_norm_images, &t->norm, err));
  t->images_of_evaluation = (double)(t->score.images + t->norm.images);
  plan(t);
  return SPN_OK;
}

static void close_shared(void *own) {
  shared *t = own;
  if (!t) return;
  if (t->loader) spn_loader_close(t->loader);
  spn_batches_free(&t->score);
  spn_batches_free(&t->norm);
  spn_optimizer_free(t->optimizer);
  spn_supernet_free(t->net);
  free(t);
}

static spn_status open_shared(const spn_problem *p, void **out, spn_err *err) {
  shared *t = calloc(1, sizeof *t);
  if (!t) return spn_fail(err, SPN_ENOMEM, "search.evaluator: out of memory");
  t->problem = p;
  spn_decisions_of(p->space, &t->decisions);
  spn_status status = open_parts(t, err);
  if (status) close_shared(t);
  else *out = t;
  return status;
}

static spn_status finish(void *own, const spn_problem *p, spn_search_result *r, spn_err *err) {
  const shared *t = own;
  r->evidence.steps = (double)t->step;
  r->evidence.chance = log(t->problem->data->classes);
  double mean = r->evidence.mean; /* accuracies as sums of so many draws of right or wrong */
  r->evidence.error = sqrt(mean * (1 - mean) / (double)t->score.images);
  return spn_inherit(p, t->net, r, err);
}

static void put_facts(const void *own, const spn_search_result *r, spn_json_writer *w) {
  const shared *t = own;
  spn_json_put_integer(w, "training_steps", (long long)t->step);
  spn_json_put_integer(w, "warmup_steps", (long long)t->warmup);
  spn_json_put_integer(w, "images_scored_on", (long long)t->score.images);
}

const spn_evaluator spn_evaluator_shared = {.about = "a supernet's masked weights, trained while they are asked",
                                            .images = 1,
                                            .open = open_shared,
                                            .close = close_shared,
                                            .answer = answer,
                                            .rescore = rescore,
                                            .price = price,
                                            .save = save,
                                            .restore = restore,
                                            .finish = finish,
                                            .facts = put_facts};
