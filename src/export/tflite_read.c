/* Reads a TFLite file of our kind back into a list of nodes, for the self-check: weights of int8 become the real
 * numbers they stand for, and outputs are rounded as the file says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/tflite.h"
#include "export/tflite_graph.h"
#include "io/file.h"
#include "io/flatbuffer_read.h"

enum { MAX_TENSORS = 1 << 16, MAX_SIDE = 1 << 14 };

typedef struct {
  int node;    /* that makes it; -1: none yet */
  int pads[4]; /* of a PAD that made it, before and after, rows and columns; node is then what it pads */
  int dims, shape[4];
  tfl_type type;
  size_t data, bytes; /* constants */
  size_t scale, scales, zero;
} tensor;

typedef struct {
  spn_fb_view fb;
  const char *path;
  tensor *t;
  size_t tensors;
  spn_lowered *net;
  spn_err *err;
} reader;

static spn_status broken(const reader *r, const char *what) {
  return spn_fail(r->err, SPN_EINPUT, "%s: expected a TFLite file as spnas writes it: %s", r->path, what);
}

/* ---- Tensors ---- */

static spn_status read_tensor(reader *r, size_t table, size_t buffers, size_t buffer_count, tensor *t) {
  spn_fb_view *fb = &r->fb;
  size_t dims, zeros;
  const size_t shape = spn_fb_list(fb, table, 0, 4, &dims);
  const int64_t buffer = spn_fb_int(fb, table, 2, 4, 0);
  *t = (tensor){.node = -1, .dims = (int)dims, .type = (tfl_type)spn_fb_int(fb, table, 1, 1, 0)};
  if (fb->bad || dims > 4 || buffer < 0 || (size_t)buffer >= buffer_count) return broken(r, "a tensor is damaged");
  for (size_t d = 0; d < dims; d++) {
    t->shape[d] = spn_fb_number(fb, shape, d);
    if (t->shape[d] < 1 || t->shape[d] > SPN_MAX_CLASSES) return broken(r, "a tensor's shape is out of range");
  }
  t->data = spn_fb_list(fb, spn_fb_item(fb, buffers, (size_t)buffer), 0, 1, &t->bytes);
  const size_t quantisation = spn_fb_follow(fb, table, 4);
  if (quantisation) {
    t->scale = spn_fb_list(fb, quantisation, 2, 4, &t->scales);
    t->zero = spn_fb_list(fb, quantisation, 3, 8, &zeros);
    if (zeros != t->scales) return broken(r, "scales and zeros differ in number");
  }
  return fb->bad ? broken(r, "a tensor is damaged") : SPN_OK;
}

static float float_at(const reader *r, size_t at) {
  float v;
  memcpy(&v, r->fb.data + at, sizeof v);
  return v;
}

static spn_quant quant_of(const reader *r, const tensor *t) {
  if (t->type != TFL_INT8 || t->scales != 1) return (spn_quant){0, 0};
  return (spn_quant){float_at(r, t->scale), (int)(signed char)r->fb.data[t->zero]};
}

static size_t elements(const tensor *t) {
  size_t n = 1;
  for (int d = 0; d < t->dims; d++) n *= (size_t)t->shape[d];
  return n;
}

/* Constant number i as a real number; channel: which scale it has. */
static float value_at(const reader *r, const tensor *t, size_t i, size_t channel) {
  if (t->type == TFL_FLOAT32) return float_at(r, t->data + 4 * i);
  const float scale = float_at(r, t->scale + 4 * (t->scales > 1 ? channel : 0));
  int32_t word;
  if (t->type == TFL_INT8) return scale * (float)(signed char)r->fb.data[t->data + i];
  memcpy(&word, r->fb.data + t->data + 4 * i, sizeof word);
  return (float)((double)scale * word);
}

/* A constant of so many elements with its scales: 1, or one for each of c channels. */
static int is_constant(const tensor *t, size_t count, size_t c) {
  const size_t width = t->type == TFL_INT8 ? 1 : 4;
  const int scaled = t->type == TFL_FLOAT32 || t->scales == 1 || t->scales == c;
  return t->data && elements(t) == count && t->bytes == count * width && scaled &&
         (t->type == TFL_FLOAT32 || t->type == TFL_INT8 || (t->type == TFL_INT32 && t->scales));
}

/* ---- Operators ---- */

typedef struct {
  tfl_code code;
  size_t options;
  tensor *in[TFL_INPUTS], *out;
} operation;

/* A node that reads in[0] and gives the output tensor. */
static spn_status add_node(reader *r, const operation *o, spn_lowered_kind kind, spn_lowered_node **out) {
  const tensor *x = o->in[0], *y = o->out;
  if (!x || x->node < 0) return broken(r, "an operator reads what nobody made");
  if (y->dims != 2 && y->dims != 4) return broken(r, "an output is neither (N,C) nor (N,H,W,C)");
  const int flat = y->dims == 2;
  spn_lowered_node *n = spn_lowered_add(r->net, kind);
  if (!n) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  n->in[0] = x->node;
  n->h = flat ? 1 : y->shape[1], n->w = flat ? 1 : y->shape[2], n->c = y->shape[flat ? 1 : 3];
  if (n->h > MAX_SIDE || n->w > MAX_SIDE) return broken(r, "an output is too large");
  n->quant = quant_of(r, y);
  o->out->node = r->net->count - 1;
  *out = n;
  return SPN_OK;
}

static spn_status fused_of(const reader *r, int64_t code, spn_fused *out) {
  *out = code == TFL_FUSE_RELU ? SPN_FUSED_RELU : code == TFL_FUSE_RELU6 ? SPN_FUSED_RELU6 : SPN_FUSED_NONE;
  return code == TFL_FUSE_NONE || *out ? SPN_OK : broken(r, "an activation is unknown");
}

static int same_size(const spn_lowered_node *a, const spn_lowered_node *b) {
  return a->h == b->h && a->w == b->w && a->c == b->c;
}

static float *take_bias(const reader *r, const tensor *t, int c) {
  float *bias = malloc((size_t)c * sizeof *bias);
  for (int o = 0; bias && o < c; o++) bias[o] = value_at(r, t, (size_t)o, (size_t)o);
  return bias;
}

static spn_status read_conv(reader *r, const operation *o) {
  const int depthwise = o->code == TFL_DEPTHWISE_CONV_2D;
  const tensor *w = o->in[1], *b = o->in[2], *x = o->in[0];
  spn_lowered_node *n;
  SPN_TRY(add_node(r, o, depthwise ? SPN_LOWERED_DEPTHWISE : SPN_LOWERED_CONV, &n));
  const spn_lowered_node *from = &r->net->node[n->in[0]];
  n->kernel = w && w->dims == 4 ? w->shape[1] : 0;
  n->stride = (int)spn_fb_int(&r->fb, o->options, 1, 4, 1);
  SPN_TRY(fused_of(r, spn_fb_int(&r->fb, o->options, depthwise ? 4 : 3, 1, 0), &n->act));
  const size_t total = spn_lowered_weights(n, from->c), c = (size_t)n->c, taps = (size_t)n->kernel * (size_t)n->kernel;
  const int last = depthwise ? n->c : from->c;
  if (n->kernel < 1 || n->kernel > 7 || n->stride < 1 || n->stride > 2 || w->shape[2] != n->kernel ||
      w->shape[3] != last || !is_constant(w, total, c) || !b || !is_constant(b, c, c))
    return broken(r, "a convolution's weights have another shape than it needs");
  const int same = spn_fb_int(&r->fb, o->options, 0, 1, 0) == TFL_SAME;
  n->y = spn_pad_axis(SPN_PAD_SAME, from->h, n->kernel, n->stride);
  n->x = spn_pad_axis(SPN_PAD_SAME, from->w, n->kernel, n->stride);
  if (!same) {
    n->y = (spn_pad){x->pads[0], x->pads[1], (from->h + x->pads[0] + x->pads[1] - n->kernel) / n->stride + 1};
    n->x = (spn_pad){x->pads[2], x->pads[3], (from->w + x->pads[2] + x->pads[3] - n->kernel) / n->stride + 1};
  }
  if (n->y.out != n->h || n->x.out != n->w || (depthwise && n->c != from->c))
    return broken(r, "a convolution's output has another size");
  n->weight = malloc(total * sizeof *n->weight);
  n->bias = take_bias(r, b, n->c);
  if (!n->weight || !n->bias) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  for (size_t i = 0; i < total; i++) { /* (O,K,K,I) -> (O,I,K,K) */
    const size_t in = (size_t)from->c, channel = depthwise ? i % c : i / (taps * in), rest = i % (taps * in);
    n->weight[depthwise ? i : (channel * in + rest % in) * taps + rest / in] = value_at(r, w, i, channel);
  }
  return SPN_OK;
}

static spn_status read_dense(reader *r, const operation *o) {
  const tensor *w = o->in[1], *b = o->in[2];
  spn_lowered_node *n;
  SPN_TRY(add_node(r, o, SPN_LOWERED_DENSE, &n));
  SPN_TRY(fused_of(r, spn_fb_int(&r->fb, o->options, 0, 1, 0), &n->act));
  const spn_lowered_node *from = &r->net->node[n->in[0]];
  const size_t total = spn_lowered_weights(n, from->c), c = (size_t)n->c;
  if (from->h != 1 || from->w != 1 || !w || !is_constant(w, total, c) || !b || !is_constant(b, c, c))
    return broken(r, "the classifier's weights have another shape than it needs");
  n->weight = malloc(total * sizeof *n->weight);
  n->bias = take_bias(r, b, n->c);
  if (!n->weight || !n->bias) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  for (size_t i = 0; i < total; i++) n->weight[i] = value_at(r, w, i, i / (size_t)from->c);
  return SPN_OK;
}

/* ADD and MUL: of two activations, or with a constant a channel. */
static spn_status read_binary(reader *r, const operation *o) {
  const int add = o->code == TFL_ADD;
  const tensor *other = o->in[1];
  spn_lowered_node *n;
  if (!other) return broken(r, "an operator lacks an input");
  SPN_TRY(add_node(r, o, other->data ? SPN_LOWERED_SCALE : add ? SPN_LOWERED_ADD : SPN_LOWERED_MUL, &n));
  SPN_TRY(fused_of(r, spn_fb_int(&r->fb, o->options, 0, 1, 0), &n->act));
  const spn_lowered_node *from = &r->net->node[n->in[0]];
  if (!same_size(from, n)) return broken(r, "an operator changes the size");
  if (!other->data) {
    const spn_lowered_node *second = other->node < 0 ? NULL : &r->net->node[other->node];
    n->in[1] = other->node;
    const int fits = second && second->c == n->c && (add ? same_size(second, n) : second->h == 1 && second->w == 1);
    return fits ? SPN_OK : broken(r, "two tensors do not fit together");
  }
  if (!is_constant(other, (size_t)n->c, (size_t)n->c)) return broken(r, "a constant has another size");
  float *v = take_bias(r, other, n->c);
  if (!v) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  if (add) n->bias = v;
  else n->weight = v;
  return SPN_OK;
}

static spn_status read_unary(reader *r, const operation *o) {
  spn_lowered_node *n;
  SPN_TRY(add_node(r, o, o->code == TFL_MEAN ? SPN_LOWERED_POOL : SPN_LOWERED_SCALE, &n));
  const spn_lowered_node *from = &r->net->node[n->in[0]];
  if (o->code == TFL_HARD_SWISH) n->act = SPN_FUSED_HSWISH;
  if (o->code == TFL_LOGISTIC) n->act = SPN_FUSED_SIGMOID;
  if (o->code == TFL_RELU) n->act = SPN_FUSED_RELU;
  if (o->code == TFL_RELU6) n->act = SPN_FUSED_RELU6;
  const int pooled = o->code == TFL_MEAN && n->h == 1 && n->w == 1 && n->c == from->c;
  return pooled || (o->code != TFL_MEAN && same_size(n, from)) ? SPN_OK : broken(r, "an operator changes the size");
}

static spn_status read_pad(reader *r, const operation *o) {
  const tensor *p = o->in[1];
  if (!o->in[0] || o->in[0]->node < 0 || !p || p->type != TFL_INT32 || p->bytes != 32)
    return broken(r, "a PAD is damaged");
  for (size_t k = 0; k < 8; k++) {
    const int32_t v = spn_fb_number(&r->fb, p->data, k);
    if (v < 0 || v > 3 || (v && (k < 2 || k > 5))) return broken(r, "a PAD is out of range");
    if (k >= 2 && k <= 5) o->out->pads[k - 2] = v;
  }
  o->out->node = o->in[0]->node;
  return SPN_OK;
}

static spn_status read_operator(reader *r, const operation *o) {
  switch (o->code) {
    case TFL_CONV_2D:
    case TFL_DEPTHWISE_CONV_2D: return read_conv(r, o);
    case TFL_FULLY_CONNECTED: return read_dense(r, o);
    case TFL_ADD:
    case TFL_MUL: return read_binary(r, o);
    case TFL_PAD: return read_pad(r, o);
    case TFL_MEAN:
    case TFL_HARD_SWISH:
    case TFL_LOGISTIC:
    case TFL_RELU:
    case TFL_RELU6:
    case TFL_QUANTIZE:
    case TFL_DEQUANTIZE: return read_unary(r, o);
  }
  return broken(r, "an operator is unknown");
}

/* ---- The file ---- */

static spn_status take_operation(reader *r, size_t table, size_t codes, size_t code_count, operation *o) {
  spn_fb_view *fb = &r->fb;
  size_t ins, outs;
  const int64_t code = spn_fb_int(fb, table, 0, 4, 0);
  const size_t in = spn_fb_list(fb, table, 1, 4, &ins), out = spn_fb_list(fb, table, 2, 4, &outs);
  *o = (operation){.options = spn_fb_follow(fb, table, 4)};
  if (fb->bad || code < 0 || (size_t)code >= code_count || ins < 1 || ins > TFL_INPUTS || outs != 1)
    return broken(r, "an operator is damaged");
  o->code = (tfl_code)spn_fb_int(fb, spn_fb_item(fb, codes, (size_t)code), 3, 4, 0);
  for (size_t i = 0; i <= ins; i++) {
    const int32_t number = i < ins ? spn_fb_number(fb, in, i) : spn_fb_number(fb, out, 0);
    if (fb->bad || number < 0 || (size_t)number >= r->tensors) return broken(r, "an operator's tensor is not there");
    if (i < ins) o->in[i] = &r->t[number];
    else o->out = &r->t[number];
  }
  return o->out->data || o->out->node >= 0 ? broken(r, "an operator's output is made twice") : SPN_OK;
}

static spn_status read_input(reader *r, int32_t number) {
  if (number < 0 || (size_t)number >= r->tensors || r->t[number].dims != 4)
    return broken(r, "the input is not (N,H,W,C)");
  tensor *t = &r->t[number];
  spn_lowered_node *n = spn_lowered_add(r->net, SPN_LOWERED_INPUT);
  if (!n) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  n->h = t->shape[1], n->w = t->shape[2], n->c = t->shape[3];
  n->quant = quant_of(r, t);
  t->node = 0;
  return n->h <= MAX_SIDE && n->w <= MAX_SIDE ? SPN_OK : broken(r, "the input is too large");
}

/* The names of the signature, whose tensors are the outputs. */
static spn_status read_outputs(reader *r, size_t model) {
  spn_fb_view *fb = &r->fb;
  size_t signatures, outs, length;
  const size_t list = spn_fb_list(fb, model, 7, 4, &signatures);
  const size_t signature = list && signatures == 1 ? spn_fb_item(fb, list, 0) : 0;
  const size_t maps = signature ? spn_fb_list(fb, signature, 1, 4, &outs) : 0;
  if (fb->bad || !maps || !outs) return broken(r, "no output is named");
  for (size_t i = 0; i < outs; i++) {
    const size_t map = spn_fb_item(fb, maps, i), name = spn_fb_list(fb, map, 0, 1, &length);
    const int64_t number = spn_fb_int(fb, map, 1, 4, 0);
    if (fb->bad || !name || number < 0 || (size_t)number >= r->tensors || r->t[number].node < 0 ||
        !spn_lowered_give(r->net, r->t[number].node, (const char *)fb->data + name, length))
      return broken(r, "an output is no tensor that an operator makes");
  }
  return SPN_OK;
}

static spn_status read_graph(reader *r, size_t model, size_t graph) {
  spn_fb_view *fb = &r->fb;
  size_t buffer_count, op_count, code_count, ins;
  const size_t tensors = spn_fb_list(fb, graph, 0, 4, &r->tensors),
               buffers = spn_fb_list(fb, model, 4, 4, &buffer_count);
  const size_t ops = spn_fb_list(fb, graph, 3, 4, &op_count), codes = spn_fb_list(fb, model, 1, 4, &code_count);
  const size_t inputs = spn_fb_list(fb, graph, 1, 4, &ins);
  if (fb->bad || !r->tensors || r->tensors > MAX_TENSORS || !op_count || ins != 1)
    return broken(r, "its graph is damaged");
  r->t = calloc(r->tensors, sizeof *r->t);
  if (!r->t) return spn_fail(r->err, SPN_ENOMEM, "%s: out of memory", r->path);
  for (size_t i = 0; i < r->tensors; i++)
    SPN_TRY(read_tensor(r, spn_fb_item(fb, tensors, i), buffers, buffer_count, &r->t[i]));
  SPN_TRY(read_input(r, spn_fb_number(fb, inputs, 0)));
  for (size_t i = 0; i < op_count; i++) {
    operation o;
    SPN_TRY(take_operation(r, spn_fb_item(fb, ops, i), codes, code_count, &o));
    SPN_TRY(read_operator(r, &o));
  }
  return fb->bad ? broken(r, "an operator is damaged") : read_outputs(r, model);
}

spn_status spn_tflite_parse(const char *name, const void *data, size_t size, spn_lowered **out, spn_err *err) {
  reader r = {.fb = {data, size, 0}, .path = name, .net = spn_lowered_new(), .err = err};
  size_t graphs;
  if (!r.net) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", name);
  const size_t model = spn_fb_root(&r.fb, "TFL3"), list = r.fb.bad ? 0 : spn_fb_list(&r.fb, model, 2, 4, &graphs);
  spn_status status = list && graphs == 1 ? SPN_OK : broken(&r, "it begins otherwise");
  if (!status) status = read_graph(&r, model, spn_fb_item(&r.fb, list, 0));
  free(r.t);
  if (status) spn_lowered_free(r.net);
  else *out = r.net;
  return status;
}

spn_status spn_tflite_read(const char *path, spn_lowered **out, spn_err *err) {
  enum { MAX_BYTES = 1 << 30 };
  char *data;
  size_t size;
  SPN_TRY(spn_file_read(path, MAX_BYTES, &data, &size, err));
  spn_status status = spn_tflite_parse(path, data, size, out, err);
  free(data);
  return status;
}
