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

/* Masks of one block of a supernet, whose arch has the largest options. All zero: no masks. */
typedef struct {
  const spn_width *width; /* of the expanded channels */
  int rings, ring_gate[3], ring_k[3], inner_k;
  int se_levels, se_channels[SPN_MAX_LEVELS], se_gate[SPN_MAX_LEVELS], se_on; /* se_on -1: always */
  const spn_branch *branch;                                                   /* keep gate, NULL: always on */
} spn_block_masks;

/* masks: one for each block, or NULL. The graph is not compiled yet. */
spn_graph *spn_network_build(const spn_arch *arch, const spn_network_options *options, const spn_block_masks *masks,
                             spn_graph *into);
/* Compiled, ready to train or (inference_only) to evaluate. The caller frees with spn_graph_free. */
spn_status spn_network_create(const spn_arch *arch, const spn_network_options *options, int inference_only,
                              spn_graph **out, spn_err *err);

/* Fills net's parameters from a larger network of the same layers: a prefix along every axis, the centre of a depthwise
 * kernel. This is how a network is cut out of its supernet. SPN_EINPUT when a parameter is missing or smaller. */
spn_status spn_network_cut(const spn_graph *super, spn_graph *net, spn_err *err);

/* Parameters to and from named tensors (float32). `from` replaces g->weights as the source: an EMA copy, or NULL. */
spn_status spn_network_to_tensors(const spn_graph *g, const real *from, spn_tensors *out, spn_err *err);
spn_status spn_network_from_tensors(spn_graph *g, const spn_tensors *set, spn_err *err);
/* Takes the tensors that have a parameter's name and shape; the other parameters keep their initial values. Returns how
 * many were taken, of g->param_count. */
int spn_network_take_tensors(spn_graph *g, const spn_tensors *set);

#endif
