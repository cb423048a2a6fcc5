/* Accuracy over a split, and fresh batch-norm statistics. */
#ifndef SPN_TRAIN_EVALUATE_H
#define SPN_TRAIN_EVALUATE_H

#include "graph/graph.h"
#include "input/input.h"
#include "train/data.h"
#include "train/mistakes.h"

typedef struct {
  size_t images;
  double loss; /* mean cross entropy without label smoothing */
  double top1, top5;
} spn_score;

/* Both are phases (core/phase.h): SPN_ESTOPPED where a stop is asked for. */

/* One pass in evaluation mode. weights NULL: the graph's own, else an averaged copy. */
spn_status spn_evaluate(spn_graph *g, const real *weights, const spn_data *d, const spn_settings *s, spn_split split,
                        spn_score *out, spn_err *err);
/* What an evaluation can tell besides. */
typedef struct {
  unsigned *confusion; /* confusion[i * classes + j]: images of class i that are called class j; or NULL */
  spn_mistakes mistakes;
} spn_details;
/* The same of the graph's own weights, with details, which add up: zeros before the first (confusion is the caller's).
 */
spn_status spn_evaluate_closely(spn_graph *g, const spn_data *d, const spn_settings *s, spn_split split, spn_score *out,
                                spn_details *details, spn_err *err);
/* Replaces the running statistics of `weights` (NULL: the graph's own) by plain averages over the batches that hold so
 * many training images (augmented, as the weights know them; the same ones every time, at most an epoch). Running
 * averages belong to weights of a hundred steps ago and to no averaged weights at all. */
spn_status spn_recalibrate(spn_graph *g, real *weights, const spn_data *d, const spn_settings *s, size_t images,
                           spn_err *err);

#endif
