/* Elementwise kernels and per-channel sums. A body handles `nv` whole vectors (or one tail) of a short run of pixels;
 * the drivers walk the runs, and the vectors within a run, so that a run's lines are still in cache for its tail. */
#include "cpu/table.h"

#include "cpu/simd.h"

enum {
  LINE = 16, /* floats of a cache line */
  WIDE = 4, /* vectors a body takes at once, and independent sums it keeps: enough to hide the latency of an addition */
  PIECE = 16 /* pixels a kernel without sums takes at a time, so that memory is read nearly in order */
};

/* Calls BODY(first channel, vectors, lanes) over c channels. */
#define FOR_LANES(c, BODY)                                                                  \
  do {                                                                                      \
    int at_ = 0;                                                                            \
    for (; at_ + WIDE * SPN_VL <= (c); at_ += WIDE * SPN_VL) BODY(at_, WIDE, SPN_VL);       \
    for (; SPN_VL < 16 && at_ + 2 * SPN_VL <= (c); at_ += 2 * SPN_VL) BODY(at_, 2, SPN_VL); \
    for (; at_ + SPN_VL <= (c); at_ += SPN_VL) BODY(at_, 1, SPN_VL);                        \
    if (at_ < (c)) BODY(at_, 1, (c) - at_);                                                 \
  } while (0)

INLINE size_t run_length(size_t pixels, size_t from) {
  return pixels - from < SPN_SHORT_RUN ? pixels - from : SPN_SHORT_RUN;
}

INLINE size_t piece_length(size_t pixels, size_t from) { return pixels - from < PIECE ? pixels - from : PIECE; }

/* Adds the sums of the interleaved pixels into the first nv. */
INLINE void fold(vf *sums, int nv) {
  for (int i = nv; i < WIDE; i++) sums[i % nv] += sums[i];
}

/* ---- view_load ---- */

INLINE void view_load_lanes(act_form form, const spn_view *view, size_t pixels, int c, int nv, int n, const float *x,
                            size_t ldx, float *a, size_t lda) {
  view_lanes v[WIDE];
  for (int i = 0; i < nv; i++) v[i] = view_at(view, view->gate, c + i * SPN_VL, n);
  x += c;
  a += c;
  for (size_t p = 0; p < pixels; p++, x += ldx, a += lda)
    for (int i = 0; i < nv; i++) v_put(a + i * SPN_VL, view_value(form, &v[i], v_get(x + i * SPN_VL, n)), n);
}

void SPN_SYM(view_load)(size_t pixels, int c, const spn_view *view, const float *x, size_t ldx, float *a, size_t lda) {
#define BODY(at, nv, n) view_load_lanes(form, view, count, at, nv, n, x + p * ldx, ldx, a + p * lda, lda)
#define RUN(FORM)                              \
  for (size_t p = 0; p < pixels; p += PIECE) { \
    const act_form form = FORM;                \
    size_t count = piece_length(pixels, p);    \
    FOR_LANES(c, BODY);                        \
  }
  if (view_form(view) == ACT_CLAMP) RUN(ACT_CLAMP)
  else RUN(ACT_HSWISH)
#undef RUN
#undef BODY
}

/* ---- view_grad ---- */

typedef struct {
  const float *x, *da;
  float *dz;
  size_t ldx, ldda, lddz;
  spn_grad_put put;
  const spn_view *view;
  const spn_view_sums *sums;
} grad_args;

INLINE void view_grad_lanes(act_form form, int want_gate, const grad_args *g, size_t first, size_t pixels, int c,
                            int nv, int n) {
  view_lanes v[WIDE];
  vf dz_sum[WIDE] = {0}, dzx_sum[WIDE] = {0}, gate_sum[WIDE] = {0};
  for (int i = 0; i < nv; i++) v[i] = view_at(g->view, g->view->gate, c + i * SPN_VL, n);
  const float *x = g->x + first * g->ldx + c, *da = g->da + first * g->ldda + c;
  float *dz = g->dz + first * g->lddz + c;
  for (size_t p = 0; p < pixels; p++, x += g->ldx, da += g->ldda, dz += g->lddz)
    for (int i = 0; i < nv; i++) {
      vf value = v_get(x + i * SPN_VL, n), in = v_get(da + i * SPN_VL, n), z = view_z(&v[i], value);
      vf t = view_slope(form, &v[i], z, in * v[i].gate);
      dz_sum[i] += t;
      dzx_sum[i] = v_fma(t, value, dzx_sum[i]);
      if (want_gate) gate_sum[i] = v_fma(in, view_act(form, &v[i], z), gate_sum[i]);
      if (g->put == SPN_GRAD_ADD) t += v_get(dz + i * SPN_VL, n);
      if (g->put == SPN_GRAD_STREAM) v_stream(dz + i * SPN_VL, t);
      else v_put(dz + i * SPN_VL, t, n);
    }
  for (int i = 0; i < nv; i++) {
    int at = c + i * SPN_VL;
    if (g->sums->sum_dz) v_flush(g->sums->sum_dz + at, dz_sum[i], n);
    if (g->sums->sum_dzx) v_flush(g->sums->sum_dzx + at, dzx_sum[i], n);
    if (want_gate) v_put(g->sums->dgate + at, v_get(g->sums->dgate + at, n) + gate_sum[i], n);
  }
}

void SPN_SYM(view_grad)(size_t pixels, int c, const spn_view *view, const float *x, size_t ldx, const float *da,
                        size_t ldda, spn_grad_put put, float *dz, size_t lddz, const spn_view_sums *sums) {
  const spn_view_sums none = {0};
  if (!sums) sums = &none;
  int whole_lines = c % LINE == 0 && lddz % LINE == 0 && (size_t)dz % (LINE * sizeof *dz) == 0;
  if (put == SPN_GRAD_STREAM && !whole_lines) put = SPN_GRAD_SET;
  const grad_args args = {x, da, dz, ldx, ldda, lddz, put, view, sums};
#define BODY(at, nv, n) view_grad_lanes(form, want_gate, &args, p, count, at, nv, n)
#define RUN(FORM, WANT_GATE)                           \
  for (size_t p = 0; p < pixels; p += SPN_SHORT_RUN) { \
    const act_form form = FORM;                        \
    const int want_gate = WANT_GATE;                   \
    size_t count = run_length(pixels, p);              \
    FOR_LANES(c, BODY);                                \
  }
  int clamp = view_form(view) == ACT_CLAMP;
  if (clamp && !sums->dgate) RUN(ACT_CLAMP, 0)
  else if (clamp) RUN(ACT_CLAMP, 1)
  else if (!sums->dgate) RUN(ACT_HSWISH, 0)
  else RUN(ACT_HSWISH, 1)
#undef RUN
#undef BODY
  if (put == SPN_GRAD_STREAM) v_stream_end();
}

/* ---- norm_grad_load ---- */

INLINE void norm_lanes_load(const spn_norm_grad *grad, size_t pixels, int c, int nv, int n, const float *dz,
                            size_t lddz, const float *x, size_t ldx, float *g, size_t ldg) {
  norm_lanes v[WIDE];
  for (int i = 0; i < nv; i++) v[i] = norm_at(grad, c + i * SPN_VL, n);
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < nv; i++) {
      int at = c + i * SPN_VL;
      v_put(g + p * ldg + at, norm_value(&v[i], v_get(dz + p * lddz + at, n), v_get(x + p * ldx + at, n)), n);
    }
}

void SPN_SYM(norm_grad_load)(size_t pixels, int c, const spn_norm_grad *grad, const float *dz, size_t lddz,
                             const float *x, size_t ldx, float *g, size_t ldg) {
  if (!grad->a) {
    for (size_t p = 0; p < pixels; p++) memmove(g + p * ldg, dz + p * lddz, (size_t)c * sizeof *g);
    return;
  }
#define BODY(at, nv, n) norm_lanes_load(grad, count, at, nv, n, dz + p * lddz, lddz, x + p * ldx, ldx, g + p * ldg, ldg)
  for (size_t p = 0; p < pixels; p += PIECE) {
    size_t count = piece_length(pixels, p);
    FOR_LANES(c, BODY);
  }
#undef BODY
}

/* ---- stats and view_sum ---- */

/* WIDE / nv pixels go to separate sums, so that one vector per pixel is not bound by latency. */
INLINE void stats_lanes(size_t pixels, int c, int nv, int n, const float *x, size_t ldx, double *sum, double *sq) {
  vf s[WIDE] = {0}, q[WIDE] = {0};
  const int step = WIDE / nv;
  size_t p = 0;
  x += c;
  for (; p + step <= pixels; p += step)
    for (int u = 0; u < step; u++, x += ldx)
      for (int i = 0; i < nv; i++) {
        vf v = v_get(x + i * SPN_VL, n);
        s[u * nv + i] += v;
        q[u * nv + i] = v_fma(v, v, q[u * nv + i]);
      }
  for (; p < pixels; p++, x += ldx)
    for (int i = 0; i < nv; i++) {
      vf v = v_get(x + i * SPN_VL, n);
      s[i] += v;
      q[i] = v_fma(v, v, q[i]);
    }
  fold(s, nv);
  fold(q, nv);
  for (int i = 0; i < nv; i++) {
    v_flush(sum + c + i * SPN_VL, s[i], n);
    v_flush(sq + c + i * SPN_VL, q[i], n);
  }
}

void SPN_SYM(stats)(size_t pixels, int c, const float *x, size_t ldx, double *sum, double *sq) {
#define BODY(at, nv, n) stats_lanes(count, at, nv, n, x + p * ldx, ldx, sum, sq)
  for (size_t p = 0; p < pixels; p += SPN_SHORT_RUN) {
    size_t count = run_length(pixels, p);
    FOR_LANES(c, BODY);
  }
#undef BODY
}

INLINE void view_sum_lanes(act_form form, const spn_view *view, size_t pixels, int c, int nv, int n, const float *x,
                           size_t ldx, double *sum) {
  view_lanes v[WIDE];
  vf s[WIDE] = {0};
  for (int i = 0; i < nv; i++) v[i] = view_at(view, NULL, c + i * SPN_VL, n);
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < nv; i++) s[i] += view_act(form, &v[i], view_z(&v[i], v_get(x + p * ldx + c + i * SPN_VL, n)));
  for (int i = 0; i < nv; i++) {
    int at = c + i * SPN_VL;
    v_flush(sum + at, view->gate ? s[i] * v_get(view->gate + at, n) : s[i], n);
  }
}

void SPN_SYM(view_sum)(size_t pixels, int c, const spn_view *view, const float *x, size_t ldx, double *sum) {
#define BODY(at, nv, n) view_sum_lanes(form, view, count, at, nv, n, x + p * ldx, ldx, sum)
#define RUN(FORM)                                      \
  for (size_t p = 0; p < pixels; p += SPN_SHORT_RUN) { \
    const act_form form = FORM;                        \
    size_t count = run_length(pixels, p);              \
    FOR_LANES(c, BODY);                                \
  }
  if (view_form(view) == ACT_CLAMP) RUN(ACT_CLAMP)
  else RUN(ACT_HSWISH)
#undef RUN
#undef BODY
}

/* ---- join ---- */

INLINE void join_lanes(act_form form_a, act_form form_b, const spn_view *view_a, const spn_view *view_b, size_t pixels,
                       size_t ld, int c, int nv, int n, const float *a, const float *b, float weight, float *y) {
  view_lanes va[WIDE], vb[WIDE];
  for (int i = 0; i < nv; i++) {
    va[i] = view_at(view_a, NULL, c + i * SPN_VL, n);
    vb[i] = view_at(view_b, NULL, c + i * SPN_VL, n);
  }
  for (size_t p = 0; p < pixels; p++)
    for (int i = 0; i < nv; i++) {
      size_t at = p * ld + c + i * SPN_VL;
      vf left = view_act(form_a, &va[i], view_z(&va[i], v_get(a + at, n)));
      vf right = view_act(form_b, &vb[i], view_z(&vb[i], v_get(b + at, n)));
      v_put(y + at, v_fma(v_set(weight), right, left), n);
    }
}

void SPN_SYM(join)(size_t pixels, int c, const spn_view *view_a, const float *a, const spn_view *view_b, const float *b,
                   float weight, float *y) {
#define BODY(at, nv, n)                                                                                         \
  join_lanes(form_a, form_b, view_a, view_b, count, c, at, nv, n, a + p * (size_t)c, b + p * (size_t)c, weight, \
             y + p * (size_t)c)
#define RUN(FORM_A, FORM_B)                          \
  for (size_t p = 0; p < pixels; p += PIECE) {       \
    const act_form form_a = FORM_A, form_b = FORM_B; \
    size_t count = piece_length(pixels, p);          \
    FOR_LANES(c, BODY);                              \
  }
  act_form left = view_form(view_a), right = view_form(view_b);
  if (left == ACT_CLAMP && right == ACT_CLAMP) RUN(ACT_CLAMP, ACT_CLAMP)
  else RUN(left, right)
#undef RUN
#undef BODY
}

/* ---- stream ---- */

/* Flat: from the first aligned vector to the last. */
static void stream_flat(size_t n, const float *x, float *y) {
  size_t i = 0;
  for (; i < n && (size_t)(y + i) % sizeof(vf); i++) y[i] = x[i];
  for (; i + SPN_VL <= n; i += SPN_VL) v_stream(y + i, v_load(x + i));
  for (; i < n; i++) y[i] = x[i];
}

/* y is aligned in every pixel, and its tail may be written as a whole vector. */
static void stream_rows(size_t pixels, int c, const float *x, size_t ldx, float *y, size_t ldy) {
  for (size_t p = 0; p < pixels; p++, x += ldx, y += ldy) {
    int i = 0;
    for (; i + SPN_VL <= c; i += SPN_VL) v_stream(y + i, v_load(x + i));
    if (i < c) v_stream(y + i, v_load_n(x + i, c - i));
  }
}

void SPN_SYM(stream)(size_t pixels, int c, const float *x, size_t ldx, float *y, size_t ldy) {
  int whole = (c + SPN_VL - 1) / SPN_VL * SPN_VL;
  if (ldx == (size_t)c && ldy == (size_t)c) stream_flat(pixels * (size_t)c, x, y);
  else if ((size_t)y % sizeof(vf) == 0 && ldy % SPN_VL == 0 && (size_t)whole <= ldy)
    stream_rows(pixels, c, x, ldx, y, ldy);
  else
    for (size_t p = 0; p < pixels; p++) memcpy(y + p * ldy, x + p * ldx, (size_t)c * sizeof *y);
  v_stream_end();
}

/* ---- Flat arrays ---- */

void SPN_SYM(axpy)(size_t n, float alpha, const float *x, float *acc) {
  size_t i = 0;
  for (; i + SPN_VL <= n; i += SPN_VL) v_store(acc + i, v_fma(v_set(alpha), v_load(x + i), v_load(acc + i)));
  for (; i < n; i++) acc[i] += alpha * x[i];
}

void SPN_SYM(add)(size_t n, const float *x, float *acc) {
  size_t i = 0;
  for (; i + SPN_VL <= n; i += SPN_VL) v_store(acc + i, v_load(acc + i) + v_load(x + i));
  for (; i < n; i++) acc[i] += x[i];
}

double SPN_SYM(dot)(size_t n, const float *a, const float *b) {
  double total[SPN_VL] = {0}, sum = 0;
  size_t i = 0;
  while (i + SPN_VL <= n) {
    vf s[4] = {0};
    size_t end = n - i < 64 * SPN_VL ? n : i + 64 * SPN_VL;
    for (; i + 4 * SPN_VL <= end; i += 4 * SPN_VL)
      for (int u = 0; u < 4; u++) s[u] = v_fma(v_load(a + i + u * SPN_VL), v_load(b + i + u * SPN_VL), s[u]);
    for (; i + SPN_VL <= end; i += SPN_VL) s[0] = v_fma(v_load(a + i), v_load(b + i), s[0]);
    v_flush(total, (s[0] + s[1]) + (s[2] + s[3]), SPN_VL);
  }
  for (int lane = 0; lane < SPN_VL; lane++) sum += total[lane];
  for (; i < n; i++) sum += (double)a[i] * b[i];
  return sum;
}
