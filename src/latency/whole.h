/* Costs of networks as wholes, where layers are tied together (spn_space_coupled). Internal to src/latency. */
#ifndef SPN_LATENCY_WHOLE_H
#define SPN_LATENCY_WHOLE_H

#include "latency/fit.h"
#include "latency/latency.h"

/* Sets out->layers and out->whole: a counted cost by its name, or what a fitted model says (malloc'd, taken over; not
 * where this fails). */
spn_status spn_cost_make_whole(const spn_space *space, const char *counted, spn_fit *fit, spn_cost *out, spn_err *err);
/* Takes `one` over into a weighted sum. */
void spn_cost_whole_add(struct spn_cost_whole **sum, struct spn_cost_whole *one, double weight);

void spn_cost_whole_free(struct spn_cost_whole *whole);

double spn_cost_whole_of(const struct spn_cost_whole *whole, const spn_choice *choice);
void spn_cost_whole_range(const spn_cost *cost, const spn_space *space, double *min, double *max);

#endif
