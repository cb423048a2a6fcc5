/* Fuzz target: any text is either refused with a message or a latency table that lies over a space or says what it
 * lacks. */
#include <stdint.h>
#include <stdlib.h>

#include "latency/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static spn_space space;
  static spn_cost cost;
  spn_err err = {0};
  spn_table table;
  if (!space.layers && spn_space_load("singlepath-se", &space, &err)) abort();
  if (spn_table_parse("fuzz", (const char *)data, size, &table, &err)) {
    if (!err.code || !*err.text) abort();
    return 0;
  }
  if (spn_table_apply(&table, &space, &cost, &err)) {
    if (!*err.text) abort();
  } else {
    spn_choice choice;
    spn_choice_random(&space, 1, size, &choice);
    if (!(spn_cost_of(&cost, &choice) >= 0)) abort();
  }
  spn_table_free(&table);
  return 0;
}
