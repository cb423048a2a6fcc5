#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/datapath.h"
#include "io/json.h"
#include "latency/table.h"

enum { MAX_TABLE_BLOCKS = 4096 };

static spn_status read_text(const spn_json *root, const char *key, char *out, size_t size, spn_err *err) {
  spn_json at = spn_json_get(root, key);
  const char *text = "";
  SPN_TRY(spn_json_string(&at, &text, err));
  if (!*text || strlen(text) >= size) return spn_json_fail(&at, err, "expected 1 to %zu characters", size - 1);
  strcpy(out, text);
  return SPN_OK;
}

static spn_status read_int(const spn_json *object, const char *key, int min, int max, int *out, spn_err *err) {
  spn_json at = spn_json_get(object, key);
  long long value = 0;
  SPN_TRY(spn_json_int(&at, min, max, &value, err));
  *out = (int)value;
  return SPN_OK;
}

static spn_status read_cost(const spn_json *object, const char *key, double *out, spn_err *err) {
  spn_json at = spn_json_get(object, key);
  return spn_json_real(&at, 0, 1e12, out, err);
}

/* A number or a list of at most SPN_MAX_OPTIONS. */
static spn_status read_options(const spn_json *at, int max, int *list, int *count, spn_err *err) {
  size_t n = spn_json_size(at);
  if (!spn_json_is_array(at) || n < 1 || n > SPN_MAX_OPTIONS)
    return spn_json_expected(at, "a list of 1 to 6 whole numbers", err);
  for (size_t i = 0; i < n; i++) {
    spn_json one = spn_json_at(at, i);
    long long value = 0;
    SPN_TRY(spn_json_int(&one, 1, max, &value, err));
    list[i] = (int)value;
  }
  *count = (int)n;
  return SPN_OK;
}

static spn_status read_shape(const spn_json *at, spn_table_block *b, spn_err *err) {
  spn_json layer = spn_json_get(at, "layer"), se = spn_json_get(at, "se");
  spn_json kernel = spn_json_get(at, "kernel"), expand = spn_json_get(at, "expand");
  b->layer = -1;
  b->se = 0;
  if (!spn_json_is_null(&layer)) SPN_TRY(read_int(at, "layer", 0, SPN_MAX_LAYERS - 1, &b->layer, err));
  if (!spn_json_is_null(&se)) SPN_TRY(spn_json_real(&se, 0, 1, &b->se, err));
  SPN_TRY(read_int(at, "h", 1, SPN_MAX_SIZE, &b->h, err));
  SPN_TRY(read_int(at, "in", 1, SPN_MAX_CHANNELS, &b->in, err));
  SPN_TRY(read_int(at, "out", 1, SPN_MAX_CHANNELS, &b->out, err));
  SPN_TRY(read_int(at, "stride", 1, 2, &b->stride, err));
  SPN_TRY(read_options(&kernel, 31, b->kernel, &b->kernels, err));
  return read_options(&expand, SPN_MAX_EXPAND, b->expand, &b->expands, err);
}

/* cost: one row a kernel, one column an expansion; null where nothing was measured. */
static spn_status read_block(const spn_json *at, spn_table_block *b, spn_err *err) {
  static const char *const known[] = {"layer", "h", "in", "out", "stride", "se", "kernel", "expand", "cost", NULL};
  SPN_TRY(spn_json_only(at, known, err));
  SPN_TRY(read_shape(at, b, err));
  spn_json cost = spn_json_get(at, "cost");
  if (!spn_json_is_array(&cost) || spn_json_size(&cost) != (size_t)b->kernels)
    return spn_json_expected(&cost, "a list of rows, one for each kernel", err);
  for (int k = 0; k < b->kernels; k++) {
    spn_json row = spn_json_at(&cost, (size_t)k);
    if (!spn_json_is_array(&row) || spn_json_size(&row) != (size_t)b->expands)
      return spn_json_expected(&row, "a list of costs, one for each expansion", err);
    for (int e = 0; e < b->expands; e++) {
      spn_json one = spn_json_at(&row, (size_t)e);
      b->cost[k][e] = NAN;
      if (!spn_json_is_null(&one)) SPN_TRY(spn_json_real(&one, 0, 1e12, &b->cost[k][e], err));
    }
  }
  return SPN_OK;
}

static spn_status read_blocks(const spn_json *root, spn_table *out, spn_err *err) {
  spn_json blocks = spn_json_get(root, "blocks");
  size_t count = spn_json_size(&blocks);
  if (!spn_json_is_array(&blocks) || count < 1 || count > MAX_TABLE_BLOCKS)
    return spn_json_expected(&blocks, "a list of 1 to 4096 measured blocks", err);
  out->block = calloc(count, sizeof *out->block);
  if (!out->block) return spn_fail(err, SPN_ENOMEM, "out of memory");
  for (size_t i = 0; i < count; i++) {
    spn_json at = spn_json_at(&blocks, i);
    SPN_TRY(read_block(&at, &out->block[i], err));
    out->blocks++;
  }
  return SPN_OK;
}

static spn_status read_rest_layers(const spn_json *rest, spn_table_rest *out, spn_err *err) {
  static const char *const known[] = {"h", "in", "out", "stride", "se", "kernel", "expand", NULL};
  spn_json layers = spn_json_get(rest, "layers");
  size_t count = spn_json_size(&layers);
  if (spn_json_is_null(&layers)) return SPN_OK;
  if (!spn_json_is_array(&layers) || count > SPN_MAX_REST_LAYERS)
    return spn_json_expected(&layers, "a list of at most 8 fixed layers", err);
  for (size_t i = 0; i < count; i++) {
    spn_json at = spn_json_at(&layers, i);
    SPN_TRY(spn_json_only(&at, known, err));
    SPN_TRY(read_shape(&at, &out->layer[i], err));
    if (out->layer[i].kernels != 1 || out->layer[i].expands != 1)
      return spn_json_expected(&at, "a fixed layer with one kernel and one expansion", err);
  }
  out->layers = (int)count;
  return SPN_OK;
}

static spn_status read_rest(const spn_json *root, spn_table_rest *out, spn_err *err) {
  static const char *const whole[] = {"cost", "input", "stem", "head", "layers", NULL};
  static const char *const apart[] = {
      "input", "stem", "head", "head_in", "head_size", "stem_cost", "head_cost", "classifier_cost", NULL};
  spn_json rest = spn_json_get(root, "rest"), cost = spn_json_get(&rest, "cost");
  if (!spn_json_is_object(&rest)) return spn_json_expected(&rest, "an object", err);
  out->whole = !spn_json_is_null(&cost);
  SPN_TRY(spn_json_only(&rest, out->whole ? whole : apart, err));
  SPN_TRY(read_int(&rest, "input", 1, SPN_MAX_SIZE, &out->input, err));
  SPN_TRY(read_int(&rest, "stem", 1, SPN_MAX_CHANNELS, &out->stem, err));
  SPN_TRY(read_int(&rest, "head", 0, SPN_MAX_CHANNELS, &out->head, err));
  if (out->whole) {
    SPN_TRY(read_cost(&rest, "cost", &out->cost, err));
    return read_rest_layers(&rest, out, err);
  }
  SPN_TRY(read_int(&rest, "head_in", 1, SPN_MAX_CHANNELS, &out->head_in, err));
  SPN_TRY(read_int(&rest, "head_size", 1, SPN_MAX_SIZE, &out->head_size, err));
  SPN_TRY(read_cost(&rest, "stem_cost", &out->stem_cost, err));
  SPN_TRY(read_cost(&rest, "head_cost", &out->head_cost, err));
  return read_cost(&rest, "classifier_cost", &out->classifier_cost, err);
}

static spn_status read_table(const spn_json *root, spn_table *out, spn_err *err) {
  static const char *const known[] = {"name", "unit", "source", "skip", "se_values_per_unit", "rest", "blocks", NULL};
  if (!spn_json_is_object(root)) return spn_json_expected(root, "an object", err);
  SPN_TRY(spn_json_only(root, known, err));
  SPN_TRY(read_text(root, "name", out->name, sizeof out->name, err));
  SPN_TRY(read_text(root, "unit", out->unit, sizeof out->unit, err));
  SPN_TRY(read_text(root, "source", out->source, sizeof out->source, err));
  SPN_TRY(read_cost(root, "skip", &out->skip, err));
  spn_json rate = spn_json_get(root, "se_values_per_unit");
  if (!spn_json_is_null(&rate)) SPN_TRY(spn_json_real(&rate, 1e-6, 1e18, &out->se_values, err));
  SPN_TRY(read_rest(root, &out->rest, err));
  return read_blocks(root, out, err);
}

static spn_status read_document(spn_json_doc *doc, spn_table *out, spn_err *err) {
  memset(out, 0, sizeof *out);
  spn_json root = spn_json_root(doc);
  spn_status status = read_table(&root, out, err);
  spn_json_free(doc);
  if (status) spn_table_free(out);
  return status;
}

spn_status spn_table_parse(const char *name, const char *text, size_t size, spn_table *out, spn_err *err) {
  spn_json_doc *doc = NULL;
  SPN_TRY(spn_json_parse(name, text, size, &doc, err));
  return read_document(doc, out, err);
}

spn_status spn_table_load(const char *name, spn_table *out, spn_err *err) {
  char path[4096];
  spn_json_doc *doc = NULL;
  SPN_TRY(spn_data_path("latency", name, path, sizeof path, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  return read_document(doc, out, err);
}

void spn_table_free(spn_table *table) {
  free(table->block);
  table->block = NULL;
  table->blocks = 0;
}
