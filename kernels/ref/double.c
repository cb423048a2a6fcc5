/* The backend of a SPN_DOUBLE build, where nothing but the plain loops is compiled: packed weights are plain oihw. */
#include "ref/ref.h"

#ifdef SPN_DOUBLE

#include <stdlib.h>
#include <string.h>

struct spn_conv {
  spn_conv_kind kind;
  spn_conv_shape shape;
};

spn_status spn_conv_create(spn_conv_kind kind, const spn_conv_shape *shape, int threads, spn_conv **out, spn_err *err) {
  *out = malloc(sizeof **out);
  if (!*out) return spn_fail(err, SPN_ENOMEM, "convolution: out of memory");
  **out = (spn_conv){kind, *shape};
  return SPN_OK;
}

void spn_conv_destroy(spn_conv *conv) { free(conv); }
size_t spn_conv_scratch(const spn_conv *conv) { return 0; }

size_t spn_conv_packed(const spn_conv *conv) {
  return (size_t)conv->shape.co * conv->shape.ci * conv->shape.k * conv->shape.k;
}

int spn_conv_pack(spn_conv *conv, const real *oihw, real *packed) {
  memcpy(packed, oihw, spn_conv_packed(conv) * sizeof *packed);
  return 0;
}

int spn_conv_unpack(spn_conv *conv, const real *packed, real *oihw) {
  memcpy(oihw, packed, spn_conv_packed(conv) * sizeof *oihw);
  return 0;
}

int spn_conv_run(spn_conv *conv, int thread, real *src, real *w, real *dst, void *scratch) {
  spn_ref_conv(conv->kind, &conv->shape, src, w, dst);
  return 0;
}

spn_status spn_conv_failed(const spn_conv *conv, int status, spn_err *err) {
  return spn_fail(err, SPN_EBACKEND, "plain loops cannot fail, status %d", status);
}

const char *spn_conv_impl(const spn_conv *conv) { return "ref"; }

void spn_backend_cap(const char *isa) {}
void spn_backend_init(void) {}
const char *spn_backend_version(void) { return "plain loops in double"; }
int spn_conv_has_bf16(void) { return 0; }
int spn_conv_prefers_bf16(void) { return 0; }
const char *spn_cpu_name(void) { return "any"; }

const spn_kernels *spn_kernels_get(const char *isa) {
  return !isa || !strcmp(isa, "auto") || !strcmp(isa, "ref") ? spn_kernels_ref() : NULL;
}

const spn_kernels *spn_kernels_at(int i) { return i == 0 ? spn_kernels_ref() : NULL; }

#endif
