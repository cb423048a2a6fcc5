/* libFuzzer target: any bytes go through the JSON parser; what parses is walked with every getter. test_io_json.c
 * replays mutated texts through it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const spn_json *at) {
  static const char *const known[] = {"kernel", "stages", NULL};
  spn_err err;
  long long integer;
  double real;
  int flag;
  const char *string;
  spn_json member, absent = spn_json_get(at, "stages");
  spn_json_int(at, -5, 7, &integer, &err);
  spn_json_real(at, 0, 1, &real, &err);
  spn_json_bool(at, &flag, &err);
  spn_json_string(at, &string, &err);
  spn_json_choice(at, known, &flag, &err);
  spn_json_only(at, known, &err);
  spn_json_expected(&absent, "something", &err);
  for (spn_json_iter it = spn_json_iterate(at); spn_json_next(&it, &member);) walk(&member);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  spn_json_doc *doc, *again;
  spn_err err;
  if (size > 1 << 14 || spn_json_parse("fuzz", (const char *)data, size, &doc, &err)) return 0;
  spn_json root = spn_json_root(doc);
  walk(&root);
  char *text = spn_json_text(&root);
  if (!text || spn_json_parse("again", text, strlen(text), &again, &err)) abort(); /* what we write, we read */
  spn_json_free(again);
  free(text);
  spn_json_free(doc);
  return 0;
}
