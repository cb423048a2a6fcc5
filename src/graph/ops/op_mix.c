/* Sum of terms, each counted by its branch: y = sum of value_t * mask * view(x_t), where the mask of the masked terms
 * is 1 or 0, or between, by the channels' level in a width. It is stored, closed channels as zeros, so that whatever
 * reads it needs no mask: a wider network's further channels add nothing. */
#include "graph/ops.h"

enum { TILE = 256 }; /* pixels */

typedef struct {
  int terms, wanted; /* the gradient of some gate is */
  spn_mix_term term[SPN_MAX_INPUTS];
  const spn_width *width;
  real *factor; /* (terms, c): what a channel of a term counts in this pass */
  double *sums; /* (parts, terms, c): sum over pixels of dy * view(x_t) */
} mix_state;

static spn_status prepare(spn_graph *g, spn_node *node, spn_err *err) {
  mix_state *s = node->state;
  size_t cells = (size_t)s->terms * (size_t)node->out->c;
  spn_graph_need_scratch(g, 2 * spn_bytes((size_t)TILE * (size_t)node->out->c));
  spn_graph_keep(g, &s->factor, spn_bytes(cells));
  if (!g->inference_only) spn_graph_keep(g, &s->sums, sizeof(double) * (size_t)g->parts * cells);
  return SPN_OK;
}

static double value_of(const spn_mix_term *t) { return t->branch ? t->branch->value : 1; }

static int reads(const spn_mix_term *t, int backward) {
  return !t->branch || (backward ? t->branch->backward : t->branch->forward);
}

/* coef[l] of the width's levels; one level with all channels where there is no width. Returns how many. */
static int channel_masks(const spn_graph *g, const spn_node *node, double *coef, const int **ends) {
  const mix_state *s = node->state;
  coef[0] = 1;
  *ends = s->width ? s->width->channels : &node->out->c;
  if (s->width) spn_width_coefs(g, s->width, coef);
  return s->width ? s->width->levels : 1;
}

static void set_factors(const spn_graph *g, const spn_node *node) {
  const mix_state *s = node->state;
  double coef[SPN_MAX_LEVELS];
  const int *ends;
  int levels = channel_masks(g, node, coef, &ends);
  for (int t = 0; t < s->terms; t++) {
    real *factor = s->factor + (size_t)t * (size_t)node->out->c;
    for (int l = 0, i = 0; l < levels; l++)
      for (; i < ends[l]; i++) factor[i] = (real)(value_of(&s->term[t]) * (s->term[t].masked ? coef[l] : 1));
  }
}

/* y[p,c] = or += factor[c] * x[p,c]. */
static void scaled(size_t pixels, size_t c, const real *factor, const real *x, int adds, real *y) {
  for (size_t p = 0; p < pixels; p++)
    for (size_t i = 0; i < c; i++)
      y[p * c + i] = adds ? y[p * c + i] + factor[i] * x[p * c + i] : factor[i] * x[p * c + i];
}

static void forward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  const mix_state *s = node->state;
  spn_value *y = node->out;
  size_t c = (size_t)y->c, area = (size_t)y->h * (size_t)y->w, end = area * (size_t)n1;
  real *tile = (real *)scratch;
  for (size_t p = area * (size_t)n0; p < end; p += TILE) {
    size_t n = end - p < TILE ? end - p : TILE;
    int adds = 0;
    for (int t = 0; t < s->terms; t++) {
      if (!reads(&s->term[t], 1)) continue;
      spn_value_load(g, s->term[t].x, p, n, y->c, tile, c);
      scaled(n, c, s->factor + (size_t)t * c, tile, adds++, y->x + p * c);
    }
    if (!adds) memset(y->x + p * c, 0, n * c * sizeof(real));
  }
}

static void forward(spn_graph *g, spn_node *node) {
  set_factors(g, node);
  spn_graph_parts(g, node, forward_part);
}

static int is_wanted(const spn_graph *g, const mix_state *s) {
  int wanted = 0;
  for (int t = 0; t < s->terms; t++)
    for (int k = 0; s->term[t].branch && k < s->term[t].branch->ons + s->term[t].branch->offs; k++)
      wanted |= g->gates[spn_branch_gate(s->term[t].branch, k)].wanted;
  for (int i = 0; s->width && i + 1 < s->width->outer.options; i++) wanted |= g->gates[s->width->outer.gate[i]].wanted;
  for (int i = 0; s->width && i + 1 < s->width->inner.options; i++) wanted |= g->gates[s->width->inner.gate[i]].wanted;
  return wanted;
}

/* Whether the gradient of the value behind term t holds something before the term adds to it. */
static int has_gradient(const mix_state *s, int t) {
  int written = s->term[t].x->base->grad_written;
  for (int before = 0; before < t; before++)
    written |= s->term[before].x->base == s->term[t].x->base && reads(&s->term[before], 1);
  return written;
}

static void backward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  const mix_state *s = node->state;
  const spn_value *y = node->out;
  size_t c = (size_t)y->c, area = (size_t)y->h * (size_t)y->w, end = area * (size_t)n1;
  real *tile = (real *)scratch, *da = (real *)(scratch + spn_bytes(TILE * c));
  double *sums = s->sums + (size_t)part * (size_t)s->terms * c;
  memset(sums, 0, (size_t)s->terms * c * sizeof *sums);
  for (size_t p = area * (size_t)n0; p < end; p += TILE) {
    size_t n = end - p < TILE ? end - p : TILE;
    const real *dy = y->dz + p * c;
    for (int t = 0; t < s->terms; t++) {
      double *sum = sums + (size_t)t * c;
      if (s->wanted && reads(&s->term[t], 0)) {
        spn_value_load(g, s->term[t].x, p, n, y->c, tile, c);
        for (size_t q = 0; q < n; q++)
          for (size_t i = 0; i < c; i++) sum[i] += (double)dy[q * c + i] * (double)tile[q * c + i];
      }
      if (!reads(&s->term[t], 1)) continue;
      scaled(n, c, s->factor + (size_t)t * c, dy, 0, da);
      spn_value_grad(g, s->term[t].x, part, p, n, y->c, da, c, has_gradient(s, t));
    }
  }
}

/* The gates' gradients from the sums: a term's value multiplies its masked channels, a level's mask those of all masked
 * terms. */
static void add_gates(spn_graph *g, const spn_node *node) {
  const mix_state *s = node->state;
  size_t c = (size_t)node->out->c;
  double coef[SPN_MAX_LEVELS], dcoef[SPN_MAX_LEVELS] = {0};
  const int *ends;
  int levels = channel_masks(g, node, coef, &ends);
  for (int t = 0; t < s->terms; t++) {
    const spn_branch *b = s->term[t].branch;
    double dvalue = 0;
    for (int l = 0, i = 0; l < levels; l++) {
      double sum = 0;
      for (; i < ends[l]; i++)
        for (int part = 0; part < g->parts; part++)
          sum += s->sums[((size_t)part * (size_t)s->terms + (size_t)t) * c + (size_t)i];
      dvalue += (s->term[t].masked ? coef[l] : 1) * sum;
      if (s->term[t].masked) dcoef[l] += value_of(&s->term[t]) * sum;
    }
    for (int k = 0; b && k < b->ons + b->offs; k++)
      g->gates[spn_branch_gate(b, k)].grad += dvalue * spn_branch_slope(g, b, k);
  }
  if (s->width) spn_width_add_grads(g, s->width, dcoef);
}

static void backward(spn_graph *g, spn_node *node) {
  mix_state *s = node->state;
  s->wanted = is_wanted(g, s);
  spn_graph_parts(g, node, backward_part);
  if (s->wanted) add_gates(g, node);
  for (int t = 0; t < s->terms; t++)
    if (reads(&s->term[t], 1)) s->term[t].x->base->grad_written = 1;
}

const spn_op spn_op_mix = {.name = "mix", .prepare = prepare, .forward = forward, .backward = backward};

spn_value *spn_add_mix(spn_graph *g, const char *name, int terms, const spn_mix_term *term, const spn_width *width) {
  spn_node *node = spn_graph_node(g, &spn_op_mix, name, term[0].x, NULL, NULL, sizeof(mix_state));
  mix_state *s = node->state;
  s->terms = terms;
  s->width = width;
  memcpy(s->term, term, (size_t)terms * sizeof *term);
  for (int t = 1; t < terms; t++) spn_graph_input(g, node, t, term[t].x);
  return spn_graph_stored(g, node, term[0].x->h, term[0].x->w, term[0].x->c);
}
