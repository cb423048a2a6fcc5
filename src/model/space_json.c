#include <string.h>

#include "io/datapath.h"
#include "model/decisions.h"
#include "model/frame_json.h"
#include "model/space.h"

enum { MAX_LIST = SPN_MAX_OPTIONS };

/* Ascending list of 1 to MAX_LIST integers. */
static spn_status read_ints(const spn_json *at, int min, int max, int odd, int *list, int *count, spn_err *err) {
  size_t n = spn_json_size(at);
  if (!spn_json_is_array(at) || n < 1 || n > MAX_LIST)
    return spn_json_expected(at, "a list of 1 to 6 whole numbers", err);
  for (size_t i = 0; i < n; i++) {
    spn_json one = spn_json_at(at, i);
    SPN_TRY(spn_json_small(&one, min, max, &list[i], err));
    if (odd && list[i] % 2 == 0) return spn_json_expected(&one, "3, 5 or 7", err);
    if (i && list[i] <= list[i - 1])
      return spn_json_expected(&one, "a list that ascends, each option nesting in the next", err);
  }
  *count = (int)n;
  return SPN_OK;
}

static spn_status read_se(const spn_json *at, spn_layer *l, spn_err *err) {
  l->ses = 1;
  l->se[0] = 0;
  if (spn_json_is_null(at)) return SPN_OK;
  size_t n = spn_json_size(at);
  if (!spn_json_is_array(at) || n < 1 || n > MAX_LIST)
    return spn_json_expected(at, "a list of 1 to 6 squeeze ratios", err);
  for (size_t i = 0; i < n; i++) {
    spn_json one = spn_json_at(at, i);
    SPN_TRY(spn_json_real(&one, 0, 1, &l->se[i], err));
    if (i && l->se[i] <= l->se[i - 1])
      return spn_json_expected(&one, "a list that ascends, each option nesting in the next", err);
  }
  l->ses = (int)n;
  return SPN_OK;
}

static spn_status read_flag(const spn_json *stage, const char *key, int otherwise, int *out, spn_err *err) {
  spn_json at = spn_json_get(stage, key);
  *out = otherwise;
  return spn_json_is_null(&at) ? SPN_OK : spn_json_bool(&at, out, err);
}

/* What all layers of a stage share; *layers is how many. */
static spn_status read_stage(const spn_json *at, spn_layer *l, int *layers, spn_err *err) {
  static const char *const known[] = {"layers", "channels",   "stride",   "kernel", "expand", "se",
                                      "skip",   "skip_first", "residual", "tied",   NULL};
  int skip_first;
  SPN_TRY(spn_json_only(at, known, err));
  SPN_TRY(spn_json_member(at, "layers", 1, SPN_MAX_LAYERS, layers, err));
  SPN_TRY(spn_json_member(at, "channels", 1, SPN_MAX_CHANNELS, &l->out, err));
  SPN_TRY(spn_json_member(at, "stride", 1, 2, &l->stride, err));
  spn_json kernel = spn_json_get(at, "kernel"), expand = spn_json_get(at, "expand"), se = spn_json_get(at, "se");
  SPN_TRY(read_ints(&kernel, 3, 7, 1, l->kernel, &l->kernels, err));
  SPN_TRY(read_ints(&expand, 1, SPN_MAX_EXPAND, 0, l->expand, &l->expands, err));
  if (l->expands > 1 && l->expand[0] == 1)
    return spn_json_fail(&expand, err, "1 has no expansion convolution and nests in no other ratio: give it alone");
  SPN_TRY(read_se(&se, l, err));
  SPN_TRY(read_flag(at, "tied", 0, &l->tied, err));
  if (l->tied && l->kernels != l->expands)
    return spn_json_fail(&expand, err, "tied with kernel: expected %d ratios, one for each kernel, got %d", l->kernels,
                         l->expands);
  SPN_TRY(read_flag(at, "residual", 1, &l->residual, err));
  SPN_TRY(read_flag(at, "skip", 0, &l->skippable, err));
  if (l->skippable && !l->residual) {
    spn_json skip = spn_json_get(at, "skip");
    return spn_json_fail(&skip, err, "a layer without a residual cannot be skipped: expected false, got true");
  }
  SPN_TRY(read_flag(at, "skip_first", 0, &skip_first, err));
  l->skippable += l->skippable && skip_first; /* 2: the first layer too */
  return SPN_OK;
}

static void add_layers(spn_space *space, const spn_layer *stage, int layers, int channels) {
  for (int j = 0; j < layers; j++) {
    spn_layer *l = &space->layer[space->layers];
    *l = *stage;
    l->in = j ? stage->out : channels;
    l->stride = j ? 1 : stage->stride;
    l->proxy_stride = l->stride;
    int shortcut = l->stride == 1 && l->in == l->out;
    l->residual = stage->residual && shortcut;
    l->skippable = shortcut && stage->skippable > (j == 0);
    int decides = l->skippable || l->kernels > 1 || l->expands > 1 || l->ses > 1;
    l->table_layer = decides ? space->layers : -1;
    space->layers++;
  }
}

static spn_status read_stages(const spn_json *stages, spn_space *space, int *first, spn_err *err) {
  size_t count = spn_json_size(stages);
  if (!spn_json_is_array(stages) || count < 1 || count > SPN_MAX_LAYERS)
    return spn_json_expected(stages, "a list of 1 to 64 stages", err);
  int channels = space->base.stem_channels;
  for (size_t i = 0; i < count; i++) {
    spn_json at = spn_json_at(stages, i);
    spn_layer stage = {0};
    int layers = 0;
    SPN_TRY(read_stage(&at, &stage, &layers, err));
    if (space->layers + layers > SPN_MAX_LAYERS)
      return spn_json_fail(&at, err, "more than %d layers in all stages together", SPN_MAX_LAYERS);
    first[i] = space->layers;
    add_layers(space, &stage, layers, channels);
    channels = stage.out;
  }
  return SPN_OK;
}

/* first[i]: the layer that carries the stride of stage i. A residual exists by the deployment's shapes; where the proxy
 * has another stride or width the layer keeps what it was. */
static spn_status read_proxy(const spn_json *root, size_t stages, const int *first, spn_space *space, spn_err *err) {
  static const char *const known[] = {"size", "stem_stride", "strides", "width", "head", NULL};
  spn_json at = spn_json_get(root, "proxy");
  space->proxy_size = space->base.input_size;
  space->proxy_stem_stride = space->base.stem_stride;
  space->proxy_width = 1;
  space->proxy_head = space->base.head_channels;
  if (spn_json_is_null(&at)) return SPN_OK;
  SPN_TRY(spn_json_only(&at, known, err));
  SPN_TRY(spn_json_member(&at, "size", 1, SPN_MAX_SIZE, &space->proxy_size, err));
  SPN_TRY(spn_json_member(&at, "stem_stride", 1, 2, &space->proxy_stem_stride, err));
  spn_json strides = spn_json_get(&at, "strides"), width = spn_json_get(&at, "width"), head = spn_json_get(&at, "head");
  if (!spn_json_is_array(&strides) || spn_json_size(&strides) != stages)
    return spn_json_fail(&strides, err, "expected a list of %zu strides, one for each stage", stages);
  for (size_t i = 0; i < stages; i++) {
    spn_layer *l = &space->layer[first[i]];
    spn_json one = spn_json_at(&strides, i);
    SPN_TRY(spn_json_small(&one, 1, 2, &l->proxy_stride, err));
    if (l->residual && l->proxy_stride != 1)
      return spn_json_expected(&one, "1, because the stage's first layer has a residual", err);
  }
  if (!spn_json_is_null(&width)) SPN_TRY(spn_json_real(&width, 0.01, 16, &space->proxy_width, err));
  if (!spn_json_is_null(&head)) SPN_TRY(spn_json_small(&head, 0, SPN_MAX_CHANNELS, &space->proxy_head, err));
  return SPN_OK;
}

static spn_status read_space(const spn_json *root, spn_space *out, spn_err *err) {
  static const char *const known[] = {"name",    "input", "classes", "activation", "padding", "bn",
                                      "dropout", "stem",  "head",    "stages",     "proxy",   NULL};
  int first[SPN_MAX_LAYERS];
  memset(out, 0, sizeof *out);
  SPN_TRY(spn_json_only(root, known, err));
  SPN_TRY(spn_frame_read(root, &out->base, err));
  strcpy(out->name, out->base.name);
  spn_json stages = spn_json_get(root, "stages");
  SPN_TRY(read_stages(&stages, out, first, err));
  SPN_TRY(read_proxy(root, spn_json_size(&stages), first, out, err));
  spn_choice largest;
  spn_arch arch;
  spn_choice_max(out, &largest);
  for (int proxy = 0; proxy < 2; proxy++) {
    spn_space_arch(out, &largest, proxy, &arch);
    spn_err inner;
    if (spn_arch_check(&arch, &inner))
      return spn_json_fail(&stages, err, "%s network: %s", proxy ? "proxy" : "deployed", inner.text);
  }
  return SPN_OK;
}

static spn_status read_document(spn_json_doc *doc, spn_space *out, spn_err *err) {
  spn_json root = spn_json_root(doc);
  spn_status status = read_space(&root, out, err);
  spn_json_free(doc);
  return status;
}

spn_status spn_space_parse(const char *name, const char *text, size_t size, spn_space *out, spn_err *err) {
  spn_json_doc *doc = NULL;
  SPN_TRY(spn_json_parse(name, text, size, &doc, err));
  return read_document(doc, out, err);
}

spn_status spn_space_load(const char *path_or_name, spn_space *out, spn_err *err) {
  char path[4096];
  spn_json_doc *doc = NULL;
  SPN_TRY(spn_data_path("spaces", path_or_name, path, sizeof path, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  return read_document(doc, out, err);
}
