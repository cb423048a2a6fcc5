/* Fitted latency models: known weights are found again, measured entries stay exact, networks that were held out are
 * predicted, and the figures of README hold. */
#include <unistd.h>

#include "check.h"
#include "core/rng.h"
#include "latency/fit.h"
#include "latency/nnls.h"

static double uniform(uint64_t seed, uint64_t i) { return spn_rng_uniform(seed, SPN_RNG_TEST, i); }

/* ---- Least squares ---- */

/* The conditions of Kuhn and Tucker: no weight can be changed for the better. */
static void test_nnls(void) {
  enum { N = 12, ROWS = 20 };
  for (uint64_t seed = 1; seed <= 50; seed++) {
    double a[ROWS][N], b[ROWS], gram[N * N] = {0}, moment[N] = {0}, x[N];
    for (int r = 0; r < ROWS; r++) {
      b[r] = uniform(seed, (uint64_t)r) - 0.3;
      for (int i = 0; i < N; i++) a[r][i] = uniform(seed, (uint64_t)(100 + r * N + i)) - 0.4;
      if (seed % 3 == 0) a[r][5] = 2 * a[r][4]; /* dependent columns */
    }
    for (int r = 0; r < ROWS; r++)
      for (int i = 0; i < N; i++) {
        moment[i] += a[r][i] * b[r];
        for (int k = 0; k < N; k++) gram[i * N + k] += a[r][i] * a[r][k];
      }
    spn_nnls(N, gram, moment, x);
    for (int i = 0; i < N; i++) {
      double slope = moment[i];
      for (int k = 0; k < N; k++) slope -= gram[i * N + k] * x[k];
      CHECK(x[i] >= 0, "seed %d: weight %d is %g", (int)seed, i, x[i]);
      CHECK(slope <= 1e-8 && (x[i] == 0 || fabs(slope) <= 1e-8), "seed %d: slope %d is %g at %g", (int)seed, i, slope,
            x[i]);
    }
  }
}

static void test_statistics(void) {
  spn_agreement a;
  const double measured[] = {1, 2, 3, 4}, predicted[] = {1.1, 1.5, 3.3, 3};
  spn_agreement_of(predicted, measured, 4, &a);
  CHECK_NEAR(a.mape, (0.1 + 0.25 + 0.1 + 0.25) / 4, 1e-12, "MAPE");
  CHECK_NEAR(a.rmse, sqrt((0.01 + 0.25 + 0.09 + 1) / 4), 1e-12, "RMSE");
  CHECK_NEAR(a.worst, 0.25, 1e-12, "worst");
  CHECK_NEAR(a.kendall, 4.0 / 6, 1e-12, "one of six pairs is the other way round");
  CHECK_NEAR(a.spearman, 0.8, 1e-12, "ranks 1 2 4 3");
}

/* ---- A device that does exactly what the model says ---- */

static const double truth[SPN_WORKS] = {0.14, 2.0, 3.0, 0.4, 0.7, 1.5, 0.4, 0.9, 0.6, 0.7, 0.01};

static spn_part random_block(uint64_t seed, uint64_t i) {
  static const int kernels[] = {3, 5, 7};
  spn_part p = {.kind = SPN_PART_BLOCK};
  p.h = 7 << spn_rng_below(seed, SPN_RNG_TEST, 10 * i, 5);
  p.in = 8 + 8 * (int)spn_rng_below(seed, SPN_RNG_TEST, 10 * i + 1, 24);
  p.stride = 1 + (int)spn_rng_below(seed, SPN_RNG_TEST, 10 * i + 2, 2);
  p.out = uniform(seed, 10 * i + 3) < 0.5 ? p.in : p.in + 16;
  p.kernel = kernels[spn_rng_below(seed, SPN_RNG_TEST, 10 * i + 4, 3)];
  p.expand = 1 + (int)spn_rng_below(seed, SPN_RNG_TEST, 10 * i + 5, 6);
  p.se = uniform(seed, 10 * i + 6) < 0.5 ? 0.25 : 0;
  p.residual = p.stride == 1 && p.in == p.out;
  return p;
}

static void add_true(spn_table *t, spn_part part, double factor) {
  spn_work work = {0};
  spn_err err = {0};
  spn_work_add(&part, &work);
  spn_table_entry e = {.part = part, .layer = -1, .cost = factor * spn_work_cost(&work, truth), .spread = NAN};
  CHECK_OK(spn_table_add(t, &e, &err), err);
}

/* `wild` of its entries are five times what they should be. */
static spn_table true_table(int blocks, int wild) {
  spn_table t = {.name = "truth", .unit = "ms", .source = "made up"};
  for (int i = 0; i < blocks; i++) add_true(&t, random_block(3, (uint64_t)i), i < wild ? 5 : 1);
  for (int s = 1; s <= 4; s++) {
    add_true(&t, (spn_part){.kind = SPN_PART_STEM, .h = 56 * s, .in = 3, .out = 32, .kernel = 3, .stride = 2}, 1);
    add_true(&t, (spn_part){.kind = SPN_PART_HEAD, .h = 2 * s, .in = 320, .out = 1280}, 1);
    add_true(&t, (spn_part){.kind = SPN_PART_CLASSIFIER, .h = 2 * s, .in = 1280, .out = 1000}, 1);
  }
  return t;
}

static void test_recovery(void) {
  for (int wild = 0; wild <= 8; wild += 8) {
    static spn_fit fit;
    spn_err err = {0};
    fit = (spn_fit){.name = "f", .unit = "ms", .source = "s", .tables = 1};
    fit.table[0] = true_table(160, wild);
    CHECK_OK(spn_fit_tables(&fit, &err), err);
    double worst = 0;
    for (int i = 1000; i < 1100; i++) {
      spn_part p = random_block(4, (uint64_t)i);
      spn_work work = {0};
      spn_part_latency got;
      spn_work_add(&p, &work);
      spn_fit_part(&fit, &p, -1, &got);
      if (got.origin == SPN_FROM_MODEL) worst = fmax(worst, fabs(got.cost / spn_work_cost(&work, truth) - 1));
    }
    CHECK(worst <= (wild ? 0.05 : 1e-6), "%d wild entries: unseen shapes off by up to %g", wild, worst);
    spn_fit_free(&fit);
  }
}

/* More of anything costs no less. */
static void test_monotone(const spn_fit *fit) {
  for (uint64_t i = 0; i < 300; i++) {
    spn_part p = random_block(5, i);
    p.residual = 0;
    spn_work base = {0};
    spn_work_add(&p, &base);
    double cost = spn_work_cost(&base, fit->weight[0]);
    for (int what = 0; what < 6; what++) {
      spn_part more = p;
      spn_work work = {0};
      if (what == 0) more.h += 7;
      if (what == 1) more.in += 8;
      if (what == 2) more.out += 8;
      if (what == 3) more.kernel += 2;
      if (what == 4) more.expand++;
      if (what == 5) more.se += 0.25;
      spn_work_add(&more, &work);
      CHECK(spn_work_cost(&work, fit->weight[0]) >= cost && cost > 0, "block %d, more of %d", (int)i, what);
    }
  }
}

/* ---- The Pixel 1 ---- */

static spn_fit pixel;

static int fit_pixel(void) {
  spn_err err = {0};
  spn_table_check check[2];
  pixel = (spn_fit){.name = "pixel1", .unit = "ms", .source = "both tables", .tables = 2};
  CHECK_OK(spn_table_load("pixel1-singlepath", &pixel.table[0], &err), err);
  CHECK_OK(spn_table_load("pixel1-proxylessnas", &pixel.table[1], &err), err);
  CHECK_OK(spn_fit_tables(&pixel, &err), err);
  CHECK_OK(spn_fit_cross_validate(&pixel, check, &err), err);
  if (err.code) return 0;
  for (int t = 0; t < 2; t++) {
    CHECK(check[t].agreement.mape <= 0.06 && check[t].agreement.kendall >= 0.88, "table %d: MAPE %g, Kendall %g", t,
          check[t].agreement.mape, check[t].agreement.kendall);
    spn_table_check_free(&check[t]);
  }
  return 1;
}

/* Inside the space of the first table the model is the table, to the last bit. */
static void test_exact(void) {
  static spn_space space;
  static spn_cost by_fit, by_table;
  spn_err err = {0};
  CHECK_OK(spn_space_load("singlepath", &space, &err), err);
  CHECK_OK(spn_table_apply(&pixel.table[0], &space, &by_table, &err), err);
  CHECK_OK(spn_fit_cost(&pixel, &space, &by_fit, &err), err);
  for (uint64_t i = 0; i < 200; i++) {
    spn_choice c;
    spn_arch arch;
    static spn_prediction p;
    spn_choice_random(&space, 1, i, &c);
    CHECK(spn_cost_of(&by_fit, &c) == spn_cost_of(&by_table, &c), "network %d", (int)i);
    spn_space_arch(&space, &c, 0, &arch);
    spn_fit_predict(&pixel, &arch, &p);
    CHECK_NEAR(p.sum, spn_cost_of(&by_table, &c), 1e-13, "network %d, predicted", (int)i);
    CHECK(p.calibrated == p.sum, "nothing is calibrated yet");
  }
}

/* A space that no table covers: every option has a cost, and a network costs what is predicted for it. */
static void test_space(const char *name) {
  static spn_space space;
  static spn_cost cost;
  static spn_prediction p;
  spn_err err = {0};
  CHECK_OK(spn_space_load(name, &space, &err), err);
  CHECK_OK(spn_fit_cost(&pixel, &space, &cost, &err), err);
  CHECK(cost.modelled <= cost.entries && (cost.modelled > 0) == (strcmp(name, "singlepath") != 0),
        "%s: %d of %d options modelled", name, cost.modelled, cost.entries);
  for (uint64_t i = 0; i < 50; i++) {
    spn_choice c;
    spn_arch arch;
    spn_choice_random(&space, 2, i, &c);
    spn_space_arch(&space, &c, 0, &arch);
    spn_fit_predict(&pixel, &arch, &p);
    CHECK_NEAR(spn_cost_of(&cost, &c), p.calibrated, 1e-12, "%s network %d", name, (int)i);
  }
}

/* Central differences of a fitted cost over random gates; exact for a multilinear form, but for rounding. */
static void test_gradient(const char *name) {
  static spn_space space;
  static spn_cost cost;
  const double h = 1e-3;
  spn_err err = {0};
  int moved = 0;
  CHECK_OK(spn_space_load(name, &space, &err), err);
  CHECK_OK(spn_fit_cost(&pixel, &space, &cost, &err), err);
  for (int layer = 0; layer < space.layers; layer++) {
    spn_layer_gates g, grad;
    for (int kind = 0; kind < SPN_DECISION_KINDS; kind++)
      for (int i = 0; i < SPN_MAX_OPTIONS; i++) g.gate[kind][i] = uniform(7, (uint64_t)((layer * 8 + kind) * 8 + i));
    spn_cost_layer_soft(&cost, &space, layer, &g, &grad);
    for (int kind = 0; kind < SPN_DECISION_KINDS; kind++)
      for (int i = 0; i < spn_layer_options(&space.layer[layer], (spn_decision_kind)kind) - 1; i++) {
        double here = g.gate[kind][i];
        g.gate[kind][i] = here + h;
        double up = spn_cost_layer_soft(&cost, &space, layer, &g, NULL);
        g.gate[kind][i] = here - h;
        double down = spn_cost_layer_soft(&cost, &space, layer, &g, NULL);
        g.gate[kind][i] = here;
        CHECK_NEAR(grad.gate[kind][i], (up - down) / (2 * h), 1e-9, "%s layer %d kind %d gate %d", name, layer, kind,
                   i);
        moved += grad.gate[kind][i] > 0;
      }
  }
  CHECK(moved > 60, "%s: %d gates raise the cost", name, moved);
}

/* Two devices at once: a weighted sum, option by option. */
static void test_weighted(void) {
  static spn_space space;
  static spn_cost a, b, both;
  spn_err err = {0};
  CHECK_OK(spn_space_load("singlepath", &space, &err), err);
  CHECK_OK(spn_cost_load("pixel1-singlepath", &space, &a, &err), err);
  CHECK_OK(spn_cost_load("pixel1-proxylessnas", &space, &b, &err), err);
  CHECK_OK(spn_cost_load("0.25 * pixel1-singlepath + 0.75*pixel1-proxylessnas", &space, &both, &err), err);
  for (uint64_t i = 0; i < 50; i++) {
    spn_choice c;
    spn_choice_random(&space, 8, i, &c);
    CHECK_NEAR(spn_cost_of(&both, &c), 0.25 * spn_cost_of(&a, &c) + 0.75 * spn_cost_of(&b, &c), 1e-12, "network %d",
               (int)i);
  }
  static const char *const wrong[][2] = {{"pixel1-singlepath + macs", "one unit"},
                                         {"-1 * pixel1-singlepath", "a weight above 0"},
                                         {"0.5 * ", "expected a name"},
                                         {"x * macs", "a weight above 0"},
                                         {"macs + nothing", "nothing"}};
  for (int i = 0; i < 5; i++)
    CHECK(spn_cost_load(wrong[i][0], &space, &both, &err) == SPN_EINPUT && strstr(err.text, wrong[i][1]), "%s: %s",
          wrong[i][0], err.text);
}

static void test_networks(void) {
  spn_err err = {0};
  spn_network_time *list;
  spn_halves h;
  int count;
  CHECK_OK(spn_networks_load(SPN_SOURCE_DIR "/data/latency/pixel1-networks.csv", &list, &count, &err), err);
  if (err.code) return;
  CHECK(count == 15, "%d networks", count);
  CHECK_OK(spn_fit_halves(&pixel, list, count, &h, &err), err);
  CHECK(h.all && h.halves == 6435, "%d halves", h.halves);
  CHECK(h.mape <= 0.02 && h.typical_worst <= 0.04 && h.kendall >= 0.99 && h.good >= 0.9,
        "MAPE %g, median of the largest errors %g, Kendall %g, good %g", h.mape, h.typical_worst, h.kendall, h.good);
  CHECK_OK(spn_fit_calibrate(&pixel, list, count, &err), err);
  CHECK(pixel.network_spread <= 0.02, "left out: %g", pixel.network_spread);
  for (int i = 0; i < count; i++) {
    static spn_prediction p;
    spn_fit_predict(&pixel, &list[i].arch, &p);
    CHECK(fabs(p.calibrated / list[i].measured - 1) <= 0.03, "%s: %g, measured %g", list[i].name, p.calibrated,
          list[i].measured);
    CHECK(p.calibrated_error > 0 && p.calibrated_error < 0.05 * p.calibrated, "%s: +- %g", list[i].name,
          p.calibrated_error);
  }
  free(list);
}

/* Written and read again, every figure is the same. */
static void test_file(void) {
  char path[] = "/tmp/test_latency_fit.XXXXXX";
  static spn_fit again;
  spn_err err = {0};
  int fd = mkstemp(path);
  if (fd >= 0) close(fd);
  CHECK_OK(spn_fit_save(&pixel, path, &err), err);
  spn_json_doc *doc;
  CHECK_OK(spn_json_load(path, &doc, &err), err);
  if (err.code) return;
  spn_json root = spn_json_root(doc);
  CHECK_OK(spn_fit_read(&root, &again, &err), err);
  spn_json_free(doc);
  unlink(path);
  CHECK(!memcmp(again.weight, pixel.weight, sizeof pixel.weight) &&
            !memcmp(again.factor, pixel.factor, sizeof pixel.factor),
        "weights and factors");
  for (uint64_t i = 0; i < 100; i++) {
    spn_part p = random_block(6, i);
    spn_part_latency a, b;
    spn_fit_part(&pixel, &p, -1, &a);
    spn_fit_part(&again, &p, -1, &b);
    CHECK(a.calibrated == b.calibrated && a.cost == b.cost && a.error == b.error, "block %d", (int)i);
  }
  spn_fit_free(&again);
}

/* ---- Wrong input ---- */

static void csv_fails(const char *text, const char *words) {
  char path[] = "/tmp/test_latency_fit.XXXXXX";
  spn_err err = {0};
  spn_network_time *list;
  int count, fd = mkstemp(path);
  CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "cannot write %s", path);
  if (fd >= 0) close(fd);
  CHECK(spn_networks_load(path, &list, &count, &err) == SPN_EINPUT && strstr(err.text, words), "%s: %s", words,
        err.text);
  CHECK(!list && strstr(err.text, path), "the error names the file: %s", err.text);
  unlink(path);
}

static void test_errors(void) {
  static spn_fit fit;
  spn_err err = {0};
  csv_fails("", ":1: ");
  csv_fails("network,width\n", "without ms");
  csv_fails("network,ms\n", ":1: expected measured networks");
  csv_fails("network,ms\nmnasnet-a1,78\nmnasnet-a7,78\n", ":3: column network: mnasnet-a7");
  csv_fails("network,ms\nmnasnet-a1,-1\n", ":2: column ms: ");
  csv_fails("network,ms,width\nmnasnet-a1,1,nan\n", ":2: column width: ");
  csv_fails("network,ms\n\"r1_k3_s11_e1_i32_o16 r1_k9\",1\n", ":2: column network: ");
  fit = (spn_fit){.tables = 2};
  fit.table[0] = true_table(4, 0);
  fit.table[1] = true_table(4, 0);
  strcpy(fit.table[1].unit, "s");
  CHECK(spn_fit_tables(&fit, &err) == SPN_EINPUT && strstr(err.text, "expected costs in ms"), "%s", err.text);
  spn_fit_free(&fit);
}

int main(void) {
  setenv("SPNAS_DATA", SPN_SOURCE_DIR "/data", 1); /* the tests may run anywhere */
  test_nnls();
  test_statistics();
  test_recovery();
  if (fit_pixel()) {
    test_monotone(&pixel);
    test_exact();
    test_space("singlepath-se-k7");
    test_networks();
    test_gradient("singlepath-se-k7");
    test_weighted();
    test_space("singlepath-se");
    test_space("singlepath");
    test_file();
  }
  test_errors();
  spn_fit_free(&pixel);
  return check_report("test_latency_fit");
}
