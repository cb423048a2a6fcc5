/* Text files line by line, for formats that are neither JSON nor CSV. Every error begins with "file:line". */
#ifndef SPN_IO_LINES_H
#define SPN_IO_LINES_H

#include <stddef.h>

#include "core/status.h"

typedef struct spn_lines spn_lines;

/* Reads the file (at most 256 MiB). SPN_EINPUT with the line: bytes that are no UTF-8, zeros. */
spn_status spn_lines_load(const char *file, spn_lines **out, spn_err *err);
void spn_lines_free(spn_lines *lines); /* NULL is allowed */

/* The next line, without its end, writable; NULL behind the last. Lives as long as the lines. */
char *spn_lines_next(spn_lines *lines);
int spn_lines_number(const spn_lines *lines); /* of the line that was given last, from 1 */
void spn_lines_rewind(spn_lines *lines);
/* Fails with "file:line: " and the text. */
spn_status spn_lines_fail(const spn_lines *lines, spn_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A number from min to max, all of the text but for spaces around it. */
spn_status spn_lines_real(const spn_lines *lines, const char *what, const char *text, double min, double max,
                          double *out, spn_err *err);

#endif
