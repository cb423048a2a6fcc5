/* The sink of TensorBoard's event files: TFRecords of Event messages (tensorboard/compat/proto/event.proto and
 * summary.proto; the framing is TensorFlow's record_writer). A number becomes a scalar, a list a histogram; texts are
 * left to metrics.jsonl. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/crc32c.h"
#include "io/file.h"
#include "io/protobuf.h"
#include "train/record.h"

/* Field numbers of Event, Summary.Value and HistogramProto. */
enum { EVENT_WALL_TIME = 1, EVENT_STEP = 2, EVENT_FILE_VERSION = 3, EVENT_SUMMARY = 5 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2, VALUE_HISTOGRAM = 5 };
enum {
  HISTOGRAM_MIN = 1,
  HISTOGRAM_MAX,
  HISTOGRAM_NUM,
  HISTOGRAM_SUM,
  HISTOGRAM_SQUARES,
  HISTOGRAM_LIMITS,
  HISTOGRAM_COUNTS
};
enum { BUCKETS = 30, HEAD = 12, TAIL = 4 }; /* a record: length and its check, data, its check */

typedef struct {
  char *path;
  FILE *file; /* NULL: between a cut and opening again */
  spn_pb event;
} events;

static spn_status fail(const events *e, spn_err *err) {
  return spn_fail(err, SPN_EIO, "%s: %s; earlier checkpoints are intact", e->path, strerror(errno));
}

static void put_little(unsigned char *to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) to[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t read_little(const unsigned char *from, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint64_t)from[i] << 8 * i;
  return value;
}

/* The check is masked, so that data which hold checks can be checked. */
static uint32_t masked(const void *data, size_t size) {
  uint32_t crc = spn_crc32c(data, size);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* Begins the event anew; the step comes second, where cut looks for it. */
static void begin(events *e, uint64_t step) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  e->event.size = 0;
  spn_pb_double(&e->event, EVENT_WALL_TIME, (double)t.tv_sec + 1e-9 * (double)t.tv_nsec);
  spn_pb_int(&e->event, EVENT_STEP, (int64_t)step);
}

static spn_status write_event(events *e, spn_err *err) {
  unsigned char head[HEAD], tail[TAIL];
  if (e->event.failed) return spn_fail(err, SPN_ENOMEM, "metrics: out of memory");
  put_little(head, e->event.size, 8);
  put_little(head + 8, masked(head, 8), 4);
  put_little(tail, masked(e->event.data, e->event.size), 4);
  if (fwrite(head, 1, HEAD, e->file) != HEAD || fwrite(e->event.data, 1, e->event.size, e->file) != e->event.size ||
      fwrite(tail, 1, TAIL, e->file) != TAIL || fflush(e->file))
    return fail(e, err);
  return SPN_OK;
}

/* A file begins with its version. */
static spn_status open_end(events *e, spn_err *err) {
  e->file = fopen(e->path, "ae");
  if (!e->file) return spn_fail(err, SPN_EIO, "%s: %s", e->path, strerror(errno));
  if (ftello(e->file) > 0) return SPN_OK;
  begin(e, 0);
  spn_pb_string(&e->event, EVENT_FILE_VERSION, "brain.Event:2");
  return write_event(e, err);
}

static void put_packed(spn_pb *pb, int field, const double *values, size_t count) {
  unsigned char bytes[8 * BUCKETS];
  for (size_t i = 0; i < count; i++) {
    uint64_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    put_little(bytes + 8 * i, bits, 8);
  }
  spn_pb_bytes(pb, field, bytes, 8 * count);
}

/* Equal buckets from the least to the largest of the finite values. */
static void put_histogram(spn_pb *pb, const double *values, size_t count) {
  double limit[BUCKETS], in[BUCKETS] = {0}, min = INFINITY, max = -INFINITY, sum = 0, squares = 0, finite = 0;
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(values[i])) continue;
    min = fmin(min, values[i]);
    max = fmax(max, values[i]);
    sum += values[i];
    squares += values[i] * values[i];
    finite++;
  }
  if (finite < 1) return;
  double width = max > min ? (max - min) / BUCKETS : 1;
  for (int b = 0; b < BUCKETS; b++) limit[b] = b + 1 < BUCKETS || max == min ? min + width * (b + 1) : max;
  for (size_t i = 0; i < count; i++)
    if (isfinite(values[i])) in[(int)fmin(BUCKETS - 1, floor((values[i] - min) / width))]++;
  spn_pb_double(pb, HISTOGRAM_MIN, min);
  spn_pb_double(pb, HISTOGRAM_MAX, max);
  spn_pb_double(pb, HISTOGRAM_NUM, finite);
  spn_pb_double(pb, HISTOGRAM_SUM, sum);
  spn_pb_double(pb, HISTOGRAM_SQUARES, squares);
  put_packed(pb, HISTOGRAM_LIMITS, limit, BUCKETS);
  put_packed(pb, HISTOGRAM_COUNTS, in, BUCKETS);
}

static void put_field(spn_pb *pb, const spn_row *row, const spn_field *f) {
  if (f->kind == SPN_FIELD_TEXT) return;
  size_t value = spn_pb_open(pb, SUMMARY_VALUE);
  spn_pb_string(pb, VALUE_TAG, f->key);
  if (f->kind == SPN_FIELD_NUMBER) {
    spn_pb_float(pb, VALUE_SIMPLE, (float)row->values[f->first]);
  } else {
    size_t histogram = spn_pb_open(pb, VALUE_HISTOGRAM);
    put_histogram(pb, row->values + f->first, f->count);
    spn_pb_close(pb, histogram);
  }
  spn_pb_close(pb, value);
}

static spn_status write_row(void *owner, const spn_row *row, spn_err *err) {
  events *e = owner;
  begin(e, row->step);
  size_t summary = spn_pb_open(&e->event, EVENT_SUMMARY);
  for (size_t i = 0; i < row->fields; i++) put_field(&e->event, row, &row->field[i]);
  spn_pb_close(&e->event, summary);
  return write_event(e, err);
}

/* Step of a whole record at `data`, which `left` bytes follow; 0 where there is none such. */
static int read_record(const unsigned char *data, size_t left, size_t *size, uint64_t *step) {
  enum { STEP_AT = 10 }; /* behind tag and value of the wall time, and the step's own tag */
  if (left < HEAD + TAIL) return 0;
  uint64_t length = read_little(data, 8);
  if (read_little(data + 8, 4) != masked(data, 8) || length > left - HEAD - TAIL || length <= STEP_AT) return 0;
  *size = HEAD + (size_t)length + TAIL;
  const unsigned char *event = data + HEAD;
  if (read_little(event + length, 4) != masked(event, (size_t)length) || event[STEP_AT - 1] != EVENT_STEP << 3)
    return 0;
  *step = 0;
  for (size_t i = STEP_AT, shift = 0; i < length && shift < 64; i++, shift += 7) {
    *step |= (uint64_t)(event[i] & 0x7f) << shift;
    if (event[i] < 0x80) return 1;
  }
  return 0;
}

/* Keeps the whole records up to and including `step`. */
static spn_status cut(void *owner, uint64_t step, spn_err *err) {
  events *e = owner;
  char *data;
  size_t size, kept = 0;
  int closed = fclose(e->file);
  e->file = NULL;
  if (closed) return fail(e, err);
  SPN_TRY(spn_file_read(e->path, (size_t)1 << 32, &data, &size, err));
  for (size_t at = 0, record; at < size; at += record) {
    uint64_t at_step;
    if (!read_record((const unsigned char *)data + at, size - at, &record, &at_step)) break;
    if (at_step <= step) kept = at + record;
  }
  spn_status status = kept < size ? spn_file_write(e->path, data, kept, err) : SPN_OK;
  free(data);
  return status ? status : open_end(e, err);
}

static void close_file(void *owner) {
  events *e = owner;
  if (e->file) fclose(e->file);
  spn_pb_free(&e->event);
  free(e->path);
  free(e);
}

static const spn_sink sink = {.write = write_row, .cut = cut, .close = close_file};

spn_status spn_sink_events(const char *path, spn_recorder *to, spn_err *err) {
  events *e = calloc(1, sizeof *e);
  if (e) e->path = strdup(path);
  if (!e || !e->path) {
    free(e);
    return spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
  }
  spn_status status = open_end(e, err);
  if (status) {
    close_file(e);
    return status;
  }
  return spn_recorder_add(to, &sink, e, err);
}
