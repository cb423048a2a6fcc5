/* Every kernel table against the plain loops, on the same inputs, into guarded buffers. Inputs are small binary
 * fractions, so that z = scale*x + shift is exact and lands on the corners of the activations. */
#include "check.h"
#include "kernels.h"

/* AddressSanitizer guards better than NaN does: it sees reads too. */
#ifdef __SANITIZE_ADDRESS__
enum { GUARD = 0 };
#else
enum { GUARD = 64 };
#endif

/* ---- Random guarded arrays ---- */

static unsigned long long state = 1;

static unsigned next_bits(void) {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return (unsigned)(state >> 33);
}

static int pick(int n) { return (int)(next_bits() % (unsigned)n); }
static float fraction(void) { return (float)(pick(65) - 32) / 8; } /* -4 .. 4 */

/* n floats between two guards of NaN, every element NaN. */
static float *guarded(size_t n) {
  float *p = GUARD ? aligned_alloc(64, ((n + 2 * GUARD) * sizeof *p + 63) / 64 * 64) : malloc(n * sizeof *p + 1);
  for (size_t i = 0; i < n + 2 * GUARD; i++) p[i] = NAN;
  return p + GUARD;
}

static void release(float *p) { free(p - GUARD); }

/* rows x ld, of which the first c columns get fractions and the others stay NaN. */
static float *random_rows(size_t rows, int c, size_t ld) {
  float *p = guarded(rows * ld);
  for (size_t r = 0; r < rows; r++)
    for (int i = 0; i < c; i++) p[r * ld + i] = fraction();
  return p;
}

/* What lies behind the first c columns may have been written; forget it. */
static void lose(float *p, size_t rows, int c, size_t ld) {
  for (size_t r = 0; r < rows; r++)
    for (size_t i = (size_t)c; i < ld; i++) p[r * ld + i] = NAN;
}

static float *copy_of(const float *from, size_t n) {
  float *p = guarded(n);
  memcpy(p, from, n * sizeof *p);
  return p;
}

/* NaN where the other is NaN (untouched), else near, relative to the largest value; the guards are NaN. */
static void same(const char *what, const char *table, const float *got, const float *want, size_t n, double tolerance) {
  double largest = 1;
  size_t bad = 0, first = 0;
  for (size_t i = 0; i < n; i++)
    if (!isnan(want[i])) largest = fmax(largest, fabs(want[i]));
  for (size_t i = 0; i < n; i++) {
    int ok = isnan(want[i]) ? isnan(got[i]) : fabs((double)got[i] - want[i]) <= tolerance * largest;
    if (!ok && !bad++) first = i;
  }
  CHECK(!bad, "%s %s: %zu of %zu differ, first at %zu: %g, expected %g", table, what, bad, n, first, got[first],
        want[first]);
  int guards = 1;
  for (int i = 1; i <= GUARD; i++) guards = guards && isnan(got[-i]) && isnan(got[n + i - 1]);
  CHECK(guards, "%s %s: written outside", table, what);
}

/* Kernels add up short runs in float: of terms about 10 in size that is off by some 1e-6, also where they cancel. */
static void same_sums(const char *what, const char *table, const double *got, const double *want, int n) {
  double largest = 1;
  int bad = 0;
  for (int i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
  for (int i = 0; i < n; i++) bad += !(fabs(got[i] - want[i]) <= 5e-6 * largest);
  CHECK(!bad, "%s %s: %d of %d sums differ", table, what, bad, n);
}

/* ---- Views ---- */

typedef struct {
  spn_view view;
  float *scale, *shift, *gate;
} random_view;

static random_view make_view(int images, int c, int act, int normalised, int gated) {
  static const float scales[] = {-1, -0.5f, 0.5f, 1, 2};
  random_view v = {.scale = random_rows(1, c, c), .shift = random_rows(1, c, c), .gate = random_rows(images, c, c)};
  for (int i = 0; i < c; i++) v.scale[i] = scales[pick(5)];
  v.view.act = act;
  if (normalised) v.view.scale = v.scale, v.view.shift = v.shift;
  if (gated) v.view.gate = v.gate, v.view.gate_ld = c;
  return v;
}

static void free_view(random_view *v) {
  release(v->scale);
  release(v->shift);
  release(v->gate);
}

/* ---- Elementwise ---- */

typedef struct {
  size_t pixels;
  int c;
  size_t ld;
} run_shape;

static const run_shape runs[] = {{1, 1, 1},   {3, 8, 8},      {300, 8, 11},  {5, 17, 17}, {129, 24, 24},  {128, 40, 48},
                                 {7, 64, 64}, {33, 100, 101}, {9, 145, 145}, {0, 8, 8},   {130, 144, 144}};

/* Calls check for every run and form of view. */
static void for_views(const spn_kernels *k, void (*check)(const spn_kernels *, const run_shape *, const spn_view *)) {
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
    for (int act = SPN_ACT_NONE; act <= SPN_ACT_HSWISH; act++)
      for (int form = 0; form < 4; form++) {
        random_view v = make_view(1, runs[i].c, act, form & 1, form & 2);
        check(k, &runs[i], &v.view);
        free_view(&v);
      }
}

static void check_view_load(const spn_kernels *k, const run_shape *r, const spn_view *view) {
  const spn_kernels *ref = spn_kernels_ref();
  float *x = random_rows(r->pixels, r->c, r->ld), *got = guarded(r->pixels * (r->ld + 3));
  float *want = copy_of(got, r->pixels * (r->ld + 3)), *place = copy_of(x, r->pixels * r->ld);
  k->view_load(r->pixels, r->c, view, x, r->ld, got, r->ld + 3);
  ref->view_load(r->pixels, r->c, view, x, r->ld, want, r->ld + 3);
  same("view_load", k->name, got, want, r->pixels * (r->ld + 3), 1e-6);
  k->view_load(r->pixels, r->c, view, place, r->ld, place, r->ld);
  ref->view_load(r->pixels, r->c, view, x, r->ld, x, r->ld);
  same("view_load in place", k->name, place, x, r->pixels * r->ld, 1e-6);
  release(x), release(got), release(want), release(place);
}

static void test_view_load(const spn_kernels *k) { for_views(k, check_view_load); }

static void check_view_grad(const spn_kernels *k, const run_shape *r, const spn_view *view, spn_grad_put put,
                            int sums) {
  const spn_kernels *ref = spn_kernels_ref();
  size_t n = r->pixels * r->ld;
  float *x = random_rows(r->pixels, r->c, r->ld), *da = random_rows(r->pixels, r->c, r->ld + 1);
  float *got = put == SPN_GRAD_ADD ? random_rows(r->pixels, r->c, r->ld) : guarded(n), *want = copy_of(got, n);
  float *gate_got = random_rows(1, r->c, r->c), *gate_want = copy_of(gate_got, r->c);
  double got_sums[2][160] = {{1}}, want_sums[2][160] = {{1}};
  spn_view_sums to_got = {0}, to_want = {0};
  if (sums > 0) to_got.sum_dz = got_sums[0], to_want.sum_dz = want_sums[0];
  if (sums > 1) to_got.sum_dzx = got_sums[1], to_want.sum_dzx = want_sums[1];
  if (sums > 2) to_got.dgate = gate_got, to_want.dgate = gate_want;
  k->view_grad(r->pixels, r->c, view, x, r->ld, da, r->ld + 1, put, got, r->ld, &to_got);
  ref->view_grad(r->pixels, r->c, view, x, r->ld, da, r->ld + 1, put, want, r->ld, &to_want);
  same("view_grad", k->name, got, want, n, 1e-6);
  same("view_grad dgate", k->name, gate_got, gate_want, r->c, 1e-5);
  same_sums("view_grad sum_dz", k->name, got_sums[0], want_sums[0], r->c);
  same_sums("view_grad sum_dzx", k->name, got_sums[1], want_sums[1], r->c);
  release(x), release(da), release(got), release(want), release(gate_got), release(gate_want);
}

static void check_view_grads(const spn_kernels *k, const run_shape *r, const spn_view *view) {
  for (int sums = 0; sums < 4; sums++) check_view_grad(k, r, view, (spn_grad_put)pick(3), sums);
}

static void test_view_grad(const spn_kernels *k) { for_views(k, check_view_grads); }

static void check_norm_grad_load(const spn_kernels *k, const run_shape *r, const spn_view *view) {
  const spn_kernels *ref = spn_kernels_ref();
  int normalised = view->scale != NULL;
  size_t n = r->pixels * (r->ld + 1);
  float *dz = random_rows(r->pixels, r->c, r->ld), *x = random_rows(r->pixels, r->c, r->ld + 2);
  float *coefficients = random_rows(3, r->c, r->c), *got = guarded(n), *want = guarded(n);
  spn_norm_grad grad = {0};
  if (normalised) grad = (spn_norm_grad){coefficients, coefficients + r->c, coefficients + 2 * r->c};
  const float *raw = normalised ? x : NULL;
  k->norm_grad_load(r->pixels, r->c, &grad, dz, r->ld, raw, r->ld + 2, got, r->ld + 1);
  ref->norm_grad_load(r->pixels, r->c, &grad, dz, r->ld, raw, r->ld + 2, want, r->ld + 1);
  same("norm_grad_load", k->name, got, want, n, 1e-6);
  release(dz), release(x), release(coefficients), release(got), release(want);
}

static void test_norm_grad_load(const spn_kernels *k) { for_views(k, check_norm_grad_load); }

static void check_stats(const spn_kernels *k, const run_shape *r, const spn_view *view) {
  float *x = random_rows(r->pixels, r->c, r->ld);
  double got[2][160] = {{2}}, want[2][160] = {{2}};
  k->stats(r->pixels, r->c, x, r->ld, got[0], got[1]);
  spn_kernels_ref()->stats(r->pixels, r->c, x, r->ld, want[0], want[1]);
  same_sums("stats sum", k->name, got[0], want[0], 160);
  same_sums("stats sq", k->name, got[1], want[1], 160);
  release(x);
}

static void test_stats(const spn_kernels *k) { for_views(k, check_stats); }

static void check_view_sum(const spn_kernels *k, const run_shape *r, const spn_view *view) {
  float *x = random_rows(r->pixels, r->c, r->ld);
  double got[160] = {2}, want[160] = {2};
  k->view_sum(r->pixels, r->c, view, x, r->ld, got);
  spn_kernels_ref()->view_sum(r->pixels, r->c, view, x, r->ld, want);
  same_sums("view_sum", k->name, got, want, 160);
  release(x);
}

static void test_view_sum(const spn_kernels *k) { for_views(k, check_view_sum); }

static void check_join(const spn_kernels *k, const run_shape *r, const spn_view *view) {
  const spn_kernels *ref = spn_kernels_ref();
  random_view va = make_view(1, r->c, view->act, 1, 0), vb = make_view(1, r->c, pick(4), view->scale != NULL, 0);
  size_t n = r->pixels * r->c;
  float *a = random_rows(r->pixels, r->c, r->c), *b = random_rows(r->pixels, r->c, r->c);
  float *got = guarded(n), *want = guarded(n);
  k->join(r->pixels, r->c, &va.view, a, &vb.view, b, 0.75f, got);
  ref->join(r->pixels, r->c, &va.view, a, &vb.view, b, 0.75f, want);
  same("join", k->name, got, want, n, 1e-6);
  release(a), release(b), release(got), release(want);
  free_view(&va), free_view(&vb);
}

static void test_join(const spn_kernels *k) { for_views(k, check_join); }

static void test_stream(const spn_kernels *k) {
  static const struct {
    int pixels, c, ldx, ldy;
  } shapes[] = {{1, 1, 1, 1},    {7, 17, 17, 17}, {33, 24, 24, 24}, {9, 24, 24, 32},
                {9, 72, 80, 80}, {5, 20, 21, 20}, {4, 64, 64, 65}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (int offset = 0; offset < 2; offset++) {
      size_t pixels = (size_t)shapes[i].pixels, ldx = (size_t)shapes[i].ldx, ldy = (size_t)shapes[i].ldy;
      float *x = random_rows(pixels, shapes[i].c, ldx), *got = guarded(pixels * ldy + 1),
            *want = guarded(pixels * ldy + 1);
      k->stream(pixels, shapes[i].c, x, ldx, got + offset, ldy);
      spn_kernels_ref()->stream(pixels, shapes[i].c, x, ldx, want + offset, ldy);
      lose(got + offset, pixels, shapes[i].c, ldy);
      same("stream", k->name, got, want, pixels * ldy + 1, 0);
      release(x), release(got), release(want);
    }
}

enum { LONGEST = 3000 };

static void test_axpy(const spn_kernels *k) {
  for (size_t n = 0; n < LONGEST; n = n * 2 + 1) {
    float *x = random_rows(1, (int)n, n), *got = random_rows(1, (int)n, n), *want = copy_of(got, n);
    k->axpy(n, -0.7f, x, got);
    spn_kernels_ref()->axpy(n, -0.7f, x, want);
    same("axpy", k->name, got, want, n, 1e-6);
    release(x), release(got), release(want);
  }
}

static void test_add(const spn_kernels *k) {
  for (size_t n = 0; n < LONGEST; n = n * 2 + 1) {
    float *x = random_rows(1, (int)n, n), *got = random_rows(1, (int)n, n), *want = copy_of(got, n);
    k->add(n, x, got);
    spn_kernels_ref()->add(n, x, want);
    same("add", k->name, got, want, n, 0);
    release(x), release(got), release(want);
  }
}

static void test_dot(const spn_kernels *k) {
  for (size_t n = 0; n < LONGEST; n = n * 2 + 1) {
    float *a = random_rows(1, (int)n, n), *b = random_rows(1, (int)n, n);
    CHECK_NEAR(k->dot(n, a, b), spn_kernels_ref()->dot(n, a, b), 1e-6, "%s dot of %zu", k->name, n);
    release(a), release(b);
  }
}

/* ---- Depthwise ---- */

typedef struct {
  int images, h, w, c, c_used;
  int padding; /* elements behind the channels of a pixel */
} plane_shape;

static const plane_shape planes[] = {
    {1, 1, 1, 1, 1, 0},    {3, 2, 2, 8, 8, 0},   {2, 7, 7, 17, 17, 0}, {5, 4, 4, 40, 33, 0},  {2, 8, 8, 24, 24, 0},
    {1, 33, 5, 24, 20, 0}, {1, 5, 33, 8, 8, 0},  {9, 3, 2, 65, 64, 0}, {2, 16, 16, 16, 9, 0}, {1, 9, 70, 17, 17, 0},
    {1, 6, 140, 8, 8, 0},  {2, 7, 5, 24, 24, 8}, {3, 4, 6, 40, 20, 8}, {2, 5, 5, 17, 17, 3}};

typedef enum { PAD_SAME, PAD_SYMMETRIC, PAD_NONE } padding;

static spn_dw_shape dw_shape(const plane_shape *p, int k, int stride, padding pad) {
  spn_dw_shape s = {
      .h = p->h, .w = p->w, .c = p->c, .ld = p->c + p->padding, .k = k, .stride = stride, .streams = pick(2)};
  if (pad == PAD_SAME) { /* the odd zero goes after */
    s.ho = (p->h + stride - 1) / stride;
    s.wo = (p->w + stride - 1) / stride;
    int rows = (s.ho - 1) * stride + k - p->h, cols = (s.wo - 1) * stride + k - p->w;
    s.pad_top = rows > 0 ? rows / 2 : 0;
    s.pad_left = cols > 0 ? cols / 2 : 0;
    return s;
  }
  s.pad_top = s.pad_left = pad == PAD_SYMMETRIC ? k / 2 : 0;
  s.ho = (p->h + 2 * s.pad_top - k) / stride + 1;
  s.wo = (p->w + 2 * s.pad_left - k) / stride + 1;
  return s;
}

/* Scratch of exactly the promised size, full of NaN. */
static float *dw_scratch(const spn_kernels *k, const spn_dw_shape *s) { return guarded(k->dw_scratch(s) / 4); }

static void check_scratch(const spn_kernels *k, const spn_dw_shape *s, float *scratch) {
  size_t n = k->dw_scratch(s) / 4;
  int guards = 1;
  for (int i = 1; i <= GUARD; i++) guards = guards && isnan(scratch[-i]) && isnan(scratch[n + i - 1]);
  CHECK(guards, "%s: written outside the scratch", k->name);
  release(scratch);
}

static void check_dw_forward(const spn_kernels *k, const spn_dw_shape *s, const plane_shape *p, const spn_view *view,
                             int sums) {
  const spn_kernels *ref = spn_kernels_ref();
  size_t out = (size_t)p->images * s->ho * s->wo;
  size_t ld = (size_t)s->ld;
  float *x = random_rows((size_t)p->images * s->h * s->w, p->c_used, ld);
  float *w = random_rows(s->k * s->k, p->c_used, p->c);
  float *got = guarded(out * ld), *want = guarded(out * ld), *scratch = dw_scratch(k, s);
  double got_sums[2][80] = {{1}}, want_sums[2][80] = {{1}};
  k->dw_forward(s, p->images, p->c_used, view, x, w, got, sums ? got_sums[0] : NULL, sums ? got_sums[1] : NULL,
                scratch);
  ref->dw_forward(s, p->images, p->c_used, view, x, w, want, sums ? want_sums[0] : NULL, sums ? want_sums[1] : NULL,
                  NULL);
  lose(got, out, p->c_used, ld);
  same("dw_forward", k->name, got, want, out * ld, 1e-6);
  same_sums("dw_forward sum", k->name, got_sums[0], want_sums[0], 80);
  same_sums("dw_forward sq", k->name, got_sums[1], want_sums[1], 80);
  check_scratch(k, s, scratch);
  release(x), release(w), release(got), release(want);
}

enum { WANT_DW = 1, WANT_DZ = 2, ACCUMULATE = 4, SUMS = 8, NORMALISED = 16 };

typedef struct {
  float *dz, *dw, *dgate;
  double sums[2][80];
} dw_result;

static dw_result dw_result_of(const plane_shape *p, const spn_dw_shape *s, int flags) {
  size_t pixels = (size_t)p->images * s->h * s->w;
  dw_result r = {.dz = flags & ACCUMULATE ? random_rows(pixels, p->c_used, (size_t)s->ld) : guarded(pixels * s->ld),
                 .dw = random_rows(s->k * s->k, p->c_used, p->c),
                 .dgate = random_rows(p->images, p->c_used, p->c)};
  return r;
}

static void run_dw_backward(const spn_kernels *k, const spn_dw_shape *s, const plane_shape *p, const spn_view *view,
                            const float *x, const float *w, const float *norm, const float *dz, const float *y,
                            int flags, dw_result *r) {
  float *scratch = dw_scratch(k, s);
  spn_norm_grad grad = {0};
  if (flags & NORMALISED) grad = (spn_norm_grad){norm, norm + p->c, norm + 2 * p->c};
  spn_view_sums sums = {0};
  if (flags & SUMS) sums = (spn_view_sums){r->sums[0], r->sums[1], view->gate ? r->dgate : NULL};
  k->dw_backward(s, p->images, p->c_used, view, x, w, &grad, dz, flags & NORMALISED ? y : NULL, !!(flags & ACCUMULATE),
                 flags & WANT_DZ ? r->dz : NULL, &sums, flags & WANT_DW ? r->dw : NULL, scratch);
  check_scratch(k, s, scratch);
}

static void check_dw_backward(const spn_kernels *k, const spn_dw_shape *s, const plane_shape *p, const spn_view *view,
                              int flags) {
  size_t in = (size_t)p->images * s->h * s->w, out = (size_t)p->images * s->ho * s->wo;
  size_t ld = (size_t)s->ld;
  float *x = random_rows(in, p->c_used, ld), *w = random_rows(s->k * s->k, p->c_used, p->c);
  float *dz = random_rows(out, p->c_used, ld), *y = random_rows(out, p->c_used, ld);
  float *norm = random_rows(3, p->c_used, p->c);
  dw_result got = dw_result_of(p, s, flags), want = got;
  want.dz = copy_of(got.dz, in * ld);
  want.dw = copy_of(got.dw, (size_t)s->k * s->k * p->c);
  want.dgate = copy_of(got.dgate, (size_t)p->images * p->c);
  run_dw_backward(k, s, p, view, x, w, norm, dz, y, flags, &got);
  run_dw_backward(spn_kernels_ref(), s, p, view, x, w, norm, dz, y, flags, &want);
  lose(got.dz, in, p->c_used, ld);
  same("dw_backward dz", k->name, got.dz, want.dz, in * ld, 2e-6);
  double tolerance = fmax(5e-6, 1e-7 * sqrt((double)s->h * s->w)); /* floats are summed over an image */
  same("dw_backward dw", k->name, got.dw, want.dw, (size_t)s->k * s->k * p->c, tolerance);
  same("dw_backward dgate", k->name, got.dgate, want.dgate, (size_t)p->images * p->c, tolerance);
  same_sums("dw_backward sum_dz", k->name, got.sums[0], want.sums[0], 80);
  same_sums("dw_backward sum_dzx", k->name, got.sums[1], want.sums[1], 80);
  release(x), release(w), release(dz), release(y), release(norm);
  release(got.dz), release(got.dw), release(got.dgate), release(want.dz), release(want.dw), release(want.dgate);
}

typedef void (*dw_check)(const spn_kernels *k, const spn_dw_shape *s, const plane_shape *p, const spn_view *view);

static void for_activations(const spn_kernels *k, const spn_dw_shape *s, const plane_shape *p, dw_check check) {
  for (int act = SPN_ACT_NONE; act <= SPN_ACT_HSWISH; act++) {
    random_view v = make_view(p->images, p->c, act, pick(4) > 0, pick(2));
    check(k, s, p, &v.view);
    free_view(&v);
  }
}

/* Calls check for every plane, kernel side, stride, padding and activation. */
static void for_planes(const spn_kernels *k, dw_check check) {
  for (size_t i = 0; i < sizeof planes / sizeof *planes; i++)
    for (int side = 3; side <= 7; side += 2)
      for (int stride = 1; stride <= 2; stride++)
        for (padding pad = PAD_SAME; pad <= PAD_NONE; pad++) {
          const plane_shape *p = &planes[i];
          spn_dw_shape s = dw_shape(p, side, stride, pad);
          int least = pad == PAD_SAME ? 1 : side - 2 * s.pad_top; /* below it there is no output */
          if (p->h >= least && p->w >= least) for_activations(k, &s, p, check);
        }
}

static void check_forward(const spn_kernels *k, const spn_dw_shape *s, const plane_shape *p, const spn_view *view) {
  check_dw_forward(k, s, p, view, pick(2));
}

static void test_dw_forward(const spn_kernels *k) { for_planes(k, check_forward); }

static void check_backward(const spn_kernels *k, const spn_dw_shape *s, const plane_shape *p, const spn_view *view) {
  check_dw_backward(k, s, p, view, WANT_DW | WANT_DZ | SUMS | pick(2) * ACCUMULATE | pick(2) * NORMALISED);
  check_dw_backward(k, s, p, view, 1 + pick(31));
}

static void test_dw_backward(const spn_kernels *k) { for_planes(k, check_backward); }

/* Scratch, whose guards every call above checks too, for planes beyond its budget: rows are then cut into bands. */
static void test_dw_scratch(const spn_kernels *k) {
  static const plane_shape large[] = {{1, 60, 90, 70, 70, 0},   {1, 131, 67, 17, 17, 0},  {2, 80, 80, 16, 16, 0},
                                      {1, 128, 130, 64, 64, 0}, {1, 131, 130, 72, 72, 8}, {1, 131, 130, 80, 40, 0}};
  for (size_t i = 0; i < sizeof large / sizeof *large; i++)
    for (int stride = 1; stride <= 2; stride++) {
      int side = large[i].h > 100 ? 3 : 3 + 2 * pick(3);
      spn_dw_shape s = dw_shape(&large[i], side, stride, pick(2));
      random_view v = make_view(large[i].images, large[i].c, pick(4), 1, pick(2));
      check_dw_forward(k, &s, &large[i], &v.view, 1);
      check_dw_backward(k, &s, &large[i], &v.view, WANT_DW | WANT_DZ | SUMS | NORMALISED);
      free_view(&v);
    }
}

static void test_selection(void) {
  CHECK(spn_kernels_at(0) == spn_kernels_ref(), "the first table is ref");
  CHECK(spn_kernels_get("plain") && !strcmp(spn_kernels_get("plain")->name, "plain"), "plain is always there");
  CHECK(spn_kernels_get(NULL) == spn_kernels_get("auto"), "NULL means auto");
  CHECK(!spn_kernels_get("sse9"), "an unknown name is refused");
}

int main(void) {
  spn_backend_init();
  test_selection();
  const spn_kernels *k;
  for (int i = 1; (k = spn_kernels_at(i)); i++) {
    printf("%s\n", k->name);
#define SPN_KERNEL(kernel) test_##kernel(k);
#include "kernels.def"
#undef SPN_KERNEL
  }
  return check_report("kernels");
}
