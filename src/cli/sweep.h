/* The parts of spnas sweep. Internal to cmd_sweep.c, sweep_front.c and sweep_tune.c. */
#ifndef SPN_CLI_SWEEP_H
#define SPN_CLI_SWEEP_H

#include "cli/series.h"
#include "search/tune.h"

#define SPN_SWEEP_WARMUP "warmup" /* folder of the shared one */

/* A network that a search named. */
typedef struct {
  char run[64];                                     /* its folder */
  double target, predicted, accuracy, params, macs; /* target NaN: none; accuracy NaN: unknown */
  char *blocks;                                     /* malloc'd; NULL: the search failed, all else is unknown */
  int front;                                        /* nothing is as cheap and as accurate */
  double value[SPN_TUNE_SETTINGS], worth;           /* of a trial */
} spn_sweep_point;

/* The settings of a search in its warm-up's place: s, but for what the warm-up settled. */
spn_status spn_sweep_search(const spn_cli_run *where, spn_settings *s, spn_err *err);
/* Whether the searches of these settings share a warm-up; tuned: settings that differ among them, or NULL. */
int spn_sweep_shares_warmup(const spn_settings *s, const spn_tune_space *tuned);
/* The warm-up, where it is not there yet; *busy: another process is at it. */
spn_status spn_sweep_warm_up(const spn_series *s, int *busy, spn_err *err);

/* Reads what the run ended with. */
spn_status spn_sweep_read(const spn_series *s, const char *run, spn_sweep_point *out, spn_err *err);
/* front.json and front.csv; marks the points of the front. tuned: what the points' values are of, or NULL. */
spn_status spn_sweep_write_front(const spn_series *s, const spn_tune_space *tuned, spn_sweep_point *p, int count,
                                 spn_err *err);

/* Tunes the settings of tune.ranges at the one target of the series. target: it, in cost units. */
spn_status spn_sweep_tune(const spn_series *s, double target, spn_err *err);

#endif
