/* oneDNN 2.6 and 3.x behind one set of names. Only kernels/dnnl includes it. */
#ifndef SPN_KERNELS_DNNL_SHIM_H
#define SPN_KERNELS_DNNL_SHIM_H

#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_version.h>

#include "kernels.h"

/* A memory descriptor: a struct by value up to 2.x, an owned pointer since 3.0. Zeroed, spn_md_free is a no-op. */
typedef dnnl_memory_desc_t md_own;

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t md_ref;
#define MD(md) (md)
#else
typedef const dnnl_memory_desc_t *md_ref;
#define MD(md) (&(md))
#endif

dnnl_status_t spn_md_create(md_own *md, const dnnl_dims_t dims, dnnl_data_type_t type,
                            dnnl_format_tag_t tag); /* 4 dimensions */
dnnl_status_t spn_md_copy(md_own *md, md_ref from);
void spn_md_free(md_own *md);

/* Geometry in oneDNN's terms; src and dst are fixed, weights' format is left open. */
typedef struct {
  md_own src, weights, dst;
  dnnl_dims_t strides, pad_before, pad_after;
} conv_desc;

/* The primitive descriptor of one direction. hint: a forward descriptor for the backward kinds, otherwise NULL. */
dnnl_status_t spn_conv_primitive_desc(spn_conv_kind kind, const conv_desc *desc, dnnl_engine_t engine,
                                      const_dnnl_primitive_attr_t attr, const_dnnl_primitive_desc_t hint,
                                      dnnl_primitive_desc_t *out);

/* For inference (infer.h): descriptors of any rank with an open or named layout, and forward primitives. */
dnnl_status_t spn_infer_md(md_own *md, int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag);
dnnl_status_t spn_infer_conv_desc(const conv_desc *desc, md_ref bias, dnnl_engine_t engine,
                                  const_dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out);
dnnl_status_t spn_infer_pool_desc(md_ref src, md_ref dst, int h, int w, dnnl_engine_t engine,
                                  dnnl_primitive_desc_t *out); /* mean over h x w */
dnnl_status_t spn_infer_binary_desc(dnnl_alg_kind_t op, md_ref a, md_ref b, dnnl_engine_t engine,
                                    dnnl_primitive_desc_t *out); /* result laid out as a */
dnnl_status_t spn_infer_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta);

/* x * clip(alpha x + beta, 0, 1): fixed at 1/6 and 1/2 up to 2.x. */
#define SPN_DNNL_HSWISH_ALPHA (1.0f / 6.0f)
#define SPN_DNNL_HSWISH_BETA 0.5f
#define SPN_DNNL_CLIP dnnl_eltwise_clip

/* Bytes rounded up to whole cache lines. */
static inline size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* The process's one CPU engine; NULL when oneDNN refuses. */
dnnl_engine_t spn_dnnl_engine(void);
/* Whether oneDNN runs on OpenMP (or nothing), so that one OpenMP thread means one thread. */
int spn_dnnl_is_openmp(void);

#endif
