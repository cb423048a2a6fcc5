/* libFuzzer target: any bytes as an exported file; what is read back is run, which the sanitizers watch.
 * test_export_fuzz.c replays damaged files through it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "export/c_read.h"
#include "export/interpret.h"
#include "export/onnx_read.h"
#include "export/tflite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_ELEMENTS = 1 << 20, MOST_PRODUCTS = 1 << 24 };

/* Small enough to be run here. */
static int small(const spn_lowered *net) {
  size_t elements = 0, products = 0;
  for (int i = 0; i < net->count; i++) {
    const spn_lowered_node *n = &net->node[i];
    if (n->in[0] >= i || n->in[1] >= i || (i && n->in[0] < 0)) abort(); /* inputs stand before their readers */
    const size_t own = spn_lowered_elements(n), in = i ? (size_t)net->node[n->in[0]].c : 0;
    if (own > MOST_ELEMENTS) return 0;
    elements += own;
    products += own * (n->kind == SPN_LOWERED_CONV ? in * 49 : 49);
  }
  return elements < MOST_ELEMENTS && products < MOST_PRODUCTS;
}

static void run(spn_lowered *net) {
  spn_err err;
  if (small(net)) {
    float *image = calloc(spn_lowered_elements(&net->node[0]), sizeof *image);
    float *out = calloc(spn_lowered_results(net), sizeof *out);
    if (image && out) spn_interpret(net, 1, image, 1, out, NULL, &err);
    free(image);
    free(out);
  }
  spn_lowered_free(net);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  spn_lowered *net;
  spn_err err;
  if (!spn_tflite_parse("fuzz", data, size, &net, &err)) run(net);
  if (!spn_onnx_parse("fuzz", data, size, &net, &err)) run(net);
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = 0;
  if (!spn_c_parse("fuzz", text, &net, &err)) run(net);
  free(text);
  return 0;
}
