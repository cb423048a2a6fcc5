#define _GNU_SOURCE
#include "train/model_file.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json.h"
#include "io/json_write.h"
#include "model/frame_json.h"
#include "model/network.h"

static spn_status set_text(spn_tensors *set, const char *key, char *text, spn_err *err) {
  if (!text) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", key);
  spn_status status = spn_tensors_set_meta(set, key, text, err);
  free(text);
  return status;
}

static char *preprocessing_json(const spn_transform *t) {
  spn_json_writer w = {0};
  spn_json_object(&w, NULL, SPN_JSON_INLINE);
  spn_json_put_integer(&w, "size", t->size);
  spn_json_put_integer(&w, "channels", t->channels);
  spn_json_put_number(&w, "eval_crop", t->eval_crop);
  spn_json_put_text(&w, "resize", spn_resize_names[t->resize]);
  for (int k = 0; k < 2; k++) {
    spn_json_array(&w, k ? "std" : "mean", SPN_JSON_INLINE);
    for (int i = 0; i < 3; i++) spn_json_put_number(&w, NULL, (double)(k ? t->std : t->mean)[i]);
    spn_json_end(&w);
  }
  spn_json_end(&w);
  return spn_json_take(&w);
}

static char *classes_json(const spn_data *d) {
  spn_json_writer w = {0};
  spn_json_array(&w, NULL, SPN_JSON_INLINE);
  for (int i = 0; i < d->classes; i++) spn_json_put_text(&w, NULL, spn_dataset_class_name(d->set, i));
  spn_json_end(&w);
  return spn_json_take(&w);
}

spn_status spn_model_describe(spn_tensors *set, const spn_arch *arch, const spn_transform *eval, spn_err *err) {
  SPN_TRY(set_text(set, "spnas.arch", spn_arch_to_json(arch), err));
  return set_text(set, "spnas.preprocessing", preprocessing_json(eval), err);
}

spn_status spn_model_save(const char *path, const spn_graph *g, const real *weights, const spn_arch *arch,
                          const spn_data *data, const char *const *facts, spn_err *err) {
  spn_tensors *set = spn_tensors_new();
  if (!set) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
  spn_status status = spn_network_to_tensors(g, weights, set, err);
  if (!status) status = spn_model_describe(set, arch, &data->eval, err);
  if (!status) status = set_text(set, "spnas.classes", classes_json(data), err);
  for (; !status && facts && facts[0]; facts += 2) status = spn_tensors_set_meta(set, facts[0], facts[1], err);
  if (!status) status = spn_tensors_save(set, path, err);
  spn_tensors_free(set);
  return status;
}

static spn_status read_three(const spn_json *o, const char *key, double min, float *out, spn_err *err) {
  spn_json list = spn_json_get(o, key);
  if (!spn_json_is_array(&list) || spn_json_size(&list) != 3) return spn_json_expected(&list, "three numbers", err);
  for (size_t i = 0; i < 3; i++) {
    spn_json at = spn_json_at(&list, i);
    double v;
    SPN_TRY(spn_json_real(&at, min, 10, &v, err));
    out[i] = (float)v;
  }
  return SPN_OK;
}

static spn_status read_preprocessing(const spn_json *o, spn_transform *t, spn_err *err) {
  spn_json size = spn_json_get(o, "size"), channels = spn_json_get(o, "channels"), crop = spn_json_get(o, "eval_crop");
  spn_json resize = spn_json_get(o, "resize");
  long long n, c;
  int filter;
  SPN_TRY(spn_json_int(&size, 1, 4096, &n, err));
  SPN_TRY(spn_json_int(&channels, 1, 3, &c, err));
  SPN_TRY(spn_json_real(&crop, 0.01, 1, &t->eval_crop, err));
  SPN_TRY(spn_json_choice(&resize, spn_resize_names, &filter, err));
  SPN_TRY(read_three(o, "mean", -10, t->mean, err));
  SPN_TRY(read_three(o, "std", 1e-6, t->std, err));
  t->size = (int)n;
  t->channels = (int)c;
  t->resize = (spn_resize)filter;
  return SPN_OK;
}

static spn_status parse_meta(const char *path, const spn_tensors *set, const char *key, spn_json_doc **doc,
                             spn_err *err) {
  const char *text = spn_tensors_meta(set, key);
  if (!text)
    return spn_fail(err, SPN_EINPUT, "%s: expected a network written by spnas train or search, got tensors without %s",
                    path, key);
  char name[320];
  snprintf(name, sizeof name, "%.240s[%s]", path, key);
  return spn_json_parse(name, text, strlen(text), doc, err);
}

spn_status spn_model_load(const char *path, spn_model *out, spn_err *err) {
  spn_model m = {0};
  spn_json_doc *arch = NULL, *pre = NULL;
  SPN_TRY(spn_tensors_load(path, &m.tensors, err));
  spn_status status = parse_meta(path, m.tensors, "spnas.arch", &arch, err);
  if (!status) status = parse_meta(path, m.tensors, "spnas.preprocessing", &pre, err);
  if (!status) {
    spn_json root = spn_json_root(arch), preprocessing = spn_json_root(pre);
    status = spn_arch_read(&root, &m.arch, NULL, err);
    if (!status) status = read_preprocessing(&preprocessing, &m.eval, err);
  }
  spn_json_free(arch);
  spn_json_free(pre);
  if (status) spn_model_free(&m);
  else *out = m;
  return status;
}

void spn_model_free(spn_model *m) { spn_tensors_free(m->tensors); }

const char **spn_model_classes(const spn_model *m) {
  const char *text = spn_tensors_meta(m->tensors, "spnas.classes");
  cJSON *list = text ? cJSON_Parse(text) : NULL;
  const char **names = NULL;
  size_t n = (size_t)m->arch.classes, bytes = n * sizeof *names;
  if (cJSON_GetArraySize(list) == m->arch.classes) {
    for (cJSON *i = list->child; i; i = i->next) bytes += strlen(cJSON_IsString(i) ? i->valuestring : "") + 1;
    names = malloc(bytes);
  }
  char *at = names ? (char *)(names + n) : NULL;
  int k = 0;
  for (cJSON *i = names ? list->child : NULL; i; i = i->next) {
    names[k++] = at;
    at = stpcpy(at, cJSON_IsString(i) ? i->valuestring : "") + 1;
  }
  cJSON_Delete(list);
  return names;
}
