/* Times a dense search step of the single-path supernet (forward, backward, indicators, update), the same work as
 * bench/torch_supernet.py: step [--size 32|224] [--width W] [--batch N] [--steps K] [--threads T] [--profile] [--reproducible] */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/rng.h"
#include "model/supernet.h"
#include "train/optimizer.h"

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static int fail(const spn_err *err) {
  fprintf(stderr, "%s\n", err->text);
  return 1;
}

static void print_profile(const spn_graph *g, int steps) {
  printf("%-22s %-10s %9s %9s\n", "node", "op", "forward", "backward");
  double total[2] = {0};
  for (int i = 0; i < g->node_count; i++) {
    const spn_node *n = g->nodes[i];
    printf("%-22s %-10s %6.2f ms %6.2f ms\n", n->name, n->op->name, n->seconds[0] / steps * 1e3, n->seconds[1] / steps * 1e3);
    total[0] += n->seconds[0] / steps * 1e3;
    total[1] += n->seconds[1] / steps * 1e3;
  }
  printf("%-22s %-10s %6.1f ms %6.1f ms\n", "sum", "", total[0], total[1]);
}

int main(int argc, char **argv) {
  int size = 32, batch = 128, steps = 8, threads = omp_get_num_procs(), profile = 0, reproducible = 0, drop_half = 0;
  double width = 0;
  const char *space_name = "singlepath";
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--profile")) profile = 1;
    else if (!strcmp(argv[i], "--reproducible")) reproducible = 1;
    else if (!strcmp(argv[i], "--half")) drop_half = 1;
    else if (i + 1 < argc && !strcmp(argv[i], "--size")) size = atoi(argv[++i]);
    else if (i + 1 < argc && !strcmp(argv[i], "--width")) width = atof(argv[++i]);
    else if (i + 1 < argc && !strcmp(argv[i], "--batch")) batch = atoi(argv[++i]);
    else if (i + 1 < argc && !strcmp(argv[i], "--steps")) steps = atoi(argv[++i]);
    else if (i + 1 < argc && !strcmp(argv[i], "--threads")) threads = atoi(argv[++i]);
    else if (i + 1 < argc && !strcmp(argv[i], "--space")) space_name = argv[++i];
    else return fprintf(stderr, "unknown argument %s\n", argv[i]), 2;
  }
  spn_backend_init();
  spn_err err;
  spn_space space;
  spn_cost cost;
  if (spn_space_load(space_name, &space, &err)) return fail(&err);
  if (width > 0) space.proxy_width = width;
  if (size == 224) { /* the deployment network itself */
    space.proxy_size = space.base.input_size;
    space.proxy_stem_stride = space.base.stem_stride;
    for (int l = 0; l < space.layers; l++) space.layer[l].proxy_stride = space.layer[l].stride;
  }
  if (spn_cost_load("macs", &space, &cost, &err)) return fail(&err);
  spn_settings s;
  spn_settings_default(&s);
  s.optim_batch = batch;
  s.optim_ema = 0;
  spn_network_options o = {.batch = batch, .threads = threads, .reproducible = reproducible,
                           .kernels = spn_kernels_get(NULL), .seed = 1};
  spn_supernet *net;
  spn_optimizer *opt;
  if (spn_supernet_create(&space, &cost, 10, 3, &o, SPN_STATISTIC_RMS, 1, &net, &err)) return fail(&err);
  if (spn_optimizer_create(net->graph, &s, &opt, &err)) return fail(&err);
  size_t n = (size_t)batch * space.proxy_size * space.proxy_size * 3;
  float *images = malloc(n * sizeof *images);
  int32_t *labels = malloc((size_t)batch * sizeof *labels);
  double *times = malloc((size_t)steps * sizeof *times);
  if (!images || !labels || !times) return 1;
  for (size_t i = 0; i < n; i++) images[i] = (float)(spn_rng_uniform(1, SPN_RNG_TEST, i) * 2 - 1);
  for (int i = 0; i < batch; i++) labels[i] = (int32_t)spn_rng_below(2, SPN_RNG_TEST, (uint64_t)i, 10);
  spn_choice half;
  spn_choice_random(&space, 5, 1, &half);
  for (int i = -2; i < steps; i++) {
    if (i == 0) net->graph->profile = profile;
    double t = omp_get_wtime();
    if (drop_half) spn_supernet_set(net, &half);
    else spn_supernet_decide(net, 1, (uint64_t)(i + 2), 1, 0, 0.98);
    spn_graph_forward(net->graph, images, labels, batch, 1);
    spn_graph_backward(net->graph);
    if (!drop_half) spn_supernet_indicator_grads(net, 0.1, SPN_COST_LOG, 1);
    spn_optimizer_step(opt, net->graph, 1e-3);
    if (i >= 0) times[i] = omp_get_wtime() - t;
  }
  qsort(times, (size_t)steps, sizeof *times, ascending);
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  double median = times[steps / 2];
  if (profile) print_profile(net->graph, steps);
  printf("spnas kernels %s threads %d size %d batch %d: %.0f ms/step %.1f img/s peak %.0f MB loss %.3f\n",
         net->graph->kernels->name, threads, size, batch, median * 1e3, batch / median, (double)use.ru_maxrss / 1024, net->graph->loss);
  spn_optimizer_free(opt);
  spn_supernet_free(net);
  free(images);
  free(labels);
  free(times);
  return 0;
}
