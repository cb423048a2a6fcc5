/* How long a run is and what its schedules are, where the settings leave that to the data. */
#ifndef SPN_TRAIN_SCHEDULE_H
#define SPN_TRAIN_SCHEDULE_H

#include <stddef.h>

#include "train/settings.h"

enum { SPN_SEARCH_EPOCHS = 8, SPN_SEARCH_STEPS = 800, SPN_TRAIN_EPOCHS = 15, SPN_TRAIN_STEPS = 1000 };

/* Steps of an epoch: whole batches of the training images, at least 1. */
size_t spn_steps_per_epoch(const spn_settings *s, size_t images);

/* Settles what is automatic, so that a small set and a short run get schedules of the same shape as a long one:
 *   epochs 0          SPN_SEARCH_EPOCHS (SPN_TRAIN_EPOCHS), or as many as give SPN_SEARCH_STEPS (SPN_TRAIN_STEPS)
 *                     (a search with search.budget: as many as that allows, at least 1)
 *   warmup_epochs -1  5/8 of the epochs, ramp_epochs -1: 1/16 (Single-Path NAS, arXiv 1904.02877, warms up 5 of 8)
 *   lr_warmup -1      5 epochs, but at most 1/8 of the run
 * and caps optim.ema at 1 - 10 / steps: averaged weights that remember more than a tenth of the run lag behind it.
 * images: for training. What is settled stays so when settled again. SPN_EINPUT: a warm-up that leaves nothing. */
spn_status spn_schedule_search(spn_settings *s, size_t images, spn_err *err);
spn_status spn_schedule_train(spn_settings *s, size_t images, spn_err *err);

#endif
