/* How a training asks more of its batches than their labels: mixed images, weighted classes, a teacher. */
#ifndef SPN_TRAIN_REGULARISE_H
#define SPN_TRAIN_REGULARISE_H

#include "model/arch.h"
#include "train/data.h"

typedef struct spn_regulariser spn_regulariser;

/* What train.mixup, train.cutmix, train.class_weights, train.teacher and train.distil ask for; NULL when nothing is
 * asked. data is borrowed; arch: the network that is trained. SPN_EINPUT: a class without training images where classes
 * are to be balanced, or a teacher of another input or other classes. */
spn_status spn_regulariser_create(const spn_settings *s, const spn_data *data, const spn_arch *arch,
                                  spn_regulariser **out, spn_err *err);
void spn_regulariser_free(spn_regulariser *r); /* NULL is allowed */
/* Images and targets (spn_graph.targets) of a step, which live until the next call; a function of (seed, step). */
spn_status spn_regulariser_apply(spn_regulariser *r, const spn_batch *batch, uint64_t step, const float **images,
                                 const real **targets, spn_err *err);

#endif
