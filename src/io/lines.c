#include "io/lines.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "io/file.h"

static const size_t LARGEST = (size_t)256 << 20;

struct spn_lines {
  char *file, *text, **line;
  int count, at; /* lines; those that were given */
};

spn_status spn_lines_fail(const spn_lines *lines, spn_err *err, const char *format, ...) {
  char text[700];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return spn_fail(err, SPN_EINPUT, "%.200s:%d: %s", lines->file, lines->at, text);
}

static spn_status check_text(spn_lines *lines, size_t size, spn_err *err) {
  for (size_t i = 0; i < size;) {
    int bytes = lines->text[i] ? spn_utf8_length(lines->text + i) : 0;
    lines->at = lines->at ? lines->at : 1;
    if (!bytes)
      return spn_lines_fail(lines, err, "expected text in UTF-8, got byte 0x%02x", (unsigned char)lines->text[i]);
    lines->at += lines->text[i] == '\n';
    i += (size_t)bytes;
  }
  lines->at = 0;
  return SPN_OK;
}

static spn_status cut(spn_lines *lines, size_t size, spn_err *err) {
  size_t ends = 1;
  for (size_t i = 0; i < size; i++) ends += lines->text[i] == '\n';
  lines->line = malloc(sizeof *lines->line * ends);
  if (!lines->line) return spn_fail(err, SPN_ENOMEM, "%.200s: out of memory", lines->file);
  for (char *at = lines->text; *at;) {
    char *end = at + strcspn(at, "\n");
    char *next = end + (*end != 0);
    *end = 0;
    if (end > at && end[-1] == '\r') end[-1] = 0;
    lines->line[lines->count++] = at;
    at = next;
  }
  return SPN_OK;
}

spn_status spn_lines_load(const char *file, spn_lines **out, spn_err *err) {
  size_t size = 0;
  spn_lines *lines = calloc(1, sizeof *lines);
  if (!lines || !(lines->file = strdup(file))) {
    spn_lines_free(lines);
    return spn_fail(err, SPN_ENOMEM, "%.200s: out of memory", file);
  }
  spn_status status = spn_file_read(file, LARGEST, &lines->text, &size, err);
  if (!status) status = check_text(lines, size, err);
  if (!status) status = cut(lines, size, err);
  if (status) spn_lines_free(lines);
  else *out = lines;
  return status;
}

void spn_lines_free(spn_lines *lines) {
  if (!lines) return;
  free(lines->file);
  free(lines->text);
  free(lines->line);
  free(lines);
}

char *spn_lines_next(spn_lines *lines) { return lines->at < lines->count ? lines->line[lines->at++] : NULL; }

int spn_lines_number(const spn_lines *lines) { return lines->at; }

void spn_lines_rewind(spn_lines *lines) { lines->at = 0; }

spn_status spn_lines_real(const spn_lines *lines, const char *what, const char *text, double min, double max,
                          double *out, spn_err *err) {
  char *rest;
  double value = strtod(text, &rest);
  int nothing = rest == text;
  rest += strspn(rest, " \t");
  if (nothing || *rest || !(value >= min && value <= max))
    return spn_lines_fail(lines, err, "%s: expected a number from %g to %g, got \"%.40s\"", what, min, max, text);
  *out = value;
  return SPN_OK;
}
