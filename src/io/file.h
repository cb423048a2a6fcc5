/* Whole files: bounded reads, and writes that appear by rename. */
#ifndef SPN_IO_FILE_H
#define SPN_IO_FILE_H

#include <stddef.h>

#include "core/status.h"

/* Reads all of path (at most limit bytes) into a malloc'd block with a terminating zero after it. Waits
 * for the writer of a pipe; SPN_ESTOPPED when a stop is asked for meanwhile (core/phase.h). */
spn_status spn_file_read(const char *path, size_t limit, char **data, size_t *size, spn_err *err);
/* Writes to path.tmp-<pid>, syncs, renames onto path, syncs the folder. On failure the old file stays, the temporary
 * goes. */
spn_status spn_file_write(const char *path, const void *data, size_t size, spn_err *err);
/* The same in pieces, for large files. */
typedef struct spn_file spn_file;
spn_status spn_file_create(const char *path, spn_file **out, spn_err *err);
spn_status spn_file_append(spn_file *f, const void *data, size_t size, spn_err *err);
spn_status spn_file_commit(spn_file *f, spn_err *err); /* frees f in every case */
void spn_file_abort(spn_file *f);                      /* NULL is allowed */
/* The path from the root on, without "." and doubled slashes; links and ".." stay. SPN_EINPUT when it does not fit,
 * SPN_EIO when the working directory is gone. */
spn_status spn_path_absolute(const char *path, char *out, size_t size);
/* mkdir -p. */
spn_status spn_folder_create(const char *path, spn_err *err);

#endif
