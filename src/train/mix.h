/* What a training batch asks of the network: targets for its classes, of images that may be mixed, classes that may
 * weigh differently, and a teacher's opinion. */
#ifndef SPN_TRAIN_MIX_H
#define SPN_TRAIN_MIX_H

#include <stdint.h>

#include "core/status.h"
#include "kernels.h"

typedef struct {
  int batch, size, channels, classes; /* of the network's input and output */
  double mixup, cutmix;       /* alpha of Beta(alpha, alpha); 0: off. Both on: each batch takes one, at even odds */
  double smoothing;           /* of labels: (1-e) on the label, e/classes on every class */
  const double *class_weight; /* (classes), copied; NULL: all 1 */
  uint64_t seed;
} spn_mix_options;

typedef struct spn_mixer spn_mixer;

/* All memory is taken here. */
spn_status spn_mixer_create(const spn_mix_options *options, spn_mixer **out, spn_err *err);
void spn_mixer_free(spn_mixer *m); /* NULL is allowed */

/* Image i of the batch is mixed with image count-1-i, as timm pairs them: a share l of the first and 1-l of the other,
 *   mixup (arXiv 1710.09412): x = l*x_i + (1-l)*x_j
 *   cutmix (arXiv 1905.04899): a rectangle of x_j of area 1-l, its centre anywhere, cut at the border, in x_i; l is
 *   then what is left
 * and so are their targets, each times its class's weight. One l a batch; everything is a function of (seed, step).
 * images (batch,size,size,channels), labels (batch), count of them valid. *mixed are the images to train on (images
 * themselves where nothing is mixed), *targets (batch,classes); both live until the next call. */
void spn_mixer_apply(spn_mixer *m, const float *images, const int32_t *labels, int count, uint64_t step,
                     const float **mixed, const real **targets);
/* Blends a teacher's softmax into the targets of the last call: target = (1-share)*target + share*sum(target)*softmax,
 * distillation at temperature 1 (arXiv 1503.02531), as Once-for-all trains its networks. logits (batch,classes). */
void spn_mixer_distil(spn_mixer *m, const real *logits, double share);
/* The share l of the last call; 1: nothing was mixed. */
double spn_mixer_share(const spn_mixer *m);

#endif
