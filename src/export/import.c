#include "export/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/naming.h"
#include "export/lower.h"
#include "io/file.h"
#include "io/json.h"
#include "model/frame_json.h"

void spn_imported_free(spn_imported *net) {
  spn_tensors_free(net->weights);
  net->weights = NULL;
}

/* Renames the tensors and holds every one against the network. */
static spn_status take_weights(spn_naming kind, const spn_tensors *theirs, spn_imported *out, spn_err *err) {
  const spn_export_options options = spn_export_defaults();
  const char *key, *value;
  spn_lowered *net;
  SPN_TRY(spn_arch_check(&out->arch, err));
  out->weights = spn_tensors_new();
  if (!out->weights) return spn_fail(err, SPN_ENOMEM, "import: out of memory");
  SPN_TRY(spn_naming_read(kind, &out->arch, theirs, out->weights, err));
  for (size_t i = 0; spn_tensors_meta_at(theirs, i, &key, &value); i++)
    SPN_TRY(spn_tensors_set_meta(out->weights, key, value, err));
  SPN_TRY(spn_lower(&out->arch, out->weights, &options, NULL, &net, err));
  spn_lowered_free(net);
  return SPN_OK;
}

/* ---- timm ---- */

static spn_status own_arch(const char *path, const spn_tensors *set, spn_arch *out, spn_err *err) {
  const char *text = spn_tensors_meta(set, "spnas.arch");
  if (!text)
    return spn_fail(err, SPN_EINPUT,
                    "%s: expected the network that these weights belong to (--arch), for the file does not tell it",
                    path);
  spn_json_doc *doc;
  SPN_TRY(spn_json_parse(path, text, strlen(text), &doc, err));
  spn_json root = spn_json_root(doc);
  spn_status status = spn_arch_read(&root, out, NULL, err);
  spn_json_free(doc);
  return status;
}

static spn_status read_timm(const char *path, const spn_tensors *set, const spn_arch *arch, spn_imported *out,
                            spn_err *err) {
  if (arch) out->arch = *arch;
  else SPN_TRY(own_arch(path, set, &out->arch, err));
  const spn_tensor *classifier = spn_tensors_find(set, "classifier.weight");
  if (!spn_tensors_find(set, "conv_stem.weight") || !classifier || classifier->dims != 2)
    return spn_fail(err, SPN_EINPUT, "%s: expected timm's names (conv_stem.weight, ..., classifier.weight), got others",
                    path);
  if (classifier->shape[0] < 1 || classifier->shape[0] > SPN_MAX_CLASSES)
    return spn_fail(err, SPN_EINPUT, "%s: classifier.weight: expected 1 to %d classes, got %zu", path, SPN_MAX_CLASSES,
                    classifier->shape[0]);
  if (arch) out->arch.classes = (int)classifier->shape[0];
  return take_weights(SPN_NAMING_TIMM, set, out, err);
}

spn_status spn_import_timm(const char *path, const spn_arch *arch, spn_imported *out, spn_err *err) {
  spn_tensors *set;
  *out = (spn_imported){.weights = NULL};
  SPN_TRY(spn_tensors_load(path, &set, err));
  spn_status status = read_timm(path, set, arch, out, err);
  spn_tensors_free(set);
  if (status) spn_imported_free(out);
  return status;
}

/* ---- ProxylessNAS: the architecture ---- */

static spn_status read_conv(const spn_json *root, const char *key, int *channels, int *kernel, int *stride,
                            spn_act *act, spn_err *err) {
  static const char *const activations[] = {"relu", "relu6", NULL};
  static const spn_act codes[] = {SPN_ACT_RELU, SPN_ACT_RELU6};
  spn_json at = spn_json_get(root, key), name = spn_json_get(&at, "act_func");
  int choice;
  if (!spn_json_is_object(&at)) return spn_json_expected(&at, "a ConvLayer", err);
  SPN_TRY(spn_json_member(&at, "out_channels", 1, SPN_MAX_CHANNELS, channels, err));
  SPN_TRY(spn_json_member(&at, "kernel_size", 1, 7, kernel, err));
  SPN_TRY(spn_json_member(&at, "stride", 1, 2, stride, err));
  SPN_TRY(spn_json_choice(&name, activations, &choice, err));
  *act = codes[choice];
  return SPN_OK;
}

static spn_status read_block(const spn_json *at, int in, spn_block *b, spn_err *err) {
  static const char *const kinds[] = {"MBInvertedConvLayer", "ZeroLayer", NULL};
  spn_json conv = spn_json_get(at, "mobile_inverted_conv"), shortcut = spn_json_get(at, "shortcut");
  spn_json kind = spn_json_get(&conv, "name"), mid = spn_json_get(&conv, "mid_channels");
  int choice;
  *b = (spn_block){
      .in = in, .out = in, .kernel = 3, .stride = 1, .expand = 1, .residual = !spn_json_is_null(&shortcut)};
  SPN_TRY(spn_json_choice(&kind, kinds, &choice, err));
  if (choice == 1) {
    b->skipped = b->residual;
    return b->residual ? SPN_OK : spn_json_expected(&shortcut, "an identity beside a ZeroLayer", err);
  }
  if (!spn_json_is_null(&mid)) return spn_json_expected(&mid, "no mid_channels, only expand_ratio", err);
  spn_json channels = spn_json_get(&conv, "in_channels");
  SPN_TRY(spn_json_small(&channels, 1, SPN_MAX_CHANNELS, &b->in, err));
  if (b->in != in) return spn_json_fail(&channels, err, "expected %d, what the layer before gives, got %d", in, b->in);
  SPN_TRY(spn_json_member(&conv, "out_channels", 1, SPN_MAX_CHANNELS, &b->out, err));
  SPN_TRY(spn_json_member(&conv, "kernel_size", 3, 7, &b->kernel, err));
  SPN_TRY(spn_json_member(&conv, "stride", 1, 2, &b->stride, err));
  return spn_json_member(&conv, "expand_ratio", 1, SPN_MAX_EXPAND, &b->expand, err);
}

static spn_status read_blocks(const spn_json *root, spn_arch *a, spn_err *err) {
  spn_json blocks = spn_json_get(root, "blocks"), at;
  int channels = a->stem_channels;
  if (!spn_json_is_array(&blocks) || spn_json_size(&blocks) > SPN_MAX_BLOCKS)
    return spn_json_expected(&blocks, "a list of at most 128 blocks", err);
  for (spn_json_iter it = spn_json_iterate(&blocks); spn_json_next(&it, &at);) {
    SPN_TRY(read_block(&at, channels, &a->block[a->blocks], err));
    channels = a->block[a->blocks++].out;
  }
  return SPN_OK;
}

static spn_status read_architecture(const spn_json *root, spn_arch *a, spn_err *err) {
  enum { RESOLUTION = 224 }; /* of files that do not say */
  spn_json bn = spn_json_get(root, "bn"), momentum = spn_json_get(&bn, "momentum"), eps = spn_json_get(&bn, "eps");
  spn_json dense = spn_json_get(root, "classifier"), dropout = spn_json_get(&dense, "dropout_rate");
  spn_json resolution = spn_json_get(root, "resolution");
  int kernel, stride;
  spn_act head_act;
  a->input_channels = 3;
  a->input_size = RESOLUTION;
  a->padding = SPN_PAD_SYMMETRIC;
  if (!spn_json_is_null(&resolution)) SPN_TRY(spn_json_small(&resolution, 1, SPN_MAX_SIZE, &a->input_size, err));
  SPN_TRY(spn_json_real(&momentum, 1e-6, 1, &a->bn_momentum, err));
  a->bn_momentum = 1 - a->bn_momentum; /* PyTorch counts the share of the new */
  SPN_TRY(spn_json_real(&eps, 1e-12, 1, &a->bn_eps, err));
  SPN_TRY(read_conv(root, "first_conv", &a->stem_channels, &a->stem_kernel, &a->stem_stride, &a->activation, err));
  SPN_TRY(read_conv(root, "feature_mix_layer", &a->head_channels, &kernel, &stride, &head_act, err));
  if (kernel != 1 || stride != 1 || head_act != a->activation)
    return spn_json_fail(root, err,
                         "feature_mix_layer: expected a 1x1 convolution of stride 1 with the stem's act_func");
  SPN_TRY(spn_json_member(&dense, "out_features", 1, SPN_MAX_CLASSES, &a->classes, err));
  if (!spn_json_is_null(&dropout)) SPN_TRY(spn_json_real(&dropout, 0, 0.999, &a->dropout, err));
  return read_blocks(root, a, err);
}

/* ---- ProxylessNAS: the weights ---- */

static spn_status read_tensor(const spn_json *at, const float *floats, size_t count, spn_tensors *set, spn_err *err) {
  spn_json name = spn_json_get(at, "name"), shape = spn_json_get(at, "shape"), side,
           place = spn_json_get(at, "offset_floats");
  const char *text;
  size_t sides[4], n = 1;
  int dims = 0;
  long long begin;
  SPN_TRY(spn_json_string(&name, &text, err));
  if (!spn_json_is_array(&shape) || spn_json_size(&shape) > 4) return spn_json_expected(&shape, "at most 4 sizes", err);
  for (spn_json_iter it = spn_json_iterate(&shape); spn_json_next(&it, &side); dims++) {
    long long value;
    SPN_TRY(spn_json_int(&side, 1, (long long)count, &value, err));
    sides[dims] = (size_t)value;
    if (n > count / sides[dims])
      return spn_json_fail(&shape, err, "expected at most the file's %zu floats, got more", count);
    n *= sides[dims];
  }
  SPN_TRY(spn_json_int(&place, 0, (long long)(count - n), &begin, err));
  return spn_tensors_add(set, text, SPN_F32, dims, sides, floats + begin, err);
}

static spn_status read_manifest(const spn_json *root, const float *floats, size_t count, spn_tensors *set,
                                spn_err *err) {
  spn_json list = spn_json_get(root, "tensors"), at;
  if (!spn_json_is_array(&list)) return spn_json_expected(&list, "a list of tensors", err);
  for (spn_json_iter it = spn_json_iterate(&list); spn_json_next(&it, &at);)
    SPN_TRY(read_tensor(&at, floats, count, set, err));
  return SPN_OK;
}

/* path with another ending than .json. */
static spn_status beside(const char *path, const char *ending, char *out, size_t size, spn_err *err) {
  const size_t n = strlen(path) - strlen(".json");
  if ((size_t)snprintf(out, size, "%.*s%s", (int)n, path, ending) < size) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "%.80s...: the path is too long", path);
}

static spn_status read_floats(const char *path, const char *manifest, spn_tensors *set, spn_err *err) {
  enum { MAX_BYTES = 1 << 30 };
  spn_json_doc *doc;
  char *data;
  size_t size;
  SPN_TRY(spn_file_read(path, MAX_BYTES, &data, &size, err));
  spn_status status = size % sizeof(float)
                          ? spn_fail(err, SPN_EINPUT, "%s: expected floats of 4 bytes, got %zu bytes", path, size)
                          : spn_json_load(manifest, &doc, err);
  if (!status) {
    spn_json root = spn_json_root(doc);
    status = read_manifest(&root, (const float *)(const void *)data, size / sizeof(float), set, err);
    spn_json_free(doc);
  }
  free(data);
  return status;
}

static void name_from(const char *path, spn_arch *a) {
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
  snprintf(a->name, sizeof a->name, "%.*s", (int)(strlen(base) - strlen(".json")), base);
  if (!a->name[0]) snprintf(a->name, sizeof a->name, "proxyless");
}

static spn_status read_proxyless(const char *path, spn_tensors *theirs, spn_imported *out, spn_err *err) {
  char floats[4096], manifest[4096];
  spn_json_doc *doc;
  SPN_TRY(beside(path, ".f32.bin", floats, sizeof floats, err));
  SPN_TRY(beside(path, ".manifest.json", manifest, sizeof manifest, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc);
  spn_status status = read_architecture(&root, &out->arch, err);
  spn_json_free(doc);
  if (!status) status = read_floats(floats, manifest, theirs, err);
  if (!status) status = take_weights(SPN_NAMING_PROXYLESS, theirs, out, err);
  return status;
}

spn_status spn_import_proxyless(const char *path, spn_imported *out, spn_err *err) {
  const size_t n = strlen(path);
  *out = (spn_imported){.has_preprocessing = 1,
                        .mean = {0.5, 0.5, 0.5},
                        .std = {0.5, 0.5, 0.5},
                        .eval_crop = 0.875}; /* short side to size * 256 / 224 */
  if (n < 5 || strcmp(path + n - 5, ".json")) return spn_fail(err, SPN_EINPUT, "%s: expected a .json file", path);
  name_from(path, &out->arch);
  spn_tensors *theirs = spn_tensors_new();
  if (!theirs) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
  spn_status status = read_proxyless(path, theirs, out, err);
  spn_tensors_free(theirs);
  if (status) spn_imported_free(out);
  return status;
}
