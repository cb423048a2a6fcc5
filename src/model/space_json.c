#include <string.h>

#include "io/datapath.h"
#include "model/decisions.h"
#include "model/frame_json.h"
#include "model/space.h"

enum { MAX_LIST = SPN_MAX_OPTIONS };

/* Bounds of a list's numbers, and what is special about them. */
typedef struct {
  int min, max, odd;
  int alone; /* a number by itself is a list of one */
  int plain; /* 0 may stand last */
} numbers;

static spn_status read_number(const spn_json *at, const numbers *of, int last, int *list, int i, spn_err *err) {
  SPN_TRY(spn_json_small(at, of->plain ? 0 : of->min, of->max, &list[i], err));
  if (of->odd && list[i] % 2 == 0) return spn_json_expected(at, "3, 5 or 7", err);
  if (of->plain && list[i] == 0 && last) return SPN_OK;
  if (list[i] == 0) return spn_json_fail(at, err, "expected 0, a plain convolution, to stand last");
  if (i && list[i] <= list[i - 1]) return spn_json_expected(at, "a list that ascends", err);
  return SPN_OK;
}

/* Ascending list of 1 to MAX_LIST integers. */
static spn_status read_ints(const spn_json *at, const numbers *of, int *list, int *count, spn_err *err) {
  size_t n = spn_json_size(at);
  *count = 1;
  if (of->alone && !spn_json_is_array(at)) return read_number(at, of, 1, list, 0, err);
  if (!spn_json_is_array(at) || n < 1 || n > MAX_LIST)
    return spn_json_expected(at, "a list of 1 to 6 whole numbers", err);
  for (size_t i = 0; i < n; i++) {
    spn_json one = spn_json_at(at, i);
    SPN_TRY(read_number(&one, of, i + 1 == n, list, (int)i, err));
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
    if (i && l->se[i] <= l->se[i - 1]) return spn_json_expected(&one, "a list that ascends", err);
  }
  l->ses = (int)n;
  return SPN_OK;
}

static spn_status read_flag(const spn_json *stage, const char *key, int otherwise, int *out, spn_err *err) {
  spn_json at = spn_json_get(stage, key);
  *out = otherwise;
  return spn_json_is_null(&at) ? SPN_OK : spn_json_bool(&at, out, err);
}

/* true, false, or both: then it is decided. */
static spn_status read_residual(const spn_json *stage, spn_layer *l, spn_err *err) {
  spn_json at = spn_json_get(stage, "residual");
  l->shortcuts = 1;
  if (!spn_json_is_array(&at)) return read_flag(stage, "residual", 1, &l->residual, err);
  int both[2] = {1, 0};
  for (size_t i = 0; i < 2 && spn_json_size(&at) == 2; i++) {
    spn_json one = spn_json_at(&at, i);
    SPN_TRY(spn_json_bool(&one, &both[i], err));
  }
  if (both[0] || !both[1]) return spn_json_expected(&at, "true, false, or [false, true]", err);
  l->residual = 1;
  l->shortcuts = 2;
  return SPN_OK;
}

static spn_status read_expand(const spn_json *stage, spn_layer *l, spn_err *err) {
  static const numbers expands = {.min = 1, .max = SPN_MAX_EXPAND, .plain = 1};
  spn_json expand = spn_json_get(stage, "expand"), se = spn_json_get(stage, "se");
  SPN_TRY(read_ints(&expand, &expands, l->expand, &l->expands, err));
  SPN_TRY(read_flag(stage, "tied", 0, &l->tied, err));
  if (l->tied && l->kernels != l->expands)
    return spn_json_fail(&expand, err, "tied with kernel: expected %d ratios, one for each kernel, got %d", l->kernels,
                         l->expands);
  SPN_TRY(read_se(&se, l, err));
  if (l->expand[l->expands - 1]) return SPN_OK;
  if (l->expands > 1 && l->expand[0] != 1)
    return spn_json_fail(&expand, err, "expected 1 beside 0: first options are the cheapest ones");
  if (l->tied) return spn_json_fail(&expand, err, "expected no 0, a plain convolution, where kernels are tied");
  if (l->expands == 1 && (l->ses > 1 || l->se[0] > 0))
    return spn_json_fail(&se, err, "expected none: a plain convolution (expand 0) has no SE");
  return SPN_OK;
}

/* Which layers of the stage there are. */
static spn_status read_depth(const spn_json *at, spn_layer *l, spn_err *err) {
  static const numbers counts = {.min = 1, .max = SPN_MAX_LAYERS, .alone = 1};
  spn_json layers = spn_json_get(at, "layers"), skip = spn_json_get(at, "skip"), shared = spn_json_get(at, "shared");
  int skip_first;
  SPN_TRY(read_ints(&layers, &counts, l->count, &l->counts, err));
  l->stage_layers = l->count[l->counts - 1];
  SPN_TRY(read_residual(at, l, err));
  SPN_TRY(read_flag(at, "shared", 0, &l->shared, err));
  SPN_TRY(read_flag(at, "skip", 0, &l->skippable, err));
  if (l->skippable && (!l->residual || l->shortcuts > 1))
    return spn_json_fail(&skip, err, "a layer without a residual cannot be skipped: expected false, got true");
  if (l->skippable && l->counts > 1)
    return spn_json_fail(&skip, err, "expected false, for the number of layers is decided already; got true");
  SPN_TRY(read_flag(at, "skip_first", 0, &skip_first, err));
  if (l->shared && skip_first)
    return spn_json_fail(&shared, err, "expected false where the first layer may be skipped, got true");
  l->skippable += l->skippable && skip_first; /* 2: the first layer too */
  return SPN_OK;
}

/* What all layers of a stage share. */
static spn_status read_stage(const spn_json *at, spn_layer *l, spn_err *err) {
  static const char *const known[] = {"layers", "channels",   "stride",   "kernel", "expand",     "se", "shared",
                                      "skip",   "skip_first", "residual", "tied",   "activation", NULL};
  static const numbers kernels = {.min = 3, .max = 7, .odd = 1},
                       widths = {.min = 1, .max = SPN_MAX_CHANNELS, .alone = 1};
  int activation = SPN_ACT_NONE;
  SPN_TRY(spn_json_only(at, known, err));
  spn_json channels = spn_json_get(at, "channels"), kernel = spn_json_get(at, "kernel"),
           act = spn_json_get(at, "activation");
  SPN_TRY(read_ints(&channels, &widths, l->channel, &l->channels, err));
  l->out = l->channel[l->channels - 1];
  SPN_TRY(spn_json_member(at, "stride", 1, 2, &l->stride, err));
  SPN_TRY(read_ints(&kernel, &kernels, l->kernel, &l->kernels, err));
  SPN_TRY(read_expand(at, l, err));
  if (!spn_json_is_null(&act)) SPN_TRY(spn_json_choice(&act, spn_activation_names, &activation, err));
  l->activation = (spn_act)activation;
  return read_depth(at, l, err);
}

/* Whether a layer's input always has as many channels as its output: within a stage, or where nothing decides. */
static int same_channels(const spn_space *space, const spn_layer *stage, int j, int channels) {
  int decided = stage->channels > 1 || (space->layers > 0 && space->layer[space->layers - 1].channels > 1);
  return j > 0 || (!decided && stage->out == channels);
}

static void add_layers(spn_space *space, const spn_layer *stage, int channels) {
  int leader = space->layers, shortcuts = 0;
  for (int j = 0; j < stage->stage_layers; j++) {
    spn_layer *l = &space->layer[space->layers];
    *l = *stage;
    l->leader = leader;
    l->leads = j == 0;
    l->in = j ? stage->out : channels;
    l->stride = j ? 1 : stage->stride;
    l->proxy_stride = l->stride;
    int shortcut = l->stride == 1 && same_channels(space, stage, j, channels);
    l->residual = stage->residual && shortcut;
    l->skippable = shortcut && stage->skippable > (j == 0);
    shortcuts |= l->residual;
    int decides = l->skippable || l->kernels > 1 || l->expands > 1 || l->ses > 1;
    l->table_layer = decides ? space->layers : -1;
    space->layers++;
  }
  for (int i = leader; i < space->layers && !shortcuts; i++) space->layer[i].shortcuts = 1;
}

static spn_status read_stages(const spn_json *stages, spn_space *space, int *first, spn_err *err) {
  size_t count = spn_json_size(stages);
  if (!spn_json_is_array(stages) || count < 1 || count > SPN_MAX_LAYERS)
    return spn_json_expected(stages, "a list of 1 to 64 stages", err);
  int channels = space->base.stem_channels;
  for (size_t i = 0; i < count; i++) {
    spn_json at = spn_json_at(stages, i);
    spn_layer stage = {0};
    SPN_TRY(read_stage(&at, &stage, err));
    if (space->layers + stage.stage_layers > SPN_MAX_LAYERS)
      return spn_json_fail(&at, err, "more than %d layers in all stages together", SPN_MAX_LAYERS);
    first[i] = space->layers;
    add_layers(space, &stage, channels);
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
