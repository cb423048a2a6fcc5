/* Global average pool of a view. */
#include "graph/ops.h"

static spn_status prepare(spn_graph *g, spn_node *node, spn_err *err) {
  size_t c = (size_t)node->out->c;
  spn_graph_need_scratch(g, sizeof(double) * c);
  return SPN_OK;
}

static void forward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  const spn_value *x = node->in[0];
  spn_value *y = node->out;
  size_t area = (size_t)x->h * x->w, c = (size_t)x->c;
  double *sum = (double *)scratch;
  for (int n = n0; n < n1; n++) {
    memset(sum, 0, c * sizeof *sum);
    spn_view view = spn_value_view(x, n);
    g->kernels->view_sum(area, x->c, &view, x->x + (size_t)n * area * x->ld, (size_t)x->ld, sum);
    for (size_t i = 0; i < c; i++) y->x[(size_t)n * c + i] = (real)(sum[i] / (double)area);
  }
}

static void forward(spn_graph *g, spn_node *node) { spn_graph_parts(g, node, forward_part); }

static void backward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  const spn_value *x = node->in[0], *y = node->out;
  size_t area = (size_t)x->h * x->w, c = (size_t)x->c;
  real *row = (real *)scratch;
  for (int n = n0; n < n1; n++) {
    for (size_t i = 0; i < c; i++) row[i] = y->dz[(size_t)n * c + i] / (real)area;
    /* Leading dimension 0: every pixel reads the same row. */
    spn_value_grad(g, x, part, (size_t)n * area, area, x->c, row, 0, x->base->grad_written);
  }
}

static void backward(spn_graph *g, spn_node *node) {
  spn_graph_parts(g, node, backward_part);
  node->in[0]->base->grad_written = 1;
}

const spn_op spn_op_pool = {.name = "pool", .prepare = prepare, .forward = forward, .backward = backward};

spn_value *spn_add_pool(spn_graph *g, const char *name, spn_value *x) {
  spn_node *node = spn_graph_node(g, &spn_op_pool, name, x, NULL, NULL, 0);
  return spn_graph_stored(g, node, 1, 1, x->c);
}
