/* The best way through a chain of units within a cost range: each unit has options, each option begins in one state and
 * ends in one, and what it costs and brings is its own. States carry what one unit's options mean for the next. */
#ifndef SPN_SEARCH_PATH_H
#define SPN_SEARCH_PATH_H

#include "core/status.h"

enum { SPN_MAX_UNITS = 64 };

typedef struct {
  int from, to; /* states before and behind */
  double cost, gain;
} spn_path_option;

typedef struct {
  int units, states[SPN_MAX_UNITS + 1]; /* states[u]: before unit u; the first and the last number may be any */
  int count[SPN_MAX_UNITS];
  spn_path_option *option[SPN_MAX_UNITS]; /* (count) */
  long max_nodes;                         /* as of spn_budget, but 0: 2 million */
  int steps;
} spn_path;

typedef struct {
  int picked[SPN_MAX_UNITS];
  double cost, gain, bound;
} spn_path_answer;

/* The way of the largest sum of gains among those from state 0 that cost between low and high, found in the manner of
 * spn_budget_best and as exact: a depth-first search that a table of rounded costs bounds. found 0: there is none.
 * SPN_ENOMEM. */
spn_status spn_path_best(const spn_path *path, double low, double high, spn_path_answer *out, int *found, spn_err *err);
/* The cheapest way. SPN_ENOMEM. */
spn_status spn_path_cheapest(const spn_path *path, spn_path_answer *out, spn_err *err);

#endif
