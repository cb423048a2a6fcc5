/* Whether bfloat16 pays on this machine: its multiply is faster with AMX and on some CPUs with AVX-512's bf16
 * instructions, slower on others, and rounding comes on top. Only timing tells. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "dnnl/shim.h"

enum { PIXELS = 96, FEW = 96, MANY = 576, RUNS = 30 }; /* a tile of the supernet's middle */

/* Best of some runs of one kind; infinite when oneDNN or the system refuses. */
static double kind_seconds(spn_conv_kind kind, int bf16) {
  const spn_conv_shape shape = {.n = 1, .h = 1, .w = PIXELS, .ci = FEW, .co = MANY, .k = 1, .stride = 1, .bf16 = bf16};
  spn_conv *conv;
  if (spn_conv_create(kind, &shape, 1, &conv, NULL)) return 1e9;
  size_t src = lines(sizeof(real) * PIXELS * FEW), dst = lines(sizeof(real) * PIXELS * MANY);
  size_t weights = lines(sizeof(real) * spn_conv_packed(conv)), scratch = lines(spn_conv_scratch(conv));
  char *memory = aligned_alloc(64, src + dst + weights + scratch);
  double best = 1e9;
  for (int run = 0; memory && run < RUNS; run++) {
    if (!run) memset(memory, 0, src + dst + weights + scratch);
    double start = omp_get_wtime();
    if (spn_conv_run(conv, 0, (real *)memory, (real *)(memory + src + dst), (real *)(memory + src),
                     memory + src + dst + weights)) {
      best = 1e9;
      break;
    }
    double seconds = omp_get_wtime() - start;
    if (seconds < best) best = seconds;
  }
  free(memory);
  spn_conv_destroy(conv);
  return best;
}

static double tile_seconds(int bf16) {
  double sum = 0;
  for (spn_conv_kind kind = SPN_CONV_FORWARD; kind <= SPN_CONV_BACKWARD_WEIGHTS; kind++)
    sum += kind_seconds(kind, bf16);
  return sum;
}

int spn_conv_has_bf16(void) {
  const spn_conv_shape shape = {.n = 1, .h = 1, .w = 1, .ci = 16, .co = 16, .k = 1, .stride = 1, .bf16 = 1};
  for (spn_conv_kind kind = SPN_CONV_FORWARD; kind <= SPN_CONV_BACKWARD_WEIGHTS; kind++) {
    spn_conv *conv;
    if (spn_conv_create(kind, &shape, 1, &conv, NULL)) return 0;
    spn_conv_destroy(conv);
  }
  return 1;
}

int spn_conv_prefers_bf16(void) {
  static int known = -1;
  if (known < 0) known = spn_conv_has_bf16() && tile_seconds(1) < 0.9 * tile_seconds(0);
  return known;
}
