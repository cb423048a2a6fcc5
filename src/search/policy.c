#include "search/policy.h"

#include <math.h>
#include <string.h>

void spn_policy_softmax(const double *logits, const unsigned char *allowed, int n, double *probability) {
  double largest = -INFINITY, sum = 0;
  for (int o = 0; o < n; o++)
    if (allowed[o]) largest = fmax(largest, logits[o]);
  for (int o = 0; o < n; o++) sum += probability[o] = allowed[o] ? exp(logits[o] - largest) : 0;
  for (int o = 0; o < n; o++) probability[o] /= sum;
}

static int take(spn_inquiry *q, const double *probability, int n, int greedy) {
  int last = 0;
  double left = greedy ? 0 : spn_inquiry_uniform(q);
  for (int o = 0; o < n; o++) {
    if (!(probability[o] > 0)) continue;
    if (greedy && probability[o] <= probability[last] && probability[last] > 0) continue;
    last = o;
    left -= probability[o];
    if (!greedy && left < 0) return o;
  }
  return last;
}

void spn_policy_draw(spn_inquiry *q, const spn_reach *reach, int greedy, spn_policy_logits logits, void *owner,
                     spn_path *out) {
  double z[SPN_MAX_OPTIONS], p[SPN_MAX_OPTIONS];
  out->steps = 0;
  out->log_probability = 0;
  spn_choice_max(q->space, &out->choice);
  for (int d = 0; d < q->decisions.count; d++) {
    const spn_decision *decision = &q->decisions.list[d];
    if (!spn_decision_matters(decision, &out->choice)) continue;
    spn_policy_step *step = &out->step[out->steps++];
    step->decision = d;
    if (reach) spn_reach_options(reach, d, &out->choice, step->allowed);
    else memset(step->allowed, 1, sizeof step->allowed);
    logits(owner, out, z);
    spn_policy_softmax(z, step->allowed, decision->options, p);
    step->option = take(q, p, decision->options, greedy);
    out->log_probability += log(p[step->option]);
    spn_decision_set(q->space, decision, step->option, &out->choice);
  }
}

double spn_baseline_advantage(spn_baseline *b, double decay, double reward) {
  if (!b->begun) b->mean = reward;
  b->begun = 1;
  double advantage = reward - b->mean;
  b->mean = decay * b->mean + (1 - decay) * reward;
  return advantage;
}
