/* Times steps of the single-path supernet (forward, backward, indicators, update).
 *
 *   bench_step [--work dense|schedule|half|pointwise] [--size 32|224] [--space NAME] [--width W] [--batch N] [--steps
 * K]
 *              [--threads T] [--isa NAME] [--profile] [--reproducible] [--bf16]
 *
 * dense: every option on, the same work as bench/torch_supernet.py. schedule: steps as an 8-epoch search draws them,
 * five of the warm-up to three of the search. half: a random network of about half the operations, through the
 * supernet. pointwise: only the dense step's 1x1 convolutions, in oneDNN and nothing else. --isa avx2
 * and --isa plain hold oneDNN to the same instructions as our kernels. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/rng.h"
#include "profile.h"
#include "search/indicators.h"
#include "train/optimizer.h"

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static int fail(const spn_err *err) {
  fprintf(stderr, "%s\n", err->text);
  return 1;
}

typedef enum { DENSE, SCHEDULE, HALF, POINTWISE } work;

typedef struct {
  work work;
  int size, batch, steps, threads, profile, reproducible, bf16;
  double width;
  const char *space, *isa;
} options;

static int read_options(int argc, char **argv, options *o) {
  static const char *works[] = {"dense", "schedule", "half", "pointwise"};
  *o = (options){
      .size = 32, .batch = 128, .steps = 8, .threads = omp_get_num_procs(), .space = "singlepath", .isa = "auto"};
  for (int i = 1; i < argc; i++) {
    const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (!strcmp(name, "--profile")) o->profile = 1;
    else if (!strcmp(name, "--reproducible")) o->reproducible = 1;
    else if (!strcmp(name, "--bf16")) o->bf16 = 1;
    else if (!value) return 0;
    else if (!strcmp(name, "--size")) o->size = atoi(value), i++;
    else if (!strcmp(name, "--width")) o->width = atof(value), i++;
    else if (!strcmp(name, "--batch")) o->batch = atoi(value), i++;
    else if (!strcmp(name, "--steps")) o->steps = atoi(value), i++;
    else if (!strcmp(name, "--threads")) o->threads = atoi(value), i++;
    else if (!strcmp(name, "--space")) o->space = value, i++;
    else if (!strcmp(name, "--isa")) o->isa = value, i++;
    else if (!strcmp(name, "--work")) {
      int w = 0;
      while (w < 4 && strcmp(value, works[w])) w++;
      if (w == 4) return 0;
      o->work = (work)w, i++;
    } else return 0;
  }
  return o->steps > 0 && o->batch > 0 && o->threads > 0;
}

static void *take(size_t bytes) {
  void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
  if (!p) abort();
  memset(p, 0, bytes);
  return p;
}

/* ---- The dense step's 1x1 convolutions alone ---- */

/* Best of a few runs, every thread on its share of the batch. */
static double time_pointwise(spn_conv_kind kind, const spn_conv_shape *shape, const options *o) {
  enum { RUNS = 5 };
  spn_err err;
  spn_conv *conv;
  if (spn_conv_create(kind, shape, o->threads, &conv, &err)) exit(fail(&err));
  size_t src_bytes = sizeof(float) * (size_t)shape->w * (size_t)shape->ci,
         dst_bytes = sizeof(float) * (size_t)shape->w * (size_t)shape->co;
  char **memory = take(sizeof *memory * 4 * (size_t)o->threads);
  for (int t = 0; t < o->threads; t++) {
    size_t bytes[4] = {src_bytes, dst_bytes, sizeof(float) * spn_conv_packed(conv), spn_conv_scratch(conv)};
    for (int i = 0; i < 4; i++) memory[4 * t + i] = take(bytes[i]);
  }
  double best = 1e9;
  for (int run = 0; run < RUNS; run++) {
    double start = omp_get_wtime();
#pragma omp parallel num_threads(o->threads)
    {
      int t = omp_get_thread_num();
      char **m = memory + 4 * t;
      spn_conv_run(conv, t, (real *)m[0], (real *)m[2], (real *)m[1], m[3]);
    }
    double seconds = omp_get_wtime() - start;
    if (seconds < best) best = seconds;
  }
  for (int i = 0; i < 4 * o->threads; i++) free(memory[i]);
  free(memory);
  spn_conv_destroy(conv);
  return best;
}

static void pointwise(const spn_graph *g, const options *o) {
  double sum = 0;
  for (int i = 0; i < g->node_count; i++) {
    const spn_node *n = g->nodes[i];
    if (strcmp(n->op->name, "conv") || !strcmp(n->name, "stem.conv")) continue;
    const spn_value *x = n->in[0];
    spn_conv_shape shape = {.n = 1,
                            .h = 1,
                            .w = o->batch * x->h * x->w / o->threads,
                            .ci = x->c,
                            .co = n->out->c,
                            .k = 1,
                            .stride = 1,
                            .bf16 = o->bf16};
    double seconds[3];
    for (int kind = SPN_CONV_FORWARD; kind <= SPN_CONV_BACKWARD_WEIGHTS; kind++)
      sum += seconds[kind] = time_pointwise((spn_conv_kind)kind, &shape, o);
    double gflop = 2e-9 * shape.w * o->threads * shape.ci * shape.co;
    if (o->profile)
      printf("%-22s %4d -> %4d %8.2f ms %8.2f ms %8.2f ms  %6.0f %6.0f %6.0f GF/s\n", n->name, shape.ci, shape.co,
             seconds[0] * 1e3, seconds[2] * 1e3, seconds[1] * 1e3, gflop / seconds[0], gflop / seconds[2],
             gflop / seconds[1]);
  }
  printf("oneDNN 1x1 convolutions threads %d size %d batch %d: %.0f ms/step %.1f img/s\n", o->threads, o->size,
         o->batch, sum * 1e3, o->batch / sum);
}

/* ---- Steps ---- */

static void decide(spn_indicators *in, const options *o, const spn_choice *half, int step) {
  int warming = o->work == SCHEDULE && step % 8 < 5, exploring = o->work == SCHEDULE && !warming;
  spn_draw draw = {.keep_probability = warming ? 0.6 : 1, .explore = exploring ? 0.5 : 0, .average_decay = 0.98};
  if (o->work == HALF) spn_supernet_set(in->net, half);
  else spn_indicators_decide(in, 1, (uint64_t)step, &draw, NULL);
}

static double one_step(spn_indicators *in, spn_optimizer *optimizer, const options *o, const spn_choice *half,
                       const float *images, const int32_t *labels, int step) {
  double start = omp_get_wtime();
  spn_graph *g = in->net->graph;
  decide(in, o, half, step);
  spn_graph_forward(g, images, labels, o->batch, 1, NULL);
  spn_graph_backward(g, NULL);
  if (o->work != HALF) {
    spn_indicators_observe(in);
    spn_indicators_pull(in, 0.1 / in->expected_cost); /* of ln R */
  }
  spn_optimizer_step(optimizer, g, 1e-3);
  return omp_get_wtime() - start;
}

/* Median of the steps; of the schedule, whose steps differ, the mean. */
static double summary(const options *o, double *times) {
  double sum = 0;
  for (int i = 0; i < o->steps; i++) sum += times[i];
  qsort(times, (size_t)o->steps, sizeof *times, ascending);
  return o->work == SCHEDULE ? sum / o->steps : times[o->steps / 2];
}

static void time_steps(spn_indicators *in, spn_optimizer *optimizer, const options *o) {
  enum { UNCOUNTED = 2 };
  spn_supernet *net = in->net;
  const spn_space *space = &net->space;
  size_t n = (size_t)o->batch * (size_t)space->proxy_size * (size_t)space->proxy_size * 3;
  float *images = take(n * sizeof *images);
  int32_t *labels = take((size_t)o->batch * sizeof *labels);
  double *times = take((size_t)o->steps * sizeof *times);
  for (size_t i = 0; i < n; i++) images[i] = (float)(spn_rng_uniform(1, SPN_RNG_TEST, i) * 2 - 1);
  for (int i = 0; i < o->batch; i++) labels[i] = (int32_t)spn_rng_below(2, SPN_RNG_TEST, (uint64_t)i, 10);
  spn_choice half, whole;
  spn_choice_max(space, &whole);
  double share = 1, dense = spn_cost_of(in->cost, &whole);
  for (uint64_t i = 0; share > 0.52 || share < 0.48; i++) {
    spn_choice_random(space, 5, i, &half);
    share = spn_cost_of(in->cost, &half) / dense;
  }
  for (int i = -UNCOUNTED; i < o->steps; i++) {
    if (i == 0) net->graph->profile = o->profile;
    double seconds = one_step(in, optimizer, o, &half, images, labels, i + UNCOUNTED);
    if (i >= 0) times[i] = seconds;
  }
  double seconds = summary(o, times);
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  if (o->profile) print_profile(net->graph, o->steps);
  if (o->work == HALF) printf("%.0f %% of the dense step's multiply-adds\n", 100 * share);
  printf("spnas kernels %s threads %d size %d batch %d: %.0f ms/step %.1f img/s peak %.0f MB loss %.3f\n",
         net->graph->kernels->name, o->threads, o->size, o->batch, seconds * 1e3, o->batch / seconds,
         (double)use.ru_maxrss / 1024, net->graph->loss);
  free(images);
  free(labels);
  free(times);
}

int main(int argc, char **argv) {
  options o;
  spn_err err;
  spn_space space;
  spn_cost cost;
  spn_supernet *net;
  spn_indicators *in;
  spn_optimizer *optimizer;
  if (!read_options(argc, argv, &o))
    return fprintf(stderr, "bench_step: unknown or incomplete argument; see the top of bench/step.c\n"), 2;
  const spn_kernels *kernels = spn_kernels_get(o.isa);
  if (!kernels) return fprintf(stderr, "bench_step: this CPU has no kernels called %s\n", o.isa), 2;
  spn_backend_cap(o.isa);
  if (spn_space_load(o.space, &space, &err)) return fail(&err);
  if (o.width > 0) space.proxy_width = o.width;
  if (o.size == 224) { /* the deployment network itself */
    space.proxy_size = space.base.input_size;
    space.proxy_stem_stride = space.base.stem_stride;
    for (int l = 0; l < space.layers; l++) space.layer[l].proxy_stride = space.layer[l].stride;
  }
  if (spn_cost_load("macs", &space, &cost, &err)) return fail(&err);
  spn_settings s;
  spn_settings_default(&s);
  s.optim_batch = o.batch;
  s.optim_ema = 0;
  spn_network_options network = {.batch = o.batch,
                                 .threads = o.threads,
                                 .reproducible = o.reproducible,
                                 .kernels = kernels,
                                 .bf16 = o.bf16,
                                 .seed = 1};
  if (spn_supernet_create(&space, 10, 3, &network, &net, &err)) return fail(&err);
  if (spn_indicators_create(net, &cost, SPN_STATISTIC_RMS, 1, &in, &err)) return fail(&err);
  if (spn_optimizer_create(net->graph, &s, &optimizer, &err)) return fail(&err);
  if (o.work == POINTWISE) pointwise(net->graph, &o);
  else time_steps(in, optimizer, &o);
  spn_optimizer_free(optimizer);
  spn_indicators_free(in);
  spn_supernet_free(net);
  return 0;
}
