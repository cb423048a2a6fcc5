/* Decoding and cost answer exactly: against table sums, and against every network of a small space. */
#include "supernet_case.h"

#ifdef __SANITIZE_ADDRESS__
enum { RANGES = 3 }; /* budgets tried */
#else
enum { RANGES = 40 };
#endif

static double table_sum(const spn_cost *cost, const spn_choice *c) {
  double sum = cost->rest;
  for (int l = 0; l < c->layers; l++)
    sum += !c->layer[l].keep ? cost->layer[l].skip
                             : cost->layer[l].cost[c->layer[l].kernel][c->layer[l].expand][c->layer[l].se];
  return sum;
}

static void random_averages(spn_supernet *s, const spn_choice *c, uint64_t seed) {
  for (int i = 0; i < s->indicators; i++) {
    double size = 0.01 + spn_rng_uniform(seed, SPN_RNG_TEST, 2000 + (uint64_t)i);
    s->indicator[i].average = wanted_sign(s, i, c, seed) ? size : -size;
  }
}

static void test_decode(void) {
  for (int row = 0; row < ROWS; row++) {
    spn_supernet *s = supernet(row, SIZE, 0.25, options_of(1, 0));
    for (int i = 0; i < 200; i++) {
      spn_choice c, got;
      int flips = -1;
      spn_choice_random(&s->space, 77, (uint64_t)i, &c);
      random_averages(s, &c, (uint64_t)i);
      s->explores = 0; /* decoding from averages */
      int met = spn_supernet_decode(s, -INFINITY, INFINITY, &got, &flips);
      CHECK(met && !flips && spn_choice_equal(&got, &c), "%s network %d is not decoded", rows[row].space, i);
      CHECK(spn_cost_of(&s->cost, &got) == table_sum(&s->cost, &c), "%s network %d: cost", rows[row].space, i);
      aim(s, &c, (uint64_t)i);
      spn_supernet_indicator_grads(s, 0, SPN_COST_LOG, 1);
      CHECK(s->expected_cost == spn_cost_of(&s->cost, &c), "%s network %d: hard gates cost %.17g, the table %.17g",
            rows[row].space, i, s->expected_cost, spn_cost_of(&s->cost, &c));
      decide(s, i, 1, 0.5, -1);
      spn_supernet_indicator_grads(s, 0, SPN_COST_LOG, 1);
      CHECK(s->expected_cost == spn_cost_of(&s->cost, &c), "%s network %d: exploring changes the cost of the decisions",
            rows[row].space, i);
    }
    spn_supernet_free(s);
  }
}

/* Budgets at random places: what is found lies inside. The last space has gaps; the brute force below is for it. */
static void test_budgets(void) {
  for (int row = 0; row < ROWS - 1; row++) {
    spn_supernet *s = supernet(row, SIZE, 0.25, options_of(1, 0));
    double min, max;
    spn_cost_range(&s->cost, &s->space, &min, &max);
    for (int i = 0; i < RANGES; i++) {
      spn_choice c, got;
      int flips;
      double high = min + (max - min) * (0.1 + 0.9 * spn_rng_uniform(8, SPN_RNG_TEST, (uint64_t)i));
      spn_choice_random(&s->space, 78, (uint64_t)i, &c);
      random_averages(s, &c, (uint64_t)i);
      s->explores = 0; /* decoding from averages */
      int met = spn_supernet_decode(s, 0.98 * high, high, &got, &flips);
      double cost = spn_cost_of(&s->cost, &got);
      CHECK(met && cost <= high && cost >= 0.98 * high, "%s: %.9g is not in %.9g to %.9g", rows[row].space, cost,
            0.98 * high, high);
      double plain = spn_cost_of(&s->cost, &c);
      CHECK((flips == 0) == (plain >= 0.98 * high && plain <= high), "%s: %d flips from %.9g", rows[row].space, flips,
            plain);
    }
    spn_supernet_free(s);
  }
}

/* ---- Brute force over every way the indicators of nas-bench-macro can stand ---- */

typedef struct {
  spn_choice choice;
  double cost, penalty;
} network;
typedef struct {
  network *list;
  int count;
} networks;

static double flip_cost(const spn_supernet *s, unsigned bits) {
  double sum = 0;
  for (int i = 0; i < s->indicators; i++)
    if ((int)(bits >> i & 1) != (s->indicator[i].average >= 0)) sum += fabs(s->indicator[i].average);
  return sum;
}

static int same_place(const networks *all, const spn_choice *c) {
  for (int i = 0; i < all->count; i++)
    if (spn_choice_equal(&all->list[i].choice, c)) return i;
  return -1;
}

/* For each indicator pattern its network, for each network the cheapest pattern. number: of a pattern's network. */
static void enumerate(const spn_supernet *s, networks *all, short *number) {
  for (unsigned bits = 0; bits < 1u << s->indicators; bits++) {
    unsigned char on[MAX_ON] = {0};
    spn_choice c;
    for (int i = 0; i < s->indicators; i++) on[i] = bits >> i & 1;
    spn_supernet_choice(s, on, &c);
    int at = same_place(all, &c);
    if (at < 0) {
      at = all->count++;
      all->list[at] = (network){.choice = c, .cost = table_sum(&s->cost, &c)};
    }
    number[bits] = (short)at;
  }
}

static void price_all(const spn_supernet *s, networks *all, const short *number) {
  for (int i = 0; i < all->count; i++) all->list[i].penalty = INFINITY;
  for (unsigned bits = 0; bits < 1u << s->indicators; bits++) {
    network *n = &all->list[number[bits]];
    n->penalty = fmin(n->penalty, flip_cost(s, bits));
  }
}

/* With exploration: minus the gains of the parts a network has. Of its patterns the one with fewest bits shows just
 * those. */
static void price_gains(const spn_supernet *s, networks *all, const short *number) {
  int fewest[1 << 13];
  for (int i = 0; i < all->count; i++) fewest[i] = MAX_ON;
  for (unsigned bits = 0; bits < 1u << s->indicators; bits++) {
    int parts = __builtin_popcount(bits);
    double gain = 0;
    if (parts >= fewest[number[bits]]) continue;
    for (int i = 0; i < s->indicators; i++)
      if (bits >> i & 1) gain += s->indicator[i].gain;
    fewest[number[bits]] = parts;
    all->list[number[bits]].penalty = -gain;
  }
}

static double best_penalty(const networks *all, double low, double high) {
  double best = INFINITY;
  for (int i = 0; i < all->count; i++)
    if (all->list[i].cost >= low && all->list[i].cost <= high) best = fmin(best, all->list[i].penalty);
  return best;
}

static void compare_budget(const spn_supernet *s, const networks *all, double low, double high) {
  spn_choice got;
  int flips, met = spn_supernet_decode(s, low, high, &got, &flips);
  double best = best_penalty(all, low, high), cost = table_sum(&s->cost, &got);
  const network *n = &all->list[same_place(all, &got)];
  CHECK(met == isfinite(best), "%.9g to %.9g: met %d, but the least penalty is %.9g", low, high, met, best);
  if (met) CHECK(n->penalty <= best + 1e-9, "%.9g to %.9g: penalty %.9g, least %.9g", low, high, n->penalty, best);
  if (met) CHECK(cost >= low && cost <= high, "%.9g is not in %.9g to %.9g", cost, low, high);
}

/* In a gap between two neighbouring costs nothing lies: the answer is the dearest network below. */
static void compare_gap(const spn_supernet *s, const networks *all, double high) {
  spn_choice got;
  double below = 0, low = high * (1 - 1e-6);
  int flips;
  if (isfinite(best_penalty(all, low, high))) return;
  for (int i = 0; i < all->count; i++)
    if (all->list[i].cost <= high) below = fmax(below, all->list[i].cost);
  CHECK(!spn_supernet_decode(s, low, high, &got, &flips), "nothing costs %.9g", high);
  CHECK_NEAR(spn_cost_of(&s->cost, &got), below, 1e-12, "the dearest below %.9g", high);
}

static void compare_gains(spn_supernet *s, networks *all, const short *number, double high, uint64_t seed) {
  spn_choice got;
  int flips;
  for (int i = 0; i < s->indicators; i++)
    s->indicator[i].gain = 0.2 + spn_rng_normal(seed, SPN_RNG_TEST, 7000 + (uint64_t)i);
  price_gains(s, all, number);
  s->explores = 1;
  int met = spn_supernet_decode(s, 0.98 * high, high, &got, &flips);
  s->explores = 0;
  double best = best_penalty(all, 0.98 * high, high), cost = table_sum(&s->cost, &got);
  if (isinf(best)) best = best_penalty(all, -INFINITY, high);
  CHECK_NEAR(all->list[same_place(all, &got)].penalty, best, 1e-9, "largest gains up to %.9g", high);
  CHECK(cost <= high && met == (cost >= 0.98 * high), "up to %.9g: met %d at %.9g", high, met, cost);
}

static void test_brute_force(void) {
  spn_supernet *s = supernet(ROWS - 1, SIZE, 0.25, options_of(1, 0));
  networks all = {.list = calloc(1u << 13, sizeof *all.list)};
  short *number = calloc((size_t)1 << 13, sizeof *number);
  double min, max;
  CHECK(s->indicators == 13, "nas-bench-macro has %d indicators", s->indicators);
  enumerate(s, &all, number);
  CHECK(all.count == 1944, "%d networks", all.count);
  spn_cost_range(&s->cost, &s->space, &min, &max);
  for (int i = 0; i < RANGES; i++) {
    spn_choice c;
    double high = min + (max - min) * spn_rng_uniform(9, SPN_RNG_TEST, (uint64_t)i);
    spn_choice_random(&s->space, 79, (uint64_t)i, &c);
    random_averages(s, &c, (uint64_t)i);
    price_all(s, &all, number);
    compare_budget(s, &all, 0.98 * high, high);
    compare_budget(s, &all, 0.9995 * high, high);
    compare_budget(s, &all, -INFINITY, high);
    compare_gap(s, &all, high);
    compare_gains(s, &all, number, high, (uint64_t)i);
    price_all(s, &all, number);
    double exact = all.list[(i * 37) % all.count].cost;
    compare_budget(s, &all, exact * (1 - 1e-9), exact * (1 + 1e-9));
  }
  free(all.list);
  free(number);
  spn_supernet_free(s);
}

int main(int argc, char **argv) {
  (void)argc;
  sleep_while_waiting(argv);
  spn_backend_init();
  test_decode();
  test_budgets();
  test_brute_force();
  return check_report("test_decode");
}
