/* Fuzz target: any text is either refused or a network that prints and reads back as itself, in both grammars. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/blockstring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(char *text, const spn_arch *arch) {
  spn_arch again = *arch;
  spn_err err;
  if (!text || (arch->blocks && spn_blockstring_parse(text, &again, NULL, &err)) || !spn_arch_equal(arch, &again))
    abort();
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char note[256];
  spn_err err = {0};
  spn_arch arch = {.input_size = 224,
                   .input_channels = 3,
                   .classes = 1000,
                   .stem_kernel = 3,
                   .stem_stride = 2,
                   .head_channels = 1280,
                   .bn_momentum = 0.99,
                   .bn_eps = 0.001};
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = 0;
  arch.stem_channels = size % 3 == 0 ? 32 : size % 3 == 1 ? 8 : 0;
  if (spn_blockstring_parse(text, &arch, note, &err)) {
    if (!err.code || !*err.text) abort();
  } else {
    if (spn_arch_check(&arch, &err)) abort();
    spn_arch_counts(&arch);
    same_again(spn_blockstring_mnasnet(&arch), &arch);
    same_again(spn_blockstring_timm(&arch), &arch);
  }
  free(text);
  return 0;
}
