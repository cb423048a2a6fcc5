/* ONNX: the network as nodes of operator set 13 (IR 7) or 17 (IR 8). The lowest versions that can say it are used,
 * because runtimes refuse newer files and read older ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/onnx_graph.h"
#include "export/onnx_read.h"
#include "export/facts.h"
#include "export/lower.h"
#include "io/file.h"

/* Field numbers of onnx.proto. */
enum {
  MODEL_IR = 1,
  MODEL_PRODUCER = 2,
  MODEL_PRODUCER_VERSION = 3,
  MODEL_GRAPH = 7,
  MODEL_OPSET = 8,
  MODEL_METADATA = 14
};
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { OPSET_DOMAIN = 1, OPSET_VERSION = 2, GRAPH_NAME = 2 };
static const size_t MAX_MODEL = ((size_t)1 << 31) - 1; /* what protobuf readers accept */

typedef struct {
  onnx_graph graph;
  const spn_arch *arch;
  const spn_export_options *options;
  const spn_lowered *net;
  onnx_value *value; /* what each node gives */
  int clip;          /* the constants of ReLU6 are there */
  int at;            /* the node under way */
} exporter;

/* The value x, renamed: the node's name with a suffix, or an output's name where no more of the node follows. */
static onnx_value follow(const exporter *e, const onnx_value *x, const char *suffix, int last) {
  const char *name = last ? spn_lowered_output_name(e->net, e->at) : NULL;
  onnx_value y = *x;
  if (name) snprintf(y.name, sizeof y.name, "%s", name);
  else spn_onnx_name(y.name, e->net->node[e->at].name, suffix);
  return y;
}

static void declare(exporter *e, const onnx_value *y) {
  const char *name = spn_lowered_output_name(e->net, e->at);
  spn_onnx_declare(&e->graph, name && !strcmp(y->name, name) ? ONNX_OUTPUT : ONNX_EDGE, y);
}

/* A node without attributes from x, and other when it is not NULL. */
static void simple(exporter *e, const char *op, const onnx_value *x, const char *other, const onnx_value *y) {
  const char *const inputs[] = {x->name, other, NULL};
  spn_onnx_node(&e->graph, op, inputs, y->name);
  declare(e, y);
}

static void constant(exporter *e, const char *suffix, int dims, const int64_t *shape, const float *data,
                     char name[ONNX_NAME]) {
  spn_onnx_name(name, e->net->node[e->at].name, suffix);
  spn_onnx_constant(&e->graph, name, dims, shape, data);
}

/* ---- Activations ---- */

static void relu6(exporter *e, const onnx_value *x, const onnx_value *y) {
  static const float bounds[] = {0, 6};
  if (!e->clip) {
    spn_onnx_constant(&e->graph, "relu6_min", 0, NULL, &bounds[0]);
    spn_onnx_constant(&e->graph, "relu6_max", 0, NULL, &bounds[1]);
    e->clip = 1;
  }
  const char *const inputs[] = {x->name, "relu6_min", "relu6_max", NULL};
  spn_onnx_node(&e->graph, "Clip", inputs, y->name);
  declare(e, y);
}

/* x * hardsigmoid(x): the HardSwish operator came with set 14. */
static void hswish(exporter *e, const onnx_value *x, const onnx_value *y) {
  if (e->options->opset >= 14) {
    simple(e, "HardSwish", x, NULL, y);
    return;
  }
  const char *const inputs[] = {x->name, NULL};
  onnx_value gate = follow(e, x, "_gate", 0);
  size_t mark = spn_onnx_begin(&e->graph, "HardSigmoid", inputs, gate.name);
  spn_onnx_float(&e->graph, "alpha", 1.0f / 6);
  spn_onnx_float(&e->graph, "beta", 0.5f);
  spn_onnx_end(&e->graph, mark);
  declare(e, &gate);
  simple(e, "Mul", x, gate.name, y);
}

static onnx_value activation(exporter *e, const onnx_value *x) {
  onnx_value y = follow(e, x, "_act", 1);
  switch (e->net->node[e->at].act) {
    case SPN_FUSED_NONE: return *x;
    case SPN_FUSED_RELU: simple(e, "Relu", x, NULL, &y); break;
    case SPN_FUSED_RELU6: relu6(e, x, &y); break;
    case SPN_FUSED_HSWISH: hswish(e, x, &y); break;
    case SPN_FUSED_SIGMOID: simple(e, "Sigmoid", x, NULL, &y); break;
  }
  return y;
}

/* ---- Nodes: each takes the value it reads and gives what stands before the activation ---- */

/* (O,I,K,K); a depthwise weight (K,K,C) is turned into (C,1,K,K). */
static int weight_constant(exporter *e, const spn_lowered_node *n, int in, char name[ONNX_NAME]) {
  const int64_t dense[] = {n->c, in, n->kernel, n->kernel}, depthwise[] = {n->c, 1, n->kernel, n->kernel};
  if (n->kind == SPN_LOWERED_CONV) {
    constant(e, "_weight", 4, dense, n->weight, name);
    return 1;
  }
  const size_t c = (size_t)n->c, taps = (size_t)n->kernel * (size_t)n->kernel;
  float *turned = malloc(c * taps * sizeof *turned);
  for (size_t i = 0; turned && i < c * taps; i++) turned[i] = n->weight[i % taps * c + i / taps];
  if (turned) constant(e, "_weight", 4, depthwise, turned, name);
  free(turned);
  return turned != NULL;
}

static void conv(exporter *e, const spn_lowered_node *n, const onnx_value *x, const onnx_value *y) {
  const int64_t channels[] = {n->c}, pads[] = {n->y.before, n->x.before, n->y.after, n->x.after};
  const int64_t kernel[] = {n->kernel, n->kernel}, strides[] = {n->stride, n->stride};
  char weight[ONNX_NAME], bias[ONNX_NAME];
  const char *const inputs[] = {x->name, weight, n->bias ? bias : NULL, NULL};
  if (!weight_constant(e, n, x->c, weight)) {
    e->graph.pb.failed = 1;
    return;
  }
  if (n->bias) constant(e, "_bias", 1, channels, n->bias, bias);
  size_t mark = spn_onnx_begin(&e->graph, "Conv", inputs, y->name);
  spn_onnx_ints(&e->graph, "kernel_shape", 2, kernel);
  spn_onnx_ints(&e->graph, "strides", 2, strides);
  spn_onnx_ints(&e->graph, "pads", 4, pads);
  spn_onnx_int(&e->graph, "group", n->kind == SPN_LOWERED_DEPTHWISE ? n->c : 1);
  spn_onnx_end(&e->graph, mark);
  declare(e, y);
}

static void norm(exporter *e, const spn_lowered_node *n, const onnx_value *x, const onnx_value *y) {
  static const char *const part[] = {"_gamma", "_beta", "_mean", "_var"};
  const int64_t channels[] = {n->c};
  char name[4][ONNX_NAME];
  for (int k = 0; k < 4; k++) constant(e, part[k], 1, channels, n->norm + (size_t)k * (size_t)n->c, name[k]);
  const char *const inputs[] = {x->name, name[0], name[1], name[2], name[3], NULL};
  size_t mark = spn_onnx_begin(&e->graph, "BatchNormalization", inputs, y->name);
  spn_onnx_float(&e->graph, "epsilon", n->eps);
  spn_onnx_float(&e->graph, "momentum", (float)e->arch->bn_momentum);
  spn_onnx_end(&e->graph, mark);
  declare(e, y);
}

static void scale(exporter *e, const spn_lowered_node *n, const onnx_value *x, const onnx_value *y) {
  const int64_t shape[] = {1, n->c, 1, 1};
  char weight[ONNX_NAME], bias[ONNX_NAME];
  onnx_value product = follow(e, x, "_scaled", 0);
  constant(e, "_weight", 4, shape, n->weight, weight);
  constant(e, "_bias", 4, shape, n->bias, bias);
  simple(e, "Mul", x, weight, &product);
  simple(e, "Add", &product, bias, y);
}

static void dense(exporter *e, const spn_lowered_node *n, const onnx_value *x, const onnx_value *y) {
  const int64_t sides[] = {n->c, x->c};
  const char *const pooled[] = {x->name, NULL};
  char weight[ONNX_NAME], bias[ONNX_NAME];
  onnx_value flat = {.name = "features", .c = x->c};
  size_t mark = spn_onnx_begin(&e->graph, "Flatten", pooled, flat.name);
  spn_onnx_int(&e->graph, "axis", 1);
  spn_onnx_end(&e->graph, mark);
  declare(e, &flat);
  constant(e, "_weight", 2, sides, n->weight, weight);
  constant(e, "_bias", 1, sides, n->bias, bias);
  const char *const inputs[] = {flat.name, weight, bias, NULL};
  mark = spn_onnx_begin(&e->graph, "Gemm", inputs, y->name);
  spn_onnx_int(&e->graph, "transB", 1);
  spn_onnx_end(&e->graph, mark);
  declare(e, y);
}

static onnx_value emit(exporter *e, const spn_lowered_node *n) {
  static const char *const suffix[] = {"", "_out", "_out", "_out", "_out", "_pool", "_out", "_out", "_out"};
  const onnx_value *x = n->kind == SPN_LOWERED_INPUT ? NULL : &e->value[n->in[0]];
  onnx_value y = {.c = n->c, .h = n->h, .w = n->w};
  if (!x) {
    snprintf(y.name, sizeof y.name, "%s", e->net->input);
    spn_onnx_declare(&e->graph, ONNX_INPUT, &y);
    return y;
  }
  if (n->kind == SPN_LOWERED_DENSE) y.h = y.w = 0;
  y = follow(e, &y, suffix[n->kind], n->act == SPN_FUSED_NONE);
  switch (n->kind) {
    case SPN_LOWERED_INPUT: break;
    case SPN_LOWERED_CONV:
    case SPN_LOWERED_DEPTHWISE: conv(e, n, x, &y); break;
    case SPN_LOWERED_NORM: norm(e, n, x, &y); break;
    case SPN_LOWERED_SCALE: scale(e, n, x, &y); break;
    case SPN_LOWERED_POOL: simple(e, "GlobalAveragePool", x, NULL, &y); break;
    case SPN_LOWERED_MUL: simple(e, "Mul", x, e->value[n->in[1]].name, &y); break;
    case SPN_LOWERED_ADD: simple(e, "Add", x, e->value[n->in[1]].name, &y); break;
    case SPN_LOWERED_DENSE: dense(e, n, x, &y); break;
  }
  return activation(e, &y);
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

static void put_fact(void *pb, const char *key, const char *value) {
  size_t mark = spn_pb_open(pb, MODEL_METADATA);
  spn_pb_string(pb, ENTRY_KEY, key);
  spn_pb_string(pb, ENTRY_VALUE, value);
  spn_pb_close(pb, mark);
}

static spn_status model(const exporter *e, spn_pb *pb, spn_err *err) {
  spn_pb_int(pb, MODEL_IR, e->options->opset == 13 ? 7 : 8);
  spn_pb_string(pb, MODEL_PRODUCER, "spnas");
  if (e->options->version) spn_pb_string(pb, MODEL_PRODUCER_VERSION, e->options->version);
  size_t opset = spn_pb_open(pb, MODEL_OPSET);
  spn_pb_string(pb, OPSET_DOMAIN, "");
  spn_pb_int(pb, OPSET_VERSION, e->options->opset);
  spn_pb_close(pb, opset);
  const spn_facts facts = {e->arch, e->options, "NCHW", e->net};
  return spn_facts_each(&facts, put_fact, pb, err);
}

/* The graph's size is known, so it need not be copied into the model: head and graph are written one after the other.
 */
static spn_status write_model(const exporter *e, const char *path, spn_err *err) {
  spn_pb pb = {0};
  spn_file *f;
  spn_status status = model(e, &pb, err);
  spn_pb_bytes_header(&pb, MODEL_GRAPH, e->graph.pb.size);
  if (status) {
    spn_pb_free(&pb);
    return status;
  }
  if (pb.failed || e->graph.pb.failed) status = spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  else if (pb.size + e->graph.pb.size > MAX_MODEL)
    status = spn_fail(err, SPN_EINPUT, "%s: expected a model below 2 GiB, got %zu bytes", path, e->graph.pb.size);
  else status = spn_file_create(path, &f, err);
  if (!status) {
    status = spn_file_append(f, pb.data, pb.size, err);
    if (!status) status = spn_file_append(f, e->graph.pb.data, e->graph.pb.size, err);
    if (status) spn_file_abort(f);
    else status = spn_file_commit(f, err);
  }
  spn_pb_free(&pb);
  return status;
}

static spn_status write_lowered(exporter *e, const char *path, spn_err *err) {
  e->value = calloc((size_t)e->net->count, sizeof *e->value);
  if (!e->value) return spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  put_graph_name(e);
  for (e->at = 0; e->at < e->net->count; e->at++) e->value[e->at] = emit(e, &e->net->node[e->at]);
  spn_status status = write_model(e, path, err);
  spn_pb_free(&e->graph.pb);
  free(e->value);
  return status;
}

static spn_status write_onnx(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                             const char *path, spn_err *err) {
  spn_lowered *net;
  if (options->opset != 13 && options->opset != 17)
    return spn_fail(err, SPN_EINPUT, "export: expected opset 13 or 17, got %d", options->opset);
  SPN_TRY(spn_lower(arch, weights, options, NULL, &net, err));
  exporter e = {.arch = arch, .options = options, .net = net};
  spn_status status = write_lowered(&e, path, err);
  spn_lowered_free(net);
  return status;
}

const spn_exporter spn_exporter_onnx = {.suffix = ".onnx",
                                        .about = "ONNX, for onnxruntime and most other runtimes",
                                        .write = write_onnx,
                                        .read = spn_onnx_read,
                                        .takes_pixels = 1,
                                        .takes_endpoints = 1};
