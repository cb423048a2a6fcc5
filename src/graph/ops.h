/* Declares every op of ops.def; small helpers that several ops use. */
#ifndef SPN_GRAPH_OPS_H
#define SPN_GRAPH_OPS_H

#include <string.h>

#include "graph/graph.h"

#define SPN_OP(name) extern const spn_op spn_op_##name;
#include "graph/ops.def"
#undef SPN_OP

/* Bytes of n reals, rounded to cache lines: for cutting scratch into pieces. */
static inline size_t spn_bytes(size_t n) { return (n * sizeof(real) + 63) & ~(size_t)63; }

/* A parameter's weights, or its gradient. */
static inline real *spn_param_weights(const spn_graph *g, int param) { return g->weights + g->params[param].offset; }
static inline real *spn_param_grads(const spn_graph *g, int param) { return g->grads + g->params[param].offset; }

/* Registers parameter "<name>.<suffix>". */
int spn_op_param(spn_graph *g, const char *name, const char *suffix, spn_param_kind kind, int dims, const size_t *shape,
                 double init_std, double init_value);

/* count gates, nested: gate l opens level l+1, so a level's coefficient is the product of the gates before it. Fills
 * coef[0..count]; coef[0] = 1. */
void spn_nested_coefs(const spn_graph *g, int count, const int *gates, double *coef);
/* Adds to the gates' gradients what follows from dcoef[0..count] = dLoss/dcoef: each gate gets the others' product. */
void spn_nested_add_grads(spn_graph *g, int count, const int *gates, const double *dcoef);

/* By what every level of a width counts, coef[0] = 1; and what follows from their gradients for the gates. */
void spn_width_coefs(const spn_graph *g, const spn_width *w, double *coef);
void spn_width_add_grads(spn_graph *g, const spn_width *w, const double *dcoef);

/* A branch's gates, `on` before `off`, and its value and derivative with respect to the k-th of them. */
int spn_branch_gate(const spn_branch *b, int k);
double spn_branch_value(const spn_graph *g, const spn_branch *b);
double spn_branch_slope(const spn_graph *g, const spn_branch *b, int k);

enum { SPN_MAX_TAPS = 49 };
/* Ring of tap (ky, kx) of a k x k superkernel: 0 inside the inner kernel, otherwise i+1 for the ring that gate i opens,
 * which makes the kernel ring_k[i]. */
int spn_ring_of(int k, int inner_k, int rings, const int *ring_k, int ky, int kx);
/* Rings a pass needs: those that the gates open, and backward those whose gate wants a gradient. */
int spn_rings_in_use(const spn_graph *g, int rings, const int *gates, int backward);

/* Multiplies the channels of a tile by their level's coefficient where one is not 1 (soft gates, exploration;
 * channels behind a 0 are not computed, but in dense widths). */
void spn_width_scale(const spn_graph *g, const spn_width *w, size_t rows, int c, real *a, size_t lda);

#endif
