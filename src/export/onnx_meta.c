#include "export/onnx_meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_write.h"

enum { MODEL_METADATA = 14, ENTRY_KEY = 1, ENTRY_VALUE = 2 }; /* of onnx.proto */

static void entry(spn_pb *pb, const char *key, const char *value) {
  size_t mark = spn_pb_open(pb, MODEL_METADATA);
  spn_pb_string(pb, ENTRY_KEY, key);
  spn_pb_string(pb, ENTRY_VALUE, value);
  spn_pb_close(pb, mark);
}

static int has_fact(const spn_export_options *options, size_t from, const char *key) {
  for (size_t i = from; i < options->fact_count; i++)
    if (!strcmp(options->facts[i].key, key)) return 1;
  return 0;
}

static void ours(spn_pb *pb, const spn_export_options *options, const char *key, const char *value) {
  if (!has_fact(options, 0, key)) entry(pb, key, value);
}

static void number(spn_pb *pb, const spn_export_options *options, const char *key, double value) {
  char text[32];
  snprintf(text, sizeof text, "%.9g", value);
  ours(pb, options, key, text);
}

/* "0.485,0.456,0.406", one number a channel. */
static void vector(spn_pb *pb, const spn_export_options *options, const char *key, const double *value, int n) {
  char text[96] = "";
  for (int i = 0; i < n; i++) snprintf(text + strlen(text), sizeof text - strlen(text), i ? ",%.9g" : "%.9g", value[i]);
  ours(pb, options, key, text);
}

static void class_names(spn_pb *pb, const spn_arch *arch, const spn_export_options *options) {
  spn_json_writer w = {0};
  spn_json_array(&w, NULL, SPN_JSON_INLINE);
  for (int i = 0; i < arch->classes; i++) spn_json_put_text(&w, NULL, options->class_names[i]);
  spn_json_end(&w);
  char *text = spn_json_take(&w);
  if (text) ours(pb, options, "class_names", text);
  else pb->failed = 1;
  free(text);
}

void spn_onnx_metadata(spn_pb *pb, const spn_arch *arch, const spn_export_options *options) {
  const int graph = options->input == SPN_INPUT_PIXELS;
  number(pb, options, "input.size", arch->input_size);
  ours(pb, options, "input.channel_order", arch->input_channels == 3 ? "RGB" : "gray");
  ours(pb, options, "input.layout", "NCHW");
  ours(pb, options, "input.normalisation", graph ? "graph" : "caller");
  ours(pb, options, "input.range", graph ? "0..255" : "normalised");
  ours(pb, options, "input.formula", graph ? "pixel" : "(pixel / 255 - mean) / std");
  vector(pb, options, "input.mean", options->mean, arch->input_channels);
  vector(pb, options, "input.std", options->std, arch->input_channels);
  if (options->resize) number(pb, options, "input.resize", options->resize);
  if (options->crop_fraction > 0) number(pb, options, "input.crop_fraction", options->crop_fraction);
  if (options->resize_filter) ours(pb, options, "input.resize_filter", options->resize_filter);
  ours(pb, options, "output", "logits");
  number(pb, options, "classes", arch->classes);
  ours(pb, options, "batch_norm", options->fold_bn ? "folded" : "kept");
  if (options->class_names) class_names(pb, arch, options);
  for (size_t i = 0; i < options->fact_count; i++)
    if (!has_fact(options, i + 1, options->facts[i].key)) entry(pb, options->facts[i].key, options->facts[i].value);
}
