/* Depth, width and input size of any network, apart or together. */
#ifndef SPN_MODEL_SCALE_H
#define SPN_MODEL_SCALE_H

#include "model/arch.h"

/* Multiplies the layers of every stage and rounds up, as EfficientNet does (arXiv 1905.11946, section 3.3, and its
 * published code): 1.1 makes 4 of 3. A stage is a block that changes channels or size and those behind it that do not.
 * Its first block stays; the others are stretched, so that mixed kernels and expansions keep their order and share, and
 * where there is none, copies of the first one come behind it, with a shortcut. What a search skipped goes. Width comes
 * after depth: small widths make channels equal, and with them stages. SPN_EINPUT: more than SPN_MAX_BLOCKS. */
spn_status spn_arch_deepen(spn_arch *arch, double depth, spn_err *err);

typedef struct {
  double depth, width;
  int size; /* pixels; 0: the network's own */
} spn_scaling;
/* All three, depth first. SPN_EINPUT where the result is no legal network. */
spn_status spn_arch_rescale(spn_arch *arch, const spn_scaling *scaling, spn_err *err);

/* ---- Compound scaling: depth, width and size grow together by a coefficient x (arXiv 1905.11946, equation 3) ---- */

typedef struct {
  double depth, width, size; /* what one step multiplies them by: the paper's alpha, beta and gamma */
  spn_scaling start;         /* at x = 0; start.size > 0 */
} spn_compound;
/* start.depth * depth^x and so on; sides in steps of 8 pixels from start.size. */
spn_scaling spn_compound_at(const spn_compound *compound, double x);

/* What a network costs; NaN: that is not known. */
typedef double (*spn_scale_cost)(const void *context, const spn_arch *arch);

typedef struct {
  spn_scaling scaling;
  double depth_x, size_x, width_x; /* the coefficient of each: equal, but for what was left at the end */
  double cost;
} spn_scaled;
/* Of the networks that cost at most `target` the dearest: first all three together; then, since layers come whole (just
 * above 0 every stage has one more) and sides by steps, width and size alone with what is left, then width alone.
 * SPN_EINPUT when even the smallest costs more, or the cost is not known. */
spn_status spn_scale_to(const spn_arch *arch, const spn_compound *compound, double target, spn_scale_cost cost,
                        const void *context, spn_scaled *out, spn_err *err);

#endif
