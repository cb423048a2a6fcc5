#include "infer.h"

#include <stdlib.h>
#include <string.h>

#include "dnnl/shim.h"

enum { MAX_STEPS = 2048, MAX_ARGS = 5 };

/* One primitive with its arguments: a reorder, or what makes a value. */
typedef struct {
  dnnl_primitive_t primitive;
  dnnl_exec_arg_t arg[MAX_ARGS];
  int args, value; /* the value it works for */
} step;

typedef struct {
  dnnl_memory_t memory;
  md_own md;
  int c, h, w;
} infer_value;

struct spn_infer {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  step step[MAX_STEPS];
  int steps;
  infer_value value[MAX_STEPS];
  int values;
  dnnl_memory_t owned[4 * MAX_STEPS]; /* weights, biases, reordered copies */
  int owns;
};

static spn_status refused(const char *what, dnnl_status_t status, spn_err *err) {
  return spn_fail(err, status == dnnl_out_of_memory ? SPN_ENOMEM : SPN_EBACKEND, "%s: %s was refused (status %d)",
                  spn_backend_version(), what, (int)status);
}

static dnnl_status_t new_memory(spn_infer *net, md_ref md, dnnl_memory_t *out) {
  if (net->owns == 4 * MAX_STEPS) return dnnl_out_of_memory;
  dnnl_status_t status = dnnl_memory_create(out, md, net->engine, DNNL_MEMORY_ALLOCATE);
  if (!status) net->owned[net->owns++] = *out;
  return status;
}

static step *new_step(spn_infer *net) {
  if (net->steps == MAX_STEPS) return NULL;
  net->step[net->steps] = (step){.value = net->values};
  return &net->step[net->steps];
}

static dnnl_status_t finish_step(spn_infer *net, step *s, dnnl_primitive_desc_t pd) {
  dnnl_status_t status = dnnl_primitive_create(&s->primitive, pd);
  net->steps += !status;
  return status;
}

static void give(step *s, int arg, dnnl_memory_t memory) { s->arg[s->args++] = (dnnl_exec_arg_t){arg, memory}; }

/* A value's memory in the layout asked for: its own, or a copy that a reorder makes in each run. */
static dnnl_status_t in_layout(spn_infer *net, int value, md_ref md, dnnl_memory_t *out) {
  infer_value *v = &net->value[value];
  dnnl_primitive_desc_t pd = NULL;
  *out = v->memory;
  if (dnnl_memory_desc_equal(MD(v->md), md)) return dnnl_success;
  step *s = new_step(net);
  if (!s) return dnnl_out_of_memory;
  dnnl_status_t status = new_memory(net, md, out);
  if (!status) status = dnnl_reorder_primitive_desc_create(&pd, MD(v->md), net->engine, md, net->engine, NULL);
  give(s, DNNL_ARG_FROM, v->memory);
  give(s, DNNL_ARG_TO, *out);
  if (!status) status = finish_step(net, s, pd);
  if (pd) dnnl_primitive_desc_destroy(pd);
  return status;
}

static dnnl_status_t new_value(spn_infer *net, md_ref md, int c, int h, int w, int *value) {
  if (net->values == MAX_STEPS) return dnnl_out_of_memory;
  infer_value *v = &net->value[net->values];
  *v = (infer_value){.c = c, .h = h, .w = w};
  dnnl_status_t status = spn_md_copy(&v->md, md);
  if (!status) status = dnnl_memory_create(&v->memory, MD(v->md), net->engine, DNNL_MEMORY_ALLOCATE);
  if (!status) *value = net->values++;
  return status;
}

/* Copies plain numbers into a new memory of the wanted layout, once. */
static dnnl_status_t constant(spn_infer *net, md_ref plain, md_ref wanted, const float *from, dnnl_memory_t *out) {
  dnnl_memory_t source = NULL;
  dnnl_primitive_desc_t pd = NULL;
  dnnl_primitive_t copy = NULL;
  dnnl_status_t status = new_memory(net, wanted, out);
  if (!status) status = dnnl_memory_create(&source, plain, net->engine, (void *)from);
  if (!status) status = dnnl_reorder_primitive_desc_create(&pd, plain, net->engine, wanted, net->engine, NULL);
  if (!status) status = dnnl_primitive_create(&copy, pd);
  dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, *out}};
  if (!status) status = dnnl_primitive_execute(copy, net->stream, 2, args);
  if (!status) status = dnnl_stream_wait(net->stream);
  if (copy) dnnl_primitive_destroy(copy);
  if (pd) dnnl_primitive_desc_destroy(pd);
  if (source) dnnl_memory_destroy(source);
  return status;
}

spn_status spn_infer_create(int c, int h, int w, spn_infer **out, spn_err *err) {
  spn_infer *net = calloc(1, sizeof *net);
  md_own md = {0};
  int value = 0;
  *out = NULL;
  if (!net) return spn_fail(err, SPN_ENOMEM, "inference: out of memory");
  net->engine = spn_dnnl_engine();
  dnnl_status_t status = net->engine ? dnnl_stream_create(&net->stream, net->engine, dnnl_stream_default_flags)
                                     : dnnl_unimplemented;
  const dnnl_dims_t dims = {1, c, h, w};
  if (!status) status = spn_md_create(&md, dims, dnnl_f32, dnnl_nchw);
  if (!status) status = new_value(net, MD(md), c, h, w, &value);
  spn_md_free(&md);
  if (!status) {
    *out = net;
    return SPN_OK;
  }
  spn_infer_free(net);
  return refused("an input", status, err);
}

void spn_infer_free(spn_infer *net) {
  if (!net) return;
  for (int i = 0; i < net->steps; i++) dnnl_primitive_destroy(net->step[i].primitive);
  for (int i = 0; i < net->values; i++) {
    dnnl_memory_destroy(net->value[i].memory);
    spn_md_free(&net->value[i].md);
  }
  for (int i = 0; i < net->owns; i++) dnnl_memory_destroy(net->owned[i]);
  if (net->stream) dnnl_stream_destroy(net->stream);
  free(net);
}

/* ---- Convolutions ---- */

/* Adds the activation as a post-operation. */
static dnnl_status_t add_act(dnnl_post_ops_t ops, spn_infer_act act) {
  switch (act) {
    case SPN_INFER_RELU: return spn_infer_eltwise(ops, dnnl_eltwise_relu, 0, 0);
    case SPN_INFER_RELU6: return spn_infer_eltwise(ops, SPN_DNNL_CLIP, 0, 6);
    case SPN_INFER_HSWISH:
      return spn_infer_eltwise(ops, dnnl_eltwise_hardswish, SPN_DNNL_HSWISH_ALPHA, SPN_DNNL_HSWISH_BETA);
    case SPN_INFER_SIGMOID: return spn_infer_eltwise(ops, dnnl_eltwise_logistic, 0, 0);
    default: return dnnl_success;
  }
}

static dnnl_status_t act_attr(spn_infer_act act, dnnl_primitive_attr_t *out) {
  dnnl_post_ops_t ops = NULL;
  dnnl_status_t status = dnnl_primitive_attr_create(out);
  if (!status && act != SPN_INFER_LINEAR) {
    status = dnnl_post_ops_create(&ops);
    if (!status) status = add_act(ops, act);
    if (!status) status = dnnl_primitive_attr_set_post_ops(*out, ops);
    if (ops) dnnl_post_ops_destroy(ops);
  }
  return status;
}

/* Shapes with layouts left open: depthwise weights have a dimension of groups in front. */
static dnnl_status_t conv_descs(const infer_value *v, const spn_infer_conv *conv, conv_desc *d, md_own *bias,
                                md_own *plain_weights) {
  int groups = conv->depthwise ? v->c : 1, g = conv->depthwise;
  int h = (v->h + conv->pad_top + conv->pad_bottom - conv->kernel) / conv->stride + 1;
  int w = (v->w + conv->pad_left + conv->pad_right - conv->kernel) / conv->stride + 1;
  const dnnl_dims_t src = {1, v->c, v->h, v->w}, dst = {1, conv->out, h, w}, one = {conv->out};
  const dnnl_dims_t dense = {conv->out, v->c, conv->kernel, conv->kernel};
  const dnnl_dims_t grouped = {groups, 1, 1, conv->kernel, conv->kernel};
  *d = (conv_desc){.strides = {conv->stride, conv->stride},
                   .pad_before = {conv->pad_top, conv->pad_left},
                   .pad_after = {conv->pad_bottom, conv->pad_right}};
  dnnl_status_t status = spn_infer_md(&d->src, 4, src, dnnl_format_tag_any);
  if (!status) status = spn_infer_md(&d->dst, 4, dst, dnnl_format_tag_any);
  if (!status) status = spn_infer_md(&d->weights, g ? 5 : 4, g ? grouped : dense, dnnl_format_tag_any);
  if (!status) status = spn_infer_md(plain_weights, g ? 5 : 4, g ? grouped : dense, g ? dnnl_goihw : dnnl_oihw);
  return status ? status : spn_infer_md(bias, 1, one, dnnl_a);
}

static dnnl_status_t build_conv(spn_infer *net, int in, const spn_infer_conv *conv, dnnl_primitive_desc_t pd,
                                md_ref bias, md_ref plain_weights, int *value) {
  infer_value *v = &net->value[in];
  dnnl_memory_t src = NULL, weights = NULL, biases = NULL;
  md_ref dst = dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
  int h = (v->h + conv->pad_top + conv->pad_bottom - conv->kernel) / conv->stride + 1;
  int w = (v->w + conv->pad_left + conv->pad_right - conv->kernel) / conv->stride + 1;
  dnnl_status_t status = constant(net, plain_weights, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0),
                                  conv->weight, &weights);
  if (!status && conv->bias) status = constant(net, bias, bias, conv->bias, &biases);
  if (!status) status = in_layout(net, in, dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0), &src);
  step *s = new_step(net);
  if (!status && !s) status = dnnl_out_of_memory;
  if (!status) status = new_value(net, dst, conv->out, h, w, value);
  if (status) return status;
  give(s, DNNL_ARG_SRC, src);
  give(s, DNNL_ARG_WEIGHTS, weights);
  if (biases) give(s, DNNL_ARG_BIAS, biases);
  give(s, DNNL_ARG_DST, net->value[*value].memory);
  return finish_step(net, s, pd);
}

spn_status spn_infer_convolve(spn_infer *net, int in, const spn_infer_conv *conv, int *value, spn_err *err) {
  conv_desc d = {0};
  md_own bias = {0}, plain = {0};
  dnnl_primitive_attr_t attr = NULL;
  dnnl_primitive_desc_t pd = NULL;
  dnnl_status_t status = conv_descs(&net->value[in], conv, &d, &bias, &plain);
  if (!status) status = act_attr(conv->act, &attr);
  if (!status) status = spn_infer_conv_desc(&d, conv->bias ? MD(bias) : NULL, net->engine, attr, &pd);
  if (!status) status = build_conv(net, in, conv, pd, MD(bias), MD(plain), value);
  if (pd) dnnl_primitive_desc_destroy(pd);
  if (attr) dnnl_primitive_attr_destroy(attr);
  spn_md_free(&d.src);
  spn_md_free(&d.dst);
  spn_md_free(&d.weights);
  spn_md_free(&bias);
  spn_md_free(&plain);
  return status ? refused("a convolution", status, err) : SPN_OK;
}

/* ---- Others ---- */

spn_status spn_infer_pool(spn_infer *net, int in, int *value, spn_err *err) {
  infer_value *v = &net->value[in];
  dnnl_primitive_desc_t pd = NULL;
  md_own dst = {0};
  const dnnl_dims_t dims = {1, v->c, 1, 1};
  step *s = new_step(net);
  dnnl_status_t status = s ? spn_infer_md(&dst, 4, dims, dnnl_format_tag_any) : dnnl_out_of_memory;
  if (!status) status = spn_infer_pool_desc(MD(v->md), MD(dst), v->h, v->w, net->engine, &pd);
  if (!status) status = new_value(net, dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0), v->c, 1, 1, value);
  if (!status) {
    give(s, DNNL_ARG_SRC, v->memory);
    give(s, DNNL_ARG_DST, net->value[*value].memory);
    status = finish_step(net, s, pd);
  }
  if (pd) dnnl_primitive_desc_destroy(pd);
  spn_md_free(&dst);
  return status ? refused("a mean", status, err) : SPN_OK;
}

/* a (op) b into a new value laid out as a; b is brought into a layout that the primitive can take beside it. */
static dnnl_status_t binary(spn_infer *net, dnnl_alg_kind_t op, int a, int b, int *value) {
  infer_value *x = &net->value[a];
  dnnl_primitive_desc_t pd = NULL;
  dnnl_memory_t other = net->value[b].memory;
  dnnl_status_t status = dnnl_success;
  int same = net->value[b].h == x->h && net->value[b].w == x->w;
  if (same) status = in_layout(net, b, MD(x->md), &other);
  step *s = new_step(net);
  if (!status && !s) status = dnnl_out_of_memory;
  if (!status) status = spn_infer_binary_desc(op, MD(x->md), same ? MD(x->md) : MD(net->value[b].md), net->engine, &pd);
  if (!status) status = new_value(net, MD(x->md), x->c, x->h, x->w, value);
  if (!status) {
    give(s, DNNL_ARG_SRC_0, x->memory);
    give(s, DNNL_ARG_SRC_1, other);
    give(s, DNNL_ARG_DST, net->value[*value].memory);
    status = finish_step(net, s, pd);
  }
  if (pd) dnnl_primitive_desc_destroy(pd);
  return status;
}

spn_status spn_infer_multiply(spn_infer *net, int a, int gate, int *value, spn_err *err) {
  dnnl_status_t status = binary(net, dnnl_binary_mul, a, gate, value);
  return status ? refused("a product", status, err) : SPN_OK;
}

spn_status spn_infer_add(spn_infer *net, int a, int b, int *value, spn_err *err) {
  dnnl_status_t status = binary(net, dnnl_binary_add, a, b, value);
  return status ? refused("a sum", status, err) : SPN_OK;
}

/* ---- Running ---- */

spn_status spn_infer_run(spn_infer *net, int first, int last, spn_err *err) {
  dnnl_status_t status = dnnl_success;
  for (int i = 0; !status && i < net->steps; i++) {
    const step *s = &net->step[i];
    if (s->value <= first || s->value > last) continue;
    status = dnnl_primitive_execute(s->primitive, net->stream, s->args, s->arg);
  }
  if (!status) status = dnnl_stream_wait(net->stream);
  return status ? refused("a run", status, err) : SPN_OK;
}

/* Between plain numbers and a value, either way. */
static spn_status copy_plain(spn_infer *net, int value, float *plain, int into, spn_err *err) {
  infer_value *v = &net->value[value];
  md_own md = {0};
  dnnl_memory_t outside = NULL;
  dnnl_primitive_desc_t pd = NULL;
  dnnl_primitive_t copy = NULL;
  const dnnl_dims_t dims = {1, v->c, v->h, v->w};
  dnnl_status_t status = spn_md_create(&md, dims, dnnl_f32, dnnl_nchw);
  if (!status) status = dnnl_memory_create(&outside, MD(md), net->engine, plain);
  if (!status)
    status = dnnl_reorder_primitive_desc_create(&pd, into ? MD(md) : MD(v->md), net->engine, into ? MD(v->md) : MD(md),
                                                net->engine, NULL);
  if (!status) status = dnnl_primitive_create(&copy, pd);
  dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, into ? outside : v->memory}, {DNNL_ARG_TO, into ? v->memory : outside}};
  if (!status) status = dnnl_primitive_execute(copy, net->stream, 2, args);
  if (!status) status = dnnl_stream_wait(net->stream);
  if (copy) dnnl_primitive_destroy(copy);
  if (pd) dnnl_primitive_desc_destroy(pd);
  if (outside) dnnl_memory_destroy(outside);
  spn_md_free(&md);
  return status ? refused("a copy", status, err) : SPN_OK;
}

spn_status spn_infer_set(spn_infer *net, const float *image, spn_err *err) {
  return copy_plain(net, 0, (float *)image, 1, err);
}

spn_status spn_infer_get(spn_infer *net, int value, float *out, spn_err *err) {
  return copy_plain(net, value, out, 0, err);
}
