/* Finds the best values of numeric settings when every answer is costly (the sequel paper's way of choosing the
 * solver's own hyper-parameters: Single-Path Mobile AutoML, arXiv 1907.00959): Bayesian optimisation. A few
 * trials are spread evenly, every later one is where a Gaussian process of those before expects most improvement. */
#ifndef SPN_SEARCH_TUNE_H
#define SPN_SEARCH_TUNE_H

#include <stdint.h>

#include "search/gp.h"
#include "train/settings.h"

enum { SPN_TUNE_SETTINGS = SPN_GP_INPUTS, SPN_TUNE_TRIALS = 200, SPN_TUNE_PATH = 64 };

typedef struct {
  char path[SPN_TUNE_PATH];
  double low, high;
  int integer;
  int logarithmic; /* the range spans a decade or more: equal ratios count alike */
} spn_tune_range;

typedef struct {
  int count;
  spn_tune_range range[SPN_TUNE_SETTINGS];
} spn_tune_space;

/* From tune.ranges. SPN_EINPUT: what is no such list, or names what is no numeric setting or outside of its bounds. */
spn_status spn_tune_read(const spn_settings *s, spn_tune_space *out, spn_err *err);
/* Whether one of the ranges is of this setting. */
int spn_tune_has(const spn_tune_space *space, const char *path);
/* Puts a trial's values into settings. */
spn_status spn_tune_apply(const spn_tune_space *space, const double *value, spn_settings *s, spn_err *err);
/* The settings' own values; returns whether all lie in their ranges. */
int spn_tune_given(const spn_tune_space *space, const spn_settings *s, double *value);

typedef struct {
  double value[SPN_TUNE_SETTINGS];
  double worth; /* what is to be large; NaN: the trial failed, which counts as the worst that was seen */
} spn_tune_trial;

/* Values of the trial after the `trials` done ones: a function of these and the seed. They are as people write numbers
 * (four digits), differ from those of every trial before, and are spread evenly for the first 2 * settings + 2 trials.
 * *found 0: no values are left that were not tried. SPN_ENOMEM. */
spn_status spn_tune_next(const spn_tune_space *space, uint64_t seed, const spn_tune_trial *done, int trials,
                         double *value, int *found, spn_err *err);
/* The done trial with the largest worth, the first of such; -1: all failed. */
int spn_tune_best(const spn_tune_trial *done, int trials);

#endif
