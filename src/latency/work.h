/* What a network makes a device do, as amounts that grow with every size of a layer: a time is fitted as their sum with
 * weights that are not negative, and so can only grow with work and traffic. */
#ifndef SPN_LATENCY_WORK_H
#define SPN_LATENCY_WORK_H

#include "core/names.h"
#include "model/space.h"

/* Amounts are in millions, but for the ops. Fused activations are part of their convolution. */
#define SPN_WORKS_LIST(X)                                                                                        \
  X(SPN_WORK_MACS, "macs")             /* multiply-accumulates of 1x1 convolutions */                            \
  X(SPN_WORK_OUTPUTS, "outputs")       /* values that they write */                                              \
  X(SPN_WORK_WEIGHTS, "weights")       /* their weights, read and packed once, for however few pixels */         \
  X(SPN_WORK_TAPS, "taps")             /* multiply-accumulates of depthwise convolutions */                      \
  X(SPN_WORK_DW_OUTPUTS, "dw_outputs") /* values that they write */                                              \
  X(SPN_WORK_DW_INPUTS, "dw_inputs")   /* values that they read */                                               \
  X(SPN_WORK_STEM, "stem")             /* multiply-accumulates of the stem */                                    \
  X(SPN_WORK_MOVED, "moved")           /* values moved by residual additions (three a result) and by the pool */ \
  X(SPN_WORK_CLASSIFIER, "classifier") /* weights of the classifier */                                           \
  X(SPN_WORK_SE, "se")                 /* values moved by squeeze-and-excite (data/latency/README.md) */         \
  X(SPN_WORK_OPS, "ops")               /* operations, each with an overhead of its own */
typedef enum { SPN_WORKS_LIST(SPN_CHOICE_CONSTANT) SPN_WORKS } spn_work_kind;
extern const char *const spn_work_names[]; /* ends with NULL */

typedef struct {
  double amount[SPN_WORKS];
} spn_work;

/* One measurable part of a network. */
typedef enum { SPN_PART_STEM, SPN_PART_BLOCK, SPN_PART_HEAD, SPN_PART_CLASSIFIER } spn_part_kind;
extern const char *const spn_part_names[]; /* "stem", "block", "head", "classifier", NULL */
typedef struct {
  spn_part_kind kind;
  int h, in, out;     /* input is h x h with `in` channels */
  int kernel, stride; /* stem and block */
  int expand;         /* block */
  double se;          /* block: squeeze ratio of the input channels */
  int residual;       /* block: adds its input */
} spn_part;

spn_part spn_part_of_block(const spn_block *b, int in_size);
spn_part spn_part_of_option(const spn_layer *l, int kernel, int expand, int se, int in_size); /* indices of options */
int spn_part_out_size(const spn_part *part); /* h / stride, rounded up: what either padding gives for odd kernels */

/* Adds the part's work. */
void spn_work_add(const spn_part *part, spn_work *out);
double spn_work_cost(const spn_work *work, const double weight[SPN_WORKS]);

/* "k5 e3 se0.25 24 > 40 s2 at 56": a part's shape for people. */
void spn_part_text(const spn_part *part, char *text, size_t size);

/* The parts of a network in order (stem, blocks that are not skipped, head if any, classifier); index[i] is the block's
 * position, -1 for the others. Returns how many, at most SPN_MAX_PARTS. */
enum { SPN_MAX_PARTS = SPN_MAX_BLOCKS + 3 };
int spn_parts_of(const spn_arch *arch, spn_part *part, int *index);

/* Stem, head if any, and classifier around blocks that give `channels` at size x size. Returns how many. */
int spn_parts_around(const spn_arch *frame, int channels, int size, spn_part part[3]);

#endif
