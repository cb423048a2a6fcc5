/* Reads an ONNX file of our kind back into a list of nodes, for the self-check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/lower.h"
#include "export/onnx_read.h"
#include "io/file.h"
#include "io/protobuf_read.h"

enum { MAX_INPUTS = 6, MAX_VALUES = 1 << 14, MAX_SIDE = 1 << 14 };

/* Something with a name: a constant, or what a node gives. */
typedef struct {
  spn_pb_view name;
  int node;         /* -1: a constant */
  int hard_sigmoid; /* of node's output, not that output itself */
  int dims, shape[4];
  spn_pb_view raw; /* of a constant: floats */
} value;

typedef struct {
  spn_pb_view op, input[MAX_INPUTS], output;
  int inputs;
  int kernel, stride, pads[4], group; /* Conv */
  float epsilon;
} operation;

typedef struct {
  const char *path;
  value *v;
  int values;
  spn_lowered *net;
  spn_err *err;
} reader;

static spn_status broken(const reader *r, const char *what) {
  return spn_fail(r->err, SPN_EINPUT, "%s: expected an ONNX file as spnas writes it: %s", r->path, what);
}

static size_t length(spn_pb_view v) { return (size_t)(v.end - v.at); }
static int is(spn_pb_view v, const char *text) { return length(v) == strlen(text) && !memcmp(v.at, text, length(v)); }

static value *find(const reader *r, spn_pb_view name) {
  for (int i = r->values - 1; i >= 0; i--)
    if (length(r->v[i].name) == length(name) && !memcmp(r->v[i].name.at, name.at, length(name))) return &r->v[i];
  return NULL;
}

static spn_status add_value(reader *r, value v) {
  if (r->values == MAX_VALUES) return broken(r, "too many values");
  if (find(r, v.name)) return broken(r, "a name stands twice");
  r->v[r->values++] = v;
  return SPN_OK;
}

/* ---- Parts of the graph ---- */

static spn_status read_constant(reader *r, spn_pb_view tensor) {
  spn_pb_field f;
  value v = {.node = -1};
  int more, type = 0;
  while ((more = spn_pb_next(&tensor, &f)) > 0) {
    if (f.number == 1 && v.dims == 4) return broken(r, "a constant of more than 4 axes");
    if (f.number == 1) v.shape[v.dims++] = f.value < SPN_MAX_CLASSES ? (int)f.value : -1;
    if (f.number == 2) type = (int)f.value;
    if (f.number == 8) v.name = f.content;
    if (f.number == 9) v.raw = f.content;
  }
  size_t n = 1;
  for (int d = 0; d < v.dims; d++) {
    if (v.shape[d] < 1 || n > SIZE_MAX / 4 / (size_t)v.shape[d]) return broken(r, "a constant's shape is out of range");
    n *= (size_t)v.shape[d];
  }
  if (more < 0 || type != 1 || length(v.raw) != 4 * n) return broken(r, "a constant is damaged");
  return add_value(r, v);
}

/* A ValueInfo's dimensions; 0 for the batch. */
static int read_shape(spn_pb_view info, spn_pb_view *name, int shape[4]) {
  spn_pb_view at = info;
  spn_pb_field f, dim;
  int dims = 0;
  while (spn_pb_next(&at, &f) > 0)
    if (f.number == 1) *name = f.content;
  for (int level = 0; level < 3; level++) { /* type, tensor_type, shape */
    static const int number[] = {2, 1, 2};
    spn_pb_view inner = {NULL, NULL};
    for (at = info; spn_pb_next(&at, &f) > 0;)
      if (f.number == number[level] && f.is_content) inner = f.content;
    info = inner;
  }
  while (dims < 4 && spn_pb_next(&info, &f) > 0) {
    shape[dims] = 0;
    while (spn_pb_next(&f.content, &dim) > 0)
      if (dim.number == 1) shape[dims] = dim.value <= MAX_SIDE ? (int)dim.value : -1;
    dims++;
  }
  return dims;
}

static spn_status read_input(reader *r, spn_pb_view info) {
  int shape[4];
  value v = {.node = 0};
  if (r->net->count || read_shape(info, &v.name, shape) != 4 || shape[0] || shape[1] < 1 || shape[2] < 1 ||
      shape[3] < 1)
    return broken(r, "one input (N,C,H,W) is needed");
  spn_lowered_node *n = spn_lowered_add(r->net, SPN_LOWERED_INPUT);
  if (!n) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  n->c = shape[1], n->h = shape[2], n->w = shape[3];
  return add_value(r, v);
}

static int read_attribute(spn_pb_view attribute, operation *o) {
  spn_pb_view name = {NULL, NULL};
  spn_pb_field f;
  int list[4], n = 0, more;
  uint32_t bits = 0;
  uint64_t i = 0;
  while ((more = spn_pb_next(&attribute, &f)) > 0) {
    if (f.number == 1) name = f.content;
    if (f.number == 2) bits = (uint32_t)f.value;
    if (f.number == 3) i = f.value;
    if (f.number == 8 && n < 4) list[n++] = f.value <= MAX_SIDE ? (int)f.value : -1;
  }
  if (is(name, "kernel_shape") && n == 2 && list[0] == list[1]) o->kernel = list[0];
  if (is(name, "strides") && n == 2 && list[0] == list[1]) o->stride = list[0];
  if (is(name, "pads") && n == 4) memcpy(o->pads, list, sizeof o->pads);
  if (is(name, "group")) o->group = i <= SPN_MAX_CHANNELS * SPN_MAX_EXPAND ? (int)i : -1;
  if (is(name, "epsilon")) memcpy(&o->epsilon, &bits, sizeof bits);
  return more == 0;
}

static spn_status read_operation(const reader *r, spn_pb_view node, operation *o) {
  spn_pb_field f;
  int more;
  *o = (operation){.stride = 1, .group = 1};
  while ((more = spn_pb_next(&node, &f)) > 0) {
    if (f.number == 1 && o->inputs == MAX_INPUTS) return broken(r, "a node of too many inputs");
    if (f.number == 1) o->input[o->inputs++] = f.content;
    if (f.number == 2) o->output = f.content;
    if (f.number == 4) o->op = f.content;
    if (f.number == 5 && !read_attribute(f.content, o)) return broken(r, "an attribute is damaged");
  }
  return more < 0 || !o->inputs || !length(o->output) ? broken(r, "a node is damaged") : SPN_OK;
}

/* ---- Nodes ---- */

/* A node that reads x, of the same size; the output's name leads to it. */
static spn_status add_node(reader *r, const operation *o, const value *x, spn_lowered_kind kind,
                           spn_lowered_node **out) {
  const int from = x->node;
  if (from < 0 || x->hard_sigmoid) return broken(r, "a node reads what it cannot");
  spn_lowered_node *n = spn_lowered_add(r->net, kind);
  if (!n) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  const spn_lowered_node *source = &r->net->node[from];
  n->in[0] = from;
  n->h = source->h, n->w = source->w, n->c = source->c;
  *out = n;
  return add_value(r, (value){.name = o->output, .node = r->net->count - 1});
}

/* A copy of a constant of exactly so many floats. */
static spn_status take(const reader *r, const value *v, size_t count, float **out) {
  if (!v || v->node >= 0 || length(v->raw) != 4 * count)
    return broken(r, "a constant has another shape than its reader");
  *out = malloc(4 * count + 1);
  if (!*out) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  memcpy(*out, v->raw.at, 4 * count);
  return SPN_OK;
}

static spn_status read_conv(reader *r, const operation *o, value *const *in) {
  const value *w = in[1], *b = in[2];
  const int channels = in[0]->node >= 0 ? r->net->node[in[0]->node].c : 0, depthwise = o->group > 1;
  spn_lowered_node *n;
  if (!w || w->node >= 0 || w->dims != 4 || o->kernel < 1 || o->kernel > 7 || o->stride < 1 || o->stride > 2 ||
      w->shape[2] != o->kernel || w->shape[3] != o->kernel ||
      (o->group != 1 && (o->group != channels || w->shape[0] != channels)) || w->shape[1] * o->group != channels)
    return broken(r, "a Conv is out of range");
  for (int k = 0; k < 4; k++)
    if (o->pads[k] < 0 || o->pads[k] > 3) return broken(r, "a Conv's pads are out of range");
  SPN_TRY(add_node(r, o, in[0], depthwise ? SPN_LOWERED_DEPTHWISE : SPN_LOWERED_CONV, &n));
  n->c = w->shape[0], n->kernel = o->kernel, n->stride = o->stride;
  n->y = (spn_pad){o->pads[0], o->pads[2], (n->h + o->pads[0] + o->pads[2] - o->kernel) / o->stride + 1};
  n->x = (spn_pad){o->pads[1], o->pads[3], (n->w + o->pads[1] + o->pads[3] - o->kernel) / o->stride + 1};
  if (n->h + o->pads[0] + o->pads[2] < o->kernel || n->w + o->pads[1] + o->pads[3] < o->kernel)
    return broken(r, "a Conv is larger than its input");
  n->h = n->y.out, n->w = n->x.out;
  SPN_TRY(take(r, w, spn_lowered_weights(n, channels), &n->weight));
  if (depthwise) { /* (C,1,K,K) -> (K,K,C) */
    const size_t c = (size_t)n->c, taps = (size_t)n->kernel * (size_t)n->kernel;
    for (size_t i = 0; i < c * taps; i++) memcpy(&n->weight[i % taps * c + i / taps], w->raw.at + 4 * i, sizeof(float));
  }
  return b ? take(r, b, (size_t)n->c, &n->bias) : SPN_OK;
}

static spn_status read_norm(reader *r, const operation *o, value *const *in) {
  spn_lowered_node *n;
  SPN_TRY(add_node(r, o, in[0], SPN_LOWERED_NORM, &n));
  const size_t c = (size_t)n->c;
  n->eps = o->epsilon;
  n->norm = malloc(4 * c * sizeof *n->norm);
  if (!n->norm) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  for (int k = 0; k < 4; k++) {
    if (!in[k + 1] || in[k + 1]->node >= 0 || length(in[k + 1]->raw) != 4 * c)
      return broken(r, "a batch norm is damaged");
    memcpy(n->norm + (size_t)k * c, in[k + 1]->raw.at, 4 * c);
  }
  return SPN_OK;
}

static spn_status read_binary(reader *r, const operation *o, value *const *in) {
  const value *a = in[0], *b = in[1];
  const int add = is(o->op, "Add");
  spn_lowered_node *n;
  if (!b || a->hard_sigmoid) return broken(r, "a node lacks an input");
  if (b->hard_sigmoid) { /* x * hardsigmoid(x) */
    if (add || b->node != a->node) return broken(r, "a HardSigmoid is used otherwise");
    SPN_TRY(add_node(r, o, a, SPN_LOWERED_SCALE, &n));
    n->act = SPN_FUSED_HSWISH;
    return SPN_OK;
  }
  const int other = b->node;
  SPN_TRY(add_node(r, o, a, other < 0 ? SPN_LOWERED_SCALE : add ? SPN_LOWERED_ADD : SPN_LOWERED_MUL, &n));
  if (other < 0) return take(r, find(r, o->input[1]), (size_t)n->c, add ? &n->bias : &n->weight);
  const spn_lowered_node *second = &r->net->node[other];
  n->in[1] = other;
  const int fits = second->c == n->c &&
                   (add ? second->h == n->h && second->w == n->w : second->h == 1 && second->w == 1);
  return fits ? SPN_OK : broken(r, "two values do not fit together");
}

static spn_status read_dense(reader *r, const operation *o, value *const *in) {
  spn_lowered_node *n;
  if (!in[1] || in[1]->node >= 0 || in[1]->dims != 2) return broken(r, "a Gemm is damaged");
  const int classes = in[1]->shape[0];
  SPN_TRY(add_node(r, o, in[0], SPN_LOWERED_DENSE, &n));
  const int channels = n->c;
  if (n->h != 1 || n->w != 1) return broken(r, "a Gemm reads pixels");
  n->c = classes;
  SPN_TRY(take(r, find(r, o->input[1]), (size_t)classes * (size_t)channels, &n->weight));
  return take(r, o->inputs > 2 ? find(r, o->input[2]) : NULL, (size_t)classes, &n->bias);
}

static spn_status read_unary(reader *r, const operation *o, value *const *in) {
  static const struct {
    const char *op;
    spn_fused act;
  } known[] = {{"Relu", SPN_FUSED_RELU}, {"Sigmoid", SPN_FUSED_SIGMOID}, {"HardSwish", SPN_FUSED_HSWISH}};
  spn_lowered_node *n;
  if (is(o->op, "Flatten") || is(o->op, "HardSigmoid"))
    return add_value(r, (value){.name = o->output, .node = in[0]->node, .hard_sigmoid = !is(o->op, "Flatten")});
  if (is(o->op, "GlobalAveragePool")) {
    SPN_TRY(add_node(r, o, in[0], SPN_LOWERED_POOL, &n));
    n->h = n->w = 1;
    return SPN_OK;
  }
  SPN_TRY(add_node(r, o, in[0], SPN_LOWERED_SCALE, &n));
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (is(o->op, known[i].op)) n->act = known[i].act;
  if (is(o->op, "Clip")) {
    static const float bounds[] = {0, 6};
    for (int k = 0; k < 2; k++) {
      const value *b = o->inputs == 3 ? find(r, o->input[k + 1]) : NULL;
      if (!b || b->node >= 0 || length(b->raw) != 4 || memcmp(b->raw.at, &bounds[k], 4))
        return broken(r, "a Clip's bounds are not 0 and 6");
    }
    n->act = SPN_FUSED_RELU6;
  }
  return n->act ? SPN_OK : broken(r, "an operator is unknown");
}

static spn_status read_output(reader *r, spn_pb_view info) {
  int shape[4];
  spn_pb_view name = {NULL, NULL};
  read_shape(info, &name, shape);
  const value *v = name.at ? find(r, name) : NULL;
  if (!v || v->node < 0 || v->hard_sigmoid || !spn_lowered_give(r->net, v->node, (const char *)name.at, length(name)))
    return broken(r, "an output is nothing that a node gives");
  return SPN_OK;
}

static spn_status read_node(reader *r, spn_pb_view node) {
  operation o;
  value *in[MAX_INPUTS] = {NULL};
  SPN_TRY(read_operation(r, node, &o));
  for (int i = 0; i < o.inputs; i++)
    if (!(in[i] = find(r, o.input[i]))) return broken(r, "a node reads what nobody made");
  if (in[0]->node < 0) return broken(r, "a node reads a constant only");
  if (is(o.op, "Conv")) return read_conv(r, &o, in);
  if (is(o.op, "BatchNormalization")) return read_norm(r, &o, in);
  if (is(o.op, "Gemm")) return read_dense(r, &o, in);
  if (is(o.op, "Mul") || is(o.op, "Add")) return read_binary(r, &o, in);
  return read_unary(r, &o, in);
}

/* ---- The file ---- */

static spn_status read_graph(reader *r, spn_pb_view graph) {
  static const struct {
    int field;
    spn_status (*read)(reader *r, spn_pb_view part);
  } passes[] = {{5, read_constant}, {11, read_input}, {1, read_node}, {12, read_output}};
  r->v = malloc(MAX_VALUES * sizeof *r->v);
  if (!r->v) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  for (size_t pass = 0; pass < sizeof passes / sizeof *passes; pass++) {
    spn_pb_view at = graph;
    spn_pb_field f;
    int more;
    while ((more = spn_pb_next(&at, &f)) > 0) {
      if (f.number != passes[pass].field) continue;
      if (!f.is_content) return broken(r, "a field of another type");
      SPN_TRY(passes[pass].read(r, f.content));
    }
    if (more < 0) return broken(r, "its graph is damaged");
  }
  return r->net->count > 1 && r->net->outputs ? SPN_OK : broken(r, "it has no nodes or no output");
}

spn_status spn_onnx_parse(const char *name, const void *data, size_t size, spn_lowered **out, spn_err *err) {
  reader r = {.path = name, .net = spn_lowered_new(), .err = err};
  spn_pb_view file = {data, (const unsigned char *)data + size}, graph = {NULL, NULL};
  spn_pb_field f;
  int more;
  if (!r.net) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", name);
  while ((more = spn_pb_next(&file, &f)) > 0)
    if (f.number == 7 && f.is_content) graph = f.content;
  spn_status status = more < 0 || !graph.at ? broken(&r, "it begins otherwise") : read_graph(&r, graph);
  free(r.v);
  if (status) spn_lowered_free(r.net);
  else *out = r.net;
  return status;
}

spn_status spn_onnx_read(const char *path, spn_lowered **out, spn_err *err) {
  enum { MAX_BYTES = 1 << 30 };
  char *data;
  size_t size;
  SPN_TRY(spn_file_read(path, MAX_BYTES, &data, &size, err));
  spn_status status = spn_onnx_parse(path, data, size, out, err);
  free(data);
  return status;
}
