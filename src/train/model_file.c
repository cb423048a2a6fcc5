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

static void put_numbers(spn_json_writer *w, const char *key, const float *values, int n) {
  spn_json_array(w, key, SPN_JSON_INLINE);
  for (int i = 0; i < n; i++) spn_json_put_number(w, NULL, (double)values[i]);
  spn_json_end(w);
}

/* Everything that another program needs to show the network the same picture. */
static char *preprocessing_json(const spn_transform *t) {
  spn_json_writer w = {0};
  spn_json_object(&w, NULL, SPN_JSON_INLINE);
  spn_json_put_integer(&w, "size", t->size);
  spn_json_put_integer(&w, "channels", t->channels);
  spn_json_put_number(&w, "eval_crop", t->eval_crop);
  spn_json_put_text(&w, "resize", spn_resize_names[t->resize]);
  spn_json_put_integer(&w, "resize_side", spn_transform_side(t));
#define RULE(key, value) spn_json_put_text(&w, key, value);
  SPN_READ_RULES(RULE)
  SPN_EVAL_RULES(RULE)
#undef RULE
  spn_json_put_text(&w, "resize_long_side", spn_long_side_names[t->framing]);
  spn_json_put_text(&w, "resize_rounding", spn_level_names[t->framing]);
  spn_json_put_text(&w, "crop_offset", spn_crop_offset_names[t->framing]);
  spn_json_put_text(&w, "channel_order", t->channels == 3 ? "RGB" : "gray");
  if (t->channels == 1) put_numbers(&w, "gray", spn_grey_weights, 3);
  spn_json_put_text(&w, "formula", "(pixel / 255 - mean) / std");
  put_numbers(&w, "mean", t->mean, 3);
  put_numbers(&w, "std", t->std, 3);
  spn_json_end(&w);
  return spn_json_take(&w);
}

spn_status spn_model_name_classes(spn_tensors *set, const char *const *names, int count, spn_err *err) {
  spn_json_writer w = {0};
  spn_json_array(&w, NULL, SPN_JSON_INLINE);
  for (int i = 0; i < count; i++) spn_json_put_text(&w, NULL, names[i]);
  spn_json_end(&w);
  return set_text(set, "spnas.classes", spn_json_take(&w), err);
}

static spn_status name_classes(spn_tensors *set, const spn_data *d, spn_err *err) {
  const char **names = malloc(((size_t)d->classes + 1) * sizeof *names);
  if (!names) return spn_fail(err, SPN_ENOMEM, "spnas.classes: out of memory");
  for (int i = 0; i < d->classes; i++) names[i] = spn_dataset_class_name(d->set, i);
  spn_status status = spn_model_name_classes(set, names, d->classes, err);
  free(names);
  return status;
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
  if (!status) status = name_classes(set, data, err);
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

/* A rule that another version may have written differently; absent in files from before there was a choice. */
static spn_status check_rule(const spn_json *o, const char *key, const char *value, spn_err *err) {
  spn_json at = spn_json_get(o, key);
  const char *text;
  if (spn_json_is_null(&at)) return SPN_OK;
  SPN_TRY(spn_json_string(&at, &text, err));
  return strcmp(text, value) ? spn_json_expected(&at, value, err) : SPN_OK;
}

static spn_status read_preprocessing(const spn_json *o, spn_transform *t, spn_err *err) {
  spn_json size = spn_json_get(o, "size"), channels = spn_json_get(o, "channels"), crop = spn_json_get(o, "eval_crop");
  spn_json resize = spn_json_get(o, "resize");
  long long n, c;
  spn_json framing = spn_json_get(o, "resize_long_side");
  int filter, frame = 0;
  SPN_TRY(spn_json_int(&size, 1, 4096, &n, err));
  SPN_TRY(spn_json_int(&channels, 1, 3, &c, err));
  SPN_TRY(spn_json_real(&crop, 0.01, 1, &t->eval_crop, err));
  SPN_TRY(spn_json_choice(&resize, spn_resize_names, &filter, err));
  SPN_TRY(read_three(o, "mean", -10, t->mean, err));
  SPN_TRY(read_three(o, "std", 1e-6, t->std, err));
#define RULE(key, value) SPN_TRY(check_rule(o, key, value, err));
  SPN_EVAL_RULES(RULE)
#undef RULE
  if (!spn_json_is_null(&framing)) SPN_TRY(spn_json_choice(&framing, spn_long_side_names, &frame, err));
  SPN_TRY(check_rule(o, "resize_rounding", spn_level_names[frame], err));
  SPN_TRY(check_rule(o, "crop_offset", spn_crop_offset_names[frame], err));
  t->framing = (spn_framing)frame;
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

/* A file of another program's names is none of ours, although spnas writes such files and describes them (timm). */
static spn_status check_names(const char *path, const spn_tensors *set, spn_err *err) {
  if (!spn_tensors_find(set, "conv_stem.weight")) return SPN_OK;
  return spn_fail(err, SPN_EINPUT,
                  "%s: expected a network of spnas, got tensors of timm's names (conv_stem.weight, ...); spnas import "
                  "makes the one of the other",
                  path);
}

spn_status spn_model_load(const char *path, spn_model *out, spn_err *err) {
  spn_model m = {0};
  spn_json_doc *arch = NULL, *pre = NULL;
  SPN_TRY(spn_tensors_load(path, &m.tensors, err));
  spn_status status = check_names(path, m.tensors, err);
  if (!status) status = parse_meta(path, m.tensors, "spnas.arch", &arch, err);
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

spn_status spn_classes_read(const spn_tensors *set, const char ***out, int *count, spn_err *err) {
  const char *text = spn_tensors_meta(set, "spnas.classes");
  *out = NULL;
  *count = 0;
  if (!text) return SPN_OK;
  cJSON *list = cJSON_Parse(text);
  size_t n = (size_t)cJSON_GetArraySize(list), bytes = (n + 1) * sizeof **out;
  int good = cJSON_IsArray(list) && n > 0;
  for (cJSON *i = good ? list->child : NULL; i; i = i->next) {
    good = good && cJSON_IsString(i);
    bytes += strlen(cJSON_IsString(i) ? i->valuestring : "") + 1;
  }
  const char **names = good ? malloc(bytes) : NULL;
  char *at = names ? (char *)(names + n + 1) : NULL;
  for (cJSON *i = names ? list->child : NULL; i; i = i->next) {
    names[(*count)++] = at;
    at = stpcpy(at, i->valuestring) + 1;
  }
  cJSON_Delete(list);
  *out = names;
  if (!good) return spn_fail(err, SPN_EINPUT, "spnas.classes: expected a list of names, got %.60s", text);
  return names ? SPN_OK : spn_fail(err, SPN_ENOMEM, "spnas.classes: out of memory");
}

const char **spn_model_classes(const spn_model *m) {
  int count;
  const char **names;
  if (spn_classes_read(m->tensors, &names, &count, NULL)) return NULL;
  if (count == m->arch.classes) return names;
  free(names);
  return NULL;
}
