/* Inference on oneDNN alone gives the numbers of plain loops, for every kind of step, layout and activation; and the
 * times it measures make a table. */
#include "check.h"
#include "core/rng.h"
#include "infer.h"
#include "latency/measure.h"

enum { C = 24, H = 9, LARGEST = 64 * H * H };

static float random_number(uint64_t seed, uint64_t i) { return (float)spn_rng_normal(seed, SPN_RNG_TEST, i); }

static double activate(double x, spn_infer_act act) {
  switch (act) {
    case SPN_INFER_RELU: return x > 0 ? x : 0;
    case SPN_INFER_RELU6: return fmin(fmax(x, 0), 6);
    case SPN_INFER_HSWISH: return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case SPN_INFER_SIGMOID: return 1 / (1 + exp(-x));
    default: return x;
  }
}

typedef struct {
  int c, h;
  float at[LARGEST];
} map;

static void convolve(const map *in, const spn_infer_conv *k, map *out) {
  out->c = k->out;
  out->h = (in->h + k->pad_top + k->pad_bottom - k->kernel) / k->stride + 1;
  for (int o = 0; o < k->out; o++)
    for (int y = 0; y < out->h; y++)
      for (int x = 0; x < out->h; x++) {
        double sum = k->bias ? k->bias[o] : 0;
        for (int i = k->depthwise ? o : 0; i < (k->depthwise ? o + 1 : in->c); i++)
          for (int v = 0; v < k->kernel; v++)
            for (int u = 0; u < k->kernel; u++) {
              int yy = y * k->stride + v - k->pad_top, xx = x * k->stride + u - k->pad_left;
              int w = ((k->depthwise ? o : o * in->c + i) * k->kernel + v) * k->kernel + u;
              if (yy < 0 || xx < 0 || yy >= in->h || xx >= in->h) continue;
              sum += (double)k->weight[w] * in->at[(i * in->h + yy) * in->h + xx];
            }
        out->at[(o * out->h + y) * out->h + x] = (float)activate(sum, k->act);
      }
}

static void compare(spn_infer *net, int value, const map *want, const char *what) {
  static float got[LARGEST];
  spn_err err = {0};
  CHECK_OK(spn_infer_get(net, value, got, &err), err);
  double worst = 0;
  for (int i = 0; i < want->c * want->h * want->h; i++) worst = fmax(worst, fabs((double)got[i] - want->at[i]));
  CHECK(worst <= 1e-4, "%s: off by up to %g", what, worst);
}

/* A stem, a depthwise convolution with a stride, a gate, a sum with an earlier value. */
static void test_numbers(spn_infer_act act) {
  static map in = {.c = 3, .h = H}, a, b, c, pooled, gate;
  static float weight[64 * C * 25], bias[64];
  spn_infer *net;
  spn_err err = {0};
  int va = 0, vb = 0, vc = 0, vp = 0, vg = 0, vm = 0, vs = 0;
  for (int i = 0; i < 3 * H * H; i++) in.at[i] = random_number(1, (uint64_t)i);
  for (int i = 0; i < 64 * C * 25; i++) weight[i] = 0.2f * random_number(2, (uint64_t)i);
  for (int i = 0; i < 64; i++) bias[i] = random_number(3, (uint64_t)i);
  spn_infer_conv stem = {C, 3, 1, 0, 1, 1, 1, 1, act, weight, bias},
                 dw = {C, 5, 2, 1, 1, 1, 2, 2, act, weight + 7, bias};
  spn_infer_conv same = {C, 3, 1, 1, 1, 1, 1, 1, act, weight + 3, NULL};
  spn_infer_conv squeeze = {C, 1, 1, 0, 0, 0, 0, 0, SPN_INFER_SIGMOID, weight + 5, bias};
  CHECK_OK(spn_infer_create(3, H, H, &net, &err), err);
  CHECK_OK(spn_infer_set(net, in.at, &err), err);
  CHECK_OK(spn_infer_convolve(net, 0, &stem, &va, &err), err);
  CHECK_OK(spn_infer_convolve(net, va, &dw, &vb, &err), err);
  CHECK_OK(spn_infer_convolve(net, va, &same, &vc, &err), err);
  CHECK_OK(spn_infer_pool(net, vc, &vp, &err), err);
  CHECK_OK(spn_infer_convolve(net, vp, &squeeze, &vg, &err), err);
  CHECK_OK(spn_infer_multiply(net, vc, vg, &vm, &err), err);
  CHECK_OK(spn_infer_add(net, vm, va, &vs, &err), err);
  CHECK_OK(spn_infer_run(net, 0, vc, &err), err); /* in two pieces */
  CHECK_OK(spn_infer_run(net, vc, vs, &err), err);
  convolve(&in, &stem, &a);
  convolve(&a, &dw, &b);
  convolve(&a, &same, &c);
  pooled = (map){C, 1, {0}};
  for (int i = 0; i < C; i++)
    for (int k = 0; k < H * H; k++) pooled.at[i] += c.at[i * H * H + k] / (H * H);
  convolve(&pooled, &squeeze, &gate);
  compare(net, va, &a, "a dense convolution");
  compare(net, vb, &b, "a depthwise convolution with a stride");
  compare(net, vc, &c, "a depthwise convolution without bias");
  compare(net, vp, &pooled, "a mean");
  compare(net, vg, &gate, "a sigmoid");
  for (int i = 0; i < C * H * H; i++) c.at[i] *= gate.at[i / (H * H)];
  compare(net, vm, &c, "a gate");
  for (int i = 0; i < C * H * H; i++) c.at[i] += a.at[i];
  compare(net, vs, &c, "a sum");
  spn_infer_free(net);
}

/* Every option of a space gets a time; larger networks take longer. */
static void test_measure(void) {
  static spn_space space;
  static spn_cost cost;
  spn_table table;
  spn_err err = {0};
  spn_arch arch[2];
  spn_choice choice;
  spn_measured m[2];
  const spn_measure_options options = {.threads = 1, .seconds = 0, .minimum = 1};
  CHECK_OK(spn_space_load("nas-bench-macro", &space, &err), err);
  CHECK_OK(spn_measure_space(&space, &options, &table, &err), err);
  if (err.code) return;
  CHECK_OK(spn_table_apply(&table, &space, &cost, &err), err);
  for (int i = 0; i < table.entries; i++)
    CHECK(table.entry[i].cost > 0 && table.entry[i].spread >= 0 && table.entry[i].count >= 10,
          "entry %d: %g +- %g, %d runs", i, table.entry[i].cost, table.entry[i].spread, (int)table.entry[i].count);
  spn_table_free(&table);
  for (int i = 0; i < 2; i++) {
    if (i) spn_choice_max(&space, &choice);
    else spn_choice_min(&space, &choice);
    spn_space_arch(&space, &choice, 0, &arch[i]);
  }
  CHECK_OK(spn_measure_networks(arch, 2, &options, m, &err), err);
  CHECK(m[0].cost > 0 && m[0].cost < m[1].cost, "the smallest network takes %g ms, the largest %g", m[0].cost,
        m[1].cost);
}

int main(void) {
  setenv("SPNAS_DATA", SPN_SOURCE_DIR "/data", 1); /* the tests may run anywhere */
  for (int act = SPN_INFER_LINEAR; act <= SPN_INFER_SIGMOID; act++) test_numbers((spn_infer_act)act);
  test_measure();
  return check_report("test_infer");
}
