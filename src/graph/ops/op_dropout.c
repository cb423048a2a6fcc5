/* Inverted dropout of a plain value: the mask is a function of (seed, step, element), so backward draws it again. */
#include "core/rng.h"
#include "graph/ops.h"

typedef struct {
  double rate;
} dropout_state;

/* add: on top of what is there. */
static void apply(const spn_graph *g, const spn_node *node, const real *from, int add, real *to, int n0, int n1) {
  const dropout_state *s = node->state;
  size_t c = (size_t)node->out->c;
  uint64_t key = spn_rng_split(g->seed, SPN_RNG_DROPOUT, g->step);
  for (size_t i = (size_t)n0 * c; i < (size_t)n1 * c; i++) {
    int kept = !g->training || s->rate == 0 || spn_rng_uniform(key, SPN_RNG_DROPOUT, i) >= s->rate;
    real value = !kept ? 0 : g->training ? from[i] / (real)(1 - s->rate) : from[i];
    to[i] = add ? to[i] + value : value;
  }
}

static void forward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  apply(g, node, node->in[0]->x, 0, node->out->x, n0, n1);
}

static void backward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  const spn_value *x = node->in[0];
  apply(g, node, node->out->dz, x->base->grad_written, x->dz, n0, n1);
}

static void forward(spn_graph *g, spn_node *node) { spn_graph_parts(g, node, forward_part); }

static void backward(spn_graph *g, spn_node *node) {
  spn_graph_parts(g, node, backward_part);
  node->in[0]->base->grad_written = 1;
}

const spn_op spn_op_dropout = {.name = "dropout", .forward = forward, .backward = backward};

spn_value *spn_add_dropout(spn_graph *g, const char *name, spn_value *x, double rate) {
  spn_node *node = spn_graph_node(g, &spn_op_dropout, name, x, NULL, NULL, sizeof(dropout_state));
  ((dropout_state *)node->state)->rate = rate;
  return spn_graph_stored(g, node, x->h, x->w, x->c);
}
