#define _GNU_SOURCE
#include "train/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"

static const size_t LONGEST = (size_t)1 << 32; /* log that is cut */

typedef struct {
  const spn_row_format *format;
  void *own;
  char *path;
  int file; /* -1: between a cut and opening again */
} sink_file;

static spn_status fail(const sink_file *s, spn_err *err) {
  return spn_fail(err, SPN_EIO, "%s: %s; earlier checkpoints are intact", s->path, strerror(errno));
}

static spn_status append(sink_file *s, spn_row_bytes bytes, spn_err *err) {
  for (const char *at = bytes.data; bytes.size;) {
    ssize_t n = write(s->file, at, bytes.size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(s, err);
    at += n;
    bytes.size -= (size_t)n;
  }
  return SPN_OK;
}

static spn_status open_end(sink_file *s, spn_err *err) {
  struct stat info;
  spn_row_bytes bytes;
  s->file = open(s->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (s->file < 0 || fstat(s->file, &info)) return spn_fail(err, SPN_EIO, "%s: %s", s->path, strerror(errno));
  if (info.st_size > 0 || !s->format->begin) return SPN_OK;
  SPN_TRY(s->format->begin(s->own, &bytes, err));
  return append(s, bytes, err);
}

static spn_status write_row(void *owner, const spn_row *row, spn_err *err) {
  sink_file *s = owner;
  spn_row_bytes bytes;
  SPN_TRY(s->format->encode(s->own, row, &bytes, err));
  return append(s, bytes, err);
}

static spn_status cut(void *owner, uint64_t step, spn_err *err) {
  sink_file *s = owner;
  char *text;
  size_t size;
  int closed = close(s->file);
  s->file = -1;
  if (closed) return fail(s, err);
  SPN_TRY(spn_file_read(s->path, LONGEST, &text, &size, err));
  size_t kept = s->format->kept(text, size, step);
  spn_status status = kept < size ? spn_file_write(s->path, text, kept, err) : SPN_OK;
  free(text);
  return status ? status : open_end(s, err);
}

static void close_sink(void *owner) {
  sink_file *s = owner;
  if (s->file >= 0) close(s->file);
  s->format->free(s->own);
  free(s->path);
  free(s);
}

static const spn_sink sink = {.write = write_row, .cut = cut, .close = close_sink};

spn_status spn_sink_file(const char *path, const spn_row_format *format, void *own, spn_recorder *to, spn_err *err) {
  sink_file *s = own ? calloc(1, sizeof *s) : NULL;
  char *copy = s ? strdup(path) : NULL;
  if (!copy) {
    if (own) format->free(own);
    free(s);
    return spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
  }
  *s = (sink_file){.format = format, .own = own, .path = copy, .file = -1};
  spn_status status = open_end(s, err);
  if (!status) return spn_recorder_add(to, &sink, s, err);
  close_sink(s);
  return status;
}
