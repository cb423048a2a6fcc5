#include "io/json.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/json_scan.h"

enum { MAX_FILE = 64 << 20, MAX_GOT = 40, MAX_LIST = 400 };

struct spn_json_doc {
  char *name, *text;
  size_t size;
  cJSON *root;
};

/* ---- Documents ---- */

static const cJSON *item_of(const spn_json *at) { return at->item; }

static int by_key(const void *a, const void *b) {
  const cJSON *x = *(const cJSON *const *)a, *y = *(const cJSON *const *)b;
  int order = strcmp(x->string, y->string);
  return order ? order : (x->string > y->string) - (x->string < y->string);
}

static spn_status fail_at(const spn_json_doc *doc, size_t offset, spn_err *err, const char *path, const char *text) {
  spn_text_place place = spn_place_of(doc->text, offset);
  return spn_fail(err, SPN_EINPUT, "%s:%zu:%zu%s%s: %s", doc->name, place.line, place.column, *path ? " " : "", path,
                  text);
}

static spn_status check_duplicates(const spn_json_doc *doc, const cJSON *object, spn_err *err) {
  size_t n = 0;
  for (const cJSON *c = object->child; c; c = c->next) n++;
  const cJSON **sorted = malloc((n ? n : 1) * sizeof *sorted);
  if (!sorted) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", doc->name);
  n = 0;
  for (const cJSON *c = object->child; c; c = c->next) sorted[n++] = c;
  qsort(sorted, n, sizeof *sorted, by_key);
  spn_status status = SPN_OK;
  for (size_t i = 1; i < n && !status; i++) {
    if (strcmp(sorted[i - 1]->string, sorted[i]->string)) continue;
    size_t a = spn_json_locate(doc->text, doc->size, doc->root, sorted[i - 1]).key;
    size_t b = spn_json_locate(doc->text, doc->size, doc->root, sorted[i]).key;
    char text[128];
    snprintf(text, sizeof text, "the key \"%.60s\" stands twice; first in line %zu", sorted[i]->string,
             spn_place_of(doc->text, a < b ? a : b).line);
    status = fail_at(doc, a < b ? b : a, err, "", text);
  }
  free(sorted);
  return status;
}

/* What the grammar does not say: finite numbers, keys that stand once. */
static spn_status check_tree(const spn_json_doc *doc, const cJSON *item, spn_err *err) {
  if (cJSON_IsNumber(item) && !isfinite(item->valuedouble))
    return fail_at(doc, spn_json_locate(doc->text, doc->size, doc->root, item).begin, err, "",
                   "expected a number that fits a double, got one too large");
  if (cJSON_IsObject(item)) SPN_TRY(check_duplicates(doc, item, err));
  for (const cJSON *c = item->child; c; c = c->next) SPN_TRY(check_tree(doc, c, err));
  return SPN_OK;
}

/* Takes over text, which has a terminating zero. */
static spn_status parse_owned(const char *name, char *text, size_t size, spn_json_doc **out, spn_err *err) {
  spn_json_doc *doc = calloc(1, sizeof *doc);
  char *copy = strdup(name);
  *out = NULL;
  if (!doc || !copy) {
    free(doc);
    free(copy);
    free(text);
    return spn_fail(err, SPN_ENOMEM, "%s: out of memory", name);
  }
  *doc = (spn_json_doc){.name = copy, .text = text, .size = size};
  spn_status status = spn_json_scan(name, text, size, err);
  if (!status) {
    doc->root = cJSON_ParseWithLengthOpts(text, size + 1, NULL, 1);
    if (!doc->root) status = spn_fail(err, SPN_ENOMEM, "%s: out of memory while parsing", name);
  }
  if (!status) status = check_tree(doc, doc->root, err);
  if (status) {
    spn_json_free(doc);
    return status;
  }
  *out = doc;
  return SPN_OK;
}

spn_status spn_json_load(const char *file, spn_json_doc **out, spn_err *err) {
  char *text;
  size_t size;
  *out = NULL;
  SPN_TRY(spn_file_read(file, MAX_FILE, &text, &size, err));
  return parse_owned(file, text, size, out, err);
}

spn_status spn_json_parse(const char *name, const char *text, size_t size, spn_json_doc **out, spn_err *err) {
  char *copy = size < SIZE_MAX ? malloc(size + 1) : NULL;
  *out = NULL;
  if (!copy) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", name);
  if (size) memcpy(copy, text, size);
  copy[size] = 0;
  return parse_owned(name, copy, size, out, err);
}

void spn_json_free(spn_json_doc *doc) {
  if (!doc) return;
  cJSON_Delete(doc->root);
  free(doc->text);
  free(doc->name);
  free(doc);
}

spn_json spn_json_root(const spn_json_doc *doc) { return (spn_json){.doc = doc, .item = doc->root}; }

char *spn_json_text(const spn_json *at) { return at->item ? cJSON_PrintUnformatted(item_of(at)) : strdup("null"); }

/* ---- Places and errors ---- */

static const cJSON *step(const cJSON *parent, const char **path);

/* The deepest item on the way to a path that does not exist. */
static const cJSON *deepest(const spn_json *at) {
  const cJSON *item = at->doc->root;
  const char *rest = at->path;
  for (const cJSON *next = item; next; next = step(item, &rest)) item = next;
  return item;
}

/* The child that the front of *path names, and *path moved past it. */
static const cJSON *step(const cJSON *parent, const char **path) {
  const char *p = *path;
  if (cJSON_IsArray(parent) && *p == '[') {
    char *end;
    unsigned long i = strtoul(p + 1, &end, 10);
    *path = *end == ']' ? end + 1 : end;
    return i <= INT_MAX ? cJSON_GetArrayItem(parent, (int)i) : NULL;
  }
  if (!cJSON_IsObject(parent)) return NULL;
  if (*p == '.') p++;
  for (const cJSON *c = parent->child; c; c = c->next) {
    size_t n = strlen(c->string);
    if (n && !strncmp(p, c->string, n) && (!p[n] || p[n] == '.' || p[n] == '[')) {
      *path = p + n;
      return c;
    }
  }
  return NULL;
}

static spn_json_span span_of(const spn_json *at) {
  const cJSON *item = at->item ? item_of(at) : deepest(at);
  return spn_json_locate(at->doc->text, at->doc->size, at->doc->root, item);
}

static void describe(const spn_json *at, spn_json_span span, char *text) {
  if (!at->item) {
    strcpy(text, "nothing");
  } else if (spn_json_is_object(at) || spn_json_is_array(at)) {
    strcpy(text, spn_json_is_object(at) ? "an object" : "an array");
  } else {
    size_t n = span.end - span.begin, shown = n > MAX_GOT ? MAX_GOT : n;
    memcpy(text, at->doc->text + span.begin, shown);
    strcpy(text + shown, n > MAX_GOT ? "..." : "");
  }
}

spn_status spn_json_expected(const spn_json *at, const char *expected, spn_err *err) {
  char got[MAX_GOT + 8], text[768];
  spn_json_span span = span_of(at);
  describe(at, span, got);
  snprintf(text, sizeof text, "expected %.700s, got %s", expected, got);
  return fail_at(at->doc, span.begin, err, at->path, text);
}

spn_status spn_json_fail(const spn_json *at, spn_err *err, const char *format, ...) {
  char text[768];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return fail_at(at->doc, span_of(at).begin, err, at->path, text);
}

/* ---- Walking ---- */

static void path_append(char *path, const char *text) {
  size_t n = strlen(path), limit = sizeof((spn_json *)0)->path - 1;
  for (; *text && n < limit; text++) path[n++] = iscntrl((unsigned char)*text) ? '?' : *text;
  path[n] = 0;
}

/* item, the i-th child of parent, with its path. */
static spn_json child_of(const spn_json *parent, const cJSON *item, size_t i) {
  spn_json child = *parent;
  char index[32];
  child.item = item;
  if (spn_json_is_object(parent)) {
    if (*child.path) path_append(child.path, ".");
    if (item) path_append(child.path, item->string);
  } else {
    snprintf(index, sizeof index, "[%zu]", i);
    path_append(child.path, index);
  }
  return child;
}

spn_json spn_json_get(const spn_json *object, const char *key) {
  spn_json child = *object;
  child.item = spn_json_is_object(object) ? cJSON_GetObjectItemCaseSensitive(item_of(object), key) : NULL;
  if (*child.path) path_append(child.path, ".");
  path_append(child.path, key);
  return child;
}

static const cJSON *first_child(const spn_json *at) {
  return spn_json_is_object(at) || spn_json_is_array(at) ? item_of(at)->child : NULL;
}

size_t spn_json_size(const spn_json *array_or_object) {
  size_t n = 0;
  for (const cJSON *c = first_child(array_or_object); c; c = c->next) n++;
  return n;
}

spn_json spn_json_at(const spn_json *array_or_object, size_t i) {
  const cJSON *c = first_child(array_or_object);
  for (size_t j = 0; c && j < i; j++) c = c->next;
  return child_of(array_or_object, c, i);
}

const char *spn_json_key(const spn_json *member) {
  return member->item && item_of(member)->string ? item_of(member)->string : "";
}

spn_json_iter spn_json_iterate(const spn_json *array_or_object) {
  return (spn_json_iter){.container = *array_or_object, .next = first_child(array_or_object)};
}

int spn_json_next(spn_json_iter *it, spn_json *member) {
  const cJSON *c = it->next;
  if (!c) return 0;
  *member = child_of(&it->container, c, it->i++);
  it->next = c->next;
  return 1;
}

int spn_json_is_null(const spn_json *at) { return !at->item || cJSON_IsNull(item_of(at)); }
int spn_json_is_object(const spn_json *at) { return at->item && cJSON_IsObject(item_of(at)); }
int spn_json_is_array(const spn_json *at) { return at->item && cJSON_IsArray(item_of(at)); }
int spn_json_is_string(const spn_json *at) { return at->item && cJSON_IsString(item_of(at)); }
int spn_json_is_number(const spn_json *at) { return at->item && cJSON_IsNumber(item_of(at)); }
int spn_json_is_bool(const spn_json *at) { return at->item && cJSON_IsBool(item_of(at)); }

spn_status spn_json_only(const spn_json *object, const char *const *known, spn_err *err) {
  spn_json member;
  for (spn_json_iter it = spn_json_iterate(object); spn_json_next(&it, &member);) {
    char text[MAX_LIST + 64], list[MAX_LIST];
    if (spn_name_index(known, spn_json_key(&member)) >= 0) continue;
    const char *nearest = spn_nearest(spn_json_key(&member), known);
    spn_names_text(known, "", NULL, list, sizeof list);
    if (nearest) snprintf(text, sizeof text, "unknown key; did you mean \"%.100s\"?", nearest);
    else snprintf(text, sizeof text, "unknown key; expected %s", *list ? list : "none");
    return fail_at(object->doc, span_of(&member).key, err, member.path, text);
  }
  return SPN_OK;
}

/* ---- Typed getters ---- */

spn_status spn_json_int(const spn_json *at, long long min, long long max, long long *out, spn_err *err) {
  const double exact = 9007199254740992.0; /* 2^53: beyond it a double may not be the integer that was written */
  char expected[96];
  double v = spn_json_is_number(at) ? item_of(at)->valuedouble : NAN;
  if (v == floor(v) && fabs(v) < exact && (long long)v >= min && (long long)v <= max) {
    *out = (long long)v;
    return SPN_OK;
  }
  if (min == max) snprintf(expected, sizeof expected, "%lld", min);
  else if (min <= -(1LL << 53) && max >= 1LL << 53)
    snprintf(expected, sizeof expected, "an integer (below 2^53 in size)");
  else if (max >= INT_MAX) snprintf(expected, sizeof expected, "an integer of at least %lld", min);
  else if (min <= INT_MIN) snprintf(expected, sizeof expected, "an integer of at most %lld", max);
  else snprintf(expected, sizeof expected, "an integer from %lld to %lld", min, max);
  if (max >= INT_MAX && min > -(1LL << 53) && v > (double)max) /* "at least" would not explain this refusal */
    snprintf(expected, sizeof expected, "an integer from %lld to %lld", min, max);
  return spn_json_expected(at, expected, err);
}

spn_status spn_json_real(const spn_json *at, double min, double max, double *out, spn_err *err) {
  char expected[96];
  double v = spn_json_is_number(at) ? item_of(at)->valuedouble : NAN;
  if (v >= min && v <= max) {
    *out = v;
    return SPN_OK;
  }
  if (min <= -1e300 && max >= 1e300) snprintf(expected, sizeof expected, "a number");
  else if (max >= 1e300) snprintf(expected, sizeof expected, "a number of at least %g", min);
  else if (min <= -1e300) snprintf(expected, sizeof expected, "a number of at most %g", max);
  else snprintf(expected, sizeof expected, "a number from %g to %g", min, max);
  return spn_json_expected(at, expected, err);
}

spn_status spn_json_bool(const spn_json *at, int *out, spn_err *err) {
  if (!spn_json_is_bool(at)) return spn_json_expected(at, "true or false", err);
  *out = cJSON_IsTrue(item_of(at)) != 0;
  return SPN_OK;
}

spn_status spn_json_string(const spn_json *at, const char **out, spn_err *err) {
  if (!spn_json_is_string(at)) return spn_json_expected(at, "a string", err);
  *out = item_of(at)->valuestring;
  return SPN_OK;
}

spn_status spn_json_choice(const spn_json *at, const char *const *names, int *out, spn_err *err) {
  const char *got = spn_json_is_string(at) ? item_of(at)->valuestring : NULL;
  char list[SPN_NAMES_TEXT];
  int index = got ? spn_name_index(names, got) : -1;
  if (index >= 0) {
    *out = index;
    return SPN_OK;
  }
  spn_names_text(names, "\"", got, list, sizeof list);
  return spn_json_expected(at, list, err);
}
