#include "train/origin.h"

#include <stdio.h>
#include <string.h>

static spn_status read_text(const spn_json *root, const char *key, char *out, size_t size, spn_err *err) {
  spn_json at = spn_json_get(root, key);
  const char *text = "";
  if (!spn_json_is_null(&at)) SPN_TRY(spn_json_string(&at, &text, err));
  if (strlen(text) >= size) return spn_json_fail(&at, err, "expected at most %zu characters", size - 1);
  strcpy(out, text);
  return SPN_OK;
}

void spn_origin_limit(spn_origin *o, const char *cost, double predicted, double limit, const char *unit) {
  size_t used = strlen(o->limits);
  snprintf(o->limits + used, sizeof o->limits - used, "%s%s %.6g of %.6g %s", used ? "; " : "", cost, predicted, limit,
           unit);
}

static spn_status read_limits(const spn_json *root, spn_origin *out, spn_err *err) {
  spn_json list = spn_json_get(root, "limits"), item;
  if (spn_json_is_null(&list)) return SPN_OK;
  if (!spn_json_is_array(&list)) return spn_json_expected(&list, "an array", err);
  for (spn_json_iter it = spn_json_iterate(&list); spn_json_next(&it, &item);) {
    spn_json cost = spn_json_get(&item, "cost"), unit = spn_json_get(&item, "unit");
    spn_json limit = spn_json_get(&item, "limit"), predicted = spn_json_get(&item, "predicted");
    const char *name, *of;
    double high, is;
    SPN_TRY(spn_json_string(&cost, &name, err));
    SPN_TRY(spn_json_string(&unit, &of, err));
    SPN_TRY(spn_json_real(&limit, 0, 1e15, &high, err));
    SPN_TRY(spn_json_real(&predicted, 0, 1e15, &is, err));
    spn_origin_limit(out, name, is, high, of);
  }
  return SPN_OK;
}

spn_status spn_origin_read(const spn_json *root, spn_origin *out, spn_err *err) {
  spn_json predicted = spn_json_get(root, "predicted"), target = spn_json_get(root, "target");
  *out = (spn_origin){0};
  SPN_TRY(read_text(root, "note", out->note, sizeof out->note, err));
  if (spn_json_is_null(&predicted)) return SPN_OK;
  SPN_TRY(spn_json_real(&predicted, 0, 1e15, &out->predicted, err));
  if (!spn_json_is_null(&target)) SPN_TRY(spn_json_real(&target, 0, 1e15, &out->target, err));
  SPN_TRY(read_text(root, "space", out->space, sizeof out->space, err));
  SPN_TRY(read_text(root, "method", out->method, sizeof out->method, err));
  SPN_TRY(read_text(root, "cost", out->cost, sizeof out->cost, err));
  SPN_TRY(read_text(root, "unit", out->unit, sizeof out->unit, err));
  SPN_TRY(read_limits(root, out, err));
  out->searched = 1;
  return SPN_OK;
}

void spn_origin_remark(spn_origin *o, const char *remark) {
  size_t used = strlen(o->note);
  snprintf(o->note + used, sizeof o->note - used, "%s%s", used ? "; " : "", remark);
}

void spn_origin_differ(spn_origin *o, const char *what) {
  char text[160];
  if (!o->searched) return;
  snprintf(text, sizeof text, "%.80s, not the network of %.4g %s", what, o->predicted, o->unit);
  spn_origin_remark(o, text);
  o->differs = 1;
}

int spn_origin_facts(const spn_origin *o, spn_origin_text *text, const char **facts) {
  int n = 0;
#define FACT(key, value) facts[n++] = (key), facts[n++] = (value)
  if (o->note[0]) FACT(SPN_ORIGIN_NOTE_KEY, o->note);
  if (!o->searched) return n;
  snprintf(text->predicted, sizeof text->predicted, "%.6f", o->predicted);
  snprintf(text->target, sizeof text->target, "%.9g", o->target);
  if (o->space[0]) FACT("spnas.space", o->space);
  FACT("spnas.method", o->method);
  FACT("spnas.cost", o->cost);
  FACT("spnas.unit", o->unit);
  if (o->target > 0) FACT("spnas.target", text->target);
  if (!o->differs) FACT("spnas.predicted", text->predicted);
  if (!o->differs && o->limits[0]) FACT("spnas.limits", o->limits);
#undef FACT
  return n;
}
