/* The batch that the caller hands to spn_graph_forward. */
#include "graph/ops.h"

static void forward(spn_graph *g, spn_node *node) { node->out->x = (real *)g->images; }

const spn_op spn_op_input = {.name = "input", .forward = forward};

spn_value *spn_add_input(spn_graph *g, int h, int w, int c) {
  return spn_graph_stored(g, spn_graph_node(g, &spn_op_input, "input", NULL, NULL, NULL, 0), h, w, c);
}
