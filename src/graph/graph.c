/* Building a graph: nodes, values, parameters, gates. */
#include "graph/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

enum { SPARE_STATE = 4096 };

/* What builders return when memory has run out. */
struct spn_graph_spare {
  int used;
  spn_node node;
  spn_value value;
  spn_width width;
  spn_branch branch;
  _Alignas(16) char state[SPARE_STATE];
};

/* Room for one more element in a list of `count`; 0 when there is none. */
static int grow(spn_graph *g, void *list, int count, size_t size) {
  void **at = list;
  if (count & (count - 1)) return 1; /* capacity is the next power of two */
  void *larger = realloc(*at, (size_t)(count ? 2 * count : 1) * size);
  if (larger) *at = larger;
  else g->spare->used = 1;
  return larger != NULL;
}

/* A zeroed record at the end of a list of pointers; NULL when there is no room. */
static void *add(spn_graph *g, void *list, int *count, size_t size) {
  if (!grow(g, list, *count, sizeof(void *))) return NULL;
  void *record = calloc(1, size);
  if (record) (*(void ***)list)[(*count)++] = record;
  else g->spare->used = 1;
  return record;
}

spn_graph *spn_graph_new(int batch, int threads, int reproducible, const spn_kernels *kernels, uint64_t seed) {
  spn_graph *g = calloc(1, sizeof *g);
  if (g) g->spare = calloc(1, sizeof *g->spare);
  if (!g || !g->spare) {
    free(g);
    return NULL;
  }
  g->batch = batch;
  g->threads = threads;
  g->parts = reproducible ? SPN_REPRODUCIBLE_PARTS : threads;
  if (g->parts > batch) g->parts = batch;
  g->kernels = kernels;
  g->seed = seed;
  g->norm_momentum = -1;
  return g;
}

spn_status spn_graph_status(const spn_graph *g, spn_err *err) {
  return g && !g->spare->used ? SPN_OK : spn_fail(err, SPN_ENOMEM, "graph: out of memory while it was built");
}

int spn_graph_gate(spn_graph *g, double value) {
  if (!grow(g, &g->gates, g->gate_count, sizeof *g->gates)) return 0;
  g->gates[g->gate_count] = (spn_gate){.value = value};
  return g->gate_count++;
}

spn_width *spn_graph_width(spn_graph *g, int levels, const int *channels, const int *gates) {
  spn_axis one = {.options = 1}, inner = {.options = levels};
  for (int l = 0; l + 1 < levels; l++) inner.gate[l] = gates[l];
  return spn_graph_width_by(g, &one, &inner, channels);
}

static int contains(const int *list, int count, int value) {
  for (int i = 0; i < count; i++)
    if (list[i] == value) return 1;
  return 0;
}

spn_width *spn_graph_width_by(spn_graph *g, const spn_axis *outer, const spn_axis *inner, const int *channels) {
  spn_width *w = add(g, &g->widths, &g->width_count, sizeof *w);
  int count = outer->options * inner->options;
  if (!w) w = &g->spare->width;
  *w = (spn_width){.outer = *outer, .inner = *inner};
  for (int i = 0; i < count; i++) {
    int at = w->levels;
    if (contains(w->channels, w->levels, channels[i])) continue;
    for (; at && w->channels[at - 1] > channels[i]; at--) w->channels[at] = w->channels[at - 1];
    w->channels[at] = channels[i];
    w->levels++;
  }
  for (int i = 0; i < count; i++)
    for (int l = 0; l < w->levels; l++)
      if (w->channels[l] == channels[i]) w->level[i / inner->options][i % inner->options] = l;
  w->through = w->computed = w->levels - 1;
  return w;
}

spn_branch *spn_graph_branch_by(spn_graph *g, int ons, const int *on, int offs, const int *off) {
  spn_branch *b = add(g, &g->branches, &g->branch_count, sizeof *b);
  if (!b) b = &g->spare->branch;
  *b = (spn_branch){.ons = ons, .offs = offs, .value = 1, .forward = 1, .backward = 1};
  for (int i = 0; i < ons; i++) b->on[i] = on[i];
  for (int i = 0; i < offs; i++) b->off[i] = off[i];
  return b;
}

spn_branch *spn_graph_branch(spn_graph *g, int gate) { return spn_graph_branch_by(g, 1, &gate, 0, NULL); }

int spn_graph_param(spn_graph *g, const char *name, spn_param_kind kind, int dims, const size_t *shape, double init_std,
                    double init_value) {
  if (!grow(g, &g->params, g->param_count, sizeof *g->params)) return 0;
  spn_param *p = &g->params[g->param_count];
  memset(p, 0, sizeof *p);
  snprintf(p->name, sizeof p->name, "%s", name);
  p->kind = kind;
  p->dims = dims;
  p->size = 1;
  for (int i = 0; i < dims; i++) {
    p->shape[i] = shape[i];
    p->size *= shape[i];
  }
  p->offset = g->param_elements;
  g->param_elements += (p->size + 15) & ~(size_t)15; /* each starts on its own cache line */
  p->init_std = init_std;
  p->init_value = init_value;
  return g->param_count++;
}

const spn_param *spn_graph_find_param(const spn_graph *g, const char *name) {
  for (int i = 0; i < g->param_count; i++)
    if (!strcmp(g->params[i].name, name)) return &g->params[i];
  return NULL;
}

static void use(spn_value *v, int node) {
  spn_value *base = v->base;
  if (base->first_use < 0) base->first_use = node;
  base->last_use = node;
}

spn_node *spn_graph_node(spn_graph *g, const spn_op *op, const char *name, spn_value *a, spn_value *b,
                         const spn_branch *branch, size_t state_bytes) {
  void *state = state_bytes ? calloc(1, state_bytes) : NULL;
  spn_node *node = state || !state_bytes ? add(g, &g->nodes, &g->node_count, sizeof *node) : NULL;
  if (!node || state_bytes > SPARE_STATE) { /* no op's state is so large */
    free(state);
    g->spare->used = 1;
    node = &g->spare->node;
    state = g->spare->state;
  }
  *node = (spn_node){.op = op, .index = g->node_count - 1, .in = {a, b}, .branch = branch, .state = state};
  snprintf(node->name, sizeof node->name, "%s", name);
  if (a) use(a, node->index);
  if (b) use(b, node->index);
  return node;
}

void spn_graph_input(spn_graph *g, spn_node *node, int which, spn_value *x) {
  node->in[which] = x;
  use(x, node->index);
}

static spn_value *new_value(spn_graph *g) {
  spn_value *v = add(g, &g->values, &g->value_count, sizeof *v);
  if (!v) v = &g->spare->value;
  v->base = v;
  v->first_use = v->last_use = -1;
  return v;
}

spn_value *spn_graph_stored(spn_graph *g, spn_node *producer, int h, int w, int c) {
  spn_value *v = new_value(g);
  v->h = h;
  v->w = w;
  v->c = v->ld = c;
  v->base = v;
  v->producer = producer->index;
  v->needs_grad = producer->index > 0; /* everything but the input */
  v->first_use = v->last_use = producer->index;
  producer->out = v;
  return v;
}

spn_value *spn_graph_view(spn_graph *g, spn_node *producer, spn_value *x) {
  spn_value *v = new_value(g);
  int first = v->first_use;
  *v = *x;
  v->first_use = first;
  producer->out = v;
  return v;
}

void spn_graph_out_of_memory(spn_graph *g) { g->spare->used = 1; }

static void free_nodes(spn_graph *g) {
  for (int i = 0; i < g->node_count; i++) {
    spn_node *node = g->nodes[i];
    if (node->op->release) node->op->release(node);
    free(node->state);
    free(node);
  }
  free(g->nodes);
}

void spn_graph_release_memory(spn_graph *g); /* plan.c */

void spn_graph_free(spn_graph *g) {
  if (!g) return;
  free_nodes(g);
  for (int i = 0; i < g->value_count; i++) free(g->values[i]);
  for (int i = 0; i < g->width_count; i++) free(g->widths[i]);
  for (int i = 0; i < g->branch_count; i++) free(g->branches[i]);
  free(g->values);
  free(g->widths);
  free(g->branches);
  free(g->params);
  free(g->gates);
  free(g->buffers);
  free(g->spare);
  spn_team_free(g->team);
  spn_graph_release_memory(g);
  free(g);
}

void spn_graph_init_weights(spn_graph *g, uint64_t seed) {
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    for (size_t k = 0; k < p->size; k++)
      g->weights[p->offset + k] = (real)(p->init_std > 0
                                             ? p->init_std * spn_rng_normal(seed, SPN_RNG_INIT, (uint64_t)i << 32 | k)
                                             : p->init_value);
  }
}
