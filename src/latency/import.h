/* Measurements that other tools wrote, as a table. Every error names file and line; unknown layouts are refused. */
#ifndef SPN_LATENCY_IMPORT_H
#define SPN_LATENCY_IMPORT_H

#include "latency/table.h"

typedef struct {
  spn_table table;     /* what was read; the caller frees (spn_table_free) */
  const char *network; /* of an op profile: the network it is of; "" otherwise */
  double max_spread;   /* share of the mean: measurements that spread more are refused */
  int passed_over;     /* entries that no network of ours can have: SE of other ratios, broken expansions */
} spn_import;

/* Adds a file, whose kind is known by its content:
 * - JSON of Single-Path NAS: {"block": {"0": ms, ...}}, 0 to 3 = k3e3 k3e6 k5e3 k5e6, in the 22 layers of its network;
 * - YAML of ProxylessNAS and OFA: keys like "expanded_conv-input:56x56x24-output:56x56x24-expand:3-kernel:3-stride:1";
 * - CSV with a header: op,h,w,cin,cout,expand,kernel,stride,se,skip,ms,std,n in any order, also layer; from expand to
 *   skip, std, n and layer may be missing;
 * - the op profile of TFLite's benchmark_model for `network`, on its own or in a log, in the old and the new layout. */
spn_status spn_import_file(spn_import *in, const char *path, spn_err *err);

/* Of one kind, for spn_import_file. */
spn_status spn_import_csv(spn_import *in, const char *path, spn_err *err);
spn_status spn_import_yaml(spn_import *in, const char *path, spn_err *err);
spn_status spn_import_singlepath(spn_import *in, const char *path, spn_err *err);
spn_status spn_import_profile(spn_import *in, const char *path, spn_err *err);

/* A part that was measured before is averaged with it where `average` says so, else SPN_EINPUT without a place. */
spn_status spn_import_add(spn_import *in, const spn_table_entry *entry, int average, spn_err *err);
/* SPN_EINPUT, without a place, when the spread is more than in->max_spread of the cost. */
spn_status spn_import_steady(const spn_import *in, double cost, double spread, spn_err *err);

#endif
