/* What the gradient method learns with, on a supernet whose cross entropy is made up: every mask has a known gain. So
 * the right masks must open and close, the target be held all the way, and gains be found again. */
#include "search/learner.h"
#include "supernet_case.h"

enum { PER_EPOCH = 100 };

typedef struct {
  searched *s;
  spn_learner *learner;
  spn_settings settings;
  double gain[SPN_MAX_MASKS]; /* CE(closed) - CE(open), those above it open */
  double noise;               /* of a gradient, standard deviation */
  int silent;                 /* a mask without any gradient; -1: none */
} synthetic;

static spn_status load_limit(const void *owner, const char *name, const spn_space *space, spn_cost *out, spn_err *err) {
  return spn_cost_load(name, space, out, err);
}

/* limit: of a further cost; NULL: none. */
static synthetic *synthetic_limited(int row, double target_share, const char *limit) {
  synthetic *t = calloc(1, sizeof *t);
  spn_err err;
  double min, max;
  t->silent = -1;
  t->s = supernet(row, SIZE, 0.25, options_of(1, 0));
  spn_settings_default(&t->settings);
  t->settings.search_warmup_epochs = 1;
  t->settings.search_epochs = 9;
  spn_cost_range(&t->s->cost, &t->s->net->space, &min, &max);
  double target = min + target_share * (max - min);
  if (limit) must(spn_limits_add(&t->s->cost, limit, &t->s->net->space, load_limit, NULL, &err), &err);
  if (limit) t->s->cost.limits->target = target;
  must(spn_learner_create(t->s->net, &t->s->cost, target, &t->settings, &t->learner, &err), &err);
  return t;
}

static synthetic *synthetic_new(int row, double target_share) { return synthetic_limited(row, target_share, NULL); }

static void synthetic_free(synthetic *t) {
  spn_learner_free(t->learner);
  spn_cost_free(&t->s->cost);
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
    g->gates[m->gate].grad = g->gates[m->gate].wanted && i != t->silent ? slope(t, i) + noise : 0;
    if (m->gate2 >= 0) g->gates[m->gate2].grad = 0;
  }
}

static void one_step(synthetic *t, uint64_t step) {
  double epoch = (double)step / PER_EPOCH;
  spn_err err;
  must(spn_learner_decide(t->learner, step, epoch, &err), &err);
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

static void decided(const synthetic *t, spn_choice *out) {
  unsigned char on[SPN_MAX_MASKS];
  for (int i = 0; i < t->s->net->masks; i++) on[i] = (unsigned char)t->learner->indicators->list[i].on;
  spn_supernet_choice(t->s->net, on, out);
}

/* Largest true gain of any network of the budget. */
static double best_gain(const synthetic *t) {
  double target = t->learner->target;
  spn_budget *b = spn_budget_new(&t->s->net->space, &t->s->cost);
  spn_budget_answer best;
  spn_err err;
  for (int l = 0; l < b->layers; l++)
    for (int o = 0; o < b->count[l]; o++) {
      spn_choice alone = {.layers = b->layers};
      alone.layer[l] = b->option[l][o].choice;
      b->option[l][o].gain = gain_of(t, &alone);
    }
  must(spn_budget_best(b, target * (1 - t->settings.search_tolerance), target, &best, &err), &err);
  free(b);
  return best.gain;
}

/* Of the second half of the search phase. */
typedef struct {
  double held;            /* share of steps whose decisions cost what the target says, within 5 % */
  double free;            /* mean cost of the signs of x over the target */
  int changes, undone;    /* of decisions, and those that are taken back within UNDONE steps */
  double lowest, highest; /* lambda */
} conduct;

enum { UNDONE = 20 };

static void count_changes(const synthetic *t, uint64_t step, int *was, uint64_t *last, conduct *c) {
  for (int i = 0; i < t->s->net->masks; i++) {
    int on = t->learner->indicators->list[i].on;
    if (was[i] >= 0 && on != was[i]) {
      c->changes++;
      c->undone += last[i] && step - last[i] <= UNDONE;
      last[i] = step;
    }
    was[i] = on;
  }
}

static conduct run_search(synthetic *t) {
  uint64_t warmup = (uint64_t)t->settings.search_warmup_epochs * PER_EPOCH;
  uint64_t steps = (uint64_t)t->settings.search_epochs * PER_EPOCH, half = (steps + warmup) / 2;
  uint64_t last[SPN_MAX_MASKS] = {0};
  int was[SPN_MAX_MASKS];
  conduct c = {.lowest = INFINITY, .highest = -INFINITY};
  for (int i = 0; i < SPN_MAX_MASKS; i++) was[i] = -1;
  for (uint64_t step = 0; step < steps; step++) {
    one_step(t, step);
    if (step < half) continue;
    c.held += fabs(t->learner->indicators->expected_cost / t->learner->target - 1) <= 0.05;
    c.free += t->learner->indicators->free_cost / t->learner->target;
    c.lowest = fmin(c.lowest, t->learner->lambda);
    c.highest = fmax(c.highest, t->learner->lambda);
    count_changes(t, step, was, last, &c);
  }
  c.held /= (double)(steps - half);
  c.free /= (double)(steps - half);
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
  conduct c = run_search(t);
  must(spn_indicators_decode(t->learner->indicators, 0.98 * t->learner->target, t->learner->target, &found, &flips,
                             &err),
       &err);
  CHECK(found.outcome == SPN_BUDGET_MET, "%s %d: the target is met", rows[row].space, (int)seed);
  double best = best_gain(t), gain = gain_of(t, &found.choice);
  CHECK(gain >= 0.97 * best, "%s %d: gain %.4g, the best network's %.4g", rows[row].space, (int)seed, gain, best);
  spn_choice last;
  decided(t, &last);
  CHECK(gain_of(t, &last) >= 0.95 * best, "%s %d: the last decisions gain %.4g, the best network %.4g", rows[row].space,
        (int)seed, gain_of(t, &last), best);
  CHECK(c.held == 1, "%s %d: the target is held in %.3f of the steps", rows[row].space, (int)seed, c.held);
  CHECK(isfinite(t->learner->lambda) && t->learner->lambda > 0, "lambda %g", t->learner->lambda);
  synthetic_free(t);
}

/* Targets near the cheapest network, in the middle and near the dearest one, with gains of any kind: even where all are
 * equal, so that nothing tells one network from another of the same cost, and where nothing is worth having. */
static void test_holding(int row, double share, double strong, double weak, double explore) {
  synthetic *t = synthetic_new(row, share);
  spn_choice unused;
  t->noise = 0.02;
  t->settings.search_explore = explore;
  t->settings.search_epochs = 5;
  draw_gains(t, 5, &unused);
  for (int i = 0; i < t->s->net->masks; i++) t->gain[i] = t->gain[i] > 0.01 ? strong : weak;
  conduct c = run_search(t);
  char text[96];
  snprintf(text, sizeof text, "%s at %g, gains %g and %g, explore %g", rows[row].space, share, strong, weak, explore);
  CHECK(c.held == 1, "%s: the target is held in %.3f of the steps", text, c.held);
  CHECK(fabs(c.free - 1) <= 0.05, "%s: the thresholds alone cost %.3f of the target", text, c.free);
  CHECK(c.undone <= 0.1 * c.changes + 2, "%s: %d of %d changes are undone at once", text, c.undone, c.changes);
  CHECK(isfinite(c.lowest) && isfinite(c.highest), "%s: lambda from %g to %g", text, c.lowest, c.highest);
  synthetic_free(t);
}

/* ---- Limits of further costs ---- */

/* The softened worst cost's derivatives, against finite differences away from where another cost takes over. */
static void check_grip(synthetic *t) {
  spn_indicators *in = t->learner->indicators;
  double grip[SPN_MAX_MASKS];
  const double step = 1e-6;
  spn_indicators_soft_cost(in, 3, grip);
  for (int i = 0; i < in->count; i++) {
    double x = in->list[i].x;
    in->list[i].x = x + step;
    double up = spn_indicators_soft_cost(in, 3, NULL);
    in->list[i].x = x - step;
    double down = spn_indicators_soft_cost(in, 3, NULL);
    in->list[i].x = x;
    CHECK_NEAR(grip[i], (up - down) / (2 * step), 1e-6 * fmax(1, fabs(grip[i])), "%s", t->s->net->mask[i].name);
  }
}

/* The worst cost is held whichever binds, and what is decoded is good and keeps all. */
static void test_limited(double share, const char *limit, int binds) {
  synthetic *t = synthetic_limited(4, share, limit);
  const spn_indicators *in = t->learner->indicators;
  const spn_cost *cost = &t->s->cost;
  spn_choice last;
  spn_budget_answer found;
  spn_err err;
  int flips;
  t->noise = 0.02;
  draw_gains(t, 7, &last);
  conduct c = run_search(t);
  decided(t, &last);
  CHECK(c.held == 1 && fabs(c.free - 1) <= 0.05, "%s at %g: held %g, free %g", limit, share, c.held, c.free);
  CHECK(in->expected_cost == spn_cost_worst(cost, &last), "%s: hard masks cost %.17g, the network %.17g", limit,
        in->expected_cost, spn_cost_worst(cost, &last));
  double least = t->learner->target * (1 - t->settings.search_tolerance);
  must(spn_indicators_decode(in, least, t->learner->target, &found, &flips, &err), &err);
  CHECK(found.outcome == SPN_BUDGET_MET && found.bound == found.gain, "%s: met, exactly", limit);
  CHECK(found.worst <= t->learner->target && found.worst == spn_cost_worst(cost, &found.choice), "%s: keeps all",
        limit);
  CHECK((found.cost < found.worst) == binds, "%s at %g: main cost %g, worst %g", limit, share, found.cost, found.worst);
  CHECK(gain_of(t, &found.choice) >= 0.97 * best_gain(t), "%s: gain %.4g of %.4g", limit, gain_of(t, &found.choice),
        best_gain(t));
  check_grip(t);
  synthetic_free(t);
}

/* Evidence that turns: what was worth most is worth nothing from then on, and the other way round. */
static void test_turning(void) {
  synthetic *t = synthetic_new(4, 0.5);
  spn_choice now;
  uint64_t step = 0;
  t->noise = 0.02;
  t->settings.search_epochs = 200;
  for (int turn = 0; turn < 2; turn++) {
    for (int i = 0; i < t->s->net->masks; i++) t->gain[i] = (i + turn) % 2 ? 0.05 : 0.0005;
    for (int n = 0; n < 60 * PER_EPOCH; n++) one_step(t, step++); /* gains remember 500 draws of a mask */
    decided(t, &now);
    CHECK(gain_of(t, &now) >= 0.9 * best_gain(t), "turn %d: decisions follow the evidence: %.3g of %.3g", turn,
          gain_of(t, &now), best_gain(t));
  }
  synthetic_free(t);
}

/* What the loss does not feel at all still costs, and goes. */
static void test_silent(void) {
  synthetic *t = synthetic_new(4, 0.8);
  t->noise = 0.02;
  for (int i = 0; i < t->s->net->masks; i++) t->gain[i] = 0.05;
  for (int i = 0; i < t->s->net->masks && t->silent < 0; i++)
    if (t->s->net->mask[i].kind == SPN_DECISION_KERNEL) t->silent = i;
  run_search(t);
  CHECK(t->learner->indicators->list[t->silent].x < 0, "%s is left at x = %g", t->s->net->mask[t->silent].name,
        t->learner->indicators->list[t->silent].x);
  synthetic_free(t);
}

/* A fixed lambda: nothing is steered or held. */
static void test_fixed(double lambda, spn_cost_form form, double low, double high) {
  synthetic *t = synthetic_new(5, 0.5);
  t->noise = 0.02;
  t->settings.search_lambda = lambda;
  t->settings.search_cost_form = form;
  for (int i = 0; i < t->s->net->masks; i++) t->gain[i] = 0.02;
  conduct c = run_search(t);
  const spn_indicators *in = t->learner->indicators;
  CHECK(c.lowest == lambda && c.highest == lambda, "lambda %g stays: %g to %g", lambda, c.lowest, c.highest);
  CHECK(in->expected_cost == in->free_cost, "decisions are the signs of x");
  CHECK(c.free >= low && c.free <= high, "lambda %g, form %d: cost %.3f of the target", lambda, form, c.free);
  synthetic_free(t);
}

/* Steered, every form of the cost term holds the target. */
static void test_forms(void) {
  for (spn_cost_form form = SPN_COST_LOG; form <= SPN_COST_HINGE; form++) {
    synthetic *t = synthetic_new(5, 0.5);
    t->noise = 0.02;
    t->settings.search_epochs = 5;
    t->settings.search_cost_form = form;
    for (int i = 0; i < t->s->net->masks; i++) t->gain[i] = 0.02;
    conduct c = run_search(t);
    CHECK(c.held == 1 && fabs(c.free - 1) <= 0.05, "form %d: held %g, free %g", form, c.held, c.free);
    CHECK(c.lowest > 0, "form %d: lambda %g to %g", form, c.lowest, c.highest);
    synthetic_free(t);
  }
}

/* Among networks that are equally near the projection stays with its answer, although x trembles. */
static void test_staying(void) {
  synthetic *t = synthetic_new(4, 0.5);
  spn_indicators *in = t->learner->indicators;
  spn_draw draw = {.keep_probability = 1, .low = 0.98 * t->learner->target, .high = t->learner->target};
  int was[SPN_MAX_MASKS], changes = 0;
  spn_err err;
  for (uint64_t step = 0; step < 50; step++) {
    for (int i = 0; i < in->count; i++)
      in->list[i].threshold += in->list[i].x + 1 + 0.001 * spn_rng_normal(4, SPN_RNG_TEST, step << 32 | (uint64_t)i);
    must(spn_indicators_decide(in, 1, step, &draw, &err), &err);
    for (int i = 0; i < in->count; i++) {
      changes += step > 1 && was[i] != in->list[i].on; /* x was measured once, and set */
      was[i] = in->list[i].on;
    }
  }
  CHECK(in->free_cost < draw.low && in->expected_cost >= draw.low, "free %g, held %g", in->free_cost,
        in->expected_cost);
  CHECK(changes == 0, "%d changes without a reason", changes);
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

/* ---- Price and thresholds alone ---- */

static void test_price(void) {
  spn_threshold list[3] = {{.push = 0.5, .load = 1}, {.push = -1, .load = 2}, {.push = 2, .load = 0.1}};
  const double grip[3] = {1, 2, 0.5};
  double price = spn_thresholds_price(list, grip, 3, -4);
  double change = -(0.5 + price) - 2 * fmin(3, -1 + 2 * price) - 0.5 * fmin(3, 2 + 0.1 * price);
  CHECK(price > 0, "a fall is bought");
  CHECK_NEAR(change, -4, 1e-9, "at price %g the cost changes as wanted", price);
  CHECK(spn_thresholds_price(list, grip, 3, 4) < 0, "so is a rise");
  price = spn_thresholds_price(list, grip, 3, -1e9);
  CHECK(price >= 10 && price <= 50, "at %g all take their longest steps: more buys nothing", price);
  CHECK(spn_thresholds_price(list, (double[3]){0}, 3, -1) == 0, "nothing moves the cost");
}

static void weigh_and_step(synthetic *t, spn_threshold *m, double price, double reach) {
  spn_threshold_weigh(m, t->learner->indicators, 0);
  spn_threshold_step(m, &t->learner->indicators->list[0], 1, 0.01, price, reach);
}

static void test_thresholds(void) {
  synthetic *t = synthetic_new(4, 0.5);
  spn_threshold m = {0}, still = {0}, g = {0};
  spn_indicator *n = &t->learner->indicators->list[0];
  *n = (spn_indicator){.derivative = 0.25, .dce = -0.1, .looked = 1, .kept = 1, .x = 0.5, .statistic = 0.5};
  weigh_and_step(t, &m, 0, 1);
  CHECK_NEAR(n->statistic - n->threshold, 0.51, 1e-6, "a steady gradient moves a rate a step, whatever its size");
  n->kept = 0;
  spn_threshold_weigh(&m, t->learner->indicators, 0);
  CHECK(m.push == 0 && m.load == 0 && m.updates == 1, "a dropped indicator is left alone");
  *n = (spn_indicator){.derivative = 0.25, .dce = 1e-9, .dcost = 1, .looked = 1, .kept = 1, .x = 0.5, .statistic = 0.5};
  weigh_and_step(t, &still, 1e6, 1);
  CHECK_NEAR(n->statistic - n->threshold, 0.47, 1e-6, "at most three usual steps");
  n->x = -0.99;
  weigh_and_step(t, &still, 1e6, 1);
  CHECK_NEAR(n->statistic - n->threshold, -1, 1e-12, "not beyond the reach");
  for (int i = 0; i < 8; i++) spn_threshold_gather(&g, &(spn_indicator){.dce = i % 2 ? 3 : 1, .looked = 1});
  spn_threshold_gather(&g, &(spn_indicator){.dce = 0});
  CHECK_NEAR(spn_threshold_significance(&g), 2 / sqrt((8.0 / 7) / 8), 1e-12, "mean 2 in standard errors");
  spn_threshold_end_epoch(&g);
  CHECK(g.count == 0 && spn_threshold_significance(&g) == 0, "a new epoch");
  synthetic_free(t);
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
  for (int row = 4; row <= 5; row++)
    for (double share = 0.06; share < 1; share += 0.44) {
      test_holding(row, share, 0.05, 0.0005, 0.5);
      test_holding(row, share, 0.01, 0.01, 0.5);
      test_holding(row, share, -0.01, -0.02, 0.5);
      test_holding(row, share, 0.05, 0.0005, 0);
    }
  test_limited(0.9, "params <= 75%", 1);
  test_limited(0.3, "params <= 99%", 0);
  test_limited(0.5, "macs <= 45%", 1);
  test_turning();
  test_silent();
  test_fixed(1e-6, SPN_COST_LOG, 1.5, 2);
  test_fixed(1e6, SPN_COST_LOG, 0.3, 0.5);
  test_fixed(1e6, SPN_COST_HINGE, 0.8, 1.05);
  test_forms();
  test_staying();
  test_price();
  test_thresholds();
  test_judge();
  return check_report("test_learner");
}
