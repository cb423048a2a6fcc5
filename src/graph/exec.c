/* Running a graph, and what ops share while they run. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "graph/ops.h"

/* ---- Views ---- */

int spn_value_plain(const spn_value *v) { return !v->scale && !v->gate && v->act == SPN_ACT_NONE; }

spn_view spn_value_view(const spn_value *v, int image) {
  return (spn_view){.scale = v->scale,
                    .shift = v->shift,
                    .act = v->act,
                    .gate_ld = (size_t)v->c,
                    .gate = v->gate ? v->gate + (size_t)image * v->c : NULL};
}

spn_view_sums spn_value_sums(const spn_value *v, int part, int image) {
  spn_view_sums s = {0};
  if (v->sums) {
    s.sum_dz = v->sums + (size_t)part * 2 * v->c;
    s.sum_dzx = s.sum_dz + v->c;
  }
  if (v->dgate) s.dgate = v->dgate + (size_t)image * v->c;
  return s;
}

/* Pixels from `first` that share an image's gate row; all of them where there is no gate. */
static size_t run_of_image(const spn_value *v, size_t first, size_t pixels, int *image) {
  size_t area = (size_t)v->h * v->w;
  *image = (int)(first / area);
  if (!v->gate) return pixels;
  size_t left = ((size_t)*image + 1) * area - first;
  return left < pixels ? left : pixels;
}

void spn_value_load(const spn_graph *g, const spn_value *v, size_t first, size_t pixels, int c, real *a, size_t lda) {
  while (pixels) {
    int image;
    size_t n = run_of_image(v, first, pixels, &image);
    spn_view view = spn_value_view(v, image);
    g->kernels->view_load(n, c, &view, v->x + first * v->ld, (size_t)v->ld, a, lda);
    first += n;
    pixels -= n;
    a += n * lda;
  }
}

int spn_value_streams(const spn_graph *g, const spn_value *v, int c) {
  return (size_t)g->batch * v->h * v->w * c * sizeof(real) >= SPN_STREAM_BYTES;
}

/* dz (ld lddz): where the first pixel's goes. */
static void grad_to(const spn_graph *g, const spn_value *v, int part, size_t first, size_t pixels, int c,
                    const real *da, size_t ldda, spn_grad_put put, real *dz, size_t lddz) {
  while (pixels) {
    int image;
    size_t n = run_of_image(v, first, pixels, &image);
    spn_view view = spn_value_view(v, image);
    spn_view_sums sums = spn_value_sums(v, part, image);
    g->kernels->view_grad(n, c, &view, v->x + first * v->ld, (size_t)v->ld, da, ldda, put, dz, lddz, &sums);
    first += n;
    pixels -= n;
    da += n * ldda;
    dz += n * lddz;
  }
}

void spn_value_grad(const spn_graph *g, const spn_value *v, int part, size_t first, size_t pixels, int c,
                    const real *da, size_t ldda, int accumulate) {
  grad_to(g, v, part, first, pixels, c, da, ldda, accumulate ? SPN_GRAD_ADD : SPN_GRAD_SET, v->dz + first * v->ld,
          (size_t)v->ld);
}

/* What goes past the caches goes there at once where pixels are whole cache lines, otherwise by way of da. */
void spn_value_grad_tile(const spn_graph *g, const spn_value *v, int part, size_t first, size_t pixels, int c, real *da,
                         int accumulate) {
  enum { LINE = 16 };
  real *home = v->dz + first * v->ld;
  size_t ld = (size_t)v->ld;
  int streams = !accumulate && spn_value_streams(g, v, c), lines = c % LINE == 0 && ld % LINE == 0;
  if (!streams) spn_value_grad(g, v, part, first, pixels, c, da, (size_t)c, accumulate);
  else if (lines) grad_to(g, v, part, first, pixels, c, da, (size_t)c, SPN_GRAD_STREAM, home, ld);
  else {
    grad_to(g, v, part, first, pixels, c, da, (size_t)c, SPN_GRAD_SET, da, (size_t)c);
    g->kernels->stream(pixels, c, da, (size_t)c, home, ld);
  }
}

/* ---- Parts ---- */

void *spn_graph_part(const spn_graph *g, int part) { return g->part_scratch + g->need_part * (size_t)part; }

typedef struct {
  spn_graph *g;
  spn_node *node;
  spn_part_fn fn;
} part_job;

static void run_part(void *context, int part, int thread) {
  const part_job *j = context;
  spn_graph *g = j->g;
  int n0 = (int)((long)g->batch * part / g->parts), n1 = (int)((long)g->batch * (part + 1) / g->parts);
  j->fn(g, j->node, part, thread, g->scratch + g->need_scratch * (size_t)thread, n0, n1);
}

void spn_graph_parts(spn_graph *g, spn_node *node, spn_part_fn fn) {
  part_job job = {g, node, fn};
  spn_team_run(g->team, g->parts, run_part, &job);
}

typedef struct {
  const spn_graph *g;
  size_t n, chunk, stride_bytes;
  const char *parts;
  real *out;
} reduce_job;

static void reduce_chunk(void *context, int i, int thread) {
  const reduce_job *j = context;
  size_t from = (size_t)i * j->chunk, count = j->n - from < j->chunk ? j->n - from : j->chunk;
  if (j->out != (const real *)j->parts) memcpy(j->out + from, (const real *)j->parts + from, count * sizeof(real));
  for (int p = 1; p < j->g->parts; p++)
    j->g->kernels->add(count, (const real *)(j->parts + j->stride_bytes * (size_t)p) + from, j->out + from);
}

void spn_graph_reduce(const spn_graph *g, size_t n, const char *parts, size_t stride_bytes, real *out) {
  enum { FEW = 32768 }; /* elements that one thread adds sooner than others are told */
  reduce_job job = {.g = g, .n = n, .chunk = n, .stride_bytes = stride_bytes, .parts = parts, .out = out};
  if (n > FEW) job.chunk = (n / (size_t)g->threads + 1023) / 1024 * 1024 / 2;
  spn_team_run(g->team, (int)((n + job.chunk - 1) / job.chunk), reduce_chunk, &job);
}

/* ---- A step ---- */

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Option that an axis' gates let through; the last whose gate's gradient is wanted, if that is later. */
static int option_through(const spn_graph *g, const spn_axis *axis) {
  int option = 0;
  while (option + 1 < axis->options && g->gates[axis->gate[option]].value != 0) option++;
  return option;
}

static int option_computed(const spn_graph *g, const spn_axis *axis) {
  int computed = option_through(g, axis);
  for (int i = computed; i + 1 < axis->options; i++)
    if (g->training && g->gates[axis->gate[i]].wanted) computed = i + 1;
  return computed;
}

static void refresh_switches(spn_graph *g) {
  for (int i = 0; i < g->width_count; i++) {
    spn_width *w = g->widths[i];
    w->through = w->level[option_through(g, &w->outer)][option_through(g, &w->inner)];
    w->computed = w->level[option_computed(g, &w->outer)][option_computed(g, &w->inner)];
    if (w->dense) w->through = w->computed = w->levels - 1;
  }
  for (int i = 0; i < g->branch_count; i++) {
    spn_branch *b = g->branches[i];
    b->value = spn_branch_value(g, b);
    b->forward = b->backward = b->value != 0;
    for (int k = 0; g->training && k < b->ons + b->offs; k++)
      b->forward |= g->gates[spn_branch_gate(b, k)].wanted && spn_branch_slope(g, b, k) != 0;
  }
}

static void run(spn_graph *g, spn_node *node, int backward) {
  if (node->branch && !(backward ? node->branch->backward : node->branch->forward)) return;
  void (*fn)(spn_graph *, spn_node *) = backward ? node->op->backward : node->op->forward;
  if (!fn) return;
  double start = g->profile ? seconds() : 0;
  fn(g, node);
  if (g->profile) node->seconds[backward] += seconds() - start;
}

void spn_graph_fail(spn_graph *g, const spn_node *node, const spn_err *why) {
  if (!atomic_exchange(&g->failed, 1)) spn_fail(&g->failure, why->code, "%s: %s", node->name, why->text);
}

static spn_status failure_of(const spn_graph *g, spn_err *err) {
  return g->failed ? spn_fail(err, g->failure.code, "%s", g->failure.text) : SPN_OK;
}

spn_status spn_graph_forward(spn_graph *g, const real *images, const int32_t *labels, int count, int training,
                             spn_err *err) {
  g->training = training;
  g->images = images;
  g->labels = labels;
  g->count = count;
  g->failed = 0;
  refresh_switches(g);
  for (int i = 0; i < g->node_count && !g->failed; i++) run(g, g->nodes[i], 0);
  return failure_of(g, err);
}

spn_status spn_graph_backward(spn_graph *g, spn_err *err) {
  memset(g->grads, 0, g->param_elements * sizeof(real)); /* parameters of skipped branches get no gradient */
  for (int i = 0; i < g->gate_count; i++) g->gates[i].grad = 0;
  for (int i = 0; i < g->value_count; i++) {
    spn_value *v = g->values[i];
    v->grad_written = 0;
    v->norm = (spn_norm_grad){0};
    if (v->sums) memset(v->sums, 0, (size_t)g->parts * 2 * v->c * sizeof *v->sums);
    if (v->dgate) memset(v->dgate, 0, (size_t)g->batch * v->c * sizeof *v->dgate);
  }
  g->failed = 0;
  for (int i = g->node_count - 1; i >= g->backward_from && !g->failed; i--) run(g, g->nodes[i], 1);
  return failure_of(g, err);
}

static int all_finite(const real *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(x[i])) return 0;
  return 1;
}

const char *spn_graph_find_bad(spn_graph *g) {
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    if (!all_finite(g->weights + p->offset, p->size)) return p->name;
  }
  /* Activations may share memory once they are dead, so the pass is run again, node by node. */
  for (int i = 0; i < g->node_count; i++) {
    spn_node *node = g->nodes[i];
    run(g, node, 0);
    const spn_value *v = node->out;
    if (!v || v->base != v || v->width || (node->branch && !node->branch->forward)) continue;
    for (size_t p = 0; p < (size_t)g->count * v->h * v->w; p++)
      if (!all_finite(v->x + p * v->ld, (size_t)v->c)) return node->name;
  }
  for (int i = 0; g->grads && i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    if (!all_finite(g->grads + p->offset, p->size)) return p->name;
  }
  return NULL;
}
