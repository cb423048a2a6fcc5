#include "train/mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

struct spn_mixer {
  spn_mix_options o;
  double *weight;
  float *images;
  real *targets;
  double share;
  int count; /* of the last call */
};

/* A batch's own small sequence of random numbers. */
enum { DRAW_KIND, DRAW_ROW, DRAW_COLUMN, DRAW_GAMMA /* and on */ };

spn_status spn_mixer_create(const spn_mix_options *options, spn_mixer **out, spn_err *err) {
  const spn_mix_options *o = options;
  size_t pixels = (size_t)o->batch * (size_t)o->size * (size_t)o->size * (size_t)o->channels;
  int mixes = o->mixup > 0 || o->cutmix > 0;
  spn_mixer *m = calloc(1, sizeof *m);
  if (m) {
    *m = (spn_mixer){.o = *o, .share = 1};
    m->weight = malloc((size_t)o->classes * sizeof *m->weight);
    m->targets = calloc((size_t)o->batch * (size_t)o->classes, sizeof *m->targets);
    if (mixes) m->images = malloc(pixels * sizeof *m->images);
  }
  if (!m || !m->weight || !m->targets || (mixes && !m->images)) {
    spn_mixer_free(m);
    return spn_fail(err, SPN_ENOMEM, "mixing images: out of memory");
  }
  for (int c = 0; c < o->classes; c++) m->weight[c] = o->class_weight ? o->class_weight[c] : 1;
  m->o.class_weight = m->weight;
  *out = m;
  return SPN_OK;
}

void spn_mixer_free(spn_mixer *m) {
  if (!m) return;
  free(m->weight);
  free(m->images);
  free(m->targets);
  free(m);
}

/* ---- How much of each ---- */

/* Marsaglia and Tsang 2000, for shape >= 1; a smaller shape takes one more and a power of a uniform number. at: where
 * in the sequence to draw next. */
static double draw_gamma(uint64_t key, uint64_t *at, double shape) {
  double power = 1;
  if (shape < 1) {
    power = pow(1 - spn_rng_uniform(key, SPN_RNG_MIX, (*at)++), 1 / shape);
    shape += 1;
  }
  double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
  for (;;) {
    double x = spn_rng_normal(key, SPN_RNG_MIX, (*at)++), v = pow(1 + c * x, 3);
    double u = 1 - spn_rng_uniform(key, SPN_RNG_MIX, (*at)++);
    if (v > 0 && log(u) < 0.5 * x * x + d - d * v + d * log(v)) return d * v * power;
  }
}

static double draw_beta(uint64_t key, double alpha) {
  uint64_t at = DRAW_GAMMA;
  double a = draw_gamma(key, &at, alpha), b = draw_gamma(key, &at, alpha);
  return a + b > 0 ? a / (a + b) : 0.5;
}

/* ---- Images ---- */

static void mix_all(spn_mixer *m, const float *images, int count) {
  size_t n = (size_t)m->o.size * (size_t)m->o.size * (size_t)m->o.channels;
  float l = (float)m->share;
  for (int i = 0; i < count; i++) {
    const float *a = images + (size_t)i * n, *b = images + (size_t)(count - 1 - i) * n;
    float *to = m->images + (size_t)i * n;
    for (size_t k = 0; k < n; k++) to[k] = l * a[k] + (1 - l) * b[k];
  }
}

/* [*from, *to): what of a side of `length` around `centre` lies in 0..size. */
static void interval(int size, int centre, int length, int *from, int *to) {
  *from = centre - length / 2;
  *to = *from + length;
  if (*from < 0) *from = 0;
  if (*to > size) *to = size;
}

static void cut(spn_mixer *m, const float *images, int count, uint64_t key) {
  int size = m->o.size, channels = m->o.channels, side = (int)(size * sqrt(1 - m->share)), y0, y1, x0, x1;
  size_t row = (size_t)size * (size_t)channels, n = (size_t)size * row;
  interval(size, (int)spn_rng_below(key, SPN_RNG_MIX, DRAW_ROW, (uint64_t)size), side, &y0, &y1);
  interval(size, (int)spn_rng_below(key, SPN_RNG_MIX, DRAW_COLUMN, (uint64_t)size), side, &x0, &x1);
  memcpy(m->images, images, (size_t)count * n * sizeof *images);
  for (int i = 0; i < count; i++)
    for (int y = y0; y < y1; y++) {
      size_t at = (size_t)y * row + (size_t)x0 * (size_t)channels;
      memcpy(m->images + (size_t)i * n + at, images + (size_t)(count - 1 - i) * n + at,
             (size_t)(x1 - x0) * (size_t)channels * sizeof *images);
    }
  m->share = 1 - (double)(y1 - y0) * (x1 - x0) / ((double)size * size);
}

/* ---- Targets ---- */

static void add_label(const spn_mixer *m, int label, double share, real *row) {
  double all = share * m->weight[label];
  for (int c = 0; c < m->o.classes; c++)
    row[c] += (real)(all * (m->o.smoothing / m->o.classes + (c == label) * (1 - m->o.smoothing)));
}

void spn_mixer_apply(spn_mixer *m, const float *images, const int32_t *labels, int count, uint64_t step,
                     const float **mixed, const real **targets) {
  const spn_mix_options *o = &m->o;
  uint64_t key = spn_rng_split(o->seed, SPN_RNG_MIX, step);
  int both = o->mixup > 0 && o->cutmix > 0, on = o->mixup > 0 || o->cutmix > 0;
  int cuts = both ? (int)spn_rng_below(key, SPN_RNG_MIX, DRAW_KIND, 2) : o->cutmix > 0;
  m->count = count;
  m->share = on ? draw_beta(key, cuts ? o->cutmix : o->mixup) : 1;
  if (on && cuts) cut(m, images, count, key);
  else if (on) mix_all(m, images, count);
  memset(m->targets, 0, (size_t)o->batch * (size_t)o->classes * sizeof *m->targets);
  for (int i = 0; i < count; i++) {
    real *row = m->targets + (size_t)i * (size_t)o->classes;
    add_label(m, labels[i], m->share, row);
    if (m->share < 1) add_label(m, labels[count - 1 - i], 1 - m->share, row);
  }
  *mixed = on ? m->images : images;
  *targets = m->targets;
}

void spn_mixer_distil(spn_mixer *m, const real *logits, double share) {
  int classes = m->o.classes;
  for (int i = 0; i < m->count; i++) {
    const real *z = logits + (size_t)i * (size_t)classes;
    real *row = m->targets + (size_t)i * (size_t)classes;
    double top = (double)z[0], sum = 0, all = 0;
    for (int c = 1; c < classes; c++) top = fmax(top, (double)z[c]);
    for (int c = 0; c < classes; c++) sum += exp((double)z[c] - top), all += (double)row[c];
    for (int c = 0; c < classes; c++)
      row[c] = (real)((1 - share) * (double)row[c] + share * all * exp((double)z[c] - top) / sum);
  }
}

double spn_mixer_share(const spn_mixer *m) { return m->share; }
