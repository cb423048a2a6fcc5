/* Softmax cross entropy, of labels with smoothing or of given targets, and the counts of top-1 and top-5 hits. */
#include <math.h>

#include "graph/ops.h"

typedef struct {
  double smoothing;
  double *part; /* (parts,4): loss, plain loss, hits, hits within five */
} loss_state;

static spn_status prepare(spn_graph *g, spn_node *node, spn_err *err) {
  spn_graph_keep(g, &((loss_state *)node->state)->part, sizeof(double) * 4 * (size_t)g->parts);
  return SPN_OK;
}

/* log(sum(exp(z))), shifted by the largest z. */
static double log_sum_exp(const real *z, int c) {
  double top = (double)z[0], sum = 0;
  for (int i = 1; i < c; i++)
    if ((double)z[i] > top) top = (double)z[i];
  for (int i = 0; i < c; i++) sum += exp((double)z[i] - top);
  return top + log(sum);
}

/* Targets of image n in this pass, or NULL: its label, smoothed. */
static const real *targets_of(const spn_graph *g, int n, int c) {
  return g->targets && g->training ? g->targets + (size_t)n * c : NULL;
}

/* -sum over classes of t * log softmax(z). */
static double soft_loss(const real *z, const real *target, double lse, int c) {
  double sum = 0;
  for (int i = 0; i < c; i++) sum += (double)target[i] * (lse - (double)z[i]);
  return sum;
}

static void forward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  const loss_state *s = node->state;
  int c = node->in[0]->c;
  double *out = s->part + 4 * part;
  memset(out, 0, 4 * sizeof *out);
  for (int n = n0; n < n1 && n < g->count; n++) {
    const real *z = node->in[0]->x + (size_t)n * c;
    int label = g->labels[n], above = 0;
    double lse = log_sum_exp(z, c), mean = 0;
    for (int i = 0; i < c; i++) {
      mean += (double)z[i] / c;
      above += z[i] > z[label] || (z[i] == z[label] && i < label);
    }
    double plain = lse - (double)z[label];
    const real *target = targets_of(g, n, c);
    out[0] += target ? soft_loss(z, target, lse, c) : (1 - s->smoothing) * plain + s->smoothing * (lse - mean);
    out[1] += plain;
    out[2] += above == 0;
    out[3] += above < 5;
  }
}

static void forward(spn_graph *g, spn_node *node) {
  const loss_state *s = node->state;
  g->logits = node->in[0]->x;
  if (!g->labels || !g->count) return;
  spn_graph_parts(g, node, forward_part);
  double sum[4] = {0};
  for (int i = 0; i < 4 * g->parts; i++) sum[i % 4] += s->part[i];
  g->loss = sum[0] / g->count;
  g->loss_plain = sum[1] / g->count;
  g->correct = (int)sum[2];
  g->correct5 = (int)sum[3];
}

/* d/dz of -sum t log softmax(z) is softmax(z) * sum(t) - t. */
static void backward_part(spn_graph *g, spn_node *node, int part, int thread, char *scratch, int n0, int n1) {
  const loss_state *s = node->state;
  int c = node->in[0]->c;
  for (int n = n0; n < n1; n++) {
    const real *z = node->in[0]->x + (size_t)n * c, *target = targets_of(g, n, c);
    real *dz = node->in[0]->dz + (size_t)n * c;
    if (n >= g->count) {
      memset(dz, 0, (size_t)c * sizeof *dz);
      continue;
    }
    double lse = log_sum_exp(z, c), all = target ? 0 : 1;
    for (int i = 0; target && i < c; i++) all += (double)target[i];
    for (int i = 0; i < c; i++) {
      double t = target ? (double)target[i] : (i == g->labels[n]) * (1 - s->smoothing) + s->smoothing / c;
      dz[i] = (real)((exp((double)z[i] - lse) * all - t) / g->count);
    }
  }
}

static void backward(spn_graph *g, spn_node *node) {
  spn_graph_parts(g, node, backward_part);
  node->in[0]->base->grad_written = 1;
}

const spn_op spn_op_loss = {.name = "loss", .prepare = prepare, .forward = forward, .backward = backward};

spn_value *spn_add_loss(spn_graph *g, const char *name, spn_value *logits, double smoothing) {
  spn_node *node = spn_graph_node(g, &spn_op_loss, name, logits, NULL, NULL, sizeof(loss_state));
  ((loss_state *)node->state)->smoothing = smoothing;
  return logits;
}
