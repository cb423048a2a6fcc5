/* Differentiable single-path search (Single-Path NAS, arXiv 1904.02877; SE: arXiv 1907.00959): thresholds learn with
 * the weights of the supernet (learner.h), then the network is decoded within the budget. */
#include <math.h>
#include <stdio.h>

#include "search/inherit.h"
#include "search/learner.h"
#include "search/outcome.h"
#include "search/watch.h"
#include "train/columns.h"
#include "train/machine.h"
#include "train/steps.h"

typedef struct {
  const spn_problem *problem;
  spn_steps walk;
  spn_supernet *net;
  spn_learner *learner;
  double epoch_ce, epoch_hits, epoch_images; /* sums of the epoch under way */
  double last_ce, last_significant;          /* of the epoch before: mean; indicators whose dCE/dmask is told from 0 */
} search;

static void list_state(void *owner, spn_state *s) {
  search *t = owner;
  spn_learner_state(t->learner, s);
  spn_state_double(s, "epoch.ce", &t->epoch_ce);
  spn_state_double(s, "epoch.hits", &t->epoch_hits);
  spn_state_double(s, "epoch.images", &t->epoch_images);
  spn_state_double(s, "epoch.last_ce", &t->last_ce);
  spn_state_double(s, "epoch.last_significant", &t->last_significant);
}

/* ---- A step ---- */

/* CE, cost term and weight decay apart, the cost of the decisions, of the signs of x and of the masks drawn, and every
 * indicator: decision ('1' on, '0' off, 'd' dropped), x, derivative; with exploration, gain. What each column means:
 * train/columns.def. */
static spn_status log_step(search *t, double lr, double decay, spn_err *err) {
  const spn_graph *g = t->net->graph;
  const spn_indicators *in = t->learner->indicators;
  spn_recorder *row = spn_run_row(t->walk.run, t->walk.step + 1);
  char on[SPN_MAX_MASKS];
  for (int i = 0; i < in->count; i++) on[i] = !in->list[i].kept ? 'd' : in->list[i].on ? '1' : '0';
  spn_row_number(row, "epoch", t->walk.epoch, 9);
  spn_row_number(row, "ce", g->loss, 9);
  spn_row_number(row, "cost", in->expected_cost, 9);
  spn_row_number(row, "cost_free", in->free_cost, 9);
  spn_row_number(row, "cost_drawn", in->drawn_cost, 9);
  spn_row_number(row, "cost_term", t->learner->cost_term, 9);
  spn_row_number(row, "lambda", t->learner->lambda, 9);
  spn_row_number(row, "weight_decay", decay, 9);
  spn_row_number(row, "lr", lr, 9);
  spn_row_number(row, "top1", (double)g->correct / g->batch, 6);
  spn_row_text(row, "on", on, (size_t)in->count);
  double *x = spn_row_numbers(row, "x", (size_t)in->count, 5);
  for (int i = 0; x && i < in->count; i++) x[i] = in->list[i].x;
  double *derivative = spn_row_numbers(row, "derivative", (size_t)in->count, 4);
  for (int i = 0; derivative && i < in->count; i++) derivative[i] = in->list[i].derivative;
  double *gain = in->explores ? spn_row_numbers(row, "gain", (size_t)in->count, 4) : NULL;
  for (int i = 0; gain && i < in->count; i++) gain[i] = in->list[i].gain;
  return spn_row_end(row, err);
}

static spn_status search_step(void *owner, const spn_batch *batch, spn_err *err) {
  search *t = owner;
  spn_graph *g = t->net->graph;
  double epoch = t->walk.epoch;
  SPN_TRY(spn_learner_decide(t->learner, t->walk.step, epoch, err));
  SPN_TRY(spn_graph_forward(g, batch->images, batch->labels, batch->count, 1, err));
  SPN_TRY(spn_steps_check_finite(&t->walk, err));
  SPN_TRY(spn_graph_backward(g, err));
  spn_learner_pull(t->learner, epoch);
  double lr = spn_learning_rate(t->problem->settings, epoch, t->walk.epochs);
  double decay = spn_optimizer_step(t->walk.optimizer, g, lr);
  spn_learner_update(t->learner, epoch);
  t->epoch_ce += g->loss * batch->count;
  t->epoch_hits += g->correct;
  t->epoch_images += batch->count;
  return spn_steps_log_due(&t->walk) ? log_step(t, lr, decay, err) : SPN_OK;
}

/* ---- Epochs ---- */

/* |mean| of an indicator's gradient in standard errors that counts as a direction and not as noise. */
static const double SIGNIFICANT = 2;
/* Below this derivative no gradient moves an indicator any more, above this way of x it has moved. */
static const double DEAD = 1e-6, MOVED = 1e-3;

/* Says in words which indicators cannot decide anything any more. */
static void report_indicators(search *t) {
  const spn_indicators *in = t->learner->indicators;
  int dead = 0, moved = 0, significant = 0;
  for (int i = 0; i < in->count; i++) {
    const spn_indicator *n = &in->list[i];
    if (n->derivative < DEAD) {
      dead++;
      spn_run_say(t->walk.run, "warning: indicator %s is dead: x = %.3g, derivative %.1e", t->net->mask[i].name, n->x,
                  n->derivative);
    }
    moved += fabs(n->x - t->learner->threshold[i].x_at_start) > MOVED;
    significant += spn_threshold_significance(&t->learner->threshold[i]) > SIGNIFICANT;
  }
  if (t->learner->started && !moved)
    spn_run_say(t->walk.run, "warning: no indicator has moved since the warm-up; the search decides nothing");
  spn_run_say(t->walk.run,
              "indicators: %d, dead %d, moved %d; gradient of CE significant (|mean| > %g standard errors) for %d",
              in->count, dead, t->learner->started ? moved : 0, SIGNIFICANT, significant);
  t->last_significant = significant;
}

/* held_out: of spn_watch; no images: not known. */
static spn_status log_epoch(search *t, double epoch, const spn_score *held_out, spn_err *err) {
  const spn_learner *l = t->learner;
  spn_recorder *row = spn_run_row(t->walk.run, t->walk.step);
  spn_row_number(row, "epoch_end", epoch, 9);
  spn_row_number(row, "train_ce", t->epoch_ce / t->epoch_images, 9);
  spn_row_number(row, "train_top1", t->epoch_hits / t->epoch_images, 6);
  spn_row_number(row, "holdout_ce", held_out->images ? held_out->loss : NAN, 9);
  spn_row_number(row, "holdout_top1", held_out->images ? held_out->top1 : NAN, 6);
  double *significance = spn_row_numbers(row, "significance", (size_t)l->indicators->count, 3);
  for (int i = 0; significance && i < l->indicators->count; i++)
    significance[i] = spn_threshold_significance(&l->threshold[i]);
  return spn_row_end(row, err);
}

static void say_epoch(search *t, double epoch, const spn_score *held_out) {
  char also[80] = "";
  if (held_out->images)
    snprintf(also, sizeof also, "; held out: CE %.3f, top-1 %.2f %%", held_out->loss, 100 * held_out->top1);
  spn_run_say(t->walk.run, "epoch %.0f: CE %.3f, top-1 %.2f %%, cost of the gates %.2f %s, lambda %.4g%s", epoch,
              t->epoch_ce / t->epoch_images, 100 * t->epoch_hits / t->epoch_images,
              t->learner->indicators->expected_cost, t->problem->cost->unit, t->learner->lambda, also);
}

static spn_status end_epoch(void *owner, spn_err *err) {
  search *t = owner;
  double epoch = (double)(t->walk.step / t->walk.per_epoch);
  spn_score held_out;
  SPN_TRY(spn_watch(t->problem, t->learner->indicators, &held_out, err));
  say_epoch(t, epoch, &held_out);
  report_indicators(t);
  SPN_TRY(log_epoch(t, epoch, &held_out, err));
  t->last_ce = t->epoch_ce / t->epoch_images;
  t->epoch_ce = t->epoch_hits = t->epoch_images = 0;
  for (int i = 0; i < t->learner->indicators->count; i++) spn_threshold_end_epoch(&t->learner->threshold[i]);
  return SPN_OK;
}

static void describe(const void *owner, spn_progress *p) {
  const search *t = owner;
  p->cost = t->learner->indicators->expected_cost;
  p->target = t->problem->target;
  p->unit = t->problem->cost->unit;
}

static const spn_steps_hooks hooks = {
    .step = search_step, .end_epoch = end_epoch, .state = list_state, .describe = describe};

/* ---- Whole ---- */

static spn_status name_columns(const search *t, spn_err *err) {
  const char *names[SPN_MAX_MASKS];
  for (int i = 0; i < t->net->masks; i++) names[i] = t->net->mask[i].name;
  return spn_columns_save(names, t->net->masks, spn_run_path(t->problem->run, "columns.json"), err);
}

static spn_status prepare(search *t, spn_err *err) {
  const spn_problem *p = t->problem;
  const spn_settings *s = p->settings;
  spn_network_options o;
  if (p->cost->whole && p->cost->limits)
    return spn_fail(
        err, SPN_EINPUT,
        "search.limits: expected none with gradient in space %s, whose stages are decided as wholes; methods "
        "that ask keep them there (search.method=evolution)",
        p->space->name);
  SPN_TRY(spn_options_choose(s, &o, err));
  SPN_TRY(spn_supernet_create(p->space, p->data->classes, p->space->base.input_channels, &o, &t->net, err));
  if (!t->net->masks)
    return spn_fail(err, SPN_EINPUT, "space %s: every layer has one option: there is nothing to search",
                    p->space->name);
  SPN_TRY(spn_learner_create(t->net, p->cost, p->target, s, &t->learner, err));
  spn_settings own = *s;
  own.optim_ema = 0; /* the supernet's weights are not kept beyond the search */
  SPN_TRY(spn_optimizer_create(t->net->graph, &own, &t->walk.optimizer, err));
  t->walk.graph = t->net->graph;
  SPN_TRY(spn_steps_open(&t->walk, (int)s->search_epochs, err));
  return name_columns(t, err);
}

typedef struct {
  search *search;
  spn_loader *loader;
  spn_phase work;
} judging;

static spn_status judge_pass(void *owner, uint64_t i, spn_err *err) {
  judging *j = owner;
  spn_graph *g = j->search->net->graph;
  spn_batch batch;
  int end = 0;
  SPN_TRY(spn_phase_at(&j->work, i, err));
  SPN_TRY(spn_loader_next(j->loader, &batch, &end, err));
  g->step = j->search->walk.steps + i; /* of dropout */
  SPN_TRY(spn_graph_forward(g, batch.images, batch.labels, batch.count, 1, err));
  return spn_graph_backward(g, err);
}

/* Gains on images that the weights have not seen: what a mask does to the loss of the images it is trained on says more
 * about memory than about what was learnt. */
static spn_status judge(search *t, spn_err *err) {
  const spn_settings *s = t->problem->settings;
  spn_data plain = *t->problem->data;
  judging j = {.search = t,
               .work = {.what = "judging of gains", .unit = "batches", .total = (uint64_t)s->search_judge}};
  size_t images = spn_dataset_count(plain.set, SPN_SPLIT_HOLDOUT);
  if (s->search_explore <= 0 || !s->search_judge || images < (size_t)s->optim_batch) return SPN_OK;
  plain.train = plain.eval; /* shuffled, but not augmented */
  SPN_TRY(spn_data_loader(&plain, s, SPN_SPLIT_HOLDOUT, 1, 0, &j.loader, err));
  t->net->graph->norm_momentum = 1; /* running statistics stay those of the training images */
  spn_status status = spn_learner_judge(t->learner, (uint64_t)s->search_judge, t->walk.steps, judge_pass, &j, err);
  spn_phase_end(&j.work);
  t->net->graph->norm_momentum = -1;
  spn_loader_close(j.loader);
  return status;
}

/* What inherited weights say comes on top (spn_inherit). */
static spn_evidence evidence_of(const search *t) {
  const spn_indicators *in = t->learner->indicators;
  double warm = ceil(t->problem->settings->search_warmup_epochs * (double)t->walk.per_epoch);
  spn_evidence e = {.of = SPN_EVIDENCE_GAINS,
                    .steps = fmax(0, (double)t->walk.steps - warm),
                    .gains = in->count,
                    .ce = t->last_ce,
                    .chance = log(t->problem->data->classes)};
  if (!in->explores) e.significant = (int)t->last_significant;
  for (int i = 0; in->explores && i < in->count; i++)
    e.significant += spn_indicator_significance(&in->list[i]) >= SIGNIFICANT;
  return e;
}

static spn_status decode(search *t, spn_search_result *out, spn_err *err) {
  const spn_problem *p = t->problem;
  spn_budget_answer found;
  t->learner->indicators->explores = p->settings->search_explore > 0; /* also for a resumed run that has no step left */
  spn_indicators_measure(t->learner->indicators);
  SPN_TRY(judge(t, err));
  double high = p->free ? INFINITY : p->target;
  SPN_TRY(spn_indicators_decode(t->learner->indicators, p->low, high, &found, &out->flips, err));
  out->choice = found.choice;
  out->cost = found.cost;
  out->within = found.outcome == SPN_BUDGET_MET;
  out->images = (double)t->walk.steps * t->net->graph->batch;
  out->evidence = evidence_of(t);
  if (!out->within)
    spn_run_say(p->run, "note: no network of the space costs between %.4g and %.4g %s; the nearest below costs %.4g",
                p->low, p->target, p->cost->unit, out->cost);
  if (found.bound > found.gain)
    spn_run_say(p->run, "note: the decoding gave up early; a network of the range may have %.3g more of %.3g",
                found.bound - found.gain, found.gain);
  return SPN_OK;
}

typedef struct {
  const search *search;
  const spn_search_result *result;
} arch_facts;

static void write_facts(const void *owner, spn_json_writer *w) {
  const arch_facts *f = owner;
  const spn_indicators *in = f->search->learner->indicators;
  spn_json_put_integer(w, "decisions_changed_to_meet_target", f->result->flips);
  spn_json_array(w, "indicators", SPN_JSON_LINES);
  for (int i = 0; i < in->count; i++) {
    const spn_indicator *n = &in->list[i];
    spn_json_object(w, NULL, SPN_JSON_INLINE);
    spn_json_put_text(w, "name", f->search->net->mask[i].name);
    spn_json_put_rounded(w, "threshold", n->threshold, 9);
    spn_json_put_rounded(w, "statistic", n->statistic, 9);
    spn_json_put_rounded(w, "x", n->x, 9);
    spn_json_put_rounded(w, "average_x", n->average, 9);
    spn_json_put_rounded(w, "gain", n->gain, 9);
    spn_json_end(w);
  }
  spn_json_end(w);
}

static spn_status finish(search *t, spn_search_result *out, spn_err *err) {
  SPN_TRY(decode(t, out, err));
  SPN_TRY(spn_inherit(t->problem, t->net, out, err));
  out->seconds = spn_run_seconds(t->problem->run);
  arch_facts facts = {t, out};
  return spn_outcome_write(t->problem, out, write_facts, &facts, err);
}

/* The warm-up knows nothing of the target: searches for several targets may go on from one. */
static spn_status warm_up(search *t, spn_err *err) {
  spn_json_writer w = {0};
  t->walk.until = (uint64_t)ceil(t->problem->settings->search_warmup_epochs * (double)t->walk.per_epoch);
  if (!t->walk.until) return spn_fail(err, SPN_EINPUT, "search.warmup_epochs: expected a warm-up, got 0");
  spn_status status = spn_steps_run(&t->walk, err);
  if (status != SPN_ESTOPPED || t->walk.epoch_open || t->walk.step < t->walk.until) return status;
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_json_put_integer(&w, "step", (long long)t->walk.step);
  spn_json_put_rounded(&w, "seconds", spn_run_seconds(t->problem->run), 6);
  spn_json_end(&w);
  return spn_json_save(&w, spn_run_path(t->problem->run, "warmup.json"), err);
}

static spn_status run(const spn_problem *problem, spn_search_result *out, spn_err *err) {
  search t = {
      .problem = problem,
      .walk = {.run = problem->run, .s = problem->settings, .data = problem->data, .hooks = &hooks, .owner = &t}};
  spn_status status = prepare(&t, err);
  if (!status) status = problem->warmup_only ? warm_up(&t, err) : spn_steps_run(&t.walk, err);
  if (!status && !problem->warmup_only) status = finish(&t, out, err);
  spn_steps_close(&t.walk);
  spn_optimizer_free(t.walk.optimizer);
  spn_learner_free(t.learner);
  spn_supernet_free(t.net);
  return status;
}

const spn_method spn_method_gradient = {.about = "differentiable: thresholds learn with the supernet's weights",
                                        .run = run};
