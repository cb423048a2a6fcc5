#include <string.h>

#include "io/datapath.h"
#include "latency/fit.h"

static void put_numbers(spn_json_writer *w, const char *key, const double *list, int count) {
  spn_json_array(w, key, SPN_JSON_INLINE);
  for (int i = 0; i < count; i++) spn_json_put_number(w, NULL, list[i]);
  spn_json_end(w);
}

static void put_named(spn_json_writer *w, const char *key, const char *const *names, const double *list) {
  spn_json_object(w, key, SPN_JSON_INLINE);
  for (int i = 0; names[i]; i++) spn_json_put_number(w, names[i], list[i]);
  spn_json_end(w);
}

const char *const spn_point_names[] = {"entry", "calibration", "holdout", NULL};

static void put_points(spn_json_writer *w, const spn_fit *fit) {
  spn_json_array(w, "judged", SPN_JSON_LINES);
  for (int i = 0; i < fit->points; i++) {
    const spn_fit_point *p = &fit->point[i];
    spn_json_object(w, NULL, SPN_JSON_INLINE);
    spn_json_put_text(w, "kind", spn_point_names[p->kind]);
    spn_json_put_text(w, "name", p->name);
    spn_json_put_text(w, "source", p->source);
    spn_json_put_rounded(w, "measured", p->measured, 6);
    spn_json_put_rounded(w, "predicted", p->predicted, 6);
    spn_json_put_rounded(w, "error", p->error, 6);
    spn_json_end(w);
  }
  spn_json_end(w);
}

static void put_fit(spn_json_writer *w, const spn_fit *fit) {
  spn_json_object(w, NULL, SPN_JSON_LINES);
  spn_json_put_text(w, "name", fit->name);
  spn_json_put_text(w, "unit", fit->unit);
  spn_json_put_text(w, "source", fit->source);
  spn_json_object(w, "model", SPN_JSON_LINES);
  spn_json_array(w, "weights", SPN_JSON_LINES);
  for (int t = 0; t < fit->tables; t++) put_named(w, NULL, spn_work_names, fit->weight[t]);
  spn_json_end(w);
  put_numbers(w, "covariance", fit->covariance, SPN_WORKS * SPN_WORKS);
  spn_json_put_number(w, "spread", fit->spread);
  spn_json_end(w);
  if (fit->networks) {
    spn_json_object(w, "calibration", SPN_JSON_LINES);
    spn_json_put_integer(w, "networks", fit->networks);
    put_named(w, "factors", spn_class_names, fit->factor);
    put_numbers(w, "covariance", fit->factor_covariance, SPN_CLASSES * SPN_CLASSES);
    spn_json_put_number(w, "spread", fit->network_spread);
    spn_json_end(w);
  }
  if (fit->points) put_points(w, fit);
  spn_json_array(w, "tables", SPN_JSON_LINES);
  for (int t = 0; t < fit->tables; t++) spn_table_put(w, NULL, &fit->table[t]);
  spn_json_end(w);
  spn_json_end(w);
}

spn_status spn_fit_save(const spn_fit *fit, const char *path, spn_err *err) {
  spn_json_writer w = {0};
  spn_json_begin(&w);
  put_fit(&w, fit);
  return spn_json_save(&w, path, err);
}

/* ---- Reading ---- */

static const double LARGEST = 1e15;

static spn_status read_text(const spn_json *root, const char *key, char *out, size_t size, spn_err *err) {
  spn_json at = spn_json_get(root, key);
  const char *text = "";
  SPN_TRY(spn_json_string(&at, &text, err));
  if (!*text || strlen(text) >= size) return spn_json_fail(&at, err, "expected 1 to %zu characters", size - 1);
  strcpy(out, text);
  return SPN_OK;
}

static spn_status read_named(const spn_json *at, const char *const *names, double *list, spn_err *err) {
  if (!spn_json_is_object(at)) return spn_json_expected(at, "an object", err);
  SPN_TRY(spn_json_only(at, names, err));
  for (int i = 0; names[i]; i++) {
    spn_json one = spn_json_get(at, names[i]);
    SPN_TRY(spn_json_real(&one, 0, LARGEST, &list[i], err));
  }
  return SPN_OK;
}

static spn_status read_numbers(const spn_json *at, double *list, int count, spn_err *err) {
  if (!spn_json_is_array(at) || spn_json_size(at) != (size_t)count)
    return spn_json_fail(at, err, "expected a list of %d numbers", count);
  spn_json one;
  int i = 0;
  for (spn_json_iter it = spn_json_iterate(at); spn_json_next(&it, &one); i++)
    SPN_TRY(spn_json_real(&one, -LARGEST, LARGEST, &list[i], err));
  return SPN_OK;
}

static spn_status read_tables(const spn_json *root, spn_fit *out, spn_err *err) {
  spn_json tables = spn_json_get(root, "tables"), at;
  size_t count = spn_json_size(&tables);
  if (!spn_json_is_array(&tables) || count < 1 || count > SPN_MAX_FIT_TABLES)
    return spn_json_expected(&tables, "a list of 1 to 8 tables", err);
  for (spn_json_iter it = spn_json_iterate(&tables); spn_json_next(&it, &at);) {
    SPN_TRY(spn_table_read(&at, &out->table[out->tables], err));
    out->tables++;
  }
  return SPN_OK;
}

static spn_status read_model(const spn_json *root, spn_fit *out, spn_err *err) {
  static const char *const known[] = {"weights", "covariance", "spread", NULL};
  spn_json model = spn_json_get(root, "model"), weights = spn_json_get(&model, "weights");
  spn_json covariance = spn_json_get(&model, "covariance"), spread = spn_json_get(&model, "spread");
  if (!spn_json_is_object(&model)) return spn_json_expected(&model, "an object", err);
  SPN_TRY(spn_json_only(&model, known, err));
  if (!spn_json_is_array(&weights) || spn_json_size(&weights) != (size_t)out->tables)
    return spn_json_fail(&weights, err, "expected one object for each of %d tables", out->tables);
  for (int t = 0; t < out->tables; t++) {
    spn_json at = spn_json_at(&weights, (size_t)t);
    SPN_TRY(read_named(&at, spn_work_names, out->weight[t], err));
  }
  SPN_TRY(read_numbers(&covariance, out->covariance, SPN_WORKS * SPN_WORKS, err));
  return spn_json_real(&spread, 0, LARGEST, &out->spread, err);
}

static spn_status read_calibration(const spn_json *root, spn_fit *out, spn_err *err) {
  static const char *const known[] = {"networks", "factors", "covariance", "spread", NULL};
  spn_json at = spn_json_get(root, "calibration"), networks = spn_json_get(&at, "networks");
  spn_json factors = spn_json_get(&at, "factors"), covariance = spn_json_get(&at, "covariance");
  spn_json spread = spn_json_get(&at, "spread");
  long long count = 0;
  if (spn_json_is_null(&at)) return SPN_OK;
  if (!spn_json_is_object(&at)) return spn_json_expected(&at, "an object", err);
  SPN_TRY(spn_json_only(&at, known, err));
  SPN_TRY(spn_json_int(&networks, 1, SPN_MAX_NETWORKS, &count, err));
  SPN_TRY(read_named(&factors, spn_class_names, out->factor, err));
  SPN_TRY(read_numbers(&covariance, out->factor_covariance, SPN_CLASSES * SPN_CLASSES, err));
  out->networks = (int)count;
  return spn_json_real(&spread, 0, LARGEST, &out->network_spread, err);
}

static spn_status read_fit(const spn_json *root, spn_fit *out, spn_err *err) {
  static const char *const known[] = {"name", "unit", "source", "model", "calibration", "judged", "tables", NULL};
  SPN_TRY(spn_json_only(root, known, err));
  SPN_TRY(read_text(root, "name", out->name, sizeof out->name, err));
  SPN_TRY(read_text(root, "unit", out->unit, sizeof out->unit, err));
  SPN_TRY(read_text(root, "source", out->source, sizeof out->source, err));
  SPN_TRY(read_tables(root, out, err));
  SPN_TRY(read_model(root, out, err));
  return read_calibration(root, out, err);
}

/* A table by itself: the model is fitted here, calibrated to nothing. */
static spn_status fit_table(const spn_json *root, spn_fit *out, spn_err *err) {
  spn_table_check check;
  SPN_TRY(spn_table_read(root, &out->table[0], err));
  out->tables = 1;
  strcpy(out->name, out->table[0].name);
  strcpy(out->unit, out->table[0].unit);
  strcpy(out->source, out->table[0].source);
  SPN_TRY(spn_fit_tables(out, err));
  SPN_TRY(spn_fit_cross_validate(out, &check, err));
  spn_table_check_free(&check);
  return SPN_OK;
}

spn_status spn_fit_read(const spn_json *root, spn_fit *out, spn_err *err) {
  spn_json model = spn_json_get(root, "model");
  memset(out, 0, sizeof *out);
  if (!spn_json_is_object(root)) return spn_json_expected(root, "an object", err);
  spn_status status = spn_json_is_null(&model) ? fit_table(root, out, err) : read_fit(root, out, err);
  if (status) spn_fit_free(out);
  return status;
}

spn_status spn_fit_load(const char *name, spn_fit *out, spn_err *err) {
  char path[4096];
  spn_json_doc *doc = NULL;
  SPN_TRY(spn_data_path("latency", name, path, sizeof path, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc);
  spn_status status = spn_fit_read(&root, out, err);
  spn_json_free(doc);
  return status;
}
