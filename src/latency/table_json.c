#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/datapath.h"
#include "latency/table.h"

enum { MAX_TABLE_BLOCKS = 4096 };

/* What a file may say of one measured shape. */
typedef struct {
  spn_table_entry first; /* all but kernel, expansion and figures */
  int kernels, kernel[SPN_MAX_OPTIONS], expands, expand[SPN_MAX_OPTIONS];
} block_shape;

static spn_status read_text(const spn_json *root, const char *key, int needed, char *out, size_t size, spn_err *err) {
  spn_json at = spn_json_get(root, key);
  const char *text = "";
  out[0] = 0;
  if (!needed && spn_json_is_null(&at)) return SPN_OK;
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

/* Spread and count beside a cost, both optional. */
static spn_status read_evidence(const spn_json *spread, const spn_json *count, double *spread_out, long long *count_out,
                                spn_err *err) {
  *spread_out = NAN;
  *count_out = 0;
  if (!spn_json_is_null(spread)) SPN_TRY(spn_json_real(spread, 0, 1e12, spread_out, err));
  return spn_json_is_null(count) ? SPN_OK : spn_json_int(count, 1, 1000000000000LL, count_out, err);
}

/* ---- Blocks ---- */

/* A list of at most SPN_MAX_OPTIONS whole numbers. */
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

static spn_status read_shape(const spn_json *at, block_shape *out, spn_err *err) {
  spn_json layer = spn_json_get(at, "layer"), se = spn_json_get(at, "se"), residual = spn_json_get(at, "residual");
  spn_json kernel = spn_json_get(at, "kernel"), expand = spn_json_get(at, "expand");
  spn_part *p = &out->first.part;
  *out = (block_shape){.first = {.layer = -1, .part.kind = SPN_PART_BLOCK, .spread = NAN}};
  if (!spn_json_is_null(&layer)) SPN_TRY(read_int(at, "layer", 0, SPN_MAX_LAYERS - 1, &out->first.layer, err));
  if (!spn_json_is_null(&se)) SPN_TRY(spn_json_real(&se, 0, 1, &p->se, err));
  SPN_TRY(read_int(at, "h", 1, SPN_MAX_SIZE, &p->h, err));
  SPN_TRY(read_int(at, "in", 1, SPN_MAX_CHANNELS, &p->in, err));
  SPN_TRY(read_int(at, "out", 1, SPN_MAX_CHANNELS, &p->out, err));
  SPN_TRY(read_int(at, "stride", 1, 2, &p->stride, err));
  p->residual = p->stride == 1 && p->in == p->out;
  if (!spn_json_is_null(&residual)) SPN_TRY(spn_json_bool(&residual, &p->residual, err));
  SPN_TRY(read_options(&kernel, 31, out->kernel, &out->kernels, err));
  return read_options(&expand, SPN_MAX_EXPAND, out->expand, &out->expands, err);
}

/* A matrix of one row a kernel and one column an expansion; absent where it may be. */
static spn_status check_matrix(const spn_json *at, const block_shape *b, int needed, spn_err *err) {
  if (!needed && spn_json_is_null(at)) return SPN_OK;
  if (!spn_json_is_array(at) || spn_json_size(at) != (size_t)b->kernels)
    return spn_json_expected(at, "a list of rows, one for each kernel", err);
  for (int k = 0; k < b->kernels; k++) {
    spn_json row = spn_json_at(at, (size_t)k);
    if (!spn_json_is_array(&row) || spn_json_size(&row) != (size_t)b->expands)
      return spn_json_expected(&row, "a list of figures, one for each expansion", err);
  }
  return SPN_OK;
}

static spn_json cell(const spn_json *matrix, int k, int e) {
  spn_json row = spn_json_is_null(matrix) ? *matrix : spn_json_at(matrix, (size_t)k);
  return spn_json_is_null(matrix) ? row : spn_json_at(&row, (size_t)e);
}

/* cost: null where nothing was measured. */
static spn_status read_block(const spn_json *at, spn_table *out, spn_err *err) {
  static const char *const known[] = {"layer",  "h",    "in",     "out",   "stride",   "se", "kernel",
                                      "expand", "cost", "spread", "count", "residual", NULL};
  block_shape b;
  spn_json cost = spn_json_get(at, "cost"), spread = spn_json_get(at, "spread"), count = spn_json_get(at, "count");
  SPN_TRY(spn_json_only(at, known, err));
  SPN_TRY(read_shape(at, &b, err));
  SPN_TRY(check_matrix(&cost, &b, 1, err));
  SPN_TRY(check_matrix(&spread, &b, 0, err));
  SPN_TRY(check_matrix(&count, &b, 0, err));
  for (int k = 0; k < b.kernels; k++)
    for (int e = 0; e < b.expands; e++) {
      spn_json one = cell(&cost, k, e), deviation = cell(&spread, k, e), runs = cell(&count, k, e);
      spn_table_entry entry = b.first;
      if (spn_json_is_null(&one)) continue;
      entry.part.kernel = b.kernel[k];
      entry.part.expand = b.expand[e];
      SPN_TRY(spn_json_real(&one, 0, 1e12, &entry.cost, err));
      SPN_TRY(read_evidence(&deviation, &runs, &entry.spread, &entry.count, err));
      SPN_TRY(spn_table_add(out, &entry, err));
    }
  return SPN_OK;
}

static spn_status read_blocks(const spn_json *root, spn_table *out, spn_err *err) {
  spn_json blocks = spn_json_get(root, "blocks"), at;
  size_t count = spn_json_size(&blocks);
  if (!spn_json_is_array(&blocks) || count < 1 || count > MAX_TABLE_BLOCKS)
    return spn_json_expected(&blocks, "a list of 1 to 4096 measured blocks", err);
  for (spn_json_iter it = spn_json_iterate(&blocks); spn_json_next(&it, &at);) SPN_TRY(read_block(&at, out, err));
  return SPN_OK;
}

/* ---- Stem, head, classifier ---- */

static spn_status read_part(const spn_json *at, spn_table *out, spn_err *err) {
  static const char *const known[] = {"part", "h", "in", "out", "kernel", "stride", "cost", "spread", "count", NULL};
  static const char *const kinds[] = {"stem", "head", "classifier", NULL};
  static const spn_part_kind kind[] = {SPN_PART_STEM, SPN_PART_HEAD, SPN_PART_CLASSIFIER};
  spn_json name = spn_json_get(at, "part"), spread = spn_json_get(at, "spread"), count = spn_json_get(at, "count");
  spn_table_entry e = {.layer = -1};
  int which = 0;
  SPN_TRY(spn_json_only(at, known, err));
  SPN_TRY(spn_json_choice(&name, kinds, &which, err));
  e.part.kind = kind[which];
  SPN_TRY(read_int(at, "h", 1, SPN_MAX_SIZE, &e.part.h, err));
  SPN_TRY(read_int(at, "in", 1, SPN_MAX_CHANNELS, &e.part.in, err));
  SPN_TRY(read_int(at, "out", 1, SPN_MAX_CLASSES, &e.part.out, err));
  if (e.part.kind == SPN_PART_STEM) {
    SPN_TRY(read_int(at, "kernel", 1, 7, &e.part.kernel, err));
    SPN_TRY(read_int(at, "stride", 1, 2, &e.part.stride, err));
  }
  SPN_TRY(read_cost(at, "cost", &e.cost, err));
  SPN_TRY(read_evidence(&spread, &count, &e.spread, &e.count, err));
  return spn_table_add(out, &e, err);
}

static spn_status read_parts(const spn_json *root, spn_table *out, spn_err *err) {
  spn_json parts = spn_json_get(root, "parts"), at;
  if (!spn_json_is_array(&parts)) return spn_json_expected(&parts, "a list", err);
  for (spn_json_iter it = spn_json_iterate(&parts); spn_json_next(&it, &at);) SPN_TRY(read_part(&at, out, err));
  return SPN_OK;
}

static spn_status read_rest_layers(const spn_json *rest, spn_table_rest *out, spn_err *err) {
  static const char *const known[] = {"h", "in", "out", "stride", "se", "kernel", "expand", "residual", NULL};
  spn_json layers = spn_json_get(rest, "layers");
  size_t count = spn_json_size(&layers);
  if (spn_json_is_null(&layers)) return SPN_OK;
  if (!spn_json_is_array(&layers) || count > SPN_MAX_REST_LAYERS)
    return spn_json_expected(&layers, "a list of at most 8 fixed layers", err);
  for (size_t i = 0; i < count; i++) {
    spn_json at = spn_json_at(&layers, i);
    block_shape b;
    SPN_TRY(spn_json_only(&at, known, err));
    SPN_TRY(read_shape(&at, &b, err));
    if (b.kernels != 1 || b.expands != 1)
      return spn_json_expected(&at, "a fixed layer with one kernel and one expansion", err);
    out->layer[i] = b.first.part;
    out->layer[i].kernel = b.kernel[0];
    out->layer[i].expand = b.expand[0];
  }
  out->layers = (int)count;
  return SPN_OK;
}

/* Stem, head and classifier of one network, each by itself: they become entries. */
static spn_status read_apart(const spn_json *rest, spn_table *out, spn_err *err) {
  static const char *const cost[] = {"stem_cost", "head_cost", "classifier_cost"};
  const spn_table_rest *r = &out->rest;
  int in = 0, size = 0, last;
  SPN_TRY(read_int(rest, "head_in", 1, SPN_MAX_CHANNELS, &in, err));
  SPN_TRY(read_int(rest, "head_size", 1, SPN_MAX_SIZE, &size, err));
  last = r->head ? r->head : in;
  spn_part part[] = {{.kind = SPN_PART_STEM, .h = r->input, .in = 3, .out = r->stem, .kernel = 3, .stride = 2},
                     {.kind = SPN_PART_HEAD, .h = size, .in = in, .out = r->head},
                     {.kind = SPN_PART_CLASSIFIER, .h = size, .in = last, .out = 1000}};
  for (int i = 0; i < 3; i++) {
    spn_table_entry e = {.part = part[i], .layer = -1, .spread = NAN};
    SPN_TRY(read_cost(rest, cost[i], &e.cost, err));
    if (part[i].out) SPN_TRY(spn_table_add(out, &e, err));
  }
  return SPN_OK;
}

static spn_status read_rest(const spn_json *root, spn_table *out, spn_err *err) {
  static const char *const whole[] = {"cost", "spread", "count", "input", "stem", "head", "layers", NULL};
  static const char *const apart[] = {
      "input", "stem", "head", "head_in", "head_size", "stem_cost", "head_cost", "classifier_cost", NULL};
  spn_json rest = spn_json_get(root, "rest"), cost = spn_json_get(&rest, "cost");
  spn_json spread = spn_json_get(&rest, "spread"), count = spn_json_get(&rest, "count");
  spn_table_rest *r = &out->rest;
  if (!spn_json_is_object(&rest)) return spn_json_expected(&rest, "an object", err);
  r->whole = !spn_json_is_null(&cost);
  SPN_TRY(spn_json_only(&rest, r->whole ? whole : apart, err));
  SPN_TRY(read_int(&rest, "input", 1, SPN_MAX_SIZE, &r->input, err));
  SPN_TRY(read_int(&rest, "stem", 1, SPN_MAX_CHANNELS, &r->stem, err));
  SPN_TRY(read_int(&rest, "head", 0, SPN_MAX_CHANNELS, &r->head, err));
  if (!r->whole) return read_apart(&rest, out, err);
  SPN_TRY(read_cost(&rest, "cost", &r->cost, err));
  SPN_TRY(read_evidence(&spread, &count, &r->spread, &r->count, err));
  return read_rest_layers(&rest, r, err);
}

/* ---- Whole ---- */

static spn_status read_members(const spn_json *root, spn_table *out, spn_err *err) {
  static const char *const known[] = {"name",      "unit",    "source", "device",
                                      "framework", "threads", "skip",   "se_values_per_unit",
                                      "rest",      "parts",   "blocks", NULL};
  if (!spn_json_is_object(root)) return spn_json_expected(root, "an object", err);
  SPN_TRY(spn_json_only(root, known, err));
  SPN_TRY(read_text(root, "name", 1, out->name, sizeof out->name, err));
  SPN_TRY(read_text(root, "unit", 1, out->unit, sizeof out->unit, err));
  SPN_TRY(read_text(root, "source", 1, out->source, sizeof out->source, err));
  SPN_TRY(read_text(root, "device", 0, out->device, sizeof out->device, err));
  SPN_TRY(read_text(root, "framework", 0, out->framework, sizeof out->framework, err));
  spn_json threads = spn_json_get(root, "threads"), rate = spn_json_get(root, "se_values_per_unit");
  if (!spn_json_is_null(&threads)) SPN_TRY(read_int(root, "threads", 1, 4096, &out->threads, err));
  SPN_TRY(read_cost(root, "skip", &out->skip, err));
  if (!spn_json_is_null(&rate)) SPN_TRY(spn_json_real(&rate, 1e-6, 1e18, &out->se_values, err));
  spn_json rest = spn_json_get(root, "rest"), parts = spn_json_get(root, "parts");
  if (!spn_json_is_null(&rest) || spn_json_is_null(&parts)) SPN_TRY(read_rest(root, out, err));
  if (!spn_json_is_null(&parts)) SPN_TRY(read_parts(root, out, err));
  return read_blocks(root, out, err);
}

spn_status spn_table_read(const spn_json *at, spn_table *out, spn_err *err) {
  memset(out, 0, sizeof *out);
  spn_status status = read_members(at, out, err);
  if (status) spn_table_free(out);
  return status;
}

static spn_status read_document(spn_json_doc *doc, spn_table *out, spn_err *err) {
  spn_json root = spn_json_root(doc);
  spn_status status = spn_table_read(&root, out, err);
  spn_json_free(doc);
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
