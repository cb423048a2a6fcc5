#include "search/learner.h"

#include <math.h>
#include <stdlib.h>

spn_status spn_learner_create(spn_supernet *net, const spn_cost *cost, double target, const spn_settings *settings,
                              spn_learner **out, spn_err *err) {
  spn_learner *t = calloc(1, sizeof *t);
  if (t) t->threshold = calloc((size_t)net->masks + 1, sizeof *t->threshold);
  if (!t || !t->threshold) {
    spn_learner_free(t);
    return spn_fail(err, SPN_ENOMEM, "search: out of memory");
  }
  t->target = target;
  t->settings = settings;
  spn_status status = spn_indicators_create(net, cost, settings->search_statistic, settings->search_temperature,
                                            &t->indicators, err);
  if (status) {
    spn_learner_free(t);
    return status;
  }
  *out = t;
  return SPN_OK;
}

void spn_learner_free(spn_learner *t) {
  if (!t) return;
  spn_indicators_free(t->indicators);
  free(t->threshold);
  free(t);
}

void spn_learner_state(spn_learner *t, spn_state *s) {
#define INDICATORS(field) \
  spn_state_doubles(s, "indicators." #field, &t->indicators->list[0].field, count, sizeof *t->indicators->list)
#define THRESHOLDS(field) \
  spn_state_doubles(s, "thresholds." #field, &t->threshold[0].field, count, sizeof *t->threshold)
  size_t count = (size_t)t->indicators->count;
  INDICATORS(threshold);
  INDICATORS(average);
  INDICATORS(gain);
  INDICATORS(gain_weight);
  THRESHOLDS(moment1);
  THRESHOLDS(moment2);
  THRESHOLDS(updates);
  THRESHOLDS(observations);
  THRESHOLDS(sum);
  THRESHOLDS(square);
  THRESHOLDS(count);
  THRESHOLDS(last_mean);
  THRESHOLDS(x_at_start);
#undef INDICATORS
#undef THRESHOLDS
  spn_state_double(s, "controller.log_lambda", &t->controller.log_lambda);
  spn_state_double(s, "controller.average_cost", &t->controller.average_cost);
  spn_state_double(s, "search.lambda", &t->lambda);
  spn_state_double(s, "search.started", &t->started);
}

static int is_warming(const spn_learner *t, double epoch) { return epoch < t->settings->search_warmup_epochs; }

void spn_learner_decide(spn_learner *t, uint64_t step, double epoch) {
  const spn_settings *s = t->settings;
  int warming = is_warming(t, epoch);
  spn_draw draw = {.keep_probability = warming ? s->search_keep_probability : 1,
                   .explore = warming ? 0 : s->search_explore,
                   .average_decay = step ? s->search_average : 0};
  spn_indicators_decide(t->indicators, (uint64_t)s->run_seed, step, &draw);
}

/* Means over fewer steps than this are noise: then the epoch before tells. */
enum { ENOUGH_STEPS = 50 };

/* Where cross entropy and cost pull equally on the average indicator: a start that needs no knowledge of the task. */
static double first_lambda(const spn_learner *t) {
  double ce = 0, cost = 0, slope;
  spn_cost_term(t->settings->search_cost_form, t->indicators->expected_cost, t->target, &slope);
  for (int i = 0; i < t->indicators->count; i++) {
    const spn_threshold *m = &t->threshold[i];
    ce += fabs(m->count >= ENOUGH_STEPS ? m->sum / m->count : m->last_mean);
    cost += fabs(slope * t->indicators->list[i].dcost);
  }
  return fmax(ce, 1e-6) / fmax(cost, 1e-9);
}

static void start_search_phase(spn_learner *t) {
  const spn_settings *s = t->settings;
  for (int i = 0; i < t->indicators->count; i++) { /* weights have grown in the warm-up: every x starts alike */
    spn_indicator *n = &t->indicators->list[i];
    n->threshold = n->statistic - s->search_start_x * s->search_temperature;
    n->average = n->x = s->search_start_x;
    t->threshold[i].x_at_start = n->x;
  }
  t->started = 1;
  spn_controller_start(&t->controller, first_lambda(t), t->indicators->expected_cost);
}

/* Of the softened R: at x = 0.5, where thresholds start, 0.88 of an option counts, and at half that distance 0.73, so
 * that R begins to fall well before the first decision flips. */
static const double SOFT_SHARPNESS = 4;

/* Aims at the middle of the range that counts as met. */
static double next_lambda(spn_learner *t, double epoch) {
  const spn_settings *s = t->settings;
  double since = epoch - s->search_warmup_epochs;
  double ramp = s->search_ramp_epochs > 0 ? fmin(1, since / s->search_ramp_epochs) : 1;
  if (s->search_lambda >= 0) return ramp * s->search_lambda;
  return spn_controller_step(&t->controller, t->indicators->expected_cost,
                             spn_indicators_soft_cost(t->indicators, SOFT_SHARPNESS),
                             t->target * (1 - 0.5 * s->search_tolerance), ramp);
}

void spn_learner_pull(spn_learner *t, double epoch) {
  spn_indicators *in = t->indicators;
  int warming = is_warming(t, epoch);
  double slope;
  if (!warming && !t->started) start_search_phase(t);
  t->lambda = warming ? 0 : next_lambda(t, epoch);
  t->cost_term = spn_cost_term(t->settings->search_cost_form, in->expected_cost, t->target, &slope);
  spn_indicators_observe(in);
  spn_indicators_pull(in, t->lambda * slope);
  for (int i = 0; i < in->count; i++) spn_threshold_gather(&t->threshold[i], &in->list[i]);
}

void spn_learner_update(spn_learner *t, double epoch) {
  const spn_settings *s = t->settings;
  for (int i = 0; i < t->indicators->count && !is_warming(t, epoch); i++)
    spn_threshold_step(&t->threshold[i], &t->indicators->list[i], s->search_temperature, s->search_threshold_lr);
}

spn_status spn_learner_judge(spn_learner *t, uint64_t batches, uint64_t first_step, spn_judge_pass pass, void *owner,
                             spn_err *err) {
  spn_draw draw = {.keep_probability = 1, .explore = t->settings->search_explore, .average_decay = -1};
  double decay = t->indicators->gain_decay;
  spn_status status = SPN_OK;
  spn_indicators_forget_gains(t->indicators, 0);
  t->indicators->gain_decay = 1;
  for (uint64_t i = 0; i < batches && !status; i++) {
    if (i == batches / 4) spn_indicators_forget_gains(t->indicators, 1);
    spn_indicators_decide(t->indicators, (uint64_t)t->settings->run_seed, first_step + i, &draw);
    status = pass(owner, i, err);
    if (!status) spn_indicators_observe(t->indicators);
  }
  t->indicators->gain_decay = decay;
  return status;
}
