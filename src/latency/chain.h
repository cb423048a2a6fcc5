/* Costs of whole networks (spn_space_coupled), layer by layer and differentiable: what a layer costs depends on its own
 * options, on what is decided for its stage, and on the channels before it. */
#ifndef SPN_LATENCY_CHAIN_H
#define SPN_LATENCY_CHAIN_H

#include "latency/latency.h"

typedef struct spn_cost_chain spn_cost_chain;

/* cost: of whole networks. SPN_EINPUT where it is no such sum: a fitted model whose table measured some layers together
 * with the rest. SPN_ENOMEM. */
spn_status spn_cost_chain_new(const spn_cost *cost, const spn_space *space, spn_cost_chain **out, spn_err *err);
void spn_cost_chain_free(spn_cost_chain *chain); /* NULL is allowed */

/* One layer. before: the option of its input's channels (0 where these are not decided, or are its stage's own); lead:
 * of the stage's first layer. */
double spn_cost_chain_layer(const spn_cost_chain *chain, int layer, int before, const spn_layer_choice *lead,
                            const spn_layer_choice *own);
/* Stem, head and classifier behind this option of the last stage's channels. */
double spn_cost_chain_frame(const spn_cost_chain *chain, int channels);

/* The cost of a network under indicators, each in [0,1], as spn_cost_layer_soft: multilinear in those of a layer, equal
 * to spn_cost_of (to rounding) where all are 0 or 1. gates (layers): what is led stands in the stage's first layer.
 * grad (layers; or NULL): the derivative with respect to every gate. */
double spn_cost_chain_soft(const spn_cost_chain *chain, const spn_layer_gates *gates, spn_layer_gates *grad);

#endif
