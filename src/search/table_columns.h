/* Which network a row of a table of finished networks stands for (data/spaces/README.md, "Tables"). */
#ifndef SPN_SEARCH_TABLE_COLUMNS_H
#define SPN_SEARCH_TABLE_COLUMNS_H

#include "io/csv.h"
#include "latency/latency.h"

typedef struct {
  const spn_space *space; /* borrowed */
  spn_decisions decisions;
  int digits; /* column with a digit for each layer; -1: columns by decision */
  int column[SPN_MAX_DECISIONS];
} spn_table_columns;

/* SPN_EINPUT: no columns that name networks. */
spn_status spn_table_columns_find(const spn_csv *csv, const spn_space *space, spn_table_columns *out, spn_err *err);
/* The row's network; *there 0: the space lacks it. */
spn_status spn_table_network(const spn_table_columns *t, const spn_csv *csv, spn_choice *out, int *there, spn_err *err);

/* A space's costs from a column of a table, where they add up over layers: least squares over all rows, each of which
 * must then be met to 1e-6 of the largest. SPN_EINPUT names the row that is not, or says which costs no row tells. */
spn_status spn_table_cost(const char *file, const char *column, const spn_space *space, spn_cost *out, spn_err *err);

#endif
