/* Does the supernet mean what it says? Networks cut out of it compute what it computes under their gates, forward and
 * backward; gains tell what a gate is worth; the same losses for any number of threads. On every space of data/spaces.
 */
#include "supernet_case.h"
#include "train/optimizer.h"

static real images[BATCH * SIZE * SIZE * 3];
static int32_t labels[BATCH];

static void make_images(uint64_t seed) {
  for (size_t i = 0; i < sizeof images / sizeof *images; i++) images[i] = (real)spn_rng_normal(seed, SPN_RNG_TEST, i);
  for (int i = 0; i < BATCH; i++)
    labels[i] = (int32_t)spn_rng_below(seed, SPN_RNG_TEST, 1u << 30 | (unsigned)i, CLASSES);
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

static spn_graph *cut(const searched *s, const spn_choice *choice) {
  spn_network_options o = options_of(1, 0);
  spn_arch arch;
  spn_err err;
  spn_graph *g = NULL;
  spn_space_arch(&s->net->space, choice, 1, &arch);
  arch.classes = s->net->arch.classes;
  must(spn_network_create(&arch, &o, 0, &g, &err), &err);
  must(spn_network_cut(s->net->graph, g, &err), &err);
  return g;
}

/* Of (k, k, c) and (out, in, k, k). */
static int is_kernel_side(const spn_param *p, int axis) { return p->dims == 3 ? axis < 2 : axis >= 2; }

/* Element of the supernet's flat block behind element k of a network's parameter: a prefix along every axis, the centre
 * of a kernel. Said here in its own words, so that spn_network_cut is tested too. */
static size_t place(const spn_param *small, const spn_param *big, size_t k) {
  size_t index = 0, at[4];
  for (int d = small->dims - 1; d >= 0; d--) {
    at[d] = k % small->shape[d];
    k /= small->shape[d];
  }
  for (int d = 0; d < small->dims; d++)
    index = index * big->shape[d] + at[d] + (is_kernel_side(small, d) ? (big->shape[d] - small->shape[d]) / 2 : 0);
  return big->offset + index;
}

/* A block without an expansion lies apart where the supernet's has one. */
static const spn_param *home(const searched *s, const spn_graph *net, const spn_param *p) {
  char expand[64], separable[64];
  int block;
  if (sscanf(p->name, "block.%d", &block) == 1) {
    snprintf(expand, sizeof expand, "block.%d.expand.weight", block);
    snprintf(separable, sizeof separable, "block.%d.ds%.40s", block, strchr(p->name + strlen("block."), '.'));
    if (!spn_graph_find_param(net, expand) && spn_graph_find_param(s->net->graph, separable))
      return spn_graph_find_param(s->net->graph, separable);
  }
  return spn_graph_find_param(s->net->graph, p->name);
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
 * rounding, which twenty batch norms over few pixels magnify. That nothing leaks is checked in double by grad_supernet.
 */
static void check_logits(const searched *s, const spn_graph *net, const char *mode, double limit, int row, int index) {
  size_t n = (size_t)BATCH * CLASSES;
  double scale = fmax(1, largest(net->logits, n)), off = distance(s->net->graph->logits, net->logits, n);
  CHECK(off <= limit * scale, "%s network %d, %s: logits off by %.3g of %.3g", rows[row].space, index, mode, off,
        scale);
}

/* Every parameter of the network has the supernet's gradient at its place; what it does not use has none. Returns the
 * largest difference as a share of the largest gradient of all: a shift before a convolution and its batch norm has the
 * true gradient 0, and only rounding is left of it. */
static double gradient_distance(const searched *s, const spn_graph *net, int row, int index) {
  const spn_graph *g = s->net->graph;
  unsigned char *used = calloc(g->param_elements, 1);
  double worst = 0;
  for (int i = 0; i < net->param_count; i++) {
    const spn_param *p = &net->params[i], *big = home(s, net, p);
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
static void check_running(const searched *s, const spn_graph *net, double limit, int row, int index) {
  for (int i = 0; i < net->param_count; i++) {
    const spn_param *p = &net->params[i], *big = home(s, net, p);
    double worst = 0, scale = fmax(1, largest(net->weights + p->offset, p->size));
    for (size_t k = 0; k < p->size; k++)
      worst = fmax(worst, fabs((double)s->net->graph->weights[place(p, big, k)] - (double)net->weights[p->offset + k]));
    CHECK(worst <= limit * scale, "%s network %d: %s off by %.3g after a step", rows[row].space, index, p->name, worst);
  }
}

static double pass(searched *s, spn_graph *net, double limit, int row, int index) {
  spn_graph_forward(s->net->graph, images, labels, BATCH, 0, NULL);
  spn_graph_forward(net, images, labels, BATCH, 0, NULL);
  check_logits(s, net, "evaluation", 1e-5, row, index);
  spn_graph_forward(s->net->graph, images, labels, BATCH, 1, NULL);
  spn_graph_forward(net, images, labels, BATCH, 1, NULL);
  check_logits(s, net, "training", limit, row, index);
  CHECK_NEAR(s->net->graph->loss, net->loss, limit, "%s network %d: loss", rows[row].space, index);
  spn_graph_backward(s->net->graph, NULL);
  spn_graph_backward(net, NULL);
  check_running(s, net, limit, row, index);
  return gradient_distance(s, net, row, index);
}

/* searching: gates driven by indicators that want gradients, so hidden parts are computed and must not leak.
 * Rounding may put an activation on the other side of ReLU's corner, where gradients jump: then other images are tried.
 */
static int compare_network(searched *s, const spn_choice *c, int searching, int row, int index) {
  enum { TRIES = 4 };
  spn_graph *net = cut(s, c);
  double off = INFINITY;
  int tries = 0;
  if (searching) aim(s, c, (uint64_t)index);
  else spn_supernet_set(s->net, c);
  for (; tries < TRIES && !(off <= 1e-4); tries++) {
    make_images((uint64_t)(index * TRIES + tries));
    off = pass(s, net, searching || row >= ROWS ? 1e-4 : 1e-5, row, index);
  }
  CHECK(off <= 1e-4, "%s network %d: gradients off by %.3g of the largest", rows[row].space, index, off);
  spn_graph_free(net);
  return tries - 1;
}

static void test_networks(int from, int to) {
  for (int row = from; row < to; row++) {
    searched *s = supernet(row, SIZE, row < ROWS ? 0.25 : 0.5, options_of(1, 0)); /* half: most of the widths differ */
    int networks = row < ROWS ? NETWORKS : NETWORKS / 10;
    perturb(s->net->graph);
    real *weights = malloc(s->net->graph->param_elements * sizeof *weights);
    memcpy(weights, s->net->graph->weights, s->net->graph->param_elements * sizeof *weights);
    int again = 0;
    for (int i = 0; i < networks; i++) {
      spn_choice c;
      spn_choice_random(&s->net->space, 31, (uint64_t)i, &c);
      memcpy(s->net->graph->weights, weights, s->net->graph->param_elements * sizeof *weights);
      again += compare_network(s, &c, i % 2, row, i);
    }
    CHECK(again <= 4 + networks / 4, "%s: other images %d times", rows[row].space, again);
    free(weights);
    supernet_free(s);
  }
}

/* ---- Work that is left out ---- */

/* Gradients of a step with the network's closed gates at `closed`. */
static void gradients(searched *s, const spn_choice *c, double closed, real *out) {
  spn_graph *g = s->net->graph;
  spn_supernet_set(s->net, c);
  for (int i = 0; i < g->gate_count; i++)
    if (g->gates[i].value == 0) g->gates[i].value = closed;
  spn_graph_forward(g, images, labels, BATCH, 1, NULL);
  spn_graph_backward(g, NULL);
  memcpy(out, g->grads, g->param_elements * sizeof *out);
}

/* How many parameters have gradients further apart than rounding explains. */
static int gradients_apart(const spn_graph *g, const real *a, const real *b) {
  int apart = 0;
  double top = largest(b, g->param_elements);
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    double scale = fmax(largest(b + p->offset, p->size), 1e-2 * top); /* some are zero but for rounding */
    apart += !(distance(a + p->offset, b + p->offset, p->size) <= 1e-4 * scale);
  }
  return apart;
}

/* A closed gate at 0 leaves out work (kernels' rings, channels, whole blocks); at 1e-20 everything is computed and
 * counts for nothing. Every gradient is the same. Rounding may move a value across an activation's corner: then other
 * images. */
static void test_left_out(void) {
  enum { DRAWS = 6, TRIES = 8 };
  for (int row = 0; row < ALL_ROWS; row++) {
    searched *s = supernet(row, SIZE, 0.25, options_of(1, 0));
    perturb(s->net->graph);
    real *out = malloc(2 * s->net->graph->param_elements * sizeof *out), *dense = out + s->net->graph->param_elements;
    for (int i = 0; i < DRAWS; i++) {
      spn_choice c;
      int apart = 1;
      spn_choice_random(&s->net->space, 77, (uint64_t)i, &c);
      for (int t = 0; t < TRIES && apart; t++) {
        make_images((uint64_t)(100 * i + t));
        gradients(s, &c, 0, out);
        gradients(s, &c, 1e-20, dense);
        apart = gradients_apart(s->net->graph, out, dense);
      }
      CHECK(!apart, "%s network %d: gradients of %d parameters differ from the dense computation's", rows[row].space, i,
            apart);
    }
    free(out);
    supernet_free(s);
  }
}

/* ---- Indicators ---- */

static void check_start(int row, int size, double width) {
  spn_network_options o = options_of(1, 0);
  o.batch = 1;
  searched *s = supernet(row, size, width, o);
  decide(s, 0, 1, 0, 0);
  CHECK(s->in->count > 0, "%s", rows[row].space);
  for (int i = 0; i < s->in->count; i++) {
    const spn_indicator *n = &s->in->list[i];
    CHECK(fabs(n->x) <= 4 && n->derivative > 1e-3, "%s, %s: x %.3g, derivative %.3g at the start", rows[row].space,
          s->net->mask[i].name, n->x, n->derivative);
    CHECK(n->average == n->x, "%s, %s: average", rows[row].space, s->net->mask[i].name);
  }
  supernet_free(s);
}

static void test_start(void) {
  for (int row = 0; row < ALL_ROWS; row++) {
    check_start(row, 0, 0);       /* as it is searched */
    check_start(row, SIZE, 0.25); /* as these tests take it */
    check_start(row, SIZE, 1);    /* the deployed channels */
  }
}

/* Thresholds far away give the plain smallest and largest network, in every number. */
static void test_far_thresholds(void) {
  for (int row = 0; row < ALL_ROWS; row++)
    for (int up = 0; up <= 1; up++) {
      searched *s = supernet(row, SIZE, 0.25, options_of(1, 0));
      unsigned char on[SPN_MAX_MASKS];
      spn_choice want, got;
      perturb(s->net->graph);
      for (int i = 0; i < s->in->count; i++) s->in->list[i].threshold = up ? -1e9 : 1e9;
      (up ? spn_choice_max : spn_choice_min)(&s->net->space, &want);
      decide(s, 0, 1, 0, 0);
      for (int i = 0; i < s->in->count; i++) on[i] = (unsigned char)s->in->list[i].on;
      spn_supernet_choice(s->net, on, &got);
      CHECK(spn_choice_equal(&got, &want), "%s: thresholds at %s1e9", rows[row].space, up ? "-" : "");
      int flips;
      s->in->explores = 0;
      CHECK(decode(s, -INFINITY, INFINITY, &got, &flips) && spn_choice_equal(&got, &want), "%s", rows[row].space);
      spn_graph *net = cut(s, &want);
      make_images(3);
      for (int training = 0; training <= 1; training++) {
        spn_graph_forward(s->net->graph, images, labels, BATCH, training, NULL);
        spn_graph_forward(net, images, labels, BATCH, training, NULL);
        check_logits(s, net, up ? "largest" : "smallest", training ? 1e-4 : 1e-5, row, training);
      }
      spn_graph_backward(s->net->graph, NULL);
      pull(s, 1);
      CHECK(isfinite(largest(s->net->graph->grads, s->net->graph->param_elements)), "%s: gradients", rows[row].space);
      CHECK_NEAR(s->in->expected_cost, spn_cost_of(&s->cost, &want), row < ROWS ? 0 : 1e-12, "%s: cost",
                 rows[row].space);
      spn_graph_free(net);
      supernet_free(s);
    }
}

/* ---- Gains ---- */

#ifdef __SANITIZE_ADDRESS__
enum { DRAWS = 900 };
#else
enum { DRAWS = 4000 };
#endif

enum { SKIP = 1, INSIDE = 2, PAIR = 2 }; /* indicators of a layer of nas-bench-macro: keep, and the option inside */

/* A step of exploration within one layer; every other gate is open, so that little varies. */
static void explore_layer(searched *s, int step) {
  decide(s, step, 1, 1, -1);
  for (int i = 0; i < s->in->count; i++) {
    if (i == SKIP || i == INSIDE) continue;
    spn_mask_open(s->net, i, 1, 0);
  }
}

static double loss_at(searched *s, int i, double value) {
  spn_mask_open(s->net, i, value, 0);
  spn_graph_forward(s->net->graph, images, labels, BATCH, 1, NULL);
  return s->net->graph->loss;
}

/* What the gains estimate, by closing and opening: the option's CE(closed) - CE(open) in an open layer; the layer's,
 * less what the option inside brought in the same draws. */
static void true_gains(searched *s, double gain[PAIR]) {
  double layer = 0;
  loss_at(s, SKIP, 1);
  gain[1] = loss_at(s, INSIDE, 0) - loss_at(s, INSIDE, 1);
  for (int step = 0; step < DRAWS; step++) {
    explore_layer(s, DRAWS + step);
    double value = spn_mask_value(s->net, INSIDE);
    layer += (loss_at(s, SKIP, 0) - loss_at(s, SKIP, 1) - value * gain[1]) / DRAWS;
  }
  gain[0] = layer;
}

/* Weights stand still, so that a gain can be compared with what it estimates. */
static void test_gains(void) {
  searched *s = supernet(ROWS - 1, SIZE, 0.25, options_of(1, 0));
  double want[PAIR],
      room = 0.45 * 3 / sqrt(DRAWS / 9); /* 0.45: deviation of the derivative; a draw in 9 is for the option */
  CHECK(s->net->mask[SKIP].kind == SPN_DECISION_KEEP && s->net->mask[INSIDE].layer == s->net->mask[SKIP].layer,
        "order of indicators");
  perturb(s->net->graph);
  make_images(4);
  for (int step = 0; step < DRAWS; step++) {
    explore_layer(s, step);
    spn_graph_forward(s->net->graph, images, labels, BATCH, 1, NULL);
    spn_graph_backward(s->net->graph, NULL);
    pull(s, 0);
  }
  true_gains(s, want);
  for (int k = 0; k < PAIR; k++) {
    double gain = s->in->list[SKIP + k].gain; /* off by three standard errors at most */
    CHECK(fabs(gain - want[k]) <= room, "gain of %s: %.4g, but opening it brings %.4g", s->net->mask[SKIP + k].name,
          gain, want[k]);
  }
  supernet_free(s);
}

/* How a layer's threshold moves when its widest kernel option has this gain, the step below it being on or not. */
static double layer_moves(searched *s, int first_option, double gain) {
  s->in->list[first_option + 1].gain = gain;
  pull(s, 0);
  return s->in->list[first_option - 1].dthreshold;
}

/* 7x7 can only be had on top of 5x5: while that is off, it is no reason to keep a layer. */
static void test_nested_gain(void) {
  searched *s = supernet(3, SIZE, 0.25, options_of(1, 0));
  int option = 0;
  while (option + 2 < s->in->count &&
         !(s->net->mask[option].kind == SPN_DECISION_KEEP && s->net->mask[option + 2].step == 1))
    option++;
  CHECK(++option + 1 < s->in->count && s->net->mask[option + 1].kind == SPN_DECISION_KERNEL,
        "a layer with three kernels");
  decide(s, 0, 1, 1, -1);
  for (int i = 0; i < s->in->count; i++) s->in->list[i].between = 0, s->in->list[i].on = 1;
  CHECK(layer_moves(s, option, 0) != layer_moves(s, option, 1), "5x5 is on: the gain of 7x7 counts");
  s->in->list[option].on = 0;
  CHECK(layer_moves(s, option, 0) == layer_moves(s, option, 1), "5x5 is off: the gain of 7x7 does not count");
  supernet_free(s);
}

/* ---- Threads ---- */

enum { STEPS = 5 };
typedef struct {
  double loss[STEPS], cost[STEPS];
  uint64_t weights, thresholds;
} trace;

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
  searched *s = supernet(row, SIZE, 0.25, options_of(threads, reproducible));
  spn_settings_default(&settings);
  CHECK_OK(spn_optimizer_create(s->net->graph, &settings, &o, &err), err);
  for (int i = 0; i < STEPS; i++) {
    make_images((uint64_t)i);
    s->net->graph->step = (uint64_t)i;
    decide(s, i, i < 3 ? 0.6 : 1, i == 4 ? 0.5 : 0, 0.9);
    spn_graph_forward(s->net->graph, images, labels, BATCH, 1, NULL);
    spn_graph_backward(s->net->graph, NULL);
    pull(s, 0.1);
    spn_optimizer_step(o, s->net->graph, 0.05);
    for (int k = 0; k < s->in->count; k++) s->in->list[k].threshold -= s->in->list[k].dthreshold;
    t.loss[i] = s->net->graph->loss;
    t.cost[i] = s->in->expected_cost;
  }
  for (int k = 0; k < s->in->count; k++)
    t.thresholds = 31 * t.thresholds + hash(&s->in->list[k].threshold, sizeof(double));
  t.weights = hash(s->net->graph->weights, s->net->graph->param_elements * sizeof(real));
  spn_optimizer_free(o);
  supernet_free(s);
  return t;
}

static void test_threads(void) {
  for (int row = 3; row < ROWS; row += 2) { /* every option; tied layers */
    trace one = run_steps(row, 1, 1), two = run_steps(row, 2, 1);
    trace free_a = run_steps(row, 2, 0), free_b = run_steps(row, 2, 0);
    CHECK(!memcmp(&one, &two, sizeof one), "%s: 1 and 2 threads differ: %.17g %.17g", rows[row].space,
          one.loss[STEPS - 1], two.loss[STEPS - 1]);
    CHECK(!memcmp(&free_a, &free_b, sizeof free_a), "%s: the same run twice differs", rows[row].space);
    CHECK(isfinite(one.loss[STEPS - 1]) && one.loss[0] != one.loss[1], "%s: losses", rows[row].space);
    CHECK_NEAR(one.loss[0], free_a.loss[0], 1e-5, "%s: the first loss, reproducible or not", rows[row].space);
  }
}

static int chosen(const char *only, const char *name) { return !only || !strcmp(only, name); }

int main(int argc, char **argv) {
  const char *only = argc > 1 ? argv[1] : NULL; /* one part alone */
  sleep_while_waiting(argv);
  spn_backend_init();
  if (chosen(only, "networks")) test_networks(0, ROWS);
  if (chosen(only, "stages")) test_networks(ROWS, ALL_ROWS);
  if (chosen(only, "left out")) test_left_out();
  if (chosen(only, "start")) test_start();
  if (chosen(only, "far")) test_far_thresholds();
  if (chosen(only, "gains")) test_gains();
  if (chosen(only, "nested")) test_nested_gain();
  if (chosen(only, "threads")) test_threads();
  return check_report("test_nas");
}
