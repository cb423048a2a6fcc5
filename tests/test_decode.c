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

static void random_averages(searched *s, const spn_choice *c, uint64_t seed) {
  for (int i = 0; i < s->in->count; i++) {
    double size = 0.01 + spn_rng_uniform(seed, SPN_RNG_TEST, 2000 + (uint64_t)i);
    s->in->list[i].average = wanted_sign(s, i, c, seed) ? size : -size;
  }
}

static void test_decode(void) {
  for (int row = 0; row < ROWS; row++) {
    searched *s = supernet(row, SIZE, 0.25, options_of(1, 0));
    for (int i = 0; i < 200; i++) {
      spn_choice c, got;
      int flips = -1;
      spn_choice_random(&s->net->space, 77, (uint64_t)i, &c);
      random_averages(s, &c, (uint64_t)i);
      s->in->explores = 0; /* decoding from averages */
      int met = decode(s, -INFINITY, INFINITY, &got, &flips);
      CHECK(met && !flips && spn_choice_equal(&got, &c), "%s network %d is not decoded", rows[row].space, i);
      CHECK(spn_cost_of(s->in->cost, &got) == table_sum(s->in->cost, &c), "%s network %d: cost", rows[row].space, i);
      aim(s, &c, (uint64_t)i);
      pull(s, 0);
      CHECK(s->in->expected_cost == spn_cost_of(s->in->cost, &c),
            "%s network %d: hard gates cost %.17g, the table %.17g", rows[row].space, i, s->in->expected_cost,
            spn_cost_of(s->in->cost, &c));
      decide(s, i, 1, 0.5, -1);
      pull(s, 0);
      CHECK(s->in->expected_cost == spn_cost_of(s->in->cost, &c),
            "%s network %d: exploring changes the cost of the decisions", rows[row].space, i);
    }
    supernet_free(s);
  }
}

/* Budgets at random places: what is found lies inside. The last space has gaps; the brute force below is for it. */
static void test_budgets(void) {
  for (int row = 0; row < ROWS - 1; row++) {
    searched *s = supernet(row, SIZE, 0.25, options_of(1, 0));
    double min, max;
    spn_cost_range(s->in->cost, &s->net->space, &min, &max);
    for (int i = 0; i < RANGES; i++) {
      spn_choice c, got;
      int flips;
      double high = min + (max - min) * (0.1 + 0.9 * spn_rng_uniform(8, SPN_RNG_TEST, (uint64_t)i));
      spn_choice_random(&s->net->space, 78, (uint64_t)i, &c);
      random_averages(s, &c, (uint64_t)i);
      s->in->explores = 0; /* decoding from averages */
      int met = decode(s, 0.98 * high, high, &got, &flips);
      double cost = spn_cost_of(s->in->cost, &got);
      CHECK(met && cost <= high && cost >= 0.98 * high, "%s: %.9g is not in %.9g to %.9g", rows[row].space, cost,
            0.98 * high, high);
      double plain = spn_cost_of(s->in->cost, &c);
      CHECK((flips == 0) == (plain >= 0.98 * high && plain <= high), "%s: %d flips from %.9g", rows[row].space, flips,
            plain);
    }
    supernet_free(s);
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

static double flip_cost(const searched *s, unsigned bits) {
  double sum = 0;
  for (int i = 0; i < s->in->count; i++)
    if ((int)(bits >> i & 1) != (s->in->list[i].average >= 0)) sum += fabs(s->in->list[i].average);
  return sum;
}

static int same_place(const networks *all, const spn_choice *c) {
  for (int i = 0; i < all->count; i++)
    if (spn_choice_equal(&all->list[i].choice, c)) return i;
  return -1;
}

/* For each indicator pattern its network, for each network the cheapest pattern. number: of a pattern's network. */
static void enumerate(const searched *s, networks *all, short *number) {
  for (unsigned bits = 0; bits < 1u << s->in->count; bits++) {
    unsigned char on[SPN_MAX_MASKS] = {0};
    spn_choice c;
    for (int i = 0; i < s->in->count; i++) on[i] = bits >> i & 1;
    spn_supernet_choice(s->net, on, &c);
    int at = same_place(all, &c);
    if (at < 0) {
      at = all->count++;
      all->list[at] = (network){.choice = c, .cost = table_sum(s->in->cost, &c)};
    }
    number[bits] = (short)at;
  }
}

static void price_all(const searched *s, networks *all, const short *number) {
  for (int i = 0; i < all->count; i++) all->list[i].penalty = INFINITY;
  for (unsigned bits = 0; bits < 1u << s->in->count; bits++) {
    network *n = &all->list[number[bits]];
    n->penalty = fmin(n->penalty, flip_cost(s, bits));
  }
}

/* With exploration: minus the gains of the parts a network has. Of its patterns the one with fewest bits shows just
 * those. */
static void price_gains(const searched *s, networks *all, const short *number) {
  int fewest[1 << 13];
  for (int i = 0; i < all->count; i++) fewest[i] = SPN_MAX_MASKS;
  for (unsigned bits = 0; bits < 1u << s->in->count; bits++) {
    int parts = __builtin_popcount(bits);
    double gain = 0;
    if (parts >= fewest[number[bits]]) continue;
    for (int i = 0; i < s->in->count; i++)
      if (bits >> i & 1) gain += s->in->list[i].gain;
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

static void compare_budget(const searched *s, const networks *all, double low, double high) {
  spn_choice got;
  int flips, met = decode(s, low, high, &got, &flips);
  double best = best_penalty(all, low, high), cost = table_sum(s->in->cost, &got);
  const network *n = &all->list[same_place(all, &got)];
  CHECK(met == isfinite(best), "%.9g to %.9g: met %d, but the least penalty is %.9g", low, high, met, best);
  if (met) CHECK(n->penalty <= best + 1e-9, "%.9g to %.9g: penalty %.9g, least %.9g", low, high, n->penalty, best);
  if (met) CHECK(cost >= low && cost <= high, "%.9g is not in %.9g to %.9g", cost, low, high);
}

/* Nothing lies between two neighbouring costs: the range grows downward, doubling, until something does. */
static double widened(const networks *all, double low, double high) {
  for (double width = high - low;; width = fmax(2 * width, 1e-6 * high)) {
    double best = best_penalty(all, high - width, high);
    if (isfinite(best)) return best;
  }
}

static void compare_gap(const searched *s, const networks *all, double high) {
  spn_choice got;
  double low = high * (1 - 1e-6);
  int flips;
  if (isfinite(best_penalty(all, low, high))) return;
  CHECK(!decode(s, low, high, &got, &flips), "nothing costs %.9g", high);
  CHECK_NEAR(all->list[same_place(all, &got)].penalty, widened(all, low, high), 1e-9, "just below %.9g", high);
}

static void compare_gains(searched *s, networks *all, const short *number, double high, uint64_t seed) {
  spn_choice got;
  int flips;
  for (int i = 0; i < s->in->count; i++)
    s->in->list[i].gain = 0.2 + spn_rng_normal(seed, SPN_RNG_TEST, 7000 + (uint64_t)i);
  price_gains(s, all, number);
  s->in->explores = 1;
  int met = decode(s, 0.98 * high, high, &got, &flips);
  s->in->explores = 0;
  double cost = table_sum(s->in->cost, &got);
  CHECK_NEAR(all->list[same_place(all, &got)].penalty, widened(all, 0.98 * high, high), 1e-9,
             "largest gains up to %.9g", high);
  CHECK(cost <= high && met == (cost >= 0.98 * high), "up to %.9g: met %d at %.9g", high, met, cost);
}

/* The promise for a limit that no network keeps: the cheapest one, and no claim that it fits. */
static void test_unreachable(void) {
  for (int row = 0; row < ROWS; row++) {
    searched *s = supernet(row, SIZE, 0.25, options_of(1, 0));
    spn_choice got, least;
    int flips;
    double min, max;
    spn_cost_range(s->in->cost, &s->net->space, &min, &max);
    spn_choice_min(&s->net->space, &least);
    for (int explores = 0; explores <= 1; explores++) {
      s->in->explores = explores;
      CHECK(!decode(s, 0.2 * min, 0.5 * min, &got, &flips), "%s: nothing costs so little", rows[row].space);
      CHECK(spn_choice_equal(&got, &least), "%s: the cheapest network", rows[row].space);
      CHECK(!decode(s, 2 * max, 3 * max, &got, &flips), "%s: nothing costs so much", rows[row].space);
      CHECK(spn_cost_of(s->in->cost, &got) <= max, "%s: some network", rows[row].space);
    }
    supernet_free(s);
  }
}

static void test_brute_force(void) {
  searched *s = supernet(ROWS - 1, SIZE, 0.25, options_of(1, 0));
  networks all = {.list = calloc(1u << 13, sizeof *all.list)};
  short *number = calloc((size_t)1 << 13, sizeof *number);
  double min, max;
  CHECK(s->in->count == 13, "nas-bench-macro has %d indicators", s->in->count);
  enumerate(s, &all, number);
  CHECK(all.count == 1944, "%d networks", all.count);
  spn_cost_range(s->in->cost, &s->net->space, &min, &max);
  for (int i = 0; i < RANGES; i++) {
    spn_choice c;
    double high = min + (max - min) * spn_rng_uniform(9, SPN_RNG_TEST, (uint64_t)i);
    spn_choice_random(&s->net->space, 79, (uint64_t)i, &c);
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
  supernet_free(s);
}

int main(int argc, char **argv) {
  (void)argc;
  sleep_while_waiting(argv);
  spn_backend_init();
  test_decode();
  test_budgets();
  test_brute_force();
  test_unreachable();
  return check_report("test_decode");
}
