/* Optimisers, learning-rate schedules and averaged weights over a graph's flat block of parameters. */
#ifndef SPN_TRAIN_OPTIMIZER_H
#define SPN_TRAIN_OPTIMIZER_H

#include "graph/graph.h"
#include "train/settings.h"
#include "train/state.h"

typedef struct {
  spn_optimizer_kind kind;
  double momentum, rms_decay, epsilon, weight_decay, ema_decay;
  size_t elements;
  real *slot[2];   /* RMSProp: mean square, velocity. SGD: velocity. Adam: first and second moment */
  real *ema;       /* averaged parameters and running statistics; NULL when off */
  double *penalty; /* per parameter: its part of the weight decay of this step */
  double *rate;    /* per parameter: multiplier of the learning rate; owned; NULL: 1 */
  int first;       /* parameters before this one rest: neither gradient nor weight decay moves them */
  uint64_t steps;
} spn_optimizer;

spn_status spn_optimizer_create(const spn_graph *g, const spn_settings *s, spn_optimizer **out, spn_err *err);
void spn_optimizer_free(spn_optimizer *o);
/* What a checkpoint keeps. */
void spn_optimizer_state(spn_optimizer *o, spn_state *s);

/* One update of g->weights from g->grads at learning rate lr:
 *   RMSProp (TensorFlow's form, mean square starting at 1): m = r*m + (1-r)*d^2; v = mu*v + lr*d/sqrt(m + eps); w -= v
 *   SGD: v = mu*v + d; w -= lr*v
 *   Adam (arXiv 1412.6980): beta1 = momentum, beta2 = 0.999, eps outside the root
 * with d = gradient + weight_decay*w on convolution and dense weights. Then the average: a = k*a + (1-k)*w,
 * k = min(decay, (1+t)/(10+t)). Returns 0.5*weight_decay*|w|^2, the weight decay's part of the loss. */
double spn_optimizer_step(spn_optimizer *o, spn_graph *g, double lr);

/* Learning rate of a step: base scaled by batch/256, linear warm-up from 0, then the schedule (epochs is the whole
 * length). */
double spn_learning_rate(const spn_settings *s, double epoch, double epochs);

#endif
