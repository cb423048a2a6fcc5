#include "export/quantise.h"

#include <math.h>

enum { LOW = -128, HIGH = 127, WEIGHT_HIGH = 127 };
static const float LEAST_SCALE = 1e-12f; /* of what is always 0 */
static const float MAX_BIAS = 1 << 30;   /* half of what 32 bits hold: sums of products come on top */

spn_quant spn_quant_of(spn_range range) {
  const float min = range.min < 0 ? range.min : 0, max = range.max > 0 ? range.max : 0;
  spn_quant q = {(max - min) / (HIGH - LOW), 0};
  if (!(q.scale > LEAST_SCALE)) return (spn_quant){1, 0};
  const float zero = roundf((float)LOW - min / q.scale);
  q.zero = (int)(zero < LOW ? LOW : zero > HIGH ? HIGH : zero);
  return q;
}

void spn_quantise_weight(const float *data, size_t total, const float *bias, int c, int innermost, int each, float in,
                         float *scale, int8_t *q) {
  const size_t channels = (size_t)c, row = total / channels;
  for (size_t o = 0; o < (each ? channels : 1); o++) scale[o] = LEAST_SCALE;
  for (size_t i = 0; i < total; i++) {
    float *s = &scale[each ? (innermost ? i % channels : i / row) : 0];
    *s = fmaxf(*s, fabsf(data[i]) / WEIGHT_HIGH);
  }
  for (size_t o = 0; bias && o < channels; o++) {
    float *s = &scale[each ? o : 0];
    *s = fmaxf(*s, fabsf(bias[o]) / (in * MAX_BIAS));
  }
  for (size_t i = 0; i < total; i++) {
    const float level = roundf(data[i] / scale[each ? (innermost ? i % channels : i / row) : 0]);
    q[i] = (int8_t)(level < -WEIGHT_HIGH ? -WEIGHT_HIGH : level > WEIGHT_HIGH ? WEIGHT_HIGH : level);
  }
}
