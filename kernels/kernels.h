/* Numeric kernels on tiles of NHWC tensors. They know nothing of graphs, search or files, allocate nothing while a
 * step runs, and are single-threaded: the caller cuts a tensor into parts, one thread a part.
 *
 * Letters: N images, P pixels (any run of N*H*W), C channels, K kernel side. Tensors are row-major, channels last;
 * `ld` is the distance in elements between neighbouring pixels (ld >= channels used, so a prefix of the channels of a
 * wider tensor can be passed).
 *
 * The idea: a convolution writes its raw output and its per-channel sums once; batch norm, activation, channel mask
 * and SE gate are a "view" that every reader applies while it loads a tile. No normalised or activated tensor is ever
 * stored. Backward, dz is the gradient at the view's z = scale*x + shift; the producer turns it into the gradient of
 * its raw output while it loads it (spn_norm_grad).
 *
 * `real` is float; the gradient tests compile the library with SPN_DOUBLE and the ref kernels in double. */
#ifndef SPN_KERNELS_H
#define SPN_KERNELS_H

#include <stddef.h>

#include "core/status.h"

#ifdef SPN_DOUBLE
typedef double real;
#else
typedef float real;
#endif

typedef enum { SPN_ACT_NONE, SPN_ACT_RELU, SPN_ACT_RELU6, SPN_ACT_HSWISH } spn_act; /* h-swish: x*relu6(x+3)/6 */

/* a[p,c] = gate[c] * act(scale[c]*x[p,c] + shift[c]). scale and shift NULL together: identity. gate NULL: 1.
 * gate is one image's row; a kernel called for several images says how gate advances. */
typedef struct {
  const real *scale, *shift; /* (C) */
  const real *gate;          /* (C), or (N,C) where a kernel takes several images: then row n is gate + n*gate_ld */
  size_t gate_ld;
  spn_act act;
} spn_view;

/* Batch-norm backward as a per-channel affine map: g[p,c] = a[c]*dz[p,c] + b[c]*x[p,c] + k[c] is the gradient of the
 * raw output x. a NULL: g = dz (and b, k are not read). */
typedef struct {
  const real *a, *b, *k; /* (C) */
} spn_norm_grad;

/* What a reader adds for the producer while it computes dz: the sums batch-norm backward needs, and the gate's. */
typedef struct {
  double *sum_dz;  /* (C) += sum over pixels of dz's new contribution; NULL: not wanted (then sum_dzx is NULL too) */
  double *sum_dzx; /* (C) += sum over pixels of that contribution times raw x */
  real *dgate;     /* (C), or (N,C) with view.gate_ld, += sum over pixels of da * act(z); NULL: not wanted */
} spn_view_sums;

/* How view_grad writes its contribution t. */
typedef enum {
  SPN_GRAD_SET,   /* dz = t */
  SPN_GRAD_ADD,   /* dz += t */
  SPN_GRAD_STREAM /* dz = t, past the caches (see stream); where pixels are not whole cache lines, as SPN_GRAD_SET */
} spn_grad_put;

/* A tensor of this size cannot be counted on to be in the last-level cache when it is next wanted: among 4, 8, 14
 * and 24 MB the best for a dense step at 32x32, beside 32 MB of cache. */
enum { SPN_STREAM_BYTES = 8 << 20 };

typedef struct {
  int h, w, c;           /* input height, width, channels */
  int ld;                /* distance between pixels of every tensor, >= c */
  int ho, wo;            /* output height and width */
  int k, stride;         /* 3, 5 or 7; 1 or 2 */
  int pad_top, pad_left; /* zeros before; those after follow from the sizes */
  int streams;           /* what a call writes, y or dz_in, is better written past the caches (see stream) */
} spn_dw_shape;

typedef struct {
  const char *name;  /* "ref", "plain", "avx2", "avx512" */
  size_t tile_bytes; /* for a tile's input and output: what leaves room for the rest in the second-level cache of CPUs
                        that this is the fastest table for */

  /* a (P,C; lda) = view of x (P,C; ldx). All P pixels belong to one image when view->gate is set.
   * a == x is allowed when lda == ldx. */
  void (*view_load)(size_t pixels, int c, const spn_view *view, const real *x, size_t ldx, real *a, size_t lda);

  /* da (P,C; ldda) is the gradient of the view's output. Contribution t = da * gate * act'(z).
   * Adds into sums. One image when gate or sums->dgate is set.
   * act' of ReLU and ReLU6 is 0 at the corners (z = 0, z = 6), as in PyTorch. */
  void (*view_grad)(size_t pixels, int c, const spn_view *view, const real *x, size_t ldx, const real *da, size_t ldda,
                    spn_grad_put put, real *dz, size_t lddz, const spn_view_sums *sums);

  /* g (P,C; ldg) = norm gradient of dz (P,C; lddz) and raw output x (P,C; ldx; not read when grad->a is NULL). */
  void (*norm_grad_load)(size_t pixels, int c, const spn_norm_grad *grad, const real *dz, size_t lddz, const real *x,
                         size_t ldx, real *g, size_t ldg);

  /* sum[c] += sum of x, sq[c] += sum of x*x over P pixels. Short runs may be summed in `real`, the totals are double.
   */
  void (*stats)(size_t pixels, int c, const real *x, size_t ldx, double *sum, double *sq);

  /* sum[c] += sum over P pixels of view(x)[p,c] (one image). For global average pooling and SE's squeeze. */
  void (*view_sum)(size_t pixels, int c, const spn_view *view, const real *x, size_t ldx, double *sum);

  /* y (P,C; ld c) = view_a(a) + weight * view_b(b), all with ld c and no gate: the residual join. */
  void (*join)(size_t pixels, int c, const spn_view *view_a, const real *a, const spn_view *view_b, const real *b,
               real weight, real *y);

  /* Depthwise convolution of `images` consecutive images, w (K*K,C): y (N,ho,wo,C) raw, sum and sq as in stats (NULL:
   * not wanted). Only the first c_used channels are read and written; a written pixel's others, up to ld, may be lost.
   * scratch: dw_scratch bytes, 64-byte aligned. */
  void (*dw_forward)(const spn_dw_shape *shape, int images, int c_used, const spn_view *view, const real *x,
                     const real *w, real *y, double *sum, double *sq, void *scratch);

  /* Its backward. dz_out (N,ho,wo,C) and raw y give the output's gradient g through `grad`. Then
   *   dw (K*K,C) += sum of view(x) * g;   da = g convolved back with w;   dz_in, sums as in view_grad.
   * dz_in NULL: only dw. dw NULL: only dz_in. c_used as above: other channels of dw are left alone. */
  void (*dw_backward)(const spn_dw_shape *shape, int images, int c_used, const spn_view *view, const real *x,
                      const real *w, const spn_norm_grad *grad, const real *dz_out, const real *y, int accumulate,
                      real *dz_in, const spn_view_sums *sums, real *dw, void *scratch);

  /* Bytes of scratch either depthwise call may use for this shape. */
  size_t (*dw_scratch)(const spn_dw_shape *shape);

  /* y (P,C; ldy) = x (P,C; ldx), written past the caches: a tensor larger than they are is then not read before it is
   * written. The ldy - C elements behind a pixel may be lost. */
  void (*stream)(size_t pixels, int c, const real *x, size_t ldx, real *y, size_t ldy);
  /* acc[i] += alpha*x[i], i < n. */
  void (*axpy)(size_t n, real alpha, const real *x, real *acc);
  /* acc[i] += x[i], i < n. */
  void (*add)(size_t n, const real *x, real *acc);
  /* Sum of a[i]*b[i] in double with a fixed order. */
  double (*dot)(size_t n, const real *a, const real *b);
} spn_kernels;

/* The type of a kernel: SPN_KERNEL_TYPE(dot) spn_ref_dot; declares a function. kernels.def lists them all. */
#define SPN_KERNEL_TYPE(name) __typeof__(*((spn_kernels *)0)->name)

/* The plain loops every other table is tested against; the only table in a SPN_DOUBLE build. */
const spn_kernels *spn_kernels_ref(void);
/* The fastest table this CPU runs; isa NULL or "auto" chooses, otherwise "plain", "avx2", "avx512" (or "ref").
 * NULL when the name is unknown or the CPU cannot run it. */
const spn_kernels *spn_kernels_get(const char *isa);
/* The i-th table this CPU can run (0 = ref), NULL past the last: for tests and bench. */
const spn_kernels *spn_kernels_at(int i);

/* ---- Dense convolution on one tile: oneDNN's JIT as a single-threaded micro-kernel --------------------------------
 * A problem is created once for a fixed tile shape and is then immutable; any number of threads may run it at the
 * same time, each with its own thread number and scratch. It is created with one OpenMP thread, so its result does
 * not depend on the number of threads. A 1x1 convolution over P pixels is the tile n=1, h=1, w=P; a dense layer too. */
typedef enum { SPN_CONV_FORWARD, SPN_CONV_BACKWARD_DATA, SPN_CONV_BACKWARD_WEIGHTS } spn_conv_kind;
typedef struct {
  int n, h, w, ci, co; /* src (n,h,w,ci), dst (n,ho,wo,co), channels last, dense */
  int k, stride;
  int pad_top, pad_left, pad_bottom, pad_right;
  int bf16; /* multiply in bfloat16 (sums stay in float): what is read is rounded first, what is written is float */
} spn_conv_shape;
typedef struct spn_conv spn_conv;

/* threads: how many threads will run it. Fails with SPN_EBACKEND and says which primitive. */
spn_status spn_conv_create(spn_conv_kind kind, const spn_conv_shape *shape, int threads, spn_conv **out, spn_err *err);
void spn_conv_destroy(spn_conv *conv);         /* NULL is allowed */
size_t spn_conv_scratch(const spn_conv *conv); /* bytes a run needs, 64-byte aligned; may be 0 */
size_t spn_conv_packed(const spn_conv *conv);  /* elements of the weights in the primitive's own format */
/* oihw (co,ci,k,k) -> packed (forward and backward data). Not thread-safe; uses thread slot 0. Like unpack and run it
 * returns 0, or the backend's status, for which spn_conv_failed has words; then nothing that it writes has meaning. */
int spn_conv_pack(spn_conv *conv, const real *oihw, real *packed);
/* packed gradient -> oihw (backward weights); overwrites. Not thread-safe; uses thread slot 0. */
int spn_conv_unpack(spn_conv *conv, const real *packed, real *oihw);
/* FORWARD: dst = conv(src, w). BACKWARD_DATA: src (written) = gradient from dst. BACKWARD_WEIGHTS: w (written,
 * overwritten) = gradient from src and dst. w is in packed format. */
int spn_conv_run(spn_conv *conv, int thread, real *src, real *w, real *dst, void *scratch);
/* Which convolution a status other than 0 belongs to, and the status in words: SPN_EBACKEND or SPN_ENOMEM. */
spn_status spn_conv_failed(const spn_conv *conv, int status, spn_err *err);
const char *spn_conv_impl(const spn_conv *conv); /* oneDNN's implementation name, for example jit_1x1:avx512_core */

/* Whether oneDNN multiplies in bfloat16 on this CPU at all. */
int spn_conv_has_bf16(void);
/* 1 when multiplying in bfloat16 is clearly faster on this machine: a typical tile is timed both ways, rounding
 * included. The finding of the first call is kept. */
int spn_conv_prefers_bf16(void);

/* oneDNN is to use no wider instructions than the kernels called isa ("plain": SSE4.1, "avx2"; any other name leaves it
 * its choice), so that this machine runs everything as a lesser one would. Holds for the process; it must come before
 * the first convolution or spn_backend_init, and has no effect later. */
void spn_backend_cap(const char *isa);
/* Prepares oneDNN; the first convolution does it too. Works around AMX that CPUID advertises and the machine lacks. */
void spn_backend_init(void);
const char *spn_backend_version(void); /* "oneDNN 2.6.3 (OpenMP, GNU)" */
const char *spn_cpu_name(void);        /* for env.json */

#endif
