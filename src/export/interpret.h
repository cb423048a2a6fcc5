/* Runs a lowered network in plain loops, sharing no code with training: what a file that was read back says, and the
 * ranges that quantisation needs. */
#ifndef SPN_EXPORT_INTERPRET_H
#define SPN_EXPORT_INTERPRET_H

#include "export/lower.h"

/* Smallest and largest value seen; begin with SPN_RANGE_NONE. */
typedef struct {
  float min, max;
} spn_range;
#define SPN_RANGE_NONE ((spn_range){3.4e38f, -3.4e38f})

/* images (count,h,w,c) of the input, out (count, spn_lowered_results: its outputs one after another) or NULL. ranges:
 * NULL, or two for each node, before and after its activation, which are widened. Images are shared out to the threads;
 * the numbers do not depend on how many there are. */
spn_status spn_interpret(const spn_lowered *net, int threads, const float *images, int count, float *out,
                         spn_range *ranges, spn_err *err);

#endif
