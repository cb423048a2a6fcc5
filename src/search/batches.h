/* Batches of images that are decoded once and stay in memory, for passes that come again and again. */
#ifndef SPN_SEARCH_BATCHES_H
#define SPN_SEARCH_BATCHES_H

#include "train/data.h"

typedef struct {
  size_t count, images; /* batches; images in all of them */
  struct {
    float *pixels; /* (optim.batch,size,size,channels), zeros behind the count */
    int32_t *labels;
    int count;
  } *batch;
} spn_batches;

/* The first batches of a split that hold at least `images` (0: all there are; of training images at most an epoch).
 * training: augmented, in random order, whole batches only; otherwise as they are evaluated, in order where all are
 * wanted and else drawn at random. The caller frees. */
spn_status spn_batches_load(const spn_data *d, const spn_settings *s, spn_split split, int training, size_t images,
                            spn_batches *out, spn_err *err);
void spn_batches_free(spn_batches *b);

#endif
