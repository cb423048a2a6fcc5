/* REINFORCE on independent softmaxes (TuNAS, arXiv 2008.06120): one for each decision, logits 0 at first; a network
 * drawn, its reward compared with the running mean, and one step of Adam without momentum. While shared weights warm up
 * (search/shared.c) nobody is asked; from then on its rate rises tenfold. */
#include <math.h>
#include <stdlib.h>

#include "search/adam.h"
#include "search/policy.h"
#include "search/reward.h"

/* Without a word from the user: steps of Adam change a logit by about the rate, whatever the rewards' scale, so that
 * the rates of all steps add up to how sure a policy can become. Rising tenfold, they are on average 9 / ln 10 times
 * the first one. */
static const double TRAVEL = 25, RISE = 10;

typedef struct {
  spn_inquiry *q;
  spn_reach *reach; /* NULL: networks of any cost are drawn */
  size_t logits;    /* SPN_MAX_OPTIONS for each decision */
  double *logit, *gradient;
  spn_adam adam;
  spn_baseline baseline;
} policy;

static void logits_of(void *owner, const spn_path *path, double *logits) {
  const policy *p = owner;
  int d = path->step[path->steps - 1].decision;
  for (int o = 0; o < SPN_MAX_OPTIONS; o++) logits[o] = p->logit[d * SPN_MAX_OPTIONS + o];
}

/* Of -advantage * log probability. */
static void find_gradient(policy *p, const spn_path *path, double advantage) {
  for (size_t i = 0; i < p->logits; i++) p->gradient[i] = 0;
  for (int i = 0; i < path->steps; i++) {
    const spn_policy_step *s = &path->step[i];
    int n = p->q->decisions.list[s->decision].options, at = s->decision * SPN_MAX_OPTIONS;
    double probability[SPN_MAX_OPTIONS];
    spn_policy_softmax(&p->logit[at], s->allowed, n, probability);
    for (int o = 0; o < n; o++) p->gradient[at + o] = -advantage * ((o == s->option) - probability[o]);
  }
}

static double rate_of(const policy *p) {
  double first = p->q->settings->search_policy_lr, expected = fmax(1, spn_inquiry_expected(p->q));
  if (!(first > 0)) first = TRAVEL / (expected * (RISE - 1) / log(RISE));
  return first * pow(RISE, fmin(1, (double)p->q->asked / expected));
}

static spn_status learn(policy *p, spn_err *err) {
  const spn_inquiry *q = p->q;
  spn_path path;
  spn_answer answer;
  while (spn_inquiry_goes_on(q)) {
    spn_policy_draw(p->q, p->reach, 0, logits_of, p, &path);
    SPN_TRY(spn_ask(p->q, &path.choice, &answer, err));
    double reward = spn_reward_of(spn_reward_chosen(q->settings), answer.accuracy,
                                  spn_cost_worst(q->cost, &path.choice), q->high);
    find_gradient(p, &path, spn_baseline_advantage(&p->baseline, q->settings->search_baseline, reward));
    spn_adam_step(&p->adam, p->logit, p->gradient, rate_of(p));
  }
  spn_policy_draw(p->q, p->reach, 1, logits_of, p, &path);
  spn_nominate(p->q, &path.choice);
  return SPN_OK;
}

static spn_status reinforce(spn_inquiry *q, spn_err *err) {
  policy p = {.q = q, .logits = (size_t)q->decisions.count * SPN_MAX_OPTIONS};
  p.logit = calloc(4 * p.logits, sizeof *p.logit);
  p.reach = q->settings->search_feasible ? spn_reach_new(q->space, q->cost, &q->decisions, q->high) : NULL;
  spn_status status = SPN_OK;
  if (!p.logit || (q->settings->search_feasible && !p.reach))
    status = spn_fail(err, SPN_ENOMEM, "reinforce: out of memory");
  else {
    p.gradient = p.logit + p.logits;
    spn_adam_init(&p.adam, p.logits, 0, p.gradient + p.logits);
    status = learn(&p, err);
  }
  free(p.logit);
  free(p.reach);
  return status;
}

const spn_method spn_method_reinforce = {.about = "TuNAS: a softmax for each decision, REINFORCE", .search = reinforce};
