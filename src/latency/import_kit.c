#include "latency/import_kit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/json.h"
#include "io/lines.h"

enum { MAX_ROUNDS = 64 };
/* A round whose models took, in the median, so much longer than over all rounds, was throttled. */
static const double THROTTLED = 0.05;

typedef struct {
  char file[96], arch[96], use[16];
  spn_part part[2];
  int parts;
  double ms[MAX_ROUNDS], spread[MAX_ROUNDS]; /* NaN: not measured */
  long long count;
  double cost, deviation;
} model;

typedef struct {
  const char *folder;
  const spn_import *in;
  model *list;
  int count, rounds;
} kit;

/* ---- Manifest ---- */

static spn_status read_text(const spn_json *object, const char *key, char *out, size_t size, spn_err *err) {
  spn_json at = spn_json_get(object, key);
  const char *text = "";
  SPN_TRY(spn_json_string(&at, &text, err));
  if (strlen(text) >= size || strstr(text, "..") || text[0] == '/')
    return spn_json_expected(&at, "a short name inside the kit", err);
  strcpy(out, text);
  return SPN_OK;
}

static spn_status read_int(const spn_json *object, const char *key, int max, int *out, spn_err *err) {
  spn_json at = spn_json_get(object, key);
  long long value = 0;
  SPN_TRY(spn_json_int(&at, 1, max, &value, err));
  *out = (int)value;
  return SPN_OK;
}

static spn_status read_part(const spn_json *at, spn_part *p, spn_err *err) {
  spn_json kind = spn_json_get(at, "part"), se = spn_json_get(at, "se"), residual = spn_json_get(at, "residual");
  int which = 0;
  *p = (spn_part){.kind = SPN_PART_STEM};
  SPN_TRY(spn_json_choice(&kind, spn_part_names, &which, err));
  p->kind = (spn_part_kind)which;
  SPN_TRY(read_int(at, "h", SPN_MAX_SIZE, &p->h, err));
  SPN_TRY(read_int(at, "in", SPN_MAX_CHANNELS, &p->in, err));
  SPN_TRY(read_int(at, "out", SPN_MAX_CLASSES, &p->out, err));
  if (p->kind != SPN_PART_STEM && p->kind != SPN_PART_BLOCK) return SPN_OK;
  SPN_TRY(read_int(at, "kernel", 7, &p->kernel, err));
  SPN_TRY(read_int(at, "stride", 2, &p->stride, err));
  if (p->kind == SPN_PART_STEM) return SPN_OK;
  if (p->out > SPN_MAX_CHANNELS) return spn_json_expected(at, "at most 8192 channels", err);
  SPN_TRY(read_int(at, "expand", SPN_MAX_EXPAND, &p->expand, err));
  SPN_TRY(spn_json_real(&se, 0, 1, &p->se, err));
  return spn_json_bool(&residual, &p->residual, err);
}

static spn_status read_model(const spn_json *at, model *m, spn_err *err) {
  static const char *const uses[] = {"part", "tail", "calibration", "holdout", NULL};
  spn_json use = spn_json_get(at, "use"), parts = spn_json_get(at, "parts"), part;
  int which = 0;
  SPN_TRY(read_text(at, "file", m->file, sizeof m->file, err));
  SPN_TRY(spn_json_choice(&use, uses, &which, err));
  strcpy(m->use, uses[which]);
  if (which >= 2) return read_text(at, "arch", m->arch, sizeof m->arch, err);
  if (!spn_json_is_array(&parts) || spn_json_size(&parts) != (size_t)(1 + which))
    return spn_json_fail(&parts, err, "expected a list of %d parts", 1 + which);
  for (spn_json_iter it = spn_json_iterate(&parts); spn_json_next(&it, &part);)
    SPN_TRY(read_part(&part, &m->part[m->parts++], err));
  return SPN_OK;
}

/* The last model must not be of a part that another one is of. */
static spn_status refuse_twice(const kit *k, const spn_json *at, spn_err *err) {
  const model *last = &k->list[k->count - 1];
  for (int i = 0; last->parts && i < k->count - 1; i++)
    if (!strcmp(k->list[i].use, last->use) && spn_part_same(&k->list[i].part[0], &last->part[0]))
      return spn_json_fail(at, err, "expected each part once, got that of %s again", k->list[i].file);
  return SPN_OK;
}

static spn_status read_manifest(kit *k, const spn_json *root, spn_err *err) {
  spn_json version = spn_json_get(root, "kit"), files = spn_json_get(root, "files"), at;
  long long number = 0;
  if (!spn_json_is_object(root)) return spn_json_expected(root, "an object", err);
  SPN_TRY(spn_json_int(&version, 1, 1, &number, err));
  if (!spn_json_is_array(&files) || !spn_json_size(&files) || spn_json_size(&files) > SPN_MAX_TABLE_ENTRIES)
    return spn_json_expected(&files, "a list of models", err);
  k->list = calloc(spn_json_size(&files), sizeof *k->list);
  if (!k->list) return spn_fail(err, SPN_ENOMEM, "latency import: out of memory");
  for (spn_json_iter it = spn_json_iterate(&files); spn_json_next(&it, &at);) {
    SPN_TRY(read_model(&at, &k->list[k->count++], err));
    SPN_TRY(refuse_twice(k, &at, err));
  }
  return SPN_OK;
}

static spn_status load_manifest(kit *k, spn_err *err) {
  char path[4200];
  spn_json_doc *doc;
  snprintf(path, sizeof path, "%.4000s/manifest.json", k->folder);
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc);
  spn_status status = read_manifest(k, &root, err);
  spn_json_free(doc);
  return status;
}

/* ---- Logs ---- */

/* The number behind a name such as " avg=". */
static spn_status number(const spn_lines *lines, const char *line, const char *name, double *out, spn_err *err) {
  const char *at = strstr(line, name);
  char text[32] = "";
  if (at) sscanf(at + strlen(name), "%31[^ ,]", text);
  return spn_lines_real(lines, name, text, 0, 1e12, out, err);
}

/* "count=50 first=.. avg=.. std=..": the last such line is that of the timed runs, microseconds. */
static spn_status read_log(spn_lines *lines, double *ms, double *spread, long long *count, spn_err *err) {
  double runs = 0, mean = 0, deviation = 0;
  int found = 0, timed = 0;
  for (char *line; (line = spn_lines_next(lines));) {
    if (strstr(line, "nference timings in us")) timed = 1;
    char *at = strstr(line, "count=");
    if (!at || !strstr(at, " avg=")) continue;
    SPN_TRY(number(lines, at, "count=", &runs, err));
    SPN_TRY(number(lines, at, " avg=", &mean, err));
    if (runs > 1) SPN_TRY(number(lines, at, " std=", &deviation, err));
    found = 1;
  }
  if (!found || !timed || !(mean > 0) || !(runs >= 1))
    return spn_lines_fail(lines, err, "expected the inference timings of benchmark_model before the end of the log");
  *ms = mean / 1e3;
  *spread = deviation / 1e3;
  *count += (long long)runs;
  return SPN_OK;
}

static void log_path(const kit *k, const model *m, int round, char *out, size_t size) {
  const char *name = strrchr(m->file, '/') ? strrchr(m->file, '/') + 1 : m->file;
  const char *end = strstr(name, ".tflite");
  snprintf(out, size, "%.4000s/results/round-%d/%.*s.log", k->folder, round + 1,
           end ? (int)(end - name) : (int)strlen(name), name);
}

static spn_status read_round(kit *k, int round, spn_err *err) {
  for (int i = 0; i < k->count; i++) {
    char path[4200];
    spn_lines *lines;
    log_path(k, &k->list[i], round, path, sizeof path);
    k->list[i].ms[round] = NAN;
    if (access(path, F_OK)) continue;
    SPN_TRY(spn_lines_load(path, &lines, err));
    spn_status status = read_log(lines, &k->list[i].ms[round], &k->list[i].spread[round], &k->list[i].count, err);
    spn_lines_free(lines);
    if (status) return status;
    k->rounds = round + 1;
  }
  return SPN_OK;
}

/* ---- Judging ---- */

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, ascending);
  return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* A model's cost from the rounds in which its runs were steady. */
static spn_status settle(const kit *k, model *m, int *noisy, spn_err *err) {
  double steady[MAX_ROUNDS], worst = 0, spread = 0;
  int count = 0, measured = 0;
  for (int r = 0; r < k->rounds; r++) {
    if (isnan(m->ms[r])) continue;
    measured++;
    worst = fmax(worst, m->spread[r] / m->ms[r]);
    if (m->spread[r] > k->in->max_spread * m->ms[r]) continue;
    spread = fmax(spread, m->spread[r]);
    steady[count++] = m->ms[r];
  }
  if (!measured)
    return spn_fail(err, SPN_EINPUT, "%.200s: %s was not measured yet; run run.sh again, it goes on where it was",
                    k->folder, m->file);
  if (2 * count <= measured)
    return spn_fail(
        err, SPN_EINPUT,
        "%.200s: %s is too noisy: its runs spread by up to %.1f %% and by more than %.1f %% (latency.max_spread) "
        "in %d of %d rounds; delete its logs and run run.sh again on a cool phone with nothing else running",
        k->folder, m->file, 100 * worst, 100 * k->in->max_spread, measured - count, measured);
  *noisy += measured - count;
  m->cost = median(steady, count);
  m->deviation = fmax(spread, count > 1 ? (steady[count - 1] - steady[0]) / 2 : 0);
  return SPN_OK;
}

static spn_status check_rounds(const kit *k, double *scratch, spn_err *err) {
  for (int r = 0; r < k->rounds; r++) {
    int count = 0;
    for (int i = 0; i < k->count; i++)
      if (!isnan(k->list[i].ms[r])) scratch[count++] = k->list[i].ms[r] / k->list[i].cost;
    double drift = count ? median(scratch, count) - 1 : 0;
    if (count >= 3 && drift > THROTTLED)
      return spn_fail(
          err, SPN_EINPUT,
          "%.200s/results/round-%d: throttled: its models took %.0f %% longer than over all rounds (median of %d); "
          "delete that folder and run run.sh again on a cool phone",
          k->folder, r + 1, 100 * drift, count);
  }
  return SPN_OK;
}

/* ---- Results ---- */

static spn_status add_part(spn_import *in, const model *m, const spn_part *part, double cost, spn_err *err) {
  const spn_table_entry e = {.part = *part, .layer = -1, .cost = cost, .spread = m->deviation, .count = m->count};
  return spn_import_add(in, &e, 0, err);
}

/* Head, pool and classifier were measured as one: the classifier by itself leaves the head. */
static spn_status add_tail(spn_import *in, const kit *k, const model *m, spn_err *err) {
  const spn_table_entry *classifier = spn_table_find(&in->table, &m->part[1], -1);
  double head = m->cost - (classifier ? classifier->cost : 0);
  if (!(head > 0))
    return spn_fail(err, SPN_EINPUT, "%.200s: %s takes no longer than the classifier in it", k->folder, m->file);
  return add_part(in, m, &m->part[0], head, err);
}

static spn_status collect(spn_import *in, const kit *k, spn_kit_results *out, spn_err *err) {
  for (int i = 0; i < k->count; i++)
    if (!strcmp(k->list[i].use, "part")) SPN_TRY(add_part(in, &k->list[i], &k->list[i].part[0], k->list[i].cost, err));
  for (int i = 0; i < k->count; i++) {
    const model *m = &k->list[i];
    if (!strcmp(m->use, "tail")) SPN_TRY(add_tail(in, k, m, err));
    if (!m->arch[0]) continue;
    spn_kit_network *n = &out->network[out->networks++];
    *n = (spn_kit_network){
        .holdout = !strcmp(m->use, "holdout"), .ms = m->cost, .spread = m->deviation, .count = m->count};
    snprintf(n->arch, sizeof n->arch, "%s", m->arch);
  }
  return SPN_OK;
}

static spn_status import(spn_import *in, kit *k, spn_kit_results *out, spn_err *err) {
  SPN_TRY(load_manifest(k, err));
  for (int r = 0; r < MAX_ROUNDS; r++) SPN_TRY(read_round(k, r, err));
  for (int i = 0; i < k->count; i++) SPN_TRY(settle(k, &k->list[i], &out->noisy, err));
  double *scratch = malloc(sizeof *scratch * (size_t)k->count);
  out->network = calloc((size_t)k->count, sizeof *out->network);
  spn_status status = scratch && out->network ? check_rounds(k, scratch, err)
                                              : spn_fail(err, SPN_ENOMEM, "latency import: out of memory");
  free(scratch);
  out->rounds = k->rounds;
  return status ? status : collect(in, k, out, err);
}

spn_status spn_import_kit(spn_import *in, const char *folder, spn_kit_results *out, spn_err *err) {
  kit k = {.folder = folder, .in = in};
  *out = (spn_kit_results){.rounds = 0};
  spn_status status = import(in, &k, out, err);
  free(k.list);
  if (!status) return SPN_OK;
  free(out->network);
  out->network = NULL;
  return status;
}
