/* Where held-out and training loss part: a training that looks well by its own loss and is of no use. */
#ifndef SPN_TRAIN_PARTING_H
#define SPN_TRAIN_PARTING_H

enum { SPN_PARTING_EPOCHS = 2 }; /* in a row until the user hears of it: one may be chance */

/* What the rule remembers between epochs; all zero before the first. A checkpoint keeps it. */
typedef struct {
  double epochs;     /* in a row, up to the last, that parted */
  double best;       /* least held-out loss so far; 0: none yet */
  double best_train; /* training loss of that epoch */
} spn_parting;

/* Takes an epoch's mean cross entropies in. It parts when
 *   held-out > 1.25 ln(classes) and > 1.25 x training: worse than knowing nothing, and not because training is; or
 *   held-out > 1.5 x the least so far, by at least ln(classes)/10, while training has not risen since then.
 * p->epochs == SPN_PARTING_EPOCHS afterwards: the time to say so. */
void spn_parting_epoch(spn_parting *p, double train, double held_out, int classes);

/* The likely cause and its remedy, in words. recalibrated: batch-norm statistics are recomputed before evaluations. */
const char *spn_parting_cause(const spn_parting *p, double train, int classes, int recalibrated);

#endif
