/* Dense convolution on a tile through oneDNN. Activations stay in nhwc; the weights take whatever format the primitive
 * likes best. The primitive is created, and run, as if OpenMP had one thread: parallelism is the caller's. */
#include "dnnl/shim.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

/* What one thread needs to run the primitive. The pointers last given to oneDNN are remembered, because up to 2.x
 * setting a handle also clears the padding of its buffer. */
typedef struct {
  dnnl_stream_t stream;
  dnnl_memory_t src, weights, dst, scratch;
  void *src_at, *weights_at, *dst_at, *scratch_at;
} slot;

struct spn_conv {
  spn_conv_kind kind;
  dnnl_primitive_t primitive, reorder; /* reorder: oihw -> packed, or packed -> oihw for the weight gradient */
  md_own src, weights, dst, scratch, oihw;
  dnnl_memory_t plain; /* weights in oihw, for the reorder */
  char impl[64];
  int threads;
  slot *slots; /* (threads) */
};

/* Sets OpenMP's thread count to one and returns what end_single restores. Inside an active parallel region oneDNN
 * runs on the calling thread anyway. */
static int begin_single(void) {
  if (omp_in_parallel()) return 0;
  int saved = omp_get_max_threads();
  if (saved > 1) omp_set_num_threads(1);
  return saved;
}

static void end_single(int saved) {
  if (saved > 1) omp_set_num_threads(saved);
}

static void free_desc(conv_desc *desc) {
  md_free(&desc->src);
  md_free(&desc->weights);
  md_free(&desc->dst);
}

static dnnl_status_t make_desc(const spn_conv_shape *s, conv_desc *desc) {
  int ho = (s->h + s->pad_top + s->pad_bottom - s->k) / s->stride + 1;
  int wo = (s->w + s->pad_left + s->pad_right - s->k) / s->stride + 1;
  *desc = (conv_desc){
      .strides = {s->stride, s->stride},
      .pad_before = {s->pad_top, s->pad_left},
      .pad_after = {s->pad_bottom, s->pad_right},
  };
  dnnl_dims_t src = {s->n, s->ci, s->h, s->w}, weights = {s->co, s->ci, s->k, s->k}, dst = {s->n, s->co, ho, wo};
  dnnl_status_t status = md_create(&desc->src, src, dnnl_nhwc);
  if (!status) status = md_create(&desc->weights, weights, dnnl_format_tag_any);
  if (!status) status = md_create(&desc->dst, dst, dnnl_nhwc);
  return status;
}

/* Reads from the chosen implementation what runs need to know. */
static dnnl_status_t read_choice(spn_conv *conv, const_dnnl_primitive_desc_t pd) {
  int data = conv->kind == SPN_CONV_BACKWARD_DATA, weights = conv->kind == SPN_CONV_BACKWARD_WEIGHTS;
  const char *impl = "";
  dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &impl);
  snprintf(conv->impl, sizeof conv->impl, "%s", impl);
  dnnl_status_t status =
      md_copy(&conv->src, dnnl_primitive_desc_query_md(pd, data ? dnnl_query_diff_src_md : dnnl_query_src_md, 0));
  if (!status)
    status = md_copy(&conv->weights,
                     dnnl_primitive_desc_query_md(pd, weights ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0));
  if (!status)
    status = md_copy(&conv->dst, dnnl_primitive_desc_query_md(
                                     pd, data || weights ? dnnl_query_diff_dst_md : dnnl_query_dst_md, 0));
  if (!status) status = md_copy(&conv->scratch, dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
  return status;
}

static dnnl_status_t make_primitive(spn_conv *conv, const conv_desc *desc) {
  dnnl_primitive_attr_t attr = NULL;
  dnnl_primitive_desc_t hint = NULL, pd = NULL;
  dnnl_engine_t engine = backend_engine();
  dnnl_status_t status = dnnl_primitive_attr_create(&attr);
  if (!status) status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
  if (!status && conv->kind != SPN_CONV_FORWARD)
    status = conv_primitive_desc(SPN_CONV_FORWARD, desc, engine, attr, NULL, &hint);
  if (!status) status = conv_primitive_desc(conv->kind, desc, engine, attr, hint, &pd);
  if (!status) status = read_choice(conv, pd);
  if (!status) status = dnnl_primitive_create(&conv->primitive, pd);
  if (pd) dnnl_primitive_desc_destroy(pd);
  if (hint) dnnl_primitive_desc_destroy(hint);
  if (attr) dnnl_primitive_attr_destroy(attr);
  return status;
}

static dnnl_status_t make_reorder(spn_conv *conv, const spn_conv_shape *s) {
  dnnl_dims_t dims = {s->co, s->ci, s->k, s->k};
  dnnl_engine_t engine = backend_engine();
  dnnl_primitive_desc_t pd = NULL;
  int unpack = conv->kind == SPN_CONV_BACKWARD_WEIGHTS;
  dnnl_status_t status = md_create(&conv->oihw, dims, dnnl_oihw);
  if (!status)
    status = dnnl_reorder_primitive_desc_create(&pd, unpack ? MD(conv->weights) : MD(conv->oihw), engine,
                                                unpack ? MD(conv->oihw) : MD(conv->weights), engine, NULL);
  if (!status) status = dnnl_primitive_create(&conv->reorder, pd);
  if (!status) status = dnnl_memory_create(&conv->plain, MD(conv->oihw), engine, DNNL_MEMORY_NONE);
  if (pd) dnnl_primitive_desc_destroy(pd);
  return status;
}

static dnnl_status_t make_slot(const spn_conv *conv, slot *s) {
  dnnl_engine_t engine = backend_engine();
  dnnl_status_t status = dnnl_stream_create(&s->stream, engine, dnnl_stream_default_flags);
  if (!status) status = dnnl_memory_create(&s->src, MD(conv->src), engine, DNNL_MEMORY_NONE);
  if (!status) status = dnnl_memory_create(&s->weights, MD(conv->weights), engine, DNNL_MEMORY_NONE);
  if (!status) status = dnnl_memory_create(&s->dst, MD(conv->dst), engine, DNNL_MEMORY_NONE);
  if (!status) status = dnnl_memory_create(&s->scratch, MD(conv->scratch), engine, DNNL_MEMORY_NONE);
  return status;
}

static dnnl_status_t make_all(spn_conv *conv, const spn_conv_shape *shape) {
  conv_desc desc;
  dnnl_status_t status = make_desc(shape, &desc);
  if (!status) status = make_primitive(conv, &desc);
  if (!status) status = make_reorder(conv, shape);
  for (int i = 0; !status && i < conv->threads; i++) status = make_slot(conv, &conv->slots[i]);
  free_desc(&desc);
  return status;
}

static spn_status refused(spn_conv_kind kind, const spn_conv_shape *s, dnnl_status_t status, spn_err *err) {
  static const char *kinds[] = {"forward", "backward data", "backward weights"};
  return spn_fail(err, status == dnnl_out_of_memory ? SPN_ENOMEM : SPN_EBACKEND,
                  "%s: convolution %s, %dx%dx%dx%d to %d channels, kernel %d, stride %d: %s (status %d)",
                  spn_backend_version(), kinds[kind], s->n, s->h, s->w, s->ci, s->co, s->k, s->stride,
                  status == dnnl_out_of_memory ? "out of memory" : "refused", (int)status);
}

spn_status spn_conv_create(spn_conv_kind kind, const spn_conv_shape *shape, int threads, spn_conv **out, spn_err *err) {
  *out = NULL;
  if (!backend_engine()) return spn_fail(err, SPN_EBACKEND, "%s: no CPU engine", spn_backend_version());
  if (!backend_is_openmp())
    return spn_fail(err, SPN_EBACKEND, "%s: expected oneDNN's OpenMP build", spn_backend_version());
  spn_conv *conv = calloc(1, sizeof *conv);
  slot *slots = calloc(threads, sizeof *slots);
  if (!conv || !slots) {
    free(conv);
    free(slots);
    return refused(kind, shape, dnnl_out_of_memory, err);
  }
  conv->kind = kind;
  conv->threads = threads;
  conv->slots = slots;
  int saved = begin_single();
  dnnl_status_t status = make_all(conv, shape);
  end_single(saved);
  if (status) {
    spn_conv_destroy(conv);
    return refused(kind, shape, status, err);
  }
  *out = conv;
  return SPN_OK;
}

static void free_memory(dnnl_memory_t memory) {
  if (memory) dnnl_memory_destroy(memory);
}

void spn_conv_destroy(spn_conv *conv) {
  if (!conv) return;
  for (int i = 0; i < conv->threads; i++) {
    slot *s = &conv->slots[i];
    free_memory(s->src);
    free_memory(s->weights);
    free_memory(s->dst);
    free_memory(s->scratch);
    if (s->stream) dnnl_stream_destroy(s->stream);
  }
  free_memory(conv->plain);
  if (conv->reorder) dnnl_primitive_destroy(conv->reorder);
  if (conv->primitive) dnnl_primitive_destroy(conv->primitive);
  md_free(&conv->src);
  md_free(&conv->weights);
  md_free(&conv->dst);
  md_free(&conv->scratch);
  md_free(&conv->oihw);
  free(conv->slots);
  free(conv);
}

size_t spn_conv_scratch(const spn_conv *conv) { return dnnl_memory_desc_get_size(MD(conv->scratch)); }
size_t spn_conv_packed(const spn_conv *conv) { return dnnl_memory_desc_get_size(MD(conv->weights)) / sizeof(real); }
const char *spn_conv_impl(const spn_conv *conv) { return conv->impl; }

static void set_handle(dnnl_memory_t memory, void **known, void *at) {
  if (*known == at) return;
  dnnl_memory_set_data_handle(memory, at);
  *known = at;
}

static void run_reorder(spn_conv *conv, real *oihw, real *packed) {
  slot *s = &conv->slots[0];
  int saved = begin_single();
  int unpack = conv->kind == SPN_CONV_BACKWARD_WEIGHTS;
  dnnl_memory_set_data_handle(conv->plain, oihw);
  set_handle(s->weights, &s->weights_at, packed);
  dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, unpack ? s->weights : conv->plain},
                            {DNNL_ARG_TO, unpack ? conv->plain : s->weights}};
  dnnl_primitive_execute(conv->reorder, s->stream, 2, args);
  end_single(saved);
}

void spn_conv_pack(spn_conv *conv, const real *oihw, real *packed) { run_reorder(conv, (real *)oihw, packed); }
void spn_conv_unpack(spn_conv *conv, const real *packed, real *oihw) { run_reorder(conv, oihw, (real *)packed); }

void spn_conv_run(spn_conv *conv, int thread, real *src, real *w, real *dst, void *scratch) {
  slot *s = &conv->slots[thread];
  int data = conv->kind == SPN_CONV_BACKWARD_DATA, weights = conv->kind == SPN_CONV_BACKWARD_WEIGHTS;
  int saved = begin_single();
  set_handle(s->src, &s->src_at, src);
  set_handle(s->weights, &s->weights_at, w);
  set_handle(s->dst, &s->dst_at, dst);
  set_handle(s->scratch, &s->scratch_at, scratch);
  dnnl_exec_arg_t args[] = {{data ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, s->src},
                            {weights ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, s->weights},
                            {data || weights ? DNNL_ARG_DIFF_DST : DNNL_ARG_DST, s->dst},
                            {DNNL_ARG_SCRATCHPAD, s->scratch}};
  dnnl_primitive_execute(conv->primitive, s->stream, 4, args);
  end_single(saved);
}
