/* Small networks of every kind of layer, both paddings, odd and even sizes, with random weights: what test_export and
 * test_endpoints write and read back. */
#ifndef SPN_TEST_EXPORT_CASE_H
#define SPN_TEST_EXPORT_CASE_H

#include "check.h"
#include "core/rng.h"
#include "export/export.h"
#include "tiny_arch.h"

enum { SEED = 7 };

/* ---- Networks ---- */

static spn_arch network(const char *name, int size, int channels, spn_act act, spn_padding padding) {
  spn_arch a = tiny_arch(name, size, 7);
  a.input_channels = channels;
  a.stem_channels = 6;
  a.head_channels = 20;
  a.activation = act;
  a.padding = padding;
  a.dropout = 0.2;
  tiny_add(&a, 4, 3, 1, 1, 0);
  tiny_add(&a, 8, 5, 2, 3, 0.25);
  tiny_add(&a, 8, 7, 1, 6, 0.5);
  tiny_add(&a, 8, 5, 1, 3, 0);
  a.block[3].skipped = 1;
  tiny_add(&a, 8, 3, 1, 2, 0);
  a.block[4].residual = 0;
  tiny_add(&a, 10, 7, 2, 1, 0.25);
  return a;
}

static const char *const case_names[] = {"relu_same_even",       "relu6_symmetric_odd",
                                         "hswish_same_odd_gray", "hswish_symmetric_even",
                                         "none_stem5_nohead",    "tiny",
                                         "plain_and_mixed",      "stem_only"};
enum { CASES = 8 };

static spn_arch network_at(int i) {
  const char *name = case_names[i];
  spn_arch a;
  switch (i) {
    case 0: return network(name, 32, 3, SPN_ACT_RELU, SPN_PAD_SAME);
    case 1: return network(name, 33, 3, SPN_ACT_RELU6, SPN_PAD_SYMMETRIC);
    case 2: return network(name, 29, 1, SPN_ACT_HSWISH, SPN_PAD_SAME);
    case 3: return network(name, 30, 3, SPN_ACT_HSWISH, SPN_PAD_SYMMETRIC);
    case 4:
      a = network(name, 20, 3, SPN_ACT_NONE, SPN_PAD_SAME);
      a.stem_kernel = 5;
      a.stem_stride = 1;
      a.head_channels = 0;
      return a;
    case 5: return network(name, 3, 3, SPN_ACT_RELU6, SPN_PAD_SAME);
    case 6: /* plain convolutions, and activations that change from block to block */
      a = network(name, 31, 3, SPN_ACT_HSWISH, SPN_PAD_SAME);
      a.block[0].activation = a.block[1].activation = SPN_ACT_RELU;
      a.block[2] = tiny_block(8, 8, 3, 1, 0, 0);
      a.block[4] = tiny_block(8, 8, 5, 1, 0, 0);
      a.block[4].activation = SPN_ACT_RELU6;
      a.block[5] = tiny_block(8, 10, 3, 2, 0, 0);
      return a;
    default:
      a = network(name, 8, 3, SPN_ACT_RELU, SPN_PAD_SYMMETRIC);
      a.blocks = 0;
      return a;
  }
}

/* ---- Random weights ---- */

static uint64_t tensor_number;

static void add(spn_tensors *w, const char *prefix, const char *part, int dims, const size_t *shape, double offset,
                double scale) {
  spn_err err = {0};
  char name[96];
  size_t n = 1;
  for (int d = 0; d < dims; d++) n *= shape[d];
  float *data = malloc(n * sizeof *data);
  tensor_number++;
  for (size_t i = 0; i < n; i++)
    data[i] = (float)(offset + scale * (2 * spn_rng_uniform(SEED, SPN_RNG_TEST, tensor_number << 32 | i) - 1));
  snprintf(name, sizeof name, "%s.%s", prefix, part);
  CHECK_OK(spn_tensors_add(w, name, SPN_F32, dims, shape, data, &err), err);
  free(data);
}

static void add_conv(spn_tensors *w, const char *prefix, const char *bn, int out, int in, int k) {
  const size_t dense_shape[] = {(size_t)out, (size_t)in, (size_t)k, (size_t)k};
  const size_t depth_shape[] = {(size_t)k, (size_t)k, (size_t)out}, vector[] = {(size_t)out};
  double scale = 1.2 / sqrt((in ? in : 1) * k * k);
  add(w, prefix, "weight", in ? 4 : 3, in ? dense_shape : depth_shape, 0, scale); /* in 0: depthwise */
  if (!bn) {
    add(w, prefix, "bias", 1, vector, 0, 0.5);
    return;
  }
  add(w, bn, "gamma", 1, vector, 1, 0.5);
  add(w, bn, "beta", 1, vector, 0.3, 0.6);
  add(w, bn, "mean", 1, vector, 0, 0.5);
  add(w, bn, "var", 1, vector, 1, 0.6);
}

static spn_tensors *random_weights(const spn_arch *a) {
  spn_tensors *w = spn_tensors_new();
  char part[64], bn[72];
  add_conv(w, "stem.conv", "stem.bn", a->stem_channels, a->input_channels, a->stem_kernel);
  int last = a->stem_channels;
  for (int i = 0; i < a->blocks; i++) {
    const spn_block *b = &a->block[i];
    const char *parts[] = {"expand", "dw", "project", "se.reduce", "se.expand"};
    const int wide = b->in * b->expand, squeeze = spn_block_squeeze(b);
    const int outs[] = {wide, wide, b->out, squeeze, wide}, ins[] = {b->in, 0, wide, wide, squeeze};
    if (!b->expand) {
      snprintf(part, sizeof part, "block.%d.conv", i);
      snprintf(bn, sizeof bn, "%s.bn", part);
      add_conv(w, part, bn, b->out, b->in, b->kernel);
    }
    for (int p = b->expand == 1; p < (squeeze ? 5 : 3) && b->expand && !b->skipped; p++) {
      snprintf(part, sizeof part, "block.%d.%s", i, parts[p]);
      snprintf(bn, sizeof bn, "%s.bn", part);
      add_conv(w, part, p < 3 ? bn : NULL, outs[p], ins[p], p == 1 ? b->kernel : 1);
    }
    last = b->out;
  }
  if (a->head_channels) {
    add_conv(w, "head.conv", "head.bn", a->head_channels, last, 1);
    last = a->head_channels;
  }
  const size_t matrix[] = {(size_t)a->classes, (size_t)last}, vector[] = {(size_t)a->classes};
  add(w, "classifier", "weight", 2, matrix, 0, 1);
  add(w, "classifier", "bias", 1, vector, 0, 1);
  for (size_t i = 0; i < spn_tensors_count(w) && a->activation == SPN_ACT_RELU6; i++) { /* so that 6 is reached */
    const spn_tensor *t = spn_tensors_at(w, i);
    for (size_t j = 0; strstr(t->name, ".gamma") && j < t->shape[0]; j++) ((float *)t->data)[j] *= 4;
  }
  return w;
}

#endif
