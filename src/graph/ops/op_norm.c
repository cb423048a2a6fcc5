/* Batch norm (arXiv 1502.03167) and activation, as a view. The convolution before it has gathered its output's sums;
 * the readers after it apply scale and shift, and gather the sums its backward needs. What is left to do here is
 * arithmetic on channels. */
#include <math.h>

#include "graph/ops.h"

typedef struct {
  int gamma, beta, mean, var; /* parameters */
  double momentum, eps;
  real *scale, *shift, *norm; /* (c), (c), (3,c) */
  double *stats, *sums;       /* (parts,2,c) */
  double *batch;              /* (2,c): mean and 1/sqrt(var+eps) of the last training pass */
} norm_state;

static spn_status prepare(spn_graph *g, spn_node *node, spn_err *err) {
  norm_state *s = node->state;
  size_t c = (size_t)node->out->c, doubles = sizeof(double) * 2 * c * (size_t)g->parts;
  spn_graph_keep(g, &s->scale, spn_bytes(c));
  spn_graph_keep(g, &s->shift, spn_bytes(c));
  if (g->inference_only) return SPN_OK;
  spn_graph_keep(g, &s->norm, spn_bytes(3 * c));
  spn_graph_keep(g, &s->stats, doubles);
  spn_graph_keep(g, &s->sums, doubles);
  spn_graph_keep(g, &s->batch, sizeof(double) * 2 * c);
  return SPN_OK;
}

static void bind(spn_graph *g, spn_node *node) {
  norm_state *s = node->state;
  node->out->scale = s->scale;
  node->out->shift = s->shift;
  node->out->sums = s->sums;
  node->out->base->stats = s->stats;
}

static double total(const spn_graph *g, const double *parts, int c, int which, int i) {
  double sum = 0;
  for (int p = 0; p < g->parts; p++) sum += parts[((size_t)p * 2 + (size_t)which) * (size_t)c + (size_t)i];
  return sum;
}

static double pixels(const spn_graph *g, const spn_value *v) { return (double)g->batch * v->h * v->w; }

static void forward(spn_graph *g, spn_node *node) {
  norm_state *s = node->state;
  const spn_value *y = node->out;
  real *running_mean = spn_param_weights(g, s->mean), *running_var = spn_param_weights(g, s->var);
  const real *gamma = spn_param_weights(g, s->gamma), *beta = spn_param_weights(g, s->beta);
  double n = pixels(g, y), momentum = g->norm_momentum >= 0 ? g->norm_momentum : s->momentum;
  int c = spn_width_computed(y->width, y->c);
  for (int i = 0; i < c; i++) {
    double mean = running_mean[i], var = running_var[i];
    if (g->training) {
      mean = total(g, s->stats, y->c, 0, i) / n;
      var = total(g, s->stats, y->c, 1, i) / n - mean * mean;
      if (var < 0) var = 0; /* rounding */
      double unbiased = n > 1 ? var * n / (n - 1) : var;
      running_mean[i] = (real)(momentum * running_mean[i] + (1 - momentum) * mean);
      running_var[i] = (real)(momentum * running_var[i] + (1 - momentum) * unbiased);
    }
    double inverse = 1 / sqrt(var + s->eps);
    s->scale[i] = (real)(gamma[i] * inverse);
    s->shift[i] = (real)(beta[i] - mean * gamma[i] * inverse);
    if (g->training) {
      s->batch[i] = mean;
      s->batch[y->c + i] = inverse;
    }
  }
}

/* With xhat = (x - mean)*inverse: dx = gamma*inverse*(dz - mean(dz) - xhat*mean(dz*xhat)), affine in dz and x. */
static void backward(spn_graph *g, spn_node *node) {
  norm_state *s = node->state;
  spn_value *y = node->out;
  const real *gamma = spn_param_weights(g, s->gamma);
  real *dgamma = spn_param_grads(g, s->gamma), *dbeta = spn_param_grads(g, s->beta);
  real *a = s->norm, *b = a + y->c, *k = b + y->c;
  double n = pixels(g, y);
  int c = spn_width_through(y->width, y->c);
  for (int i = 0; i < c; i++) {
    double mean = s->batch[i], inverse = s->batch[y->c + i];
    double sum_dz = total(g, s->sums, y->c, 0, i);
    double sum_dzxhat = (total(g, s->sums, y->c, 1, i) - mean * sum_dz) * inverse;
    double slope = gamma[i] * inverse;
    a[i] = (real)slope;
    b[i] = (real)(-slope * inverse * sum_dzxhat / n);
    k[i] = (real)(slope * (mean * inverse * sum_dzxhat - sum_dz) / n);
    dgamma[i] = (real)sum_dzxhat;
    dbeta[i] = (real)sum_dz;
  }
  y->base->norm = (spn_norm_grad){.a = a, .b = b, .k = k};
}

const spn_op spn_op_norm = {.name = "norm", .prepare = prepare, .bind = bind, .forward = forward, .backward = backward};

spn_value *spn_add_norm(spn_graph *g, const char *name, spn_value *raw, spn_act act, double momentum, double eps,
                        const spn_branch *branch) {
  spn_node *node = spn_graph_node(g, &spn_op_norm, name, raw, NULL, branch, sizeof(norm_state));
  norm_state *s = node->state;
  size_t c = (size_t)raw->c;
  s->gamma = spn_op_param(g, name, "gamma", SPN_PARAM_NORM, 1, &c, 0, 1);
  s->beta = spn_op_param(g, name, "beta", SPN_PARAM_NORM, 1, &c, 0, 0);
  s->mean = spn_op_param(g, name, "mean", SPN_PARAM_STATE, 1, &c, 0, 0);
  s->var = spn_op_param(g, name, "var", SPN_PARAM_STATE, 1, &c, 0, 1);
  s->momentum = momentum;
  s->eps = eps;
  spn_value *y = spn_graph_view(g, node, raw);
  y->act = act;
  return y;
}
