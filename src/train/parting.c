#include "train/parting.h"

#include <math.h>

/* A uniform guess has ln(classes). Held-out loss of a sound training stays within a few percent of it in the first
 * epochs, and its minimum is left by a third at most by networks that remember a small set under label smoothing;
 * statistics that lag give several times either. */
static const double OVER_GUESS = 1.25, OVER_TRAIN = 1.25, OVER_BEST = 1.5, LEAST_RISE = 0.1;

void spn_parting_epoch(spn_parting *p, double train, double held_out, int classes) {
  double guess = log(classes);
  int useless = !(held_out <= OVER_GUESS * guess) && !(held_out <= OVER_TRAIN * train); /* NaN too */
  int risen = p->best > 0 && held_out > OVER_BEST * p->best && held_out - p->best > LEAST_RISE * guess &&
              train <= p->best_train;
  p->epochs = useless || risen ? p->epochs + 1 : 0;
  if (isfinite(held_out) && (p->best <= 0 || held_out < p->best)) {
    p->best = held_out;
    p->best_train = train;
  }
}

const char *spn_parting_cause(const spn_parting *p, double train, int classes, int recalibrated) {
  if (!recalibrated)
    return "the running batch-norm statistics lag behind the weights, as they do in short runs; "
           "train.recalibrate=1000 recomputes them";
  if (train > log(classes) || p->best <= 0)
    return "the training itself is no better than a guess: a lower optim.lr is the usual remedy";
  if (p->best < log(classes))
    return "the network has come to remember its training images: more of them, more augmentation, a smaller network "
           "or fewer epochs help; best.safetensors keeps the best epoch";
  return "the held-out images differ from the training images, or their labels do: look at how they were split";
}
