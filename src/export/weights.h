/* A network's weights for exporters: looked up under their canonical names (see export.h) and checked. */
#ifndef SPN_EXPORT_WEIGHTS_H
#define SPN_EXPORT_WEIGHTS_H

#include "core/status.h"
#include "io/tensors.h"

/* The float32 tensor `name` of this shape, all finite. Errors name the tensor, the expected and the got shape. The data
 * belongs to the set. */
spn_status spn_weight_find(const spn_tensors *set, const char *name, int dims, const size_t *shape, const float **out,
                           spn_err *err);

/* The four vectors (channels) of a batch norm, prefix "stem.bn". */
typedef struct {
  const float *gamma, *beta, *mean, *var;
} spn_weight_bn;
spn_status spn_weight_find_bn(const spn_tensors *set, const char *prefix, int channels, spn_weight_bn *out,
                              spn_err *err);

/* y = gamma*(x-mean)/sqrt(var+eps)+beta = scale*x + shift, computed in double. */
void spn_weight_fold(const spn_weight_bn *bn, int channels, double eps, double *scale, double *shift);

#endif
