/* Networks of other programs: ProxylessNAS files made here, timm's names written and read back, and what is refused. */
#include <unistd.h>

#include "check.h"
#include "core/rng.h"
#include "export/import.h"
#include "io/file.h"

static char folder[] = "/tmp/spn_import_XXXXXX";

static const char architecture[] =
    "{\"name\": \"ProxylessNASNets\", \"bn\": {\"momentum\": 0.1, \"eps\": 0.001}, \"resolution\": 16,\n"
    " \"first_conv\": {\"kernel_size\": 3, \"stride\": 2, \"out_channels\": 4, \"act_func\": \"relu6\"},\n"
    " \"feature_mix_layer\": {\"kernel_size\": 1, \"stride\": 1, \"out_channels\": 6, \"act_func\": \"relu6\"},\n"
    " \"classifier\": {\"out_features\": 3, \"dropout_rate\": 0},\n"
    " \"blocks\": [\n"
    "  {\"mobile_inverted_conv\": {\"name\": \"MBInvertedConvLayer\", \"in_channels\": 4, \"out_channels\": 4,\n"
    "    \"kernel_size\": 3, \"stride\": 1, \"expand_ratio\": 1}, \"shortcut\": null},\n"
    "  {\"mobile_inverted_conv\": {\"name\": \"ZeroLayer\", \"stride\": 1}, \"shortcut\": {\"name\": "
    "\"IdentityLayer\"}},\n"
    "  {\"mobile_inverted_conv\": {\"name\": \"MBInvertedConvLayer\", \"in_channels\": 4, \"out_channels\": 4,\n"
    "    \"kernel_size\": 5, \"stride\": 1, \"expand_ratio\": 2}, \"shortcut\": {\"name\": \"IdentityLayer\"}}]}\n";

typedef struct {
  const char *name;
  int dims, shape[4];
} tensor;
static const tensor tensors[] = {
    {"first_conv.conv", 4, {4, 3, 3, 3}},
    {"first_conv.bn", 1, {4}},
    {"blocks.0.mobile_inverted_conv.depth_conv.conv", 4, {4, 1, 3, 3}},
    {"blocks.0.mobile_inverted_conv.depth_conv.bn", 1, {4}},
    {"blocks.0.mobile_inverted_conv.point_linear.conv", 4, {4, 4, 1, 1}},
    {"blocks.0.mobile_inverted_conv.point_linear.bn", 1, {4}},
    {"blocks.2.mobile_inverted_conv.inverted_bottleneck.conv", 4, {8, 4, 1, 1}},
    {"blocks.2.mobile_inverted_conv.inverted_bottleneck.bn", 1, {8}},
    {"blocks.2.mobile_inverted_conv.depth_conv.conv", 4, {8, 1, 5, 5}},
    {"blocks.2.mobile_inverted_conv.depth_conv.bn", 1, {8}},
    {"blocks.2.mobile_inverted_conv.point_linear.conv", 4, {4, 8, 1, 1}},
    {"blocks.2.mobile_inverted_conv.point_linear.bn", 1, {4}},
    {"feature_mix_layer.conv", 4, {6, 4, 1, 1}},
    {"feature_mix_layer.bn", 1, {6}},
    {"classifier.linear", 2, {3, 6}},
};
enum { TENSORS = sizeof tensors / sizeof *tensors, MAX_FLOATS = 4096 };

static char manifest[16384];
static float floats[MAX_FLOATS];
static int float_count;

static void describe(FILE *out, const char *name, const char *part, int dims, const int *shape) {
  int n = 1;
  fprintf(out, "%s{\"name\": \"%s.%s\", \"shape\": [", float_count ? ",\n" : "", name, part);
  for (int d = 0; d < dims; d++) fprintf(out, d ? ", %d" : "%d", shape[d]), n *= shape[d];
  fprintf(out, "], \"offset_floats\": %d, \"count\": %d}", float_count, n);
  float_count += n;
}

static void make_files(void) {
  static const char *const bn[] = {"weight", "bias", "running_mean", "running_var"};
  FILE *out = fmemopen(manifest, sizeof manifest, "w");
  fprintf(out, "{\"dtype\": \"f32le\", \"tensors\": [\n");
  for (int i = 0; i < TENSORS; i++) {
    const tensor *t = &tensors[i];
    for (int k = 0; t->dims == 1 && k < 4; k++) describe(out, t->name, bn[k], 1, t->shape);
    if (t->dims > 1) describe(out, t->name, "weight", t->dims, t->shape);
    if (t->dims == 2) describe(out, t->name, "bias", 1, t->shape);
  }
  fprintf(out, "]}\n");
  fclose(out);
  for (int i = 0; i < float_count; i++)
    floats[i] = (float)(0.1 + spn_rng_uniform(3, SPN_RNG_TEST, (uint64_t)i)); /* variances are positive */
}

static void write_file(const char *ending, const void *data, size_t size) {
  char path[128];
  spn_err err;
  snprintf(path, sizeof path, "%s/net%s", folder, ending);
  CHECK_OK(spn_file_write(path, data, size, &err), err);
}

static spn_status import(const char *arch, const char *list, size_t bytes, spn_imported *out, spn_err *err) {
  char path[128];
  write_file(".json", arch, strlen(arch));
  write_file(".manifest.json", list, strlen(list));
  write_file(".f32.bin", floats, bytes);
  snprintf(path, sizeof path, "%s/net.json", folder);
  return spn_import_proxyless(path, out, err);
}

static void check_proxyless(void) {
  spn_imported net;
  spn_err err = {0};
  CHECK_OK(import(architecture, manifest, (size_t)float_count * 4, &net, &err), err);
  const spn_arch *a = &net.arch;
  CHECK(a->blocks == 3 && a->block[1].skipped && a->block[2].expand == 2 && !a->block[0].residual &&
            a->block[2].residual && a->padding == SPN_PAD_SYMMETRIC && a->activation == SPN_ACT_RELU6 &&
            a->input_size == 16 && a->classes == 3 && a->head_channels == 6,
        "the architecture");
  CHECK_NEAR(a->bn_momentum, 0.9, 1e-12, "momentum, as the share of the old");
  const spn_tensor *dw = spn_tensors_find(net.weights, "block.2.dw.weight");
  CHECK(dw && dw->dims == 3 && dw->shape[0] == 5 && dw->shape[2] == 8, "a depthwise weight is (K,K,C)");
  spn_imported_free(&net);
}

/* One change of a file, and what the message must name. */
static void refuse(const char *where, const char *from, const char *to, const char *says) {
  static char text[16384];
  const int arch = where[0] == 'a';
  const char *whole = arch ? architecture : manifest, *at = strstr(whole, from);
  spn_imported net;
  spn_err err = {0};
  CHECK(at != NULL, "%s stands in the file", from);
  if (!at) return;
  snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
  CHECK(import(arch ? text : architecture, arch ? manifest : text, (size_t)float_count * 4, &net, &err) == SPN_EINPUT,
        "%s -> %s is refused", from, to);
  CHECK(strstr(err.text, says), "\"%s\" in \"%s\"", says, err.text);
}

static void check_refused(void) {
  spn_imported net;
  spn_err err = {0};
  refuse("arch", "\"kernel_size\": 5", "\"kernel_size\": 4", "kernel");
  refuse("arch", "\"kernel_size\": 5", "\"kernel_size\": 7", "block.2.dw.weight: expected F32 (7,7,8)");
  refuse("arch", "ZeroLayer", "HugeLayer", "MBInvertedConvLayer");
  refuse("arch", "\"in_channels\": 4", "\"in_channels\": 5", "expected 4");
  refuse("arch", "relu6", "tanh", "act_func");
  refuse("arch", "\"out_features\": 3", "\"out_features\": 1e99", "out_features");
  refuse("arch", "\"blocks\"", "\"stages\"", "blocks");
  refuse("arch", "}]}", "}]", "net.json");
  refuse("manifest", "\"shape\": [4, 3, 3, 3]", "\"shape\": [4, 3, 3, 99999999999]", "shape");
  refuse("manifest", "\"shape\": [4, 3, 3, 3]", "\"shape\": [400, 300, 300, 300]", "shape");
  refuse("manifest", "\"shape\": [4, 3, 3, 3]", "\"shape\": []", "stem.conv.weight");
  refuse("manifest", "\"offset_floats\": 0", "\"offset_floats\": -1", "offset_floats");
  refuse("manifest", "\"offset_floats\": 0", "\"offset_floats\": 4000000000000", "offset_floats");
  refuse("manifest", "first_conv.conv.weight", "first_conv.conv.waste", "first_conv.conv.weight: expected");
  refuse("manifest", "{\"name\": \"first_conv.conv.weight\"",
         "{\"name\": \"more\", \"shape\": [1], \"offset_floats\": 0}, {\"name\": \"first_conv.conv.weight\"", "more");
  CHECK(import(architecture, manifest, (size_t)float_count * 4 - 4, &net, &err) == SPN_EINPUT, "a cut file: %s",
        err.text);
  CHECK(import(architecture, manifest, (size_t)float_count * 4 - 3, &net, &err) == SPN_EINPUT &&
            strstr(err.text, "floats of 4 bytes"),
        "half a float: %s", err.text);
  floats[5] = NAN;
  CHECK(import(architecture, manifest, (size_t)float_count * 4, &net, &err) == SPN_EINPUT && strstr(err.text, "nan"),
        "NaN: %s", err.text);
  floats[5] = 1;
  CHECK(spn_import_proxyless("x.txt", &net, &err) == SPN_EINPUT && strstr(err.text, ".json"), "%s", err.text);
}

/* Exported under timm's names and read again: with the file's own arch, with one that is given, with a wrong one. */
static void check_timm(void) {
  spn_imported net, again;
  spn_err err = {0};
  char path[128];
  CHECK_OK(import(architecture, manifest, (size_t)float_count * 4, &net, &err), err);
  snprintf(path, sizeof path, "%s/x.timm.safetensors", folder);
  CHECK_OK(spn_export("timm", &net.arch, net.weights, NULL, path, &err), err);
  for (int given = 0; given < 2; given++) {
    CHECK_OK(spn_import_timm(path, given ? &net.arch : NULL, &again, &err), err);
    CHECK(spn_arch_equal(&again.arch, &net.arch), "the network comes back");
    const spn_tensor *a = spn_tensors_find(net.weights, "block.2.dw.weight");
    const spn_tensor *b = spn_tensors_find(again.weights, given ? "block.2.dw.weight" : "block.1.dw.weight");
    if (!b) b = spn_tensors_find(again.weights, "block.2.dw.weight");
    CHECK(b && !memcmp(a->data, b->data, spn_tensor_elements(a) * sizeof(float)), "a weight comes back");
    spn_imported_free(&again);
  }
  spn_arch wrong = net.arch;
  wrong.block[2].kernel = 3;
  CHECK(spn_import_timm(path, &wrong, &again, &err) == SPN_EINPUT && strstr(err.text, "block.2.dw.weight"), "%s",
        err.text);
  wrong = net.arch;
  wrong.blocks = 2;
  CHECK(spn_import_timm(path, &wrong, &again, &err) == SPN_EINPUT && strstr(err.text, "no such tensor"), "%s",
        err.text);
  snprintf(path, sizeof path, "%s/y.safetensors", folder);
  CHECK_OK(spn_tensors_save(net.weights, path, &err), err);
  CHECK(spn_import_timm(path, &net.arch, &again, &err) == SPN_EINPUT && strstr(err.text, "timm's names"), "%s",
        err.text);
  CHECK(spn_import_timm(path, NULL, &again, &err) == SPN_EINPUT && strstr(err.text, "--arch"), "%s", err.text);
  spn_imported_free(&net);
}

int main(void) {
  static const char *const made[] = {"net.json",           "net.manifest.json", "net.f32.bin",
                                     "x.timm.safetensors", "load_timm.py",      "y.safetensors"};
  CHECK(mkdtemp(folder) != NULL, "a folder");
  make_files();
  check_proxyless();
  check_refused();
  check_timm();
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, made[i]);
    unlink(path);
  }
  CHECK(!rmdir(folder), "something is left in %s", folder);
  return check_report("import");
}
