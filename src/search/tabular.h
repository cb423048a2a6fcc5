/* What an opened table knows of its networks, for benches and tests of methods. own: the tabular evaluator's. */
#ifndef SPN_SEARCH_TABULAR_H
#define SPN_SEARCH_TABULAR_H

#include "search/evaluator.h"

/* Mean accuracy over a network's trainings; NaN: it is not there. */
double spn_tabular_mean(const void *own, const spn_choice *choice);
/* The largest mean of all networks whose worst cost is at most `high`; 0: there are none. */
double spn_tabular_best(const void *own, const spn_cost *cost, double high);

#endif
