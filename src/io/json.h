/* JSON with errors a person can act on: "config.json:12:7 space.stages[3].kernel: expected 3, 5 or 7, got 6".
 * Parsing is cJSON's; line and column are found again from the path. Duplicate keys and trailing text are errors. */
#ifndef SPN_IO_JSON_H
#define SPN_IO_JSON_H

#include <stddef.h>

#include "core/names.h"
#include "core/status.h"

typedef struct spn_json_doc spn_json_doc; /* one parsed text and its file name */
/* A place in a document. Cheap to copy; valid while the document lives. */
typedef struct {
  const spn_json_doc *doc;
  const void *item; /* the cJSON item; NULL: absent */
  char path[192];   /* "stages[3].kernel"; "" for the root */
} spn_json;

spn_status spn_json_load(const char *file, spn_json_doc **out, spn_err *err);
/* name stands for the file in messages ("--set", "arch string"). */
spn_status spn_json_parse(const char *name, const char *text, size_t size, spn_json_doc **out, spn_err *err);
void spn_json_free(spn_json_doc *doc);
spn_json spn_json_root(const spn_json_doc *doc);

/* Fails with "<file>:<line>:<column> <path>: expected <expected>, got <what stands there>". */
spn_status spn_json_expected(const spn_json *at, const char *expected, spn_err *err);
/* Fails with a free message at the place. */
spn_status spn_json_fail(const spn_json *at, spn_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int spn_json_is_null(const spn_json *at); /* absent or null */
int spn_json_is_object(const spn_json *at);
int spn_json_is_array(const spn_json *at);
int spn_json_is_string(const spn_json *at);
int spn_json_is_number(const spn_json *at);
int spn_json_is_bool(const spn_json *at);

/* Member of an object; absent members give item == NULL and the path that was asked for. */
spn_json spn_json_get(const spn_json *object, const char *key);
size_t spn_json_size(const spn_json *array_or_object);
spn_json spn_json_at(const spn_json *array_or_object, size_t i); /* element or i-th member */
const char *spn_json_key(const spn_json *member);                /* the member's key */
/* All members in order, in linear time (spn_json_at is linear for each):
 *   for (spn_json_iter it = spn_json_iterate(&array); spn_json_next(&it, &member);) ... */
typedef struct {
  spn_json container;
  const void *next;
  size_t i;
} spn_json_iter;
spn_json_iter spn_json_iterate(const spn_json *array_or_object);
int spn_json_next(spn_json_iter *it, spn_json *member); /* 0 past the last */
/* Error, naming the nearest known key, when object has a key that is not in the NULL-terminated list. */
spn_status spn_json_only(const spn_json *object, const char *const *known, spn_err *err);

/* Typed getters. They fail when the value is absent, of another type, or out of [min,max]. */
spn_status spn_json_int(const spn_json *at, long long min, long long max, long long *out, spn_err *err);
spn_status spn_json_real(const spn_json *at, double min, double max, double *out, spn_err *err);
spn_status spn_json_bool(const spn_json *at, int *out, spn_err *err);
spn_status spn_json_string(const spn_json *at, const char **out, spn_err *err); /* lives as long as the document */
/* Index of the string among the NULL-terminated names. */
spn_status spn_json_choice(const spn_json *at, const char *const *names, int *out, spn_err *err);

/* Serialised text of a place (malloc'd, the caller frees). */
char *spn_json_text(const spn_json *at);

#endif
