#include "train/mistakes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_write.h"
#include "io/png.h"

/* Softmax of one image's logits. */
static double probability(const real *logit, int classes, int which) {
  double most = logit[0], sum = 0;
  for (int k = 1; k < classes; k++) most = fmax(most, logit[k]);
  for (int k = 0; k < classes; k++) sum += exp(logit[k] - most);
  return exp(logit[which] - most) / sum;
}

static int best_of(const real *logit, int classes) {
  int best = 0;
  for (int k = 1; k < classes; k++)
    if (logit[k] > logit[best]) best = k;
  return best;
}

/* Mean of the pixels that fall on one of the picture, not normalised any more, 0..255. */
static unsigned char level(const float *image, const spn_transform *t, int side, int y, int x, int channel) {
  int y0 = y * t->size / side, y1 = (y + 1) * t->size / side, x0 = x * t->size / side, x1 = (x + 1) * t->size / side;
  double sum = 0;
  int c = channel < t->channels ? channel : 0;
  for (int i = y0; i < y1; i++)
    for (int k = x0; k < x1; k++)
      sum += image[((size_t)i * (size_t)t->size + (size_t)k) * (size_t)t->channels + (size_t)c];
  double value = sum / ((y1 - y0) * (x1 - x0)) * (double)t->std[c] + (double)t->mean[c];
  return (unsigned char)lrint(255 * fmin(1, fmax(0, value)));
}

static void draw(const float *image, const spn_transform *t, int side, unsigned char *rgb) {
  for (int y = 0; y < side; y++)
    for (int x = 0; x < side; x++)
      for (int c = 0; c < 3; c++) *rgb++ = level(image, t, side, y, x, c);
}

/* Room for one with this confidence, behind those that are as sure; NULL: there are enough. */
static spn_mistake *make_room(spn_mistakes *m, double confidence) {
  int at = m->count;
  while (at > 0 && m->list[at - 1].confidence < confidence) at--;
  if (at == SPN_MISTAKES) return NULL;
  int moved = (m->count < SPN_MISTAKES ? m->count : SPN_MISTAKES - 1) - at;
  memmove(&m->list[at + 1], &m->list[at], (size_t)moved * sizeof *m->list);
  m->count += m->count < SPN_MISTAKES;
  return &m->list[at];
}

void spn_mistakes_gather(const spn_graph *g, const spn_batch *batch, const spn_data *d, spn_mistakes *out) {
  const spn_transform *t = &d->eval;
  size_t pixels = (size_t)t->size * (size_t)t->size * (size_t)t->channels;
  out->side = t->size < SPN_MISTAKE_SIDE ? t->size : SPN_MISTAKE_SIDE;
  for (int i = 0; i < batch->count; i++) {
    const real *logit = g->logits + (size_t)i * (size_t)d->classes;
    int called = best_of(logit, d->classes), label = batch->labels[i];
    if (called == label || label < 0) continue;
    out->wrong++;
    double confidence = probability(logit, d->classes, called);
    spn_mistake *m = make_room(out, confidence);
    if (!m) continue;
    m->item = batch->items[i];
    m->label = label;
    m->called = called;
    m->confidence = confidence;
    m->right = probability(logit, d->classes, label);
    draw(batch->images + (size_t)i * pixels, t, out->side, m->rgb);
  }
}

static spn_status put_mistake(spn_json_writer *w, const spn_mistake *m, int side, const spn_data *d, spn_err *err) {
  char place[1024], *png;
  spn_dataset_place(d->set, m->item, place, sizeof place);
  SPN_TRY(spn_png_text(m->rgb, side, side, &png, err));
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(w, "image", place);
  spn_json_put_text(w, "class", spn_dataset_class_name(d->set, m->label));
  spn_json_put_text(w, "called", spn_dataset_class_name(d->set, m->called));
  spn_json_put_rounded(w, "confidence", m->confidence, 6);
  spn_json_put_rounded(w, "right", m->right, 6);
  spn_json_put_text(w, "png", png);
  spn_json_end(w);
  free(png);
  return SPN_OK;
}

spn_status spn_mistakes_save(const spn_mistakes *m, const spn_data *d, const char *path, spn_err *err) {
  spn_json_writer w = {0};
  spn_status status = SPN_OK;
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_json_put_integer(&w, "wrong", (long long)m->wrong);
  spn_json_array(&w, "mistakes", SPN_JSON_LINES);
  for (int i = 0; i < m->count && !status; i++) status = put_mistake(&w, &m->list[i], m->side, d, err);
  spn_json_end(&w);
  spn_json_end(&w);
  if (!status) return spn_json_save(&w, path, err);
  spn_json_writer_free(&w);
  return status;
}
