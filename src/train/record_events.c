/* The sink of TensorBoard's event files: TFRecords of Event messages (tensorboard/compat/proto/event.proto and
 * summary.proto; the framing is TensorFlow's record_writer). A number becomes a scalar, a list a histogram; texts are
 * left to metrics.jsonl. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/crc32c.h"
#include "io/protobuf.h"
#include "train/record_file.h"

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

/* Room for the frame comes first, the event's step second in the event, where step_of looks for it. */
static void begin(spn_pb *event, uint64_t step) {
  static const unsigned char room[HEAD];
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  event->size = 0;
  spn_pb_raw(event, room, HEAD);
  spn_pb_double(event, EVENT_WALL_TIME, (double)t.tv_sec + 1e-9 * (double)t.tv_nsec);
  spn_pb_int(event, EVENT_STEP, (int64_t)step);
}

static spn_status end(spn_pb *event, spn_row_bytes *out, spn_err *err) {
  unsigned char tail[TAIL];
  if (event->failed) return spn_fail(err, SPN_ENOMEM, "metrics: out of memory");
  put_little(event->data, event->size - HEAD, 8);
  put_little(event->data + 8, masked(event->data, 8), 4);
  put_little(tail, masked(event->data + HEAD, event->size - HEAD), 4);
  spn_pb_raw(event, tail, TAIL);
  if (event->failed) return spn_fail(err, SPN_ENOMEM, "metrics: out of memory");
  *out = (spn_row_bytes){event->data, event->size};
  return SPN_OK;
}

/* A file begins with its version. */
static spn_status begin_file(void *own, spn_row_bytes *out, spn_err *err) {
  begin(own, 0);
  spn_pb_string(own, EVENT_FILE_VERSION, "brain.Event:2");
  return end(own, out, err);
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

static spn_status encode(void *own, const spn_row *row, spn_row_bytes *out, spn_err *err) {
  begin(own, row->step);
  size_t summary = spn_pb_open(own, EVENT_SUMMARY);
  for (size_t i = 0; i < row->fields; i++) put_field(own, row, &row->field[i]);
  spn_pb_close(own, summary);
  return end(own, out, err);
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

static size_t kept(const char *text, size_t size, uint64_t step) {
  size_t keep = 0;
  for (size_t at = 0, record; at < size; at += record) {
    uint64_t at_step;
    if (!read_record((const unsigned char *)text + at, size - at, &record, &at_step)) break;
    if (at_step <= step) keep = at + record;
  }
  return keep;
}

static void free_event(void *own) {
  spn_pb_free(own);
  free(own);
}

static const spn_row_format format = {.begin = begin_file, .encode = encode, .kept = kept, .free = free_event};

spn_status spn_sink_events(const char *path, spn_recorder *to, spn_err *err) {
  return spn_sink_file(path, &format, calloc(1, sizeof(spn_pb)), to, err);
}
