/* Times training steps of one network (forward, backward, RMSProp update), as `spnas train` takes them.
 *
 *   bench_train --arch NAME|FILE [--size S] [--batch N] [--steps K] [--threads T] [--isa NAME] [--bf16] [--profile]
 *   bench_train --arch NAME|FILE [--size S] --print
 *
 * --print gives the network as JSON instead, for bench/torch_network.py, which trains the same one. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/rng.h"
#include "model/network.h"
#include "profile.h"
#include "train/optimizer.h"

enum { CLASSES = 10, UNCOUNTED = 2 };

typedef struct {
  const char *arch, *isa;
  int size, batch, steps, threads, bf16, print, profile;
} options;

static int read_options(int argc, char **argv, options *o) {
  *o = (options){.isa = "auto", .batch = 128, .steps = 8, .threads = omp_get_num_procs()};
  for (int i = 1; i < argc; i++) {
    const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (!strcmp(name, "--bf16")) o->bf16 = 1;
    else if (!strcmp(name, "--print")) o->print = 1;
    else if (!strcmp(name, "--profile")) o->profile = 1;
    else if (!value) return 0;
    else if (!strcmp(name, "--arch")) o->arch = value, i++;
    else if (!strcmp(name, "--isa")) o->isa = value, i++;
    else if (!strcmp(name, "--size")) o->size = atoi(value), i++;
    else if (!strcmp(name, "--batch")) o->batch = atoi(value), i++;
    else if (!strcmp(name, "--steps")) o->steps = atoi(value), i++;
    else if (!strcmp(name, "--threads")) o->threads = atoi(value), i++;
    else return 0;
  }
  return o->arch && o->size >= 0 && o->batch > 0 && o->steps > 0 && o->threads > 0;
}

static int fail(const spn_err *err) {
  fprintf(stderr, "bench_train: %s\n", err->text);
  return 1;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static spn_status one_step(spn_graph *g, spn_optimizer *optimizer, const float *images, const int32_t *labels,
                           double *seconds, spn_err *err) {
  double start = omp_get_wtime();
  SPN_TRY(spn_graph_forward(g, images, labels, g->batch, 1, err));
  SPN_TRY(spn_graph_backward(g, err));
  spn_optimizer_step(optimizer, g, 1e-3);
  *seconds = omp_get_wtime() - start;
  return SPN_OK;
}

/* Median of the steps. */
static spn_status time_steps(spn_graph *g, spn_optimizer *optimizer, const spn_arch *arch, const options *o,
                             spn_err *err) {
  size_t n = (size_t)o->batch * (size_t)arch->input_size * (size_t)arch->input_size * (size_t)arch->input_channels;
  float *images = malloc(n * sizeof *images);
  int32_t *labels = malloc((size_t)o->batch * sizeof *labels);
  double *times = malloc((size_t)o->steps * sizeof *times), first;
  spn_status status = images && labels && times ? SPN_OK : spn_fail(err, SPN_ENOMEM, "out of memory");
  for (size_t i = 0; !status && i < n; i++) images[i] = (float)(spn_rng_uniform(1, SPN_RNG_TEST, i) * 2 - 1);
  for (int i = 0; !status && i < o->batch; i++)
    labels[i] = (int32_t)spn_rng_below(2, SPN_RNG_TEST, (uint64_t)i, CLASSES);
  for (int i = -UNCOUNTED; !status && i < o->steps; i++) {
    if (i == 0) g->profile = o->profile;
    status = one_step(g, optimizer, images, labels, i < 0 ? &first : &times[i], err);
  }
  if (!status) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    qsort(times, (size_t)o->steps, sizeof *times, ascending);
    double median = times[o->steps / 2];
    printf("spnas kernels %s threads %d size %d batch %d: %.0f ms/step %.1f img/s peak %.0f MB, %.1f M MACs\n",
           g->kernels->name, o->threads, arch->input_size, o->batch, median * 1e3, o->batch / median,
           (double)use.ru_maxrss / 1024, (double)spn_arch_counts(arch).macs * 1e-6);
    if (o->profile) print_profile(g, o->steps);
  }
  free(images);
  free(labels);
  free(times);
  return status;
}

static spn_status bench(const spn_arch *arch, const options *o, spn_err *err) {
  spn_graph *g;
  spn_optimizer *optimizer;
  spn_settings s;
  spn_network_options network = {.batch = o->batch,
                                 .threads = o->threads,
                                 .kernels = spn_kernels_get(o->isa),
                                 .bf16 = o->bf16,
                                 .seed = 1,
                                 .smoothing = 0.1};
  if (!network.kernels) return spn_fail(err, SPN_EINPUT, "this CPU has no kernels called %s", o->isa);
  spn_backend_cap(o->isa);
  spn_settings_default(&s);
  s.optim_batch = o->batch;
  s.optim_ema = 0;
  SPN_TRY(spn_network_create(arch, &network, 0, &g, err));
  spn_status status = spn_optimizer_create(g, &s, &optimizer, err);
  if (!status) status = time_steps(g, optimizer, arch, o, err);
  if (!status) spn_optimizer_free(optimizer);
  spn_graph_free(g);
  return status;
}

int main(int argc, char **argv) {
  options o;
  spn_err err;
  spn_arch arch;
  if (!read_options(argc, argv, &o))
    return fprintf(stderr, "bench_train: unknown or incomplete argument; see the top of bench/train.c\n"), 2;
  if (spn_arch_load(o.arch, &arch, &err)) return fail(&err);
  arch.classes = CLASSES;
  if (o.size) arch.input_size = o.size;
  if (o.print) {
    char *text = spn_arch_to_json(&arch);
    if (text) puts(text);
    free(text);
    return !text;
  }
  return bench(&arch, &o, &err) ? fail(&err) : 0;
}
