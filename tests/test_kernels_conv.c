/* Dense convolution through the backend against the plain loops; the same bits from every thread. */
#include <omp.h>

#include "check.h"
#include "kernels.h"
#include "ref/ref.h"

enum { THREADS = 2 };

static unsigned long long state = 7;

static float *random_array(size_t n) {
  float *p = aligned_alloc(64, (n * sizeof *p + 127) / 64 * 64);
  for (size_t i = 0; i < n; i++) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    p[i] = (float)((int)(state >> 40) % 2001 - 1000) / 1000;
  }
  return p;
}

static void *scratch_of(const spn_conv *conv) { return aligned_alloc(64, (spn_conv_scratch(conv) + 127) / 64 * 64); }

typedef struct {
  size_t src, dst, w;
} sizes;

static sizes sizes_of(const spn_conv_shape *s) {
  int ho, wo;
  spn_ref_conv_out(s, &ho, &wo);
  return (sizes){(size_t)s->n * s->h * s->w * s->ci, (size_t)s->n * ho * wo * s->co,
                 (size_t)s->co * s->ci * s->k * s->k};
}

static void same(const char *what, const spn_conv *conv, const float *got, const float *want, size_t n) {
  double largest = 1;
  size_t bad = 0;
  for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
  for (size_t i = 0; i < n; i++) bad += !(fabs((double)got[i] - want[i]) <= 2e-5 * largest);
  CHECK(!bad, "%s (%s): %zu of %zu differ", what, spn_conv_impl(conv), bad, n);
}

/* One direction's run on thread slot `thread`, with its own copies of what is written. */
typedef struct {
  float *src, *w, *dst; /* w packed, except the weight gradient's result, which is kept packed too */
} operands;

static operands copy_operands(const spn_conv *conv, const sizes *n, const float *src, const float *packed,
                              const float *dst) {
  operands o = {random_array(n->src), random_array(spn_conv_packed(conv)), random_array(n->dst)};
  memcpy(o.src, src, n->src * sizeof *src);
  memcpy(o.w, packed, spn_conv_packed(conv) * sizeof *packed);
  memcpy(o.dst, dst, n->dst * sizeof *dst);
  return o;
}

static void free_operands(operands *o) { free(o->src), free(o->w), free(o->dst); }

static void check_threads(spn_conv *conv, const sizes *n, const float *src, const float *packed, const float *dst,
                          const operands *alone) {
  operands both[THREADS];
  void *scratch[THREADS];
  for (int t = 0; t < THREADS; t++) {
    both[t] = copy_operands(conv, n, src, packed, dst);
    scratch[t] = scratch_of(conv);
  }
#pragma omp parallel num_threads(THREADS)
  {
    int t = omp_get_thread_num();
    for (int repeat = 0; repeat < 3; repeat++) spn_conv_run(conv, t, both[t].src, both[t].w, both[t].dst, scratch[t]);
  }
  for (int t = 0; t < THREADS; t++) {
    int equal = !memcmp(both[t].src, alone->src, n->src * sizeof *src) &&
                !memcmp(both[t].w, alone->w, spn_conv_packed(conv) * sizeof *packed) &&
                !memcmp(both[t].dst, alone->dst, n->dst * sizeof *dst);
    CHECK(equal, "%s: thread %d of two and one thread alone disagree", spn_conv_impl(conv), t);
    free_operands(&both[t]);
    free(scratch[t]);
  }
}

/* Rounds to bfloat16, ties to even. */
static void round_all(float *p, size_t n) {
  for (size_t i = 0; i < n; i++) {
    unsigned bits;
    memcpy(&bits, &p[i], sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&p[i], &bits, sizeof bits);
  }
}

static void test_direction(spn_conv_kind kind, const spn_conv_shape *s) {
  spn_err err = {0};
  spn_conv *conv;
  spn_status status = spn_conv_create(kind, s, THREADS, &conv, &err);
  CHECK(status == SPN_OK, "%s", err.text);
  if (status) return;
  sizes n = sizes_of(s);
  float *src = random_array(n.src), *w = random_array(n.w), *dst = random_array(n.dst);
  size_t packed_size = spn_conv_packed(conv);
  float *packed = random_array(packed_size);
  void *scratch = scratch_of(conv);
  CHECK((s->bf16 && kind != SPN_CONV_BACKWARD_WEIGHTS ? 2 : 1) * packed_size >= n.w,
        "%zu packed elements hold %zu weights", packed_size, n.w);
  if (kind != SPN_CONV_BACKWARD_WEIGHTS) spn_conv_pack(conv, w, packed);
  else memset(packed, 0, packed_size * sizeof *packed);
  operands run = copy_operands(conv, &n, src, packed, dst);
  spn_conv_run(conv, THREADS - 1, run.src, run.w, run.dst, scratch);
  check_threads(conv, &n, src, packed, dst, &run);
  if (s->bf16) { /* what the plain loops are to read */
    if (kind != SPN_CONV_BACKWARD_DATA) round_all(src, n.src);
    if (kind != SPN_CONV_FORWARD) round_all(dst, n.dst);
    if (kind != SPN_CONV_BACKWARD_WEIGHTS) round_all(w, n.w);
  }
  if (kind == SPN_CONV_BACKWARD_WEIGHTS) {
    float *got = random_array(n.w);
    spn_conv_unpack(conv, run.w, got);
    spn_ref_conv(kind, s, src, w, dst);
    same("backward weights", conv, got, w, n.w);
    free(got);
  } else {
    spn_ref_conv(kind, s, src, w, dst);
    same(kind == SPN_CONV_FORWARD ? "forward" : "backward data", conv, kind == SPN_CONV_FORWARD ? run.dst : run.src,
         kind == SPN_CONV_FORWARD ? dst : src, kind == SPN_CONV_FORWARD ? n.dst : n.src);
  }
  free(src), free(w), free(dst), free(packed), free(scratch);
  free_operands(&run);
  spn_conv_destroy(conv);
}

/* n, h, w, ci, co, k, stride, pads top, left, bottom, right, bf16. */
static const spn_conv_shape shapes[] = {
    {1, 1, 100, 24, 144, 1, 1, 0, 0, 0, 0, 0}, {1, 1, 97, 144, 24, 1, 1, 0, 0, 0, 0, 0},
    {1, 1, 1, 40, 10, 1, 1, 0, 0, 0, 0, 0},    {1, 1, 64, 320, 1280, 1, 1, 0, 0, 0, 0, 0},
    {1, 1, 7, 17, 5, 1, 1, 0, 0, 0, 0, 0},     {128, 1, 1, 320, 10, 1, 1, 0, 0, 0, 0, 0},
    {2, 16, 16, 3, 32, 3, 2, 0, 0, 1, 1, 0},   {2, 32, 32, 3, 32, 3, 1, 1, 1, 1, 1, 0},
    {1, 15, 17, 3, 24, 3, 2, 1, 1, 1, 1, 0},   {2, 9, 9, 8, 16, 5, 1, 2, 2, 2, 2, 0},
    {1, 10, 10, 16, 16, 5, 2, 1, 1, 2, 2, 0},  {1, 12, 12, 16, 8, 7, 1, 3, 3, 3, 3, 0},
    {1, 6, 6, 16, 16, 3, 2, 0, 0, 0, 0, 0},    {1, 8, 8, 16, 33, 1, 2, 0, 0, 0, 0, 0},
    {3, 4, 4, 1, 1, 3, 1, 1, 1, 1, 1, 0},
};

int main(void) {
  spn_backend_init();
  printf("%s on %s\n", spn_backend_version(), spn_cpu_name());
  CHECK(strstr(spn_backend_version(), "oneDNN") != NULL, "version: %s", spn_backend_version());
  CHECK(spn_cpu_name()[0], "the CPU has a name");
  int threads = omp_get_max_threads();
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (spn_conv_kind kind = SPN_CONV_FORWARD; kind <= SPN_CONV_BACKWARD_WEIGHTS; kind++) {
      spn_conv_shape narrow = shapes[i];
      narrow.bf16 = 1;
      test_direction(kind, &shapes[i]);
      if (spn_conv_has_bf16()) test_direction(kind, &narrow);
    }
  if (!spn_conv_has_bf16()) printf("bf16 is not tested: this CPU has no multiply for it\n");
  if (spn_conv_prefers_bf16()) CHECK(spn_conv_has_bf16(), "prefers what it has not");
  CHECK(omp_get_max_threads() == threads, "the caller's thread count is restored");
  spn_conv *conv;
  spn_err err = {0};
  const spn_conv_shape impossible = {1, 2, 2, 8, 8, 7, 1, 0, 0, 0, 0, 0};
  CHECK(spn_conv_create(SPN_CONV_FORWARD, &impossible, 1, &conv, &err) == SPN_EBACKEND && !conv, "no output pixel");
  CHECK(strstr(err.text, "kernel 7") != NULL, "the error names the convolution: %s", err.text);
  spn_conv_destroy(NULL);
  return check_report("dense convolution");
}
