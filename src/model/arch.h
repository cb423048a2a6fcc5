/* One concrete network: the type every part of spnas exchanges. Search methods produce it; evaluators, the trainer and
 * the exporters take it. Plain data: copy it by assignment. */
#ifndef SPN_MODEL_ARCH_H
#define SPN_MODEL_ARCH_H

#include <stddef.h>

#include "core/status.h"
#include "io/json_write.h"
#include "kernels.h"

/* Bounds of what is accepted; the counts of any network within them fit 63 bits. */
enum {
  SPN_MAX_BLOCKS = 128,
  SPN_MAX_CHANNELS = 8192,
  SPN_MAX_SIZE = 2048,
  SPN_MAX_EXPAND = 64,
  SPN_MAX_CLASSES = 1000000
};

typedef enum { SPN_PAD_SAME, SPN_PAD_SYMMETRIC } spn_padding; /* TF SAME, or k/2 on every side */

/* One block. expand 1: depthwise-separable (no expansion convolution). expand 0: one plain k x k convolution with batch
 * norm and activation instead, without SE (MnasNet's "regular convolution"). skipped: the layer is the identity and is
 * kept only so that a network still lines up with the layers of its space (for latency and decisions); it computes
 * nothing. */
typedef struct {
  int in, out;  /* channels */
  int kernel;   /* 3, 5, 7 */
  int stride;   /* 1, 2 */
  int expand;   /* expansion ratio; expanded channels = in * expand. 0: a plain convolution */
  double se;    /* squeeze ratio of the block's *input* channels, 0 = none; squeeze = max(1, (int)(in*se)) */
  int residual; /* y = x + block(x); needs stride 1 and in == out */
  int skipped;
  spn_act activation; /* inside the block; SPN_ACT_NONE: the network's */
} spn_block;

typedef struct {
  char name[64];
  int input_size, input_channels, classes;
  int stem_channels, stem_kernel, stem_stride;
  int head_channels; /* 1x1 convolution before the pool; 0 = none */
  int head_widens;   /* spn_arch_scale: widths above 1 hold for the head too, as in MobileNetV2 */
  int blocks;
  spn_block block[SPN_MAX_BLOCKS];
  spn_act activation;
  spn_padding padding;
  double bn_momentum, bn_eps; /* running = momentum*running + (1-momentum)*batch */
  double dropout;
} spn_arch;

/* Zeros before and after one spatial axis of size n for kernel k and stride s, and the output size. */
typedef struct {
  int before, after, out;
} spn_pad;
spn_pad spn_pad_axis(spn_padding padding, int n, int k, int s);

int spn_block_expanded(const spn_block *b); /* in * expand */
int spn_block_squeeze(const spn_block *b);  /* SE squeeze channels, 0 without SE */
spn_act spn_block_activation(const spn_arch *arch, const spn_block *b);

/* Parameters (BN gamma and beta counted, running statistics not) and multiply-accumulates of one image (convolutions,
 * SE layers and the classifier), as MnasNet's table 1 counts them (arXiv 1807.11626). Skipped blocks count nothing. */
typedef struct {
  long long params, macs;
} spn_counts;
spn_counts spn_arch_counts(const spn_arch *arch);
spn_counts spn_block_counts(const spn_arch *arch, const spn_block *b, int in_size, int *out_size);

/* Stem, head and classifier alone; last_channels and last_size are what the last block gives. */
spn_counts spn_arch_fixed_counts(const spn_arch *arch, int last_channels, int last_size);

/* channels * width to the nearest multiple of 8, at least 8, never below 90 % of the exact value: the rounding of
 * MnasNet's published code. */
int spn_scale_channels(int channels, double width);
/* Multiplies the channels of stem and blocks. The head keeps its channels at every width: that is what reproduces the
 * parameters published with MnasNet-A1's code for x1.4 to x0.35 (but with head_widens). A residual stays a residual:
 * equal channels scale equally. */
void spn_arch_scale(spn_arch *arch, double width);

/* Equal as computed networks: skipped blocks and names are ignored. */
int spn_arch_equal(const spn_arch *a, const spn_arch *b);
/* Checks channels that chain, legal kernels and strides, residuals that fit. */
spn_status spn_arch_check(const spn_arch *arch, spn_err *err);

/* JSON, from a path or by name from data/networks (see its README for the format). Either the network itself, with
 * strict keys, or an object with the network under "arch"; what stands beside "arch" is ignored here. `note` (NULL or
 * 256 chars) receives a remark on an accepted oddity of a block string, or "". */
spn_status spn_arch_load(const char *path, spn_arch *out, spn_err *err);
spn_status spn_arch_load_noted(const char *path, spn_arch *out, char *note, spn_err *err);
/* Text of the arch as a JSON object (malloc'd; the caller frees; NULL: out of memory). Reads back as the same arch. */
char *spn_arch_to_json(const spn_arch *arch);
/* The same as a member (key NULL: an element) of a document. */
void spn_arch_put(spn_json_writer *w, const char *key, const spn_arch *arch);

#endif
