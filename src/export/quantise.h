/* Numbers of 8 bits, by the specification of TFLite's quantisation. Internal to src/export. */
#ifndef SPN_EXPORT_QUANTISE_H
#define SPN_EXPORT_QUANTISE_H

#include <stddef.h>
#include <stdint.h>

#include "export/interpret.h"

/* For values in the range, and 0, which must be a level of its own. */
spn_quant spn_quant_of(spn_range range);

/* Weights of c output channels into q (-127 to 127, zero at 0) and scale, (c) when `each`, else one for all. data has
 * total values: channel by channel, or with the channels innermost. in: the scale of what the weight multiplies; scales
 * are never so small that bias (c, or NULL) does not fit 32 bits in units of in * scale. */
void spn_quantise_weight(const float *data, size_t total, const float *bias, int c, int innermost, int each, float in,
                         float *scale, int8_t *q);

#endif
