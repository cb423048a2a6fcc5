/* The sink of metrics.jsonl. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_write.h"
#include "train/record_file.h"

static void put_field(spn_json_writer *w, const spn_row *row, const spn_field *f) {
  if (f->kind == SPN_FIELD_NUMBER) spn_json_put_rounded(w, f->key, row->values[f->first], f->digits);
  if (f->kind == SPN_FIELD_TEXT) spn_json_put_text(w, f->key, row->text + f->first);
  if (f->kind != SPN_FIELD_NUMBERS) return;
  spn_json_array(w, f->key, SPN_JSON_INLINE);
  for (size_t i = 0; i < f->count; i++) spn_json_put_rounded(w, NULL, row->values[f->first + i], f->digits);
  spn_json_end(w);
}

/* The zero behind the writer's text becomes the line's end. */
static spn_status encode(void *own, const spn_row *row, spn_row_bytes *out, spn_err *err) {
  spn_json_writer *w = own;
  const char *text;
  spn_json_begin(w);
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_integer(w, "step", (long long)row->step);
  for (size_t i = 0; i < row->fields; i++) put_field(w, row, &row->field[i]);
  spn_json_end(w);
  SPN_TRY(spn_json_finish(w, "metrics", &text, &out->size, err));
  w->text[out->size++] = '\n';
  out->data = w->text;
  return SPN_OK;
}

static size_t kept(const char *text, size_t size, uint64_t step) {
  size_t keep = 0;
  for (size_t at = 0; at < size;) {
    const char *end = memchr(text + at, '\n', size - at);
    unsigned long long line_step;
    if (!end || sscanf(text + at, "{\"step\": %llu", &line_step) != 1) break;
    at = (size_t)(end - text) + 1;
    if (line_step <= step) keep = at;
  }
  return keep;
}

static void free_writer(void *own) {
  spn_json_writer_free(own);
  free(own);
}

static const spn_row_format format = {.encode = encode, .kept = kept, .free = free_writer};

spn_status spn_sink_jsonl(const char *path, spn_recorder *to, spn_err *err) {
  return spn_sink_file(path, &format, calloc(1, sizeof(spn_json_writer)), to, err);
}
