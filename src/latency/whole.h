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
/* One layer's block with its input at in_size x in_size, or what a layer costs that is left out (b->skipped); and stem,
 * head and classifier around blocks that give `channels` at size x size. Networks cost their sum, but by a model whose
 * table measured some layers together with the rest. */
double spn_cost_whole_block(const struct spn_cost_whole *whole, int layer, const spn_block *b, int in_size);
double spn_cost_whole_frame(const struct spn_cost_whole *whole, int channels, int size);
/* latency.c: the same of a counted cost; b NULL: the frame. */
double spn_cost_counted_part(const char *name, const spn_arch *arch, const spn_block *b, int channels, int size);
void spn_cost_whole_range(const spn_cost *cost, const spn_space *space, double *min, double *max);

#endif
