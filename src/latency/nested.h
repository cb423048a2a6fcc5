/* Nested options under indicators, as the differentiable forms of costs take them. Internal to src/latency. */
#ifndef SPN_LATENCY_NESTED_H
#define SPN_LATENCY_NESTED_H

#include "model/space.h"

/* Weights of n nested options under indicators d (n-1 of them), and their derivatives slope[option][indicator].
 * w[i] = d[0] .. d[i-1] * (1 - d[i]); the last option has no factor 1 - d. */
typedef struct {
  int n;
  double w[SPN_MAX_OPTIONS], slope[SPN_MAX_OPTIONS][SPN_MAX_OPTIONS];
} spn_nested;

void spn_nest(int n, const double *d, spn_nested *out);
/* gradient[j] += sum over options of partial[i] * slope[i][j]. */
void spn_nest_pull(const spn_nested *options, const double *partial, double *gradient);

#endif
