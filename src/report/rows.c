/* Rows of metrics and archive, as many as a page needs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "report/pieces.h"

/* Points a plot can show apart; rows that keep their lists; the longest log. */
enum { MAX_ROWS = 1000, MAX_LIST_ROWS = 120, MAX_PATH = 4096 };
static const size_t MAX_BYTES = (size_t)4 << 30;

typedef struct {
  const char *text;
  size_t size, number; /* number: of the line in the file, from 1 */
} line;

typedef struct {
  line *list;
  size_t count, capacity;
} lines;

static int add_line(lines *to, line l) {
  if (to->count == to->capacity) {
    size_t capacity = to->capacity ? 2 * to->capacity : 256;
    line *list = realloc(to->list, capacity * sizeof *list);
    if (!list) return 0;
    to->list = list;
    to->capacity = capacity;
  }
  to->list[to->count++] = l;
  return 1;
}

static int holds(const char *text, size_t size, const char *key) {
  size_t n = strlen(key);
  for (size_t i = 0; i + n <= size; i++)
    if (!memcmp(text + i, key, n)) return 1;
  return 0;
}

/* Lines that hold the key near their beginning; a last one without an end was not written whole. */
static spn_status find_lines(const char *text, size_t size, const char *with, const char *without, lines *out,
                             spn_err *err) {
  enum { NEAR = 100 }; /* keys stand in the first members */
  size_t number = 1;
  for (const char *at = text, *end; (end = memchr(at, '\n', size - (size_t)(at - text))); at = end + 1, number++) {
    size_t length = (size_t)(end - at), look = length < NEAR ? length : NEAR;
    if (!holds(at, look, with) || (without && holds(at, look, without))) continue;
    if (!add_line(out, (line){at, length, number})) return spn_fail(err, SPN_ENOMEM, "report: out of memory");
  }
  return SPN_OK;
}

/* A number to the last bit, a text or a flag; everything else becomes null. */
static void put_plain(spn_json_writer *w, const char *key, const spn_json *at) {
  double number;
  const char *text;
  int flag;
  if (spn_json_is_number(at) && !spn_json_real(at, -INFINITY, INFINITY, &number, NULL)) {
    spn_json_put_number(w, key, number);
  } else if (spn_json_is_string(at) && !spn_json_string(at, &text, NULL)) {
    spn_json_put_text(w, key, text);
  } else if (spn_json_is_bool(at) && !spn_json_bool(at, &flag, NULL)) {
    spn_json_put_flag(w, key, flag);
  } else {
    spn_json_put_text(w, key, NULL);
  }
}

static void put_value(spn_json_writer *w, const char *key, const spn_json *at) {
  spn_json element;
  if (!spn_json_is_array(at)) {
    put_plain(w, key, at);
    return;
  }
  spn_json_array(w, key, SPN_JSON_DENSE);
  for (spn_json_iter it = spn_json_iterate(at); spn_json_next(&it, &element);) put_plain(w, NULL, &element);
  spn_json_end(w);
}

static void put_row(spn_report *r, const spn_json *row, int lists) {
  spn_json member;
  spn_json_object(&r->data, NULL, SPN_JSON_DENSE);
  for (spn_json_iter it = spn_json_iterate(row); spn_json_next(&it, &member);)
    if (lists || !(spn_json_is_array(&member) || spn_json_is_string(&member)))
      put_value(&r->data, spn_json_key(&member), &member);
  spn_json_end(&r->data);
}

static spn_status put_lines(spn_report *r, const char *file, const char *key, const lines *from, spn_err *err) {
  size_t shown = from->count < MAX_ROWS ? from->count : MAX_ROWS;
  size_t stride = (shown + MAX_LIST_ROWS - 1) / MAX_LIST_ROWS;
  spn_json_object(&r->data, key, SPN_JSON_DENSE);
  spn_json_put_integer(&r->data, "count", (long long)from->count);
  spn_json_array(&r->data, "rows", SPN_JSON_DENSE);
  for (size_t i = 0; i < shown; i++) {
    const line *l = &from->list[shown > 1 ? i * (from->count - 1) / (shown - 1) : 0];
    spn_json_doc *doc = NULL;
    spn_err why;
    spn_status status = spn_json_parse(file, l->text, l->size, &doc, &why);
    if (status == SPN_ENOMEM) return spn_fail(err, status, "%s", why.text);
    spn_json row = status ? (spn_json){.item = NULL} : spn_json_root(doc);
    if (!status && !spn_json_is_object(&row)) status = spn_json_expected(&row, "an object", &why);
    if (status) spn_report_note(r, "%s, line %zu is left out: %s", file, l->number, why.text);
    else put_row(r, &row, i % stride == 0 || i + 1 == shown);
    spn_json_free(doc);
  }
  spn_json_end(&r->data);
  spn_json_end(&r->data);
  return SPN_OK;
}

static spn_status put_kind(spn_report *r, const char *file, const char *text, size_t size, const char *const kind[3],
                           spn_err *err) {
  lines found = {0};
  spn_status status = find_lines(text, size, kind[1], kind[2], &found, err);
  if (!status) status = put_lines(r, file, kind[0], &found, err);
  free(found.list);
  return status;
}

/* kinds: name, key that a line has, key that it has not; ends with a NULL name. expected: a missing file is noted. */
static spn_status put_log(spn_report *r, const char *file, int expected, const char *const kinds[][3], spn_err *err) {
  char path[MAX_PATH], *text = NULL;
  size_t size = 0;
  spn_err why;
  SPN_TRY(spn_report_path(r, file, path, sizeof path, err));
  spn_status status = spn_file_read(path, MAX_BYTES, &text, &size, &why);
  if (status == SPN_ENOMEM) return spn_fail(err, status, "%s", why.text);
  if (status && (expected || status != SPN_EINPUT)) spn_report_note(r, "%s", why.text);
  if (status) size = 0;
  if (size && text[size - 1] != '\n') spn_report_note(r, "%s: the last line was not written whole; left out", file);
  status = SPN_OK;
  for (int i = 0; !status && kinds[i][0]; i++) status = put_kind(r, file, size ? text : "", size, kinds[i], err);
  free(text);
  return status;
}

spn_status spn_report_rows(spn_report *r, spn_err *err) {
  static const char *const metrics[][3] = {
      {"steps", "\"step\"", "\"epoch_end\""}, {"epochs", "\"epoch_end\"", NULL}, {NULL}};
  static const char *const archive[][3] = {{"evaluations", "\"evaluation\"", NULL}, {NULL}};
  SPN_TRY(put_log(r, "metrics.jsonl", r->is_run, metrics, err));
  return put_log(r, "archive.jsonl", 0, archive, err);
}
