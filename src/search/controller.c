#include "search/controller.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { START = 0 }; /* the token of the first step; the others stand for options taken */

static int token_of(int decision, int option) { return 1 + decision * SPN_MAX_OPTIONS + option; }

spn_status spn_controller_create(const spn_decisions *decisions, int hidden, uint64_t seed, spn_controller *out,
                                 spn_err *err) {
  *out = (spn_controller){.decisions = decisions};
  out->lstm = spn_lstm_new(hidden, token_of(decisions->count, 0), decisions->count, seed);
  if (out->lstm) out->trace = spn_lstm_trace_new(out->lstm, decisions->count);
  out->dlogits = calloc((size_t)decisions->count * SPN_MAX_OPTIONS, sizeof *out->dlogits);
  out->scratch = calloc(6 * (size_t)hidden, sizeof *out->scratch);
  if (out->trace && out->dlogits && out->scratch) return SPN_OK;
  spn_controller_free(out);
  return spn_fail(err, SPN_ENOMEM, "controller: out of memory");
}

void spn_controller_free(spn_controller *c) {
  spn_lstm_free(c->lstm);
  spn_lstm_trace_free(c->trace);
  free(c->dlogits);
  free(c->scratch);
  *c = (spn_controller){0};
}

/* The step `at` of a path, whose trace holds those before it. */
static void step(spn_controller *c, const spn_path *path, int at, double *logits) {
  int token = at ? token_of(path->step[at - 1].decision, path->step[at - 1].option) : START;
  c->trace->steps = at;
  spn_lstm_step(c->lstm, c->trace, token, path->step[at].decision, logits);
}

void spn_controller_logits(void *controller, const spn_path *path, double *logits) {
  step(controller, path, path->steps - 1, logits);
}

static double entropy_of(const double *probability, int n) {
  double sum = 0;
  for (int o = 0; o < n; o++)
    if (probability[o] > 0) sum -= probability[o] * log(probability[o]);
  return sum;
}

/* Probabilities of every step's options into c->dlogits; returns the log probability of what was taken. */
static double forward(spn_controller *c, const spn_path *path, double *entropy) {
  double logits[SPN_MAX_OPTIONS], sum = 0;
  *entropy = 0;
  for (int i = 0; i < path->steps; i++) {
    const spn_policy_step *s = &path->step[i];
    int n = c->decisions->list[s->decision].options;
    double *p = c->dlogits + (size_t)i * SPN_MAX_OPTIONS;
    step(c, path, i, logits);
    spn_policy_softmax(logits, s->allowed, n, p);
    sum += log(p[s->option]);
    *entropy += entropy_of(p, n);
  }
  return sum;
}

/* From probabilities to the gradient of `pull` * log probability of the option taken - `spread` * entropy. */
static void logit_gradients(double *p, const spn_policy_step *s, int n, double pull, double spread) {
  double entropy = entropy_of(p, n);
  for (int o = 0; o < n; o++) {
    double surprise = p[o] > 0 ? p[o] * (log(p[o]) + entropy) : 0; /* -dH/dlogit */
    p[o] = pull * ((o == s->option) - p[o]) + spread * surprise;
  }
  for (int o = n; o < SPN_MAX_OPTIONS; o++) p[o] = 0;
}

double spn_controller_loss(spn_controller *c, const spn_path *path, const spn_ppo *ppo) {
  double entropy, now = forward(c, path, &entropy);
  double ratio = exp(now - ppo->old_log_probability), a = ppo->advantage;
  double clipped = fmin(fmax(ratio, 1 - ppo->clip), 1 + ppo->clip);
  int free_to_move = ratio * a <= clipped * a; /* the minimum is the plain term, which has a gradient */
  double pull = free_to_move ? -ppo->share * a * ratio : 0;
  for (int i = 0; i < path->steps; i++)
    logit_gradients(c->dlogits + (size_t)i * SPN_MAX_OPTIONS, &path->step[i],
                    c->decisions->list[path->step[i].decision].options, pull, ppo->share * ppo->entropy);
  spn_lstm_backward(c->lstm, c->trace, c->dlogits, c->scratch);
  return ppo->share * (-fmin(ratio * a, clipped * a) - ppo->entropy * entropy);
}
