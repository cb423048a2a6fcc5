/* A network with its weights as a flat list of nodes: what every exporter of a runnable format walks through, and what
 * a file is read back into to be checked. Batch norm is folded unless it is asked for; paddings are explicit. */
#ifndef SPN_EXPORT_LOWER_H
#define SPN_EXPORT_LOWER_H

#include "export/export.h"

typedef enum {
  SPN_LOWERED_INPUT,     /* the image, or what arrives at a part of the network */
  SPN_LOWERED_CONV,      /* weight (O,I,K,K), bias or none */
  SPN_LOWERED_DEPTHWISE, /* weight (K,K,C), bias or none */
  SPN_LOWERED_NORM,      /* batch norm that was not folded: norm (4,C) */
  SPN_LOWERED_SCALE,     /* x * weight (C) + bias (C); without weight: the activation alone */
  SPN_LOWERED_POOL,      /* mean of the pixels: (h,w,c) -> (1,1,c) */
  SPN_LOWERED_MUL,       /* in[0] * in[1], which is (1,1,c): a squeeze-and-excitation gate */
  SPN_LOWERED_ADD,       /* in[0] + in[1] */
  SPN_LOWERED_DENSE      /* weight (O,I), bias (O), of (1,1,c) */
} spn_lowered_kind;

/* What follows a node. The first four are spn_act's. */
typedef enum { SPN_FUSED_NONE, SPN_FUSED_RELU, SPN_FUSED_RELU6, SPN_FUSED_HSWISH, SPN_FUSED_SIGMOID } spn_fused;

enum { SPN_LOWERED_NAME = 48 };

/* 8-bit numbers q, -128 to 127: value = scale * (q - zero). scale 0: not quantised. */
typedef struct {
  float scale;
  int zero;
} spn_quant;

typedef struct {
  spn_lowered_kind kind;
  char name[SPN_LOWERED_NAME]; /* of the weights, "block.3.dw"; or of the place, "block.3.se" */
  int in[2];                   /* numbers of earlier nodes; -1: none */
  int h, w, c;                 /* of the output */
  int kernel, stride;          /* convolutions */
  spn_pad y, x;                /* convolutions: zeros before and after, and the output's sides */
  spn_fused act;
  float *weight, *bias; /* owned by the list */
  float *norm;          /* (4,C): gamma, beta, mean, variance */
  float eps;
  spn_quant quant; /* the output is rounded to what 8 bits can say */
} spn_lowered_node;

/* What the network gives, and its name for users: "logits", "stride16"; "output" of a part. */
typedef struct {
  int node;
  char name[16];
} spn_lowered_output;

enum { SPN_MAX_OUTPUTS = SPN_MAX_ENDPOINTS + 1 };

typedef struct spn_lowered {
  spn_lowered_node *node; /* node[0] is the input; inputs stand before their readers */
  int count, room;
  const char *input;                          /* its name for users: "image", or "input" of a part */
  spn_lowered_output output[SPN_MAX_OUTPUTS]; /* in the order of their nodes; the last one is the last node's */
  int outputs;
} spn_lowered;

/* Which part of a network: the input is then what arrives at it. All of it: {1, 0, arch->blocks, 1}. */
typedef struct {
  int stem;          /* from the image on, with the stem (and the normalisation, where options ask for it) */
  int first, blocks; /* blocks first .. first + blocks - 1 */
  int head;          /* with head, pool and classifier */
} spn_lower_part;

/* part NULL: the whole network, up to the last of options->endpoints where those are asked for without the logits; a
 * part has no endpoints. options: fold_bn, input, mean, std and endpoints count. Weights as for spn_export. SPN_EINPUT
 * for a missing or wrong tensor, a part or a stride that is not there, SPN_ENUMERIC when a fold overflows. The caller
 * frees. */
spn_status spn_lower(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                     const spn_lower_part *part, spn_lowered **out, spn_err *err);
void spn_lowered_free(spn_lowered *net); /* NULL is allowed */

/* For readers that build a list: room for one more node, zeroed, its inputs -1; NULL when memory is exhausted. */
spn_lowered *spn_lowered_new(void);
spn_lowered_node *spn_lowered_add(spn_lowered *net, spn_lowered_kind kind);

size_t spn_lowered_elements(const spn_lowered_node *n); /* of one image's output */
size_t spn_lowered_results(const spn_lowered *net);     /* of one image, all outputs together */
/* The name of a node that is an output, or NULL. */
const char *spn_lowered_output_name(const spn_lowered *net, int node);
/* For readers: one more output; name (length) need not end with zero. 0 when there is no room for it. */
int spn_lowered_give(spn_lowered *net, int node, const char *name, size_t length);
/* Elements of a node's weight; 0 where it has none. in: channels of what it reads. */
size_t spn_lowered_weights(const spn_lowered_node *n, int in);

#endif
