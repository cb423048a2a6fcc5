/* Comma-separated tables with a header: a reader that walks the rows. Cells may stand in double quotes (RFC 4180,
 * without line ends inside); spaces around a cell are dropped; empty lines and lines that begin with # are passed over.
 * Every error begins with "file:line". */
#ifndef SPN_IO_CSV_H
#define SPN_IO_CSV_H

#include <stddef.h>

#include "core/status.h"

typedef struct spn_csv spn_csv;

/* Reads the file (at most 1 GiB) and its header. SPN_EINPUT: no header, a column without a name or named twice, bytes
 * that are no text. */
spn_status spn_csv_load(const char *file, spn_csv **out, spn_err *err);
void spn_csv_free(spn_csv *csv); /* NULL is allowed */

int spn_csv_columns(const spn_csv *csv);
const char *spn_csv_name(const spn_csv *csv, int column);
int spn_csv_find(const spn_csv *csv, const char *name); /* -1: no such column */

/* Moves to the next row; *end is set behind the last. SPN_EINPUT: the row has not as many cells as the header. */
spn_status spn_csv_next(spn_csv *csv, int *end, spn_err *err);
int spn_csv_line(const spn_csv *csv);                     /* of the row, from 1 */
const char *spn_csv_text(const spn_csv *csv, int column); /* lives until the next row */
/* A number from min to max, all of the cell. */
spn_status spn_csv_real(const spn_csv *csv, int column, double min, double max, double *out, spn_err *err);
/* Fails with "file:line: " and the text; column >= 0: "file:line: column name: ". */
spn_status spn_csv_fail(const spn_csv *csv, int column, spn_err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
