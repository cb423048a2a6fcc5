/* MnasNet's search (arXiv 1807.11626): networks are drawn from an LSTM controller, twenty at a time, their rewards
 * compared with a running mean, and the controller is improved by a few passes of PPO over them. The answer is the best
 * of what was drawn, as there. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/adam.h"
#include "search/controller.h"
#include "search/reward.h"

enum { HIDDEN = 100 };

/* The rate of the paper, for the 8,000 networks that it drew; shorter searches learn in larger steps. */
static const double RATE = 3.5e-4, NETWORKS = 8000, LARGEST_RATE = 0.02, BETA1 = 0.9;

/* Weight of the entropy in rewards that are shares of right images. With the paper's 1e-5 and these rates a policy
 * settles within some 200 networks, whatever the budget, often on the first that is good: on the NAS-Bench-Macro table
 * 0.16 points below the best after 500 evaluations, and 0.03 with ENTROPY (bench/README.md). A short search has no time
 * to look around: at 50 and 100 evaluations ENTROPY costs 0.07. */
static const double ENTROPY = 0.003, ENTROPY_NETWORKS = 500;

typedef struct {
  spn_path path;
  spn_ppo ppo;
} sample;

typedef struct {
  spn_inquiry *q;
  spn_reach *reach; /* NULL: networks of any cost are drawn */
  spn_controller controller;
  spn_adam adam;
  double *moments;
  sample *list;
  spn_baseline baseline;
} search;

static double rate_of(const spn_inquiry *q) {
  double asked = q->settings->search_policy_lr;
  return asked > 0 ? asked : fmin(LARGEST_RATE, fmax(RATE, RATE * NETWORKS / fmax(1, spn_inquiry_expected(q))));
}

static double entropy_of(const spn_inquiry *q) {
  double asked = q->settings->search_entropy;
  return asked >= 0 ? asked : ENTROPY * fmin(1, spn_inquiry_expected(q) / ENTROPY_NETWORKS);
}

static spn_status draw(search *t, sample *out, spn_err *err) {
  spn_inquiry *q = t->q;
  const spn_settings *s = q->settings;
  spn_answer answer;
  spn_policy_draw(q, t->reach, 0, spn_controller_logits, &t->controller, &out->path);
  SPN_TRY(spn_ask(q, &out->path.choice, &answer, err));
  double reward = spn_reward_of(spn_reward_chosen(s), answer.accuracy, spn_cost_worst(q->cost, &out->path.choice),
                                q->high);
  out->ppo = (spn_ppo){.advantage = spn_baseline_advantage(&t->baseline, s->search_baseline, reward),
                       .old_log_probability = out->path.log_probability,
                       .clip = s->search_clip,
                       .entropy = entropy_of(q),
                       .share = 1.0 / (double)s->search_samples};
  return SPN_OK;
}

static void improve(search *t) {
  const spn_settings *s = t->q->settings;
  spn_lstm *lstm = t->controller.lstm;
  double rate = rate_of(t->q);
  for (long long pass = 0; pass < s->search_passes; pass++) {
    memset(lstm->gradient, 0, lstm->count * sizeof *lstm->gradient);
    for (long long i = 0; i < s->search_samples; i++)
      spn_controller_loss(&t->controller, &t->list[i].path, &t->list[i].ppo);
    spn_adam_step(&t->adam, lstm->weight, lstm->gradient, rate);
  }
}

static spn_status learn(search *t, spn_err *err) {
  long long drawn = 0;
  while (spn_inquiry_goes_on(t->q)) {
    SPN_TRY(draw(t, &t->list[drawn++], err));
    if (drawn < t->q->settings->search_samples) continue;
    drawn = 0;
    improve(t);
  }
  return SPN_OK;
}

static spn_status allocate(search *t, spn_err *err) {
  spn_inquiry *q = t->q;
  SPN_TRY(spn_controller_create(&q->decisions, HIDDEN, q->seed, &t->controller, err));
  size_t weights = t->controller.lstm->count;
  t->moments = calloc(2 * weights, sizeof *t->moments);
  t->list = calloc((size_t)q->settings->search_samples, sizeof *t->list);
  t->reach = q->settings->search_feasible ? spn_reach_new(q->space, q->cost, &q->decisions, q->high) : NULL;
  if (!t->moments || !t->list || (q->settings->search_feasible && !t->reach))
    return spn_fail(err, SPN_ENOMEM, "ppo: out of memory");
  spn_adam_init(&t->adam, weights, BETA1, t->moments);
  return SPN_OK;
}

static spn_status ppo(spn_inquiry *q, spn_err *err) {
  search t = {.q = q};
  spn_status status = allocate(&t, err);
  if (!status) status = learn(&t, err);
  spn_controller_free(&t.controller);
  free(t.moments);
  free(t.list);
  free(t.reach);
  return status;
}

const spn_method spn_method_ppo = {.about = "MnasNet: an LSTM controller, PPO", .search = ppo};
