/* Does the supernet mean what it says? Networks cut out of it compute what it computes under their gates, forward and
 * backward; decoding and cost answer exactly; the same losses for any number of threads. On every space of data/spaces. */
#include <unistd.h>

#include "check.h"
#include "core/rng.h"
#include "model/supernet.h"
#include "train/optimizer.h"

#ifdef __SANITIZE_ADDRESS__
enum { NETWORKS = 12, RANGES = 3 }; /* of each space; budgets of the brute force */
#else
enum { NETWORKS = 200, RANGES = 40 };
#endif
enum { BATCH = 4, CLASSES = 10, SIZE = 16, MAX_ON = SPN_MAX_LAYERS * 4 * SPN_MAX_OPTIONS };

static const struct { const char *space, *cost; } rows[] = {
    {"singlepath", "pixel1-singlepath"},       {"singlepath-se", "pixel1-singlepath"},
    {"singlepath-k7", "pixel1-proxylessnas"},  {"singlepath-se-k7", "pixel1-proxylessnas"},
    {"demo", "pixel1-singlepath"},             {"nas-bench-macro", "flops"}};
enum { ROWS = sizeof rows / sizeof *rows };

static real images[BATCH * SIZE * SIZE * 3];
static int32_t labels[BATCH];

static void make_images(uint64_t seed) {
  for (size_t i = 0; i < sizeof images / sizeof *images; i++) images[i] = (real)spn_rng_normal(seed, SPN_RNG_TEST, i);
  for (int i = 0; i < BATCH; i++) labels[i] = (int32_t)spn_rng_below(seed, SPN_RNG_TEST, 1u << 30 | (unsigned)i, CLASSES);
}

static spn_network_options options_of(int threads, int reproducible) {
  return (spn_network_options){.batch = BATCH, .threads = threads, .reproducible = reproducible,
                               .kernels = spn_kernels_get(NULL), .seed = 11, .smoothing = 0.1};
}

/* Without it nothing can go on. */
static void must(spn_status status, const spn_err *err) {
  CHECK(!status, "%s", err->text);
  if (status) exit(check_report("test_nas"));
}

/* size, width 0: the space's own. Channels stay as the space makes them, so every option keeps its place. */
static spn_supernet *supernet(int row, int size, double width, spn_network_options o) {
  spn_space space;
  spn_cost cost;
  spn_err err;
  spn_supernet *s = NULL;
  must(spn_space_load(rows[row].space, &space, &err), &err);
  must(spn_cost_load(rows[row].cost, &space, &cost, &err), &err);
  if (size) space.proxy_size = size;
  if (width > 0) space.proxy_width = width;
  if (size) space.proxy_head = 64;
  must(spn_supernet_create(&space, &cost, CLASSES, space.base.input_channels, &o, SPN_STATISTIC_RMS, 1, &s, &err), &err);
  return s;
}

static void decide(spn_supernet *s, int step, double keep_probability, double explore, double average_decay) {
  spn_supernet_decide(s, 1, (uint64_t)step, keep_probability, explore, average_decay);
}

/* Zeros and ones hide mistakes: gamma, beta, biases and running statistics move off their initial values. */
static void perturb(spn_graph *g) {
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    size_t n = strlen(p->name);
    int variance = p->kind == SPN_PARAM_STATE && !strcmp(p->name + n - 4, ".var");
    for (size_t k = 0; k < p->size && p->kind != SPN_PARAM_WEIGHT; k++) {
      double noise = spn_rng_normal(5, SPN_RNG_TEST, (uint64_t)i << 32 | k);
      g->weights[p->offset + k] += (real)(variance ? 0.2 * fabs(noise) : 0.2 * noise);
    }
  }
}

/* ---- A network and its place in the supernet ---- */

static spn_graph *cut(const spn_supernet *s, const spn_choice *choice) {
  spn_network_options o = options_of(1, 0);
  spn_arch arch;
  spn_err err;
  spn_graph *g = NULL;
  spn_space_arch(&s->space, choice, 1, &arch);
  arch.classes = s->arch.classes;
  must(spn_network_create(&arch, &o, 0, &g, &err), &err);
  must(spn_network_cut(s->graph, g, &err), &err);
  return g;
}

/* Element of the supernet's flat block behind element k of a network's parameter: a prefix along every axis, the centre
 * of a depthwise kernel. Said here in its own words, so that spn_network_cut is tested too. */
static size_t place(const spn_param *small, const spn_param *big, size_t k) {
  int centred = small->dims == 3; /* (k, k, c) */
  size_t index = 0, at[4];
  for (int d = small->dims - 1; d >= 0; d--) {
    at[d] = k % small->shape[d];
    k /= small->shape[d];
  }
  for (int d = 0; d < small->dims; d++)
    index = index * big->shape[d] + at[d] + (centred && d < 2 ? (big->shape[d] - small->shape[d]) / 2 : 0);
  return big->offset + index;
}

static double largest(const real *x, size_t n) {
  double top = 0;
  for (size_t i = 0; i < n; i++) top = fmax(top, fabs((double)x[i]));
  return top;
}

static double distance(const real *a, const real *b, size_t n) {
  double worst = 0;
  for (size_t i = 0; i < n; i++) {
    double d = fabs((double)a[i] - (double)b[i]);
    if (!(d <= worst)) worst = d; /* NaN stays */
  }
  return worst;
}

/* limit: 1e-5; under indicators in training the supernet computes hidden channels too, in other tiles and so with other
 * rounding, which twenty batch norms over few pixels magnify. That nothing leaks is checked in double by grad_supernet. */
static void check_logits(const spn_supernet *s, const spn_graph *net, const char *mode, double limit, int row, int index) {
  size_t n = (size_t)BATCH * CLASSES;
  double scale = fmax(1, largest(net->logits, n)), off = distance(s->graph->logits, net->logits, n);
  CHECK(off <= limit * scale, "%s network %d, %s: logits off by %.3g of %.3g", rows[row].space, index, mode, off, scale);
}

/* Every parameter of the network has the supernet's gradient at its place; what it does not use has none. Returns the
 * largest difference as a share of the largest gradient of all: a shift before a convolution and its batch norm has the
 * true gradient 0, and only rounding is left of it. */
static double gradient_distance(const spn_supernet *s, const spn_graph *net, int row, int index) {
  const spn_graph *g = s->graph;
  unsigned char *used = calloc(g->param_elements, 1);
  double worst = 0;
  for (int i = 0; i < net->param_count; i++) {
    const spn_param *p = &net->params[i], *big = spn_graph_find_param(g, p->name);
    for (size_t k = 0; k < p->size; k++) {
      size_t at = place(p, big, k);
      double d = fabs((double)g->grads[at] - (double)net->grads[p->offset + k]);
      used[at] = 1;
      if (!(d <= worst)) worst = d;
    }
  }
  size_t stray = 0;
  for (size_t k = 0; k < g->param_elements; k++) stray += !used[k] && g->grads[k] != 0;
  CHECK(!stray, "%s network %d: %zu gradients where the network has no weights", rows[row].space, index, stray);
  free(used);
  return worst / largest(net->grads, net->param_elements);
}

/* After a training pass: the statistics of what the network uses are its own. */
static void check_running(const spn_supernet *s, const spn_graph *net, double limit, int row, int index) {
  for (int i = 0; i < net->param_count; i++) {
    const spn_param *p = &net->params[i], *big = spn_graph_find_param(s->graph, p->name);
    double worst = 0, scale = fmax(1, largest(net->weights + p->offset, p->size));
    for (size_t k = 0; k < p->size; k++)
      worst = fmax(worst, fabs((double)s->graph->weights[place(p, big, k)] - (double)net->weights[p->offset + k]));
    CHECK(worst <= limit * scale, "%s network %d: %s off by %.3g after a step", rows[row].space, index, p->name, worst);
  }
}

/* Is indicator i on in a network? Where its decision cannot matter, a coin. */
static int wanted_sign(const spn_supernet *s, int i, const spn_choice *c, uint64_t seed) {
  const spn_indicator *n = &s->indicator[i];
  int coin = spn_rng_uniform(seed, SPN_RNG_TEST, (uint64_t)i) < 0.5;
  if (n->kind == SPN_KIND_SKIP) return c->layer[n->layer].keep;
  int at = n->kind == SPN_KIND_KERNEL ? c->layer[n->layer].kernel
           : n->kind == SPN_KIND_EXPAND ? c->layer[n->layer].expand : c->layer[n->layer].se;
  return !c->layer[n->layer].keep || at < n->step ? coin : at > n->step;
}

/* Thresholds that make the indicators decide for a network; x lies within 0.1 and 1.1 of zero. */
static void aim(spn_supernet *s, const spn_choice *c, uint64_t seed) {
  decide(s, 0, 1, 0, -1);
  for (int i = 0; i < s->indicators; i++) {
    spn_indicator *n = &s->indicator[i];
    double far = 0.1 + spn_rng_uniform(seed, SPN_RNG_TEST, 1000 + (uint64_t)i);
    n->threshold = n->statistic - s->temperature * (wanted_sign(s, i, c, seed) ? far : -far);
  }
  decide(s, 0, 1, 0, -1);
}

static double pass(spn_supernet *s, spn_graph *net, double limit, int row, int index) {
  spn_graph_forward(s->graph, images, labels, BATCH, 0);
  spn_graph_forward(net, images, labels, BATCH, 0);
  check_logits(s, net, "evaluation", 1e-5, row, index);
  spn_graph_forward(s->graph, images, labels, BATCH, 1);
  spn_graph_forward(net, images, labels, BATCH, 1);
  check_logits(s, net, "training", limit, row, index);
  CHECK_NEAR(s->graph->loss, net->loss, limit, "%s network %d: loss", rows[row].space, index);
  spn_graph_backward(s->graph);
  spn_graph_backward(net);
  check_running(s, net, limit, row, index);
  return gradient_distance(s, net, row, index);
}

/* searching: gates driven by indicators that want gradients, so hidden parts are computed and must not leak.
 * Rounding may put an activation on the other side of ReLU's corner, where gradients jump: then other images are tried. */
static int compare_network(spn_supernet *s, const spn_choice *c, int searching, int row, int index) {
  enum { TRIES = 4 };
  spn_graph *net = cut(s, c);
  double off = INFINITY;
  int tries = 0;
  if (searching) aim(s, c, (uint64_t)index);
  else spn_supernet_set(s, c);
  for (; tries < TRIES && !(off <= 1e-4); tries++) {
    make_images((uint64_t)(index * TRIES + tries));
    off = pass(s, net, searching ? 1e-4 : 1e-5, row, index);
  }
  CHECK(off <= 1e-4, "%s network %d: gradients off by %.3g of the largest", rows[row].space, index, off);
  spn_graph_free(net);
  return tries - 1;
}

static void test_networks(void) {
  for (int row = 0; row < ROWS; row++) {
    spn_supernet *s = supernet(row, SIZE, 0.25, options_of(1, 0));
    perturb(s->graph);
    real *weights = malloc(s->graph->param_elements * sizeof *weights);
    memcpy(weights, s->graph->weights, s->graph->param_elements * sizeof *weights);
    int again = 0;
    for (int i = 0; i < NETWORKS; i++) {
      spn_choice c;
      spn_choice_random(&s->space, 31, (uint64_t)i, &c);
      memcpy(s->graph->weights, weights, s->graph->param_elements * sizeof *weights);
      again += compare_network(s, &c, i % 2, row, i);
    }
    CHECK(again <= 4 + NETWORKS / 4, "%s: other images %d times", rows[row].space, again);
    free(weights);
    spn_supernet_free(s);
  }
}

/* ---- Decoding and cost ---- */

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
      CHECK(s->expected_cost == spn_cost_of(&s->cost, &c), "%s network %d: exploring changes the cost of the decisions", rows[row].space, i);
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
      CHECK(met && cost <= high && cost >= 0.98 * high, "%s: %.9g is not in %.9g to %.9g", rows[row].space, cost, 0.98 * high, high);
      double plain = spn_cost_of(&s->cost, &c);
      CHECK((flips == 0) == (plain >= 0.98 * high && plain <= high), "%s: %d flips from %.9g", rows[row].space, flips, plain);
    }
    spn_supernet_free(s);
  }
}

/* ---- Brute force over every way the indicators of nas-bench-macro can stand ---- */

typedef struct { spn_choice choice; double cost, penalty; } network;
typedef struct { network *list; int count; } networks;

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

/* With exploration: minus the gains of the parts a network has. Of its patterns the one with fewest bits shows just those. */
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
  for (int i = 0; i < s->indicators; i++) s->indicator[i].gain = 0.2 + spn_rng_normal(seed, SPN_RNG_TEST, 7000 + (uint64_t)i);
  price_gains(s, all, number);
  s->explores = 1;
  int met = spn_supernet_decode(s, 0.98 * high, high, &got, &flips);
  s->explores = 0;
  double best = best_penalty(all, -INFINITY, high), cost = table_sum(&s->cost, &got);
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

/* ---- Indicators ---- */

static void check_start(int row, int size, double width) {
  spn_network_options o = options_of(1, 0);
  o.batch = 1;
  spn_supernet *s = supernet(row, size, width, o);
  decide(s, 0, 1, 0, 0);
  CHECK(s->indicators > 0, "%s", rows[row].space);
  for (int i = 0; i < s->indicators; i++) {
    const spn_indicator *n = &s->indicator[i];
    CHECK(fabs(n->x) <= 4 && n->derivative > 1e-3, "%s, %s: x %.3g, derivative %.3g at the start", rows[row].space, n->name, n->x, n->derivative);
    CHECK(n->average == n->x, "%s, %s: average", rows[row].space, n->name);
  }
  spn_supernet_free(s);
}

static void test_start(void) {
  for (int row = 0; row < ROWS; row++) {
    check_start(row, 0, 0);       /* as it is searched */
    check_start(row, SIZE, 0.25); /* as these tests take it */
    check_start(row, SIZE, 1);    /* the deployed channels */
  }
}

/* Thresholds far away give the plain smallest and largest network, in every number. */
static void test_far_thresholds(void) {
  for (int row = 0; row < ROWS; row++)
    for (int up = 0; up <= 1; up++) {
      spn_supernet *s = supernet(row, SIZE, 0.25, options_of(1, 0));
      unsigned char on[MAX_ON];
      spn_choice want, got;
      perturb(s->graph);
      for (int i = 0; i < s->indicators; i++) s->indicator[i].threshold = up ? -1e9 : 1e9;
      (up ? spn_choice_max : spn_choice_min)(&s->space, &want);
      decide(s, 0, 1, 0, 0);
      for (int i = 0; i < s->indicators; i++) on[i] = (unsigned char)s->indicator[i].on;
      spn_supernet_choice(s, on, &got);
      CHECK(spn_choice_equal(&got, &want), "%s: thresholds at %s1e9", rows[row].space, up ? "-" : "");
      int flips;
      s->explores = 0;
      CHECK(spn_supernet_decode(s, -INFINITY, INFINITY, &got, &flips) && spn_choice_equal(&got, &want), "%s", rows[row].space);
      spn_graph *net = cut(s, &want);
      make_images(3);
      for (int training = 0; training <= 1; training++) {
        spn_graph_forward(s->graph, images, labels, BATCH, training);
        spn_graph_forward(net, images, labels, BATCH, training);
        check_logits(s, net, up ? "largest" : "smallest", training ? 1e-4 : 1e-5, row, training);
      }
      spn_graph_backward(s->graph);
      spn_supernet_indicator_grads(s, 1, SPN_COST_LOG, 1);
      CHECK(isfinite(largest(s->graph->grads, s->graph->param_elements)), "%s: gradients", rows[row].space);
      CHECK(s->expected_cost == spn_cost_of(&s->cost, &want), "%s: cost", rows[row].space);
      spn_graph_free(net);
      spn_supernet_free(s);
    }
}

/* ---- Threads ---- */

enum { STEPS = 5 };
typedef struct { double loss[STEPS], cost[STEPS]; uint64_t weights, thresholds; } trace;

static uint64_t hash(const void *data, size_t size) {
  uint64_t h = 14695981039346656037u;
  for (size_t i = 0; i < size; i++) h = (h ^ ((const unsigned char *)data)[i]) * 1099511628211u;
  return h;
}

/* What a search does in a step. The batch is no multiple of the threads. */
static trace run_steps(int row, int threads, int reproducible) {
  trace t = {.thresholds = 0};
  spn_settings settings;
  spn_err err;
  spn_optimizer *o;
  spn_supernet *s = supernet(row, SIZE, 0.25, options_of(threads, reproducible));
  spn_settings_default(&settings);
  CHECK_OK(spn_optimizer_create(s->graph, &settings, &o, &err), err);
  for (int i = 0; i < STEPS; i++) {
    make_images((uint64_t)i);
    s->graph->step = (uint64_t)i;
    decide(s, i, i < 3 ? 0.6 : 1, i == 4 ? 0.5 : 0, 0.9);
    spn_graph_forward(s->graph, images, labels, BATCH, 1);
    spn_graph_backward(s->graph);
    spn_supernet_indicator_grads(s, 0.1, SPN_COST_LOG, 1);
    spn_optimizer_step(o, s->graph, 0.05);
    for (int k = 0; k < s->indicators; k++) s->indicator[k].threshold -= s->indicator[k].dthreshold;
    t.loss[i] = s->graph->loss;
    t.cost[i] = s->expected_cost;
  }
  for (int k = 0; k < s->indicators; k++) t.thresholds = 31 * t.thresholds + hash(&s->indicator[k].threshold, sizeof(double));
  t.weights = hash(s->graph->weights, s->graph->param_elements * sizeof(real));
  spn_optimizer_free(o);
  spn_supernet_free(s);
  return t;
}

static void test_threads(void) {
  for (int row = 3; row < ROWS; row += 2) { /* every option; tied layers */
    trace one = run_steps(row, 1, 1), two = run_steps(row, 2, 1);
    trace free_a = run_steps(row, 2, 0), free_b = run_steps(row, 2, 0);
    CHECK(!memcmp(&one, &two, sizeof one), "%s: 1 and 2 threads differ: %.17g %.17g", rows[row].space, one.loss[STEPS - 1], two.loss[STEPS - 1]);
    CHECK(!memcmp(&free_a, &free_b, sizeof free_a), "%s: the same run twice differs", rows[row].space);
    CHECK(isfinite(one.loss[STEPS - 1]) && one.loss[0] != one.loss[1], "%s: losses", rows[row].space);
    CHECK_NEAR(one.loss[0], free_a.loss[0], 1e-5, "%s: the first loss, reproducible or not", rows[row].space);
  }
}

static int chosen(const char *only, const char *name) { return !only || !strcmp(only, name); }

/* Threads that wait for each other should sleep where other tests share the cores; libgomp reads this at its start. */
static void sleep_while_waiting(char **argv) {
  if (getenv("OMP_WAIT_POLICY")) return;
  setenv("OMP_WAIT_POLICY", "passive", 1);
  execv("/proc/self/exe", argv);
}

int main(int argc, char **argv) {
  const char *only = argc > 1 ? argv[1] : NULL; /* one part alone */
  sleep_while_waiting(argv);
  spn_backend_init();
  if (chosen(only, "networks")) test_networks();
  if (chosen(only, "decode")) test_decode();
  if (chosen(only, "budgets")) test_budgets();
  if (chosen(only, "brute")) test_brute_force();
  if (chosen(only, "start")) test_start();
  if (chosen(only, "far")) test_far_thresholds();
  if (chosen(only, "threads")) test_threads();
  return check_report("test_nas");
}
