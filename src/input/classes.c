/* The names of classes: what they may be, and how one set's meet another's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "input/dataset.h"
#include "io/lines.h"

spn_status spn_classes_number(spn_dataset *set, int classes, spn_err *err) {
  set->class_names = calloc((size_t)classes, sizeof *set->class_names);
  if (!set->class_names) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", set->path);
  set->classes = classes;
  for (int i = 0; i < classes; i++) {
    char text[16];
    snprintf(text, sizeof text, "%d", i);
    if (!(set->class_names[i] = strdup(text))) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", set->path);
  }
  return SPN_OK;
}

/* ---- What is refused ---- */

/* A name for messages: bytes that are not UTF-8, and control characters, as \xNN. */
static const char *readable(const char *name, char *text, size_t size) {
  size_t used = 0;
  for (; *name && used + 5 < size;) {
    int n = spn_utf8_length(name), plain = n && (unsigned char)*name >= 0x20 && *name != 0x7f;
    if (plain) memcpy(text + used, name, (size_t)n);
    else n = 1;
    used += plain ? (size_t)n : (size_t)snprintf(text + used, size - used, "\\x%02x", (unsigned char)*name);
    name += n;
  }
  text[used] = 0;
  return text;
}

static spn_status check_name(const char *place, const char *name, int label, spn_err *err) {
  const char *wrong = *name ? NULL : "is empty";
  char text[256];
  if (strlen(name) > SPN_CLASS_NAME_MAX) wrong = "is too long";
  for (const char *c = name; *c && !wrong; c += spn_utf8_length(c)) {
    if (!spn_utf8_length(c)) wrong = "is not UTF-8";
    else if ((unsigned char)*c < 0x20 || *c == 0x7f) wrong = "holds a control character";
    if (wrong) break;
  }
  if (!wrong) return SPN_OK;
  return spn_fail(err, SPN_EINPUT,
                  "%.500s: class %d, \"%s\": the name %s; expected UTF-8 of 1 to %d bytes without control characters",
                  place, label, readable(name, text, sizeof text), wrong, SPN_CLASS_NAME_MAX);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static spn_status check_unique(const char *place, char *const *names, size_t n, spn_err *err) {
  char **sorted = malloc((n + 1) * sizeof *sorted);
  if (!sorted) return spn_fail(err, SPN_ENOMEM, "%.800s: out of memory", place);
  memcpy(sorted, names, n * sizeof *sorted);
  qsort(sorted, n, sizeof *sorted, by_name);
  spn_status status = SPN_OK;
  for (size_t i = 1; i < n && !status; i++)
    if (!strcmp(sorted[i - 1], sorted[i]))
      status = spn_fail(err, SPN_EINPUT, "%.600s: expected class names to differ, got \"%.300s\" twice", place,
                        sorted[i]);
  free(sorted);
  return status;
}

static spn_status check_names(const char *place, char *const *names, int classes, spn_err *err) {
  for (int i = 0; i < classes; i++) SPN_TRY(check_name(place, names[i], i, err));
  return check_unique(place, names, (size_t)classes, err);
}

/* Every class needs one of the items first .. end-1. */
static spn_status check_filled(const spn_dataset *set, size_t first, size_t end, const char *what, spn_err *err) {
  unsigned char *seen = calloc((size_t)set->classes, 1);
  if (!seen) return spn_fail(err, SPN_ENOMEM, "%.800s: out of memory", set->path);
  int empty = set->classes, which = 0;
  for (size_t i = first; i < end; i++) {
    empty -= !seen[set->labels[i]];
    seen[set->labels[i]] = 1;
  }
  while (empty && seen[which]) which++;
  free(seen);
  if (!empty) return SPN_OK;
  return spn_fail(
      err, SPN_EINPUT,
      "%.500s: expected %s images of every class, got none of class \"%.200s\" (%d of %d classes have none); "
      "data.allow_empty_classes=true takes them",
      set->path, what, set->class_names[which], empty, set->classes);
}

spn_status spn_classes_check(const spn_dataset *set, const spn_dataset_options *o, spn_err *err) {
  SPN_TRY(check_names(set->path, set->class_names, set->classes, err));
  if (o->allow_empty || o->test_only || set->reader->fixed) return SPN_OK;
  SPN_TRY(check_filled(set, 0, set->train_count, "training", err));
  return set->train_count < set->count ? check_filled(set, set->train_count, set->count, "test", err) : SPN_OK;
}

/* ---- Another set's classes ---- */

int spn_class_find(const char *const *names, int classes, const char *name) {
  for (int i = 0; i < classes; i++)
    if (!strcmp(names[i], name)) return i;
  return -1;
}

static spn_status unknown_class(const spn_dataset *set, const char *name, const char *const *names, int classes,
                                spn_err *err) {
  const char *list[9] = {NULL}; /* the first of them, and the end */
  char text[SPN_NAMES_TEXT];
  for (int i = 0; i < classes && i < 8; i++) list[i] = names[i];
  spn_names_text(list, "\"", NULL, text, sizeof text);
  return spn_fail(
      err, SPN_EINPUT,
      "%.200s: class \"%.100s\": expected a class that the network knows (%d: %s%s); classes are matched by name",
      set->path, name, classes, text, classes > 8 ? ", ..." : "");
}

spn_status spn_dataset_relabel(spn_dataset *set, const char *const *names, int classes, spn_err *err) {
  int32_t *to = malloc(((size_t)set->classes + 1) * sizeof *to);
  char **copies = calloc((size_t)classes + 1, sizeof *copies);
  spn_status status = to && copies ? SPN_OK : spn_fail(err, SPN_ENOMEM, "%.800s: out of memory", set->path);
  for (int i = 0; !status && i < set->classes; i++)
    if ((to[i] = spn_class_find(names, classes, set->class_names[i])) < 0)
      status = unknown_class(set, set->class_names[i], names, classes, err);
  for (int i = 0; !status && i < classes; i++)
    if (!(copies[i] = strdup(names[i]))) status = spn_fail(err, SPN_ENOMEM, "%.800s: out of memory", set->path);
  if (!status) {
    for (size_t i = 0; i < set->count; i++) set->labels[i] = to[set->labels[i]];
    char **old = set->class_names;
    int old_classes = set->classes;
    set->class_names = copies;
    set->classes = classes;
    copies = old;
    classes = old_classes;
  }
  for (int i = 0; copies && i < classes; i++) free(copies[i]);
  free(copies);
  free(to);
  return status;
}

/* ---- Names from a file ---- */

void spn_class_names_free(char **names, int count) {
  for (int i = 0; names && i < count; i++) free(names[i]);
  free(names);
}

static spn_status take_lines(spn_lines *lines, const char *file, char ***names, int *count, spn_err *err) {
  int total = 0;
  while (spn_lines_next(lines)) total++;
  spn_lines_rewind(lines);
  *names = calloc((size_t)total + 1, sizeof **names);
  if (!*names) return spn_fail(err, SPN_ENOMEM, "%.800s: out of memory", file);
  for (const char *line; (line = spn_lines_next(lines)); ++*count)
    if (!((*names)[*count] = strdup(line))) return spn_fail(err, SPN_ENOMEM, "%.800s: out of memory", file);
  return check_names(file, *names, *count, err);
}

spn_status spn_class_names_load(const char *file, char ***names, int *count, spn_err *err) {
  spn_lines *lines;
  *names = NULL;
  *count = 0;
  SPN_TRY(spn_lines_load(file, &lines, err));
  spn_status status = take_lines(lines, file, names, count, err);
  spn_lines_free(lines);
  if (!status) return SPN_OK;
  spn_class_names_free(*names, *count);
  *names = NULL;
  return status;
}
