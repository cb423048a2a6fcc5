/* One vector type for every instruction set: SPN_VL floats, loads and stores with a tail, and the view's arithmetic.
 * Files in kernels/cpu are compiled once per instruction set; what they share across files is named by SPN_SYM.
 *
 * A lane count n comes with every access: n == SPN_VL is the whole vector, less is a tail, whose other lanes read as
 * zero and are not written. Callers pass the constant where they can, so that the test folds away. */
#ifndef SPN_KERNELS_CPU_SIMD_H
#define SPN_KERNELS_CPU_SIMD_H

#include <math.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "kernels.h"

#define SPN_PASTE2(a, b) a##_##b
#define SPN_PASTE(a, b) SPN_PASTE2(a, b)
#define SPN_SYM(name) SPN_PASTE(spn_##name, SPN_ISA)
#define INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(4 * SPN_VL)));
typedef int vi __attribute__((vector_size(4 * SPN_VL)));

INLINE vf v_set(float x) { return x - (vf){0}; }

INLINE vf v_load(const float *p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void v_store(float *p, vf v) { memcpy(p, &v, sizeof v); }

#if SPN_VL == 16

INLINE vf v_load_n(const float *p, int n) { return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
INLINE void v_store_n(float *p, vf v, int n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v); }
INLINE vf v_max(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vf v_fma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
INLINE vf v_keep_above(vf t, vf a, vf b) {
  return (vf)_mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_NLE_UQ), (__m512)t);
}
INLINE vf v_pick_below(vf a, vf b, vf yes, vf no) {
  return (vf)_mm512_mask_mov_ps((__m512)no, _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ), (__m512)yes);
}

#else

/* t where a > b or either is NaN, else zero. */
#if SPN_VL == 8
INLINE vf v_keep_above(vf t, vf a, vf b) { /* left to itself gcc makes slower blends of it */
  return (vf)_mm256_and_ps((__m256)t, _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_NLE_UQ));
}
#else
INLINE vf v_keep_above(vf t, vf a, vf b) { return (vf)((vi)t & ~(a <= b)); }
#endif
/* yes where a < b, else no. */
INLINE vf v_pick_below(vf a, vf b, vf yes, vf no) { return (vf)(((vi)yes & (a < b)) | ((vi)no & ~(a < b))); }

#if SPN_VL == 8
INLINE vf v_load_n(const float *p, int n) {
  const vi lane = {0, 1, 2, 3, 4, 5, 6, 7};
  return (vf)_mm256_maskload_ps(p, (__m256i)(lane < n));
}
INLINE vf v_max(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vf v_fma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#else
INLINE vf v_load_n(const float *p, int n) {
  vf v = {0};
  for (int i = 0; i < n; i++) v[i] = p[i];
  return v;
}
#if defined(__SSE2__)
INLINE vf v_max(vf a, vf b) { return (vf)_mm_max_ps((__m128)a, (__m128)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm_min_ps((__m128)a, (__m128)b); }
#else
INLINE vf v_max(vf a, vf b) { return v_pick_below(b, a, a, b); }
INLINE vf v_min(vf a, vf b) { return v_pick_below(a, b, a, b); }
#endif
INLINE vf v_fma(vf a, vf b, vf c) { return a * b + c; }
#endif

INLINE void v_store_n(float *p, vf v, int n) { /* masked stores are slow on some CPUs; a tail is rare */
  for (int i = 0; i < n; i++) p[i] = v[i];
}

#endif

INLINE vf v_get(const float *p, int n) { return n == SPN_VL ? v_load(p) : v_load_n(p, n); }

INLINE void v_put(float *p, vf v, int n) {
  if (n == SPN_VL) v_store(p, v);
  else v_store_n(p, v, n);
}

/* Writes a whole vector past the caches; p is aligned to it. */
INLINE void v_stream(float *p, vf v) {
#if SPN_VL == 16
  _mm512_stream_ps(p, (__m512)v);
#elif SPN_VL == 8
  _mm256_stream_ps(p, (__m256)v);
#elif defined(__SSE2__)
  _mm_stream_ps(p, (__m128)v);
#else
  v_store(p, v);
#endif
}

/* Makes streamed writes visible to the threads that this one synchronises with next. */
INLINE void v_stream_end(void) {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

/* Adds n lanes of a short float sum to the double totals; NULL: not wanted. */
INLINE void v_flush(double *total, vf v, int n) {
  if (!total) return;
  float lane[SPN_VL];
  v_store(lane, v);
  for (int i = 0; i < n; i++) total[i] += lane[i];
}

/* Pixels whose sum is kept in float before it goes to the double totals. */
enum { SPN_SHORT_RUN = 128 };

/* ---- View -----------------------------------------------------------------------------------------------------------
 * ReLU, ReLU6 and no activation are one form, min(max(z, lo), hi); h-swish is the other. The form is a constant
 * argument of the inlined loops. */
typedef enum { ACT_CLAMP, ACT_HSWISH } act_form;

typedef struct {
  vf scale, shift, gate, lo, hi;
} view_lanes;

INLINE act_form view_form(const spn_view *view) { return view->act == SPN_ACT_HSWISH ? ACT_HSWISH : ACT_CLAMP; }

/* The view of n channels from c on; gate is the image's row or NULL. */
INLINE view_lanes view_at(const spn_view *view, const float *gate, int c, int n) {
  view_lanes v = {.scale = v_set(1), .gate = v_set(1), .lo = v_set(-INFINITY), .hi = v_set(INFINITY)};
  if (view->scale) {
    v.scale = v_get(view->scale + c, n);
    v.shift = v_get(view->shift + c, n);
  }
  if (gate) v.gate = v_get(gate + c, n);
  if (view->act == SPN_ACT_RELU || view->act == SPN_ACT_RELU6) v.lo = v_set(0);
  if (view->act == SPN_ACT_RELU6) v.hi = v_set(6);
  return v;
}

INLINE vf view_z(const view_lanes *v, vf x) { return v_fma(v->scale, x, v->shift); }

/* z is the second operand of max and min: NaN stays NaN, as the second operand wins when either is NaN. */
INLINE vf view_act(act_form form, const view_lanes *v, vf z) {
  if (form == ACT_CLAMP) return v_min(v->hi, v_max(v->lo, z));
  return z * v_min(v_set(6), v_max(v_set(0), z + 3.f)) * (1 / 6.f);
}

INLINE vf view_value(act_form form, const view_lanes *v, vf x) { return v->gate * view_act(form, v, view_z(v, x)); }

/* t * act'(z). */
INLINE vf view_slope(act_form form, const view_lanes *v, vf z, vf t) {
  if (form == ACT_CLAMP) return v_keep_above(v_keep_above(t, v->hi, z), z, v->lo);
  vf slope = v_fma(z, v_set(1 / 3.f), v_set(0.5f));
  return v_keep_above(v_pick_below(z, v_set(3), t * slope, t), z, v_set(-3));
}

/* g = a*dz + b*x + k of n channels; with a NULL, g = dz. */
typedef struct {
  vf a, b, k;
} norm_lanes;

INLINE norm_lanes norm_at(const spn_norm_grad *grad, int c, int n) {
  return (norm_lanes){v_get(grad->a + c, n), v_get(grad->b + c, n), v_get(grad->k + c, n)};
}

INLINE vf norm_value(const norm_lanes *v, vf dz, vf x) { return v_fma(v->a, dz, v_fma(v->b, x, v->k)); }

#endif
