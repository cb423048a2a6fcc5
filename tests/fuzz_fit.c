/* Fuzz target: any text is either refused with a message or a fitted model (or a table, which is fitted then) that
 * predicts a network. */
#include <stdint.h>
#include <stdlib.h>

#include "latency/fit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static spn_arch arch;
  static spn_fit fit;
  static spn_prediction p;
  spn_err err = {0};
  spn_json_doc *doc;
  if (!arch.blocks && spn_arch_load("mnasnet-a1", &arch, &err)) abort();
  if (spn_json_parse("fuzz", (const char *)data, size, &doc, &err)) return 0;
  spn_json root = spn_json_root(doc);
  if (spn_fit_read(&root, &fit, &err)) {
    if (!err.code || !*err.text) abort();
  } else {
    spn_fit_predict(&fit, &arch, &p);
    if (!(p.sum >= 0)) abort();
    spn_fit_free(&fit);
  }
  spn_json_free(doc);
  return 0;
}
