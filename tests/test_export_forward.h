/* The network in plain double loops, straight from its description and sharing no code with the exporter: the oracle of
 * test_export. Images are (C,H,W). */
#ifndef SPN_TEST_EXPORT_FORWARD_H
#define SPN_TEST_EXPORT_FORWARD_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/tensors.h"
#include "model/arch.h"

typedef struct {
  int c, n; /* channels, side */
  double *v;
} plane;

static plane plane_new(int c, int n) {
  return (plane){c, n, calloc((size_t)c * (size_t)n * (size_t)n, sizeof(double))};
}

static const float *weight(const spn_tensors *w, const char *prefix, const char *part) {
  char name[96];
  snprintf(name, sizeof name, "%s.%s", prefix, part);
  const spn_tensor *t = spn_tensors_find(w, name);
  if (!t) {
    printf("no tensor %s\n", name);
    exit(1);
  }
  return t->data;
}

static int out_side(spn_padding padding, int n, int k, int s) {
  return padding == SPN_PAD_SAME ? (int)ceil((double)n / s) : (int)floor((double)(n + 2 * (k / 2) - k) / s) + 1;
}

static int zeros_before(spn_padding padding, int n, int k, int s) {
  if (padding == SPN_PAD_SYMMETRIC) return k / 2;
  int all = (out_side(padding, n, k, s) - 1) * s + k - n;
  return all > 0 ? all / 2 : 0;
}

/* Replaces x by its convolution; depthwise weights are (K,K,C), others (O,I,K,K). */
static void convolve(const spn_arch *a, plane *x, const float *w, int out, int k, int s, int depthwise) {
  plane y = plane_new(out, out_side(a->padding, x->n, k, s));
  int before = zeros_before(a->padding, x->n, k, s);
  for (int o = 0; o < out; o++)
    for (int i = 0; i < y.n; i++)
      for (int j = 0; j < y.n; j++) {
        double sum = 0;
        for (int c = depthwise ? o : 0; c < (depthwise ? o + 1 : x->c); c++)
          for (int u = 0; u < k; u++)
            for (int v = 0; v < k; v++) {
              int r = i * s + u - before, q = j * s + v - before;
              if (r < 0 || q < 0 || r >= x->n || q >= x->n) continue;
              double value = depthwise ? w[(u * k + v) * out + o] : w[((o * x->c + c) * k + u) * k + v];
              sum += value * x->v[(c * x->n + r) * x->n + q];
            }
        y.v[(o * y.n + i) * y.n + j] = sum;
      }
  free(x->v);
  *x = y;
}

static void normalise_batch(const spn_arch *a, plane *x, const spn_tensors *w, const char *prefix) {
  const float *gamma = weight(w, prefix, "gamma"), *beta = weight(w, prefix, "beta");
  const float *mean = weight(w, prefix, "mean"), *var = weight(w, prefix, "var");
  for (int c = 0; c < x->c; c++)
    for (int p = 0; p < x->n * x->n; p++) {
      double *v = &x->v[c * x->n * x->n + p];
      *v = gamma[c] * (*v - mean[c]) / sqrt(var[c] + a->bn_eps) + beta[c];
    }
}

static void activate(spn_act act, plane *x) {
  for (int p = 0; p < x->c * x->n * x->n; p++) {
    double v = x->v[p];
    if (act == SPN_ACT_RELU) v = v > 0 ? v : 0;
    if (act == SPN_ACT_RELU6) v = v < 0 ? 0 : v > 6 ? 6 : v;
    if (act == SPN_ACT_HSWISH) v = v * fmin(fmax(v + 3, 0), 6) / 6;
    x->v[p] = v;
  }
}

static double *pool(const plane *x) {
  double *mean = calloc((size_t)x->c, sizeof *mean);
  for (int c = 0; c < x->c; c++)
    for (int p = 0; p < x->n * x->n; p++) mean[c] += x->v[c * x->n * x->n + p] / (x->n * x->n);
  return mean;
}

static double *dense(const double *x, int in, const float *w, const float *b, int out) {
  double *y = calloc((size_t)out, sizeof *y);
  for (int o = 0; o < out; o++) {
    y[o] = b[o];
    for (int i = 0; i < in; i++) y[o] += (double)w[o * in + i] * x[i];
  }
  return y;
}

static void squeeze_excite(plane *x, const spn_tensors *w, const char *block, int squeeze) {
  char reduce[64], expand[64];
  snprintf(reduce, sizeof reduce, "%s.se.reduce", block);
  snprintf(expand, sizeof expand, "%s.se.expand", block);
  double *mean = pool(x);
  double *hidden = dense(mean, x->c, weight(w, reduce, "weight"), weight(w, reduce, "bias"), squeeze);
  for (int s = 0; s < squeeze; s++) hidden[s] = hidden[s] > 0 ? hidden[s] : 0;
  double *gate = dense(hidden, squeeze, weight(w, expand, "weight"), weight(w, expand, "bias"), x->c);
  for (int c = 0; c < x->c; c++)
    for (int p = 0; p < x->n * x->n; p++) x->v[c * x->n * x->n + p] /= 1 + exp(-gate[c]);
  free(gate);
  free(hidden);
  free(mean);
}

/* What forward() keeps when it comes there: a block's output or expansion; -1 the stem's, `blocks` the head's. */
static struct {
  int wanted, block, expansion;
  plane map; /* malloc'd */
} tap;

static void pass(int block, int expansion, const plane *x) {
  const size_t n = (size_t)(x->c * x->n * x->n);
  if (!tap.wanted || tap.block != block || tap.expansion != expansion) return;
  tap.map = plane_new(x->c, x->n);
  memcpy(tap.map.v, x->v, n * sizeof *x->v);
}

static void forward_block(const spn_arch *a, const spn_tensors *w, int i, plane *x) {
  const spn_block *b = &a->block[i];
  char block[32], part[64], bn[72];
  plane input = plane_new(x->c, x->n);
  memcpy(input.v, x->v, (size_t)(x->c * x->n * x->n) * sizeof(double));
  snprintf(block, sizeof block, "block.%d", i);
  spn_act act = b->activation ? b->activation : a->activation;
  if (!b->expand) {
    snprintf(part, sizeof part, "%s.conv", block);
    snprintf(bn, sizeof bn, "%s.bn", part);
    convolve(a, x, weight(w, part, "weight"), b->out, b->kernel, b->stride, 0);
    normalise_batch(a, x, w, bn);
    activate(act, x);
  }
  for (int p = b->expand == 1; b->expand && p < 3; p++) {
    snprintf(part, sizeof part, "%s.%s", block, p == 0 ? "expand" : p == 1 ? "dw" : "project");
    snprintf(bn, sizeof bn, "%s.bn", part);
    convolve(a, x, weight(w, part, "weight"), p == 2 ? b->out : b->in * b->expand, p == 1 ? b->kernel : 1,
             p == 1 ? b->stride : 1, p == 1);
    normalise_batch(a, x, w, bn);
    if (p < 2) activate(act, x);
    if (p == 0) pass(i, 1, x);
    if (p == 1 && b->se > 0) squeeze_excite(x, w, block, b->in * b->se < 1 ? 1 : (int)floor(b->in * b->se));
  }
  for (int p = 0; b->residual && p < x->c * x->n * x->n; p++) x->v[p] += input.v[p];
  pass(i, 0, x);
  free(input.v);
}

/* Logits (classes) of one normalised image (C,H,W); malloc'd. */
__attribute__((unused)) static double *forward(const spn_arch *a, const spn_tensors *w, const double *image) {
  plane x = plane_new(a->input_channels, a->input_size);
  memcpy(x.v, image, (size_t)(x.c * x.n * x.n) * sizeof(double));
  convolve(a, &x, weight(w, "stem.conv", "weight"), a->stem_channels, a->stem_kernel, a->stem_stride, 0);
  normalise_batch(a, &x, w, "stem.bn");
  activate(a->activation, &x);
  pass(-1, 0, &x);
  for (int i = 0; i < a->blocks; i++)
    if (!a->block[i].skipped) forward_block(a, w, i, &x);
  if (a->head_channels) {
    convolve(a, &x, weight(w, "head.conv", "weight"), a->head_channels, 1, 1, 0);
    normalise_batch(a, &x, w, "head.bn");
    activate(a->activation, &x);
    pass(a->blocks, 0, &x);
  }
  double *mean = pool(&x);
  double *logits = dense(mean, x.c, weight(w, "classifier", "weight"), weight(w, "classifier", "bias"), a->classes);
  free(mean);
  free(x.v);
  return logits;
}

#endif
