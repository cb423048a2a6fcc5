/* The subset of YAML in which ProxylessNAS and OFA publish their tables: keys at the margin, "mean", "var" or "std",
 * and "count" indented below or in braces behind. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/lines.h"
#include "latency/import.h"

typedef struct {
  spn_table_entry entry;
  int open, line, expressible;
  double variance;
} record;

/* "112x112x16" or "1000": up to three sizes. Returns how many, 0 when it is none. */
static int read_sizes(const char *text, int *out) {
  char *end;
  for (int n = 0; n < 3; n++) {
    long value = strtol(text, &end, 10);
    if (end == text || value < 1 || value > SPN_MAX_CLASSES) return 0;
    out[n] = (int)value;
    if (!*end) return n + 1;
    if (*end != 'x') return 0;
    text = end + 1;
  }
  return 0;
}

/* What a key says. -1: absent. */
typedef struct {
  char op[32];
  int in[3], ins, out[3], outs, expand, kernel, stride, idskip, se;
} key_parts;

static spn_status read_key(const spn_lines *lines, char *text, key_parts *k, spn_err *err) {
  char *save = NULL, *word = strtok_r(text, "-", &save);
  *k = (key_parts){.expand = -1, .kernel = -1, .stride = -1, .idskip = -1, .se = -1};
  snprintf(k->op, sizeof k->op, "%.31s", word ? word : "");
  while ((word = strtok_r(NULL, "-", &save))) {
    const struct {
      const char *name;
      int *value;
    } numbers[] = {
        {"expand", &k->expand}, {"kernel", &k->kernel}, {"stride", &k->stride}, {"idskip", &k->idskip}, {"se", &k->se}};
    char *value = strchr(word, ':');
    double number;
    if (!value) return spn_lines_fail(lines, err, "expected name:value in the key, got \"%.40s\"", word);
    *value++ = 0;
    if (!strcmp(word, "input")) k->ins = read_sizes(value, k->in);
    if (!strcmp(word, "output")) k->outs = read_sizes(value, k->out);
    for (int i = 0; i < 5; i++) {
      if (strcmp(word, numbers[i].name)) continue;
      SPN_TRY(spn_lines_real(lines, word, value, 0, SPN_MAX_CHANNELS * 64, &number, err));
      *numbers[i].value = (int)number;
    }
  }
  if (!k->ins || !k->outs)
    return spn_lines_fail(lines, err, "expected input: and output: with sizes like 56x56x24 in the key of %s", k->op);
  return SPN_OK;
}

/* OFA's later tables (with se) give expanded channels in the place of the ratio, and squeeze a part of those: only
 * whole ratios without SE can be expressed. */
static int block_of(const key_parts *k, spn_part *p) {
  *p = (spn_part){SPN_PART_BLOCK, k->in[0], k->in[2], k->out[2], k->kernel, k->stride, k->expand, 0, k->idskip == 1};
  if (k->se >= 0) {
    if (k->se > 0 || k->expand % k->in[2]) return 0;
    p->expand = k->expand / k->in[2];
  }
  return (p->kernel == 3 || p->kernel == 5 || p->kernel == 7) && (p->stride == 1 || p->stride == 2) && p->expand >= 1 &&
         p->expand <= SPN_MAX_EXPAND && (!p->residual || (p->stride == 1 && p->in == p->out));
}

static int part_of(const key_parts *k, spn_part *p) {
  int square = k->ins == 3 && k->in[0] == k->in[1];
  if (k->ins < 3 || k->in[0] > SPN_MAX_SIZE || k->in[2] > SPN_MAX_CHANNELS) return 0;
  if (!strcmp(k->op, "expanded_conv")) return square && k->outs == 3 && k->out[2] <= SPN_MAX_CHANNELS && block_of(k, p);
  if (!strcmp(k->op, "Logits")) {
    *p = (spn_part){.kind = SPN_PART_CLASSIFIER, .h = k->in[0], .in = k->in[2], .out = k->out[k->outs - 1]};
    return square;
  }
  if (!square || k->outs != 3 || k->out[2] > SPN_MAX_CHANNELS) return 0;
  if (!strcmp(k->op, "Conv_1") && k->in[0] == k->out[0]) {
    *p = (spn_part){.kind = SPN_PART_HEAD, .h = k->in[0], .in = k->in[2], .out = k->out[2]};
    return 1;
  }
  if (strcmp(k->op, "Conv") || k->out[0] * 2 != k->in[0]) return 0;
  *p = (spn_part){.kind = SPN_PART_STEM, .h = k->in[0], .in = k->in[2], .out = k->out[2], .kernel = 3, .stride = 2};
  return 1;
}

static spn_status close_record(spn_import *in, const spn_lines *lines, record *r, spn_err *err) {
  spn_err inner = {0};
  if (!r->open) return SPN_OK;
  r->open = 0;
  if (!(r->entry.cost > 0))
    return spn_lines_fail(lines, err, "expected a mean for the key of line %d, got none", r->line);
  if (!isnan(r->variance)) r->entry.spread = sqrt(r->variance);
  if (!r->expressible) {
    in->passed_over++;
    return SPN_OK;
  }
  spn_status status = spn_import_add(in, &r->entry, 0, &inner);
  if (status == SPN_EINPUT) return spn_lines_fail(lines, err, "key of line %d: %s", r->line, inner.text);
  return status ? spn_fail(err, status, "%s", inner.text) : SPN_OK;
}

/* "mean: 1.5" */
static spn_status read_value(const spn_lines *lines, char *text, record *r, spn_err *err) {
  text += strspn(text, " \t");
  char *colon = strchr(text, ':');
  double count;
  if (!*text) return SPN_OK;
  if (!colon) return spn_lines_fail(lines, err, "expected name: value, got \"%.40s\"", text);
  *colon++ = 0;
  if (!strcmp(text, "mean")) return spn_lines_real(lines, text, colon, 1e-9, 1e9, &r->entry.cost, err);
  if (!strcmp(text, "std")) return spn_lines_real(lines, text, colon, 0, 1e9, &r->entry.spread, err);
  if (!strcmp(text, "var")) return spn_lines_real(lines, text, colon, 0, 1e18, &r->variance, err);
  if (strcmp(text, "count")) return SPN_OK;
  SPN_TRY(spn_lines_real(lines, text, colon, 1, 1e12, &count, err));
  r->entry.count = (long long)count;
  return SPN_OK;
}

/* A line at the margin: "key:" or "key: {mean: 1.5, count: 3}". */
static spn_status open_record(const spn_lines *lines, char *line, record *r, spn_err *err) {
  key_parts k;
  char *brace = strchr(line, '{'), *end = brace ? brace : line + strlen(line);
  while (end > line && strchr(" \t", end[-1])) end--;
  if (end == line || end[-1] != ':')
    return spn_lines_fail(lines, err, "expected a key with a colon behind it, got \"%.40s\"", line);
  end[-1] = 0;
  *r = (record){.entry = {.layer = -1, .spread = NAN}, .open = 1, .line = spn_lines_number(lines), .variance = NAN};
  SPN_TRY(read_key(lines, line, &k, err));
  r->expressible = part_of(&k, &r->entry.part);
  if (!brace) return SPN_OK;
  char *save = NULL, *close = strchr(brace, '}');
  if (!close) return spn_lines_fail(lines, err, "expected a closing brace, got the line's end");
  if (close[1 + strspn(close + 1, " \t\r")])
    return spn_lines_fail(lines, err, "expected nothing behind the closing brace, got \"%.40s\"", close + 1);
  *close = 0;
  for (char *word = strtok_r(brace + 1, ",", &save); word; word = strtok_r(NULL, ",", &save))
    SPN_TRY(read_value(lines, word, r, err));
  return SPN_OK;
}

static spn_status read_lines(spn_import *in, spn_lines *lines, spn_err *err) {
  record r = {.open = 0};
  for (char *line; (line = spn_lines_next(lines));) {
    if (line[strspn(line, " \t")] == 0 || line[0] == '#' || !strcmp(line, "---")) continue;
    if (line[0] == ' ' || line[0] == '\t') {
      if (!r.open) return spn_lines_fail(lines, err, "expected a key before the first value, got \"%.40s\"", line);
      SPN_TRY(read_value(lines, line, &r, err));
      continue;
    }
    SPN_TRY(close_record(in, lines, &r, err));
    SPN_TRY(open_record(lines, line, &r, err));
  }
  return close_record(in, lines, &r, err);
}

spn_status spn_import_yaml(spn_import *in, const char *path, spn_err *err) {
  spn_lines *lines;
  SPN_TRY(spn_lines_load(path, &lines, err));
  spn_status status = read_lines(in, lines, err);
  spn_lines_free(lines);
  return status;
}
