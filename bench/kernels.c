/* Speed of every kernel on the layers of the single-path supernet (24 40 80 96 192 channels expanded by 6, kernel 5),
 * as a share of what this core was measured to do: fused multiply-adds in registers, and reading from memory.
 *
 *   bench_kernels [--json] [--isa NAME] [--hot]
 *
 * --isa avx2 and --isa plain hold oneDNN to the same instructions.
 *
 * One thread. Depthwise and elementwise kernels stream through half a batch (--hot: one image, which stays in cache);
 * dense convolutions run on one tile, as in a step. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/json_write.h"
#include "kernels.h"

static const spn_kernels *kernels;
static int json, hot;
static spn_json_writer document; /* with --json */
static double peak_gflops, peak_gbytes;

/* Processor time: other programs may share the core. */
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *take(size_t bytes) {
  void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
  if (!p) {
    fprintf(stderr, "bench_kernels: out of memory (%zu bytes)\n", bytes);
    exit(1);
  }
  return p;
}

static float *take_floats(size_t n) {
  float *p = take(n * sizeof *p);
  for (size_t i = 0; i < n; i++) p[i] = (float)(i % 17) / 16 - 0.5f;
  return p;
}

/* Seconds a call takes: the best of several measurements of at least MEASURE seconds. */
#define MEASURE 0.04
static double seconds_of(void (*call)(void *), void *data) {
  call(data);
  double best = 1e9, once;
  int repeats = 1;
  for (;;) {
    double start = now();
    for (int i = 0; i < repeats; i++) call(data);
    once = (now() - start) / repeats;
    if (once * repeats >= MEASURE) break;
    repeats = once * repeats < MEASURE / 20 ? repeats * 10 : (int)(MEASURE * 1.1 / once) + 1;
  }
  for (int measurement = 0; measurement < 3; measurement++) {
    if (once < best) best = once;
    double start = now();
    for (int i = 0; i < repeats; i++) call(data);
    once = (now() - start) / repeats;
  }
  return once < best ? once : best;
}

/* flops or bytes 0: not the measure of this kernel. */
static void report(const char *kernel, const char *shape, const char *note, double seconds, double flops,
                   double bytes) {
  double rate = (flops ? flops : bytes) / seconds * 1e-9, share = rate / (flops ? peak_gflops : peak_gbytes);
  const char *unit = flops ? "GF/s" : "GB/s";
  if (json) {
    spn_json_object(&document, NULL, SPN_JSON_INLINE);
    spn_json_put_text(&document, "kernel", kernel);
    spn_json_put_text(&document, "shape", shape);
    spn_json_put_text(&document, "note", note);
    spn_json_put_rounded(&document, "us", seconds * 1e6, 6);
    spn_json_put_rounded(&document, "rate", rate, 5);
    spn_json_put_text(&document, "unit", unit);
    spn_json_put_rounded(&document, "share", share, 3);
    spn_json_end(&document);
  } else
    printf("%-22s %-28s %10.1f us %8.1f %s %6.1f %%  %s\n", kernel, shape, seconds * 1e6, rate, unit, 100 * share,
           note);
  fflush(stdout);
}

/* ---- The machine's own peaks ---- */

enum { FMA_CHAINS = 12, FMA_ROUNDS = 100000 };

/* A multiply and an add become one instruction: clang takes that from a pragma, gcc from the function's attributes. */
#if defined(__clang__)
#define FMA_TARGET(isa) __attribute__((target(isa)))
#define FMA_CONTRACT _Pragma("clang fp contract(fast)")
#else
#define FMA_TARGET(isa) __attribute__((target(isa), optimize("fp-contract=fast")))
#define FMA_CONTRACT
#endif

#define FMA_LOOP(NAME, LANES, TARGET)                                                        \
  typedef float NAME##_vector __attribute__((vector_size(4 * LANES)));                       \
  TARGET static void NAME(void *result) {                                                    \
    FMA_CONTRACT                                                                             \
    NAME##_vector acc[FMA_CHAINS], a = {0}, b = {0};                                         \
    for (int i = 0; i < LANES; i++) a[i] = 0.999f, b[i] = 1e-3f;                             \
    for (int j = 0; j < FMA_CHAINS; j++) acc[j] = a * (float)j;                              \
    for (int i = 0; i < FMA_ROUNDS; i++) {                                                   \
      _Pragma("GCC unroll 12") for (int j = 0; j < FMA_CHAINS; j++) acc[j] = acc[j] * a + b; \
    }                                                                                        \
    for (int j = 1; j < FMA_CHAINS; j++) acc[0] += acc[j];                                   \
    *(volatile float *)result = acc[0][0];                                                   \
  }
FMA_LOOP(fma_plain, 4, )
#if defined(__x86_64__)
FMA_LOOP(fma_avx2, 8, FMA_TARGET("avx2,fma"))
FMA_LOOP(fma_avx512, 16, FMA_TARGET("avx512f,fma"))
#endif

static double measure_fma(void) {
  float result;
  void (*loop)(void *) = fma_plain;
  int lanes = 4;
#if defined(__x86_64__)
  if (!strcmp(kernels->name, "avx2")) loop = fma_avx2, lanes = 8;
  if (!strcmp(kernels->name, "avx512")) loop = fma_avx512, lanes = 16;
#endif
  return 2.0 * FMA_CHAINS * FMA_ROUNDS * lanes / seconds_of(loop, &result) * 1e-9;
}

typedef struct {
  size_t n;
  float *a, *b;
  volatile double result;
} reading;

static void read_once(void *data) {
  reading *r = data;
  r->result = kernels->dot(r->n, r->a, r->b);
}

static double measure_read(void) {
  reading r = {.n = 16u << 20};
  r.a = take_floats(r.n);
  r.b = take_floats(r.n);
  double rate = 2.0 * sizeof(float) * (double)r.n / seconds_of(read_once, &r) * 1e-9;
  free(r.a);
  free(r.b);
  return rate;
}

/* ---- Depthwise ---- */

typedef struct {
  spn_dw_shape s;
  int images, y_streams, dz_streams;
  float *x, *w, *y, *dz_out, *dz_in, *dw, *lanes;
  double *sums;
  void *scratch;
  spn_view view;
  spn_norm_grad grad;
} depthwise;

static void run_dw_forward(void *data) {
  depthwise *d = data;
  d->s.streams = d->y_streams;
  kernels->dw_forward(&d->s, d->images, d->s.c, &d->view, d->x, d->w, d->y, d->sums, d->sums + d->s.c, d->scratch);
}

static void run_dw_weights(void *data) {
  depthwise *d = data;
  kernels->dw_backward(&d->s, d->images, d->s.c, &d->view, d->x, d->w, &d->grad, d->dz_out, d->y, 0, NULL, NULL, d->dw,
                       d->scratch);
}

/* As of a convolution without batch norm behind it, whose output need not be read again. */
static void run_dw_weights_plain(void *data) {
  depthwise *d = data;
  const spn_norm_grad none = {0};
  kernels->dw_backward(&d->s, d->images, d->s.c, &d->view, d->x, d->w, &none, d->dz_out, NULL, 0, NULL, NULL, d->dw,
                       d->scratch);
}

static void run_dw_data(void *data) {
  depthwise *d = data;
  d->s.streams = d->dz_streams;
  spn_view_sums sums = {d->sums, d->sums + d->s.c, NULL};
  kernels->dw_backward(&d->s, d->images, d->s.c, &d->view, d->x, d->w, &d->grad, d->dz_out, d->y, 0, d->dz_in, &sums,
                       NULL, d->scratch);
}

static void run_dw_both(void *data) {
  depthwise *d = data;
  d->s.streams = d->dz_streams;
  spn_view_sums sums = {d->sums, d->sums + d->s.c, NULL};
  kernels->dw_backward(&d->s, d->images, d->s.c, &d->view, d->x, d->w, &d->grad, d->dz_out, d->y, 0, d->dz_in, &sums,
                       d->dw, d->scratch);
}

static void bench_depthwise(int batch, int side, int c, int k, int stride) {
  spn_dw_shape s = {
      .h = side, .w = side, .c = c, .ld = c, .k = k, .stride = stride, .ho = side / stride, .wo = side / stride};
  s.pad_top = s.pad_left = ((s.ho - 1) * stride + k - side) / 2;
  depthwise d = {.s = s, .images = hot ? 1 : batch / 2};
  size_t in = (size_t)d.images * side * side * c, out = (size_t)d.images * s.ho * s.wo * c;
  d.y_streams = !hot && 2 * out * sizeof *d.y >= SPN_STREAM_BYTES,
  d.dz_streams = !hot && 2 * in * sizeof *d.x >= SPN_STREAM_BYTES;
  d.x = take_floats(in), d.dz_in = take_floats(in), d.y = take_floats(out), d.dz_out = take_floats(out);
  d.w = take_floats((size_t)k * k * c), d.dw = take_floats((size_t)k * k * c), d.lanes = take_floats(5 * (size_t)c);
  d.sums = take(2 * (size_t)c * sizeof *d.sums);
  memset(d.sums, 0, 2 * (size_t)c * sizeof *d.sums);
  d.scratch = take(kernels->dw_scratch(&s));
  d.view = (spn_view){.scale = d.lanes, .shift = d.lanes + c, .act = SPN_ACT_RELU};
  d.grad = (spn_norm_grad){d.lanes + 2 * c, d.lanes + 3 * c, d.lanes + 4 * c};
  char shape[64];
  snprintf(shape, sizeof shape, "%dx%dx%dx%d k%d s%d", d.images, side, side, c, k, stride);
  double flops = 2.0 * k * k * (double)out;
  report("dw_forward", shape, "", seconds_of(run_dw_forward, &d), flops, 0);
  report("dw_backward weights", shape, "", seconds_of(run_dw_weights, &d), flops, 0);
  report("dw_backward weights plain", shape, "", seconds_of(run_dw_weights_plain, &d), flops, 0);
  report("dw_backward data", shape, "", seconds_of(run_dw_data, &d), flops, 0);
  report("dw_backward both", shape, "", seconds_of(run_dw_both, &d), 2 * flops, 0);
  free(d.x), free(d.dz_in), free(d.y), free(d.dz_out), free(d.w), free(d.dw), free(d.lanes), free(d.sums);
  free(d.scratch);
}

/* ---- Elementwise ---- */

typedef struct {
  size_t pixels;
  int c;
  float *x, *da, *dz, *lanes;
  double *sums;
  spn_view view;
} elementwise;

static void run_view_load(void *data) {
  elementwise *e = data;
  kernels->view_load(e->pixels, e->c, &e->view, e->x, e->c, e->dz, e->c);
}

static void run_view_grad(void *data) {
  elementwise *e = data;
  spn_view_sums sums = {e->sums, e->sums + e->c, NULL};
  kernels->view_grad(e->pixels, e->c, &e->view, e->x, e->c, e->da, e->c, 0, e->dz, e->c, &sums);
}

static void run_norm_grad(void *data) {
  elementwise *e = data;
  spn_norm_grad grad = {e->lanes, e->lanes + e->c, e->lanes + 2 * e->c};
  kernels->norm_grad_load(e->pixels, e->c, &grad, e->da, e->c, e->x, e->c, e->dz, e->c);
}

static void run_stats(void *data) {
  elementwise *e = data;
  kernels->stats(e->pixels, e->c, e->x, e->c, e->sums, e->sums + e->c);
}

static void run_view_sum(void *data) {
  elementwise *e = data;
  kernels->view_sum(e->pixels, e->c, &e->view, e->x, e->c, e->sums);
}

static void run_join(void *data) {
  elementwise *e = data;
  kernels->join(e->pixels, e->c, &e->view, e->x, &e->view, e->da, 1, e->dz);
}

static void bench_elementwise(int batch, int side, int c) {
  elementwise e = {.pixels = (size_t)(hot ? 1 : batch / 2) * side * side, .c = c};
  size_t n = e.pixels * c;
  e.x = take_floats(n), e.da = take_floats(n), e.dz = take_floats(n), e.lanes = take_floats(3 * (size_t)c);
  e.sums = take(2 * (size_t)c * sizeof *e.sums);
  memset(e.sums, 0, 2 * (size_t)c * sizeof *e.sums);
  e.view = (spn_view){.scale = e.lanes, .shift = e.lanes + c, .act = SPN_ACT_RELU};
  char shape[64];
  snprintf(shape, sizeof shape, "%zux%d", e.pixels, c);
  double bytes = sizeof(float) * (double)n;
  report("view_load", shape, "", seconds_of(run_view_load, &e), 0, 2 * bytes);
  report("view_grad", shape, "", seconds_of(run_view_grad, &e), 0, 3 * bytes);
  report("norm_grad_load", shape, "", seconds_of(run_norm_grad, &e), 0, 3 * bytes);
  report("stats", shape, "", seconds_of(run_stats, &e), 0, bytes);
  report("view_sum", shape, "", seconds_of(run_view_sum, &e), 0, bytes);
  report("join", shape, "", seconds_of(run_join, &e), 0, 3 * bytes);
  free(e.x), free(e.da), free(e.dz), free(e.lanes), free(e.sums);
}

/* ---- Dense convolution ---- */

typedef struct {
  spn_conv *conv;
  float *src, *w, *dst;
  void *scratch;
} dense;

static void run_dense(void *data) {
  dense *d = data;
  spn_conv_run(d->conv, 0, d->src, d->w, d->dst, d->scratch);
}

static void bench_dense(const spn_conv_shape *s) {
  static const char *kinds[] = {"conv forward", "conv backward data", "conv backward weights"};
  int ho = (s->h + s->pad_top + s->pad_bottom - s->k) / s->stride + 1;
  int wo = (s->w + s->pad_left + s->pad_right - s->k) / s->stride + 1;
  double flops = 2.0 * s->n * ho * wo * s->ci * s->co * s->k * s->k;
  char shape[64];
  snprintf(shape, sizeof shape, "%dx%dx%dx%d->%d k%d s%d", s->n, s->h, s->w, s->ci, s->co, s->k, s->stride);
  for (spn_conv_kind kind = SPN_CONV_FORWARD; kind <= SPN_CONV_BACKWARD_WEIGHTS; kind++) {
    spn_err err;
    dense d;
    if (spn_conv_create(kind, s, 1, &d.conv, &err)) {
      fprintf(stderr, "bench_kernels: %s\n", err.text);
      exit(1);
    }
    d.src = take_floats((size_t)s->n * s->h * s->w * s->ci);
    d.dst = take_floats((size_t)s->n * ho * wo * s->co);
    d.w = take_floats(spn_conv_packed(d.conv));
    d.scratch = take(spn_conv_scratch(d.conv));
    report(kinds[kind], shape, spn_conv_impl(d.conv), seconds_of(run_dense, &d), flops, 0);
    free(d.src), free(d.dst), free(d.w), free(d.scratch);
    spn_conv_destroy(d.conv);
  }
}

/* A 1x1 convolution's tile: as many pixels as make both sides about 128 KiB. */
static void bench_pointwise(int ci, int co) {
  int pixels = 65536 / (ci + co) / 8 * 8;
  const spn_conv_shape s = {.n = 1, .h = 1, .w = pixels, .ci = ci, .co = co, .k = 1, .stride = 1};
  bench_dense(&s);
}

/* ---- Layers ---- */

typedef struct {
  int batch, side, c, k, stride;
} layer;

static const layer depthwise_layers[] = {
    {128, 32, 144, 5, 1}, {128, 32, 144, 5, 2}, {128, 16, 240, 5, 1}, {128, 16, 240, 5, 2}, {128, 8, 480, 5, 1},
    {128, 8, 576, 5, 2},  {128, 4, 1152, 5, 1}, {128, 32, 144, 3, 1}, {128, 8, 480, 3, 1},  {128, 32, 144, 7, 1},
    {32, 112, 96, 5, 2},  {32, 56, 144, 5, 1},  {32, 56, 144, 5, 2},  {32, 28, 240, 5, 1},  {32, 14, 480, 5, 1},
    {32, 14, 576, 5, 2},  {32, 7, 1152, 5, 1},
};
static const layer elementwise_layers[] = {
    {128, 32, 24, 0, 0}, {128, 32, 144, 0, 0}, {128, 8, 480, 0, 0}, {32, 56, 144, 0, 0}};
static const int channels[] = {24, 40, 80, 96, 192};

int main(int argc, char **argv) {
  const char *isa = NULL;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--json")) json = 1;
    else if (!strcmp(argv[i], "--hot")) hot = 1;
    else if (!strcmp(argv[i], "--isa") && i + 1 < argc) isa = argv[++i];
    else {
      fprintf(stderr, "usage: bench_kernels [--json] [--isa NAME] [--hot]\n");
      return 2;
    }
  }
  if (isa) spn_backend_cap(isa);
  spn_backend_init();
  kernels = spn_kernels_get(isa);
  if (!kernels) {
    fprintf(stderr, "bench_kernels: this CPU has no kernels called %s\n", isa);
    return 2;
  }
  peak_gflops = measure_fma();
  peak_gbytes = measure_read();
  if (json) {
    spn_json_object(&document, NULL, SPN_JSON_LINES);
    spn_json_put_text(&document, "cpu", spn_cpu_name());
    spn_json_put_text(&document, "backend", spn_backend_version());
    spn_json_put_text(&document, "kernels", kernels->name);
    spn_json_put_rounded(&document, "peak_gflops", peak_gflops, 4);
    spn_json_put_rounded(&document, "read_gbytes", peak_gbytes, 4);
    spn_json_array(&document, "results", SPN_JSON_LINES);
  } else
    printf("%s, %s, kernels %s; one core: %.1f GF/s, reads %.1f GB/s\n", spn_cpu_name(), spn_backend_version(),
           kernels->name, peak_gflops, peak_gbytes);
  for (size_t i = 0; i < sizeof depthwise_layers / sizeof *depthwise_layers; i++) {
    const layer *l = &depthwise_layers[i];
    bench_depthwise(l->batch, l->side, l->c, l->k, l->stride);
  }
  for (size_t i = 0; i < sizeof elementwise_layers / sizeof *elementwise_layers; i++)
    bench_elementwise(elementwise_layers[i].batch, elementwise_layers[i].side, elementwise_layers[i].c);
  const spn_conv_shape stem = {.n = 1,
                               .h = 32,
                               .w = 32,
                               .ci = 3,
                               .co = 32,
                               .k = 3,
                               .stride = 1,
                               .pad_top = 1,
                               .pad_left = 1,
                               .pad_bottom = 1,
                               .pad_right = 1};
  bench_dense(&stem);
  for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
    bench_pointwise(channels[i], 6 * channels[i]);
    bench_pointwise(6 * channels[i], channels[i]);
  }
  bench_pointwise(320, 1280);
  if (json) {
    const char *text;
    spn_err err;
    spn_json_end(&document);
    spn_json_end(&document);
    if (spn_json_finish(&document, "bench_kernels", &text, NULL, &err)) return fprintf(stderr, "%s\n", err.text), 1;
    puts(text);
  }
  return 0;
}
