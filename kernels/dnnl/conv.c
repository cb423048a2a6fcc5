/* Dense convolution on a tile through oneDNN. Activations stay in nhwc; the weights take whatever format the primitive
 * likes best. The primitive is created, and run, as if OpenMP had one thread: parallelism is the caller's.
 *
 * In bfloat16 the operands that are read are rounded into scratch first (weights when they are packed); what is written
 * is float, so nobody else knows. */
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
  dnnl_memory_t wide[2]; /* bf16: src and dst as the caller has them */
  void *wide_at[2];
} slot;

struct spn_conv {
  spn_conv_kind kind;
  spn_conv_shape shape;
  dnnl_primitive_t primitive, reorder; /* reorder: oihw -> packed, or packed -> oihw for the weight gradient */
  md_own src, weights, dst, scratch, oihw;
  dnnl_primitive_t round[2]; /* bf16: src, dst from float; NULL where they are written */
  md_own wide[2];
  size_t round_at[2], scratch_at; /* places in the caller's scratch */
  dnnl_memory_t plain;            /* weights in oihw, for the reorder */
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
  spn_md_free(&desc->src);
  spn_md_free(&desc->weights);
  spn_md_free(&desc->dst);
}

/* Whether a kind reads an operand, and so takes it in bfloat16. */
static int reads_src(spn_conv_kind kind) { return kind != SPN_CONV_BACKWARD_DATA; }
static int reads_dst(spn_conv_kind kind) { return kind != SPN_CONV_FORWARD; }
static int reads_weights(spn_conv_kind kind) { return kind != SPN_CONV_BACKWARD_WEIGHTS; }

static dnnl_data_type_t type_of(int bf16) { return bf16 ? dnnl_bf16 : dnnl_f32; }

static void activation_dims(const spn_conv_shape *s, dnnl_dims_t src, dnnl_dims_t dst) {
  src[0] = dst[0] = s->n;
  src[1] = s->ci, src[2] = s->h, src[3] = s->w;
  dst[1] = s->co;
  dst[2] = (s->h + s->pad_top + s->pad_bottom - s->k) / s->stride + 1;
  dst[3] = (s->w + s->pad_left + s->pad_right - s->k) / s->stride + 1;
}

/* src, weights, dst: which of them are bfloat16. */
static dnnl_status_t make_desc(const spn_conv_shape *s, int src_bf16, int weights_bf16, int dst_bf16, conv_desc *desc) {
  *desc = (conv_desc){
      .strides = {s->stride, s->stride},
      .pad_before = {s->pad_top, s->pad_left},
      .pad_after = {s->pad_bottom, s->pad_right},
  };
  dnnl_dims_t src, weights = {s->co, s->ci, s->k, s->k}, dst;
  activation_dims(s, src, dst);
  dnnl_status_t status = spn_md_create(&desc->src, src, type_of(src_bf16), dnnl_nhwc);
  if (!status) status = spn_md_create(&desc->weights, weights, type_of(weights_bf16), dnnl_format_tag_any);
  if (!status) status = spn_md_create(&desc->dst, dst, type_of(dst_bf16), dnnl_nhwc);
  return status;
}

/* Reads from the chosen implementation what runs need to know. */
static dnnl_status_t read_choice(spn_conv *conv, const_dnnl_primitive_desc_t pd) {
  int data = conv->kind == SPN_CONV_BACKWARD_DATA, weights = conv->kind == SPN_CONV_BACKWARD_WEIGHTS;
  const char *impl = "";
  dnnl_status_t status = dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &impl);
  snprintf(conv->impl, sizeof conv->impl, "%s", impl);
  if (!status)
    status = spn_md_copy(&conv->src,
                         dnnl_primitive_desc_query_md(pd, data ? dnnl_query_diff_src_md : dnnl_query_src_md, 0));
  if (!status)
    status = spn_md_copy(&conv->weights, dnnl_primitive_desc_query_md(
                                             pd, weights ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0));
  if (!status)
    status = spn_md_copy(
        &conv->dst, dnnl_primitive_desc_query_md(pd, data || weights ? dnnl_query_diff_dst_md : dnnl_query_dst_md, 0));
  if (!status) status = spn_md_copy(&conv->scratch, dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
  return status;
}

static dnnl_status_t make_primitive(spn_conv *conv, const conv_desc *desc, const conv_desc *forward) {
  dnnl_primitive_attr_t attr = NULL;
  dnnl_primitive_desc_t hint = NULL, pd = NULL;
  dnnl_engine_t engine = spn_dnnl_engine();
  dnnl_status_t status = dnnl_primitive_attr_create(&attr);
  if (!status) status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
  if (!status && conv->kind != SPN_CONV_FORWARD)
    status = spn_conv_primitive_desc(SPN_CONV_FORWARD, forward, engine, attr, NULL, &hint);
  if (!status) status = spn_conv_primitive_desc(conv->kind, desc, engine, attr, hint, &pd);
  if (!status) status = read_choice(conv, pd);
  if (!status) status = dnnl_primitive_create(&conv->primitive, pd);
  if (pd) dnnl_primitive_desc_destroy(pd);
  if (hint) dnnl_primitive_desc_destroy(hint);
  if (attr) dnnl_primitive_attr_destroy(attr);
  return status;
}

static dnnl_status_t make_reorder(spn_conv *conv, const spn_conv_shape *s) {
  dnnl_dims_t dims = {s->co, s->ci, s->k, s->k};
  dnnl_engine_t engine = spn_dnnl_engine();
  dnnl_primitive_desc_t pd = NULL;
  int unpack = conv->kind == SPN_CONV_BACKWARD_WEIGHTS;
  dnnl_status_t status = spn_md_create(&conv->oihw, dims, dnnl_f32, dnnl_oihw);
  if (!status)
    status = dnnl_reorder_primitive_desc_create(&pd, unpack ? MD(conv->weights) : MD(conv->oihw), engine,
                                                unpack ? MD(conv->oihw) : MD(conv->weights), engine, NULL);
  if (!status) status = dnnl_primitive_create(&conv->reorder, pd);
  if (!status) status = dnnl_memory_create(&conv->plain, MD(conv->oihw), engine, DNNL_MEMORY_NONE);
  if (pd) dnnl_primitive_desc_destroy(pd);
  return status;
}

/* The reorder that rounds src (which 0) or dst (1) to bfloat16. */
static dnnl_status_t make_round(spn_conv *conv, const dnnl_dims_t dims, int which) {
  dnnl_engine_t engine = spn_dnnl_engine();
  dnnl_primitive_desc_t pd = NULL;
  dnnl_status_t status = spn_md_create(&conv->wide[which], dims, dnnl_f32, dnnl_nhwc);
  if (!status)
    status = dnnl_reorder_primitive_desc_create(&pd, MD(conv->wide[which]), engine,
                                                which ? MD(conv->dst) : MD(conv->src), engine, NULL);
  if (!status) status = dnnl_primitive_create(&conv->round[which], pd);
  if (pd) dnnl_primitive_desc_destroy(pd);
  return status;
}

static dnnl_status_t make_rounding(spn_conv *conv, const spn_conv_shape *s) {
  dnnl_dims_t src, dst;
  activation_dims(s, src, dst);
  dnnl_status_t status = dnnl_success;
  if (s->bf16 && reads_src(conv->kind)) {
    status = make_round(conv, src, 0);
    conv->round_at[1] = lines(dnnl_memory_desc_get_size(MD(conv->src)));
  }
  conv->scratch_at = conv->round_at[1];
  if (!status && s->bf16 && reads_dst(conv->kind)) {
    status = make_round(conv, dst, 1);
    conv->scratch_at += lines(dnnl_memory_desc_get_size(MD(conv->dst)));
  }
  return status;
}

static dnnl_status_t make_slot(const spn_conv *conv, slot *s) {
  dnnl_engine_t engine = spn_dnnl_engine();
  dnnl_status_t status = dnnl_stream_create(&s->stream, engine, dnnl_stream_default_flags);
  if (!status) status = dnnl_memory_create(&s->src, MD(conv->src), engine, DNNL_MEMORY_NONE);
  if (!status) status = dnnl_memory_create(&s->weights, MD(conv->weights), engine, DNNL_MEMORY_NONE);
  if (!status) status = dnnl_memory_create(&s->dst, MD(conv->dst), engine, DNNL_MEMORY_NONE);
  if (!status) status = dnnl_memory_create(&s->scratch, MD(conv->scratch), engine, DNNL_MEMORY_NONE);
  for (int i = 0; i < 2; i++)
    if (!status && conv->round[i])
      status = dnnl_memory_create(&s->wide[i], MD(conv->wide[i]), engine, DNNL_MEMORY_NONE);
  return status;
}

static dnnl_status_t make_all(spn_conv *conv, const spn_conv_shape *shape) {
  conv_desc desc = {0}, forward = {0};
  int bf16 = shape->bf16;
  dnnl_status_t status = make_desc(shape, bf16 && reads_src(conv->kind), bf16 && reads_weights(conv->kind),
                                   bf16 && reads_dst(conv->kind), &desc);
  if (!status) status = make_desc(shape, bf16, bf16, bf16, &forward);
  if (!status) status = make_primitive(conv, &desc, &forward);
  if (!status) status = make_reorder(conv, shape);
  if (!status) status = make_rounding(conv, shape);
  for (int i = 0; !status && i < conv->threads; i++) status = make_slot(conv, &conv->slots[i]);
  free_desc(&desc);
  free_desc(&forward);
  return status;
}

static const char *status_text(dnnl_status_t status) {
  switch (status) {
    case dnnl_out_of_memory: return "out of memory";
    case dnnl_invalid_arguments: return "invalid arguments";
    case dnnl_unimplemented: return "not implemented on this CPU";
    case dnnl_runtime_error: return "failed while running";
    case dnnl_not_required: return "not required";
    default: return "unknown status";
  }
}

static spn_status refused(spn_conv_kind kind, const spn_conv_shape *s, dnnl_status_t status, spn_err *err) {
  static const char *kinds[] = {"forward", "backward data", "backward weights"};
  return spn_fail(err, status == dnnl_out_of_memory ? SPN_ENOMEM : SPN_EBACKEND,
                  "%s: convolution %s%s, %dx%dx%dx%d to %d channels, kernel %d, stride %d: %s (status %d)",
                  spn_backend_version(), kinds[kind], s->bf16 ? " in bf16" : "", s->n, s->h, s->w, s->ci, s->co, s->k,
                  s->stride, status_text(status), (int)status);
}

spn_status spn_conv_failed(const spn_conv *conv, int status, spn_err *err) {
  return refused(conv->kind, &conv->shape, (dnnl_status_t)status, err);
}

spn_status spn_conv_create(spn_conv_kind kind, const spn_conv_shape *shape, int threads, spn_conv **out, spn_err *err) {
  *out = NULL;
  if (!spn_dnnl_engine()) return spn_fail(err, SPN_EBACKEND, "%s: no CPU engine", spn_backend_version());
  if (!spn_dnnl_is_openmp())
    return spn_fail(err, SPN_EBACKEND, "%s: expected oneDNN's OpenMP build", spn_backend_version());
  spn_conv *conv = calloc(1, sizeof *conv);
  slot *slots = calloc(threads, sizeof *slots);
  if (!conv || !slots) {
    free(conv);
    free(slots);
    return refused(kind, shape, dnnl_out_of_memory, err);
  }
  conv->kind = kind;
  conv->shape = *shape;
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
    free_memory(s->wide[0]);
    free_memory(s->wide[1]);
    if (s->stream) dnnl_stream_destroy(s->stream);
  }
  free_memory(conv->plain);
  if (conv->reorder) dnnl_primitive_destroy(conv->reorder);
  if (conv->primitive) dnnl_primitive_destroy(conv->primitive);
  spn_md_free(&conv->src);
  spn_md_free(&conv->weights);
  spn_md_free(&conv->dst);
  spn_md_free(&conv->scratch);
  spn_md_free(&conv->oihw);
  for (int i = 0; i < 2; i++) {
    if (conv->round[i]) dnnl_primitive_destroy(conv->round[i]);
    spn_md_free(&conv->wide[i]);
  }
  free(conv->slots);
  free(conv);
}

size_t spn_conv_scratch(const spn_conv *conv) {
  return conv->scratch_at + dnnl_memory_desc_get_size(MD(conv->scratch));
}

size_t spn_conv_packed(const spn_conv *conv) {
  return (dnnl_memory_desc_get_size(MD(conv->weights)) + sizeof(real) - 1) / sizeof(real);
}

const char *spn_conv_impl(const spn_conv *conv) { return conv->impl; }

static dnnl_status_t set_handle(dnnl_memory_t memory, void **known, void *at) {
  if (*known == at) return dnnl_success;
  dnnl_status_t status = dnnl_memory_set_data_handle(memory, at);
  *known = status ? NULL : at;
  return status;
}

static int run_reorder(spn_conv *conv, real *oihw, real *packed) {
  slot *s = &conv->slots[0];
  int saved = begin_single();
  int unpack = conv->kind == SPN_CONV_BACKWARD_WEIGHTS;
  dnnl_status_t status = dnnl_memory_set_data_handle(conv->plain, oihw);
  if (!status) status = set_handle(s->weights, &s->weights_at, packed);
  dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, unpack ? s->weights : conv->plain},
                            {DNNL_ARG_TO, unpack ? conv->plain : s->weights}};
  if (!status) status = dnnl_primitive_execute(conv->reorder, s->stream, 2, args);
  end_single(saved);
  return (int)status;
}

int spn_conv_pack(spn_conv *conv, const real *oihw, real *packed) { return run_reorder(conv, (real *)oihw, packed); }
int spn_conv_unpack(spn_conv *conv, const real *packed, real *oihw) { return run_reorder(conv, oihw, (real *)packed); }

/* Gives the primitive its src (which 0) or dst (1): as it is, or rounded into scratch. */
static dnnl_status_t give_operand(spn_conv *conv, slot *s, int which, real *from, void *scratch) {
  dnnl_memory_t memory = which ? s->dst : s->src;
  void **known = which ? &s->dst_at : &s->src_at;
  if (!conv->round[which]) return set_handle(memory, known, from);
  dnnl_status_t status = set_handle(s->wide[which], &s->wide_at[which], from);
  if (!status) status = set_handle(memory, known, (char *)scratch + conv->round_at[which]);
  dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, s->wide[which]}, {DNNL_ARG_TO, memory}};
  return status ? status : dnnl_primitive_execute(conv->round[which], s->stream, 2, args);
}

int spn_conv_run(spn_conv *conv, int thread, real *src, real *w, real *dst, void *scratch) {
  slot *s = &conv->slots[thread];
  int data = conv->kind == SPN_CONV_BACKWARD_DATA, weights = conv->kind == SPN_CONV_BACKWARD_WEIGHTS;
  int saved = begin_single();
  dnnl_status_t status = give_operand(conv, s, 0, src, scratch);
  if (!status) status = give_operand(conv, s, 1, dst, scratch);
  if (!status) status = set_handle(s->weights, &s->weights_at, w);
  if (!status) status = set_handle(s->scratch, &s->scratch_at, (char *)scratch + conv->scratch_at);
  dnnl_exec_arg_t args[] = {{data ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, s->src},
                            {weights ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, s->weights},
                            {data || weights ? DNNL_ARG_DIFF_DST : DNNL_ARG_DST, s->dst},
                            {DNNL_ARG_SCRATCHPAD, s->scratch}};
  if (!status) status = dnnl_primitive_execute(conv->primitive, s->stream, 4, args);
  end_single(saved);
  return (int)status;
}
