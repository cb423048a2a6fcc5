/* Networks of another depth, width and size: published counts, what becomes of stages, targets, and what they cost. */
#include "check.h"
#include "latency/price.h"
#include "model/blockstring.h"
#include "model/scale.h"

static spn_arch network(const char *name) {
  static spn_arch arch;
  spn_err err = {0};
  CHECK_OK(spn_arch_load(name, &arch, &err), err);
  return arch;
}

/* A timm string around the frame of MnasNet. */
static spn_arch from_string(const char *text) {
  static spn_arch arch;
  spn_err err = {0};
  CHECK_OK(spn_blockstring_network(text, &arch, NULL, &err), err);
  return arch;
}

static void expect_blocks(const spn_arch *arch, const char *text) {
  char *blocks = spn_blockstring_timm(arch);
  CHECK(blocks && !strcmp(blocks, text), "%s, expected %s", blocks, text);
  free(blocks);
}

/* EfficientNet-B0 to B7: factors and parameters as published with the paper's code (arXiv 1905.11946). */
static void test_published(void) {
  static const char blocks[] =
      "ds_r1_k3_s1_c16_se0.25 | ir_r2_k3_s2_e6_c24_se0.25 | ir_r2_k5_s2_e6_c40_se0.25 | ir_r3_k3_s2_e6_c80_se0.25 | "
      "ir_r3_k5_s1_e6_c112_se0.25 | ir_r4_k5_s2_e6_c192_se0.25 | ir_r1_k3_s1_e6_c320_se0.25";
  static const struct {
    spn_scaling scaling;
    long long params;
  } rows[] = {{{1.0, 1.0, 224}, 5288548},  {{1.1, 1.0, 240}, 7794184},  {{1.2, 1.1, 260}, 9109994},
              {{1.4, 1.2, 300}, 12233232}, {{1.8, 1.4, 380}, 19341616}, {{2.2, 1.6, 456}, 30389784},
              {{2.6, 1.8, 528}, 43040704}, {{3.1, 2.0, 600}, 66347960}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    spn_arch arch = from_string(blocks);
    spn_err err = {0};
    arch.head_widens = 1;
    CHECK_OK(spn_arch_rescale(&arch, &rows[i].scaling, &err), err);
    CHECK(spn_arch_counts(&arch).params == rows[i].params && arch.input_size == rows[i].scaling.size,
          "B%d: %lld parameters, expected %lld", (int)i, spn_arch_counts(&arch).params, rows[i].params);
  }
}

/* Mixed stages are stretched; single layers get followers with a shortcut; what was skipped goes. */
static void test_depth(void) {
  static const char mixed[] = "ds_r1_k3_s1_c16 | ir_r1_k5_s2_e6_c24, ir_r2_k3_s1_e3_c24, ir_r1_k5_s1_e3_c24 | "
                              "ir_r1_k3_s2_e6_c40_se0.25_nhs";
  spn_err err = {0};
  spn_arch arch = from_string(mixed);
  CHECK_OK(spn_arch_deepen(&arch, 1, &err), err);
  expect_blocks(&arch, mixed);
  CHECK_OK(spn_arch_deepen(&arch, 1.5, &err), err);
  expect_blocks(&arch, "ds_r2_k3_s1_c16 | ir_r1_k5_s2_e6_c24, ir_r3_k3_s1_e3_c24, ir_r2_k5_s1_e3_c24 | "
                       "ir_r2_k3_s2_e6_c40_se0.25_nhs");
  arch = from_string(mixed);
  CHECK_OK(spn_arch_deepen(&arch, 0.5, &err), err);
  expect_blocks(&arch, "ds_r1_k3_s1_c16 | ir_r1_k5_s2_e6_c24, ir_r1_k3_s1_e3_c24 | ir_r1_k3_s2_e6_c40_se0.25_nhs");
  arch = from_string(mixed);
  arch.block[2].skipped = 1;
  CHECK_OK(spn_arch_deepen(&arch, 2, &err), err);
  expect_blocks(&arch, "ds_r2_k3_s1_c16 | ir_r1_k5_s2_e6_c24, ir_r2_k3_s1_e3_c24, ir_r3_k5_s1_e3_c24 | "
                       "ir_r2_k3_s2_e6_c40_se0.25_nhs");
  arch = from_string("ds_r10_k3_s1_c16_noskip");
  CHECK_OK(spn_arch_deepen(&arch, 1.1, &err), err);
  expect_blocks(&arch, "ds_r11_k3_s1_c16_noskip");
  CHECK(spn_arch_deepen(&arch, 16, &err) == SPN_EINPUT && strstr(err.text, "at most 128 blocks"), "%s", err.text);
}

/* Channels that rounding makes equal do not join stages: depth comes first. */
static void test_together(void) {
  spn_arch arch = from_string("ds_r1_k3_s1_c24 | ir_r2_k3_s1_e3_c32"), other = arch;
  spn_err err = {0};
  CHECK_OK(spn_arch_rescale(&arch, &(spn_scaling){2, 0.25, 64}, &err), err);
  expect_blocks(&arch, "ds_r1_k3_s1_c8_noskip, ds_r1_k3_s1_c8, ir_r1_k3_s1_e3_c8_noskip, ir_r3_k3_s1_e3_c8");
  CHECK(spn_arch_rescale(&other, &(spn_scaling){1, 8000, 0}, &err) == SPN_EINPUT, "too wide");
}

/* ---- Targets ---- */

static double macs(const void *context, const spn_arch *arch) { return (double)spn_arch_counts(arch).macs / 1e6; }
static double unknown(const void *context, const spn_arch *arch) { return NAN; }

static void test_targets(void) {
  static const spn_compound steps[] = {
      {1.2, 1.1, 1.15, {1, 1, 224}}, {1, 1.1, 1, {1, 1, 224}}, {1, 1, 1.15, {1, 1, 224}}, {1.2, 1, 1, {1, 1, 224}}};
  static const double targets[] = {5, 58.5, 103.2, 223.4, 311.6, 320, 420, 586.3, 2000};
  const spn_arch arch = network("mnasnet-a1");
  spn_err err = {0};
  for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
    for (size_t i = s ? 2 : 0; i < sizeof targets / sizeof *targets - (s > 0); i++) {
      spn_scaled found;
      spn_arch made = arch;
      if (spn_scale_to(&arch, &steps[s], targets[i], macs, NULL, &found, &err)) {
        CHECK(s == 3 && targets[i] < 110, "steps %d, target %g: %s", (int)s, targets[i], err.text);
        continue; /* no depth is that shallow */
      }
      CHECK_OK(spn_arch_rescale(&made, &found.scaling, &err), err);
      CHECK(macs(NULL, &made) == found.cost && found.cost <= targets[i], "target %g: %g", targets[i], found.cost);
      CHECK(s == 3 || found.cost > (s ? 0.85 : 0.9) * targets[i], "steps %d, target %g: only %g", (int)s, targets[i],
            found.cost);
      CHECK((s == 0 || found.scaling.width == 1 || s == 1) && (s == 0 || found.scaling.size == 224 || s == 2),
            "steps %d", (int)s);
    }
  spn_scaled found;
  CHECK_OK(spn_scale_to(&arch, &steps[0], macs(NULL, &arch), macs, NULL, &found, &err), err);
  CHECK(found.depth_x == 0 && found.width_x == 0 && found.size_x == 0, "its own cost is met by the network itself");
  CHECK(spn_scale_to(&arch, &steps[0], 1e-6, macs, NULL, &found, &err) == SPN_EINPUT && strstr(err.text, "cheapest"),
        "%s", err.text);
  CHECK(spn_scale_to(&arch, &steps[0], 50, unknown, NULL, &found, &err) == SPN_EINPUT && strstr(err.text, "not known"),
        "%s", err.text);
  const spn_scaling none = spn_compound_at(&steps[0], 0), two = spn_compound_at(&steps[0], 2);
  CHECK(none.depth == 1 && none.width == 1 && none.size == 224, "a coefficient of 0 changes nothing");
  CHECK_NEAR(two.depth, 1.44, 1e-12, "depth");
  CHECK_NEAR(two.width, 1.21, 1e-12, "width");
  CHECK(two.size == 296, "224 * 1.3225 = 296.2, got %d", two.size);
}

/* ---- Costs ---- */

static double sum_of(const spn_profile *p) {
  double sum = p->rest;
  for (int i = 0; i < p->layers; i++) sum += isnan(p->layer[i].cost) ? 0 : p->layer[i].cost;
  return sum;
}

/* A network as its space's search prices it, with the skipped layers told or not; another by parts; counted. */
static void test_prices(void) {
  spn_err err = {0};
  spn_pricer *pricer, *macs_of;
  spn_profile p, again;
  spn_arch arch = network("single-path-nas");
  CHECK_OK(spn_pricer_load("pixel1-singlepath", "singlepath", &pricer, &err), err);
  if (!pricer) return;
  spn_profile_of(&arch, &p);
  CHECK(p.layers == arch.blocks + 3 && p.layer[0].out_size == 112 && p.layer[p.layers - 1].out == 1000 &&
            p.counts.params == spn_arch_counts(&arch).params && isnan(p.cost),
        "profile");
  CHECK_OK(spn_pricer_apply(pricer, &arch, &p, &err), err);
  CHECK_NEAR(p.cost, 80.4411, 5e-5, "the published network");
  CHECK_NEAR(sum_of(&p), p.cost, 1e-9, "layers and rest");
  CHECK(p.placed && !p.caveat[0] && isnan(p.layer[1].cost) && p.layer[2].cost > 0, "fixed layers are in the rest");
  spn_space space;
  spn_choice choice;
  CHECK_OK(spn_space_load("singlepath", &space, &err), err);
  for (uint64_t i = 0; i < 50; i++) {
    spn_arch whole, compact;
    spn_choice_random(&space, 3, i, &choice);
    spn_space_arch(&space, &choice, 0, &whole);
    compact = whole;
    compact.blocks = 0;
    for (int b = 0; b < whole.blocks; b++)
      if (!whole.block[b].skipped) compact.block[compact.blocks++] = whole.block[b];
    spn_profile_of(&whole, &p);
    spn_profile_of(&compact, &again);
    CHECK_OK(spn_pricer_apply(pricer, &whole, &p, &err), err);
    CHECK_OK(spn_pricer_apply(pricer, &compact, &again, &err), err);
    CHECK(p.placed && again.placed, "in the space");
    CHECK_NEAR(sum_of(&p), p.cost, 1e-9, "layers and rest");
    CHECK_NEAR(sum_of(&again), again.cost, 1e-9, "layers and rest, skipped layers not told");
  }
  spn_arch_scale(&arch, 0.5);
  spn_profile_of(&arch, &p);
  CHECK_OK(spn_pricer_apply(pricer, &arch, &p, &err), err);
  CHECK(!p.placed && strstr(p.caveat, "modelled") && p.layer[0].cost > 0 && p.cost < 50, "half the width: %g, %s",
        p.cost, p.caveat);
  CHECK_NEAR(sum_of(&p), p.cost, 1e-9, "parts");
  CHECK_NEAR(spn_pricer_cost(pricer, &arch), p.cost, 0, "as a number");
  CHECK_OK(spn_pricer_load("macs", "singlepath", &macs_of, &err), err);
  CHECK_OK(spn_pricer_apply(macs_of, &arch, &p, &err), err);
  CHECK_NEAR(p.cost, (double)p.counts.macs / 1e6, 1e-12, "counted");
  CHECK_NEAR(sum_of(&p), p.cost, 1e-9, "counted by layers");
  spn_pricer_free(macs_of);
  spn_pricer_free(pricer);
  CHECK(spn_pricer_load("nothing", "singlepath", &pricer, &err) == SPN_EINPUT && !pricer, "%s", err.text);
  CHECK_OK(spn_pricer_load("0.5 * pixel1-singlepath + 2 * pixel1-singlepath", "singlepath", &pricer, &err), err);
  CHECK(spn_pricer_apply(pricer, &arch, &p, &err) == SPN_EINPUT && strstr(err.text, "of its space only"), "%s",
        err.text);
  arch = network("single-path-nas");
  CHECK_NEAR(spn_pricer_cost(pricer, &arch), 2.5 * 80.4411, 5e-4, "a sum");
  spn_pricer_free(pricer);
}

int main(void) {
  setenv("SPNAS_DATA", SPN_SOURCE_DIR "/data", 1);
  test_published();
  test_depth();
  test_together();
  test_targets();
  test_prices();
  return check_report("test_scale");
}
