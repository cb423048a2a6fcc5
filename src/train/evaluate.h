/* Accuracy over a split, and what training and search share in a step. */
#ifndef SPN_TRAIN_EVALUATE_H
#define SPN_TRAIN_EVALUATE_H

#include "graph/graph.h"
#include "input/input.h"
#include "train/data.h"
#include "train/optimizer.h"
#include "train/run.h"

typedef struct {
  size_t images;
  double loss; /* mean cross entropy without label smoothing */
  double top1, top5;
} spn_score;

/* One pass in evaluation mode. weights NULL: the graph's own, else an averaged copy. */
spn_status spn_evaluate(spn_graph *g, const real *weights, const spn_data *d, const spn_settings *s, spn_split split,
                        spn_score *out, spn_err *err);
/* Replaces the running statistics by the plain average over `batches` training batches (without augmentation). */
spn_status spn_recalibrate(spn_graph *g, const spn_data *d, const spn_settings *s, int batches, spn_err *err);

/* Fails with SPN_ENUMERIC, naming the layer, when the loss of the last forward pass is not finite. */
spn_status spn_check_finite(spn_graph *g, uint64_t step, spn_err *err);

/* Weights, optimiser and averages to and from a checkpoint; numbers: what else must survive. */
spn_status spn_state_save(spn_run *run, uint64_t step, const spn_graph *g, const spn_optimizer *o, const double *numbers,
                          size_t count, spn_err *err);
spn_status spn_state_load(const spn_tensors *set, spn_graph *g, spn_optimizer *o, double *numbers, size_t count, spn_err *err);

#endif
