#include "train/columns.h"

#include <stdio.h>

const spn_column spn_columns[] = {
#define COLUMN(key, unit, about) {#key, unit, about},
#include "train/columns.def"
#undef COLUMN
    {NULL, NULL, NULL}};

void spn_columns_put(spn_json_writer *w) {
  spn_json_object(w, "columns", SPN_JSON_LINES);
  for (const spn_column *c = spn_columns; c->key; c++) {
    char text[512];
    snprintf(text, sizeof text, "%s%s%s", c->unit, *c->unit ? ": " : "", c->about);
    spn_json_put_text(w, c->key, text);
  }
  spn_json_end(w);
}

spn_status spn_columns_save(const char *const *names, int count, const char *path, spn_err *err) {
  spn_json_writer w = {0};
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_columns_put(&w);
  spn_json_array(&w, "indicators", SPN_JSON_LINES);
  for (int i = 0; i < count; i++) spn_json_put_text(&w, NULL, names[i]);
  spn_json_end(&w);
  spn_json_end(&w);
  return spn_json_save(&w, path, err);
}
