/* Residual join y = view(a) + keep*view(b), with the skip gate of a search: keep = 0 removes the block. In training a
 * share of the images may do without b (stochastic depth, arXiv 1603.09382): which is a function of (seed, step). */
#include "core/rng.h"
#include "graph/ops.h"

enum { TILE = 256 }; /* pixels */

typedef struct {
  const spn_branch
      *branch;   /* of the block that is joined; the join itself always runs: without the block it passes a on */
  double drop;   /* share of images without b in training */
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
  return b ? &g->gates[b->on[0]] : NULL;
}

static double keep_of(const spn_graph *g, const spn_node *node) {
  return gate_of(g, node) ? gate_of(g, node)->value : 1;
}

/* Not where batch-norm statistics are gathered anew: they are those of the whole network. */
static int drops(const spn_graph *g, const spn_node *node) {
  return g->training && g->norm_momentum < 0 && ((const join_state *)node->state)->drop > 0;
}

/* By what b counts for image n, besides the gate. */
static double path_of(const spn_graph *g, const spn_node *node, int n) {
  const join_state *s = node->state;
  if (!drops(g, node)) return 1;
  uint64_t key = spn_rng_split(g->seed, SPN_RNG_DROP_PATH, g->step), index = (uint64_t)node->index << 32 | (uint64_t)n;
  return spn_rng_uniform(key, SPN_RNG_DROP_PATH, index) < s->drop ? 0 : 1 / (1 - s->drop);
}

/* Images n0..n1-1, for all of which b counts the same. */
static void forward_images(spn_graph *g, spn_node *node, double factor, int n0, int n1) {
  const spn_value *a = node->in[0], *b = node->in[1];
  spn_value *y = node->out;
  size_t area = (size_t)y->h * y->w, first = area * (size_t)n0, count = area * (size_t)(n1 - n0);
  if (factor == 0) {
    spn_value_load(g, a, first, count, y->c, y->x + first * (size_t)y->c, (size_t)y->c);
    return;
  }
  spn_view va = spn_value_view(a, n0), vb = spn_value_view(b, n0);
  g->kernels->join(count, y->c, &va, a->x + first * (size_t)a->c, &vb, b->x + first * (size_t)b->c, (real)factor,
                   y->x + first * (size_t)y->c);
}

static void forward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  double keep = keep_of(g, node);
  int by_image = drops(g, node) && keep != 0;
  if (!by_image) forward_images(g, node, keep, n0, n1);
  for (int n = n0; by_image && n < n1; n++) forward_images(g, node, keep * path_of(g, node, n), n, n + 1);
}

static void forward(spn_graph *g, spn_node *node) { spn_graph_parts(g, node, forward_part); }

/* Pixels p..end-1, for all of which b counts `path` besides the gate; returns the gate's gradient. All of b's gradient
 * is written, be it zeros, so that readers may add to it. */
static double backward_pixels(spn_graph *g, spn_node *node, int part, real *tile, double path, size_t p, size_t end) {
  const spn_value *a = node->in[0], *b = node->in[1], *y = node->out;
  size_t c = (size_t)y->c;
  double keep = keep_of(g, node), factor = keep * path, dkeep = 0;
  int wanted = path != 0 && gate_of(g, node) && gate_of(g, node)->wanted;
  for (; p < end; p += TILE) {
    size_t n = end - p < TILE ? end - p : TILE;
    const real *dy = y->dz + p * c;
    spn_value_grad(g, a, part, p, n, y->c, dy, c, a->base->grad_written);
    if (wanted) {
      spn_value_load(g, b, p, n, y->c, tile, c);
      dkeep += path * g->kernels->dot(n * c, dy, tile);
    }
    if (keep == 0) continue;
    if (factor != 1) {
      for (size_t i = 0; i < n * c; i++) tile[i] = (real)factor * dy[i];
      dy = tile;
    }
    spn_value_grad(g, b, part, p, n, y->c, dy, c, b->base->grad_written);
  }
  return dkeep;
}

static void backward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  size_t area = (size_t)node->out->h * node->out->w;
  real *tile = (real *)scratch;
  double dkeep = 0;
  if (!drops(g, node)) dkeep = backward_pixels(g, node, part, tile, 1, area * (size_t)n0, area * (size_t)n1);
  for (int n = n0; drops(g, node) && n < n1; n++)
    dkeep += backward_pixels(g, node, part, tile, path_of(g, node, n), area * (size_t)n, area * (size_t)(n + 1));
  ((join_state *)node->state)->dkeep[part] = dkeep;
}

static void backward(spn_graph *g, spn_node *node) {
  join_state *s = node->state;
  spn_graph_parts(g, node, backward_part);
  node->in[0]->base->grad_written = 1;
  if (keep_of(g, node) != 0) node->in[1]->base->grad_written = 1;
  for (int p = 0; gate_of(g, node) && p < g->parts; p++) gate_of(g, node)->grad += s->dkeep[p];
}

const spn_op spn_op_join = {.name = "join", .prepare = prepare, .forward = forward, .backward = backward};

spn_value *spn_add_join(spn_graph *g, const char *name, spn_value *a, spn_value *b, const spn_branch *branch,
                        double drop) {
  spn_node *node = spn_graph_node(g, &spn_op_join, name, a, b, NULL, sizeof(join_state));
  *(join_state *)node->state = (join_state){.branch = branch, .drop = drop};
  return spn_graph_stored(g, node, a->h, a->w, a->c);
}
