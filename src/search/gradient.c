#include "search/gradient.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/supernet.h"
#include "search/outcome.h"
#include "train/environment.h"
#include "train/steps.h"

/* The state of an indicator that a checkpoint keeps. Gradients are gathered over an epoch for their significance. */
typedef struct {
  double threshold, average, gain, gain_weight;
  double moment1, moment2, updates, observations; /* of update_threshold */
  double sum, square, count;                      /* of dCE/dgate in this epoch */
  double last_mean;                               /* of dCE/dgate in the epoch before */
  double x_at_start;                              /* when the warm-up ended: what has not moved since is frozen */
} indicator_numbers;

typedef struct {
  double log_lambda;   /* integral part of the controller */
  double lambda;       /* of the last step */
  double average_cost; /* running average of the gates' R */
  double started;      /* the warm-up has ended and lambda has its first value */
  double epoch_ce, epoch_hits, epoch_images;
} controller_numbers;

typedef struct {
  spn_steps walk;
  spn_supernet *net;
  double target;
  controller_numbers *c; /* walk.numbers: this, then one indicator_numbers each */
  indicator_numbers *in;
} search;

spn_status spn_search_target(const spn_settings *s, const spn_space *space, const spn_cost *cost, double *target,
                             spn_err *err) {
  double min, max;
  spn_cost_range(cost, space, &min, &max);
  *target = s->search_target_share > 0 ? s->search_target_share * max : s->search_target;
  if (*target >= min) return SPN_OK;
  return spn_fail(err, SPN_EINPUT,
                  "search.target: expected at least %.4g %s, the cheapest network of space %s, got %.4g", min,
                  cost->unit, space->name, *target);
}

/* ---- Checkpoints ---- */

static void indicators_out(void *owner) {
  search *t = owner;
  for (int i = 0; i < t->net->indicators; i++) {
    const spn_indicator *n = &t->net->indicator[i];
    t->in[i].threshold = n->threshold;
    t->in[i].average = n->average;
    t->in[i].gain = n->gain;
    t->in[i].gain_weight = n->gain_weight;
  }
}

static void indicators_in(void *owner) {
  search *t = owner;
  for (int i = 0; i < t->net->indicators; i++) {
    spn_indicator *n = &t->net->indicator[i];
    n->threshold = t->in[i].threshold;
    n->average = t->in[i].average;
    n->gain = t->in[i].gain;
    n->gain_weight = t->in[i].gain_weight;
  }
}

/* ---- A step ---- */

/* Adam (arXiv 1412.6980) on one threshold, with one change: the second moment is that of the cross entropy's gradient
 * alone. The cost's gradient is the same in every step; inside the second moment it would set the size of the update
 * and drown the evidence that tells one indicator from another. An indicator without a gradient (dropped) is left
 * alone. */
static void update_threshold(const search *t, spn_indicator *n, indicator_numbers *m) {
  const double beta1 = 0.9, beta2 = 0.99;
  if (n->dthreshold == 0) return;
  m->updates++;
  m->moment1 = beta1 * m->moment1 + (1 - beta1) * n->dthreshold;
  if (n->dce != 0) { /* else the step did not look */
    double observed = n->derivative * n->dce / t->walk.s->search_temperature;
    m->observations++;
    m->moment2 = beta2 * m->moment2 + (1 - beta2) * observed * observed;
  }
  if (m->observations < 1) return;
  double first = m->moment1 / (1 - pow(beta1, m->updates)), second = m->moment2 / (1 - pow(beta2, m->observations));
  double step = first / (sqrt(second) + 1e-12);
  n->threshold -= t->walk.s->search_threshold_lr * fmax(-3, fmin(3, step));
}

static void gather_gradients(search *t) {
  for (int i = 0; i < t->net->indicators; i++) {
    const spn_indicator *n = &t->net->indicator[i];
    if (n->dce == 0) continue; /* dropped, or not looked at */
    t->in[i].sum += n->dce;
    t->in[i].square += n->dce * n->dce;
    t->in[i].count++;
  }
}

/* Where cross entropy and cost pull equally on the average indicator: a start that needs no knowledge of the task. */
static double first_lambda(const search *t) {
  double ce = 0, cost = 0, slope;
  spn_cost_term(t->walk.s->search_cost_form, t->net->expected_cost, t->target, &slope);
  for (int i = 0; i < t->net->indicators; i++) {
    ce += fabs(t->in[i].count >= 50 ? t->in[i].sum / t->in[i].count : t->in[i].last_mean);
    cost += fabs(slope * t->net->indicator[i].dcost);
  }
  return fmax(ce, 1e-6) / fmax(cost, 1e-9);
}

static void start_search_phase(search *t) {
  for (int i = 0; i < t->net->indicators; i++) { /* weights have grown in the warm-up: every x starts alike */
    spn_indicator *n = &t->net->indicator[i];
    n->threshold = n->statistic - t->walk.s->search_start_x * t->walk.s->search_temperature;
    n->average = n->x = t->walk.s->search_start_x;
  }
  t->c->started = 1;
  t->c->average_cost = t->net->expected_cost;
  t->c->log_lambda = log(first_lambda(t));
  for (int i = 0; i < t->net->indicators; i++) t->in[i].x_at_start = t->net->indicator[i].x;
}

/* R with every gate replaced by sigmoid(sharpness * x): it falls while thresholds travel towards a flip, where the hard
 * R stands still, so a controller on it does not wind up. */
static double soft_cost(const search *t) { return spn_supernet_soft_cost(t->net, 4); }

/* lambda follows ln(R / target): an integral part that finds its size and a proportional part that damps. R is the mean
 * of the hard and the softened cost of the running averages; it aims at the middle of the range that counts as met. */
static double steer(search *t, double epoch) {
  const spn_settings *s = t->walk.s;
  const double integral = 0.02, proportional = 1, decay = 0.95, limit = 0.4;
  double since = epoch - s->search_warmup_epochs,
         ramp = s->search_ramp_epochs > 0 ? fmin(1, since / s->search_ramp_epochs) : 1;
  if (s->search_lambda >= 0) return ramp * s->search_lambda;
  t->c->average_cost = decay * t->c->average_cost + (1 - decay) * t->net->expected_cost;
  double r = 0.5 * (t->c->average_cost + soft_cost(t));
  double error = log(r / (t->target * (1 - 0.5 * s->search_tolerance)));
  error = fmax(-limit, fmin(limit, error));
  if (ramp >= 1) t->c->log_lambda += integral * error;
  return ramp * exp(t->c->log_lambda + proportional * error);
}

static spn_status log_step(search *t, double epoch, double lr, double term, double decay, int hits, spn_err *err) {
  const spn_supernet *net = t->net;
  size_t size = 4096 + (size_t)net->indicators * 80;
  char *text = malloc(size);
  if (!text) return spn_fail(err, SPN_ENOMEM, "metrics: out of memory");
  int n = snprintf(
      text, size,
      "\"epoch\": %.4f, \"ce\": %.9g, \"cost\": %.9g, \"cost_term\": %.9g, \"lambda\": %.9g, \"weight_decay\": %.9g, "
      "\"lr\": %.9g, \"top1\": %.4f, \"on\": \"",
      epoch, net->graph->loss, net->expected_cost, term, t->c->lambda, decay, lr, (double)hits / net->graph->batch);
  for (int i = 0; i < net->indicators; i++)
    n += snprintf(text + n, size - (size_t)n, "%c", !net->indicator[i].kept ? 'd' : net->indicator[i].on ? '1' : '0');
  n += snprintf(text + n, size - (size_t)n, "\", \"x\": [");
  for (int i = 0; i < net->indicators; i++)
    n += snprintf(text + n, size - (size_t)n, "%s%.5g", i ? ", " : "", net->indicator[i].x);
  n += snprintf(text + n, size - (size_t)n, "], \"derivative\": [");
  for (int i = 0; i < net->indicators; i++)
    n += snprintf(text + n, size - (size_t)n, "%s%.4g", i ? ", " : "", net->indicator[i].derivative);
  snprintf(text + n, size - (size_t)n, "]");
  spn_status status = spn_run_metric(t->walk.run, t->walk.step + 1, err, "%s", text);
  free(text);
  return status;
}

static spn_status search_step(void *owner, const spn_batch *batch, spn_err *err) {
  search *t = owner;
  const spn_settings *s = t->walk.s;
  spn_supernet *net = t->net;
  uint64_t step = t->walk.step;
  double epoch = t->walk.epoch, lr = spn_learning_rate(s, epoch, (double)s->search_epochs);
  int warming = epoch < s->search_warmup_epochs;
  spn_supernet_decide(net, (uint64_t)s->run_seed, step, warming ? s->search_keep_probability : 1,
                      warming ? 0 : s->search_explore, step ? s->search_average : 0);
  spn_graph_forward(net->graph, batch->images, batch->labels, batch->count, 1);
  SPN_TRY(spn_steps_check_finite(&t->walk, err));
  int hits = net->graph->correct;
  spn_graph_backward(net->graph);
  if (!warming && !t->c->started) start_search_phase(t);
  t->c->lambda = warming ? 0 : steer(t, epoch);
  double term = spn_supernet_indicator_grads(net, t->c->lambda, s->search_cost_form, t->target);
  gather_gradients(t);
  double decay = spn_optimizer_step(t->walk.optimizer, net->graph, lr);
  for (int i = 0; !warming && i < net->indicators; i++) update_threshold(t, &net->indicator[i], &t->in[i]);
  t->c->epoch_ce += net->graph->loss * batch->count;
  t->c->epoch_hits += hits;
  t->c->epoch_images += batch->count;
  return spn_steps_log_due(&t->walk) ? log_step(t, epoch, lr, term, decay, hits, err) : SPN_OK;
}

/* ---- Epochs ---- */

static double significance(const indicator_numbers *m) {
  if (m->count < 2) return 0;
  double mean = m->sum / m->count, variance = (m->square / m->count - mean * mean) * m->count / (m->count - 1);
  return variance > 0 ? fabs(mean) / sqrt(variance / m->count) : 0;
}

/* Says in words which indicators cannot decide anything any more. */
static void report_indicators(search *t) {
  int dead = 0, moved = 0, significant = 0;
  for (int i = 0; i < t->net->indicators; i++) {
    const spn_indicator *n = &t->net->indicator[i];
    if (n->derivative < 1e-6) {
      dead++;
      spn_run_say(t->walk.run, "warning: indicator %s is dead: x = %.3g, derivative %.1e", n->name, n->x,
                  n->derivative);
    }
    moved += fabs(n->x - t->in[i].x_at_start) > 1e-3;
    significant += significance(&t->in[i]) > 2;
  }
  if (t->c->started && !moved)
    spn_run_say(t->walk.run, "warning: no indicator has moved since the warm-up; the search decides nothing");
  spn_run_say(t->walk.run,
              "indicators: %d, dead %d, moved %d; gradient of CE significant (|mean| > 2 standard errors) for %d",
              t->net->indicators, dead, t->c->started ? moved : 0, significant);
}

static spn_status log_significance(search *t, double epoch, spn_err *err) {
  size_t size = 256 + (size_t)t->net->indicators * 24;
  char *text = malloc(size);
  if (!text) return spn_fail(err, SPN_ENOMEM, "metrics: out of memory");
  int n = snprintf(text, size, "\"epoch_end\": %.0f, \"train_ce\": %.9g, \"train_top1\": %.6f, \"significance\": [",
                   epoch, t->c->epoch_ce / t->c->epoch_images, t->c->epoch_hits / t->c->epoch_images);
  for (int i = 0; i < t->net->indicators; i++)
    n += snprintf(text + n, size - (size_t)n, "%s%.3g", i ? ", " : "", significance(&t->in[i]));
  snprintf(text + n, size - (size_t)n, "]");
  spn_status status = spn_run_metric(t->walk.run, t->walk.step, err, "%s", text);
  free(text);
  return status;
}

static spn_status end_epoch(void *owner, spn_err *err) {
  search *t = owner;
  double epoch = (double)(t->walk.step / t->walk.per_epoch);
  spn_run_say(t->walk.run, "epoch %.0f: CE %.3f, top-1 %.2f %%, cost of the gates %.2f %s, lambda %.4g", epoch,
              t->c->epoch_ce / t->c->epoch_images, 100 * t->c->epoch_hits / t->c->epoch_images, t->net->expected_cost,
              t->net->cost.unit, t->c->lambda);
  report_indicators(t);
  SPN_TRY(log_significance(t, epoch, err));
  t->c->epoch_ce = t->c->epoch_hits = t->c->epoch_images = 0;
  for (int i = 0; i < t->net->indicators; i++) {
    if (t->in[i].count > 0) t->in[i].last_mean = t->in[i].sum / t->in[i].count;
    t->in[i].sum = t->in[i].square = t->in[i].count = 0;
  }
  return SPN_OK;
}

static void describe(const void *owner, spn_progress *p) {
  const search *t = owner;
  p->cost = t->net->expected_cost;
  p->target = t->target;
  p->unit = t->net->cost.unit;
}

static const spn_steps_hooks hooks = {
    .step = search_step, .end_epoch = end_epoch, .save = indicators_out, .load = indicators_in, .describe = describe};

/* ---- Whole ---- */

static spn_status prepare(search *t, const spn_space *space, const spn_cost *cost, spn_err *err) {
  const spn_settings *s = t->walk.s;
  SPN_TRY(spn_search_target(s, space, cost, &t->target, err));
  spn_network_options o;
  SPN_TRY(spn_options_choose(s, &o, err));
  SPN_TRY(spn_supernet_create(space, cost, t->walk.data->classes, space->base.input_channels, &o, s->search_statistic,
                              s->search_temperature, &t->net, err));
  if (!t->net->indicators)
    return spn_fail(err, SPN_EINPUT, "space %s: every layer has one option: there is nothing to search", space->name);
  spn_settings own = *s;
  own.optim_ema = 0; /* the supernet's weights are not kept beyond the search */
  SPN_TRY(spn_optimizer_create(t->net->graph, &own, &t->walk.optimizer, err));
  t->walk.count = (sizeof *t->c + sizeof *t->in * (size_t)t->net->indicators) / sizeof(double);
  t->walk.numbers = calloc(t->walk.count, sizeof *t->walk.numbers);
  if (!t->walk.numbers) return spn_fail(err, SPN_ENOMEM, "search: out of memory");
  t->c = (controller_numbers *)t->walk.numbers;
  t->in = (indicator_numbers *)(t->c + 1);
  t->walk.graph = t->net->graph;
  return spn_steps_open(&t->walk, (int)s->search_epochs, err);
}

static void forget_gains(spn_supernet *net, int layers_only) {
  for (int i = 0; i < net->indicators; i++)
    if (!layers_only || net->indicator[i].kind == SPN_KIND_SKIP)
      net->indicator[i].gain = net->indicator[i].gain_weight = 0;
}

static void judge_batch(search *t, const spn_batch *batch, uint64_t number) {
  const spn_settings *s = t->walk.s;
  t->net->graph->step = t->walk.steps + number; /* of dropout; a resumed run comes here without a step of its own */
  spn_supernet_decide(t->net, (uint64_t)s->run_seed, t->net->graph->step, 1, s->search_explore, -1);
  spn_graph_forward(t->net->graph, batch->images, batch->labels, batch->count, 1);
  spn_graph_backward(t->net->graph);
  spn_supernet_indicator_grads(t->net, 0, s->search_cost_form, t->target);
}

/* Measures all gains anew, with the final weights, on images that these have not seen: what a gate does to the loss of
 * the images it is trained on says more about memory than about what was learnt. A layer's gain is taken net of those
 * inside, so it is only gathered once these have settled. */
static spn_status judge(search *t, spn_err *err) {
  const spn_settings *s = t->walk.s;
  spn_data plain = *t->walk.data;
  spn_loader *loader;
  if (!t->net->explores || !s->search_judge || spn_dataset_count(plain.set, SPN_SPLIT_HOLDOUT) < (size_t)s->optim_batch)
    return SPN_OK;
  plain.train = plain.eval; /* shuffled, but not augmented */
  SPN_TRY(spn_data_loader(&plain, s, SPN_SPLIT_HOLDOUT, 1, 0, &loader, err));
  spn_status status = SPN_OK;
  forget_gains(t->net, 0);
  t->net->gain_decay = 1;
  t->net->graph->norm_momentum = 1; /* running statistics stay those of the training images */
  for (uint64_t i = 0; i < (uint64_t)s->search_judge && !status; i++) {
    spn_batch batch;
    int end = 0;
    if (i == (uint64_t)s->search_judge / 4) forget_gains(t->net, 1);
    status = spn_loader_next(loader, &batch, &end, err);
    if (!status) judge_batch(t, &batch, i);
  }
  t->net->graph->norm_momentum = -1;
  spn_loader_close(loader);
  return status;
}

static spn_status decide(search *t, spn_search_result *out, spn_err *err) {
  const spn_settings *s = t->walk.s;
  t->net->explores = s->search_explore > 0; /* this and the next also for a resumed run that has no step left */
  spn_supernet_measure(t->net);
  SPN_TRY(judge(t, err));
  out->target = t->target;
  out->within = spn_supernet_decode(t->net, t->target * (1 - s->search_tolerance), t->target, &out->choice,
                                    &out->flips);
  out->cost = spn_cost_of(&t->net->cost, &out->choice);
  out->images = (double)t->walk.steps * t->net->graph->batch;
  out->seconds = spn_run_seconds(t->walk.run);
  if (!out->within)
    spn_run_say(t->walk.run, "note: the found network costs %.4g, outside %.4g to %.4g %s", out->cost,
                t->target * (1 - s->search_tolerance), t->target, t->net->cost.unit);
  return spn_outcome_write(t->walk.run, s, t->net, t->walk.data, out, err);
}

spn_status spn_search_gradient(spn_run *run, const spn_settings *s, const spn_space *space, const spn_cost *cost,
                               const spn_data *data, spn_search_result *out, spn_err *err) {
  search t = {.walk = {.run = run, .s = s, .data = data, .hooks = &hooks, .owner = &t}};
  memset(out, 0, sizeof *out);
  spn_status status = prepare(&t, space, cost, err);
  if (!status) status = spn_steps_run(&t.walk, err);
  if (!status) status = decide(&t, out, err);
  spn_steps_close(&t.walk);
  spn_optimizer_free(t.walk.optimizer);
  spn_supernet_free(t.net);
  free(t.walk.numbers);
  return status;
}
