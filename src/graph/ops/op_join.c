/* Residual join y = view(a) + keep*view(b), with the skip gate of a search: keep = 0 removes the block. */
#include "graph/ops.h"

enum { TILE = 256 }; /* pixels */

typedef struct {
  const spn_branch
      *branch;   /* of the block that is joined; the join itself always runs: without the block it passes a on */
  double *dkeep; /* (parts): gradient of the gate */
} join_state;

static spn_status prepare(spn_graph *g, spn_node *node, spn_err *err) {
  join_state *s = node->state;
  spn_graph_need_scratch(g, spn_bytes((size_t)TILE * node->out->c));
  spn_graph_keep(g, &s->dkeep, sizeof(double) * (size_t)g->parts);
  return SPN_OK;
}

static spn_gate *gate_of(const spn_graph *g, const spn_node *node) {
  const spn_branch *b = ((const join_state *)node->state)->branch;
  return b && b->gate >= 0 ? &g->gates[b->gate] : NULL;
}

static double keep_of(const spn_graph *g, const spn_node *node) {
  return gate_of(g, node) ? gate_of(g, node)->value : 1;
}

static void forward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  const spn_value *a = node->in[0], *b = node->in[1];
  spn_value *y = node->out;
  size_t area = (size_t)y->h * y->w, first = area * (size_t)n0, count = area * (size_t)(n1 - n0);
  double keep = keep_of(g, node);
  if (keep == 0) {
    spn_value_load(g, a, first, count, y->c, y->x + first * (size_t)y->c, (size_t)y->c);
    return;
  }
  spn_view va = spn_value_view(a, n0), vb = spn_value_view(b, n0);
  g->kernels->join(count, y->c, &va, a->x + first * (size_t)a->c, &vb, b->x + first * (size_t)b->c, (real)keep,
                   y->x + first * (size_t)y->c);
}

static void forward(spn_graph *g, spn_node *node) { spn_graph_parts(g, node, forward_part); }

static void backward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  join_state *s = node->state;
  const spn_value *a = node->in[0], *b = node->in[1], *y = node->out;
  size_t area = (size_t)y->h * y->w, c = (size_t)y->c;
  double keep = keep_of(g, node), dkeep = 0;
  int wanted = gate_of(g, node) && gate_of(g, node)->wanted;
  real *tile = (real *)scratch;
  for (size_t p = area * (size_t)n0, end = area * (size_t)n1; p < end; p += TILE) {
    size_t n = end - p < TILE ? end - p : TILE;
    const real *dy = y->dz + p * c;
    spn_value_grad(g, a, part, p, n, y->c, dy, c, a->base->grad_written);
    if (wanted) {
      spn_value_load(g, b, p, n, y->c, tile, c);
      dkeep += g->kernels->dot(n * c, dy, tile);
    }
    if (keep == 0) continue;
    if (keep != 1) {
      for (size_t i = 0; i < n * c; i++) tile[i] = (real)keep * dy[i];
      dy = tile;
    }
    spn_value_grad(g, b, part, p, n, y->c, dy, c, b->base->grad_written);
  }
  s->dkeep[part] = dkeep;
}

static void backward(spn_graph *g, spn_node *node) {
  join_state *s = node->state;
  spn_graph_parts(g, node, backward_part);
  node->in[0]->base->grad_written = 1;
  if (keep_of(g, node) != 0) node->in[1]->base->grad_written = 1;
  for (int p = 0; gate_of(g, node) && p < g->parts; p++) gate_of(g, node)->grad += s->dkeep[p];
}

const spn_op spn_op_join = {.name = "join", .prepare = prepare, .forward = forward, .backward = backward};

spn_value *spn_add_join(spn_graph *g, const char *name, spn_value *a, spn_value *b, const spn_branch *branch) {
  spn_node *node = spn_graph_node(g, &spn_op_join, name, a, b, NULL, sizeof(join_state));
  ((join_state *)node->state)->branch = branch;
  return spn_graph_stored(g, node, a->h, a->w, a->c);
}
