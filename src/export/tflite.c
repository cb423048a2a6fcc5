/* TFLite (LiteRT): channels last, convolutions with fused ReLU or ReLU6. Only operators of version 1, so that old
 * runtimes read the file. */
#include "export/tflite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/facts.h"
#include "export/tflite_graph.h"

typedef struct {
  tfl_graph graph;
  const spn_lowered *net;
  int *value; /* the tensor of each node */
  int at;     /* the node under way */
} exporter;

static const spn_lowered_node *current(const exporter *e) { return &e->net->node[e->at]; }

static void name_of(const exporter *e, const char *suffix, char name[TFL_NAME]) {
  snprintf(name, TFL_NAME, "%.40s%.20s", current(e)->name, suffix);
}

/* A tensor of the node's output shape; the last of the last node is the network's output. */
static int tensor(exporter *e, const char *suffix, int last) {
  const spn_lowered_node *n = current(e);
  const int four[] = {1, n->h, n->w, n->c}, two[] = {1, n->c};
  char name[TFL_NAME];
  if (last && e->at == e->net->count - 1) snprintf(name, sizeof name, "%s", e->net->output);
  else name_of(e, suffix, name);
  const int flat = n->kind == SPN_LOWERED_DENSE;
  return spn_tfl_tensor(&e->graph, name, TFL_FLOAT32, flat ? 2 : 4, flat ? two : four, NULL, 0);
}

static int constant(exporter *e, const char *suffix, int dims, const int *shape, const float *data) {
  char name[TFL_NAME];
  size_t n = 1;
  for (int d = 0; d < dims; d++) n *= (size_t)shape[d];
  name_of(e, suffix, name);
  return spn_tfl_tensor(&e->graph, name, TFL_FLOAT32, dims, shape, data, n * sizeof *data);
}

static int integers(exporter *e, const char *suffix, int dims, const int *shape, const int32_t *data) {
  char name[TFL_NAME];
  size_t n = 1;
  for (int d = 0; d < dims; d++) n *= (size_t)shape[d];
  name_of(e, suffix, name);
  return spn_tfl_tensor(&e->graph, name, TFL_INT32, dims, shape, data, n * sizeof *data);
}

static void add_op(exporter *e, tfl_code code, int a, int b, int c, tfl_op rest, int output) {
  rest.code = code;
  rest.version = 1;
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
  const int y = spn_tfl_tensor(&e->graph, name, TFL_FLOAT32, 4, shape, NULL, 0);
  add_op(e, TFL_PAD, x, integers(e, ".pads", 2, sides, zeros), -1, (tfl_op){0}, y);
  return y;
}

static int same_axis(const spn_pad *pad, int in, const spn_lowered_node *n) {
  const spn_pad same = spn_pad_axis(SPN_PAD_SAME, in, n->kernel, n->stride);
  return same.before == pad->before && same.after == pad->after && same.out == pad->out;
}

/* (O,I,K,K) -> (O,K,K,I); a depthwise weight is (1,K,K,C) as it lies. */
static int weight(exporter *e) {
  const spn_lowered_node *n = current(e);
  const int in = e->net->node[n->in[0]].c, k = n->kernel;
  const int depthwise[] = {1, k, k, n->c}, dense[] = {n->c, k, k, in};
  if (n->kind == SPN_LOWERED_DEPTHWISE) return constant(e, ".weight", 4, depthwise, n->weight);
  const size_t taps = (size_t)(k * k), channels = (size_t)in, total = taps * channels * (size_t)n->c;
  float *turned = malloc(total * sizeof *turned);
  if (!turned) {
    e->graph.failed = 1;
    return 0;
  }
  for (size_t i = 0; i < total; i++)
    turned[i] = n->weight[(i / channels / taps * channels + i % channels) * taps + i / channels % taps];
  const int number = constant(e, ".weight", 4, dense, turned);
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
  add_op(e, n->kind == SPN_LOWERED_CONV ? TFL_CONV_2D : TFL_DEPTHWISE_CONV_2D, x, weight(e),
         constant(e, ".bias", 1, &n->c, n->bias), op, y);
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
  add_op(e, TFL_FULLY_CONNECTED, x, constant(e, ".weight", 2, sides, n->weight),
         constant(e, ".bias", 1, &n->c, n->bias), (tfl_op){.fused = fused(n->act)}, y);
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
  add_op(e, n->act == SPN_FUSED_HSWISH ? TFL_HARD_SWISH : TFL_LOGISTIC, y, -1, -1, (tfl_op){0}, active);
  return active;
}

static spn_status check(const spn_lowered *net, const char *path, spn_err *err) {
  for (int i = 0; i < net->count; i++)
    if (net->node[i].kind == SPN_LOWERED_NORM)
      return spn_fail(err, SPN_EINPUT, "%s: TFLite has no batch norm: expected it folded, got %s", path,
                      net->node[i].name);
  return SPN_OK;
}

spn_status spn_tflite_write(const spn_lowered *net, const char *name, const char *metadata, const char *path,
                            spn_err *err) {
  SPN_TRY(check(net, path, err));
  exporter e = {.net = net, .value = calloc((size_t)net->count, sizeof *e.value)};
  if (!e.value) return spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  for (e.at = 0; e.at < net->count; e.at++) e.value[e.at] = emit(&e);
  e.graph.input = e.value[0];
  e.graph.output = e.value[net->count - 1];
  const tfl_file file = {
      .description = name, .metadata_name = "spnas", .metadata = metadata, .input = net->input, .output = net->output};
  spn_status status = spn_tfl_save(&e.graph, &file, path, err);
  spn_tfl_free(&e.graph);
  free(e.value);
  return status;
}

/* ---- The exporter ---- */

static spn_status facts_text(const spn_arch *arch, const spn_export_options *o, char **text, spn_err *err) {
  spn_json_writer w = {0};
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_status status = spn_facts_put(arch, o, "NHWC", &w, err);
  spn_json_end(&w);
  if (status) {
    spn_json_writer_free(&w);
    return status;
  }
  *text = spn_json_take(&w);
  return *text ? SPN_OK : spn_fail(err, SPN_ENOMEM, "export: out of memory");
}

static spn_status write_tflite(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                               const char *path, spn_err *err) {
  spn_export_options folded = *options;
  folded.fold_bn = 1;
  spn_lowered *net;
  char *facts;
  SPN_TRY(spn_lower(arch, weights, &folded, NULL, &net, err));
  spn_status status = facts_text(arch, &folded, &facts, err);
  if (!status) {
    status = spn_tflite_write(net, arch->name, facts, path, err);
    free(facts);
  }
  spn_lowered_free(net);
  return status;
}

const spn_exporter spn_exporter_tflite = {.suffix = ".tflite",
                                          .about = "TFLite (LiteRT), float, for phones; batch norm is always folded",
                                          .write = write_tflite};
