#include "train/settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "io/json.h"
#include "io/json_write.h"

enum { LIST = 512 };

typedef enum { TYPE_STRING, TYPE_CHOICE, TYPE_NAMED, TYPE_INT, TYPE_REAL, TYPE_BOOL } setting_type;

typedef struct {
  const char *section, *key, *path;
  setting_type type;
  size_t offset; /* of the field in spn_settings */
  double value;  /* default; integers reach 2^53 - 1, which a double holds */
  double min, max;
  const char *text;         /* STRING, NAMED: the default; otherwise the unit */
  const char *const *names; /* CHOICE, NAMED */
  const char *help;
} setting;

/* The names of every CHOICE; those of a NAMED are the registry's. Registries lie in folders above and below this one:
 * settings.def says what their arrays are called, and the linker finds them. */
#define CHOICE(section, key, type, list, help)                                       \
  static const char *const section##_##key##_names[] = {list(SPN_CHOICE_NAME) NULL}; \
  _Static_assert(sizeof(type) == sizeof(int), "a field of a choice is read and written as an int");
#define NAMED(section, key, value, names, help) extern const char *const names[];
#include "train/settings.def"

#define ENTRY(section, key, type, value, min, max, text, names, help)                                       \
  {#section, #key, #section "." #key, type, offsetof(spn_settings, section##_##key), value, min, max, text, \
   names,    help},
static const setting settings[] = {
#define STRING(section, key, value, help) ENTRY(section, key, TYPE_STRING, 0, 0, 0, value, NULL, help)
#define CHOICE(section, key, type, list, help) \
  ENTRY(section, key, TYPE_CHOICE, 0, 0, 0, NULL, section##_##key##_names, help)
#define NAMED(section, key, value, names, help) ENTRY(section, key, TYPE_NAMED, 0, 0, 0, value, names, help)
#define INT(section, key, value, min, max, unit, help) ENTRY(section, key, TYPE_INT, value, min, max, unit, NULL, help)
#define REAL(section, key, value, min, max, unit, help) \
  ENTRY(section, key, TYPE_REAL, value, min, max, unit, NULL, help)
#define BOOL(section, key, value, help) ENTRY(section, key, TYPE_BOOL, value, 0, 1, "", NULL, help)
#include "train/settings.def"
};
enum { COUNT = sizeof settings / sizeof *settings };

static const setting *find_path(const char *path) {
  for (int i = 0; i < COUNT; i++)
    if (!strcmp(settings[i].path, path)) return &settings[i];
  return NULL;
}

const char *spn_settings_name(const char *path, int value) {
  const setting *e = find_path(path);
  if (!e || e->type != TYPE_CHOICE || value < 0) return "unknown";
  for (int i = 0; e->names[i]; i++)
    if (i == value) return e->names[i];
  return "unknown";
}

/* ---- Fields ---- */

static char *field_string(spn_settings *s, const setting *e) { return (char *)s + e->offset; }
static int *field_int(spn_settings *s, const setting *e) { return (int *)(void *)((char *)s + e->offset); }
static long long *field_long(spn_settings *s, const setting *e) { return (long long *)(void *)((char *)s + e->offset); }
static double *field_real(spn_settings *s, const setting *e) { return (double *)(void *)((char *)s + e->offset); }
static const char **field_name(spn_settings *s, const setting *e) {
  return (const char **)(void *)((char *)s + e->offset);
}
enum { STRING_SIZE = sizeof(((spn_settings *)0)->data_path) };

static void store_number(spn_settings *s, const setting *e, double value) {
  switch (e->type) {
    case TYPE_INT: *field_long(s, e) = (long long)value; break;
    case TYPE_REAL: *field_real(s, e) = value; break;
    case TYPE_CHOICE:
    case TYPE_BOOL: *field_int(s, e) = (int)value; break;
    case TYPE_NAMED: *field_name(s, e) = e->names[(int)value]; break;
    case TYPE_STRING: break;
  }
}

void spn_settings_default(spn_settings *s) {
  memset(s, 0, sizeof *s);
  for (int i = 0; i < COUNT; i++) {
    if (settings[i].type == TYPE_STRING) snprintf(field_string(s, &settings[i]), STRING_SIZE, "%s", settings[i].text);
    else if (settings[i].type == TYPE_NAMED) *field_name(s, &settings[i]) = settings[i].text;
    else store_number(s, &settings[i], settings[i].value);
  }
}

/* "rmsprop|sgd|adam" */
static void join_names(const setting *e, char *out, size_t size) {
  size_t n = 0;
  *out = 0;
  for (int i = 0; e->names[i] && n < size; i++)
    n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "|" : "", e->names[i]);
}

/* "a number from 0 to 1000" */
static void expected_text(const setting *e, char *out, size_t size) {
  char min[32], max[32], names[LIST];
  switch (e->type) {
    case TYPE_STRING: snprintf(out, size, "a string of at most %d bytes", STRING_SIZE - 1); break;
    case TYPE_CHOICE:
    case TYPE_NAMED:
      join_names(e, names, sizeof names);
      snprintf(out, size, "one of %s", names);
      break;
    case TYPE_INT: snprintf(out, size, "an integer from %lld to %lld", (long long)e->min, (long long)e->max); break;
    case TYPE_BOOL: snprintf(out, size, "true or false"); break;
    case TYPE_REAL:
      spn_shortest(e->min, min);
      spn_shortest(e->max, max);
      snprintf(out, size, "a number from %s to %s", min, max);
      break;
  }
}

/* ---- Reading JSON ---- */

/* A number stands for the name written with the same digits: "opset": 17. */
static spn_status read_choice(const spn_json *at, const setting *e, int *out, spn_err *err) {
  if (!spn_json_is_number(at)) return spn_json_choice(at, e->names, out, err);
  char *text = spn_json_text(at);
  if (!text) return spn_fail(err, SPN_ENOMEM, "out of memory");
  int index = spn_name_index(e->names, text);
  free(text);
  if (index < 0) return spn_json_choice(at, e->names, out, err);
  *out = index;
  return SPN_OK;
}

static spn_status read_string(const spn_json *at, const setting *e, char *out, spn_err *err) {
  const char *text = NULL;
  SPN_TRY(spn_json_string(at, &text, err));
  size_t length = strlen(text);
  if (length >= STRING_SIZE) {
    char expected[64];
    expected_text(e, expected, sizeof expected);
    return spn_json_fail(at, err, "expected %s, got %zu", expected, length);
  }
  memcpy(out, text, length + 1);
  return SPN_OK;
}

static spn_status read_name(const spn_json *at, const setting *e, const char **out, spn_err *err) {
  int index;
  SPN_TRY(read_choice(at, e, &index, err));
  *out = e->names[index];
  return SPN_OK;
}

static spn_status read_value(spn_settings *s, const setting *e, const spn_json *at, spn_err *err) {
  switch (e->type) {
    case TYPE_STRING: return read_string(at, e, field_string(s, e), err);
    case TYPE_CHOICE: return read_choice(at, e, field_int(s, e), err);
    case TYPE_NAMED: return read_name(at, e, field_name(s, e), err);
    case TYPE_INT: return spn_json_int(at, (long long)e->min, (long long)e->max, field_long(s, e), err);
    case TYPE_REAL: return spn_json_real(at, e->min, e->max, field_real(s, e), err);
    case TYPE_BOOL: return spn_json_bool(at, field_int(s, e), err);
  }
  return SPN_OK;
}

static spn_status read_section(spn_settings *s, const char *name, const spn_json *section, spn_err *err) {
  const char *keys[COUNT + 1];
  int n = 0;
  if (!spn_json_is_object(section)) return spn_json_expected(section, "an object", err);
  for (int i = 0; i < COUNT; i++)
    if (!strcmp(settings[i].section, name)) keys[n++] = settings[i].key;
  keys[n] = NULL;
  SPN_TRY(spn_json_only(section, keys, err));
  for (int i = 0; i < COUNT; i++) {
    if (strcmp(settings[i].section, name)) continue;
    spn_json value = spn_json_get(section, settings[i].key);
    if (value.item) SPN_TRY(read_value(s, &settings[i], &value, err));
  }
  return SPN_OK;
}

/* Sections in the list's order, NULL-terminated; out has room for COUNT + 1. */
static void list_sections(const char **out) {
  int n = 0;
  for (int i = 0; i < COUNT; i++)
    if (!n || strcmp(out[n - 1], settings[i].section)) out[n++] = settings[i].section;
  out[n] = NULL;
}

static spn_status read_root(spn_settings *s, const spn_json *root, spn_err *err) {
  const char *sections[COUNT + 1];
  list_sections(sections);
  if (!spn_json_is_object(root)) return spn_json_expected(root, "an object of sections", err);
  SPN_TRY(spn_json_only(root, sections, err));
  for (int i = 0; sections[i]; i++) {
    spn_json section = spn_json_get(root, sections[i]);
    if (section.item) SPN_TRY(read_section(s, sections[i], &section, err));
  }
  return SPN_OK;
}

spn_status spn_settings_load(spn_settings *s, const char *file, spn_err *err) {
  spn_json_doc *doc = NULL;
  SPN_TRY(spn_json_load(file, &doc, err));
  spn_settings copy = *s; /* nothing changes when something is wrong */
  spn_json root = spn_json_root(doc);
  spn_status status = read_root(&copy, &root, err);
  spn_json_free(doc);
  if (!status) *s = copy;
  return status;
}

/* ---- Reading --set a.b=c ---- */

/* The path that was probably meant: the same key elsewhere, or the nearest; NULL when none is near. */
static const char *nearest(const char *path) {
  const char *paths[COUNT + 1], *dot = strrchr(path, '.');
  for (int i = 0; i < COUNT; i++) {
    if (!strcmp(settings[i].key, dot ? dot + 1 : path)) return settings[i].path;
    paths[i] = settings[i].path;
  }
  paths[COUNT] = NULL;
  return spn_nearest(path, paths);
}

static spn_status unknown_path(const char *from, const char *path, spn_err *err) {
  const char *near = nearest(path);
  if (near) return spn_fail(err, SPN_EINPUT, "%s%s: no such setting; did you mean %s?", from, path, near);
  return spn_fail(err, SPN_EINPUT, "%s%s: no such setting; --help lists them", from, path);
}

/* A finite decimal number and nothing else. */
static int parse_number(const char *text, double *out) {
  char *end = NULL;
  if (!*text || strspn(text, "0123456789+-.eE") != strlen(text)) return 0;
  *out = strtod(text, &end);
  return !*end && *out - *out == 0;
}

static int parse_bool(const char *text, double *out) {
  static const char *const words[] = {"false", "true", "0", "1", NULL};
  int i = spn_name_index(words, text);
  *out = i % 2;
  return i >= 0;
}

/* The number a setting that is not a string keeps for text. */
static int parse_value(const setting *e, const char *text, double *out) {
  switch (e->type) {
    case TYPE_CHOICE:
    case TYPE_NAMED: *out = spn_name_index(e->names, text); return *out >= 0;
    case TYPE_BOOL: return parse_bool(text, out);
    case TYPE_INT:
      return parse_number(text, out) && *out >= e->min && *out <= e->max && (double)(long long)*out == *out;
    case TYPE_REAL: return parse_number(text, out) && *out >= e->min && *out <= e->max;
    case TYPE_STRING: break;
  }
  return 0;
}

spn_status spn_settings_set(spn_settings *s, const char *assignment, spn_err *err) {
  const char *equals = strchr(assignment, '=');
  char path[128], expected[LIST + 16];
  if (!equals || equals == assignment)
    return spn_fail(err, SPN_EINPUT, "--set: expected section.key=value, got \"%.200s\"", assignment);
  snprintf(path, sizeof path, "%.*s", (int)(equals - assignment < 120 ? equals - assignment : 120), assignment);
  const setting *e = find_path(path);
  const char *text = equals + 1;
  double value = 0;
  if (!e) return unknown_path("--set ", path, err);
  if (e->type == TYPE_STRING && strlen(text) < STRING_SIZE) {
    snprintf(field_string(s, e), STRING_SIZE, "%s", text);
    return SPN_OK;
  }
  if (e->type != TYPE_STRING && parse_value(e, text, &value)) {
    store_number(s, e, value);
    return SPN_OK;
  }
  expected_text(e, expected, sizeof expected);
  return spn_fail(err, SPN_EINPUT, "--set %s: expected %s, got \"%.200s\"%s", path, expected, text,
                  strlen(text) > 200 ? "..." : "");
}

spn_status spn_settings_number(const spn_settings *s, const char *path, spn_number *out, spn_err *err) {
  const setting *e = find_path(path);
  if (!e) return unknown_path("", path, err);
  if (e->type != TYPE_INT && e->type != TYPE_REAL)
    return spn_fail(err, SPN_EINPUT, "%s: expected a numeric setting, got one of another kind", path);
  const void *field = (const char *)s + e->offset;
  *out = (spn_number){.integer = e->type == TYPE_INT, .min = e->min, .max = e->max};
  out->value = out->integer ? (double)*(const long long *)field : *(const double *)field;
  return SPN_OK;
}

/* ---- Writing ---- */

static void put_value(spn_json_writer *w, const char *key, const setting *e, spn_settings *s) {
  switch (e->type) {
    case TYPE_STRING: spn_json_put_text(w, key, field_string(s, e)); break;
    case TYPE_CHOICE: spn_json_put_text(w, key, spn_settings_name(e->path, *field_int(s, e))); break;
    case TYPE_NAMED: spn_json_put_text(w, key, *field_name(s, e)); break;
    case TYPE_INT: spn_json_put_integer(w, key, *field_long(s, e)); break;
    case TYPE_BOOL: spn_json_put_flag(w, key, *field_int(s, e)); break;
    case TYPE_REAL: spn_json_put_number(w, key, *field_real(s, e)); break;
  }
}

void spn_settings_put(const spn_settings *s, spn_json_writer *w) {
  spn_settings copy = *s; /* the accessors of fields also serve reading */
  spn_json_object(w, NULL, SPN_JSON_LINES);
  for (int i = 0; i < COUNT; i++) {
    if (!i || strcmp(settings[i].section, settings[i - 1].section)) {
      if (i) spn_json_end(w);
      spn_json_object(w, settings[i].section, SPN_JSON_LINES);
    }
    put_value(w, settings[i].key, &settings[i], &copy);
  }
  spn_json_end(w);
  spn_json_end(w);
}

/* ---- Describing ---- */

/* "[integer 1..65536, images]", "[0..1000, per 256 images]", "[rmsprop|sgd|adam]" */
static void range_text(const setting *e, char *out, size_t size) {
  char min[32], max[32], names[LIST];
  spn_shortest(e->min, min);
  spn_shortest(e->max, max);
  if (e->type == TYPE_INT) snprintf(max, sizeof max, "%lld", (long long)e->max);
  switch (e->type) {
    case TYPE_STRING: snprintf(out, size, "[text]"); break;
    case TYPE_CHOICE:
    case TYPE_NAMED:
      join_names(e, names, sizeof names);
      snprintf(out, size, "[%s]", names);
      break;
    case TYPE_BOOL: snprintf(out, size, "[true|false]"); break;
    case TYPE_INT:
    case TYPE_REAL:
      snprintf(out, size, "[%s%s..%s%s%s]", e->type == TYPE_INT ? "integer " : "", min, max, *e->text ? ", " : "",
               e->text);
      break;
  }
}

/* The default as it would be written after --set path= . */
static void default_text(const setting *e, spn_settings *defaults, char *out, size_t size) {
  char number[32];
  switch (e->type) {
    case TYPE_STRING: snprintf(out, size, "%s", *field_string(defaults, e) ? field_string(defaults, e) : "\"\""); break;
    case TYPE_CHOICE: snprintf(out, size, "%s", spn_settings_name(e->path, *field_int(defaults, e))); break;
    case TYPE_NAMED: snprintf(out, size, "%s", *field_name(defaults, e)); break;
    case TYPE_INT: snprintf(out, size, "%lld", *field_long(defaults, e)); break;
    case TYPE_BOOL: snprintf(out, size, "%s", *field_int(defaults, e) ? "true" : "false"); break;
    case TYPE_REAL: snprintf(out, size, "%s", spn_shortest(*field_real(defaults, e), number)); break;
  }
}

int spn_settings_at(int index, spn_setting_about *out) {
  if (index < 0 || index >= COUNT) return 0;
  spn_settings defaults;
  spn_settings_default(&defaults);
  const setting *e = &settings[index];
  *out = (spn_setting_about){.section = e->section, .path = e->path, .help = e->help, .names = e->names};
  default_text(e, &defaults, out->value, sizeof out->value);
  range_text(e, out->range, sizeof out->range);
  return 1;
}
