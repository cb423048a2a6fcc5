/* From an arch to a graph: stem, blocks, head, classifier, loss. The same builder makes plain networks and, given
 * masks, the supernet, so the two cannot drift apart. Parameter names are the canonical ones of weight files:
 * stem.conv.weight, stem.bn.gamma, block.3.expand.weight, block.3.dw.weight, block.3.se.reduce.bias,
 * block.3.project.bn.var, head.conv.weight, classifier.weight and so on. */
#ifndef SPN_MODEL_NETWORK_H
#define SPN_MODEL_NETWORK_H

#include "graph/graph.h"
#include "io/tensors.h"
#include "model/arch.h"

typedef struct {
  int batch, threads, reproducible;
  const spn_kernels *kernels;
  int bf16; /* convolutions multiply in bfloat16 */
  uint64_t seed;
  double smoothing; /* of labels */
  double
      drop_path; /* of the last block, rising to it from block to block in equal steps: stochastic depth in training */
} spn_network_options;

/* Masks of one op of a block. All zero: none. */
typedef struct {
  int expand;             /* which op: the largest ratio, 1 depthwise-separable, 0 a plain convolution */
  const spn_width *width; /* of the expanded channels */
  const spn_width *units; /* of the squeeze channels; NULL: SE has no masks */
  int se_on;              /* gate of SE as a whole; -1: always */
  int rings, ring_gate[3], ring_k[3], inner_k;
  const spn_branch *branch; /* NULL: always on */
} spn_op_masks;

enum { SPN_MAX_OPS = 3 };

/* Masks of one block of a supernet, whose arch has the largest options. All zero: no masks. */
typedef struct {
  spn_op_masks op[SPN_MAX_OPS]; /* by ratio */
  /* Above 0: ops that stand side by side, or one whose channels or shortcut are decided; all that follows is for these.
   * Where a depthwise-separable op stands beside a bottleneck, its parameters are block.N.ds.*. */
  int ops;
  const spn_width *out;     /* of the output channels; NULL: all */
  const spn_branch *around; /* counts where the layer is left out; NULL: never */
  int has_shortcut;
  const spn_branch *shortcut; /* NULL: always */
} spn_block_masks;

/* masks: one for each block, or NULL. The graph is not compiled yet. */
spn_graph *spn_network_build(const spn_arch *arch, const spn_network_options *options, const spn_block_masks *masks,
                             spn_graph *into);
/* Compiled, ready to train or (inference_only) to evaluate. The caller frees with spn_graph_free. */
spn_status spn_network_create(const spn_arch *arch, const spn_network_options *options, int inference_only,
                              spn_graph **out, spn_err *err);

/* Fills net's parameters from a larger network of the same layers: a prefix along every axis, the centre of a depthwise
 * kernel or a plain convolution's. This is how a network is cut out of its supernet. SPN_EINPUT when a parameter is
 * missing or smaller. */
spn_status spn_network_cut(const spn_graph *super, spn_graph *net, spn_err *err);

/* Parameters to and from named tensors (float32). `from` replaces g->weights as the source: an EMA copy, or NULL. */
spn_status spn_network_to_tensors(const spn_graph *g, const real *from, spn_tensors *out, spn_err *err);
spn_status spn_network_from_tensors(spn_graph *g, const spn_tensors *set, spn_err *err);
/* Takes the tensors that have a parameter's name and shape; the other parameters keep their initial values. Returns how
 * many were taken, of g->param_count. */
int spn_network_take_tensors(spn_graph *g, const spn_tensors *set);

#endif
