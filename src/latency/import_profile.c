/* Op profiles of TFLite's benchmark_model (enable_op_profiling): a table of nodes in the order they ran, with commas or
 * tabs, under "Run Order". Columns are found by name: newer files lack "start", older ones write "[avg ms]". */
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "io/lines.h"
#include "latency/import.h"
#include "model/blockstring.h"

enum { MAX_CELLS = 16 };

/* Kinds of node, as letters: convolution, depthwise, dense, addition, mean or pool, sigmoid, product, anything else. */
static char letter_of(const char *type) {
  static const struct {
    const char *word;
    char letter;
  } words[] = {{"DEPTHWISE", 'D'}, {"CONV", 'C'},     {"FULLY", 'F'},   {"ADD", 'A'}, {"MEAN", 'M'},
               {"AVERAGE", 'M'},   {"LOGISTIC", 'S'}, {"SIGMOID", 'S'}, {"MUL", 'X'}};
  for (size_t w = 0; w < sizeof words / sizeof *words; w++)
    for (const char *at = type; *at; at++)
      if (!strncasecmp(at, words[w].word, strlen(words[w].word))) return words[w].letter;
  return '-';
}

/* The nodes of a part, in order. */
static void signature(const spn_part *p, char *out) {
  switch (p->kind) {
    case SPN_PART_CLASSIFIER: strcpy(out, "MF"); return;
    case SPN_PART_BLOCK:
      snprintf(out, 16, "%sD%sC%s", p->expand > 1 ? "C" : "", p->se > 0 ? "MCCSX" : "", p->residual ? "A" : "");
      return;
    default: strcpy(out, "C"); return;
  }
}

/* Cuts a row into cells at commas, or at tabs where there is no comma. */
static int split(char *line, char **cell) {
  const char *by = strchr(line, ',') ? "," : "\t";
  int count = 0;
  line += strspn(line, " \t");
  for (char *at = line; count < MAX_CELLS; count++) {
    char *end = at + strcspn(at, by), last = *end;
    *end = 0;
    at += strspn(at, " \t");
    for (char *back = end; back > at && strchr(" \t", back[-1]);) *--back = 0;
    cell[count] = at;
    if (!last) return count + 1;
    at = end + 1;
  }
  return count;
}

/* "[avg ms]" and "avg_ms" are one name. */
static int is_name(const char *cell, const char *name) {
  while (*cell || *name) {
    if (*cell == '[' || *cell == ']') {
      cell++;
      continue;
    }
    if ((*cell == ' ' ? '_' : *cell) != *name) return 0;
    cell++;
    name++;
  }
  return 1;
}

static int find_name(char **cell, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (is_name(cell[i], name)) return i;
  return -1;
}

/* ---- Walking the network ---- */

typedef struct {
  spn_part part[SPN_MAX_PARTS];
  double ms[SPN_MAX_PARTS];
  int parts, at;
  char waits[16]; /* nodes of the current part that are still to come */
} walk;

static void begin_part(walk *w) {
  if (w->at < w->parts) signature(&w->part[w->at], w->waits);
  else w->waits[0] = 0;
}

static int fits(char wanted, char got) { return wanted == got || (wanted == 'F' && got == 'C'); }

/* Gives a node's time to its part. Nodes that no part waits for (reshapes, pads, activations by themselves, softmax)
 * belong to the part they follow. */
static spn_status take_node(const spn_lines *lines, walk *w, const char *type, double ms, spn_err *err) {
  char letter = letter_of(type), text[64];
  if (letter == '-') {
    w->ms[w->at ? w->at - (w->at >= w->parts || !w->waits[0]) : 0] += ms;
    return SPN_OK;
  }
  if (w->at >= w->parts) return spn_lines_fail(lines, err, "expected the end of the network, got a node %.40s", type);
  spn_part_text(&w->part[w->at], text, sizeof text);
  if (!fits(w->waits[0], letter))
    return spn_lines_fail(lines, err,
                          "expected the nodes of %s (the %c of %s), got %.40s: is it the profile of this network?",
                          text, w->waits[0], w->waits, type);
  w->ms[w->at] += ms;
  memmove(w->waits, w->waits + 1, strlen(w->waits));
  if (!w->waits[0]) {
    w->at++;
    begin_part(w);
  }
  return SPN_OK;
}

/* One run-order table: rows until an empty line. */
static spn_status read_nodes(spn_lines *lines, char *header, walk *w, spn_err *err) {
  char *cell[MAX_CELLS];
  int count = split(header, cell), type = find_name(cell, count, "node_type"), avg = find_name(cell, count, "avg_ms");
  if (type < 0 || avg < 0)
    return spn_lines_fail(lines, err, "expected the columns node type and avg_ms, got a header without them");
  int last = type > avg ? type : avg;
  for (char *line; (line = spn_lines_next(lines));) {
    double ms;
    if (!line[strspn(line, " \t")] || strstr(line, "=====")) break;
    count = split(line, cell);
    if (count <= last) return spn_lines_fail(lines, err, "expected at least %d cells, got %d", last + 1, count);
    SPN_TRY(spn_lines_real(lines, "avg_ms", cell[avg], 0, 1e9, &ms, err));
    SPN_TRY(take_node(lines, w, cell[type], ms, err));
  }
  if (w->at < w->parts)
    return spn_lines_fail(lines, err, "the profile ends at part %d of %d of the network", w->at, w->parts);
  return SPN_OK;
}

/* "count=50 first=1 curr=2 min=1 max=3 avg=2.5 std=0.1" in a log around the table: how steady whole runs were. */
static spn_status check_runs(const spn_import *in, const spn_lines *lines, const char *line, spn_err *err) {
  const char *avg = strstr(line, " avg="), *std = strstr(line, " std=");
  spn_err inner = {0};
  double mean, deviation;
  if (strncmp(line, "count=", 6) || atoi(line + 6) < 5 || !avg || !std) return SPN_OK;
  if (sscanf(avg, " avg=%lf", &mean) != 1 || sscanf(std, " std=%lf", &deviation) != 1 || !(mean > 0) ||
      !(deviation >= 0))
    return spn_lines_fail(lines, err, "expected numbers behind avg= and std=");
  return spn_import_steady(in, mean, deviation, &inner) ? spn_lines_fail(lines, err, "%s", inner.text) : SPN_OK;
}

static spn_status read_lines(spn_import *in, spn_lines *lines, walk *w, spn_err *err) {
  int in_order = 1, found = 0; /* a table by itself has no title */
  for (char *line; (line = spn_lines_next(lines));) {
    if (strstr(line, "=====")) in_order = strstr(line, "Run Order") != NULL;
    SPN_TRY(check_runs(in, lines, line, err));
    if (!in_order || found || !strstr(line, "node type")) continue;
    SPN_TRY(read_nodes(lines, line, w, err));
    found = 1;
  }
  return found ? SPN_OK : spn_lines_fail(lines, err, "expected a table of nodes in run order, got none");
}

static spn_status load_network(const spn_import *in, const char *path, walk *w, spn_err *err) {
  static spn_arch arch;
  int index[SPN_MAX_PARTS];
  if (!in->network || !in->network[0])
    return spn_fail(err, SPN_EINPUT, "%.200s:1: an op profile needs the network it is of: latency.network (--network)",
                    path);
  if (spn_blockstring_is(in->network)) SPN_TRY(spn_blockstring_network(in->network, &arch, NULL, err));
  else SPN_TRY(spn_arch_load(in->network, &arch, err));
  memset(w, 0, sizeof *w);
  w->parts = spn_parts_of(&arch, w->part, index);
  begin_part(w);
  return SPN_OK;
}

spn_status spn_import_profile(spn_import *in, const char *path, spn_err *err) {
  static walk w;
  spn_lines *lines;
  SPN_TRY(load_network(in, path, &w, err));
  SPN_TRY(spn_lines_load(path, &lines, err));
  spn_status status = read_lines(in, lines, &w, err);
  spn_lines_free(lines);
  for (int i = 0; !status && i < w.parts; i++) {
    spn_table_entry e = {.part = w.part[i], .layer = -1, .cost = w.ms[i], .spread = NAN, .count = 1};
    status = spn_import_add(in, &e, 1, err);
  }
  return status;
}
