#define _GNU_SOURCE
#include "cli/summary.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"

/* Width of the names; longest text; characters of a course, at most; the longest log, of which more is not read. */
enum { NAME = 12, TEXT = 2048, COURSE = 40 };
static const size_t LOG = (size_t)1 << 30;

/* The text from column NAME on, broken between words where the line ends. */
static void put_wrapped(const char *text) {
  int columns = spn_screen_columns(stdout), at = NAME;
  for (const char *space = ""; *(text += strspn(text, " ")); space = " ") {
    int n = (int)strcspn(text, " ");
    if (*space && columns && at + 1 + n > columns) {
      printf("\n%*s", NAME, "");
      at = NAME;
      space = "";
    }
    printf("%s%.*s", space, n, text);
    at += n + (*space != 0);
    text += n;
  }
}

static void put_name(const char *name) {
  printf("%s%-*s%s", spn_screen_style(stdout, SPN_BOLD), NAME, name, spn_screen_style(stdout, SPN_PLAIN));
}

void spn_summary_line(const char *name, spn_style style, const char *format, ...) {
  char text[TEXT];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  put_name(name);
  if (style != SPN_PLAIN) fputs(spn_screen_style(stdout, style), stdout);
  put_wrapped(text);
  printf("%s\n", style != SPN_PLAIN ? spn_screen_style(stdout, SPN_PLAIN) : "");
}

void spn_summary_course(const char *name, const spn_course *course, const char *format, ...) {
  char text[TEXT], spark[SPN_SPARK_BYTES * COURSE + 1];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  int columns = spn_screen_columns(stdout), room = columns ? columns - NAME - 1 - length : COURSE;
  spn_screen_spark(course, room > COURSE ? COURSE : room, spn_screen_is_utf8(stdout), spark);
  put_name(name);
  printf("%s%s%s\n", spark, *spark ? " " : "", text);
}

double *spn_summary_read(const char *folder, const char *log, const char *key, size_t *count) {
  char path[4096], mark[64], *text, *end;
  size_t size, room = 0;
  double *values = NULL;
  *count = 0;
  snprintf(path, sizeof path, "%s/%s", folder, log);
  snprintf(mark, sizeof mark, "\"%s\": ", key); /* as io/json_write writes it */
  if (spn_file_read(path, LOG, &text, &size, NULL)) return NULL;
  for (char *at = text; (at = memmem(at, size - (size_t)(at - text), mark, strlen(mark)));) {
    at += strlen(mark);
    double value = strtod(at, &end);
    if (end == at) continue; /* null */
    if (*count == room) {
      double *more = realloc(values, (room = 2 * room + 64) * sizeof *more);
      if (!more) break;
      values = more;
    }
    values[(*count)++] = value;
  }
  free(text);
  return values;
}

void spn_summary_log(const char *name, const char *folder, const char *log, const char *key, const char *rows) {
  size_t count;
  double *values = spn_summary_read(folder, log, key, &count);
  if (count > 1)
    spn_summary_course(name, &(spn_course){.value = values, .count = count}, "%.4g to %.4g, %zu %s", values[0],
                       values[count - 1], count, rows);
  free(values);
}

void spn_summary_unreadable(spn_dataset *set) {
  char list[1024], *rest = list, *line;
  size_t total = 0, bad = spn_dataset_bad(set, list, sizeof list);
  if (!bad) return;
  for (int i = 0; i <= SPN_SPLIT_TEST; i++) total += spn_dataset_count(set, (spn_split)i);
  spn_summary_line("left out", SPN_WARN, "%zu of %zu images, which cannot be read:", bad, total);
  while ((line = strsep(&rest, "\n"))) spn_summary_line("", SPN_PLAIN, "%s", line);
}
