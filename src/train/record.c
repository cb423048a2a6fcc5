#include "train/record.h"

#include <stdlib.h>
#include <string.h>

enum { SINKS = 4 };

struct spn_recorder {
  struct {
    const spn_sink *sink;
    void *owner;
  } sink[SINKS];
  int sinks, failed;
  uint64_t step;
  spn_field *field;
  double *values;
  char *text;
  size_t fields, field_room, value_count, value_room, text_size, text_room;
};

spn_recorder *spn_recorder_new(void) { return calloc(1, sizeof(spn_recorder)); }

void spn_recorder_free(spn_recorder *r) {
  if (!r) return;
  for (int i = 0; i < r->sinks; i++) r->sink[i].sink->close(r->sink[i].owner);
  free(r->field);
  free(r->values);
  free(r->text);
  free(r);
}

spn_status spn_recorder_add(spn_recorder *r, const spn_sink *sink, void *owner, spn_err *err) {
  if (r->sinks == SINKS) {
    sink->close(owner);
    return spn_fail(err, SPN_EINPUT, "metrics: expected at most %d sinks", SINKS);
  }
  r->sink[r->sinks].sink = sink;
  r->sink[r->sinks++].owner = owner;
  return SPN_OK;
}

/* Makes room for `more` elements behind the `used` ones of a list; 0 when memory ran out. */
static int grow(spn_recorder *r, void *list, size_t *room, size_t used, size_t more, size_t size) {
  void **at = list;
  if (r->failed) return 0;
  if (used + more <= *room) return 1;
  size_t next = 2 * (used + more);
  void *larger = realloc(*at, next * size);
  if (!larger) {
    r->failed = 1;
    return 0;
  }
  *at = larger;
  *room = next;
  return 1;
}

static spn_field *add_field(spn_recorder *r, const char *key, spn_field_kind kind, int digits) {
  if (!grow(r, &r->field, &r->field_room, r->fields, 1, sizeof *r->field)) return NULL;
  spn_field *f = &r->field[r->fields++];
  *f = (spn_field){.key = key, .kind = kind, .digits = digits};
  return f;
}

void spn_row_begin(spn_recorder *r, uint64_t step) {
  r->step = step;
  r->fields = r->value_count = r->text_size = 0;
  r->failed = 0;
}

double *spn_row_numbers(spn_recorder *r, const char *key, size_t count, int digits) {
  if (!grow(r, &r->values, &r->value_room, r->value_count, count, sizeof *r->values)) return NULL;
  spn_field *f = add_field(r, key, SPN_FIELD_NUMBERS, digits);
  if (!f) return NULL;
  f->first = r->value_count;
  f->count = count;
  r->value_count += count;
  memset(r->values + f->first, 0, count * sizeof *r->values);
  return r->values + f->first;
}

void spn_row_number(spn_recorder *r, const char *key, double value, int digits) {
  double *at = spn_row_numbers(r, key, 1, digits);
  if (!at) return;
  *at = value;
  r->field[r->fields - 1].kind = SPN_FIELD_NUMBER;
}

void spn_row_text(spn_recorder *r, const char *key, const char *text, size_t size) {
  if (!grow(r, &r->text, &r->text_room, r->text_size, size + 1, 1)) return;
  spn_field *f = add_field(r, key, SPN_FIELD_TEXT, 0);
  if (!f) return;
  f->first = r->text_size;
  f->count = size;
  memcpy(r->text + r->text_size, text, size);
  r->text[r->text_size + size] = 0;
  r->text_size += size + 1;
}

spn_status spn_row_end(spn_recorder *r, spn_err *err) {
  if (r->failed) return spn_fail(err, SPN_ENOMEM, "metrics: out of memory");
  spn_row row = {.step = r->step, .field = r->field, .fields = r->fields, .values = r->values, .text = r->text};
  for (int i = 0; i < r->sinks; i++) SPN_TRY(r->sink[i].sink->write(r->sink[i].owner, &row, err));
  return SPN_OK;
}

spn_status spn_recorder_cut(spn_recorder *r, uint64_t step, spn_err *err) {
  for (int i = 0; i < r->sinks; i++) SPN_TRY(r->sink[i].sink->cut(r->sink[i].owner, step, err));
  return SPN_OK;
}
