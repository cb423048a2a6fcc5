/* Rewards, softmaxes over allowed options, Adam's step, and the gradients of the LSTM and of PPO's loss against finite
 * differences in double. */
#include "check.h"
#include "core/rng.h"
#include "search/adam.h"
#include "search/controller.h"
#include "search/reward.h"

/* ---- Rewards ---- */

/* MnasNet: w = -0.07 makes twice the latency for 5 % more accuracy an even bargain. */
static void test_soft(void) {
  for (double cost = 20; cost < 200; cost += 13) {
    double slow = spn_reward_of(SPN_REWARD_SOFT, 0.7 * 1.05, 2 * cost, 80);
    double fast = spn_reward_of(SPN_REWARD_SOFT, 0.7, cost, 80);
    CHECK_NEAR(slow, fast, 5e-4, "at %g", cost);
  }
  CHECK(spn_reward_of(SPN_REWARD_SOFT, 0.7, 80, 80) == 0.7, "at the target: the accuracy");
}

static void test_hard(void) {
  for (double below = 10; below <= 80; below += 10)
    for (double above = 80.001; above < 300; above += 20) {
      double under = spn_reward_of(SPN_REWARD_HARD, 0.6, below, 80);
      double over = spn_reward_of(SPN_REWARD_HARD, 0.6, above, 80);
      CHECK(under > over, "%g against %g ms", below, above);
      CHECK(under == 0.6, "up to the target cost does not count");
    }
  CHECK_NEAR(spn_reward_of(SPN_REWARD_HARD, 0.6, 160, 80), 0.3, 1e-12, "twice the target");
}

static void test_absolute(void) {
  spn_settings s;
  spn_settings_default(&s);
  CHECK(spn_reward_chosen(&s) == SPN_REWARD_HARD, "nothing above the target is drawn");
  s.search_feasible = 0;
  CHECK(spn_reward_chosen(&s) == SPN_REWARD_ABSOLUTE, "the reward holds the target");
  s.search_reward = SPN_REWARD_SOFT;
  CHECK(spn_reward_chosen(&s) == SPN_REWARD_SOFT, "as it is asked for");
  CHECK(spn_reward_of(SPN_REWARD_ABSOLUTE, 0.6, 80, 80) == 0.6, "at the target");
  CHECK_NEAR(spn_reward_of(SPN_REWARD_ABSOLUTE, 0.6, 40, 80), 0.55, 1e-12, "half");
  CHECK_NEAR(spn_reward_of(SPN_REWARD_ABSOLUTE, 0.6, 120, 80), 0.55, 1e-12, "one and a half");
}

/* ---- Small parts ---- */

static void test_softmax(void) {
  double logits[3] = {1000, 1001, 5000}, p[3];
  const unsigned char allowed[3] = {1, 1, 0};
  spn_policy_softmax(logits, allowed, 3, p);
  CHECK_NEAR(p[0] + p[1], 1, 1e-15, "a sum of 1");
  CHECK_NEAR(p[1] / p[0], exp(1), 1e-12, "their ratio");
  CHECK(p[2] == 0, "not allowed");
}

static void test_adam(void) {
  double weight[2] = {1, -1}, gradient[2] = {1e-3, -50}, moments[4] = {0};
  spn_adam a;
  spn_adam_init(&a, 2, 0.9, moments);
  spn_adam_step(&a, weight, gradient, 0.1);
  CHECK_NEAR(weight[0], 0.9, 1e-4, "a first step is as long as the rate");
  CHECK_NEAR(weight[1], -0.9, 1e-4, "whatever the gradient's size");
}

static void test_baseline(void) {
  spn_baseline b = {0};
  CHECK(spn_baseline_advantage(&b, 0.9, 5) == 0, "the first reward is the first mean");
  CHECK_NEAR(spn_baseline_advantage(&b, 0.9, 6), 1, 1e-15, "the second");
  CHECK_NEAR(b.mean, 5.1, 1e-15, "the mean moved");
}

/* ---- Gradients ---- */

enum { HIDDEN = 6 };
static const double STEP = 1e-5;

static double difference(spn_controller *c, size_t i, double (*loss)(spn_controller *c, const void *context),
                         const void *context) {
  double *w = &c->lstm->weight[i], keep = *w;
  *w = keep + STEP;
  double up = loss(c, context);
  *w = keep - STEP;
  double down = loss(c, context);
  *w = keep;
  return (up - down) / (2 * STEP);
}

/* Every weight. Larger ones than at first, so that sigmoids bend. */
static void check_gradient(spn_controller *c, double (*loss)(spn_controller *c, const void *context),
                           const void *context, const char *what) {
  spn_lstm *l = c->lstm;
  size_t moved = 0;
  double *found = malloc(l->count * sizeof *found);
  memset(l->gradient, 0, l->count * sizeof *l->gradient);
  loss(c, context);
  memcpy(found, l->gradient, l->count * sizeof *found);
  for (size_t i = 0; i < l->count; i++) {
    double want = difference(c, i, loss, context);
    CHECK_NEAR(found[i], want, 1e-8, "%s: weight %zu", what, i);
    moved += fabs(want) > 1e-6;
  }
  CHECK(moved > l->count / 8, "%s: %zu of %zu weights have a gradient", what, moved, l->count);
  free(found);
}

/* A dot product of all logits with fixed random numbers. */
static double lstm_loss(spn_controller *c, const void *context) {
  enum { STEPS = 5 };
  double logits[SPN_MAX_OPTIONS], d[STEPS * SPN_MAX_OPTIONS], sum = 0;
  c->trace->steps = 0;
  for (int i = 0; i < STEPS; i++) {
    spn_lstm_step(c->lstm, c->trace, i * 3 % c->lstm->tokens, i % c->lstm->heads, logits);
    for (int o = 0; o < SPN_MAX_OPTIONS; o++) {
      d[i * SPN_MAX_OPTIONS + o] = spn_rng_normal(9, SPN_RNG_TEST, (uint64_t)(i * 100 + o));
      sum += d[i * SPN_MAX_OPTIONS + o] * logits[o];
    }
  }
  spn_lstm_backward(c->lstm, c->trace, d, c->scratch);
  return sum;
}

typedef struct {
  const spn_path *path;
  spn_ppo ppo;
} ppo_case;

static double ppo_loss(spn_controller *c, const void *context) {
  const ppo_case *p = context;
  return spn_controller_loss(c, p->path, &p->ppo);
}

/* Ratios below, within and above the clip, for rewards above and below the mean. */
static void test_ppo(spn_controller *c, spn_inquiry *q, const spn_reach *reach) {
  spn_path path;
  for (int n = 0; n < 4; n++) {
    spn_policy_draw(q, n % 2 ? reach : NULL, 0, spn_controller_logits, c, &path);
    for (int a = -1; a <= 1; a += 2)
      for (int shift = -1; shift <= 1; shift++) {
        ppo_case p = {&path, {.advantage = 0.7 * a, .clip = 0.2, .entropy = 0.05, .share = 0.5}};
        p.ppo.old_log_probability = path.log_probability - 0.4 * shift;
        check_gradient(c, ppo_loss, &p, "PPO");
        double ratio = exp(0.4 * shift), clipped = fmin(fmax(ratio, 0.8), 1.2);
        p.ppo.entropy = 0;
        CHECK_NEAR(ppo_loss(c, &p), -0.5 * fmin(ratio * 0.7 * a, clipped * 0.7 * a), 1e-12, "its value");
      }
  }
}

int main(void) {
  spn_space space;
  spn_cost cost;
  spn_err err;
  spn_controller c;
  spn_inquiry q = {.space = &space, .seed = 3};
  if (spn_space_load("nas-bench-macro", &space, &err) || spn_cost_load("flops", &space, &cost, &err)) return 1;
  spn_decisions_of(&space, &q.decisions);
  q.decisions.count = 5; /* the first layers are enough */
  spn_reach *reach = spn_reach_new(&space, &cost, &q.decisions, 60);
  CHECK_OK(spn_controller_create(&q.decisions, HIDDEN, 1, &c, &err), err);
  for (size_t i = 0; i < c.lstm->count; i++) c.lstm->weight[i] *= 8;
  test_soft();
  test_hard();
  test_absolute();
  test_softmax();
  test_adam();
  test_baseline();
  check_gradient(&c, lstm_loss, NULL, "LSTM");
  test_ppo(&c, &q, reach);
  spn_controller_free(&c);
  free(reach);
  return check_report("test_controller");
}
