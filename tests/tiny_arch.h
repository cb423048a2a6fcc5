/* Networks of a few channels, for tests that need some network. */
#ifndef SPN_TESTS_TINY_ARCH_H
#define SPN_TESTS_TINY_ARCH_H

#include <stdio.h>

#include "model/arch.h"

/* Three image channels, a stem of 8 with stride 2, a head of 16, ReLU, TF's padding; no blocks yet. */
__attribute__((unused)) static spn_arch tiny_arch(const char *name, int size, int classes) {
  spn_arch a = {.input_size = size,
                .input_channels = 3,
                .classes = classes,
                .stem_channels = 8,
                .stem_kernel = 3,
                .stem_stride = 2,
                .head_channels = 16,
                .activation = SPN_ACT_RELU,
                .padding = SPN_PAD_SAME,
                .bn_momentum = 0.9,
                .bn_eps = 1e-3};
  snprintf(a.name, sizeof a.name, "%s", name);
  return a;
}

/* With a shortcut where it may have one. */
__attribute__((unused)) static spn_block tiny_block(int in, int out, int kernel, int stride, int expand, double se) {
  return (spn_block){.in = in,
                     .out = out,
                     .kernel = kernel,
                     .stride = stride,
                     .expand = expand,
                     .se = se,
                     .residual = stride == 1 && in == out};
}

/* Appends a block to what the network gives so far. */
__attribute__((unused)) static void tiny_add(spn_arch *a, int out, int kernel, int stride, int expand, double se) {
  const int in = a->blocks ? a->block[a->blocks - 1].out : a->stem_channels;
  a->block[a->blocks++] = tiny_block(in, out, kernel, stride, expand, se);
}

#endif
