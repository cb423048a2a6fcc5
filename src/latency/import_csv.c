#include <math.h>
#include <stdlib.h>

#include "core/names.h"
#include "io/csv.h"
#include "latency/import.h"

typedef enum { OP, H, W, CIN, COUT, EXPAND, KERNEL, STRIDE, SE, SKIP, MS, STD, N, LAYER, COLUMNS } column;
static const struct {
  const char *name, *other;
  int needed;
} known[COLUMNS] = {{"op", "op", 1},    {"h", "input_h", 1},   {"w", "input_w", 0},     {"cin", "in", 1},
                    {"cout", "out", 1}, {"expand", "e", 0},    {"kernel", "ks", 0},     {"stride", "strides", 0},
                    {"se", "se", 0},    {"skip", "idskip", 0}, {"ms", "latency_ms", 1}, {"std", "std_ms", 0},
                    {"n", "count", 0},  {"layer", "layer", 0}};

static spn_status find_columns(const spn_csv *csv, int *at, spn_err *err) {
  for (int c = 0; c < COLUMNS; c++) {
    at[c] = spn_csv_find(csv, known[c].name);
    if (at[c] < 0) at[c] = spn_csv_find(csv, known[c].other);
    if (at[c] < 0 && known[c].needed)
      return spn_csv_fail(csv, -1, err, "expected a column %s, got a header without it", known[c].name);
  }
  return SPN_OK;
}

/* A number of the row; `missing` where there is no such column or nothing in it. */
static spn_status number(const spn_csv *csv, const int *at, column c, double min, double max, double missing,
                         double *out, spn_err *err) {
  *out = missing;
  if (at[c] < 0 || (!*spn_csv_text(csv, at[c]) && !known[c].needed)) return SPN_OK;
  return spn_csv_real(csv, at[c], min, max, out, err);
}

static spn_status whole(const spn_csv *csv, const int *at, column c, int max, int missing, int *out, spn_err *err) {
  double value;
  SPN_TRY(number(csv, at, c, 0, max, missing, &value, err));
  if (value != floor(value)) return spn_csv_fail(csv, at[c], err, "expected a whole number, got %g", value);
  *out = (int)value;
  return SPN_OK;
}

static spn_status part_kind(const spn_csv *csv, int op, spn_part_kind *out, spn_err *err) {
  static const char *const names[] = {"stem",          "block", "head",    "classifier", "conv", "mbconv",
                                      "expanded_conv", "ds",    "conv1x1", "logits",     "fc",   NULL};
  static const spn_part_kind kinds[] = {SPN_PART_STEM, SPN_PART_BLOCK,      SPN_PART_HEAD,      SPN_PART_CLASSIFIER,
                                        SPN_PART_STEM, SPN_PART_BLOCK,      SPN_PART_BLOCK,     SPN_PART_BLOCK,
                                        SPN_PART_HEAD, SPN_PART_CLASSIFIER, SPN_PART_CLASSIFIER};
  spn_err inner = {0};
  int which;
  if (spn_name_find(names, "op", spn_csv_text(csv, op), &which, &inner))
    return spn_csv_fail(csv, op, err, "%s", inner.text);
  *out = kinds[which];
  return SPN_OK;
}

static spn_status read_part(const spn_csv *csv, const int *at, spn_part *p, spn_err *err) {
  int width;
  SPN_TRY(part_kind(csv, at[OP], &p->kind, err));
  SPN_TRY(whole(csv, at, H, SPN_MAX_SIZE, 0, &p->h, err));
  SPN_TRY(whole(csv, at, W, SPN_MAX_SIZE, p->h, &width, err));
  SPN_TRY(whole(csv, at, CIN, SPN_MAX_CHANNELS, 0, &p->in, err));
  SPN_TRY(whole(csv, at, COUT, SPN_MAX_CLASSES, 0, &p->out, err));
  SPN_TRY(whole(csv, at, EXPAND, SPN_MAX_EXPAND, 1, &p->expand, err));
  SPN_TRY(whole(csv, at, KERNEL, 31, 3, &p->kernel, err));
  SPN_TRY(whole(csv, at, STRIDE, 2, 1, &p->stride, err));
  SPN_TRY(number(csv, at, SE, 0, 1, 0, &p->se, err));
  SPN_TRY(whole(csv, at, SKIP, 1, p->stride == 1 && p->in == p->out, &p->residual, err));
  if (width != p->h) return spn_csv_fail(csv, at[W], err, "expected a square input, got %d x %d", p->h, width);
  const int values[] = {p->h, p->in, p->out, p->expand, p->kernel, p->stride};
  const column columns[] = {H, CIN, COUT, EXPAND, KERNEL, STRIDE};
  for (int i = 0; i < 6; i++)
    if (values[i] < 1) return spn_csv_fail(csv, at[columns[i]], err, "expected 1 or more, got %d", values[i]);
  if (p->kind != SPN_PART_CLASSIFIER && p->out > SPN_MAX_CHANNELS)
    return spn_csv_fail(csv, at[COUT], err, "expected at most %d channels, got %d", SPN_MAX_CHANNELS, p->out);
  if (p->residual && (p->stride != 1 || p->in != p->out))
    return spn_csv_fail(csv, at[SKIP], err, "a residual needs stride 1 and as many channels out as in");
  return SPN_OK;
}

static spn_status read_row(spn_import *in, const spn_csv *csv, const int *at, spn_err *err) {
  spn_table_entry e = {.layer = -1};
  spn_err inner = {0};
  double count;
  SPN_TRY(read_part(csv, at, &e.part, err));
  SPN_TRY(whole(csv, at, LAYER, SPN_MAX_LAYERS - 1, -1, &e.layer, err));
  SPN_TRY(number(csv, at, MS, 1e-9, 1e9, 0, &e.cost, err));
  SPN_TRY(number(csv, at, STD, 0, 1e9, NAN, &e.spread, err));
  SPN_TRY(number(csv, at, N, 1, 1e12, 0, &count, err));
  e.count = (long long)count;
  if (spn_import_steady(in, e.cost, e.spread, &inner)) return spn_csv_fail(csv, at[STD], err, "%s", inner.text);
  spn_status status = spn_import_add(in, &e, 0, &inner);
  if (status == SPN_EINPUT) return spn_csv_fail(csv, -1, err, "%s", inner.text);
  return status ? spn_fail(err, status, "%s", inner.text) : SPN_OK;
}

static spn_status read_rows(spn_import *in, spn_csv *csv, spn_err *err) {
  int at[COLUMNS], end = 0;
  SPN_TRY(find_columns(csv, at, err));
  for (;;) {
    SPN_TRY(spn_csv_next(csv, &end, err));
    if (end) return SPN_OK;
    SPN_TRY(read_row(in, csv, at, err));
  }
}

spn_status spn_import_csv(spn_import *in, const char *path, spn_err *err) {
  spn_csv *csv;
  SPN_TRY(spn_csv_load(path, &csv, err));
  spn_status status = read_rows(in, csv, err);
  spn_csv_free(csv);
  return status;
}
