/* A network as a list of ops over values, planned once: every byte is taken by spn_graph_compile, a step allocates
 * nothing. Ops are added in execution order; backward runs them in reverse.
 *
 * A value is what flows between ops: a stored tensor (N,H,W,C) plus a view that readers apply while loading (batch
 * norm, activation, SE gate; kernels.h). Batch norm and SE therefore make new values over old storage and move no data.
 *
 * Work is cut into parts, ranges of images: one part a thread, or a fixed number when results must not depend on the
 * number of threads. Every reduction goes part by part in order. */
#ifndef SPN_GRAPH_GRAPH_H
#define SPN_GRAPH_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "core/team.h"
#include "kernels.h"

enum {
  SPN_MAX_AXIS = 6,                             /* options of one decision */
  SPN_MAX_LEVELS = SPN_MAX_AXIS * SPN_MAX_AXIS, /* of two */
  SPN_MAX_INPUTS = 5,                           /* of a node */
  SPN_MAX_BRANCH_GATES = 16,
  SPN_REPRODUCIBLE_PARTS = 8
};

typedef struct spn_graph spn_graph;
typedef struct spn_node spn_node;

/* ---- Parameters: one flat block of weights, one of gradients ---- */
typedef enum {
  SPN_PARAM_WEIGHT, /* convolution and dense weights: weight decay applies */
  SPN_PARAM_NORM,   /* BN gamma and beta */
  SPN_PARAM_BIAS,
  SPN_PARAM_STATE /* running statistics: no gradient, no optimiser */
} spn_param_kind;

typedef struct {
  char name[64]; /* canonical name, for example block.3.dw.weight */
  spn_param_kind kind;
  int dims;
  size_t shape[4];
  size_t offset, size; /* elements in the flat blocks */
  double init_std;     /* normal initialisation; 0: constant init_value */
  double init_value;
} spn_param;

/* ---- Gates: the masks of a supernet ---- */
typedef struct {
  double value; /* 0 or 1 (any number in the gradient tests) */
  double grad;  /* dCE/dvalue, filled by backward when wanted */
  int wanted;   /* the gradient is needed, so what the gate hides is computed forward too */
} spn_gate;

/* Options of one decision, nested: option i is reached when gate[0..i-1] are all on. */
typedef struct {
  int options, gate[SPN_MAX_AXIS - 1];
} spn_axis;

/* The channels of a tensor, or the units of a layer, cut by gates to a prefix: of a block's expanded tensor by the
 * width of its input (outer axis) and the expansion (inner axis), so that option a of the one and b of the other leave
 * channels[level[a][b]]. Shared by the ops of one block; refreshed from the gates at the start of every step. */
typedef struct {
  int levels, channels[SPN_MAX_LEVELS]; /* ascending, each once */
  spn_axis outer, inner;
  int level[SPN_MAX_AXIS][SPN_MAX_AXIS]; /* ascends along both */
  int dense; /* nothing is left out, closed channels are multiplied by 0: where the tensor before has no such width, and
                all of its channels need their gradient */
  int through;  /* level the gates let through: what readers see, and all that backward computes */
  int computed; /* level computed forward: >= through, more only where a gate's gradient is wanted */
} spn_width;

/* Switches of a block, or of an op of one, that gates can remove. It counts value = the product of the gates `on`,
 * times 1 - the product of the gates `off` where there are any. */
typedef struct {
  int ons, on[SPN_MAX_BRANCH_GATES], offs, off[SPN_MAX_BRANCH_GATES];
  double value;          /* refreshed every step, as the following */
  int forward, backward; /* needed for a gate's gradient, or for its value; for its value */
} spn_branch;

typedef struct spn_value spn_value;
struct spn_value {
  int h, w, c;
  int ld;                    /* elements from one pixel to the next, >= c; what lies between has no meaning */
  spn_value *base;           /* the value that owns storage; itself for stored tensors */
  real *x;                   /* (N,h,w,c; ld) storage, shared with base */
  real *dz;                  /* gradient at z of the view, shared with base; NULL: nobody needs it */
  const real *scale, *shift; /* (c) or NULL */
  spn_act act;
  const real *gate;       /* (N,c) or NULL */
  real *dgate;            /* (N,c) or NULL */
  double *sums;           /* (parts,2,c): sum of dz, of dz*x: NULL for values without batch norm */
  spn_norm_grad norm;     /* base values: how dz becomes the gradient of x; set by batch norm's backward */
  double *stats;          /* base values of convolutions: (parts,2,c) sum and sum of squares of x */
  const spn_width *width; /* NULL: all channels always */
  int grad_written;       /* a reader has written dz in this backward pass */
  int needs_grad;
  int producer;            /* node number */
  int first_use, last_use; /* node numbers, for the plan */
};

typedef struct {
  const char *name;
  /* Takes primitives and declares scratch (spn_graph_need_*). */
  spn_status (*prepare)(spn_graph *g, spn_node *node, spn_err *err);
  /* Sets the pointers into memory that only exist after planning; may be NULL. */
  void (*bind)(spn_graph *g, spn_node *node);
  void (*forward)(spn_graph *g, spn_node *node);
  void (*backward)(spn_graph *g, spn_node *node);
  void (*release)(spn_node *node); /* frees what state owns, not state */
  /* For a profile: flops and bytes of a forward pass with every gate open; may be NULL. */
  void (*cost)(const spn_graph *g, const spn_node *node, double *flops, double *bytes);
  /* For a profile: what the backend chose; NULL: the graph's own kernels. */
  const char *(*implementation)(const spn_node *node);
} spn_op;

struct spn_node {
  const spn_op *op;
  char name[48];
  int index;
  spn_value *in[SPN_MAX_INPUTS], *out;
  const spn_branch *branch; /* NULL: always on */
  void *state;
  double seconds[2]; /* profile: forward, backward, summed */
};

/* Buffers asked for at build time, given by the plan. */
typedef struct {
  void **slot;
  size_t bytes, offset;
  int from, to; /* life in the timeline of forward and backward positions */
} spn_buffer;

struct spn_graph {
  int batch, parts, threads;
  int training;       /* batch statistics, dropout, backward possible */
  int inference_only; /* planned without gradients */
  uint64_t seed, step;
  double norm_momentum; /* >= 0: replaces every batch norm's momentum (recalibration); -1: each its own */
  const spn_kernels *kernels;
  int bf16; /* convolutions multiply in bfloat16 */

  spn_node **nodes;
  int node_count;
  spn_value **values;
  int value_count;
  spn_param *params;
  int param_count;
  size_t param_elements;
  real *weights, *grads; /* (param_elements) */
  spn_gate *gates;
  int gate_count;
  spn_width **widths;
  int width_count;
  spn_branch **branches;
  int branch_count;

  spn_buffer *buffers;
  int buffer_count;
  void *arena;
  size_t arena_bytes, activation_bytes;
  size_t need_scratch, need_part; /* bytes a thread, bytes a part */
  char *scratch, *part_scratch;

  /* The loss node's results of the last forward pass. */
  double loss;       /* mean cross entropy (with label smoothing) over count images */
  double loss_plain; /* without label smoothing */
  int correct, correct5, count;
  const real *images;    /* (N,H,W,C) given to forward */
  const int32_t *labels; /* (N) or NULL: no loss */
  /* (N,classes) or NULL, the caller's: what the loss of training passes asks for instead of smoothed labels, for mixed
   * images, teachers and weighted classes. Rows need not sum to 1: a row times w weighs its image w times. */
  const real *targets;
  const real *logits; /* (N,classes) after forward */
  int backward_from;  /* backward ends at this node: parameters before it get a gradient of 0 */
  int profile;

  spn_team *team;                /* (threads), from compile on */
  struct spn_graph_spare *spare; /* graph.c */
  _Atomic int failed;            /* 1: a node failed in this pass, and `failure` says how */
  spn_err failure;
};

/* ---- Building ----
 * Where memory runs out while a graph is built, builders go on with stand-ins that lead nowhere; spn_graph_status and
 * spn_graph_compile report it. Only spn_graph_new returns NULL. */
spn_graph *spn_graph_new(int batch, int threads, int reproducible, const spn_kernels *kernels, uint64_t seed);
void spn_graph_free(spn_graph *g); /* NULL is allowed */
/* SPN_ENOMEM when something could not be built (also when g is NULL): what builders returned has then no meaning. */
spn_status spn_graph_status(const spn_graph *g, spn_err *err);
int spn_graph_gate(spn_graph *g, double value);
/* levels channels ascending; gates: levels-1 gate numbers. */
spn_width *spn_graph_width(spn_graph *g, int levels, const int *channels, const int *gates);
/* By two decisions: channels (outer->options, inner->options), which ascend, not strictly, along both. */
spn_width *spn_graph_width_by(spn_graph *g, const spn_axis *outer, const spn_axis *inner, const int *channels);
spn_branch *spn_graph_branch(spn_graph *g, int gate);
spn_branch *spn_graph_branch_by(spn_graph *g, int ons, const int *on, int offs, const int *off);
/* Number of a new parameter. Shapes row-major, outermost first. */
int spn_graph_param(spn_graph *g, const char *name, spn_param_kind kind, int dims, const size_t *shape, double init_std,
                    double init_value);
const spn_param *spn_graph_find_param(const spn_graph *g, const char *name); /* NULL: absent */

/* Ops (ops/op_*.c; the list is ops.def). Names become parameter prefixes. All return the output value; the graph owns
 * it.
 */
spn_value *spn_add_input(spn_graph *g, int h, int w, int c);
typedef struct {
  int co, k, stride;
  int pad_before, pad_after; /* both axes */
  int bias;
  int aligned;                /* output pixels start at cache lines (ld > co where needed), so that vectors do not cross
                                 them and can bypass the caches: for the large tensors of expanded channels */
  const spn_width *in_width;  /* gates on input channels (project), or NULL */
  const spn_width *out_width; /* gates on output channels (expand), or NULL */
  int rings, gates[3], ring_k[3], inner_k; /* as of spn_dw_spec; where there are rings there are no widths */
  const spn_branch *branch;
  double init_std;
} spn_conv_spec;
/* Dense convolution. x (N,h,w,ci), weight (co,ci,k,k) -> raw (N,ho,wo,co). */
spn_value *spn_add_conv(spn_graph *g, const char *name, spn_value *x, const spn_conv_spec *spec);
typedef struct {
  int k, stride;
  int pad_before, pad_after;
  int rings, gates[3],
      ring_k[3]; /* superkernel: gate i adds the ring that grows the kernel to ring_k[i]; k is the largest */
  int inner_k;   /* kernel that is always on; = k without rings */
  const spn_width *width;
  const spn_branch *branch;
  double init_std;
} spn_dw_spec;
/* Depthwise convolution, weight (k,k,c). Single-Path NAS (arXiv 1904.02877) eq. 2: w_k = w_inner + d_k * w_ring. */
spn_value *spn_add_depthwise(spn_graph *g, const char *name, spn_value *x, const spn_dw_spec *spec);
/* Batch norm and activation as a view of a raw convolution output. Parameters name.gamma/.beta/.mean/.var.
 * running = momentum*running + (1-momentum)*batch, running variance unbiased. */
spn_value *spn_add_norm(spn_graph *g, const char *name, spn_value *raw, spn_act act, double momentum, double eps,
                        const spn_branch *branch);
typedef struct {
  int squeeze;            /* largest number of squeeze channels */
  const spn_width *units; /* of the squeeze channels, or NULL */
  int on_gate;            /* gate of SE as a whole; -1: always */
  const spn_branch *branch;
} spn_se_spec;
/* Squeeze-and-excitation (arXiv 1709.01507): gate = 1 + d_se*(sigmoid(W2 relu(W1 mean(h) + b1) + b2) - 1). */
spn_value *spn_add_se(spn_graph *g, const char *name, spn_value *x, const spn_se_spec *spec);
/* y = view(a) + keep * view(b): residual join, stored. branch NULL: keep = 1. drop: in training, the share of images
 * that do without b, which then counts 1/(1-drop) for the others (stochastic depth, arXiv 1603.09382). */
spn_value *spn_add_join(spn_graph *g, const char *name, spn_value *a, spn_value *b, const spn_branch *branch,
                        double drop);
typedef struct {
  spn_value *x;
  const spn_branch *branch; /* by which it counts; NULL: 1 */
  int masked;               /* only the channels of the width, each by its gates */
} spn_mix_term;
/* y = sum of the terms, each by its branch (and channels beyond the width 0 where masked), stored: where a block's ops
 * stand side by side, its shortcut can be left out, or its channels are decided. Terms may share their value. */
spn_value *spn_add_mix(spn_graph *g, const char *name, int terms, const spn_mix_term *term, const spn_width *width);
/* Global average pool of a view: (N,h,w,c) -> (N,1,1,c). */
spn_value *spn_add_pool(spn_graph *g, const char *name, spn_value *x);
/* Inverted dropout of a plain (N,1,1,c) value in training. */
spn_value *spn_add_dropout(spn_graph *g, const char *name, spn_value *x, double rate);
/* Softmax cross entropy with label smoothing e: target (1-e) on the label plus e/classes on every class. */
spn_value *spn_add_loss(spn_graph *g, const char *name, spn_value *logits, double smoothing);

/* Plans memory, creates primitives, draws initial weights from the seed. */
spn_status spn_graph_compile(spn_graph *g, int inference_only, spn_err *err);

/* ---- Running ---- */
/* images (N,H,W,C); labels may be NULL (logits only); count <= N images are valid. SPN_EBACKEND or SPN_ENOMEM, with the
 * node's name, when a kernel refused: the pass then ended there and its results have no meaning. */
spn_status spn_graph_forward(spn_graph *g, const real *images, const int32_t *labels, int count, int training,
                             spn_err *err);
/* Gradients of the mean loss of the last training forward pass, into grads (overwritten) and the gates' grads. Fails as
 * forward does. */
spn_status spn_graph_backward(spn_graph *g, spn_err *err);
/* Name of the first op whose output (or, then, gradient) holds NaN or infinity, or NULL. Slow: for reports. */
const char *spn_graph_find_bad(spn_graph *g);
/* Initial weights of every parameter from (seed, parameter number, element). */
void spn_graph_init_weights(spn_graph *g, uint64_t seed);
size_t spn_graph_memory(const spn_graph *g); /* bytes of arena, weights, gradients and scratch */

/* ---- For ops ---- */
spn_node *spn_graph_node(spn_graph *g, const spn_op *op, const char *name, spn_value *a, spn_value *b,
                         const spn_branch *branch, size_t state_bytes);
/* One more input of a node, its number `which`. */
void spn_graph_input(spn_graph *g, spn_node *node, int which, spn_value *x);
spn_value *spn_graph_stored(spn_graph *g, spn_node *producer, int h, int w, int c); /* new storage */
spn_value *spn_graph_view(spn_graph *g, spn_node *producer, spn_value *x);          /* a value over x's storage */
/* Persistent bytes (life of the graph), set before `bind`. */
void spn_graph_keep(spn_graph *g, void *slot, size_t bytes);
void spn_graph_need_scratch(spn_graph *g, size_t bytes); /* a thread */
void spn_graph_need_part(spn_graph *g, size_t bytes);    /* a part */
void *spn_graph_part(const spn_graph *g, int part);
/* A node's part failed (from any thread): the pass ends after this node, and returns the first such failure. */
void spn_graph_fail(spn_graph *g, const spn_node *node, const spn_err *why);
typedef void (*spn_part_fn)(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1);
/* Calls fn for every part in parallel: images n0..n1-1. */
void spn_graph_parts(spn_graph *g, spn_node *node, spn_part_fn fn);
/* Loads `pixels` pixels from pixel `first` of a view's first c channels into a (ld lda). */
void spn_value_load(const spn_graph *g, const spn_value *v, size_t first, size_t pixels, int c, real *a, size_t lda);
/* Writes or adds the gradient da (ld ldda) of the same pixels to v->dz and v's sums of this part. */
void spn_value_grad(const spn_graph *g, const spn_value *v, int part, size_t first, size_t pixels, int c,
                    const real *da, size_t ldda, int accumulate);
/* The same from a tile da (ld c) in cache, which is overwritten: a large tensor is then written past the caches. */
void spn_value_grad_tile(const spn_graph *g, const spn_value *v, int part, size_t first, size_t pixels, int c, real *da,
                         int accumulate);
/* The tensor's first c channels are too large to be found in the caches again by their reader: writing them past the
 * caches saves reading them first. */
int spn_value_streams(const spn_graph *g, const spn_value *v, int c);
spn_view spn_value_view(const spn_value *v, int image);
spn_view_sums spn_value_sums(const spn_value *v, int part, int image);
int spn_value_plain(const spn_value *v); /* the view is the identity */
/* Adds up part buffers of n elements in order into out (overwrites); out may be the first part. */
void spn_graph_reduce(const spn_graph *g, size_t n, const char *parts, size_t stride_bytes, real *out);
static inline int spn_width_through(const spn_width *w, int all) { return w ? w->channels[w->through] : all; }
static inline int spn_width_computed(const spn_width *w, int all) { return w ? w->channels[w->computed] : all; }

#endif
