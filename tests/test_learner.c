/* What the gradient method learns with, on a supernet whose cross entropy is made up: every mask has a known gain. So
 * the right masks must open and close, the target be met, lambda come to rest, and gains be found again. */
#include "search/learner.h"
#include "supernet_case.h"

enum { PER_EPOCH = 100 };

typedef struct {
  searched *s;
  spn_learner *learner;
  spn_settings settings;
  double gain[SPN_MAX_MASKS]; /* CE(closed) - CE(open), those above it open */
  double noise;               /* of a gradient, standard deviation */
} synthetic;

static synthetic *synthetic_new(int row, double target_share) {
  synthetic *t = calloc(1, sizeof *t);
  spn_err err;
  double min, max;
  t->s = supernet(row, SIZE, 0.25, options_of(1, 0));
  spn_settings_default(&t->settings);
  t->settings.search_warmup_epochs = 1;
  t->settings.search_epochs = 9;
  spn_cost_range(&t->s->cost, &t->s->net->space, &min, &max);
  must(spn_learner_create(t->s->net, &t->s->cost, min + target_share * (max - min), &t->settings, &t->learner, &err),
       &err);
  return t;
}

static void synthetic_free(synthetic *t) {
  spn_learner_free(t->learner);
  supernet_free(t->s);
  free(t);
}

/* Product of the masks above one, which lie before it in its layer. */
static double above(const spn_supernet *net, int i, int with_keep) {
  double product = 1;
  for (int k = 0; k < net->masks; k++) {
    const spn_mask *m = &net->mask[i], *other = &net->mask[k];
    if (other->layer != m->layer || m->kind == SPN_DECISION_KEEP || k == i) continue;
    if (other->kind == SPN_DECISION_KEEP ? with_keep : other->kind == m->kind && other->step < m->step)
      product *= spn_mask_value(net, k);
  }
  return product;
}

/* dCE/dmask of CE = - sum of gain * mask * masks above it; spaces here have at most one step above besides keep. */
static double slope(const synthetic *t, int i) {
  const spn_supernet *net = t->s->net;
  const spn_mask *m = &net->mask[i];
  double sum = t->gain[i] * above(net, i, 1);
  for (int k = 0; k < net->masks && m->kind == SPN_DECISION_KEEP; k++)
    if (net->mask[k].layer == m->layer && k != i) sum += t->gain[k] * spn_mask_value(net, k) * above(net, k, 0);
  return -sum;
}

/* In place of forward and backward. */
static void fake_pass(synthetic *t, uint64_t step) {
  spn_graph *g = t->s->net->graph;
  memset(g->grads, 0, g->param_elements * sizeof *g->grads);
  for (int i = 0; i < t->s->net->masks; i++) {
    const spn_mask *m = &t->s->net->mask[i];
    double noise = t->noise * spn_rng_normal(12, SPN_RNG_TEST, step << 32 | (uint64_t)i);
    g->gates[m->gate].grad = g->gates[m->gate].wanted ? slope(t, i) + noise : 0;
    if (m->gate2 >= 0) g->gates[m->gate2].grad = 0;
  }
}

static void one_step(synthetic *t, uint64_t step) {
  double epoch = (double)step / PER_EPOCH;
  spn_learner_decide(t->learner, step, epoch);
  fake_pass(t, step);
  spn_learner_pull(t->learner, epoch);
  spn_learner_update(t->learner, epoch);
  if ((step + 1) % PER_EPOCH == 0)
    for (int i = 0; i < t->s->net->masks; i++) spn_threshold_end_epoch(&t->learner->threshold[i]);
}

/* ---- The whole: right masks, target, lambda ---- */

/* Gains of two sizes; `ideal` has all that are worth having. */
static void draw_gains(synthetic *t, uint64_t seed, spn_choice *ideal) {
  unsigned char strong[SPN_MAX_MASKS];
  for (int i = 0; i < t->s->net->masks; i++) {
    strong[i] = spn_rng_uniform(seed, SPN_RNG_TEST, (uint64_t)i) < 0.6;
    t->gain[i] = strong[i] ? 0.05 : 0.0005;
  }
  spn_supernet_choice(t->s->net, strong, ideal);
}

/* True gain of a network. */
static double gain_of(const synthetic *t, const spn_choice *c) {
  double sum = 0;
  for (int i = 0; i < t->s->net->masks; i++) {
    const spn_layer_choice *layer = &c->layer[t->s->net->mask[i].layer];
    if (spn_mask_matters(&t->s->net->mask[i], layer) && spn_mask_is_open(&t->s->net->mask[i], layer)) sum += t->gain[i];
  }
  return sum;
}

typedef struct {
  double mean_cost; /* of the decisions in the last quarter, over the target */
  int turns; /* of lambda in the second half of the search phase: how often it changes direction by 5 % or more */
} course;

static course run_search(synthetic *t) {
  uint64_t steps = (uint64_t)t->settings.search_epochs * PER_EPOCH, last = steps * 3 / 4;
  course c = {0};
  double edge = 0;
  int rising = 0;
  for (uint64_t step = 0; step < steps; step++) {
    one_step(t, step);
    if (step >= last)
      c.mean_cost += t->learner->indicators->expected_cost / t->learner->target / (double)(steps - last);
    if (step < (steps + PER_EPOCH) / 2) continue;
    double lambda = t->learner->lambda;
    if (!edge) edge = lambda;
    if (rising >= 0 && lambda > edge) edge = lambda, rising = 1;
    if (rising <= 0 && lambda < edge) edge = lambda, rising = -1;
    if (rising > 0 ? lambda < 0.95 * edge : lambda > 1.05 * edge) edge = lambda, rising = -rising, c.turns++;
  }
  return c;
}

static void test_search(int row, uint64_t seed) {
  synthetic *t = synthetic_new(row, 0.5);
  spn_choice ideal;
  spn_budget_answer found;
  spn_err err;
  int flips;
  t->noise = 0.02;
  draw_gains(t, seed, &ideal);
  t->learner->target = 1.005 * spn_cost_of(&t->s->cost, &ideal); /* all strong ones fit, and no weak one */
  course c = run_search(t);
  must(spn_indicators_decode(t->learner->indicators, 0.98 * t->learner->target, t->learner->target, &found, &flips,
                             &err),
       &err);
  CHECK(found.outcome == SPN_BUDGET_MET, "%s %d: the target is met", rows[row].space, (int)seed);
  double best = gain_of(t, &ideal), gain = gain_of(t, &found.choice);
  CHECK(gain >= 0.97 * best, "%s %d: gain %.4g, the masks that are worth it have %.4g", rows[row].space, (int)seed,
        gain, best);
  int wrong = 0, asked = 0;
  for (int i = 0; i < t->s->net->masks; i++) {
    const spn_mask *m = &t->s->net->mask[i];
    if (!spn_mask_matters(m, &ideal.layer[m->layer])) continue;
    asked++;
    wrong += t->learner->indicators->list[i].on != spn_mask_is_open(m, &ideal.layer[m->layer]);
  }
  CHECK(wrong * 6 <= asked, "%s %d: %d of %d masks stand wrong at the end", rows[row].space, (int)seed, wrong, asked);
  CHECK(fabs(c.mean_cost - 1) <= 0.1, "%s %d: cost of the decisions at %.3f of the target", rows[row].space, (int)seed,
        c.mean_cost);
  CHECK(c.turns <= 2, "%s %d: lambda turns %d times", rows[row].space, (int)seed, c.turns);
  CHECK(isfinite(t->learner->lambda) && t->learner->lambda > 0, "lambda %g", t->learner->lambda);
  synthetic_free(t);
}

/* In the warm-up nothing moves but the averages; the first step after it starts every x alike. */
static void test_phases(void) {
  synthetic *t = synthetic_new(4, 0.5);
  t->noise = 0.02;
  for (int i = 0; i < t->s->net->masks; i++) t->gain[i] = 0.01;
  for (uint64_t step = 0; step < PER_EPOCH; step++) {
    one_step(t, step);
    CHECK(t->learner->lambda == 0 && !t->learner->started, "step %d: lambda in the warm-up", (int)step);
  }
  for (int i = 0; i < t->s->net->masks; i++) CHECK(t->learner->indicators->list[i].threshold == 0, "a threshold moved");
  one_step(t, PER_EPOCH);
  CHECK(t->learner->started == 1, "started");
  for (int i = 0; i < t->s->net->masks; i++)
    CHECK_NEAR(t->learner->threshold[i].x_at_start, t->settings.search_start_x, 1e-12, "x at the start");
  synthetic_free(t);
}

/* ---- The controller alone ---- */

/* R follows ln lambda with a lag: where it comes to rest, and how often it passes the aim by 2 % on its way. */
static void control(double first_lambda, double elasticity, int lag) {
  enum { STEPS = 6000 };
  const double aim = 60;
  spn_controller c;
  double r = 100, turns = 0, side = 1;
  spn_controller_start(&c, first_lambda, r);
  for (int step = 0; step < STEPS; step++) {
    double lambda = spn_controller_step(&c, r, r, aim, fmin(1, step / 50.0));
    double rest = 100 * pow(1 + lambda, -elasticity); /* where thresholds would settle at this lambda */
    r += (rest - r) / lag;
    if (side * (r / aim - 1) < -0.02) turns++, side = -side;
  }
  CHECK_NEAR(r, aim, 0.005 * 1, "from lambda %g, elasticity %g, lag %d: R rests at %.4g", first_lambda, elasticity, lag,
             r);
  CHECK(turns <= 3, "from lambda %g, elasticity %g, lag %d: R passes its aim %g times", first_lambda, elasticity, lag,
        turns);
}

static void test_controller(void) {
  spn_controller a, b;
  double slope;
  for (double first = 0.01; first < 20; first *= 10)
    for (double elasticity = 0.5; elasticity <= 1; elasticity += 0.25) control(first, elasticity, 30);
  spn_controller_start(&a, 1, 60);
  b = a;
  CHECK(spn_controller_step(&a, 60, 60, 60, 1) == 1, "on its aim lambda stays");
  CHECK(spn_controller_step(&b, 90, 90, 60, 0) == 0 && b.log_lambda == 0, "the integral waits for the ramp's end");
  spn_controller_start(&a, 1, 1e9);
  double far = spn_controller_step(&a, 1e9, 1e9, 60, 1);
  spn_controller_start(&b, 1, 90);
  CHECK(far == spn_controller_step(&b, 90, 90, 60, 1), "far off is answered like 1.5 times");
  CHECK(spn_cost_term(SPN_COST_HINGE, 50, 60, &slope) == 0 && slope == 0, "nothing to pay below the target");
}

/* ---- Thresholds alone ---- */

static void test_thresholds(void) {
  spn_threshold t = {0}, still = {0};
  spn_indicator n = {.derivative = 0.25, .dce = -0.1, .dthreshold = 0.025};
  for (int i = 0; i < 100; i++) spn_threshold_step(&t, &n, 1, 0.01);
  CHECK_NEAR(n.threshold, -1, 0.01, "a steady gradient moves a rate a step, whatever its size");
  n.dthreshold = 0;
  double before = n.threshold;
  spn_threshold_step(&t, &n, 1, 0.01);
  CHECK(n.threshold == before && t.updates == 100, "a dropped indicator is left alone");
  spn_indicator loud = {.derivative = 0.25, .dce = 1e-9, .dthreshold = 1e6};
  spn_threshold_step(&still, &loud, 1, 0.01);
  CHECK_NEAR(loud.threshold, -0.03, 1e-12, "at most three usual steps");
  spn_threshold g = {0};
  for (int i = 0; i < 8; i++) spn_threshold_gather(&g, &(spn_indicator){.dce = i % 2 ? 3 : 1});
  spn_threshold_gather(&g, &(spn_indicator){.dce = 0});
  CHECK_NEAR(spn_threshold_significance(&g), 2 / sqrt((8.0 / 7) / 8), 1e-12, "mean 2 in standard errors");
  spn_threshold_end_epoch(&g);
  CHECK(g.last_mean == 2 && g.count == 0 && spn_threshold_significance(&g) == 0, "a new epoch");
}

/* ---- The judge ---- */

static spn_status judge_pass(void *owner, uint64_t i, spn_err *err) {
  (void)err;
  fake_pass(owner, 1000 + i);
  return SPN_OK;
}

static spn_status failing_pass(void *owner, uint64_t i, spn_err *err) {
  return i < 5 ? judge_pass(owner, i, err) : spn_fail(err, SPN_EIO, "batch %d", (int)i);
}

static void test_judge(void) {
  synthetic *t = synthetic_new(4, 0.5);
  spn_err err;
  t->noise = 0.02;
  t->settings.search_explore = 0.5;
  for (int i = 0; i < t->s->net->masks; i++) {
    t->gain[i] = 0.02 + 0.05 * spn_rng_normal(3, SPN_RNG_TEST, (uint64_t)i);
    t->learner->indicators->list[i].gain = 7; /* what training saw, which does not count */
  }
  CHECK_OK(spn_learner_judge(t->learner, 4000, 0, judge_pass, t, &err), err);
  for (int i = 0; i < t->s->net->masks; i++) {
    const spn_indicator *n = &t->learner->indicators->list[i];
    double room = 5 * t->noise / sqrt(fmax(n->gain_weight, 1));
    /* A layer's gain is net of the others' estimates, which are off themselves. */
    if (t->s->net->mask[i].kind == SPN_DECISION_KEEP) room *= 4;
    CHECK(n->gain_weight > 100, "%s: seen %g times", t->s->net->mask[i].name, n->gain_weight);
    CHECK(fabs(n->gain - t->gain[i]) <= room, "%s: gain %.4g, truly %.4g, room %.4g", t->s->net->mask[i].name, n->gain,
          t->gain[i], room);
  }
  CHECK(spn_learner_judge(t->learner, 10, 0, failing_pass, t, &err) == SPN_EIO, "a failing batch ends it");
  synthetic_free(t);
}

int main(int argc, char **argv) {
  (void)argc;
  sleep_while_waiting(argv);
  spn_backend_init();
  for (uint64_t seed = 1; seed <= 3; seed++) {
    test_search(4, seed);
    test_search(5, seed);
  }
  test_phases();
  test_controller();
  test_thresholds();
  test_judge();
  return check_report("test_learner");
}
