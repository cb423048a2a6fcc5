/* The sink of metrics.jsonl. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/json_write.h"
#include "train/record.h"

typedef struct {
  char *path;
  FILE *file; /* NULL: between a cut and opening again */
  spn_json_writer line;
} jsonl;

static spn_status fail(const jsonl *j, spn_err *err) {
  return spn_fail(err, SPN_EIO, "%s: %s; earlier checkpoints are intact", j->path, strerror(errno));
}

static spn_status open_end(jsonl *j, spn_err *err) {
  j->file = fopen(j->path, "ae");
  return j->file ? SPN_OK : spn_fail(err, SPN_EIO, "%s: %s", j->path, strerror(errno));
}

static void put_field(spn_json_writer *w, const spn_row *row, const spn_field *f) {
  if (f->kind == SPN_FIELD_NUMBER) spn_json_put_rounded(w, f->key, row->values[f->first], f->digits);
  if (f->kind == SPN_FIELD_TEXT) spn_json_put_text(w, f->key, row->text + f->first);
  if (f->kind != SPN_FIELD_NUMBERS) return;
  spn_json_array(w, f->key, SPN_JSON_INLINE);
  for (size_t i = 0; i < f->count; i++) spn_json_put_rounded(w, NULL, row->values[f->first + i], f->digits);
  spn_json_end(w);
}

static spn_status write_row(void *owner, const spn_row *row, spn_err *err) {
  jsonl *j = owner;
  const char *text;
  size_t size;
  spn_json_begin(&j->line);
  spn_json_object(&j->line, NULL, SPN_JSON_INLINE);
  spn_json_put_integer(&j->line, "step", (long long)row->step);
  for (size_t i = 0; i < row->fields; i++) put_field(&j->line, row, &row->field[i]);
  spn_json_end(&j->line);
  SPN_TRY(spn_json_finish(&j->line, "metrics", &text, &size, err));
  if (fwrite(text, 1, size, j->file) != size || fputc('\n', j->file) == EOF || fflush(j->file)) return fail(j, err);
  return SPN_OK;
}

/* Keeps the complete lines up to and including `step`. */
static spn_status cut(void *owner, uint64_t step, spn_err *err) {
  jsonl *j = owner;
  char *text;
  size_t size, kept = 0;
  int closed = fclose(j->file);
  j->file = NULL;
  if (closed) return fail(j, err);
  SPN_TRY(spn_file_read(j->path, (size_t)1 << 32, &text, &size, err));
  for (size_t at = 0; at < size;) {
    char *end = memchr(text + at, '\n', size - at);
    unsigned long long line_step;
    if (!end || sscanf(text + at, "{\"step\": %llu", &line_step) != 1) break;
    at = (size_t)(end - text) + 1;
    if (line_step <= step) kept = at;
  }
  spn_status status = kept < size ? spn_file_write(j->path, text, kept, err) : SPN_OK;
  free(text);
  return status ? status : open_end(j, err);
}

static void close_file(void *owner) {
  jsonl *j = owner;
  if (j->file) fclose(j->file);
  spn_json_writer_free(&j->line);
  free(j->path);
  free(j);
}

static const spn_sink sink = {.write = write_row, .cut = cut, .close = close_file};

spn_status spn_sink_jsonl(const char *path, spn_recorder *to, spn_err *err) {
  jsonl *j = calloc(1, sizeof *j);
  if (j) j->path = strdup(path);
  if (!j || !j->path) {
    free(j);
    return spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
  }
  spn_status status = open_end(j, err);
  if (status) {
    close_file(j);
    return status;
  }
  return spn_recorder_add(to, &sink, j, err);
}
