/* Inside of a loader; for loader.c only. */
#ifndef SPN_INPUT_LOADER_H
#define SPN_INPUT_LOADER_H

#include <pthread.h>

#include "input/dataset.h"
#include "input/transform.h"

enum { SPN_TRIES = 1000 }; /* images tried for one place of a training batch */

/* One batch of the ring. Its pieces are written by one worker each; the rest is guarded by the loader's lock until the
 * batch is complete and belongs to the consumer then. */
typedef struct {
  float *images;   /* (batch,size,size,channels) */
  int32_t *labels; /* (batch) -1: unreadable */
  uint32_t *items; /* (batch) as planned */
  uint16_t *tried; /* (batch) images tried, unreadable ones and the good one */
  uint64_t epoch;
  size_t first; /* position of the first item in the epoch */
  int count, pieces_left;
  spn_err err; /* of the first piece that failed */
  int err_first;
} spn_slot;

struct spn_loader {
  spn_loader_options o;
  spn_dataset *set;
  spn_transform_plan plan;
  size_t items, batches, image_size;
  int slot_count, piece; /* piece: images that a worker takes at once */
  spn_slot *slots;
  pthread_t *threads;
  int started;
  spn_err failed; /* the consumer's; told again on every later call */

  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t work, ready, idle;
  uint32_t *order; /* (items) of order_epoch */
  uint64_t order_epoch;
  int order_ready;
  uint64_t claim; /* batch from which the next piece is taken, and that piece's first place */
  int claim_first;
  uint64_t released; /* batches below have left the ring */
  uint64_t deliver;  /* the consumer's next batch */
  uint64_t end;      /* one past the last batch */
  int active, paused, stop;
};

#endif
