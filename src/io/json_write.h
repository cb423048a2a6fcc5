/* Writes JSON into one growing buffer: the only place where JSON is made. A writer is used from begin to finish and may
 * then begin again, which takes no new memory until a document is longer than any before it.
 *
 * Members get their key, elements of an array NULL. Running out of memory is remembered: later calls do nothing, and
 * finish says so. Text that is not UTF-8 becomes U+FFFD byte by byte; NaN and infinity, which JSON has not, become
 * null. */
#ifndef SPN_IO_JSON_WRITE_H
#define SPN_IO_JSON_WRITE_H

#include <stddef.h>

#include "core/status.h"

enum { SPN_JSON_DEPTH = 16 };

/* Zero-initialised; fields are the writer's own. */
typedef struct {
  char *text;
  size_t size, capacity;
  int failed, depth;
  struct {
    char end;   /* '}' or ']' */
    int layout; /* spn_json_layout */
    int filled; /* holds something */
  } level[SPN_JSON_DEPTH];
} spn_json_writer;

/* Forgets what was written; keeps the memory. */
void spn_json_begin(spn_json_writer *w);
/* Adds spaces until `before` + size is a multiple of `align`. */
void spn_json_pad(spn_json_writer *w, size_t align, size_t before);
/* Text of the finished document, with a zero behind it, the writer's until the next begin; *size may be NULL.
 * SPN_ENOMEM: `what: out of memory`. */
spn_status spn_json_finish(spn_json_writer *w, const char *what, const char **text, size_t *size, spn_err *err);
/* The same, handed over to the caller, who frees it; NULL when memory ran out. The writer is empty afterwards. */
char *spn_json_take(spn_json_writer *w);
void spn_json_writer_free(spn_json_writer *w);
/* Writes the document to a file (io/file.h: by rename) with a line's end behind it, and frees the writer. */
spn_status spn_json_save(spn_json_writer *w, const char *path, spn_err *err);

typedef enum {
  SPN_JSON_DENSE,  /* no spaces */
  SPN_JSON_INLINE, /* members one after another */
  SPN_JSON_LINES   /* a line each, indented by two spaces a level */
} spn_json_layout; /* what lies inside another layout is laid out no wider than that */
void spn_json_object(spn_json_writer *w, const char *key, spn_json_layout layout);
void spn_json_array(spn_json_writer *w, const char *key, spn_json_layout layout);
void spn_json_end(spn_json_writer *w); /* of the innermost object or array */

void spn_json_put_text(spn_json_writer *w, const char *key, const char *text); /* NULL: null */
/* The shortest decimal that reads back as the same double. */
void spn_json_put_number(spn_json_writer *w, const char *key, double value);
/* With so many significant digits. */
void spn_json_put_rounded(spn_json_writer *w, const char *key, double value, int digits);
void spn_json_put_integer(spn_json_writer *w, const char *key, long long value);
void spn_json_put_flag(spn_json_writer *w, const char *key, int value); /* true, false */
/* `size` bytes that are a JSON value already. */
void spn_json_put_raw(spn_json_writer *w, const char *key, const char *json, size_t size);

/* The shortest decimal of a finite double; returns text (at least 32 bytes). */
const char *spn_shortest(double value, char *text);

#endif
