#include "train/data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/phase.h"

enum { MEASURED = 2000, SMALL = 64 };

static spn_status open_set(const spn_settings *s, int test_only, spn_dataset **out, spn_err *err) {
  if (!s->data_path[0])
    return spn_fail(err, SPN_EINPUT, "data.path: expected the folder of the images (--data DIR), got nothing");
  spn_dataset_options o = {.kind = s->data_kind,
                           .path = s->data_path,
                           .holdout = s->data_holdout,
                           .max_bad = s->data_max_bad,
                           .max_train = (size_t)s->data_max_train,
                           .max_test = (size_t)s->data_max_test,
                           .seed = (uint64_t)s->run_seed,
                           .allow_empty = s->data_allow_empty_classes,
                           .test_only = test_only};
  return spn_dataset_open(&o, out, err);
}

static spn_status loader_of(const spn_data *d, const spn_settings *s, const spn_transform *t, spn_split split,
                            int shuffle, uint64_t first_batch, spn_loader **out, spn_err *err) {
  spn_loader_options o = {.set = d->set,
                          .split = split,
                          .transform = *t,
                          .batch = (int)s->optim_batch,
                          .shuffle = shuffle,
                          .threads = (int)s->data_threads,
                          .prefetch = (int)s->data_prefetch,
                          .seed = (uint64_t)s->run_seed,
                          .first_batch = first_batch};
  return spn_loader_open(&o, out, err);
}

spn_status spn_data_loader(const spn_data *d, const spn_settings *s, spn_split split, int training,
                           uint64_t first_batch, spn_loader **out, spn_err *err) {
  return loader_of(d, s, training ? &d->train : &d->eval, split, training, first_batch, out, err);
}

/* "auto" leaves values alone and returns 1; otherwise one number for all channels, or three. */
static spn_status parse_three(const char *name, const char *text, double min, float *values, int *automatic,
                              spn_err *err) {
  double v[3];
  char rest;
  *automatic = !strcmp(text, "auto");
  if (*automatic) return SPN_OK;
  int n = sscanf(text, "%lf , %lf , %lf %c", &v[0], &v[1], &v[2], &rest);
  if (n == 1 && !strchr(text, ',')) v[1] = v[2] = v[0];
  else if (n != 3) n = 0;
  for (int i = 0; n && i < 3; i++)
    if (!(v[i] >= min && v[i] <= 1)) n = 0;
  if (!n)
    return spn_fail(err, SPN_EINPUT,
                    "data.%s: expected auto, one number or three with commas, each from %g to 1, got \"%.60s\"", name,
                    min, text);
  for (int i = 0; i < 3; i++) values[i] = (float)v[i];
  return SPN_OK;
}

spn_status spn_data_numbers(const spn_settings *s, spn_transform *t, spn_err *err) {
  int automatic;
  SPN_TRY(parse_three("mean", s->data_mean, 0, t->mean, &automatic, err));
  return parse_three("std", s->data_std, 0.001, t->std, &automatic, err);
}

/* Mean and standard deviation of each channel over the first batches of a shuffled, not augmented pass. */
static spn_status measure(const spn_data *d, const spn_settings *s, double *mean, double *std, spn_err *err) {
  spn_transform raw = d->eval;
  spn_loader *loader;
  double sum[3] = {0}, square[3] = {0}, count = 0;
  for (int i = 0; i < 3; i++) raw.mean[i] = 0, raw.std[i] = 1;
  SPN_TRY(loader_of(d, s, &raw, SPN_SPLIT_TRAIN, 1, 0, &loader, err));
  size_t batches = (MEASURED + (size_t)s->optim_batch - 1) / (size_t)s->optim_batch;
  if (batches > spn_loader_batches(loader)) batches = spn_loader_batches(loader);
  spn_phase work = {.what = "measurement of data.mean and data.std", .unit = "batches", .total = batches};
  spn_status status = SPN_OK;
  for (size_t b = 0; b < batches && !status; b++) {
    spn_batch batch;
    int end = 0;
    if ((status = spn_phase_at(&work, b, err))) break;
    if ((status = spn_loader_next(loader, &batch, &end, err))) break;
    size_t pixels = (size_t)batch.count * (size_t)raw.size * (size_t)raw.size;
    for (size_t p = 0; p < pixels; p++)
      for (int c = 0; c < raw.channels; c++) {
        double x = (double)batch.images[p * (size_t)raw.channels + (size_t)c];
        sum[c] += x;
        square[c] += x * x;
      }
    count += (double)pixels;
  }
  spn_phase_end(&work);
  spn_loader_close(loader);
  for (int c = 0; c < 3 && !status; c++) {
    int from = c < raw.channels ? c : 0;
    mean[c] = sum[from] / count;
    std[c] = sqrt(fmax(square[from] / count - mean[c] * mean[c], 1e-6));
  }
  return status;
}

static spn_status set_normalisation(spn_data *d, const spn_settings *s, spn_err *err) {
  int auto_mean, auto_std;
  double mean[3], std[3];
  SPN_TRY(parse_three("mean", s->data_mean, 0, d->eval.mean, &auto_mean, err));
  SPN_TRY(parse_three("std", s->data_std, 0.001, d->eval.std, &auto_std, err));
  if (auto_mean || auto_std) SPN_TRY(measure(d, s, mean, std, err));
  for (int i = 0; i < 3; i++) { /* rounded to what a model file states, so that the stated figures are the used ones */
    if (auto_mean) d->eval.mean[i] = (float)(round(mean[i] * 1e4) / 1e4);
    if (auto_std) d->eval.std[i] = (float)(round(std[i] * 1e4) / 1e4);
    d->train.mean[i] = d->eval.mean[i];
    d->train.std[i] = d->eval.std[i];
  }
  return SPN_OK;
}

static spn_augment augment_of(const spn_settings *s, int small) {
  switch (s->data_augment) {
    case SPN_AUGMENT_CHOICE_AUTO: return small ? SPN_AUGMENT_CROP : SPN_AUGMENT_INCEPTION;
    case SPN_AUGMENT_CHOICE_NONE: return SPN_AUGMENT_NONE;
    case SPN_AUGMENT_CHOICE_CROP: return SPN_AUGMENT_CROP;
    case SPN_AUGMENT_CHOICE_INCEPTION: return SPN_AUGMENT_INCEPTION;
  }
  return SPN_AUGMENT_NONE;
}

static void set_transforms(spn_data *d, const spn_settings *s, int size, int channels) {
  int small = size <= SMALL;
  d->eval = (spn_transform){.size = size,
                            .channels = channels,
                            .augment = SPN_AUGMENT_NONE,
                            .resize = s->data_resize,
                            .min_area = s->data_min_area,
                            .seed = (uint64_t)s->run_seed,
                            .eval_crop = s->data_eval_crop > 0 ? s->data_eval_crop
                                         : small               ? 1
                                                               : size / (size + 32.0)};
  d->train = d->eval;
  d->train.augment = augment_of(s, small);
  d->train.flip = d->train.augment != SPN_AUGMENT_NONE && s->data_flip;
  d->train.ops = (int)s->data_randaugment;
  d->train.magnitude = s->data_magnitude;
  d->train.erase = s->data_erase;
  d->train.pad = s->data_pad ? (int)s->data_pad : size / 8;
}

spn_status spn_data_open_set(const spn_settings *s, spn_data *out, spn_err *err) {
  spn_data d = {0};
  SPN_TRY(open_set(s, 0, &d.set, err));
  d.classes = spn_dataset_classes(d.set);
  *out = d;
  return SPN_OK;
}

spn_status spn_data_prepare(spn_data *d, const spn_settings *s, int size, int channels, spn_err *err) {
  size_t count = spn_dataset_count(d->set, SPN_SPLIT_TRAIN);
  if (count < (size_t)s->optim_batch)
    return spn_fail(err, SPN_EINPUT, "optim.batch: expected at most the %zu training images of %.600s, got %lld", count,
                    s->data_path, s->optim_batch);
  set_transforms(d, s, size, channels);
  return set_normalisation(d, s, err);
}

spn_status spn_data_open(const spn_settings *s, int size, int channels, spn_data *out, spn_err *err) {
  spn_data d;
  SPN_TRY(spn_data_open_set(s, &d, err));
  spn_status status = spn_data_prepare(&d, s, size, channels, err);
  if (status) spn_data_close(&d);
  else *out = d;
  return status;
}

spn_status spn_data_open_test(const spn_settings *s, const spn_transform *eval, const char *const *names, int classes,
                              spn_data *out, spn_err *err) {
  spn_data d = {.eval = *eval, .classes = classes};
  SPN_TRY(open_set(s, 1, &d.set, err));
  d.eval.augment = SPN_AUGMENT_NONE;
  d.train = d.eval;
  int found = spn_dataset_classes(d.set);
  spn_status status = SPN_OK;
  if (names) status = spn_dataset_relabel(d.set, names, classes, err);
  else if (found != classes)
    status = spn_fail(err, SPN_EINPUT, "%s: expected data with the network's %d classes, got %d", s->data_path, classes,
                      found);
  if (status) spn_data_close(&d);
  else *out = d;
  return status;
}

void spn_data_note(const spn_data *d, char *note, size_t size) {
  int held = spn_dataset_side(d->set), side = spn_transform_side(&d->eval);
  if (!held || held == side) note[0] = 0;
  else if (held < side)
    snprintf(note, size,
             "the pack holds images with a short side of %d, which are enlarged to %d: pack.side=%d or more keeps "
             "what they show",
             held, side, side);
  else
    snprintf(note, size,
             "the pack holds images with a short side of %d, which are reduced again to %d: a little softer than "
             "the folder's; pack.side=%d gives the same pictures",
             held, side, side);
}

void spn_data_close(spn_data *d) { spn_dataset_close(d->set); }
