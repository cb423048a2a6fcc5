/* Sinks that are files: opened at their end, a row in one write, cut by writing anew what stays. A format says what the
 * bytes are. Internal to the sinks. */
#ifndef SPN_TRAIN_RECORD_FILE_H
#define SPN_TRAIN_RECORD_FILE_H

#include "train/record.h"

/* Bytes of a row, the format's own until the next call. */
typedef struct {
  const void *data;
  size_t size;
} spn_row_bytes;

typedef struct {
  /* What a file begins with; NULL: nothing. */
  spn_status (*begin)(void *own, spn_row_bytes *out, spn_err *err);
  spn_status (*encode)(void *own, const spn_row *row, spn_row_bytes *out, spn_err *err);
  /* Bytes of a file up to the end of the last whole row that is not behind `step`. */
  size_t (*kept)(const char *text, size_t size, uint64_t step);
  void (*free)(void *own);
} spn_row_format;

/* Adds the sink. own: the format's; it is freed with the sink, and here on failure. NULL: out of memory. */
spn_status spn_sink_file(const char *path, const spn_row_format *format, void *own, spn_recorder *to, spn_err *err);

#endif
