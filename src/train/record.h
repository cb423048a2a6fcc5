/* What a run learns, row by row: typed numbers, lists and texts, handed to every sink. Once rows have reached their
 * size, a row allocates nothing. */
#ifndef SPN_TRAIN_RECORD_H
#define SPN_TRAIN_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

typedef enum { SPN_FIELD_NUMBER, SPN_FIELD_NUMBERS, SPN_FIELD_TEXT } spn_field_kind;

typedef struct {
  const char *key; /* outlives the row */
  spn_field_kind kind;
  int digits;          /* significant ones, where numbers become text */
  size_t first, count; /* numbers: values[first..first+count-1]; text: bytes of `text`, a zero behind them */
} spn_field;

/* A finished row, for sinks. */
typedef struct {
  uint64_t step;
  const spn_field *field;
  size_t fields;
  const double *values;
  const char *text;
} spn_row;

/* A place that rows go to. */
typedef struct {
  /* Lasting when it returns. SPN_EIO: the disk is full. */
  spn_status (*write)(void *owner, const spn_row *row, spn_err *err);
  /* Forgets rows of later steps (a resumed run repeats them), and one that was not written whole. */
  spn_status (*cut)(void *owner, uint64_t step, spn_err *err);
  void (*close)(void *owner); /* also when owner is half made */
} spn_sink;

typedef struct spn_recorder spn_recorder;

spn_recorder *spn_recorder_new(void);    /* NULL: out of memory */
void spn_recorder_free(spn_recorder *r); /* closes the sinks; NULL is allowed */
/* The sink is closed here when there is no room for it. */
spn_status spn_recorder_add(spn_recorder *r, const spn_sink *sink, void *owner, spn_err *err);

/* A row: begin, its fields in order, end. Running out of memory is remembered until end. */
void spn_row_begin(spn_recorder *r, uint64_t step);
void spn_row_number(spn_recorder *r, const char *key, double value, int digits);
/* Room for count numbers, to be filled before the next call; NULL when memory ran out. */
double *spn_row_numbers(spn_recorder *r, const char *key, size_t count, int digits);
void spn_row_text(spn_recorder *r, const char *key, const char *text, size_t size);
spn_status spn_row_end(spn_recorder *r, spn_err *err);

spn_status spn_recorder_cut(spn_recorder *r, uint64_t step, spn_err *err);

/* JSON lines: one object a row, "step" first; NaN and infinity are null. */
spn_status spn_sink_jsonl(const char *path, spn_recorder *to, spn_err *err);
/* TensorBoard's event file: numbers are scalars, lists histograms (of their finite values), texts are left out. The
 * file's name must hold "tfevents" for TensorBoard to find it. */
spn_status spn_sink_events(const char *path, spn_recorder *to, spn_err *err);

#endif
