/* Fine-tuning: a body that rests while a new classifier learns, and rates that fall towards the image. */
#ifndef SPN_TRAIN_FINETUNE_H
#define SPN_TRAIN_FINETUNE_H

#include "train/optimizer.h"

/* Gives the optimiser its rates: train.layer_decay to the number of layers (stem, blocks, head, classifier) that a
 * parameter's is away from the classifier (ELECTRA's and BEiT's layer-wise decay, arXiv 2003.10555, 2106.08254).
 * SPN_EINPUT when train.frozen_epochs is longer than the training, or there are no weights to start from (started 0).
 */
spn_status spn_finetune_begin(const spn_settings *s, const spn_graph *g, int started, spn_optimizer *o, spn_err *err);

/* Before each step: in the first train.frozen_epochs only the classifier learns, and backward ends there. Weights,
 * gammas and betas before it rest; their batch norms go by the batch, as in all training. */
void spn_finetune_step(const spn_settings *s, double epoch, spn_graph *g, spn_optimizer *o);

#endif
