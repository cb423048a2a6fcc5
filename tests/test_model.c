/* Networks, spaces and block strings: reference counts, matching, strings, errors with places. */
#include "check.h"
#include "core/rng.h"
#include "io/datapath.h"
#include "model/blockstring.h"
#include "model/decisions.h"

static spn_arch network(const char *name) {
  static spn_arch arch;
  spn_err err = {0};
  CHECK_OK(spn_arch_load(name, &arch, &err), err);
  return arch;
}

/* ---- Counts: MnasNet's (arXiv 1807.11626, table 1, and its code's README for widths), MobileNetV2's (1801.04381) --
 */

static void check_counts(const spn_arch *arch, const char *params, const char *macs, const char *what) {
  char text[32];
  spn_err err = {0};
  spn_counts counts = spn_arch_counts(arch);
  CHECK_OK(spn_arch_check(arch, &err), err);
  snprintf(text, sizeof text, "%.3f", (double)counts.params / 1e6);
  CHECK(!params || !strcmp(text, params), "%s: %s M parameters, expected %s", what, text, params);
  snprintf(text, sizeof text, "%.1f", (double)counts.macs / 1e6);
  CHECK(!strcmp(text, macs), "%s: %s M multiply-accumulates, expected %s", what, text, macs);
}

static void test_counts(void) {
  static const struct {
    const char *name, *params, *macs;
  } rows[] = {{"mnasnet-a1", "3.887", "311.6"},
              {"mnasnet-b1", "4.383", "314.4"},
              {"mnasnet-small", "2.030", "68.3"},
              {"single-path-nas", "4.422", "333.5"},
              {"mobilenetv2", "3.505", "300.8"}};
  static const struct {
    double width;
    const char *params, *macs;
  } widths[] = {{1.4, "6.106", "586.3"}, {0.75, "2.912", "223.4"}, {0.5, "2.082", "103.2"}, {0.35, "1.747", "61.7"}};
  static const struct {
    int size;
    const char *macs;
  } sizes[] = {{192, "229.3"}, {160, "159.7"}, {128, "102.8"}, {96, "58.5"}};
  spn_arch arch;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    arch = network(rows[i].name);
    check_counts(&arch, rows[i].params, rows[i].macs, rows[i].name);
  }
  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
    arch = network("mnasnet-a1");
    spn_arch_scale(&arch, widths[i].width);
    check_counts(&arch, widths[i].params, widths[i].macs, "MnasNet-A1 of another width");
  }
  arch = network("mobilenetv2");
  spn_arch_scale(&arch, 1.4);
  check_counts(&arch, "6.109", "582.2", "MobileNetV2 x1.4, whose head widens");
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    arch = network("mnasnet-a1");
    arch.input_size = sizes[i].size;
    check_counts(&arch, "3.887", sizes[i].macs, "MnasNet-A1 at another size");
  }
}

static void test_padding(void) {
  static const struct {
    spn_padding padding;
    int n, k, s, before, after, out;
  } rows[] = {{SPN_PAD_SAME, 224, 3, 2, 0, 1, 112},    {SPN_PAD_SAME, 224, 5, 2, 1, 2, 112},
              {SPN_PAD_SAME, 224, 7, 2, 2, 3, 112},    {SPN_PAD_SAME, 7, 3, 2, 1, 1, 4},
              {SPN_PAD_SAME, 7, 5, 1, 2, 2, 7},        {SPN_PAD_SAME, 1, 7, 2, 3, 3, 1},
              {SPN_PAD_SYMMETRIC, 32, 3, 2, 1, 1, 16}, {SPN_PAD_SYMMETRIC, 7, 5, 2, 2, 2, 4},
              {SPN_PAD_SAME, 8, 1, 2, 0, 0, 4}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    spn_pad pad = spn_pad_axis(rows[i].padding, rows[i].n, rows[i].k, rows[i].s);
    CHECK(pad.before == rows[i].before && pad.after == rows[i].after && pad.out == rows[i].out, "row %d: %d %d %d",
          (int)i, pad.before, pad.after, pad.out);
  }
}

static void test_width(void) {
  static const struct {
    int channels;
    double width;
    int scaled;
  } rows[] = {{32, 1, 32},     {16, 0.25, 8}, {40, 0.25, 16}, {24, 1.4, 32},
              {112, 0.75, 88}, {16, 0.35, 8}, {80, 0.35, 32}, {96, 0.25, 24}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    CHECK(spn_scale_channels(rows[i].channels, rows[i].width) == rows[i].scaled, "%d x %g = %d", rows[i].channels,
          rows[i].width, spn_scale_channels(rows[i].channels, rows[i].width));
}

/* ---- Spaces -------------------------------------------------------------------------------------------------------
 */

static int load(const char *name, spn_space *space) {
  spn_err err = {0};
  CHECK_OK(spn_space_load(name, space, &err), err);
  return !err.code;
}

static void test_space(void) {
  spn_space space;
  spn_choice choice;
  spn_arch arch;
  if (!load("singlepath", &space)) return;
  CHECK(space.layers == 22 && space.layer[0].table_layer == -1 && space.layer[21].table_layer == -1,
        "fixed first and last layer");
  for (int i = 1; i <= 20; i++)
    CHECK(space.layer[i].table_layer == i && space.layer[i].skippable == ((i - 1) % 4 != 0), "layer %d", i);
  CHECK_NEAR(spn_space_log10_size(&space), 15 * log10(5) + 5 * log10(4), 1e-12, "number of networks");
  spn_choice_max(&space, &choice);
  spn_space_arch(&space, &choice, 0, &arch);
  check_counts(&arch, "4.834", "525.3", "all maximal");
  spn_space_arch(&space, &choice, 1, &arch);
  CHECK(arch.input_size == 32 && arch.stem_stride == 1 && arch.block[1].stride == 1 && arch.block[5].stride == 2,
        "proxy strides");
  spn_choice_min(&space, &choice);
  spn_space_arch(&space, &choice, 0, &arch);
  check_counts(&arch, "2.457", "117.2", "smallest");
  if (!load("demo", &space)) return;
  spn_choice_max(&space, &choice);
  spn_space_arch(&space, &choice, 1, &arch);
  CHECK(arch.stem_channels == 8 && arch.head_channels == 320 && arch.input_size == 28 && arch.classes == 10,
        "demo proxy");
  CHECK(arch.block[1].in == 8 && arch.block[1].out == 8 && arch.block[2].residual && !arch.block[1].residual,
        "equal channels by rounding make no residual");
}

/* log10 of the networks of a stage of MnasNet's space that has `layers` (from ... to), the last with a shortcut or not.
 */
static double mnasnet_stage(int from, int to) {
  enum { INSIDE = 2 * (3 * 2 + 1), CHANNELS = 3 }; /* kernels x (ops with SE or without, and convolutions) */
  double sum = 0;
  for (int n = from; n <= to; n++) sum += n > 1 ? 2 : 1;
  return log10(CHANNELS * INSIDE * sum);
}

/* The published networks are members: all of MobileNetV2, and MnasNet's but for the one stage whose channels are none
 * of 0.75, 1 and 1.25 times MobileNetV2's. */
static void test_published(void) {
  static const struct {
    const char *space, *network, *from, *to, *params, *macs;
  } rows[] = {{"mobilenetv2", "mobilenetv2", "", "", "3.505", "300.8"},
              {"mnasnet", "mobilenetv2", "", "", "3.505", "300.8"},
              {"mnasnet", "mnasnet-a1", "112", "120", NULL, "319.4"},
              {"mnasnet", "mnasnet-b1", "192", "200", NULL, "322.0"}};
  spn_space space;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    spn_choice choice;
    spn_arch arch = network(rows[i].network), again;
    spn_err err = {0};
    if (!load(rows[i].space, &space)) return;
    if (*rows[i].from) {
      char words[32];
      snprintf(words, sizeof words, "-> %s, stride", rows[i].from);
      CHECK(spn_space_match(&space, &arch, &choice, &err) == SPN_EINPUT && strstr(err.text, words), "%s: %s",
            rows[i].network, err.text);
    }
    for (int b = 0; b < arch.blocks; b++) {
      if (*rows[i].from && arch.block[b].out == atoi(rows[i].from)) arch.block[b].out = atoi(rows[i].to);
      if (*rows[i].from && arch.block[b].in == atoi(rows[i].from)) arch.block[b].in = atoi(rows[i].to);
    }
    CHECK_OK(spn_space_match(&space, &arch, &choice, &err), err);
    spn_space_arch(&space, &choice, 0, &again);
    again.activation = arch.activation;
    CHECK(spn_arch_equal(&arch, &again), "%s in %s", rows[i].network, rows[i].space);
    check_counts(&again, rows[i].params, rows[i].macs, rows[i].network);
  }
  if (!load("mnasnet", &space)) return;
  double size = 2 * mnasnet_stage(1, 2) + mnasnet_stage(1, 3) + 3 * mnasnet_stage(2, 4) + mnasnet_stage(3, 5);
  CHECK_NEAR(spn_space_log10_size(&space), size, 1e-12, "networks of MnasNet's space");
}

/* MobileNetV3 changes its activation half-way, in every form of a network. */
static void test_activations(void) {
  spn_space space;
  spn_choice choice;
  spn_arch arch, again;
  spn_err err = {0};
  if (!load("mobilenetv3", &space)) return;
  spn_choice_max(&space, &choice);
  spn_space_arch(&space, &choice, 0, &arch);
  CHECK(spn_block_activation(&arch, &arch.block[0]) == SPN_ACT_RELU &&
            spn_block_activation(&arch, &arch.block[arch.blocks - 1]) == SPN_ACT_HSWISH,
        "ReLU first, h-swish at the end");
  char *text = spn_blockstring_timm(&arch);
  CHECK(text && strstr(text, "_nre") && !strstr(text, "_nhs"), "%s", text);
  again = arch;
  CHECK_OK(spn_blockstring_parse(text, &again, NULL, &err), err);
  CHECK(spn_arch_equal(&arch, &again), "%s", text);
  again.block[0].activation = SPN_ACT_HSWISH;
  CHECK(!spn_arch_equal(&arch, &again) && spn_space_match(&space, &again, &choice, &err) == SPN_EINPUT,
        "another activation is another network");
  free(text);
  CHECK_OK(spn_blockstring_parse("cn_r2_k3_s1_c16_skip_nhs | cn_r1_k5_s2_c24", &again, NULL, &err), err);
  CHECK(again.blocks == 3 && !again.block[0].expand && !again.block[2].expand && again.block[1].residual &&
            again.block[0].residual == (again.stem_channels == 16) && again.block[1].activation == SPN_ACT_HSWISH,
        "plain convolutions");
  CHECK(spn_blockstring_parse("cn_r1_k3_s1_c16_e3", &again, NULL, &err) == SPN_EINPUT, "cn has no expansion");
  CHECK(spn_blockstring_parse("cn_r1_k3_s1_c16_se0.25", &again, NULL, &err) == SPN_EINPUT, "cn has no SE");
  CHECK(spn_blockstring_parse("ir_r1_k3_s1_e3_c16_nswish", &again, NULL, &err) == SPN_EINPUT, "an unknown activation");
  CHECK(spn_blockstring_parse("ir_r1_k3_s1_e3_c16_nmi", &again, NULL, &err) == SPN_EINPUT, "an unknown activation");
}

/* What a search trains at follows the size; strides, head and width with it. */
static void test_train_at(void) {
  static const struct {
    const char *space;
    int side, size;
  } rows[] = {{"singlepath", 32, 32},   {"singlepath", 40, 32},   {"singlepath", 64, 64},     {"singlepath", 100, 96},
              {"singlepath", 375, 224}, {"singlepath", 224, 224}, {"demo", 28, 28},           {"demo", 375, 224},
              {"singlepath", 0, 32},    {"demo", 32, 28},         {"nas-bench-macro", 32, 32}};
  spn_space space;
  spn_choice choice;
  spn_arch proxy, deployed;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (!load(rows[i].space, &space)) return;
    int size = spn_space_size_for(&space, rows[i].side);
    CHECK(size == rows[i].size, "%s, images of %d: %d", rows[i].space, rows[i].side, size);
  }
  if (!load("demo", &space)) return;
  CHECK(spn_space_is_proxy(&space), "the demo's proxy is one");
  spn_space_train_at(&space, 224, 0);
  spn_choice_max(&space, &choice);
  spn_space_arch(&space, &choice, 0, &deployed);
  spn_space_arch(&space, &choice, 1, &proxy);
  CHECK(!spn_space_is_proxy(&space) && spn_arch_equal(&proxy, &deployed), "at 224 it is the deployed network");
  spn_space_train_at(&space, 224, 0.5);
  CHECK(spn_space_is_proxy(&space) && space.proxy_stem_stride == 2, "but not at half width");
  if (!load("demo", &space)) return;
  spn_space_train_at(&space, 64, 0);
  CHECK(space.proxy_size == 64 && space.proxy_stem_stride == 1 && space.proxy_width == 0.25 && space.proxy_head == 320,
        "small sizes keep the proxy's strides, width and head");
}

/* Every option of every layer turns up, about as often as it should; the same index gives the same network. */
static void test_random(void) {
  enum { DRAWS = 4000 };
  spn_space space;
  spn_choice a, b;
  int skips = 0, tied = 0;
  if (!load("nas-bench-macro", &space)) return;
  for (uint64_t i = 0; i < DRAWS; i++) {
    spn_choice_random(&space, 5, i, &a);
    spn_choice_random(&space, 5, i, &b);
    CHECK(spn_choice_equal(&a, &b), "draw %d is not repeatable", (int)i);
    CHECK(a.layer[0].keep && a.layer[2].keep && a.layer[5].keep, "first layers cannot be skipped");
    skips += !a.layer[1].keep;
    tied += a.layer[1].kernel == a.layer[1].expand;
  }
  CHECK(tied == DRAWS, "tied options move together");
  CHECK(fabs(skips / (double)DRAWS - 1.0 / 3) < 0.03, "a third of the networks skips layer 1, got %g",
        skips / (double)DRAWS);
}

/* ---- Strings ------------------------------------------------------------------------------------------------------
 */

/* The published strings, printed in their own grammar (but for noskip where no shortcut could be). */
static void test_strings(void) {
  static const struct {
    const char *name, *text;
    int timm;
  } rows[] = {
      {"mnasnet-b1",
       "r1_k3_s11_e1_i32_o16 r3_k3_s22_e3_i16_o24 r3_k5_s22_e3_i24_o40 r3_k5_s22_e6_i40_o80 r2_k3_s11_e6_i80_o96 "
       "r4_k5_s22_e6_i96_o192 r1_k3_s11_e6_i192_o320",
       0},
      {"mnasnet-a1",
       "r1_k3_s11_e1_i32_o16 r2_k3_s22_e6_i16_o24 r3_k5_s22_e3_i24_o40_se0.25 r4_k3_s22_e6_i40_o80 "
       "r2_k3_s11_e6_i80_o112_se0.25 r3_k5_s22_e6_i112_o160_se0.25 r1_k3_s11_e6_i160_o320",
       0},
      {"single-path-nas",
       "ds_r1_k3_s1_c16 | ir_r3_k3_s2_e3_c24 | ir_r1_k5_s2_e6_c40, ir_r3_k3_s1_e3_c40 | ir_r1_k5_s2_e6_c80, "
       "ir_r3_k3_s1_e3_c80 | ir_r1_k5_s1_e6_c96, ir_r3_k5_s1_e3_c96 | ir_r4_k5_s2_e6_c192 | ir_r1_k3_s1_e6_c320",
       1}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    spn_arch arch = network(rows[i].name);
    char *text = rows[i].timm ? spn_blockstring_timm(&arch) : spn_blockstring_mnasnet(&arch);
    CHECK(text && !strcmp(text, rows[i].text), "%s: %s", rows[i].name, text);
    free(text);
  }
  char note[256] = "x";
  spn_err err = {0};
  spn_arch arch;
  CHECK_OK(spn_arch_load_noted("mnasnet-small", &arch, note, &err), err);
  CHECK(strstr(note, "i16") && arch.block[0].in == 8, "note: %s", note);
  CHECK_OK(spn_arch_load_noted("mnasnet-a1", &arch, note, &err), err);
  CHECK(!*note, "note without a cause: %s", note);
}

/* What `spnas info` prints of a network of another width is a network by itself. */
static void test_narrow_string(void) {
  spn_err err = {0};
  spn_arch arch = network("mnasnet-a1"), again;
  spn_arch_scale(&arch, 0.5);
  char *text = spn_blockstring_mnasnet(&arch);
  CHECK_OK(spn_blockstring_network(text, &again, NULL, &err), err);
  check_counts(&again, "2.082", "103.2", text);
  free(text);
  CHECK_OK(spn_blockstring_network("ds_r1_k3_s1_c16", &again, NULL, &err), err);
  CHECK(again.stem_channels == 32, "timm's grammar does not tell the stem: %d", again.stem_channels);
}

/* noskip inside and around repeats survives. */
static void test_noskip(void) {
  static const char *const text[] = {
      "r2_k3_s11_e6_i16_o16_noskip r3_k3_s11_e6_i16_o16 r1_k3_s11_e6_i16_o16_noskip r3_k3_s22_e6_i16_o24_noskip",
      "r1_k5_s22_e3_i16_o24 r2_k5_s11_e3_i24_o24_se0.125_noskip"};
  for (int i = 0; i < 2; i++) {
    spn_arch arch = network("mnasnet-a1");
    spn_err err = {0};
    arch.stem_channels = 16;
    CHECK_OK(spn_blockstring_parse(text[i], &arch, NULL, &err), err);
    char *again = spn_blockstring_mnasnet(&arch);
    CHECK(again && !strcmp(again, text[i]), "%s became %s", text[i], again);
    free(again);
  }
}

/* ---- Errors -------------------------------------------------------------------------------------------------------
 */

static void test_string_errors(void) {
  static const struct {
    const char *text, *words;
  } rows[] = {{"", "got nothing"},
              {"r1_k4_s11_e1_i32_o16", "\"r1_k4_s11_e1_i32_o16\": k (kernel)"},
              {"r1_k3_s11_e1_i32_o16 r1_k3_s2_e6_i16_o24", "\"r1_k3_s2_e6_i16_o24\": the stride of both axes"},
              {"r1_k3_s11_e1_i32_o16 r1_k3_s22_e6_i24_o24", "the block before gives 16"},
              {"r1_k3_s11_e1_i16_o16", "the stem gives 32"},
              {"r1_k3_s11_e1_i32_o16_x3", "\"x3\" is not supported"},
              {"r1_k3_k5_s11_e1_i32_o16", "given twice"},
              {"r200_k3_s11_e1_i32_o16", "1 to 128"},
              {"r100_k3_s11_e1_i32_o32 r100_k3_s11_e1_i32_o32", "more than 128 blocks"},
              {"r1_k3_s11_e1_i32_o16_se1.5", "ratio between 0 and 1"},
              {"ir_r1_k3_s1_e1_c16", "1:1 expansion"},
              {"er_r1_k3_s1_e1_c16", "block type \"er\""},
              {"ir_r1_k3_s1_e6_c16 | cn_r1_k1_s1_c16", "\"cn_r1_k1_s1_c16\""},
              {"ir_r1_k3_s1_c16", "e (expansion)"},
              {"ir_r1_k3_s22_e6_c16", "s (stride)"},
              {"r1__k3", "\"\" is not supported"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    spn_arch arch = network("mnasnet-a1");
    spn_err err = {0};
    CHECK(spn_blockstring_parse(rows[i].text, &arch, NULL, &err) == SPN_EINPUT && strstr(err.text, rows[i].words),
          "%s: %s", rows[i].text, err.text);
  }
}

/* Replaces the first occurrence of `from` in the singlepath file and expects the words in the error. */
static void space_fails(const char *base, const char *from, const char *to, const char *words) {
  char text[8192];
  spn_err err = {0};
  spn_space space;
  const char *at = strstr(base, from);
  CHECK(at != NULL, "%s is not in the file", from);
  if (!at) return;
  snprintf(text, sizeof text, "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
  spn_status status = spn_space_parse("s.json", text, strlen(text), &space, &err);
  CHECK(status == SPN_EINPUT && strstr(err.text, words) && strstr(err.text, "s.json:"), "%s -> %s: %s", from, to,
        err.text);
}

static void test_space_errors(void) {
  char base[8192];
  FILE *file = fopen(SPN_SOURCE_DIR "/data/spaces/singlepath.json", "r");
  size_t size = file ? fread(base, 1, sizeof base - 1, file) : 0;
  CHECK(size > 0, "cannot read the space");
  if (!file) return;
  fclose(file);
  base[size] = 0;
  space_fails(base, "\"kernel\": [3, 5]", "\"kernel\": [3, 6]", "stages[1].kernel[1]");
  space_fails(base, "\"kernel\": [3, 5]", "\"kernel\": [5, 3]", "ascends");
  space_fails(base, "\"expand\": [3, 6]", "\"expand\": [0, 6]", "stand last");
  space_fails(base, "\"expand\": [3, 6]", "\"expand\": [3, 0]", "expected 1 beside 0");
  space_fails(base, "\"expand\": [3, 6]", "\"expand\": [1, 0], \"tied\": true", "where kernels are tied");
  space_fails(base, "\"expand\": [3, 6]", "\"expand\": [0], \"se\": [0, 0.5]", "stages[1].se");
  space_fails(base, "\"channels\": 24", "\"channels\": [24, 16]", "stages[1].channels[1]");
  space_fails(base, "\"layers\": 4", "\"layers\": [3, 4]", "number of layers is decided already");
  space_fails(base, "\"layers\": 4", "\"layers\": [0, 4]", "stages[1].layers[0]");
  space_fails(base, "\"skip\": true", "\"skip\": true, \"residual\": [false, true]", "stages[1].skip");
  space_fails(base, "\"skip\": true", "\"residual\": [true, false]", "[false, true]");
  space_fails(base, "\"skip\": true", "\"skip\": true, \"skip_first\": true, \"shared\": true", "stages[1].shared");
  space_fails(base, "\"skip\": true", "\"activation\": \"swish\"", "stages[1].activation");
  space_fails(base, "\"expand\": [3, 6]", "\"expand\": []", "stages[1].expand");
  space_fails(base, "\"skip\": true", "\"skp\": true", "did you mean \"skip\"");
  space_fails(base, "\"skip\": true", "\"skip\": true, \"residual\": false", "stages[1].skip");
  space_fails(base, "\"skip\": true", "\"tied\": true, \"kernel\": [3]", "twice");
  space_fails(base, "\"layers\": 4", "\"layers\": 63", "64 layers");
  space_fails(base, "\"relu\"", "\"relu7\"", "activation");
  space_fails(base, "\"strides\": [1, 1,", "\"strides\": [1,", "7 strides");
  space_fails(base, "\"classes\": 1000,", "", "classes");
  space_fails(base, "\"stride\": 2", "\"stride\": 3", "stem.stride");
}

static void test_match_errors(void) {
  static const struct {
    const char *text, *words;
  } rows[] = {{"r1_k3_s11_e1_i32_o16 r4_k3_s22_e3_i16_o24 r1_k7_s11_e3_i24_o24", "block 5 (k7"},
              {"r1_k3_s11_e1_i32_o16 r2_k3_s22_e4_i16_o24", "block 1 (k3 e4"},
              {"r1_k3_s11_e1_i32_o16 r2_k3_s22_e3_i16_o24", "ends after 3 blocks"}};
  spn_space space;
  spn_choice choice;
  if (!load("singlepath", &space)) return;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    spn_arch arch = network("mnasnet-a1");
    spn_err err = {0};
    CHECK_OK(spn_blockstring_parse(rows[i].text, &arch, NULL, &err), err);
    CHECK(spn_space_match(&space, &arch, &choice, &err) == SPN_EINPUT && strstr(err.text, rows[i].words), "%s: %s",
          rows[i].words, err.text);
  }
  spn_err err = {0};
  CHECK(spn_space_load("nothing", &space, &err) == SPN_EINPUT &&
            strstr(err.text, "nas-bench-macro, nas-bench-macro-table, singlepath"),
        "%s", err.text);
}

/* Names are looked for in $SPNAS_DATA first; paths are taken as they are. */
static void test_data_path(void) {
  char path[4096], small[8];
  spn_err err = {0};
  CHECK_OK(spn_data_path("spaces", "demo", path, sizeof path, &err), err);
  CHECK(!strcmp(path, SPN_SOURCE_DIR "/data/spaces/demo.json"), "%s", path);
  CHECK_OK(spn_data_path("spaces", "my/space", path, sizeof path, &err), err);
  CHECK(!strcmp(path, "my/space"), "%s", path);
  CHECK_OK(spn_data_path("spaces", "mine.json", path, sizeof path, &err), err);
  CHECK(!strcmp(path, "mine.json"), "%s", path);
  CHECK(spn_data_path("spaces", "mine.json", small, sizeof small, &err) == SPN_EINPUT, "too long for its buffer");
  CHECK(spn_data_path("networks", "", path, sizeof path, &err) == SPN_EINPUT, "empty name");
  CHECK(spn_data_path("networks", "vgg", path, sizeof path, &err) == SPN_EINPUT &&
            strstr(err.text, "mnasnet-a1, mnasnet-b1"),
        "%s", err.text);
}

int main(void) {
  setenv("SPNAS_DATA", SPN_SOURCE_DIR "/data", 1); /* the tests may run anywhere */
  test_data_path();
  test_counts();
  test_padding();
  test_width();
  test_space();
  test_published();
  test_activations();
  test_train_at();
  test_random();
  test_strings();
  test_narrow_string();
  test_noskip();
  test_string_errors();
  test_space_errors();
  test_match_errors();
  return check_report("test_model");
}
