/* Which cost and which space count for a network: what the user set, else what its file names, else the defaults. */
#ifndef SPN_API_PRICING_H
#define SPN_API_PRICING_H

#include "latency/price.h"
#include "train/model_file.h"

/* space, cost: what the network's file names; NULL or "" where it names none. */
spn_status spn_pricing_for(const spn_settings *s, const char *space, const char *cost, spn_pricer **out, spn_err *err);

const char *spn_pricing_name(const spn_settings *s, const char *cost); /* of the cost, likewise */

/* The profile of a network file, with costs where they are its own: by the cost that its search was held to, unless the
 * file says that this is another network than the predicted one, or by the one that the user set. A cost that cannot be
 * had is left out. */
spn_status spn_pricing_profile(const spn_model *m, const spn_settings *s, spn_profile *out, spn_err *err);

#endif
