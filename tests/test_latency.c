/* The latency model: published sums to the last printed digit, the soft form's values and gradients, counted costs. */
#include "check.h"
#include "core/rng.h"
#include "latency/table.h"

static spn_space space;
static spn_cost cost;

static int load(const char *space_name, const char *cost_name) {
  spn_err err = {0};
  CHECK_OK(spn_space_load(space_name, &space, &err), err);
  if (err.code) return 0;
  CHECK_OK(spn_cost_load(cost_name, &space, &cost, &err), err);
  return !err.code;
}

/* One character a layer of singlepath: a 3x3e3, b 3x3e6, c 5x5e3, d 5x5e6, - skipped; the fixed layers are not written.
 */
static spn_choice choose(const char *letters) {
  spn_choice c;
  spn_choice_min(&space, &c);
  for (int i = 0; i < 20; i++) {
    int option = letters[i] - 'a';
    c.layer[i + 1].keep = letters[i] != '-';
    c.layer[i + 1].kernel = (signed char)(letters[i] == '-' ? 0 : option / 2);
    c.layer[i + 1].expand = (signed char)(letters[i] == '-' ? 0 : option % 2);
  }
  return c;
}

static void test_reference_sums(void) {
  static const struct {
    const char *letters, *ms;
  } rows[] = {{"dddddddddddddddddddd", "131.458"}, {"bbbbbbbbbbbbbbbbbbbb", "110.652"},
              {"cccccccccccccccccccc", "76.362"},  {"aaaaaaaaaaaaaaaaaaaa", "65.691"},
              {"a---a---a---a---a---", "30.632"},  {"aaa-ccc-ddd-bb--dddd", "75.881"},
              {"aaa-daaadaaadcccdddd", "80.441"}};
  static const char *const spaces[] = {"singlepath", "demo"};
  for (int s = 0; s < 2; s++) {
    if (!load(spaces[s], "pixel1-singlepath")) return;
    CHECK(!strcmp(cost.unit, "ms") && cost.rest == 19.5999 && !cost.modelled_se, "rest %.17g %s", cost.rest, cost.unit);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
      char text[32];
      spn_choice c = choose(rows[i].letters);
      snprintf(text, sizeof text, "%.3f", spn_cost_of(&cost, &c));
      CHECK(!strcmp(text, rows[i].ms), "%s: %s ms, expected %s", rows[i].letters, text, rows[i].ms);
    }
    double low, high;
    spn_cost_range(&cost, &space, &low, &high);
    CHECK_NEAR(low, 30.6319, 1e-12, "cheapest network");
    CHECK_NEAR(high, 131.4578, 1e-12, "dearest network");
  }
}

/* The network files agree with the letters above. */
static void test_published(void) {
  static const struct {
    const char *network;
    double ms;
  } rows[] = {{"single-path-nas", 80.4411}, {"mnasnet-b1", 75.8806}};
  spn_err err = {0};
  spn_arch arch;
  spn_choice choice;
  if (!load("singlepath", "pixel1-singlepath")) return;
  for (int i = 0; i < 2; i++) {
    CHECK_OK(spn_arch_load(rows[i].network, &arch, &err), err);
    CHECK_OK(spn_space_match(&space, &arch, &choice, &err), err);
    CHECK_NEAR(spn_cost_of(&cost, &choice), rows[i].ms, 1e-12, "%s", rows[i].network);
  }
}

/* ---- The soft form ---- */

static double hard_gate(int reached, uint64_t noise) { return reached < 0 ? (double)(noise & 1) : (double)reached; }

/* Gates of a choice; indicators that do not matter (behind a 0, or in a skipped layer) are random 0 or 1. */
static spn_layer_gates gates_of(const spn_choice *c, int layer, uint64_t seed) {
  spn_layer_gates g = {0};
  const spn_layer *l = &space.layer[layer];
  int keep = c->layer[layer].keep;
  g.keep[0] = keep;
  for (int j = 0; j < SPN_MAX_OPTIONS; j++) {
    uint64_t bits = spn_rng_bits(seed, SPN_RNG_TEST, (uint64_t)(layer * 8 + j));
    int k = c->layer[layer].kernel, e = c->layer[layer].expand, s = c->layer[layer].se;
    if (j < l->kernels - 1) g.kernel[j] = hard_gate(!keep || j > k ? -1 : j < k, bits);
    if (j < l->expands - 1) g.expand[j] = hard_gate(!keep || j > e ? -1 : j < e, bits >> 1);
    if (j < l->ses - 1) g.se[j] = hard_gate(!keep || j > s ? -1 : j < s, bits >> 2);
  }
  return g;
}

static void test_hard(void) {
  for (uint64_t n = 0; n < 200; n++) {
    spn_choice c;
    spn_choice_random(&space, 7, n, &c);
    double sum = cost.rest, low, high;
    for (int i = 0; i < space.layers; i++) {
      spn_layer_gates g = gates_of(&c, i, n), grad;
      double soft = spn_cost_layer_soft(&cost, &space, i, &g, NULL);
      CHECK(soft == spn_cost_layer(&cost, i, &c.layer[i]), "%s layer %d: %.17g", space.name, i, soft);
      CHECK(soft == spn_cost_layer_soft(&cost, &space, i, &g, &grad), "value with and without gradient");
      sum += soft;
    }
    CHECK(sum == spn_cost_of(&cost, &c), "%s network %d: %.17g, table %.17g", space.name, (int)n, sum,
          spn_cost_of(&cost, &c));
    spn_cost_range(&cost, &space, &low, &high);
    CHECK(sum >= low && sum <= high, "%s: %g outside %g..%g", space.name, sum, low, high);
  }
}

/* Central differences are exact for a multilinear form, but for rounding. */
static void check_gate(int layer, spn_layer_gates *g, double *gate, double derivative, const char *what) {
  const double h = 1e-3;
  double here = *gate;
  *gate = here + h;
  double up = spn_cost_layer_soft(&cost, &space, layer, g, NULL);
  *gate = here - h;
  double down = spn_cost_layer_soft(&cost, &space, layer, g, NULL);
  *gate = here;
  CHECK_NEAR(derivative, (up - down) / (2 * h), 1e-10, "%s layer %d %s", space.name, layer, what);
}

static void test_gradient(void) {
  for (uint64_t n = 0; n < 20; n++) {
    for (int i = 0; i < space.layers; i++) {
      const spn_layer *l = &space.layer[i];
      spn_layer_gates g = {0}, grad;
      g.keep[0] = spn_rng_uniform(n, SPN_RNG_TEST, (uint64_t)i);
      for (int j = 0; j < SPN_MAX_OPTIONS; j++) {
        g.kernel[j] = spn_rng_uniform(n, SPN_RNG_TEST, (uint64_t)(1000 + i * 8 + j));
        g.expand[j] = spn_rng_uniform(n, SPN_RNG_TEST, (uint64_t)(2000 + i * 8 + j));
        g.se[j] = spn_rng_uniform(n, SPN_RNG_TEST, (uint64_t)(3000 + i * 8 + j));
      }
      spn_cost_layer_soft(&cost, &space, i, &g, &grad);
      check_gate(i, &g, &g.keep[0], grad.keep[0], "keep");
      for (int j = 0; j < SPN_MAX_OPTIONS; j++) {
        check_gate(i, &g, &g.kernel[j], grad.kernel[j], "kernel");
        check_gate(i, &g, &g.expand[j], grad.expand[j], "expand");
        check_gate(i, &g, &g.se[j], grad.se[j], "se");
      }
      CHECK(!l->tied || grad.expand[0] == 0, "a tied layer has no expansion gate");
    }
  }
}

static void test_soft(void) {
  static const char *const pairs[][2] = {{"singlepath", "pixel1-singlepath"},
                                         {"singlepath", "pixel1-proxylessnas"},
                                         {"singlepath-se", "pixel1-singlepath"},
                                         {"singlepath-k7", "pixel1-proxylessnas"},
                                         {"singlepath-se-k7", "pixel1-proxylessnas"},
                                         {"demo", "pixel1-singlepath"},
                                         {"nas-bench-macro", "flops"},
                                         {"singlepath-se-k7", "macs"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    if (!load(pairs[i][0], pairs[i][1])) continue;
    test_hard();
    test_gradient();
  }
}

/* ---- Counted costs ---- */

/* "22212220" as a network of nas-bench-macro; 0 when a stage begins with an identity, which the space cannot say. */
static int macro_choice(const char *digits, spn_choice *c) {
  spn_choice_min(&space, c);
  for (int i = 0; i < 8; i++) {
    if (digits[i] == '0' && !space.layer[i].skippable) return 0;
    c->layer[i].keep = digits[i] != '0';
    c->layer[i].kernel = c->layer[i].expand = digits[i] == '2';
  }
  return 1;
}

/* That benchmark's count of any of its networks: an identity at a stage's first layer is a 1x1 stride-2 convolution. */
static long long macro_flops(const char *digits) {
  spn_choice c;
  char filled[9];
  long long extra = 0;
  int size = 32;
  snprintf(filled, sizeof filled, "%s", digits);
  for (int i = 0; i < 8; i++) {
    const spn_layer *l = &space.layer[i];
    size /= l->stride;
    if (digits[i] != '0' || l->skippable) continue;
    filled[i] = '1';
    extra += (long long)l->in * l->out * size * size - llround(cost.layer[i].cost[0][0][0] * 1e6);
  }
  macro_choice(filled, &c);
  return llround(spn_cost_of(&cost, &c) * 1e6) + extra;
}

static void check_macro(const char *digits, long long params, long long flops) {
  spn_choice c;
  spn_arch arch;
  CHECK(macro_flops(digits) == flops, "%s: %lld FLOPs, the table says %lld", digits, macro_flops(digits), flops);
  if (!macro_choice(digits, &c)) return;
  spn_space_arch(&space, &c, 0, &arch);
  CHECK(spn_arch_counts(&arch).params == params, "%s: %lld parameters, the table says %lld", digits,
        spn_arch_counts(&arch).params, params);
}

/* A few rows of NAS-Bench-Macro (xiusu/NAS-Bench-Macro, Apache-2.0), and all 6561 where the shared table lies. */
static void test_macro(void) {
  static const struct {
    const char *digits;
    long long params, flops;
  } rows[] = {{"22222222", 2932586, 105660928}, {"11111111", 1588874, 53246464}, {"10100100", 547146, 20683264},
              {"22212220", 1985514, 85164544},  {"21120210", 1375466, 58327552}, {"12012021", 2014602, 67092992},
              {"00000000", 387882, 7713280}};
  if (!load("nas-bench-macro", "flops")) return;
  CHECK(fabs(spn_space_log10_size(&space) - log10(1944)) < 1e-12, "10^%g networks", spn_space_log10_size(&space));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_macro(rows[i].digits, rows[i].params, rows[i].flops);
  char line[256], digits[9];
  double skip[5];
  long long params, flops;
  int count = 0, inside = 0;
  FILE *file = fopen(SPN_SOURCE_DIR "/../shared/data/nas-bench-macro/nas-bench-macro_cifar10.csv", "r");
  if (!file) {
    printf("skipped: all networks of NAS-Bench-Macro (../shared/data is not here)\n");
    return;
  }
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "%8[0-2],%lf,%lf,%lf,%lf,%lf,%lld,%lld", digits, &skip[0], &skip[1], &skip[2], &skip[3], &skip[4],
               &params, &flops) != 8)
      continue;
    check_macro(digits, params, flops);
    count++;
    inside += digits[0] != '0' && digits[2] != '0' && digits[5] != '0';
  }
  fclose(file);
  CHECK(count == 6561 && inside == 1944, "%d rows, %d in the space", count, inside);
}

/* The counted cost is the count of the network itself. */
static void test_counts(void) {
  static const char *const names[] = {"singlepath", "singlepath-se", "singlepath-se-k7", "demo", "nas-bench-macro"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!load(names[i], "macs")) return;
    for (uint64_t n = 0; n < 200; n++) {
      spn_choice c;
      spn_arch arch;
      spn_choice_random(&space, 3, n, &c);
      spn_space_arch(&space, &c, 0, &arch);
      CHECK(llround(spn_cost_of(&cost, &c) * 1e6) == spn_arch_counts(&arch).macs, "%s network %d", names[i], (int)n);
    }
  }
}

/* ---- Tables ---- */

/* The estimate of squeeze-and-excite, by hand: layer 2 is 24 -> 24 at 56x56, expansion 3, ratio 0.25: 72 channels, 6
 * squeezed. */
static void test_se(void) {
  if (!load("singlepath-se", "pixel1-singlepath")) return;
  double values = 3.0 * 72 * 56 * 56 + 2 * 72 * 6 + 72 + 6;
  CHECK(cost.modelled_se == 1, "the estimate must be marked");
  CHECK_NEAR(cost.layer[2].cost[0][0][1], 3.4111 + values / 1437000, 1e-12, "SE at ratio 0.25");
  for (int i = 1; i <= 20; i++)
    for (int e = 0; e < 2; e++)
      CHECK(cost.layer[i].cost[0][e][0] < cost.layer[i].cost[0][e][1] &&
                cost.layer[i].cost[0][e][1] < cost.layer[i].cost[0][e][2],
            "layer %d: more squeeze channels cost more", i);
}

static void fails_with(const char *space_name, const char *cost_name, const char *words) {
  spn_err err = {0};
  CHECK_OK(spn_space_load(space_name, &space, &err), err);
  CHECK(spn_cost_load(cost_name, &space, &cost, &err) == SPN_EINPUT && strstr(err.text, words), "%s: %s", words,
        err.text);
}

static void table_fails(const char *text, const char *words) {
  spn_err err = {0};
  spn_table table;
  CHECK(spn_table_parse("t.json", text, strlen(text), &table, &err) == SPN_EINPUT && strstr(err.text, words), "%s: %s",
        words, err.text);
}

static void test_errors(void) {
  fails_with("singlepath-k7", "pixel1-singlepath",
             "no entry for k7 e3, 16 -> 24 channels, stride 2, at 112x112 (layer 1");
  fails_with("nas-bench-macro", "pixel1-singlepath",
             "no entry for k3 e3, 32 -> 64 channels, stride 2, at 32x32 (layer 0");
  fails_with("singlepath", "pixel1", "there are: pixel1-proxylessnas, pixel1-singlepath");
  table_fails("{\"name\": \"t\", \"units\": \"ms\"}", "did you mean \"unit\"");
  table_fails("{\"name\": \"t\", \"unit\": \"ms\", \"source\": \"s\", \"skip\": -1}", "skip");
  table_fails(
      "{\"name\": \"t\", \"unit\": \"ms\", \"source\": \"s\", \"skip\": 0, \"rest\": {\"cost\": 1, \"input\": 224, "
      "\"stem\": 32,"
      "\"head\": 1280}, \"blocks\": [{\"h\": 7, \"in\": 8, \"out\": 8, \"stride\": 1, \"kernel\": [3], \"expand\": [3],"
      "\"cost\": [[1, 2]]}]}",
      "blocks[0].cost[0]");
}

/* Another number of layers: rows are found by shape; another stem: the rest no longer holds. */
static void test_by_shape(void) {
  spn_err err = {0};
  spn_table table;
  spn_choice c;
  if (!load("singlepath", "macs")) return;
  CHECK_OK(spn_table_load("pixel1-singlepath", &table, &err), err);
  spn_space shorter = space;
  memmove(&shorter.layer[2], &shorter.layer[3], sizeof *shorter.layer * (size_t)(shorter.layers - 3));
  shorter.layers--;
  CHECK_OK(spn_table_apply(&table, &shorter, &cost, &err), err);
  spn_choice_max(&shorter, &c);
  CHECK_NEAR(spn_cost_of(&cost, &c), 131.4578 - 9.1567, 0.005,
             "one 24 -> 24 layer less; rows of one shape differ a little");
  space.base.stem_channels = 16;
  CHECK(spn_table_apply(&table, &space, &cost, &err) == SPN_EINPUT && strstr(err.text, "16 channels"), "%s", err.text);
  spn_table_free(&table);
}

int main(void) {
  setenv("SPNAS_DATA", SPN_SOURCE_DIR "/data", 1); /* the tests may run anywhere */
  test_reference_sums();
  test_published();
  test_soft();
  test_macro();
  test_counts();
  test_se();
  test_errors();
  test_by_shape();
  return check_report("test_latency");
}
