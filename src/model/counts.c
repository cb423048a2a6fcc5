#include <math.h>

#include "model/profile.h"

/* A convolution without bias and its batch norm: weights = parameters of the kernel, pixels = output pixels. */
static void add_conv(spn_counts *counts, long long weights, int out, long long pixels) {
  counts->params += weights + 2LL * out;
  counts->macs += weights * pixels;
}

/* A dense layer with bias, once an image. */
static void add_dense(spn_counts *counts, long long in, long long out) {
  counts->params += in * out + out;
  counts->macs += in * out;
}

spn_counts spn_block_counts(const spn_arch *arch, const spn_block *b, int in_size, int *out_size) {
  spn_counts counts = {0, 0};
  if (out_size) *out_size = in_size;
  if (b->skipped) return counts;
  long long in_pixels = (long long)in_size * in_size, expanded = spn_block_expanded(b);
  int size = spn_pad_axis(arch->padding, in_size, b->kernel, b->stride).out;
  long long pixels = (long long)size * size;
  if (out_size) *out_size = size;
  if (!b->expand) {
    add_conv(&counts, (long long)b->in * b->out * b->kernel * b->kernel, b->out, pixels);
    return counts;
  }
  if (b->expand > 1) add_conv(&counts, b->in * expanded, (int)expanded, in_pixels);
  add_conv(&counts, expanded * b->kernel * b->kernel, (int)expanded, pixels);
  int squeeze = spn_block_squeeze(b);
  if (squeeze) {
    add_dense(&counts, expanded, squeeze);
    add_dense(&counts, squeeze, expanded);
  }
  add_conv(&counts, expanded * b->out, b->out, pixels);
  return counts;
}

static spn_counts stem_counts(const spn_arch *a, int out_size) {
  spn_counts counts = {0, 0};
  add_conv(&counts, (long long)a->input_channels * a->stem_channels * a->stem_kernel * a->stem_kernel, a->stem_channels,
           (long long)out_size * out_size);
  return counts;
}

static spn_counts head_counts(const spn_arch *a, int channels, int size) {
  spn_counts counts = {0, 0};
  add_conv(&counts, (long long)channels * a->head_channels, a->head_channels, (long long)size * size);
  return counts;
}

static spn_counts classifier_counts(const spn_arch *a, int channels) {
  spn_counts counts = {0, 0};
  add_dense(&counts, channels, a->classes);
  return counts;
}

static void add(spn_counts *sum, spn_counts one) {
  sum->params += one.params;
  sum->macs += one.macs;
}

static int stem_size(const spn_arch *a) {
  return spn_pad_axis(a->padding, a->input_size, a->stem_kernel, a->stem_stride).out;
}

spn_counts spn_arch_fixed_counts(const spn_arch *a, int last_channels, int last_size) {
  spn_counts counts = stem_counts(a, stem_size(a));
  if (a->head_channels) add(&counts, head_counts(a, last_channels, last_size));
  add(&counts, classifier_counts(a, a->head_channels ? a->head_channels : last_channels));
  return counts;
}

/* ---- Layer by layer ---- */

/* Appends a layer that takes what the one before gives. */
static void append(spn_profile *p, spn_layer_kind kind, int block, int out, int out_size, spn_counts counts) {
  const spn_layer_profile *last = &p->layer[p->layers - 1];
  p->layer[p->layers++] = (spn_layer_profile){.kind = kind,
                                              .block = block,
                                              .in = last->out,
                                              .out = out,
                                              .size = last->out_size,
                                              .out_size = out_size,
                                              .counts = counts,
                                              .cost = NAN};
  add(&p->counts, counts);
}

void spn_profile_of(const spn_arch *a, spn_profile *p) {
  int size = stem_size(a), channels = a->stem_channels;
  const spn_counts stem = stem_counts(a, size);
  p->layer[0] = (spn_layer_profile){.kind = SPN_LAYER_STEM,
                                    .block = -1,
                                    .in = a->input_channels,
                                    .out = channels,
                                    .size = a->input_size,
                                    .out_size = size,
                                    .counts = stem,
                                    .cost = NAN};
  p->layers = 1;
  p->counts = stem;
  p->cost = p->rest = NAN;
  p->placed = 0;
  p->unit[0] = p->by[0] = p->caveat[0] = 0;
  for (int i = 0; i < a->blocks; i++) {
    const spn_counts counts = spn_block_counts(a, &a->block[i], size, &size);
    channels = a->block[i].out;
    append(p, SPN_LAYER_BLOCK, i, channels, size, counts);
  }
  if (a->head_channels) append(p, SPN_LAYER_HEAD, -1, a->head_channels, size, head_counts(a, channels, size));
  append(p, SPN_LAYER_CLASSIFIER, -1, a->classes, 1, classifier_counts(a, p->layer[p->layers - 1].out));
}

spn_counts spn_arch_counts(const spn_arch *arch) {
  spn_profile p;
  spn_profile_of(arch, &p);
  return p.counts;
}
