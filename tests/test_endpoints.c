/* Feature maps for detection heads: how they are asked for, which layer stands for a stride, and that every format that
 * gives them gives the numbers of the oracle, beside the logits and instead of them. */
#include <unistd.h>

#include "check.h"
#include "export_case.h"
#include "export/interpret.h"
#include "export/onnx_read.h"
#include "export/tflite.h"
#include "test_export_forward.h"

static void check_list(const char *text, const char *expected) {
  spn_endpoints e = {.layer = SPN_ENDPOINT_EXPANSION};
  spn_err err = {0};
  char got[128] = "";
  CHECK_OK(spn_endpoints_parse(text, &e, &err), err);
  for (int i = 0; i < e.count; i++) snprintf(got + strlen(got), sizeof got - strlen(got), "%d ", e.stride[i]);
  if (e.logits) strcat(got, "logits");
  CHECK(!strcmp(got, expected) && e.layer == SPN_ENDPOINT_EXPANSION, "%s: %s, expected %s", text, got, expected);
}

static void check_lists(void) {
  static const char *const wrong[] = {"8,",
                                      ",8",
                                      "8 16",
                                      "8,8",
                                      "0",
                                      "-8",
                                      "8.5",
                                      "eight",
                                      "logits",
                                      "[8",
                                      "8]",
                                      "[8]]",
                                      "8,logit",
                                      "[]",
                                      "8;16",
                                      "1e9",
                                      "8,logits,logits",
                                      "99999999999999999999",
                                      "1,2,3,4,5,6,7,8,9",
                                      "logitslogits,8",
                                      "8logits"};
  check_list("", "");
  check_list("  ", "");
  check_list("32,8,16", "8 16 32 ");
  check_list(" [ 8 , logits,16 ] ", "8 16 logits");
  check_list("1,2,3,4,5,6,7,8", "1 2 3 4 5 6 7 8 ");
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    spn_endpoints e = {.count = 0};
    spn_err err = {0};
    CHECK(spn_endpoints_parse(wrong[i], &e, &err) == SPN_EINPUT && !e.count, "\"%s\" is taken", wrong[i]);
    CHECK(strstr(err.text, "export.endpoints: expected") && strstr(err.text, "8,16,32"), "%s", err.text);
  }
}

/* ---- Which layer ---- */

static void find(const spn_arch *a, int stride, spn_endpoint_layer layer, const char *name) {
  spn_endpoint at = {.block = 0};
  spn_err err = {0};
  CHECK_OK(spn_endpoint_find(a, stride, layer, &at, &err), err);
  CHECK(!strcmp(at.name, name), "%s at stride %d: %s, expected %s", a->name, stride, at.name, name);
}

/* MobileNetV2's are those of TF's SSDLite (layer_15/expansion_output and layer_19, counted from the stem as layer_1)
 * and of its FPN (layer_7, layer_14). */
static void check_layers(void) {
  spn_arch a;
  spn_err err = {0};
  CHECK_OK(spn_arch_load("mobilenetv2", &a, &err), err);
  find(&a, 16, SPN_ENDPOINT_EXPANSION, "block.13.expand");
  find(&a, 32, SPN_ENDPOINT_EXPANSION, "head");
  find(&a, 8, SPN_ENDPOINT_EXPANSION, "block.6.expand");
  find(&a, 8, SPN_ENDPOINT_BLOCK, "block.5");
  find(&a, 16, SPN_ENDPOINT_BLOCK, "block.12");
  find(&a, 32, SPN_ENDPOINT_BLOCK, "block.16");
  find(&a, 2, SPN_ENDPOINT_BLOCK, "block.0");
  a.block[12].skipped = 1;
  find(&a, 16, SPN_ENDPOINT_BLOCK, "block.11");
  a.head_channels = 0;
  find(&a, 32, SPN_ENDPOINT_EXPANSION, "block.16");
  a.block[0].stride = 2; /* nothing but the stem has stride 2 */
  find(&a, 2, SPN_ENDPOINT_BLOCK, "stem");
  find(&a, 64, SPN_ENDPOINT_BLOCK, "block.16");
  CHECK_OK(spn_arch_load("mnasnet-small", &a, &err), err);
  find(&a, 2, SPN_ENDPOINT_EXPANSION, "block.1.expand");
  a.block[1].expand = 1; /* does not expand */
  find(&a, 2, SPN_ENDPOINT_EXPANSION, "block.0");
  spn_endpoint at;
  CHECK(spn_endpoint_find(&a, 64, SPN_ENDPOINT_BLOCK, &at, &err) == SPN_EINPUT &&
            strstr(err.text, "(2, 4, 8, 16, 32), got 64"),
        "%s", err.text);
}

/* ---- Numbers ---- */

enum { IMAGES = 3 };
/* Bounds for random networks, one of which enlarges its numbers fourfold in every layer so that ReLU6 meets its 6. */
static const double FLOAT = 5e-4; /* the worst, as an interpreter in single precision adds up */
static const double INT8 = 0.4;   /* typical, of the map's root mean square */

static float *random_images(const spn_arch *a) {
  const size_t n = (size_t)IMAGES * (size_t)a->input_size * (size_t)a->input_size * (size_t)a->input_channels;
  float *x = malloc(n * sizeof *x);
  for (size_t i = 0; i < n; i++) x[i] = (float)(2 * spn_rng_uniform(SEED, SPN_RNG_TEST, (uint64_t)1 << 50 | i) - 1);
  return x;
}

/* The oracle's map of one image, channels last, or its logits. */
static double *oracle(const spn_arch *a, const spn_tensors *w, const float *image, const spn_lowered_output *output,
                      spn_endpoint_layer layer) {
  const size_t pixels = (size_t)a->input_size * (size_t)a->input_size, channels = (size_t)a->input_channels;
  double *turned = malloc(pixels * channels * sizeof *turned);
  spn_endpoint at;
  spn_err err;
  for (size_t i = 0; i < pixels * channels; i++) turned[i % channels * pixels + i / channels] = (double)image[i];
  tap.wanted = strcmp(output->name, "logits") != 0;
  if (tap.wanted) {
    CHECK_OK(spn_endpoint_find(a, atoi(output->name + strlen("stride")), layer, &at, &err), err);
    tap.block = at.block;
    tap.expansion = at.expansion;
  }
  double *logits = forward(a, w, turned);
  free(turned);
  if (!tap.wanted) return logits;
  const size_t c = (size_t)tap.map.c, side = (size_t)(tap.map.n * tap.map.n);
  double *map = malloc(c * side * sizeof *map);
  for (size_t i = 0; i < c * side; i++) map[i] = tap.map.v[i % c * side + i / c];
  free(tap.map.v);
  free(logits);
  return map;
}

/* `rough`: of an int8 network, in standard deviations; otherwise 0 and every number counts. */
static void check_numbers(const char *what, const spn_lowered *net, const spn_arch *a, const spn_tensors *w,
                          const float *images, spn_endpoint_layer layer, double rough) {
  const size_t row = spn_lowered_results(net), in = spn_lowered_elements(&net->node[0]);
  float *got = malloc(IMAGES * row * sizeof *got);
  spn_err err;
  CHECK_OK(spn_interpret(net, 2, images, IMAGES, got, NULL, &err), err);
  for (size_t i = 0; i < IMAGES; i++)
    for (size_t o = 0, at = 0; o < (size_t)net->outputs; o++) {
      const size_t n = spn_lowered_elements(&net->node[net->output[o].node]);
      double *expected = oracle(a, w, images + i * in, &net->output[o], layer), worst = 0, off = 0, square = 0;
      for (size_t k = 0; k < n; k++) {
        const double d = fabs((double)got[i * row + at + k] - expected[k]);
        if (!(d <= worst)) worst = d;
        off += d * d;
        square += expected[k] * expected[k];
      }
      const double scale = sqrt(square / (double)n) + 1e-6;
      if (rough > 0)
        CHECK(sqrt(off / (double)n) <= rough * scale, "%s %s, %s: off by %g of %g", what, a->name, net->output[o].name,
              sqrt(off / (double)n), scale);
      else
        CHECK(worst <= FLOAT * fmax(scale, 1), "%s %s, %s: off by %g of %g", what, a->name, net->output[o].name, worst,
              scale);
      free(expected);
      at += n;
    }
  free(got);
}

static void check_format(const char *folder, const char *format, const spn_arch *a, const spn_tensors *w,
                         const spn_export_options *o, const float *images) {
  const int onnx = !strcmp(format, "onnx"), int8 = !strcmp(format, "tflite_int8");
  const int expected = o->endpoints.count + o->endpoints.logits;
  char path[128];
  spn_lowered *net = NULL;
  spn_err err;
  snprintf(path, sizeof path, "%s/x.%s", folder, onnx ? "onnx" : "tflite");
  CHECK_OK(spn_export(format, a, w, o, path, &err), err);
  CHECK_OK(onnx ? spn_onnx_read(path, &net, &err) : spn_tflite_read(path, &net, &err), err);
  unlink(path);
  if (!net) return;
  CHECK(net->outputs == expected, "%s: %d outputs, expected %d", format, net->outputs, expected);
  for (int i = 0; i < net->outputs; i++) {
    char name[16] = "logits";
    if (i < o->endpoints.count) snprintf(name, sizeof name, "stride%d", o->endpoints.stride[i]);
    CHECK(!strcmp(net->output[i].name, name), "output %d is called %s, expected %s", i, net->output[i].name, name);
  }
  check_numbers(format, net, a, w, images, o->endpoints.layer, int8 ? INT8 : 0);
  spn_lowered_free(net);
}

static void check_network(const char *folder, const spn_arch *a, int variant) {
  spn_export_options o = spn_export_defaults();
  spn_err err;
  o.opset = variant & 1 ? 17 : 13;
  o.fold_bn = !(variant & 4);
  o.endpoints.layer = variant & 1 ? SPN_ENDPOINT_EXPANSION : SPN_ENDPOINT_BLOCK;
  o.endpoints.logits = variant >> 1 & 1;
  o.int8_io = variant & 1;
  for (int stride = 1; stride < 64; stride *= 2) {
    spn_endpoint at;
    if (!spn_endpoint_find(a, stride, o.endpoints.layer, &at, &err)) o.endpoints.stride[o.endpoints.count++] = stride;
  }
  spn_tensors *w = random_weights(a);
  float *images = random_images(a);
  o.samples = images;
  o.sample_count = IMAGES;
  check_format(folder, "onnx", a, w, &o, images);
  o.fold_bn = 1;
  check_format(folder, "tflite", a, w, &o, images);
  if (!(variant & 4)) check_format(folder, "tflite_int8", a, w, &o, images);
  free(images);
  spn_tensors_free(w);
}

/* What cannot give them says so, and leaves nothing behind; a stride that is not there is refused by every format. */
static void check_refused(const char *folder) {
  const spn_arch a = network_at(0);
  spn_tensors *w = random_weights(&a);
  spn_export_options o = spn_export_defaults();
  o.endpoints = (spn_endpoints){.stride = {8}, .count = 1};
  for (int f = 0; spn_exporter_names[f]; f++) {
    char path[128];
    spn_err err = {0};
    snprintf(path, sizeof path, "%s/x%s", folder, spn_exporters[f]->suffix);
    if (spn_exporters[f]->takes_endpoints) {
      o.endpoints.stride[0] = 128;
      CHECK(spn_export(spn_exporter_names[f], &a, w, &o, path, &err) == SPN_EINPUT && strstr(err.text, "got 128"), "%s",
            err.text);
      o.endpoints.stride[0] = 8;
    } else {
      CHECK(spn_export(spn_exporter_names[f], &a, w, &o, path, &err) == SPN_EINPUT &&
                strstr(err.text, "gives the logits alone; expected onnx, tflite or tflite_int8"),
            "%s", err.text);
    }
    CHECK(access(path, F_OK), "%s exists after a failure", path);
  }
  spn_tensors_free(w);
}

int main(void) {
  char folder[] = "/tmp/spn_endpoints_XXXXXX";
  CHECK(mkdtemp(folder) != NULL, "a folder");
  check_lists();
  check_layers();
  for (int i = 0; i < CASES; i++) {
    const spn_arch a = network_at(i);
    for (int variant = 0; variant < 8; variant++) check_network(folder, &a, variant);
  }
  check_refused(folder);
  CHECK(!rmdir(folder), "something is left in %s", folder);
  return check_report("endpoints");
}
