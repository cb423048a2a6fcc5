#include "dnnl/shim.h"

#if DNNL_VERSION_MAJOR >= 3

dnnl_status_t spn_md_create(md_own *md, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag) {
  return dnnl_memory_desc_create_with_tag(md, 4, dims, type, tag);
}

dnnl_status_t spn_md_copy(md_own *md, md_ref from) { return dnnl_memory_desc_clone(md, from); }

void spn_md_free(md_own *md) {
  if (*md) dnnl_memory_desc_destroy(*md);
  *md = NULL;
}

dnnl_status_t spn_conv_primitive_desc(spn_conv_kind kind, const conv_desc *d, dnnl_engine_t engine,
                                      const_dnnl_primitive_attr_t attr, const_dnnl_primitive_desc_t hint,
                                      dnnl_primitive_desc_t *out) {
  const dnnl_dims_t dilates = {0, 0};
  if (kind == SPN_CONV_FORWARD)
    return dnnl_convolution_forward_primitive_desc_create(out, engine, dnnl_forward_training, dnnl_convolution_direct,
                                                          d->src, d->weights, NULL, d->dst, d->strides, dilates,
                                                          d->pad_before, d->pad_after, attr);
  if (kind == SPN_CONV_BACKWARD_DATA)
    return dnnl_convolution_backward_data_primitive_desc_create(out, engine, dnnl_convolution_direct, d->src,
                                                                d->weights, d->dst, d->strides, dilates, d->pad_before,
                                                                d->pad_after, hint, attr);
  return dnnl_convolution_backward_weights_primitive_desc_create(out, engine, dnnl_convolution_direct, d->src,
                                                                 d->weights, NULL, d->dst, d->strides, dilates,
                                                                 d->pad_before, d->pad_after, hint, attr);
}

dnnl_status_t spn_infer_md(md_own *md, int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag) {
  return dnnl_memory_desc_create_with_tag(md, rank, dims, dnnl_f32, tag);
}

dnnl_status_t spn_infer_conv_desc(const conv_desc *d, md_ref bias, dnnl_engine_t engine,
                                  const_dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out) {
  const dnnl_dims_t dilates = {0, 0};
  return dnnl_convolution_forward_primitive_desc_create(out, engine, dnnl_forward_inference, dnnl_convolution_direct,
                                                        d->src, d->weights, bias, d->dst, d->strides, dilates,
                                                        d->pad_before, d->pad_after, attr);
}

dnnl_status_t spn_infer_pool_desc(md_ref src, md_ref dst, int h, int w, dnnl_engine_t engine,
                                  dnnl_primitive_desc_t *out) {
  const dnnl_dims_t strides = {h, w}, kernel = {h, w}, none = {0, 0};
  return dnnl_pooling_forward_primitive_desc_create(out, engine, dnnl_forward_inference,
                                                    dnnl_pooling_avg_exclude_padding, src, dst, strides, kernel, none,
                                                    none, none, NULL);
}

dnnl_status_t spn_infer_binary_desc(dnnl_alg_kind_t op, md_ref a, md_ref b, dnnl_engine_t engine,
                                    dnnl_primitive_desc_t *out) {
  return dnnl_binary_primitive_desc_create(out, engine, op, a, b, a, NULL);
}

dnnl_status_t spn_infer_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta) {
  return dnnl_post_ops_append_eltwise(ops, kind, alpha, beta);
}

#else

dnnl_status_t spn_md_create(md_own *md, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag) {
  return dnnl_memory_desc_init_by_tag(md, 4, dims, type, tag);
}

dnnl_status_t spn_md_copy(md_own *md, md_ref from) {
  if (!from) return dnnl_invalid_arguments;
  *md = *from;
  return dnnl_success;
}

void spn_md_free(md_own *md) {}

dnnl_status_t spn_conv_primitive_desc(spn_conv_kind kind, const conv_desc *d, dnnl_engine_t engine,
                                      const_dnnl_primitive_attr_t attr, const_dnnl_primitive_desc_t hint,
                                      dnnl_primitive_desc_t *out) {
  dnnl_convolution_desc_t op;
  dnnl_status_t status;
  if (kind == SPN_CONV_FORWARD)
    status = dnnl_convolution_forward_desc_init(&op, dnnl_forward_training, dnnl_convolution_direct, &d->src,
                                                &d->weights, NULL, &d->dst, d->strides, d->pad_before, d->pad_after);
  else if (kind == SPN_CONV_BACKWARD_DATA)
    status = dnnl_convolution_backward_data_desc_init(&op, dnnl_convolution_direct, &d->src, &d->weights, &d->dst,
                                                      d->strides, d->pad_before, d->pad_after);
  else
    status = dnnl_convolution_backward_weights_desc_init(&op, dnnl_convolution_direct, &d->src, &d->weights, NULL,
                                                         &d->dst, d->strides, d->pad_before, d->pad_after);
  return status ? status : dnnl_primitive_desc_create(out, &op, attr, engine, hint);
}

dnnl_status_t spn_infer_md(md_own *md, int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag) {
  return dnnl_memory_desc_init_by_tag(md, rank, dims, dnnl_f32, tag);
}

dnnl_status_t spn_infer_conv_desc(const conv_desc *d, md_ref bias, dnnl_engine_t engine,
                                  const_dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out) {
  dnnl_convolution_desc_t op;
  dnnl_status_t status = dnnl_convolution_forward_desc_init(&op, dnnl_forward_inference, dnnl_convolution_direct,
                                                            &d->src, &d->weights, bias, &d->dst, d->strides,
                                                            d->pad_before, d->pad_after);
  return status ? status : dnnl_primitive_desc_create(out, &op, attr, engine, NULL);
}

dnnl_status_t spn_infer_pool_desc(md_ref src, md_ref dst, int h, int w, dnnl_engine_t engine,
                                  dnnl_primitive_desc_t *out) {
  const dnnl_dims_t strides = {h, w}, kernel = {h, w}, none = {0, 0};
  dnnl_pooling_desc_t op;
  dnnl_status_t status = dnnl_pooling_forward_desc_init(&op, dnnl_forward_inference, dnnl_pooling_avg_exclude_padding,
                                                        src, dst, strides, kernel, none, none);
  return status ? status : dnnl_primitive_desc_create(out, &op, NULL, engine, NULL);
}

dnnl_status_t spn_infer_binary_desc(dnnl_alg_kind_t kind, md_ref a, md_ref b, dnnl_engine_t engine,
                                    dnnl_primitive_desc_t *out) {
  dnnl_binary_desc_t op;
  dnnl_status_t status = dnnl_binary_desc_init(&op, kind, a, b, a);
  return status ? status : dnnl_primitive_desc_create(out, &op, NULL, engine, NULL);
}

dnnl_status_t spn_infer_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta) {
  return dnnl_post_ops_append_eltwise(ops, 1, kind, alpha, beta);
}

#endif
