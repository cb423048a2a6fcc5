/* A run folder as one page: what a search decided and why, or how a training went. */
#ifndef SPN_REPORT_REPORT_H
#define SPN_REPORT_REPORT_H

#include <stddef.h>

#include "core/status.h"

/* Writes the page of a run of search or train, finished or under way, or of a finished comparison or sweep, into the
 * file `out` (io/file.h: by rename). One file that needs no network and no other: the data are those of the run's files
 * (long logs thinned, figures as they stand there), the plots Chart.js where the build found it; tables without. What
 * is missing or cannot be read is named on the page. folder may be the file of a fitted latency model instead.
 * SPN_EINPUT: the folder holds no run, the file no such model. */
spn_status spn_report_write(const char *folder, const char *out, spn_err *err);

/* SPN_EINPUT: the folder holds no run. */
spn_status spn_report_check(const char *folder, spn_err *err);
/* The same in two pieces, each malloc'd with a zero behind it, the caller's to free; safe in any thread.
 * The data of the page: one JSON object. */
spn_status spn_report_data(const char *folder, char **data, size_t *size, spn_err *err);
/* The page around them. live: it asks where it is from, at ADDRESS/data, for newer ones every few seconds. */
spn_status spn_report_page(const char *data, size_t data_size, int live, char **page, size_t *size, spn_err *err);

#endif
