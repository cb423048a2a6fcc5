/* The best network of a cost range: against every network of small synthetic spaces whose costs collide in all the ways
 * that rounding them could confuse, and against an exact table over whole-number costs for large ones. */
#include "check.h"
#include "core/rng.h"
#include "search/budget.h"

enum { LAYERS = 6, OPTIONS = 4, NETWORKS = 4096 };

typedef enum {
  REAL,     /* nothing in common */
  WHOLE,    /* many networks of the same cost */
  JITTERED, /* whole numbers with differences far below any rounding: a slightly cheaper part decides whether all fits
             */
  EQUAL,    /* cost decides nothing */
  TINY,     /* one layer's cost hides all others */
  COST_KINDS
} cost_kind;

static double draw_cost(cost_kind kind, uint64_t seed, int l, int o) {
  uint64_t at = (uint64_t)(l * OPTIONS + o);
  double u = spn_rng_uniform(seed, SPN_RNG_TEST, at);
  if (kind == REAL) return 10 * u;
  if (kind == EQUAL) return 1;
  if (kind == TINY) return l ? 1e-5 * u : 1000 * o;
  double whole = (double)spn_rng_below(seed, SPN_RNG_TEST, 100 + at, 4);
  return kind == WHOLE ? whole : whole + 1e-6 * (u - 0.5);
}

static void draw(spn_budget *b, cost_kind kind, uint64_t seed) {
  memset(b, 0, sizeof *b);
  b->layers = LAYERS;
  b->rest = seed % 3 ? 5 * spn_rng_uniform(seed, SPN_RNG_TEST, 999) : 0;
  for (int l = 0; l < LAYERS; l++) {
    b->count[l] = OPTIONS;
    for (int o = 0; o < OPTIONS; o++) {
      double gain = spn_rng_normal(seed, SPN_RNG_TEST, 200 + (uint64_t)(l * OPTIONS + o));
      if (seed % 5 == 4) gain = (double)(int)gain; /* ties */
      if (seed % 7 == 6) gain = 0;
      b->option[l][o] = (spn_layer_option){
          .choice = {.keep = 1, .kernel = (signed char)o}, .cost = draw_cost(kind, seed, l, o), .gain = gain};
    }
  }
}

static void network(const spn_budget *b, int number, double *cost, double *gain) {
  *cost = b->rest;
  *gain = 0;
  for (int l = 0; l < b->layers; l++, number /= OPTIONS) {
    *cost += b->option[l][number % OPTIONS].cost;
    *gain += b->option[l][number % OPTIONS].gain;
  }
}

/* Largest gain of any network that costs between low and high; -INFINITY where none does. */
static double best_gain(const spn_budget *b, double low, double high) {
  double best = -INFINITY;
  for (int i = 0; i < NETWORKS; i++) {
    double cost, gain;
    network(b, i, &cost, &gain);
    if (cost >= low && cost <= high) best = fmax(best, gain);
  }
  return best;
}

static double cheapest(const spn_budget *b) {
  double least = INFINITY, cost, gain;
  for (int i = 0; i < NETWORKS; i++) {
    network(b, i, &cost, &gain);
    least = fmin(least, cost);
  }
  return least;
}

/* What is returned is what its parts add up to. */
static void check_sums(const spn_budget *b, const spn_budget_answer *a, const char *what) {
  double cost = b->rest, gain = 0;
  for (int l = 0; l < b->layers; l++) {
    const spn_layer_option *o = &b->option[l][a->choice.layer[l].kernel];
    cost += o->cost;
    gain += o->gain;
  }
  CHECK(a->choice.layers == b->layers && cost == a->cost && gain == a->gain, "%s: sums of the answer", what);
}

static void compare(const spn_budget *b, double low, double high, const char *what) {
  spn_budget_answer a;
  spn_err err;
  CHECK_OK(spn_budget_best(b, low, high, &a, &err), err);
  double best = best_gain(b, low, high), least = cheapest(b);
  check_sums(b, &a, what);
  CHECK(a.bound == a.gain, "%s: exact", what);
  if (isfinite(best)) {
    CHECK(a.outcome == SPN_BUDGET_MET && a.cost >= low && a.cost <= high,
          "%s: outcome %d, cost %.17g of %.17g to %.17g", what, (int)a.outcome, a.cost, low, high);
    CHECK_NEAR(a.gain, best, 1e-8, "%s: gain in %.17g to %.17g", what, low, high);
  } else if (least > high) {
    CHECK(a.outcome == SPN_BUDGET_ABOVE && a.cost == least, "%s: the cheapest, %.9g", what, least);
  } else {
    CHECK(a.outcome == SPN_BUDGET_BELOW && a.cost < low, "%s: below %.17g: %.17g", what, low, a.cost);
    double width = high - low;
    while (!isfinite(best = best_gain(b, high - width, high))) width = fmax(2 * width, 1e-6 * fabs(high));
    CHECK_NEAR(a.gain, best, 1e-8, "%s: gain just below %.17g", what, low);
  }
}

static void test_brute_force(void) {
  static const char *const names[] = {"real", "whole", "jittered", "equal", "tiny"};
  spn_budget *b = malloc(sizeof *b);
  for (cost_kind kind = 0; kind < COST_KINDS; kind++)
    for (uint64_t seed = 0; seed < 24; seed++) {
      double cost, gain;
      draw(b, kind, seed);
      network(b, (int)spn_rng_below(seed, SPN_RNG_TEST, 998, NETWORKS), &cost, &gain);
      compare(b, 0.98 * cost, cost, names[kind]);
      compare(b, cost, cost, names[kind]);
      compare(b, cost * (1 - 1e-9), cost * (1 + 1e-9), names[kind]);
      compare(b, -INFINITY, cost, names[kind]);
      compare(b, cost, INFINITY, names[kind]);
      compare(b, cost + 1e-7, cost + 2e-7, names[kind]);
      compare(b, 0.1 * cost, 0.2 * cost, names[kind]);
      compare(b, cheapest(b) - 1, cheapest(b), names[kind]);
    }
  free(b);
}

/* ---- Limits of further costs ---- */

/* A second and third cost: independent of the first, its opposite (what is dear here is cheap there), or nearly it. */
typedef enum { OWN, OPPOSITE, ALIKE, LIMIT_KINDS } limit_kind;

static void draw_limits(spn_budget *b, limit_kind kind, uint64_t seed, int limits) {
  b->limits = limits;
  for (int m = 0; m < limits; m++) {
    spn_budget_limit *limit = &b->limit[m];
    limit->rest = seed % 2 ? 0.25 : 0;
    for (int l = 0; l < b->layers; l++)
      for (int o = 0; o < b->count[l]; o++) {
        uint64_t at = 3000 + (uint64_t)(m * 1000 + l * OPTIONS + o);
        double noise = spn_rng_uniform(seed, SPN_RNG_TEST, at), first = b->option[l][o].cost;
        limit->cost[l][o] = kind == OWN ? noise : kind == OPPOSITE ? 10.1 - first + noise : 0.5 * first + 0.01 * noise;
      }
  }
}

/* As spn_cost_worst adds up. */
static double worst_of(const spn_budget *b, int number, double *gain) {
  double worst;
  network(b, number, &worst, gain);
  for (int m = 0; m < b->limits; m++) {
    double sum = b->limit[m].rest;
    for (int l = 0, n = number; l < b->layers; l++, n /= OPTIONS) sum += b->limit[m].cost[l][n % OPTIONS];
    worst = fmax(worst, spn_limit_counts(sum, b->limit[m].high, b->limit[m].target));
  }
  return worst;
}

static double best_within(const spn_budget *b, double low, double high) {
  double best = -INFINITY, gain;
  for (int i = 0; i < NETWORKS; i++) {
    double worst = worst_of(b, i, &gain);
    if (worst >= low && worst <= high) best = fmax(best, gain);
  }
  return best;
}

static int number_of(const spn_budget *b, const spn_budget_answer *a) {
  int number = 0;
  for (int l = b->layers - 1; l >= 0; l--) number = number * OPTIONS + a->choice.layer[l].kernel;
  return number;
}

/* Limits between what the cheapest and a random network take; target: of a random one. */
static double set_limits(spn_budget *b, uint64_t seed) {
  double target, gain;
  network(b, (int)spn_rng_below(seed, SPN_RNG_TEST, 996, NETWORKS), &target, &gain);
  for (int m = 0; m < b->limits; m++) {
    int number = (int)spn_rng_below(seed, SPN_RNG_TEST, 990 + (uint64_t)m, NETWORKS);
    double sum = b->limit[m].rest;
    for (int l = 0; l < b->layers; l++, number /= OPTIONS) sum += b->limit[m].cost[l][number % OPTIONS];
    b->limit[m].high = sum;
    b->limit[m].target = target;
  }
  return target;
}

static void compare_limits(const spn_budget *b, double low, double high, const char *what) {
  spn_budget_answer a;
  spn_err err;
  double least = INFINITY, gain, best = best_within(b, low, high);
  for (int i = 0; i < NETWORKS; i++) least = fmin(least, worst_of(b, i, &gain));
  CHECK_OK(spn_budget_least(b, &a, &err), err);
  CHECK(fabs(a.worst - least) <= 1e-11 * least, "%s: least worst cost %.17g, expected %.17g", what, a.worst, least);
  CHECK_OK(spn_budget_best(b, low, high, &a, &err), err);
  check_sums(b, &a, what);
  CHECK(a.worst == worst_of(b, number_of(b, &a), &gain), "%s: worst cost of the answer", what);
  CHECK(a.bound == a.gain, "%s: exact", what);
  if (isfinite(best)) {
    CHECK(a.outcome == SPN_BUDGET_MET && a.worst >= low && a.worst <= high,
          "%s: outcome %d, worst %.17g of %.17g to %.17g", what, (int)a.outcome, a.worst, low, high);
    CHECK_NEAR(a.gain, best, 1e-8, "%s: gain in %.17g to %.17g", what, low, high);
  } else if (least > high) {
    CHECK(a.outcome == SPN_BUDGET_ABOVE, "%s: nothing keeps all, %.9g", what, least);
  } else {
    double width = high - low;
    while (!isfinite(best = best_within(b, high - width, high))) width = fmax(2 * width, 1e-6 * fabs(high));
    CHECK(a.outcome == SPN_BUDGET_BELOW && a.worst < low, "%s: below %.17g: %.17g", what, low, a.worst);
    CHECK_NEAR(a.gain, best, 1e-8, "%s: gain just below %.17g", what, low);
  }
}

static void test_limits(void) {
  static const char *const names[] = {"own", "opposite", "alike"};
  spn_budget *b = malloc(sizeof *b);
  for (limit_kind kind = 0; kind < LIMIT_KINDS; kind++)
    for (uint64_t seed = 0; seed < 20; seed++) {
      draw(b, seed % 4 == 3 ? WHOLE : REAL, seed);
      draw_limits(b, kind, seed, 1 + (int)(seed % 3));
      double target = set_limits(b, seed);
      b->steps = 2000;
      compare_limits(b, 0.98 * target, target, names[kind]);
      compare_limits(b, target * (1 - 1e-7), target, names[kind]);
      compare_limits(b, -INFINITY, target, names[kind]);
      compare_limits(b, target, INFINITY, names[kind]);
    }
  free(b);
}

/* As many layers and options as a space has, two costs that bind at once: the answer is proved, and no worse than any
 * of many networks that were improved one layer at a time. */
static void test_large_limits(void) {
  enum { MANY = 22 };
  spn_budget *b = calloc(1, sizeof *b);
  spn_err err;
  for (uint64_t seed = 0; seed < 4; seed++) {
    spn_budget_answer a;
    b->layers = MANY;
    b->limits = 1;
    b->limit[0] = (spn_budget_limit){.high = 55, .target = 100};
    for (int l = 0; l < MANY; l++) {
      b->count[l] = 9;
      for (int o = 0; o < 9; o++) {
        double at = spn_rng_uniform(seed, SPN_RNG_TEST, (uint64_t)(l * 9 + o)), cost = o + at;
        double other = (o % 3) * 2 + spn_rng_uniform(seed, SPN_RNG_TEST, 5000 + (uint64_t)(l * 9 + o));
        double gain = 0.1 * cost + 0.2 * other + spn_rng_normal(seed, SPN_RNG_TEST, 6000 + (uint64_t)(l * 9 + o));
        b->option[l][o] = (spn_layer_option){
            .choice = {.keep = 1, .kernel = (signed char)o}, .cost = cost, .gain = gain};
        b->limit[0].cost[l][o] = other;
      }
    }
    CHECK_OK(spn_budget_best(b, 98, 100, &a, &err), err);
    CHECK(a.outcome == SPN_BUDGET_MET && a.bound == a.gain, "%d layers: outcome %d, gain %.9g of at most %.9g", MANY,
          (int)a.outcome, a.gain, a.bound);
  }
  free(b);
}

/* Buckets that keep one partial network each lose the answer here: with the dearer first part nothing fits any more. */
static void test_cheaper_part(void) {
  spn_budget *b = calloc(1, sizeof *b);
  spn_budget_answer a;
  spn_err err;
  *b = (spn_budget){.layers = 2, .count = {2, 2}};
  b->option[0][0] = (spn_layer_option){.choice = {.keep = 1}, .cost = 10, .gain = 1};
  b->option[0][1] = (spn_layer_option){.choice = {.keep = 1, .kernel = 1}, .cost = 10 - 1e-7, .gain = 0.9};
  b->option[1][0] = (spn_layer_option){.choice = {.keep = 1}, .cost = 10 + 1e-7, .gain = 5};
  b->option[1][1] = (spn_layer_option){.choice = {.keep = 1, .kernel = 1}, .cost = 9, .gain = 0};
  CHECK_OK(spn_budget_best(b, 19.9, 20, &a, &err), err);
  CHECK(a.outcome == SPN_BUDGET_MET && a.choice.layer[0].kernel == 1 && a.choice.layer[1].kernel == 0 && a.gain == 5.9,
        "the cheaper first part: gain %.9g at %.9g", a.gain, a.cost);
  free(b);
}

/* Many equal layers of whole-number costs: more networks than could be looked at, few different sums. */
static void test_large(void) {
  enum { MANY = 40, MOST = 3 * MANY };
  spn_budget *b = calloc(1, sizeof *b);
  spn_err err;
  for (uint64_t seed = 0; seed < 6; seed++) {
    double best[MOST + 1], next[MOST + 1];
    b->layers = MANY;
    for (int s = 0; s <= MOST; s++) best[s] = s ? -INFINITY : 0;
    for (int l = 0; l < MANY; l++) {
      b->count[l] = OPTIONS;
      for (int s = 0; s <= MOST; s++) next[s] = -INFINITY;
      for (int o = 0; o < OPTIONS; o++) {
        double gain = spn_rng_normal(seed, SPN_RNG_TEST, (uint64_t)(l * OPTIONS + o));
        b->option[l][o] = (spn_layer_option){.choice = {.keep = 1, .kernel = (signed char)o}, .cost = o, .gain = gain};
        for (int s = 0; s + o <= MOST; s++) next[s + o] = fmax(next[s + o], best[s] + gain);
      }
      memcpy(best, next, sizeof best);
    }
    for (int high = 1; high < MOST; high += 7) {
      spn_budget_answer a;
      CHECK_OK(spn_budget_best(b, high - 1e-3, high + 0.999, &a, &err), err); /* just below the next sum */
      CHECK(a.outcome == SPN_BUDGET_MET && a.cost == high && a.bound == a.gain, "%d: cost %.9g", high, a.cost);
      CHECK_NEAR(a.gain, best[high], 1e-8, "largest gain at %d", high);
    }
  }
  free(b);
}

/* Cut short, an answer may be worse, but `bound` never promises too little. */
static void test_cut_short(void) {
  spn_budget *b = malloc(sizeof *b);
  spn_err err;
  int inexact = 0;
  for (uint64_t seed = 0; seed < 40; seed++) {
    spn_budget_answer a;
    double cost, gain;
    draw(b, REAL, seed);
    network(b, (int)spn_rng_below(seed, SPN_RNG_TEST, 997, NETWORKS), &cost, &gain);
    b->max_nodes = 1 + (long)seed / 2;
    CHECK_OK(spn_budget_best(b, cost * 0.999, cost, &a, &err), err);
    double best = best_gain(b, cost * 0.999, cost);
    check_sums(b, &a, "cut short");
    CHECK(a.bound >= best - 1e-8, "seed %d: the bound %.9g is below the best gain %.9g", (int)seed, a.bound, best);
    CHECK(a.cost <= cost, "seed %d: cost %.9g above %.9g", (int)seed, a.cost, cost);
    inexact += a.bound > a.gain;
    draw_limits(b, OPPOSITE, seed, 2);
    double target = set_limits(b, seed);
    CHECK_OK(spn_budget_best(b, target * 0.999, target, &a, &err), err);
    best = best_within(b, target * 0.999, target);
    CHECK(a.bound >= best - 1e-8, "seed %d, limits: the bound %.9g is below %.9g", (int)seed, a.bound, best);
  }
  CHECK(inexact > 10, "%d answers were cut short", inexact);
  free(b);
}

static void test_refused(void) {
  spn_budget *b = malloc(sizeof *b);
  spn_budget_answer a;
  spn_err err;
  draw(b, REAL, 1);
  CHECK(spn_budget_best(b, 2, 1, &a, &err) == SPN_EINPUT, "low above high");
  CHECK(spn_budget_best(b, NAN, 1, &a, &err) == SPN_EINPUT, "no number");
  b->option[2][1].gain = NAN;
  CHECK(spn_budget_best(b, 0, 100, &a, &err) == SPN_EINPUT, "a gain that is no number");
  b->option[2][1].gain = INFINITY;
  CHECK(spn_budget_best(b, 0, 100, &a, &err) == SPN_EINPUT, "an infinite gain");
  free(b);
}

int main(void) {
  test_brute_force();
  test_cheaper_part();
  test_large();
  test_limits();
  test_large_limits();
  test_cut_short();
  test_refused();
  return check_report("test_budget");
}
