/* ONNX: the network as nodes of operator set 13 (IR 7) or 17 (IR 8). The lowest versions that can say it are used,
 * because runtimes refuse newer files and read older ones. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/onnx_graph.h"
#include "export/onnx_meta.h"
#include "export/weights.h"
#include "io/file.h"

/* Field numbers of onnx.proto. */
enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum { OPSET_DOMAIN = 1, OPSET_VERSION = 2, GRAPH_NAME = 2 };
static const size_t MAX_MODEL = ((size_t)1 << 31) - 1; /* what protobuf readers accept */

typedef struct {
  onnx_graph graph;
  const spn_arch *arch;
  const spn_tensors *weights;
  const spn_export_options *options;
  spn_err *err;
  int clip; /* the constants of ReLU6 are there */
} exporter;

/* A convolution and what follows it. Weights are `<weights>.weight` and, without bn, `<weights>.bias`. */
typedef struct {
  const char *weights, *bn; /* prefixes; bn NULL: a bias instead */
  int out, kernel, stride, depthwise;
} layer;

/* Continues x with the value `prefix``suffix`, of the same size. */
static onnx_value follow(const onnx_value *x, const char *prefix, const char *suffix) {
  onnx_value y = *x;
  spn_onnx_name(y.name, prefix, suffix);
  return y;
}

static void vector_constant(exporter *e, const char *prefix, const char *suffix, int n, const float *data,
                            char name[ONNX_NAME]) {
  const int64_t shape[] = {n};
  spn_onnx_name(name, prefix, suffix);
  spn_onnx_constant(&e->graph, name, 1, shape, data);
}

/* ---- Convolutions ---- */

/* Writes the weight as (O,I,K,K), from (K,K,C) when depthwise, row o times scale[o] (NULL: 1). */
static spn_status weight_constant(exporter *e, const layer *l, int in, const double *scale, char name[ONNX_NAME]) {
  const int k = l->kernel, group_in = l->depthwise ? 1 : in;
  const size_t oikk[] = {(size_t)l->out, (size_t)in, (size_t)k, (size_t)k},
               kkc[] = {(size_t)k, (size_t)k, (size_t)l->out};
  const int64_t shape[] = {l->out, group_in, k, k};
  const float *w;
  char source[ONNX_NAME];
  snprintf(source, sizeof source, "%s.weight", l->weights);
  SPN_TRY(spn_weight_find(e->weights, source, l->depthwise ? 3 : 4, l->depthwise ? kkc : oikk, &w, e->err));
  const size_t row = (size_t)group_in * (size_t)k * (size_t)k;
  float *folded = malloc((size_t)l->out * row * sizeof *folded);
  if (!folded) return spn_fail(e->err, SPN_ENOMEM, "export: out of memory");
  int finite = 1;
  for (size_t o = 0; o < (size_t)l->out; o++)
    for (size_t i = 0; i < row; i++) {
      double value = l->depthwise ? w[i * (size_t)l->out + o] : w[o * row + i];
      folded[o * row + i] = (float)(scale ? value * scale[o] : value);
      finite &= isfinite(folded[o * row + i]) != 0;
    }
  spn_onnx_name(name, l->weights, "_weight");
  spn_onnx_constant(&e->graph, name, 4, shape, folded);
  free(folded);
  return finite ? SPN_OK : spn_fail(e->err, SPN_ENUMERIC, "export: %s overflows with its batch norm folded in", source);
}

/* The Conv node from x; bias NULL: none. */
static onnx_value conv_node(exporter *e, const layer *l, const onnx_value *x, const char *weight, const char *bias,
                            const char *suffix) {
  const spn_pad v = spn_pad_axis(e->arch->padding, x->h, l->kernel, l->stride);
  const spn_pad h = spn_pad_axis(e->arch->padding, x->w, l->kernel, l->stride);
  const int64_t pads[] = {v.before, h.before, v.after, h.after};
  const int64_t kernel[] = {l->kernel, l->kernel}, strides[] = {l->stride, l->stride};
  const char *const inputs[] = {x->name, weight, bias, NULL};
  onnx_value y = follow(x, l->weights, suffix);
  y.c = l->out;
  y.h = v.out;
  y.w = h.out;
  size_t mark = spn_onnx_begin(&e->graph, "Conv", inputs, y.name);
  spn_onnx_ints(&e->graph, "kernel_shape", 2, kernel);
  spn_onnx_ints(&e->graph, "strides", 2, strides);
  spn_onnx_ints(&e->graph, "pads", 4, pads);
  spn_onnx_int(&e->graph, "group", l->depthwise ? l->out : 1);
  spn_onnx_end(&e->graph, mark);
  spn_onnx_declare(&e->graph, ONNX_EDGE, &y);
  return y;
}

static spn_status conv_with_bias(exporter *e, const layer *l, onnx_value *x) {
  const size_t shape[] = {(size_t)l->out};
  char weight[ONNX_NAME], bias[ONNX_NAME];
  const float *b;
  SPN_TRY(weight_constant(e, l, x->c, NULL, weight));
  snprintf(bias, sizeof bias, "%s.bias", l->weights);
  SPN_TRY(spn_weight_find(e->weights, bias, 1, shape, &b, e->err));
  vector_constant(e, l->weights, "_bias", l->out, b, bias);
  *x = conv_node(e, l, x, weight, bias, "_out");
  return SPN_OK;
}

static spn_status conv_with_norm(exporter *e, const layer *l, const spn_weight_bn *bn, onnx_value *x) {
  char weight[ONNX_NAME], part[4][ONNX_NAME];
  SPN_TRY(weight_constant(e, l, x->c, NULL, weight));
  *x = conv_node(e, l, x, weight, NULL, "_out");
  vector_constant(e, l->bn, "_gamma", l->out, bn->gamma, part[0]);
  vector_constant(e, l->bn, "_beta", l->out, bn->beta, part[1]);
  vector_constant(e, l->bn, "_mean", l->out, bn->mean, part[2]);
  vector_constant(e, l->bn, "_var", l->out, bn->var, part[3]);
  const char *const inputs[] = {x->name, part[0], part[1], part[2], part[3], NULL};
  onnx_value y = follow(x, l->bn, "_out");
  size_t mark = spn_onnx_begin(&e->graph, "BatchNormalization", inputs, y.name);
  spn_onnx_float(&e->graph, "epsilon", (float)e->arch->bn_eps);
  spn_onnx_float(&e->graph, "momentum", (float)e->arch->bn_momentum);
  spn_onnx_end(&e->graph, mark);
  spn_onnx_declare(&e->graph, ONNX_EDGE, &y);
  *x = y;
  return SPN_OK;
}

static spn_status conv_folded(exporter *e, const layer *l, const spn_weight_bn *bn, onnx_value *x) {
  const size_t n = (size_t)l->out;
  double *scale = malloc(2 * n * sizeof *scale);
  float *shift = malloc(n * sizeof *shift);
  char weight[ONNX_NAME], bias[ONNX_NAME];
  spn_status status = scale && shift ? SPN_OK : spn_fail(e->err, SPN_ENOMEM, "export: out of memory");
  if (!status) {
    spn_weight_fold(bn, l->out, e->arch->bn_eps, scale, scale + n);
    for (size_t c = 0; c < n; c++) shift[c] = (float)scale[n + c];
    status = weight_constant(e, l, x->c, scale, weight);
  }
  if (!status) {
    vector_constant(e, l->weights, "_bias", l->out, shift, bias);
    *x = conv_node(e, l, x, weight, bias, "_out");
  }
  free(shift);
  free(scale);
  return status;
}

static spn_status emit_conv(exporter *e, const layer *l, onnx_value *x) {
  spn_weight_bn bn;
  if (!l->bn) return conv_with_bias(e, l, x);
  SPN_TRY(spn_weight_find_bn(e->weights, l->bn, l->out, &bn, e->err));
  return e->options->fold_bn ? conv_folded(e, l, &bn, x) : conv_with_norm(e, l, &bn, x);
}

/* ---- Activations and other small nodes ---- */

static void unary(exporter *e, const char *op, const char *prefix, const char *suffix, onnx_value *x) {
  const char *const inputs[] = {x->name, NULL};
  onnx_value y = follow(x, prefix, suffix);
  spn_onnx_node(&e->graph, op, inputs, y.name);
  spn_onnx_declare(&e->graph, ONNX_EDGE, &y);
  *x = y;
}

static void binary(exporter *e, const char *op, const char *prefix, const char *suffix, onnx_value *x,
                   const char *other) {
  const char *const inputs[] = {x->name, other, NULL};
  onnx_value y = follow(x, prefix, suffix);
  spn_onnx_node(&e->graph, op, inputs, y.name);
  spn_onnx_declare(&e->graph, ONNX_EDGE, &y);
  *x = y;
}

static void relu6(exporter *e, const char *prefix, onnx_value *x) {
  static const float bounds[] = {0, 6};
  if (!e->clip) {
    spn_onnx_constant(&e->graph, "relu6_min", 0, NULL, &bounds[0]);
    spn_onnx_constant(&e->graph, "relu6_max", 0, NULL, &bounds[1]);
    e->clip = 1;
  }
  const char *const inputs[] = {x->name, "relu6_min", "relu6_max", NULL};
  onnx_value y = follow(x, prefix, "_act");
  spn_onnx_node(&e->graph, "Clip", inputs, y.name);
  spn_onnx_declare(&e->graph, ONNX_EDGE, &y);
  *x = y;
}

/* x * hardsigmoid(x): the HardSwish operator came with set 14. */
static void hswish(exporter *e, const char *prefix, onnx_value *x) {
  if (e->options->opset >= 14) {
    unary(e, "HardSwish", prefix, "_act", x);
    return;
  }
  const char *const inputs[] = {x->name, NULL};
  onnx_value gate = follow(x, prefix, "_gate");
  size_t mark = spn_onnx_begin(&e->graph, "HardSigmoid", inputs, gate.name);
  spn_onnx_float(&e->graph, "alpha", 1.0f / 6);
  spn_onnx_float(&e->graph, "beta", 0.5f);
  spn_onnx_end(&e->graph, mark);
  spn_onnx_declare(&e->graph, ONNX_EDGE, &gate);
  binary(e, "Mul", prefix, "_act", x, gate.name);
}

static void activation(exporter *e, const char *prefix, onnx_value *x) {
  switch (e->arch->activation) {
    case SPN_ACT_NONE: break;
    case SPN_ACT_RELU: unary(e, "Relu", prefix, "_act", x); break;
    case SPN_ACT_RELU6: relu6(e, prefix, x); break;
    case SPN_ACT_HSWISH: hswish(e, prefix, x); break;
  }
}

static void global_pool(exporter *e, const char *prefix, onnx_value *x) {
  const char *const inputs[] = {x->name, NULL};
  onnx_value y = follow(x, prefix, "_pool");
  y.h = y.w = 1;
  spn_onnx_node(&e->graph, "GlobalAveragePool", inputs, y.name);
  spn_onnx_declare(&e->graph, ONNX_EDGE, &y);
  *x = y;
}

/* ---- The network ---- */

static spn_status squeeze_excite(exporter *e, const char *block, int squeeze, onnx_value *x) {
  char prefix[ONNX_NAME], reduce[ONNX_NAME], expand[ONNX_NAME];
  snprintf(prefix, sizeof prefix, "%s.se", block);
  snprintf(reduce, sizeof reduce, "%s.se.reduce", block);
  snprintf(expand, sizeof expand, "%s.se.expand", block);
  const layer first = {.weights = reduce, .out = squeeze, .kernel = 1, .stride = 1};
  const layer second = {.weights = expand, .out = x->c, .kernel = 1, .stride = 1};
  onnx_value gate = *x;
  global_pool(e, prefix, &gate);
  SPN_TRY(emit_conv(e, &first, &gate));
  unary(e, "Relu", reduce, "_act", &gate);
  SPN_TRY(emit_conv(e, &second, &gate));
  unary(e, "Sigmoid", expand, "_act", &gate);
  binary(e, "Mul", prefix, "_out", x, gate.name);
  return SPN_OK;
}

static spn_status block(exporter *e, int i, onnx_value *x) {
  const spn_block *b = &e->arch->block[i];
  const onnx_value input = *x;
  char prefix[32], weights[3][ONNX_NAME], bn[3][ONNX_NAME];
  static const char *const part[] = {"expand", "dw", "project"};
  snprintf(prefix, sizeof prefix, "block.%d", i);
  for (int p = 0; p < 3; p++) {
    snprintf(weights[p], ONNX_NAME, "%s.%s", prefix, part[p]);
    snprintf(bn[p], ONNX_NAME, "%s.%s.bn", prefix, part[p]);
  }
  const int expanded = spn_block_expanded(b), squeeze = spn_block_squeeze(b);
  const layer expand = {weights[0], bn[0], expanded, 1, 1, 0};
  const layer depthwise = {weights[1], bn[1], expanded, b->kernel, b->stride, 1};
  const layer project = {weights[2], bn[2], b->out, 1, 1, 0};
  if (b->expand != 1) {
    SPN_TRY(emit_conv(e, &expand, x));
    activation(e, weights[0], x);
  }
  SPN_TRY(emit_conv(e, &depthwise, x));
  activation(e, weights[1], x);
  if (squeeze) SPN_TRY(squeeze_excite(e, prefix, squeeze, x));
  SPN_TRY(emit_conv(e, &project, x));
  if (b->residual) binary(e, "Add", prefix, "_out", x, input.name);
  return SPN_OK;
}

/* (pixel - 255 mean) / (255 std), as two nodes, so that the first convolution's padding stays zero after it. */
static void normalise(exporter *e, onnx_value *x) {
  const int64_t shape[] = {1, x->c, 1, 1};
  float mean[3], std[3];
  for (int c = 0; c < x->c; c++) {
    mean[c] = (float)(e->options->mean[c] * 255);
    std[c] = (float)(e->options->std[c] * 255);
  }
  spn_onnx_constant(&e->graph, "pixel_mean", 4, shape, mean);
  spn_onnx_constant(&e->graph, "pixel_std", 4, shape, std);
  binary(e, "Sub", "image", "_centred", x, "pixel_mean");
  binary(e, "Div", "image", "_normalised", x, "pixel_std");
}

static spn_status classifier(exporter *e, onnx_value *x) {
  const size_t shape[] = {(size_t)e->arch->classes, (size_t)x->c};
  const int64_t sides[] = {e->arch->classes, x->c};
  char bias[ONNX_NAME];
  const float *w, *b;
  SPN_TRY(spn_weight_find(e->weights, "classifier.weight", 2, shape, &w, e->err));
  SPN_TRY(spn_weight_find(e->weights, "classifier.bias", 1, shape, &b, e->err));
  const char *const pooled[] = {x->name, NULL};
  onnx_value flat = {.name = "features", .c = x->c}, logits = {.name = "logits", .c = e->arch->classes};
  size_t mark = spn_onnx_begin(&e->graph, "Flatten", pooled, flat.name);
  spn_onnx_int(&e->graph, "axis", 1);
  spn_onnx_end(&e->graph, mark);
  spn_onnx_declare(&e->graph, ONNX_EDGE, &flat);
  spn_onnx_constant(&e->graph, "classifier_weight", 2, sides, w);
  vector_constant(e, "classifier", "_bias", e->arch->classes, b, bias);
  const char *const inputs[] = {flat.name, "classifier_weight", bias, NULL};
  mark = spn_onnx_begin(&e->graph, "Gemm", inputs, logits.name);
  spn_onnx_int(&e->graph, "transB", 1);
  spn_onnx_end(&e->graph, mark);
  spn_onnx_declare(&e->graph, ONNX_OUTPUT, &logits);
  return SPN_OK;
}

static spn_status network(exporter *e) {
  const spn_arch *a = e->arch;
  const layer stem = {"stem.conv", "stem.bn", a->stem_channels, a->stem_kernel, a->stem_stride, 0};
  const layer head = {"head.conv", "head.bn", a->head_channels, 1, 1, 0};
  onnx_value x = {.name = "image", .c = a->input_channels, .h = a->input_size, .w = a->input_size};
  spn_onnx_declare(&e->graph, ONNX_INPUT, &x);
  if (e->options->input == SPN_INPUT_PIXELS) normalise(e, &x);
  SPN_TRY(emit_conv(e, &stem, &x));
  activation(e, "stem", &x);
  for (int i = 0; i < a->blocks; i++)
    if (!a->block[i].skipped) SPN_TRY(block(e, i, &x));
  if (a->head_channels) {
    SPN_TRY(emit_conv(e, &head, &x));
    activation(e, "head", &x);
  }
  global_pool(e, "features", &x);
  return classifier(e, &x);
}

/* ---- The file ---- */

/* The network's name as a C identifier, as ONNX asks of names. */
static void put_graph_name(exporter *e) {
  char name[sizeof e->arch->name + 1] = "network";
  for (size_t i = 0; i + 1 < sizeof name && e->arch->name[i]; i++) {
    char c = e->arch->name[i];
    int letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
    name[i] = letter || (digit && i) ? c : '_';
    name[i + 1] = 0;
  }
  spn_pb_string(&e->graph.pb, GRAPH_NAME, name);
}

static void model(const exporter *e, spn_pb *pb) {
  spn_pb_int(pb, MODEL_IR, e->options->opset == 13 ? 7 : 8);
  spn_pb_string(pb, MODEL_PRODUCER, "spnas");
  if (e->options->version) spn_pb_string(pb, MODEL_PRODUCER_VERSION, e->options->version);
  size_t opset = spn_pb_open(pb, MODEL_OPSET);
  spn_pb_string(pb, OPSET_DOMAIN, "");
  spn_pb_int(pb, OPSET_VERSION, e->options->opset);
  spn_pb_close(pb, opset);
  spn_onnx_metadata(pb, e->arch, e->options);
}

/* The graph's size is known, so it need not be copied into the model: head and graph are written one after the other.
 */
static spn_status write_model(exporter *e, const char *path) {
  spn_pb pb = {0};
  spn_file *f;
  model(e, &pb);
  spn_pb_bytes_header(&pb, MODEL_GRAPH, e->graph.pb.size);
  spn_status status = SPN_OK;
  if (pb.failed || e->graph.pb.failed) status = spn_fail(e->err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  else if (pb.size + e->graph.pb.size > MAX_MODEL)
    status = spn_fail(e->err, SPN_EINPUT, "%s: expected a model below 2 GiB, got %zu bytes", path, e->graph.pb.size);
  else status = spn_file_create(path, &f, e->err);
  if (!status) {
    status = spn_file_append(f, pb.data, pb.size, e->err);
    if (!status) status = spn_file_append(f, e->graph.pb.data, e->graph.pb.size, e->err);
    if (status) spn_file_abort(f);
    else status = spn_file_commit(f, e->err);
  }
  spn_pb_free(&pb);
  return status;
}

static spn_status write_onnx(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                             const char *path, spn_err *err) {
  exporter e = {.arch = arch, .weights = weights, .options = options, .err = err};
  if (options->opset != 13 && options->opset != 17)
    return spn_fail(err, SPN_EINPUT, "export: expected opset 13 or 17, got %d", options->opset);
  put_graph_name(&e);
  spn_status status = network(&e);
  if (!status) status = write_model(&e, path);
  spn_pb_free(&e.graph.pb);
  return status;
}

const spn_exporter spn_exporter_onnx = {
    .suffix = ".onnx", .about = "ONNX, for onnxruntime and most other runtimes", .write = write_onnx};
