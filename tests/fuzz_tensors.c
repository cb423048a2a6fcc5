/* libFuzzer target: any bytes as a tensor file; what loads is read in full, which the sanitizers watch.
 * test_io_tensors.c replays damaged files through it. */
#include <stdint.h>
#include <stdlib.h>

#include "io/tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  spn_tensors *set;
  spn_err err;
  const char *key, *value;
  volatile unsigned sum = 0;
  if (spn_tensors_parse("fuzz", (const char *)data, size, &set, &err)) {
    if (set) abort(); /* nothing comes back from a failure */
    return 0;
  }
  for (size_t i = 0; i < spn_tensors_count(set); i++) {
    const spn_tensor *t = spn_tensors_at(set, i);
    const unsigned char *bytes = t->data;
    if (spn_tensors_find(set, t->name) != t || (uintptr_t)bytes % 64) abort();
    for (size_t j = 0, n = spn_tensor_elements(t) * spn_dtype_size(t->dtype); j < n; j++) sum += bytes[j];
  }
  for (size_t i = 0; spn_tensors_meta_at(set, i, &key, &value); i++) sum += (unsigned)*key + (unsigned)*value;
  (void)sum; /* clang: written is not used */
  spn_tensors_free(set);
  return 0;
}
