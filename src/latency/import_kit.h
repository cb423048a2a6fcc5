/* What a phone measured of a kit (src/kit): the manifest says what each model is, the logs of benchmark_model how long
 * it took, once a round. */
#ifndef SPN_LATENCY_IMPORT_KIT_H
#define SPN_LATENCY_IMPORT_KIT_H

#include "latency/import.h"

/* Networks that were measured as a whole. */
typedef struct {
  char arch[256]; /* the network's file, from the kit's folder on */
  int holdout;
  double ms, spread;
  long long count;
} spn_kit_network;

typedef struct {
  int rounds, noisy; /* noisy: logs left out because others of the same model are steady */
  int networks;
  spn_kit_network *network; /* malloc'd; the caller frees */
} spn_kit_results;

/* Adds the parts to in->table. Every cost is the median of the rounds' means. SPN_EINPUT with file and line where a log
 * is torn, with the reason where a model has no log, is noisy in most rounds, or where a whole round was slow
 * (throttled). */
spn_status spn_import_kit(spn_import *in, const char *folder, spn_kit_results *out, spn_err *err);

#endif
