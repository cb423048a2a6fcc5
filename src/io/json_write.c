#include "io/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "io/file.h"

/* ---- The buffer ---- */

static void put(spn_json_writer *w, const char *bytes, size_t n) {
  if (w->failed) return;
  if (w->size + n + 1 > w->capacity) {
    size_t capacity = w->capacity ? 2 * w->capacity : 256;
    while (capacity < w->size + n + 1) capacity *= 2;
    char *more = realloc(w->text, capacity);
    if (!more) {
      w->failed = 1;
      return;
    }
    w->text = more;
    w->capacity = capacity;
  }
  memcpy(w->text + w->size, bytes, n);
  w->size += n;
  w->text[w->size] = 0;
}

static void put_string(spn_json_writer *w, const char *text) { put(w, text, strlen(text)); }

void spn_json_begin(spn_json_writer *w) {
  w->size = 0;
  w->failed = w->depth = 0;
}

void spn_json_pad(spn_json_writer *w, size_t align, size_t before) {
  while (!w->failed && (before + w->size) % align) put(w, " ", 1);
}

spn_status spn_json_finish(spn_json_writer *w, const char *what, const char **text, size_t *size, spn_err *err) {
  if (w->failed || !w->text) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", what);
  *text = w->text;
  if (size) *size = w->size;
  return SPN_OK;
}

char *spn_json_take(spn_json_writer *w) {
  char *text = w->failed ? NULL : w->text;
  if (!text) free(w->text);
  *w = (spn_json_writer){0};
  return text;
}

void spn_json_writer_free(spn_json_writer *w) {
  free(w->text);
  *w = (spn_json_writer){0};
}

spn_status spn_json_save(spn_json_writer *w, const char *path, spn_err *err) {
  const char *text = NULL;
  size_t size = 0;
  put(w, "\n", 1);
  spn_status status = spn_json_finish(w, path, &text, &size, err);
  if (!status) status = spn_file_write(path, text, size, err);
  spn_json_writer_free(w);
  return status;
}

/* ---- Text ---- */

static void put_quoted(spn_json_writer *w, const char *text) {
  put(w, "\"", 1);
  for (const unsigned char *s = (const unsigned char *)text; *s;) {
    char escape[8];
    int n = spn_utf8_length((const char *)s);
    if (*s == '"' || *s == '\\') put(w, (char[]){'\\', (char)*s}, 2);
    else if (*s < 0x20 || *s == 0x7f) put(w, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", *s));
    else if (n) put(w, (const char *)s, (size_t)n);
    else put_string(w, "\xef\xbf\xbd"); /* U+FFFD */
    s += n ? n : 1;
  }
  put(w, "\"", 1);
}

/* ---- Structure ---- */

static int layout_of(const spn_json_writer *w) { return w->depth ? w->level[w->depth - 1].layout : SPN_JSON_LINES; }

static void new_line(spn_json_writer *w) {
  put(w, "\n", 1);
  for (int i = 0; i < w->depth; i++) put(w, "  ", 2);
}

/* What stands between the value before and this one, and the key. */
static void lead(spn_json_writer *w, const char *key) {
  int layout = layout_of(w);
  if (w->depth) {
    if (w->level[w->depth - 1].filled) put_string(w, layout == SPN_JSON_INLINE ? ", " : ",");
    if (layout == SPN_JSON_LINES) new_line(w);
    w->level[w->depth - 1].filled = 1;
  }
  if (!key) return;
  put_quoted(w, key);
  put_string(w, layout == SPN_JSON_DENSE ? ":" : ": ");
}

static void open_level(spn_json_writer *w, const char *key, const char *brackets, spn_json_layout layout) {
  int outer = layout_of(w);
  lead(w, key);
  put(w, brackets, 1);
  if (w->depth == SPN_JSON_DEPTH) {
    w->failed = 1; /* no document of ours is so deep */
    return;
  }
  w->level[w->depth].end = brackets[1];
  w->level[w->depth].layout = (int)layout < outer ? (int)layout : outer;
  w->level[w->depth].filled = 0;
  w->depth++;
}

void spn_json_object(spn_json_writer *w, const char *key, spn_json_layout layout) { open_level(w, key, "{}", layout); }

void spn_json_array(spn_json_writer *w, const char *key, spn_json_layout layout) { open_level(w, key, "[]", layout); }

void spn_json_end(spn_json_writer *w) {
  if (!w->depth) return;
  w->depth--;
  if (w->level[w->depth].layout == SPN_JSON_LINES && w->level[w->depth].filled) new_line(w);
  put(w, &w->level[w->depth].end, 1);
}

/* ---- Values ---- */

void spn_json_put_raw(spn_json_writer *w, const char *key, const char *json, size_t size) {
  lead(w, key);
  put(w, json, size);
}

void spn_json_put_text(spn_json_writer *w, const char *key, const char *text) {
  lead(w, key);
  if (text) put_quoted(w, text);
  else put_string(w, "null");
}

const char *spn_shortest(double value, char *text) {
  int whole = fabs(value) < 1e9 && value == floor(value);
  if (whole) snprintf(text, 32, "%.0f", value);             /* 1000, not 1e+03 */
  for (int digits = 15; digits <= 17 && !whole; digits++) { /* any decimal of up to 15 digits survives */
    snprintf(text, 32, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  return text;
}

void spn_json_put_number(spn_json_writer *w, const char *key, double value) {
  char text[32];
  lead(w, key);
  put_string(w, isfinite(value) ? spn_shortest(value, text) : "null");
}

void spn_json_put_rounded(spn_json_writer *w, const char *key, double value, int digits) {
  char text[40];
  lead(w, key);
  snprintf(text, sizeof text, "%.*g", digits < 1 ? 1 : digits > 17 ? 17 : digits, value);
  put_string(w, isfinite(value) ? text : "null");
}

void spn_json_put_integer(spn_json_writer *w, const char *key, long long value) {
  char text[32];
  lead(w, key);
  put(w, text, (size_t)snprintf(text, sizeof text, "%lld", value));
}

void spn_json_put_flag(spn_json_writer *w, const char *key, int value) {
  lead(w, key);
  put_string(w, value ? "true" : "false");
}
