/* Fuzz target: any text is either refused with a message or a space whose networks are sound. */
#include <stdint.h>
#include <stdlib.h>

#include "latency/latency.h"
#include "model/decisions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const spn_space *space, uint64_t index) {
  static spn_cost cost;
  spn_choice choice, again;
  spn_arch arch;
  spn_err err;
  char text[4096];
  spn_choice_random(space, 1, index, &choice);
  for (int proxy = 1; proxy >= 0; proxy--) {
    spn_space_arch(space, &choice, proxy, &arch);
    if (spn_arch_check(&arch, &err)) abort();
    spn_arch_counts(&arch);
  }
  if (spn_space_match(space, &arch, &again, &err) || !spn_choice_equal(&choice, &again)) abort();
  spn_choice_text(space, &choice, text, sizeof text);
  if (spn_cost_load("macs", space, &cost, &err)) abort();
  if (!(spn_cost_of(&cost, &choice) >= 0)) abort();
  spn_cost_free(&cost);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static spn_space space;
  spn_err err = {0};
  if (spn_space_parse("fuzz", (const char *)data, size, &space, &err)) {
    if (!err.code || !*err.text) abort();
    return 0;
  }
  for (uint64_t i = 0; i < 4; i++) use(&space, i);
  return 0;
}
