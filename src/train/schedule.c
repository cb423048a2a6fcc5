#include "train/schedule.h"

#include <math.h>

size_t spn_steps_per_epoch(const spn_settings *s, size_t images) {
  size_t steps = images / (size_t)s->optim_batch;
  return steps ? steps : 1;
}

static long long epochs_for(size_t least_epochs, size_t least_steps, size_t per_epoch) {
  size_t epochs = (least_steps + per_epoch - 1) / per_epoch;
  return (long long)(epochs > least_epochs ? epochs : least_epochs);
}

static spn_status settle_rate(spn_settings *s, double epochs, spn_err *err) {
  if (s->optim_lr_warmup_epochs < 0) s->optim_lr_warmup_epochs = fmin(5, epochs / 8);
  if (s->optim_lr_warmup_epochs < epochs) return SPN_OK;
  return spn_fail(
      err, SPN_EINPUT,
      "optim.lr_warmup_epochs: expected less than the run's %g epochs, got %g: the learning rate would never "
      "be reached",
      epochs, s->optim_lr_warmup_epochs);
}

spn_status spn_schedule_search(spn_settings *s, size_t images, spn_err *err) {
  double epoch = (double)spn_steps_per_epoch(s, images) * (double)s->optim_batch;
  if (!s->search_epochs && s->search_budget > 0) s->search_epochs = (long long)fmax(1, s->search_budget / epoch);
  else if (!s->search_epochs)
    s->search_epochs = epochs_for(SPN_SEARCH_EPOCHS, SPN_SEARCH_STEPS, spn_steps_per_epoch(s, images));
  double epochs = (double)s->search_epochs;
  if (s->search_warmup_epochs < 0) s->search_warmup_epochs = epochs * 5 / 8;
  if (s->search_ramp_epochs < 0) s->search_ramp_epochs = fmin(0.5, epochs / 16);
  if (s->search_warmup_epochs >= epochs)
    return spn_fail(err, SPN_EINPUT,
                    "search.warmup_epochs: expected less than search.epochs = %g, got %g: there would be no search",
                    epochs, s->search_warmup_epochs);
  return settle_rate(s, epochs, err);
}

spn_status spn_schedule_train(spn_settings *s, size_t images, spn_err *err) {
  size_t per_epoch = spn_steps_per_epoch(s, images);
  if (!s->train_epochs) s->train_epochs = epochs_for(SPN_TRAIN_EPOCHS, SPN_TRAIN_STEPS, per_epoch);
  double steps = (double)s->train_epochs * (double)per_epoch;
  if (s->optim_ema > 0) s->optim_ema = fmax(0, fmin(s->optim_ema, 1 - 10 / steps));
  return settle_rate(s, (double)s->train_epochs, err);
}
