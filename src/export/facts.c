#include "export/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_write.h"

typedef struct {
  spn_fact_fn put;
  void *context;
} sink;

static int has_fact(const spn_export_options *options, size_t from, const char *key) {
  for (size_t i = from; i < options->fact_count; i++)
    if (!strcmp(options->facts[i].key, key)) return 1;
  return 0;
}

static void ours(const sink *to, const spn_export_options *options, const char *key, const char *value) {
  if (!has_fact(options, 0, key)) to->put(to->context, key, value);
}

static void number(const sink *to, const spn_export_options *options, const char *key, double value) {
  char text[32];
  snprintf(text, sizeof text, "%.9g", value);
  ours(to, options, key, text);
}

/* "0.485,0.456,0.406", one number a channel. */
static void vector(const sink *to, const spn_export_options *options, const char *key, const double *value, int n) {
  char text[96] = "";
  for (int i = 0; i < n; i++) snprintf(text + strlen(text), sizeof text - strlen(text), i ? ",%.9g" : "%.9g", value[i]);
  ours(to, options, key, text);
}

/* As a JSON array. */
static spn_status class_names(const sink *to, const spn_arch *arch, const spn_export_options *options, spn_err *err) {
  spn_json_writer w = {0};
  spn_json_array(&w, NULL, SPN_JSON_INLINE);
  for (int i = 0; i < arch->classes; i++) spn_json_put_text(&w, NULL, options->class_names[i]);
  spn_json_end(&w);
  char *text = spn_json_take(&w);
  if (!text) return spn_fail(err, SPN_ENOMEM, "export: out of memory");
  ours(to, options, "class_names", text);
  free(text);
  return SPN_OK;
}

/* One feature map: {"layer": "block.3", "channels": 40, "height": 28, "width": 28}. */
static spn_status endpoint(const sink *to, const spn_facts *f, int number, const spn_lowered_output *output,
                           spn_err *err) {
  const spn_endpoints *e = &f->options->endpoints;
  const spn_lowered_node *n = &f->net->node[output->node];
  char key[32];
  spn_endpoint at;
  spn_json_writer w = {0};
  SPN_TRY(spn_endpoint_find(f->arch, e->stride[number], e->layer, &at, err));
  spn_json_object(&w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(&w, "layer", at.name);
  spn_json_put_integer(&w, "channels", n->c);
  spn_json_put_integer(&w, "height", n->h);
  spn_json_put_integer(&w, "width", n->w);
  spn_json_end(&w);
  char *text = spn_json_take(&w);
  if (!text) return spn_fail(err, SPN_ENOMEM, "export: out of memory");
  snprintf(key, sizeof key, "output.%s", output->name);
  ours(to, f->options, key, text);
  free(text);
  return SPN_OK;
}

static spn_status outputs(const sink *to, const spn_facts *f, spn_err *err) {
  char names[SPN_MAX_OUTPUTS * 17] = "";
  for (int i = 0; f->net && i < f->net->outputs; i++) {
    snprintf(names + strlen(names), sizeof names - strlen(names), i ? ",%s" : "%s", f->net->output[i].name);
    if (i < f->options->endpoints.count) SPN_TRY(endpoint(to, f, i, &f->net->output[i], err));
  }
  ours(to, f->options, "output", f->net ? names : "logits");
  return SPN_OK;
}

spn_status spn_facts_each(const spn_facts *facts, spn_fact_fn put, void *context, spn_err *err) {
  const spn_arch *arch = facts->arch;
  const spn_export_options *options = facts->options;
  const sink self = {put, context}, *to = &self;
  const int graph = options->input == SPN_INPUT_PIXELS;
  number(to, options, "input.size", arch->input_size);
  ours(to, options, "input.channel_order", arch->input_channels == 3 ? "RGB" : "gray");
  ours(to, options, "input.layout", facts->layout);
  ours(to, options, "input.normalisation", graph ? "graph" : "caller");
  ours(to, options, "input.range", graph ? "0..255" : "normalised");
  ours(to, options, "input.formula", graph ? "pixel" : "(pixel / 255 - mean) / std");
  vector(to, options, "input.mean", options->mean, arch->input_channels);
  vector(to, options, "input.std", options->std, arch->input_channels);
  if (options->resize) number(to, options, "input.resize", options->resize);
  if (options->crop_fraction > 0) number(to, options, "input.crop_fraction", options->crop_fraction);
  if (options->resize_filter) ours(to, options, "input.resize_filter", options->resize_filter);
  SPN_TRY(outputs(to, facts, err));
  number(to, options, "classes", arch->classes);
  ours(to, options, "batch_norm", options->fold_bn ? "folded" : "kept");
  if (options->class_names) SPN_TRY(class_names(to, arch, options, err));
  for (size_t i = 0; i < options->fact_count; i++)
    if (!has_fact(options, i + 1, options->facts[i].key)) put(context, options->facts[i].key, options->facts[i].value);
  return SPN_OK;
}

static void put_member(void *context, const char *key, const char *value) { spn_json_put_text(context, key, value); }

spn_status spn_facts_put(const spn_facts *facts, spn_json_writer *w, spn_err *err) {
  return spn_facts_each(facts, put_member, w, err);
}
