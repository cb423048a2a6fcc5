/* TFLite (LiteRT): channels last, convolutions with fused ReLU or ReLU6. The lowest versions of operators that can say
 * it, so that old runtimes read the file. */
#include "export/tflite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/facts.h"
#include "export/quantise.h"
#include "export/tflite_graph.h"

typedef struct {
  tfl_graph graph;
  const spn_lowered *net;
  const spn_tflite_int8 *int8; /* NULL: float */
  int *value;                  /* the tensor of each node */
  int at;                      /* the node under way */
} exporter;

static const spn_lowered_node *current(const exporter *e) { return &e->net->node[e->at]; }

static void name_of(const exporter *e, const char *suffix, char name[TFL_NAME]) {
  snprintf(name, TFL_NAME, "%.40s%.20s", current(e)->name, suffix);
}

static void set_quant(exporter *e, int number, spn_quant q) {
  spn_tfl_quantise(&e->graph, number, &q.scale, 1, q.zero, 0);
}

/* A tensor of the node's output shape; last: what the node gives, which may be an output of the network. */
static int tensor(exporter *e, const char *suffix, int last) {
  const spn_lowered_node *n = current(e);
  const char *output = last ? spn_lowered_output_name(e->net, e->at) : NULL;
  const int four[] = {1, n->h, n->w, n->c}, two[] = {1, n->c};
  char name[TFL_NAME];
  if (output) snprintf(name, sizeof name, "%s", output);
  else name_of(e, suffix, name);
  const int flat = n->kind == SPN_LOWERED_DENSE;
  const tfl_type type = e->int8 ? TFL_INT8 : TFL_FLOAT32;
  const int number = spn_tfl_tensor(&e->graph, name, type, flat ? 2 : 4, flat ? two : four, NULL, 0);
  if (e->int8) set_quant(e, number, spn_quant_of(e->int8->ranges[2 * e->at + last]));
  return number;
}

static int constant(exporter *e, const char *suffix, int dims, const int *shape, const float *data) {
  char name[TFL_NAME];
  size_t n = 1;
  for (int d = 0; d < dims; d++) n *= (size_t)shape[d];
  name_of(e, suffix, name);
  return spn_tfl_tensor(&e->graph, name, TFL_FLOAT32, dims, shape, data, n * sizeof *data);
}

static spn_quant quant_of_tensor(const exporter *e, int number) {
  const tfl_tensor *t = &e->graph.tensor[number];
  return e->graph.failed || !t->scale ? (spn_quant){1, 0} : (spn_quant){t->scale[0], t->zero};
}

static int integers(exporter *e, const char *suffix, int dims, const int *shape, const int32_t *data) {
  char name[TFL_NAME];
  size_t n = 1;
  for (int d = 0; d < dims; d++) n *= (size_t)shape[d];
  name_of(e, suffix, name);
  return spn_tfl_tensor(&e->graph, name, TFL_INT32, dims, shape, data, n * sizeof *data);
}

/* Scales of two factors and their product: from 1 on, an operator of a later version. */
static int large_product(const exporter *e, int a, int b, int output) {
  const tfl_tensor *t = e->graph.tensor;
  return t[a].scale && t[b].scale && t[output].scale && t[a].scale[0] * t[b].scale[0] >= t[output].scale[0];
}

/* The version of an operator that knows int8 (of float32: 1). */
static int version(const exporter *e, tfl_code code, int a, int b, int output) {
  if (!e->int8 || e->graph.failed) return 1;
  switch (code) {
    case TFL_CONV_2D:
    case TFL_DEPTHWISE_CONV_2D: return 3;
    case TFL_FULLY_CONNECTED: return 4;
    case TFL_MUL: return large_product(e, a, b, output) ? 3 : 2;
    case TFL_ADD:
    case TFL_PAD:
    case TFL_MEAN:
    case TFL_LOGISTIC:
    case TFL_RELU:
    case TFL_RELU6:
    case TFL_DEQUANTIZE: return 2;
    case TFL_QUANTIZE:
    case TFL_HARD_SWISH: break;
  }
  return 1;
}

static void add_op(exporter *e, tfl_code code, int a, int b, int c, tfl_op rest, int output) {
  rest.code = code;
  rest.version = version(e, code, a, b, output);
  rest.inputs[0] = a, rest.inputs[1] = b, rest.inputs[2] = c;
  rest.input_count = c >= 0 ? 3 : b >= 0 ? 2 : 1;
  rest.output = output;
  spn_tfl_op(&e->graph, &rest);
}

/* ---- Nodes ---- */

static tfl_fused fused(spn_fused act) {
  return act == SPN_FUSED_RELU ? TFL_FUSE_RELU : act == SPN_FUSED_RELU6 ? TFL_FUSE_RELU6 : TFL_FUSE_NONE;
}

static int fuses(spn_fused act) { return act == SPN_FUSED_NONE || fused(act) != TFL_FUSE_NONE; }

/* x with explicit zeros around it, as TFLite's own paddings are not what the node needs. */
static int padded(exporter *e, int x) {
  const spn_lowered_node *n = current(e), *from = &e->net->node[n->in[0]];
  const int shape[] = {1, from->h + n->y.before + n->y.after, from->w + n->x.before + n->x.after, from->c};
  const int32_t zeros[] = {0, 0, n->y.before, n->y.after, n->x.before, n->x.after, 0, 0};
  static const int sides[] = {4, 2};
  char name[TFL_NAME];
  name_of(e, ".padded", name);
  const int y = spn_tfl_tensor(&e->graph, name, e->int8 ? TFL_INT8 : TFL_FLOAT32, 4, shape, NULL, 0);
  if (e->int8) set_quant(e, y, quant_of_tensor(e, x));
  add_op(e, TFL_PAD, x, integers(e, ".pads", 2, sides, zeros), -1, (tfl_op){0}, y);
  return y;
}

static int same_axis(const spn_pad *pad, int in, const spn_lowered_node *n) {
  const spn_pad same = spn_pad_axis(SPN_PAD_SAME, in, n->kernel, n->stride);
  return same.before == pad->before && same.after == pad->after && same.out == pad->out;
}

/* The weight as a tensor: float, or int8 with a scale for each of `axis` (axis -1: one for all). x: what it multiplies.
 */
static int weight_tensor(exporter *e, int dims, const int *shape, const float *data, int x, int axis) {
  const spn_lowered_node *n = current(e);
  if (!e->int8) return constant(e, ".weight", dims, shape, data);
  char name[TFL_NAME];
  size_t total = 1;
  for (int d = 0; d < dims; d++) total *= (size_t)shape[d];
  const int scales = axis < 0 ? 1 : n->c;
  float *scale = malloc((size_t)scales * sizeof *scale);
  int8_t *q = malloc(total);
  int number = 0;
  name_of(e, ".weight", name);
  if (scale && q) {
    const spn_quant in = quant_of_tensor(e, x);
    spn_quantise_weight(data, total, n->bias, n->c, axis == dims - 1 && axis > 0, scales > 1, in.scale, scale, q);
    number = spn_tfl_tensor(&e->graph, name, TFL_INT8, dims, shape, q, total);
    spn_tfl_quantise(&e->graph, number, scale, scales, 0, axis < 0 ? 0 : axis);
  } else {
    e->graph.failed = 1;
  }
  free(scale);
  free(q);
  return number;
}

/* The bias: float, or int32 in units of the product of both scales. */
static int bias_tensor(exporter *e, int x, int weight) {
  const spn_lowered_node *n = current(e);
  if (!e->int8) return constant(e, ".bias", 1, &n->c, n->bias);
  const size_t c = (size_t)n->c;
  float *scale = malloc(c * sizeof *scale);
  int32_t *q = malloc(c * sizeof *q);
  int number = 0;
  if (scale && q && !e->graph.failed) {
    const tfl_tensor *w = &e->graph.tensor[weight];
    const spn_quant in = quant_of_tensor(e, x);
    for (size_t o = 0; o < c; o++) {
      scale[o] = in.scale * w->scale[w->scales > 1 ? o : 0];
      q[o] = (int32_t)llrint((double)n->bias[o] / (double)scale[o]);
    }
    const int scales = w->scales;
    number = integers(e, ".bias", 1, &n->c, q);
    spn_tfl_quantise(&e->graph, number, scale, scales, 0, 0);
  } else {
    e->graph.failed = 1;
  }
  free(scale);
  free(q);
  return number;
}

/* (O,I,K,K) -> (O,K,K,I); a depthwise weight is (1,K,K,C) as it lies. */
static int weight(exporter *e, int x) {
  const spn_lowered_node *n = current(e);
  const int in = e->net->node[n->in[0]].c, k = n->kernel;
  const int depthwise[] = {1, k, k, n->c}, dense[] = {n->c, k, k, in};
  if (n->kind == SPN_LOWERED_DEPTHWISE) return weight_tensor(e, 4, depthwise, n->weight, x, 3);
  const size_t taps = (size_t)(k * k), channels = (size_t)in, total = taps * channels * (size_t)n->c;
  float *turned = malloc(total * sizeof *turned);
  if (!turned) {
    e->graph.failed = 1;
    return 0;
  }
  for (size_t i = 0; i < total; i++)
    turned[i] = n->weight[(i / channels / taps * channels + i % channels) * taps + i / channels % taps];
  const int number = weight_tensor(e, 4, dense, turned, x, 0);
  free(turned);
  return number;
}

static void conv(exporter *e, int x, int y) {
  const spn_lowered_node *n = current(e), *from = &e->net->node[n->in[0]];
  tfl_op op = {.stride = n->stride, .fused = fused(n->act), .padding = TFL_SAME};
  if (!same_axis(&n->y, from->h, n) || !same_axis(&n->x, from->w, n)) {
    op.padding = TFL_VALID;
    if (n->y.before || n->y.after || n->x.before || n->x.after) x = padded(e, x);
  }
  const int w = weight(e, x);
  add_op(e, n->kind == SPN_LOWERED_CONV ? TFL_CONV_2D : TFL_DEPTHWISE_CONV_2D, x, w, bias_tensor(e, x, w), op, y);
}

static void scale(exporter *e, int x, int y) {
  const spn_lowered_node *n = current(e);
  const int product = tensor(e, ".scaled", 0);
  add_op(e, TFL_MUL, x, constant(e, ".weight", 1, &n->c, n->weight), -1, (tfl_op){0}, product);
  add_op(e, TFL_ADD, product, constant(e, ".bias", 1, &n->c, n->bias), -1, (tfl_op){.fused = fused(n->act)}, y);
}

static void pool(exporter *e, int x, int y) {
  static const int32_t axes[] = {1, 2};
  static const int two = 2;
  add_op(e, TFL_MEAN, x, integers(e, ".axes", 1, &two, axes), -1, (tfl_op){.keep_dims = 1}, y);
}

static void dense(exporter *e, int x, int y) {
  const spn_lowered_node *n = current(e);
  const int sides[] = {n->c, e->net->node[n->in[0]].c};
  const int w = weight_tensor(e, 2, sides, n->weight, x, -1);
  add_op(e, TFL_FULLY_CONNECTED, x, w, bias_tensor(e, x, w), (tfl_op){.fused = fused(n->act)}, y);
}

/* The node's tensor: one with the activation fused into it, or two with an operator between. */
static int emit(exporter *e) {
  const spn_lowered_node *n = current(e);
  const int x = n->in[0] < 0 ? -1 : e->value[n->in[0]], other = n->in[1] < 0 ? -1 : e->value[n->in[1]];
  const int y = tensor(e, "", fuses(n->act));
  switch (n->kind) {
    case SPN_LOWERED_INPUT:
    case SPN_LOWERED_NORM: break;
    case SPN_LOWERED_CONV:
    case SPN_LOWERED_DEPTHWISE: conv(e, x, y); break;
    case SPN_LOWERED_SCALE: scale(e, x, y); break;
    case SPN_LOWERED_POOL: pool(e, x, y); break;
    case SPN_LOWERED_MUL: add_op(e, TFL_MUL, x, other, -1, (tfl_op){.fused = fused(n->act)}, y); break;
    case SPN_LOWERED_ADD: add_op(e, TFL_ADD, x, other, -1, (tfl_op){.fused = fused(n->act)}, y); break;
    case SPN_LOWERED_DENSE: dense(e, x, y); break;
  }
  if (fuses(n->act)) return y;
  const int active = tensor(e, ".act", 1);
  if (e->int8 && n->act == SPN_FUSED_SIGMOID) set_quant(e, active, (spn_quant){1.0f / 256, -128}); /* TFLite's own */
  add_op(e, n->act == SPN_FUSED_HSWISH ? TFL_HARD_SWISH : TFL_LOGISTIC, y, -1, -1, (tfl_op){0}, active);
  return active;
}

/* Float input or output of an int8 network: another tensor, and an operator between. Returns the new tensor. */
static int float_end(exporter *e, int number, tfl_code code, const char *end) {
  char name[TFL_NAME];
  if (e->graph.failed) return 0;
  snprintf(name, sizeof name, "%.40s_float", end);
  const tfl_tensor t = e->graph.tensor[number];
  const int given = spn_tfl_tensor(&e->graph, name, TFL_FLOAT32, t.dims, t.shape, NULL, 0);
  if (code == TFL_QUANTIZE) add_op(e, code, given, -1, -1, (tfl_op){0}, number);
  else add_op(e, code, number, -1, -1, (tfl_op){0}, given);
  return given;
}

static spn_status check(const spn_lowered *net, const char *path, spn_err *err) {
  for (int i = 0; i < net->count; i++)
    if (net->node[i].kind == SPN_LOWERED_NORM)
      return spn_fail(err, SPN_EINPUT, "%s: TFLite has no batch norm: expected it folded, got %s", path,
                      net->node[i].name);
  return SPN_OK;
}

spn_status spn_tflite_write(const spn_lowered *net, const spn_tflite_int8 *int8, const char *name, const char *metadata,
                            const char *path, spn_err *err) {
  const int float_ends = int8 && !int8->int8_io;
  SPN_TRY(check(net, path, err));
  exporter e = {.net = net, .int8 = int8, .value = calloc((size_t)net->count, sizeof *e.value)};
  if (!e.value) return spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  e.value[0] = emit(&e);
  e.graph.input = (tfl_end){net->input, e.value[0]};
  if (float_ends) e.graph.input.tensor = float_end(&e, e.value[0], TFL_QUANTIZE, net->input);
  for (e.at = 1; e.at < net->count; e.at++) e.value[e.at] = emit(&e);
  for (int i = 0; i < net->outputs; i++) {
    const char *output = net->output[i].name;
    const int number = e.value[net->output[i].node];
    e.graph.output[e.graph.outputs++] = (tfl_end){output,
                                                  float_ends ? float_end(&e, number, TFL_DEQUANTIZE, output) : number};
  }
  const tfl_file file = {.description = name, .metadata_name = "spnas", .metadata = metadata};
  spn_status status = spn_tfl_save(&e.graph, &file, path, err);
  spn_tfl_free(&e.graph);
  free(e.value);
  return status;
}

/* ---- The exporter ---- */

static spn_status facts_text(const spn_facts *facts, char **text, spn_err *err) {
  spn_json_writer w = {0};
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_status status = spn_facts_put(facts, &w, err);
  spn_json_end(&w);
  if (status) {
    spn_json_writer_free(&w);
    return status;
  }
  *text = spn_json_take(&w);
  return *text ? SPN_OK : spn_fail(err, SPN_ENOMEM, "export: out of memory");
}

/* Float when ranges is NULL. */
static spn_status write_lowered(const spn_arch *arch, const spn_lowered *net, const spn_export_options *options,
                                const spn_tflite_int8 *int8, const char *path, spn_err *err) {
  const spn_facts facts = {arch, options, "NHWC", net};
  char *text;
  SPN_TRY(facts_text(&facts, &text, err));
  spn_status status = spn_tflite_write(net, int8, arch->name, text, path, err);
  free(text);
  return status;
}

static spn_status write_tflite(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                               const char *path, spn_err *err) {
  spn_export_options folded = *options;
  folded.fold_bn = 1;
  spn_lowered *net;
  SPN_TRY(spn_lower(arch, weights, &folded, NULL, &net, err));
  spn_status status = write_lowered(arch, net, &folded, NULL, path, err);
  spn_lowered_free(net);
  return status;
}

const spn_exporter spn_exporter_tflite = {.suffix = ".tflite",
                                          .about = "TFLite (LiteRT), float, for phones; batch norm is always folded",
                                          .write = write_tflite,
                                          .read = spn_tflite_read,
                                          .takes_pixels = 1,
                                          .takes_endpoints = 1};

/* ---- int8 ---- */

static spn_status calibrate(const spn_lowered *net, const spn_export_options *o, spn_range *ranges, spn_err *err) {
  for (int i = 0; i < 2 * net->count; i++) ranges[i] = SPN_RANGE_NONE;
  return spn_interpret(net, o->threads > 0 ? o->threads : 1, o->samples, o->sample_count, NULL, ranges, err);
}

static spn_status write_int8(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                             const char *path, spn_err *err) {
  spn_export_options own = *options;
  own.fold_bn = 1;
  own.input = SPN_INPUT_NORMALISED;
  spn_lowered *net;
  SPN_TRY(spn_lower(arch, weights, &own, NULL, &net, err)); /* wrong weights are told before missing images */
  spn_range *ranges = malloc(2 * (size_t)net->count * sizeof *ranges);
  spn_status status = ranges ? SPN_OK : spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  if (!status && (!own.samples || own.sample_count < 1))
    status = spn_fail(err, SPN_EINPUT, "%s: int8 needs images to choose its ranges by (--data), got none", path);
  if (!status) status = calibrate(net, &own, ranges, err);
  if (!status) {
    const spn_tflite_int8 int8 = {ranges, own.int8_io};
    status = write_lowered(arch, net, &own, &int8, path, err);
  }
  free(ranges);
  spn_lowered_free(net);
  return status;
}

const spn_exporter spn_exporter_tflite_int8 = {.suffix = ".int8.tflite",
                                               .about = "TFLite, full-integer int8; needs --data for its ranges",
                                               .write = write_int8,
                                               .read = spn_tflite_read,
                                               .takes_endpoints = 1,
                                               .approximate = 1};
