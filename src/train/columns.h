/* What the columns of a run's logs mean (columns.def). */
#ifndef SPN_TRAIN_COLUMNS_H
#define SPN_TRAIN_COLUMNS_H

#include "io/json_write.h"

typedef struct {
  const char *key, *unit, *about;
} spn_column;
extern const spn_column spn_columns[]; /* ends with a NULL key */

/* Member "columns" of the open object: {"ce": "nats: cross entropy ...", ...}. */
void spn_columns_put(spn_json_writer *w);
/* The same, and "indicators", the names of what a row's lists have an entry each of, into a file. */
spn_status spn_columns_save(const char *const *names, int count, const char *path, spn_err *err);

#endif
