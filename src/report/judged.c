/* Predicted against measured: what a fitted latency model says of itself. */
#include <math.h>
#include <stdio.h>

#include "io/datapath.h"
#include "report/pieces.h"

enum { MAX_PATH = 4096 };

static void put_text(spn_json_writer *w, const spn_json *object, const char *key) {
  spn_json at = spn_json_get(object, key);
  const char *text;
  spn_json_put_text(w, key, spn_json_is_string(&at) && !spn_json_string(&at, &text, NULL) ? text : NULL);
}

static double number_at(const spn_json *object, const char *key) {
  spn_json at = spn_json_get(object, key);
  double value;
  return !spn_json_is_number(&at) || spn_json_real(&at, -INFINITY, INFINITY, &value, NULL) ? NAN : value;
}

static void put_points(spn_json_writer *w, const spn_json *list) {
  static const char *const numbers[] = {"measured", "predicted", "error"};
  spn_json point;
  spn_json_array(w, "points", SPN_JSON_DENSE);
  for (spn_json_iter it = spn_json_iterate(list); spn_json_next(&it, &point);) {
    spn_json_object(w, NULL, SPN_JSON_DENSE);
    put_text(w, &point, "kind");
    put_text(w, &point, "name");
    put_text(w, &point, "source");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
      spn_json_put_number(w, numbers[i], number_at(&point, numbers[i]));
    spn_json_end(w);
  }
  spn_json_end(w);
}

static void put_model(spn_json_writer *w, const char *path, const spn_json *root) {
  spn_json list = spn_json_get(root, "judged");
  if (!spn_json_is_array(&list)) return;
  spn_json_object(w, "latency", SPN_JSON_DENSE);
  spn_json_put_text(w, "file", path);
  put_text(w, root, "name");
  put_text(w, root, "unit");
  put_text(w, root, "source");
  put_points(w, &list);
  spn_json_end(w);
}

spn_status spn_report_judged(spn_report *r, const char *cost, int expected, spn_err *err) {
  char path[MAX_PATH];
  spn_json_doc *doc;
  spn_err why;
  if (!expected && spn_data_path("latency", cost, path, sizeof path, &why)) return SPN_OK; /* counted, or a sum */
  if (expected) snprintf(path, sizeof path, "%s", cost);
  spn_status status = spn_json_load(path, &doc, &why);
  if (status == SPN_ENOMEM) return spn_fail(err, status, "%s", why.text);
  if (status) {
    if (expected) return spn_fail(err, status, "%s", why.text);
    spn_report_note(r, "%s", why.text);
    return SPN_OK;
  }
  spn_json root = spn_json_root(doc), list = spn_json_get(&root, "judged");
  if (expected && !spn_json_is_array(&list))
    status = spn_fail(err, SPN_EINPUT,
                      "%s: expected the folder of a run, or a model that `spnas latency fit` has written, with "
                      "\"judged\" in it",
                      path);
  else put_model(&r->data, path, &root);
  spn_json_free(doc);
  return status;
}
