#include "train/regularise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/network.h"
#include "train/machine.h"
#include "train/mix.h"
#include "train/model_file.h"

struct spn_regulariser {
  spn_mixer *mixer;
  double distil;
  spn_graph *teacher;                    /* or NULL */
  float *seen;                           /* (batch,size,size,channels): images as the teacher takes them, or NULL */
  float scale[3], shift[3];              /* its = ours * scale + shift */
  size_t images_pixels, channels, batch; /* pixels: of one image */
};

/* ---- Classes ---- */

/* Weights in inverse proportion to a class's images, 1 on average over the images. */
static spn_status balance(const spn_data *d, double *weight, spn_err *err) {
  double images = (double)spn_dataset_count(d->set, SPN_SPLIT_TRAIN);
  for (int c = 0; c < d->classes; c++) {
    size_t own = spn_dataset_class_count(d->set, SPN_SPLIT_TRAIN, c);
    if (!own)
      return spn_fail(err, SPN_EINPUT,
                      "train.class_weights: balanced needs training images of every class, class %s has none",
                      spn_dataset_class_name(d->set, c));
    weight[c] = images / (d->classes * (double)own);
  }
  return SPN_OK;
}

/* ---- The teacher ---- */

static spn_status check_teacher(const spn_model *m, const spn_data *d, const spn_arch *arch, const char *path,
                                spn_err *err) {
  if (m->eval.size != d->train.size || m->eval.channels != d->train.channels)
    return spn_fail(
        err, SPN_EINPUT, "train.teacher: expected a network for %dx%dx%d images as trained on here, %s takes %dx%dx%d",
        d->train.size, d->train.size, d->train.channels, path, m->eval.size, m->eval.size, m->eval.channels);
  if (m->arch.classes != arch->classes)
    return spn_fail(err, SPN_EINPUT, "train.teacher: expected %d classes, %s has %d", arch->classes, path,
                    m->arch.classes);
  const char **names = spn_model_classes(m);
  spn_status status = SPN_OK;
  for (int c = 0; names && !status && c < arch->classes; c++)
    if (strcmp(names[c], spn_dataset_class_name(d->set, c)))
      status = spn_fail(err, SPN_EINPUT, "train.teacher: expected class %d to be %s, in %s it is %s", c,
                        spn_dataset_class_name(d->set, c), path, names[c]);
  free(names);
  return status;
}

/* Between two ways to normalise: (x*std_a + mean_a - mean_b)/std_b. */
static int set_scale(spn_regulariser *r, const spn_transform *ours, const spn_transform *its) {
  int differs = 0;
  for (int c = 0; c < 3; c++) {
    r->scale[c] = ours->std[c] / its->std[c];
    r->shift[c] = (ours->mean[c] - its->mean[c]) / its->std[c];
    differs |= ours->std[c] != its->std[c] || ours->mean[c] != its->mean[c];
  }
  return differs;
}

static spn_status open_teacher(spn_regulariser *r, const spn_settings *s, const spn_data *d, const spn_arch *arch,
                               spn_err *err) {
  spn_model m;
  spn_network_options o;
  SPN_TRY(spn_model_load(s->train_teacher, &m, err));
  spn_status status = check_teacher(&m, d, arch, s->train_teacher, err);
  if (!status) status = spn_options_choose(s, &o, err);
  if (!status) status = spn_network_create(&m.arch, &o, 1, &r->teacher, err);
  if (!status) status = spn_network_from_tensors(r->teacher, m.tensors, err);
  if (!status && set_scale(r, &d->train, &m.eval)) {
    r->seen = malloc(r->batch * r->images_pixels * sizeof *r->seen);
    if (!r->seen) status = spn_fail(err, SPN_ENOMEM, "train.teacher: out of memory");
  }
  spn_model_free(&m);
  return status;
}

static spn_status ask_teacher(spn_regulariser *r, const float *images, int count, spn_err *err) {
  size_t n = (size_t)count * r->images_pixels;
  for (size_t i = 0; r->seen && i < n; i++) {
    size_t c = i % r->channels;
    r->seen[i] = images[i] * r->scale[c] + r->shift[c];
  }
  SPN_TRY(spn_graph_forward(r->teacher, r->seen ? r->seen : images, NULL, count, 0, err));
  spn_mixer_distil(r->mixer, r->teacher->logits, r->distil);
  return SPN_OK;
}

/* ---- Whole ---- */

static spn_status prepare(spn_regulariser *r, const spn_settings *s, const spn_data *d, const spn_arch *arch,
                          spn_err *err) {
  double *weight = malloc((size_t)arch->classes * sizeof *weight);
  if (!weight) return spn_fail(err, SPN_ENOMEM, "training: out of memory");
  for (int c = 0; c < arch->classes; c++) weight[c] = 1;
  spn_mix_options o = {.batch = (int)s->optim_batch,
                       .size = d->train.size,
                       .channels = d->train.channels,
                       .classes = arch->classes,
                       .mixup = s->train_mixup,
                       .cutmix = s->train_cutmix,
                       .smoothing = s->optim_label_smoothing,
                       .class_weight = weight,
                       .seed = (uint64_t)s->run_seed};
  r->channels = (size_t)o.channels;
  r->images_pixels = (size_t)o.size * (size_t)o.size * r->channels;
  r->batch = (size_t)o.batch;
  r->distil = s->train_distil;
  spn_status status = s->train_class_weights == SPN_CLASS_WEIGHTS_BALANCED ? balance(d, weight, err) : SPN_OK;
  if (!status) status = spn_mixer_create(&o, &r->mixer, err);
  if (!status && s->train_teacher[0]) status = open_teacher(r, s, d, arch, err);
  free(weight);
  return status;
}

spn_status spn_regulariser_create(const spn_settings *s, const spn_data *data, const spn_arch *arch,
                                  spn_regulariser **out, spn_err *err) {
  *out = NULL;
  if (!(s->train_mixup > 0) && !(s->train_cutmix > 0) && !s->train_teacher[0] &&
      s->train_class_weights == SPN_CLASS_WEIGHTS_NONE)
    return SPN_OK;
  spn_regulariser *r = calloc(1, sizeof *r);
  if (!r) return spn_fail(err, SPN_ENOMEM, "training: out of memory");
  spn_status status = prepare(r, s, data, arch, err);
  if (status) spn_regulariser_free(r);
  else *out = r;
  return status;
}

void spn_regulariser_free(spn_regulariser *r) {
  if (!r) return;
  spn_mixer_free(r->mixer);
  spn_graph_free(r->teacher);
  free(r->seen);
  free(r);
}

spn_status spn_regulariser_apply(spn_regulariser *r, const spn_batch *batch, uint64_t step, const float **images,
                                 const real **targets, spn_err *err) {
  spn_mixer_apply(r->mixer, batch->images, batch->labels, batch->count, step, images, targets);
  return r->teacher ? ask_teacher(r, *images, batch->count, err) : SPN_OK;
}
