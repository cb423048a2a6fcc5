#define _GNU_SOURCE
#include "latency/measure.h"

#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "infer.h"

enum { WARM_UP = 2, LEAST_ROUNDS = 10, MOST_ROUNDS = 1000, MAX_HOSTS = 64 };

static double read_clock(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now(void) { return read_clock(CLOCK_MONOTONIC); }

/* ---- Building ---- */

/* A network and the number of the last value of each part. */
typedef struct {
  spn_infer *net;
  int parts, last[SPN_MAX_PARTS + 1], index[SPN_MAX_PARTS]; /* last[0] = 0: the input */
  spn_part part[SPN_MAX_PARTS];
} host;

typedef struct {
  const spn_arch *arch;
  spn_infer *net;
  float *numbers; /* weights: any will do that keep activations ordinary numbers */
  size_t room;
} builder;

static spn_infer_act act_of(spn_act act) {
  return act == SPN_ACT_RELU     ? SPN_INFER_RELU
         : act == SPN_ACT_RELU6  ? SPN_INFER_RELU6
         : act == SPN_ACT_HSWISH ? SPN_INFER_HSWISH
                                 : SPN_INFER_LINEAR;
}

/* Numbers of the size that trained weights have after folding: normal, variance 2 / inputs of an output. */
static spn_status fill(builder *b, size_t count, double inputs, spn_err *err) {
  double scale = sqrt(2 / inputs);
  if (count > b->room) {
    float *grown = realloc(b->numbers, sizeof *grown * count);
    if (!grown) return spn_fail(err, SPN_ENOMEM, "latency measure: out of memory");
    b->numbers = grown;
    b->room = count;
  }
  for (size_t i = 0; i < count; i++) b->numbers[i] = (float)(scale * spn_rng_normal(1, SPN_RNG_INIT, i));
  return SPN_OK;
}

typedef struct {
  int in_channels, size, out, kernel, stride, depthwise;
  spn_infer_act act;
} conv_plan;

static spn_status convolve(builder *b, int in, const conv_plan *c, int *value, spn_err *err) {
  spn_pad pad = spn_pad_axis(b->arch->padding, c->size, c->kernel, c->stride);
  size_t taps = (size_t)c->kernel * c->kernel * (c->depthwise ? 1 : (size_t)c->in_channels);
  SPN_TRY(fill(b, taps * (size_t)c->out + (size_t)c->out, (double)taps, err));
  spn_infer_conv conv = {.out = c->out,
                         .kernel = c->kernel,
                         .stride = c->stride,
                         .depthwise = c->depthwise,
                         .pad_top = pad.before,
                         .pad_left = pad.before,
                         .pad_bottom = pad.after,
                         .pad_right = pad.after,
                         .act = c->act,
                         .weight = b->numbers,
                         .bias = b->numbers + taps * (size_t)c->out};
  return spn_infer_convolve(b->net, in, &conv, value, err);
}

static spn_status add_se(builder *b, const spn_part *p, int expanded, int *value, spn_err *err) {
  const spn_block block = {.in = p->in, .se = p->se};
  int squeeze = spn_block_squeeze(&block), gate;
  SPN_TRY(spn_infer_pool(b->net, *value, &gate, err));
  SPN_TRY(convolve(b, gate, &(conv_plan){expanded, 1, squeeze, 1, 1, 0, SPN_INFER_RELU}, &gate, err));
  SPN_TRY(convolve(b, gate, &(conv_plan){squeeze, 1, expanded, 1, 1, 0, SPN_INFER_SIGMOID}, &gate, err));
  return spn_infer_multiply(b->net, *value, gate, value, err);
}

static spn_status add_block(builder *b, const spn_part *p, int *value, spn_err *err) {
  int in = *value, expanded = p->in * p->expand;
  spn_infer_act act = act_of(b->arch->activation);
  if (!p->expand) {
    SPN_TRY(convolve(b, *value, &(conv_plan){p->in, p->h, p->out, p->kernel, p->stride, 0, act}, value, err));
    return p->residual ? spn_infer_add(b->net, *value, in, value, err) : SPN_OK;
  }
  if (p->expand > 1) SPN_TRY(convolve(b, *value, &(conv_plan){p->in, p->h, expanded, 1, 1, 0, act}, value, err));
  SPN_TRY(convolve(b, *value, &(conv_plan){expanded, p->h, expanded, p->kernel, p->stride, 1, act}, value, err));
  if (p->se > 0) SPN_TRY(add_se(b, p, expanded, value, err));
  conv_plan project = {expanded, spn_part_out_size(p), p->out, 1, 1, 0, SPN_INFER_LINEAR};
  SPN_TRY(convolve(b, *value, &project, value, err));
  return p->residual ? spn_infer_add(b->net, *value, in, value, err) : SPN_OK;
}

static spn_status add_part(builder *b, const spn_part *p, int *value, spn_err *err) {
  spn_infer_act act = act_of(b->arch->activation);
  switch (p->kind) {
    case SPN_PART_STEM:
      return convolve(b, *value, &(conv_plan){p->in, p->h, p->out, p->kernel, p->stride, 0, act}, value, err);
    case SPN_PART_BLOCK: return add_block(b, p, value, err);
    case SPN_PART_HEAD: return convolve(b, *value, &(conv_plan){p->in, p->h, p->out, 1, 1, 0, act}, value, err);
    default:
      SPN_TRY(spn_infer_pool(b->net, *value, value, err));
      return convolve(b, *value, &(conv_plan){p->in, 1, p->out, 1, 1, 0, SPN_INFER_LINEAR}, value, err);
  }
}

static spn_status fill_input(builder *b, spn_err *err) {
  const spn_arch *a = b->arch;
  SPN_TRY(fill(b, (size_t)a->input_channels * (size_t)a->input_size * (size_t)a->input_size, 2, err));
  return spn_infer_set(b->net, b->numbers, err);
}

static spn_status build(const spn_arch *arch, host *out, spn_err *err) {
  builder b = {.arch = arch};
  int value = 0;
  memset(out, 0, sizeof *out);
  SPN_TRY(spn_infer_create(arch->input_channels, arch->input_size, arch->input_size, &out->net, err));
  b.net = out->net;
  out->parts = spn_parts_of(arch, out->part, out->index);
  spn_status status = fill_input(&b, err);
  for (int i = 0; !status && i < out->parts; i++) {
    status = add_part(&b, &out->part[i], &value, err);
    out->last[i + 1] = value;
  }
  free(b.numbers);
  return status;
}

/* ---- Timing ---- */

typedef struct {
  host *list;
  int count, rounds;
  clockid_t clock;
  double *ms; /* (MOST_ROUNDS, all parts of all hosts) */
  int parts;
  double *scratch; /* (MOST_ROUNDS) */
} bench;

/* One run; `apart`: each part's time, else the whole in the first place. */
static spn_status run_host(const host *h, clockid_t clock, int apart, double *ms, spn_err *err) {
  double start = read_clock(clock);
  if (!apart) {
    SPN_TRY(spn_infer_run(h->net, 0, h->last[h->parts], err));
    ms[0] = 1e3 * (read_clock(clock) - start);
    return SPN_OK;
  }
  for (int i = 0; i < h->parts; i++) {
    SPN_TRY(spn_infer_run(h->net, h->last[i], h->last[i + 1], err));
    double end = read_clock(clock);
    ms[i] = 1e3 * (end - start);
    start = end;
  }
  return SPN_OK;
}

/* Each round every network runs once; the first rounds warm up and do not count. */
static spn_status run_rounds(bench *b, int apart, double seconds, spn_err *err) {
  double begun = now();
  for (int round = -WARM_UP; round < MOST_ROUNDS; round++) {
    double *row = b->ms + (size_t)(round < 0 ? 0 : round) * (size_t)b->parts;
    if (round >= LEAST_ROUNDS && now() - begun > seconds) break;
    for (int i = 0; i < b->count; i++) {
      SPN_TRY(run_host(&b->list[i], b->clock, apart, row, err));
      row += apart ? b->list[i].parts : 1;
    }
    b->rounds = round + 1;
  }
  return SPN_OK;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Median (or fastest), and a standard deviation from the quartiles (1.349 of them in a normal's), which one slow run
 * does not move. */
static spn_measured summary(const bench *b, int part, int minimum) {
  for (int r = 0; r < b->rounds; r++) b->scratch[r] = b->ms[(size_t)r * (size_t)b->parts + (size_t)part];
  qsort(b->scratch, (size_t)b->rounds, sizeof *b->scratch, ascending);
  double median = (b->scratch[(b->rounds - 1) / 2] + b->scratch[b->rounds / 2]) / 2;
  double spread = (b->scratch[3 * (b->rounds - 1) / 4] - b->scratch[(b->rounds - 1) / 4]) / 1.349;
  return (spn_measured){minimum ? b->scratch[0] : median, spread, b->rounds};
}

/* What pin changed. */
typedef struct {
  cpu_set_t cores;
  int threads;
} unpinned;

/* On one core the thread stays where it is; oneDNN gets as many threads as were asked for. It plans for them when a
 * primitive is created, so this comes before networks are built. */
static void pin(int threads, unpinned *before) {
  cpu_set_t one;
  sched_getaffinity(0, sizeof before->cores, &before->cores);
  before->threads = omp_get_max_threads();
  omp_set_num_threads(threads);
  if (threads > 1) return;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
}

static void unpin(const unpinned *before) {
  sched_setaffinity(0, sizeof before->cores, &before->cores);
  omp_set_num_threads(before->threads);
}

static spn_status measure(bench *b, int apart, const spn_measure_options *options, spn_err *err) {
  for (int i = 0; i < b->count; i++) b->parts += apart ? b->list[i].parts : 1;
  b->ms = malloc(sizeof *b->ms * MOST_ROUNDS * (size_t)b->parts);
  b->scratch = malloc(sizeof *b->scratch * MOST_ROUNDS);
  if (!b->ms || !b->scratch) return spn_fail(err, SPN_ENOMEM, "latency measure: out of memory");
  /* One thread never waits for another, so the time it ran is the time it takes, whatever else the computer does. */
  b->clock = options->threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  return run_rounds(b, apart, options->seconds, err);
}

static void bench_free(bench *b) {
  for (int i = 0; i < b->count; i++) spn_infer_free(b->list[i].net);
  free(b->list);
  free(b->ms);
  free(b->scratch);
}

/* ---- Spaces ---- */

/* The network that takes option i of every layer's kernels x expansions x squeeze ratios, or its last. */
static int host_choice(const spn_space *space, int i, spn_choice *choice) {
  int most = 0;
  spn_choice_max(space, choice);
  for (int l = 0; l < space->layers; l++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    int count = spn_layer_choices(&space->layer[l], all);
    if (!all[count - 1].keep) count--;
    most = count > most ? count : most;
    choice->layer[l] = all[i < count ? i : count - 1];
  }
  return most;
}

/* Host after host: a part that was measured in an earlier one is averaged into it. */
static spn_status collect(const bench *b, int minimum, spn_table *out, spn_err *err) {
  int at = 0;
  for (int h = 0; h < b->count; h++)
    for (int i = 0; i < b->list[h].parts; i++, at++) {
      spn_measured m = summary(b, at, minimum);
      int layer = b->list[h].index[i];
      spn_table_entry e = {
          .part = b->list[h].part[i], .layer = layer, .cost = m.cost, .spread = m.spread, .count = m.count};
      spn_table_entry *old = (spn_table_entry *)spn_table_find(out, &e.part, layer);
      if (!old || old->layer != layer) {
        SPN_TRY(spn_table_add(out, &e, err));
        continue;
      }
      double share = (double)m.count / (double)(old->count + m.count);
      old->cost += share * (m.cost - old->cost);
      old->spread += share * (m.spread - old->spread);
      old->count += m.count;
    }
  return SPN_OK;
}

spn_status spn_measure_space(const spn_space *space, const spn_measure_options *options, spn_table *out, spn_err *err) {
  spn_choice choice;
  bench b = {.count = 0};
  unpinned before;
  spn_status status = SPN_OK;
  int hosts = host_choice(space, 0, &choice);
  *out = (spn_table){.name = "measured", .unit = "ms", .threads = options->threads};
  strcpy(out->source, "measured on this computer by spnas latency measure");
  if (hosts > MAX_HOSTS)
    return spn_fail(err, SPN_EINPUT, "space %s: expected at most %d options a layer", space->name, MAX_HOSTS);
  b.list = calloc((size_t)hosts, sizeof *b.list);
  if (!b.list) return spn_fail(err, SPN_ENOMEM, "latency measure: out of memory");
  pin(options->threads, &before);
  for (int i = 0; !status && i < hosts; i++) {
    spn_arch arch;
    host_choice(space, i, &choice);
    spn_space_arch(space, &choice, 0, &arch);
    status = build(&arch, &b.list[b.count++], err);
  }
  if (!status) status = measure(&b, 1, options, err);
  unpin(&before);
  if (!status) status = collect(&b, options->minimum, out, err);
  if (!status) spn_table_sort(out);
  else spn_table_free(out);
  bench_free(&b);
  return status;
}

spn_status spn_measure_networks(const spn_arch *arch, int count, const spn_measure_options *options, spn_measured *out,
                                spn_err *err) {
  unpinned before;
  bench b = {.list = calloc((size_t)count, sizeof *b.list)};
  spn_status status = b.list ? SPN_OK : spn_fail(err, SPN_ENOMEM, "latency measure: out of memory");
  pin(options->threads, &before);
  for (int i = 0; !status && i < count; i++) status = build(&arch[i], &b.list[b.count++], err);
  if (!status) status = measure(&b, 0, options, err);
  unpin(&before);
  for (int i = 0; !status && i < count; i++) out[i] = summary(&b, i, options->minimum);
  bench_free(&b);
  return status;
}
