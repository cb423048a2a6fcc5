#include "search/learner.h"

#include <math.h>
#include <stdlib.h>

spn_status spn_learner_create(spn_supernet *net, const spn_cost *cost, double target, const spn_settings *settings,
                              spn_learner **out, spn_err *err) {
  spn_learner *t = calloc(1, sizeof *t);
  if (t) t->threshold = calloc((size_t)net->masks + 1, sizeof *t->threshold);
  if (t) t->grip = calloc((size_t)net->masks + 1, sizeof *t->grip);
  if (!t || !t->threshold || !t->grip) {
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
  free(t->grip);
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
  INDICATORS(gain_square);
  INDICATORS(was_on);
  THRESHOLDS(moment1);
  THRESHOLDS(moment2);
  THRESHOLDS(updates);
  THRESHOLDS(observations);
  THRESHOLDS(sum);
  THRESHOLDS(square);
  THRESHOLDS(count);
  THRESHOLDS(x_at_start);
#undef INDICATORS
#undef THRESHOLDS
  spn_state_double(s, "search.lambda", &t->lambda);
  spn_state_double(s, "search.started", &t->started);
  spn_state_double(s, "search.offset", &t->offset);
}

static int is_warming(const spn_learner *t, double epoch) { return epoch < t->settings->search_warmup_epochs; }

static int is_steered(const spn_learner *t) { return t->settings->search_lambda < 0; }

/* How much of the cost term counts: it grows from 0 to 1 after the warm-up. */
static double ramp(const spn_learner *t, double epoch) {
  double since = epoch - t->settings->search_warmup_epochs, length = t->settings->search_ramp_epochs;
  return length > 0 ? fmin(1, since / length) : 1;
}

spn_status spn_learner_decide(spn_learner *t, uint64_t step, double epoch, spn_err *err) {
  const spn_settings *s = t->settings;
  int warming = is_warming(t, epoch);
  spn_draw draw = {.keep_probability = warming ? s->search_keep_probability : 1,
                   .explore = warming ? 0 : s->search_explore,
                   .average_decay = step ? s->search_average : 0,
                   .unlimited = warming}; /* searches for several targets share a warm-up */
  if (!warming && is_steered(t) && ramp(t, epoch) >= 1) {
    draw.low = t->target * (1 - s->search_tolerance);
    draw.high = t->target;
  }
  return spn_indicators_decide(t->indicators, (uint64_t)s->run_seed, step, &draw, err);
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
}

/* Of the softened R: sharp enough that what is decided for certain (|x| > 0.5) adds less than a hundredth of itself,
 * for with some fifty options such tails add up and leave the decisions below the target; soft enough that R begins to
 * fall some ten steps before a decision flips. */
static const double SOFT_SHARPNESS = 10;
/* Share of the way to the target that a step takes: as thresholds move by 0.01 a step, and by 0.03 at most, over a way
 * of about 0.5, some 50 steps. The memory of the offset is as long. */
static const double APPROACH = 0.02;

/* Sets price and lambda of this step; the aim is the middle of the range that counts as met. The price is that of a
 * unit of cost, whatever the form of the cost term: lambda follows from the form's slope above the target, where each
 * has one. */
static void steer(spn_learner *t, double share) {
  const spn_settings *s = t->settings;
  double soft = spn_indicators_soft_cost(t->indicators, SOFT_SHARPNESS, t->grip), slope;
  double aim = t->target * (1 - 0.5 * s->search_tolerance), usual_step = s->search_threshold_lr / s->search_temperature;
  if (share >= 1) t->offset += APPROACH * (t->indicators->free_cost - soft - t->offset);
  soft += t->offset;
  spn_cost_term(s->search_cost_form, fmax(soft, nextafter(t->target, INFINITY)), t->target, &slope);
  t->price = 0;
  if (usual_step > 0)
    t->price = share *
               spn_thresholds_price(t->threshold, t->grip, t->indicators->count, APPROACH * (aim - soft) / usual_step);
  t->lambda = t->price / slope;
}

void spn_learner_pull(spn_learner *t, double epoch) {
  spn_indicators *in = t->indicators;
  int warming = is_warming(t, epoch);
  double slope;
  if (!warming && !t->started) start_search_phase(t);
  t->cost_term = spn_cost_term(t->settings->search_cost_form, in->expected_cost, t->target, &slope);
  t->lambda = warming || is_steered(t) ? 0 : ramp(t, epoch) * t->settings->search_lambda;
  t->price = t->lambda * slope;
  spn_indicators_observe(in);
  for (int i = 0; i < in->count && !warming; i++) spn_threshold_weigh(&t->threshold[i], in, i);
  if (!warming && is_steered(t)) steer(t, ramp(t, epoch));
  spn_indicators_pull(in, t->price);
  for (int i = 0; i < in->count; i++) spn_threshold_gather(&t->threshold[i], &in->list[i]);
}

/* |x| stays below it, so that decisions can change within some hundred steps whatever was before. */
static const double REACH = 1;

void spn_learner_update(spn_learner *t, double epoch) {
  const spn_settings *s = t->settings;
  double reach = fmax(REACH, s->search_start_x);
  for (int i = 0; i < t->indicators->count && !is_warming(t, epoch); i++)
    spn_threshold_step(&t->threshold[i], &t->indicators->list[i], s->search_temperature, s->search_threshold_lr,
                       t->price, reach);
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
    status = spn_indicators_decide(t->indicators, (uint64_t)t->settings->run_seed, first_step + i, &draw, err);
    if (!status) status = pass(owner, i, err);
    if (!status) spn_indicators_observe(t->indicators);
  }
  t->indicators->gain_decay = decay;
  return status;
}
