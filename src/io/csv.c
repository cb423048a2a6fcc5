#include "io/csv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"

static const size_t LARGEST = (size_t)1 << 30;
enum { COLUMNS = 1024 };

struct spn_csv {
  char *file, *text, *next; /* next: first byte not yet read */
  char *name[COLUMNS], *cell[COLUMNS];
  int columns, line;
};

spn_status spn_csv_fail(const spn_csv *csv, int column, spn_err *err, const char *format, ...) {
  char text[700];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (column < 0) return spn_fail(err, SPN_EINPUT, "%.200s:%d: %s", csv->file, csv->line, text);
  return spn_fail(err, SPN_EINPUT, "%.200s:%d: column %.60s: %s", csv->file, csv->line, csv->name[column], text);
}

/* ---- Lines and cells ---- */

/* The next line that holds something, with a zero in place of its end; NULL behind the last. */
static char *take_line(spn_csv *csv) {
  while (*csv->next) {
    char *line = csv->next, *end = line + strcspn(line, "\n");
    csv->next = end + (*end != 0);
    *end = 0;
    csv->line++;
    if (end > line && end[-1] == '\r') end[-1] = 0;
    line += strspn(line, " \t");
    if (*line && *line != '#') return line;
  }
  return NULL;
}

static char *trim(char *text) {
  text += strspn(text, " \t");
  size_t n = strlen(text);
  while (n && strchr(" \t", text[n - 1])) text[--n] = 0;
  return text;
}

/* A cell in quotes, whose first quote lies at `at`; it is shortened in place (two quotes stand for one). Returns what
 * follows the last quote; NULL: there is none. */
static char *unquote(char *at, char **cell) {
  char *to = *cell = at + 1;
  for (char *from = to; *from; from++) {
    if (*from == '"' && from[1] != '"') {
      *to = 0;
      return from + 1;
    }
    from += *from == '"';
    *to++ = *from;
  }
  return NULL;
}

/* Cuts a line into cells. */
static spn_status split(const spn_csv *csv, char *line, char **cell, int *count, spn_err *err) {
  for (*count = 0;; line++) {
    if (*count == COLUMNS) return spn_csv_fail(csv, -1, err, "expected at most %d columns, got more", COLUMNS);
    char *start = line + strspn(line, " \t"), **here = &cell[(*count)++];
    if (*start == '"') {
      line = unquote(start, here);
      if (!line) return spn_csv_fail(csv, -1, err, "cell %d: expected a closing quote, got the line's end", *count);
      line += strspn(line, " \t");
      if (*line && *line != ',')
        return spn_csv_fail(csv, -1, err, "cell %d: expected a comma behind the quote, got \"%.20s\"", *count, line);
    } else {
      *here = start;
      line += strcspn(line, ",");
    }
    int last = !*line;
    *line = 0;
    *here = trim(*here);
    if (last) return SPN_OK;
  }
}

/* ---- Whole ---- */

static spn_status read_header(spn_csv *csv, spn_err *err) {
  char *line = take_line(csv);
  if (!line) csv->line = 1;
  if (!line) return spn_csv_fail(csv, -1, err, "expected a header with the columns' names, got an empty file");
  SPN_TRY(split(csv, line, csv->name, &csv->columns, err));
  for (int i = 0; i < csv->columns; i++) {
    if (!csv->name[i][0]) return spn_csv_fail(csv, -1, err, "column %d: expected a name, got nothing", i + 1);
    if (spn_csv_find(csv, csv->name[i]) < i)
      return spn_csv_fail(csv, -1, err, "column %d: the name %.60s is there already", i + 1, csv->name[i]);
  }
  return SPN_OK;
}

spn_status spn_csv_load(const char *file, spn_csv **out, spn_err *err) {
  size_t size;
  spn_csv *csv = calloc(1, sizeof *csv);
  if (!csv || !(csv->file = strdup(file))) {
    spn_csv_free(csv);
    return spn_fail(err, SPN_ENOMEM, "%.200s: out of memory", file);
  }
  spn_status status = spn_file_read(file, LARGEST, &csv->text, &size, err);
  if (!status) {
    csv->next = csv->text + (strncmp(csv->text, "\xEF\xBB\xBF", 3) ? 0 : 3); /* the mark of UTF-8 */
    status = strlen(csv->text) == size ? read_header(csv, err)
                                       : spn_fail(err, SPN_EINPUT, "%.200s: expected text, got zero bytes", file);
  }
  if (status) spn_csv_free(csv);
  else *out = csv;
  return status;
}

void spn_csv_free(spn_csv *csv) {
  if (!csv) return;
  free(csv->file);
  free(csv->text);
  free(csv);
}

int spn_csv_columns(const spn_csv *csv) { return csv->columns; }

const char *spn_csv_name(const spn_csv *csv, int column) { return csv->name[column]; }

int spn_csv_find(const spn_csv *csv, const char *name) {
  for (int i = 0; i < csv->columns; i++)
    if (!strcmp(csv->name[i], name)) return i;
  return -1;
}

spn_status spn_csv_next(spn_csv *csv, int *end, spn_err *err) {
  int count;
  char *line = take_line(csv);
  *end = !line;
  if (!line) return SPN_OK;
  SPN_TRY(split(csv, line, csv->cell, &count, err));
  if (count != csv->columns)
    return spn_csv_fail(csv, -1, err, "expected %d cells as in the header, got %d", csv->columns, count);
  return SPN_OK;
}

int spn_csv_line(const spn_csv *csv) { return csv->line; }

const char *spn_csv_text(const spn_csv *csv, int column) { return csv->cell[column]; }

spn_status spn_csv_real(const spn_csv *csv, int column, double min, double max, double *out, spn_err *err) {
  const char *text = csv->cell[column];
  char *rest;
  double value = strtod(text, &rest);
  if (rest == text || *rest || !isfinite(value) || !(value >= min && value <= max))
    return spn_csv_fail(csv, column, err, "expected a number from %g to %g, got \"%.40s\"", min, max, text);
  *out = value;
  return SPN_OK;
}
