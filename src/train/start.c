/* A training that starts from another network's weights. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/network.h"
#include "train/model_file.h"

static const spn_param *find_param(const spn_graph *g, const char *name) {
  for (int i = 0; i < g->param_count; i++)
    if (!strcmp(g->params[i].name, name)) return &g->params[i];
  return NULL;
}

/* t: that parameter of a network of `count` classes. */
static int has_rows(const spn_param *p, const spn_tensor *t, int count) {
  return t && t->dtype == SPN_F32 && t->dims == p->dims && t->shape[0] == (size_t)count &&
         spn_tensor_elements(t) == (size_t)count * (p->size / p->shape[0]);
}

/* A parameter with one row for each class. before (its size): its values before init came in; from (data classes): the
 * row of init, or -1. */
static void move_rows(spn_graph *g, const spn_param *p, const spn_tensor *t, const real *before, const int *from) {
  size_t row = p->size / p->shape[0];
  real *out = g->weights + p->offset;
  for (size_t c = 0; c < p->shape[0]; c++)
    for (size_t i = 0; i < row; i++)
      out[c * row + i] = from[c] < 0 ? before[c * row + i] : (real)((const float *)t->data)[(size_t)from[c] * row + i];
}

/* Of each class of the data the place of its name among init's, -1 where it has none; returns how many there are. */
static int match(const spn_data *data, const char *const *names, int count, int *from) {
  int found = 0;
  for (int c = 0; c < data->classes; c++) {
    from[c] = spn_class_find(names, count, spn_dataset_class_name(data->set, c));
    found += from[c] >= 0;
  }
  return found;
}

/* Adds to the note. */
static void remark(char *note, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void remark(char *note, size_t size, const char *format, ...) {
  size_t used = strlen(note);
  va_list args;
  va_start(args, format);
  vsnprintf(note + used, size - used, format, args);
  va_end(args);
}

/* What fits by name and shape. */
static spn_status take(spn_graph *g, const spn_tensors *init, char *note, size_t size, spn_err *err) {
  int taken = spn_network_take_tensors(g, init);
  if (!taken)
    return spn_fail(err, SPN_EINPUT, "train.init: none of its tensors has the name and shape of one of this network");
  remark(note, size, "weights: %d of %d tensors are taken from train.init (same name and shape)%s", taken,
         g->param_count, taken < g->param_count ? ", the others start anew" : "");
  return SPN_OK;
}

static void tell(const spn_data *data, const int *from, int found, char *note, size_t size) {
  int moved = 0, first = -1;
  for (int c = 0; c < data->classes; c++) {
    moved |= from[c] >= 0 && from[c] != c;
    if (from[c] < 0 && first < 0) first = c;
  }
  if (found < data->classes)
    remark(note, size,
           "; the classifier starts anew for %d of %d classes, \"%.80s\" among them, which train.init does not know",
           data->classes - found, data->classes, spn_dataset_class_name(data->set, first));
  else if (moved)
    remark(note, size, "; train.init has the classes in another order: the classifier's rows go by their names");
}

static spn_status start_named(spn_graph *g, const spn_tensors *init, const spn_data *data, const char *const *names,
                              int count, char *note, size_t size, spn_err *err) {
  const spn_param *w = find_param(g, "classifier.weight"), *b = find_param(g, "classifier.bias");
  const spn_tensor *tw = spn_tensors_find(init, "classifier.weight"), *tb = spn_tensors_find(init, "classifier.bias");
  int fits = w && b && has_rows(w, tw, count) && has_rows(b, tb, count);
  if (!fits) {
    SPN_TRY(take(g, init, note, size, err));
    remark(note, size, "; the classifier starts anew: that of train.init has another shape");
    return SPN_OK;
  }
  real *before = malloc((w->size + b->size) * sizeof *before);
  int *from = malloc(((size_t)data->classes + 1) * sizeof *from);
  spn_status status = before && from ? SPN_OK : spn_fail(err, SPN_ENOMEM, "train.init: out of memory");
  if (!status) {
    memcpy(before, g->weights + w->offset, w->size * sizeof *before);
    memcpy(before + w->size, g->weights + b->offset, b->size * sizeof *before);
    status = take(g, init, note, size, err);
  }
  if (!status) {
    tell(data, from, match(data, names, count, from), note, size);
    move_rows(g, w, tw, before, from);
    move_rows(g, b, tb, before + w->size, from);
  }
  free(before);
  free(from);
  return status;
}

spn_status spn_model_start(spn_graph *g, const spn_tensors *init, const spn_data *data, char *note, size_t size,
                           spn_err *err) {
  int count;
  const char **names;
  note[0] = 0;
  SPN_TRY(spn_classes_read(init, &names, &count, err));
  spn_status status = names ? start_named(g, init, data, names, count, note, size, err)
                            : take(g, init, note, size, err);
  if (!names && !status) remark(note, size, "; train.init names no classes: its classifier is taken if it has as many");
  free(names);
  return status;
}
