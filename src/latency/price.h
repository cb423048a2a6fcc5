/* What any network costs, layer by layer where that is known: in a space as its search prices it, outside of it by a
 * fitted model. */
#ifndef SPN_LATENCY_PRICE_H
#define SPN_LATENCY_PRICE_H

#include "latency/latency.h"
#include "model/profile.h"

/* Of a network of a space: choice is what the network is there. Layers whose cost is part of the space's rest keep NaN,
 * all do where networks are priced whole. */
void spn_profile_price(spn_profile *profile, const spn_arch *arch, const spn_cost *cost, const spn_choice *choice);

/* A cost and, if the networks may lie in one, a space. */
typedef struct spn_pricer spn_pricer;
/* cost: as spn_cost_load takes it. space: a name or path; NULL: none. A space that cannot be loaded or priced counts as
 * none. SPN_EINPUT: no such cost. The caller frees. */
spn_status spn_pricer_load(const char *cost, const char *space, spn_pricer **out, spn_err *err);
void spn_pricer_free(spn_pricer *pricer); /* NULL is allowed */

/* Fills in what the network costs: counted; or as in the space, where it lies there; or part by part by the fitted
 * model, to which a table is made, and which uses as measured what was. SPN_EINPUT where none of it is to be had (a sum
 * of several costs outside of its space): says why. */
spn_status spn_pricer_apply(const spn_pricer *pricer, const spn_arch *arch, spn_profile *profile, spn_err *err);
/* The same as one number, NaN where it is not known: what spn_scale_to takes. */
double spn_pricer_cost(const void *pricer, const spn_arch *arch);
const char *spn_pricer_unit(const spn_pricer *pricer);
const char *spn_pricer_space(const spn_pricer *pricer); /* its name, or "" */

#endif
