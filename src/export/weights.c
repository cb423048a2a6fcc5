#include "export/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void shape_text(int dims, const size_t *shape, char *text, size_t size) {
  size_t n = (size_t)snprintf(text, size, "(");
  for (int d = 0; d < dims && n + 24 < size; d++)
    n += (size_t)snprintf(text + n, size - n, d ? ",%zu" : "%zu", shape[d]);
  snprintf(text + n, size - n, ")");
}

/* Axes of size 1 at the end do not count: the graph keeps a dense layer as a 1x1 convolution, (co,ci,1,1). */
static int same_shape(const spn_tensor *t, int dims, const size_t *shape) {
  for (int d = 0; d < dims || d < t->dims; d++)
    if ((d < t->dims ? t->shape[d] : 1) != (d < dims ? shape[d] : 1)) return 0;
  return 1;
}

spn_status spn_weight_find(const spn_tensors *set, const char *name, int dims, const size_t *shape, const float **out,
                           spn_err *err) {
  static const char *const types[] = {"F32", "F64", "I64", "U8"};
  char expected[128], got[128];
  const spn_tensor *t = spn_tensors_find(set, name);
  *out = NULL;
  shape_text(dims, shape, expected, sizeof expected);
  if (!t) return spn_fail(err, SPN_EINPUT, "weights: tensor %s: expected F32 %s, got nothing", name, expected);
  shape_text(t->dims, t->shape, got, sizeof got);
  if (t->dtype != SPN_F32 || !same_shape(t, dims, shape))
    return spn_fail(err, SPN_EINPUT, "weights: tensor %s: expected F32 %s, got %s %s", name, expected, types[t->dtype],
                    got);
  const float *data = t->data;
  for (size_t i = 0, n = spn_tensor_elements(t); i < n; i++)
    if (!isfinite(data[i]))
      return spn_fail(err, SPN_EINPUT, "weights: tensor %s: expected finite values, got %g at element %zu", name,
                      (double)data[i], i);
  *out = data;
  return SPN_OK;
}

spn_status spn_weight_find_bn(const spn_tensors *set, const char *prefix, int channels, spn_weight_bn *out,
                              spn_err *err) {
  static const char *const parts[] = {"gamma", "beta", "mean", "var"};
  const float **fields[] = {&out->gamma, &out->beta, &out->mean, &out->var};
  const size_t shape[] = {(size_t)channels};
  char name[96];
  for (int i = 0; i < 4; i++) {
    snprintf(name, sizeof name, "%s.%s", prefix, parts[i]);
    SPN_TRY(spn_weight_find(set, name, 1, shape, fields[i], err));
  }
  for (int c = 0; c < channels; c++)
    if (out->var[c] < 0)
      return spn_fail(err, SPN_EINPUT, "weights: tensor %s.var: expected no negative variance, got %g at element %d",
                      prefix, (double)out->var[c], c);
  return SPN_OK;
}

void spn_weight_fold(const spn_weight_bn *bn, int channels, double eps, double *scale, double *shift) {
  for (int c = 0; c < channels; c++) {
    scale[c] = (double)bn->gamma[c] / sqrt((double)bn->var[c] + eps);
    shift[c] = (double)bn->beta[c] - (double)bn->mean[c] * scale[c];
  }
}
