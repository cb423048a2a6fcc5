#include "export/tflite_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/flatbuffer.h"

/* Slots of the schema's tables. */
enum {
  MODEL_VERSION,
  MODEL_CODES,
  MODEL_SUBGRAPHS,
  MODEL_DESCRIPTION,
  MODEL_BUFFERS,
  MODEL_METADATA = 6,
  MODEL_SIGNATURES
};
enum { CODE_DEPRECATED, CODE_VERSION = 2, CODE_BUILTIN };
enum { SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OPERATORS, SUBGRAPH_NAME };
enum { TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME, TENSOR_QUANTISATION, TENSOR_SIGNATURE = 7 };
enum { QUANT_SCALE = 2, QUANT_ZERO, QUANT_AXIS = 6 };
enum { OPERATOR_CODE, OPERATOR_INPUTS, OPERATOR_OUTPUTS, OPERATOR_OPTIONS_TYPE, OPERATOR_OPTIONS };
enum { CONV_PADDING, CONV_STRIDE_W, CONV_STRIDE_H, CONV_FUSED, DEPTHWISE_MULTIPLIER = 3, DEPTHWISE_FUSED };
enum { BUFFER_DATA };
enum { METADATA_NAME, METADATA_BUFFER };
enum { SIGNATURE_INPUTS, SIGNATURE_OUTPUTS, SIGNATURE_KEY };
enum { MAP_NAME, MAP_TENSOR };
/* Types of BuiltinOptions. */
enum {
  OPTIONS_CONV = 1,
  OPTIONS_DEPTHWISE = 2,
  OPTIONS_DENSE = 8,
  OPTIONS_ADD = 11,
  OPTIONS_MUL = 21,
  OPTIONS_PAD = 22,
  OPTIONS_REDUCE = 27,
  OPTIONS_DEQUANTIZE = 38,
  OPTIONS_QUANTIZE = 89,
  OPTIONS_HARD_SWISH = 91
};
enum { SCHEMA_VERSION = 3, ALIGN = 16 /* of data: the schema's force_align */, OLD_CODES = 127 };

void spn_tfl_free(tfl_graph *g) {
  for (int i = 0; i < g->tensors; i++) {
    free(g->tensor[i].data);
    free(g->tensor[i].scale);
  }
  free(g->tensor);
  free(g->op);
  *g = (tfl_graph){0};
}

static int grow(tfl_graph *g, void **list, int count, int *room, size_t size) {
  if (g->failed) return 0;
  if (count < *room) return 1;
  int more = *room ? 2 * *room : 64;
  void *wider = realloc(*list, (size_t)more * size);
  if (!wider) {
    g->failed = 1;
    return 0;
  }
  *list = wider;
  *room = more;
  return 1;
}

static void *copy_of(tfl_graph *g, const void *data, size_t bytes) {
  void *copy = malloc(bytes);
  if (copy) memcpy(copy, data, bytes);
  else g->failed = 1;
  return copy;
}

int spn_tfl_tensor(tfl_graph *g, const char *name, tfl_type type, int dims, const int *shape, const void *data,
                   size_t bytes) {
  if (!grow(g, (void **)&g->tensor, g->tensors, &g->tensor_room, sizeof *g->tensor)) return 0;
  tfl_tensor *t = &g->tensor[g->tensors];
  *t = (tfl_tensor){.dims = dims, .batched = !data, .type = type, .bytes = bytes};
  snprintf(t->name, sizeof t->name, "%s", name);
  memcpy(t->shape, shape, (size_t)dims * sizeof *shape);
  if (data) t->data = copy_of(g, data, bytes);
  return g->tensors++;
}

void spn_tfl_quantise(tfl_graph *g, int tensor, const float *scale, int scales, int zero, int axis) {
  if (g->failed) return;
  tfl_tensor *t = &g->tensor[tensor];
  free(t->scale);
  t->scale = copy_of(g, scale, (size_t)scales * sizeof *scale);
  t->scales = scales;
  t->zero = zero;
  t->axis = axis;
}

void spn_tfl_op(tfl_graph *g, const tfl_op *op) {
  if (grow(g, (void **)&g->op, g->ops, &g->op_room, sizeof *g->op)) g->op[g->ops++] = *op;
}

/* ---- The file ---- */

/* Numbers of operator codes: each (code, version) once, in order of first use. */
typedef struct {
  int code, version;
} op_code;
enum { MAX_CODES = 32 };
typedef struct {
  op_code code[MAX_CODES];
  int count;
} op_codes;

static int code_number(op_codes *all, const tfl_op *op) {
  int i = 0;
  while (i < all->count && (all->code[i].code != (int)op->code || all->code[i].version != op->version)) i++;
  if (i == all->count && i < MAX_CODES) all->code[all->count++] = (op_code){(int)op->code, op->version};
  return i;
}

static void write_codes(spn_fb *fb, size_t reference, const op_codes *all) {
  size_t at = spn_fb_references(fb, reference, (size_t)all->count);
  for (int i = 0; i < all->count; i++) {
    const int code = all->code[i].code;
    spn_fb_open(fb, at + 4 * (size_t)i, 4);
    spn_fb_put_byte(fb, CODE_DEPRECATED, code < OLD_CODES ? code : OLD_CODES);
    spn_fb_put_int(fb, CODE_VERSION, all->code[i].version);
    spn_fb_put_int(fb, CODE_BUILTIN, code);
    spn_fb_close(fb);
  }
}

static void write_quantisation(spn_fb *fb, size_t reference, const tfl_tensor *t) {
  spn_fb_open(fb, reference, 7);
  size_t scale = spn_fb_put_reference(fb, QUANT_SCALE), zero = spn_fb_put_reference(fb, QUANT_ZERO);
  spn_fb_put_int(fb, QUANT_AXIS, t->axis);
  spn_fb_close(fb);
  spn_fb_vector(fb, scale, t->scale, (size_t)t->scales, sizeof *t->scale, sizeof *t->scale);
  int64_t *zeros = malloc((size_t)t->scales * sizeof *zeros);
  if (!zeros) {
    fb->failed = 1;
    return;
  }
  for (int i = 0; i < t->scales; i++) zeros[i] = t->zero;
  spn_fb_vector(fb, zero, zeros, (size_t)t->scales, sizeof *zeros, sizeof *zeros);
  free(zeros);
}

static void write_tensor(spn_fb *fb, size_t reference, const tfl_tensor *t, int buffer) {
  int32_t shape[4], signature[4];
  for (int d = 0; d < t->dims; d++) shape[d] = signature[d] = t->shape[d];
  if (t->batched) signature[0] = -1;
  spn_fb_open(fb, reference, 8);
  size_t shape_at = spn_fb_put_reference(fb, TENSOR_SHAPE), quantisation = 0, signature_at = 0;
  spn_fb_put_byte(fb, TENSOR_TYPE, t->type);
  spn_fb_put_int(fb, TENSOR_BUFFER, buffer);
  size_t name = spn_fb_put_reference(fb, TENSOR_NAME);
  if (t->scale) quantisation = spn_fb_put_reference(fb, TENSOR_QUANTISATION);
  if (t->batched) signature_at = spn_fb_put_reference(fb, TENSOR_SIGNATURE);
  spn_fb_close(fb);
  spn_fb_vector(fb, shape_at, shape, (size_t)t->dims, sizeof *shape, sizeof *shape);
  spn_fb_string(fb, name, t->name);
  if (t->scale) write_quantisation(fb, quantisation, t);
  if (t->batched) spn_fb_vector(fb, signature_at, signature, (size_t)t->dims, sizeof *signature, sizeof *signature);
}

/* The options' fields; returns after writing the table. */
static void write_options(spn_fb *fb, size_t reference, const tfl_op *op) {
  spn_fb_open(fb, reference, 5);
  switch (op->code) {
    case TFL_CONV_2D:
    case TFL_DEPTHWISE_CONV_2D: {
      const int depthwise = op->code == TFL_DEPTHWISE_CONV_2D;
      spn_fb_put_byte(fb, CONV_PADDING, op->padding);
      spn_fb_put_int(fb, CONV_STRIDE_W, op->stride);
      spn_fb_put_int(fb, CONV_STRIDE_H, op->stride);
      if (depthwise) spn_fb_put_int(fb, DEPTHWISE_MULTIPLIER, 1);
      spn_fb_put_byte(fb, depthwise ? DEPTHWISE_FUSED : CONV_FUSED, op->fused);
      break;
    }
    case TFL_FULLY_CONNECTED:
    case TFL_ADD:
    case TFL_MUL: spn_fb_put_byte(fb, 0, op->fused); break;
    case TFL_MEAN: spn_fb_put_byte(fb, 0, op->keep_dims); break;
    default: break;
  }
  spn_fb_close(fb);
}

static int options_type(tfl_code code) { /* 0: none */
  switch (code) {
    case TFL_ADD: return OPTIONS_ADD;
    case TFL_CONV_2D: return OPTIONS_CONV;
    case TFL_DEPTHWISE_CONV_2D: return OPTIONS_DEPTHWISE;
    case TFL_DEQUANTIZE: return OPTIONS_DEQUANTIZE;
    case TFL_FULLY_CONNECTED: return OPTIONS_DENSE;
    case TFL_MUL: return OPTIONS_MUL;
    case TFL_PAD: return OPTIONS_PAD;
    case TFL_MEAN: return OPTIONS_REDUCE;
    case TFL_QUANTIZE: return OPTIONS_QUANTIZE;
    case TFL_HARD_SWISH: return OPTIONS_HARD_SWISH;
    case TFL_LOGISTIC:
    case TFL_RELU:
    case TFL_RELU6: break;
  }
  return 0;
}

static void write_operator(spn_fb *fb, size_t reference, const tfl_op *op, int code) {
  const int type = options_type(op->code);
  int32_t inputs[TFL_INPUTS], output = op->output;
  for (int i = 0; i < op->input_count; i++) inputs[i] = op->inputs[i];
  spn_fb_open(fb, reference, 5);
  spn_fb_put_int(fb, OPERATOR_CODE, code);
  size_t in = spn_fb_put_reference(fb, OPERATOR_INPUTS), out = spn_fb_put_reference(fb, OPERATOR_OUTPUTS), options = 0;
  if (type) {
    spn_fb_put_byte(fb, OPERATOR_OPTIONS_TYPE, type);
    options = spn_fb_put_reference(fb, OPERATOR_OPTIONS);
  }
  spn_fb_close(fb);
  spn_fb_vector(fb, in, inputs, (size_t)op->input_count, sizeof *inputs, sizeof *inputs);
  spn_fb_vector(fb, out, &output, 1, sizeof output, sizeof output);
  if (type) write_options(fb, options, op);
}

static void write_subgraph(spn_fb *fb, size_t reference, const tfl_graph *g, op_codes *codes) {
  const int32_t input = g->input.tensor;
  int32_t output[TFL_OUTPUTS];
  size_t list = spn_fb_references(fb, reference, 1);
  spn_fb_open(fb, list, 5);
  size_t tensors = spn_fb_put_reference(fb, SUBGRAPH_TENSORS), in = spn_fb_put_reference(fb, SUBGRAPH_INPUTS);
  size_t out = spn_fb_put_reference(fb, SUBGRAPH_OUTPUTS), ops = spn_fb_put_reference(fb, SUBGRAPH_OPERATORS);
  size_t name = spn_fb_put_reference(fb, SUBGRAPH_NAME);
  spn_fb_close(fb);
  spn_fb_vector(fb, in, &input, 1, sizeof input, sizeof input);
  for (int i = 0; i < g->outputs; i++) output[i] = g->output[i].tensor;
  spn_fb_vector(fb, out, output, (size_t)g->outputs, sizeof *output, sizeof *output);
  spn_fb_string(fb, name, "main");
  tensors = spn_fb_references(fb, tensors, (size_t)g->tensors);
  for (int i = 0, buffer = 0; i < g->tensors; i++)
    write_tensor(fb, tensors + 4 * (size_t)i, &g->tensor[i], g->tensor[i].data ? ++buffer : 0);
  ops = spn_fb_references(fb, ops, (size_t)g->ops);
  for (int i = 0; i < g->ops; i++) write_operator(fb, ops + 4 * (size_t)i, &g->op[i], code_number(codes, &g->op[i]));
}

static void write_maps(spn_fb *fb, size_t reference, const tfl_end *end, int count) {
  const size_t list = spn_fb_references(fb, reference, (size_t)count);
  for (int i = 0; i < count; i++) {
    spn_fb_open(fb, list + 4 * (size_t)i, 2);
    const size_t text = spn_fb_put_reference(fb, MAP_NAME);
    spn_fb_put_int(fb, MAP_TENSOR, end[i].tensor);
    spn_fb_close(fb);
    spn_fb_string(fb, text, end[i].name);
  }
}

static void write_signature(spn_fb *fb, size_t reference, const tfl_graph *g) {
  size_t list = spn_fb_references(fb, reference, 1);
  spn_fb_open(fb, list, 3);
  size_t in = spn_fb_put_reference(fb, SIGNATURE_INPUTS), out = spn_fb_put_reference(fb, SIGNATURE_OUTPUTS);
  size_t key = spn_fb_put_reference(fb, SIGNATURE_KEY);
  spn_fb_close(fb);
  write_maps(fb, in, &g->input, 1);
  write_maps(fb, out, g->output, g->outputs);
  spn_fb_string(fb, key, "serving_default");
}

static void write_metadata(spn_fb *fb, size_t reference, const char *name, int buffer) {
  size_t list = spn_fb_references(fb, reference, 1);
  spn_fb_open(fb, list, 2);
  size_t text = spn_fb_put_reference(fb, METADATA_NAME);
  spn_fb_put_int(fb, METADATA_BUFFER, buffer);
  spn_fb_close(fb);
  spn_fb_string(fb, text, name);
}

static void write_buffer(spn_fb *fb, size_t reference, const void *data, size_t bytes) {
  spn_fb_open(fb, reference, 1);
  size_t at = data ? spn_fb_put_reference(fb, BUFFER_DATA) : 0;
  spn_fb_close(fb);
  if (data) spn_fb_vector(fb, at, data, bytes, 1, ALIGN);
}

/* Buffer 0 is empty, then one for each constant, then the metadata's. Returns the metadata's. */
static int count_buffers(const tfl_graph *g) {
  int n = 1;
  for (int i = 0; i < g->tensors; i++) n += g->tensor[i].data != NULL;
  return n;
}

static void write_buffers(spn_fb *fb, size_t reference, const tfl_graph *g, const tfl_file *file) {
  size_t at = spn_fb_references(fb, reference, (size_t)count_buffers(g) + (file->metadata != NULL));
  write_buffer(fb, at, NULL, 0);
  for (int i = 0; i < g->tensors; i++)
    if (g->tensor[i].data) write_buffer(fb, at += 4, g->tensor[i].data, g->tensor[i].bytes);
  if (file->metadata) write_buffer(fb, at + 4, file->metadata, strlen(file->metadata));
}

static void write_model(spn_fb *fb, const tfl_graph *g, const tfl_file *file) {
  op_codes codes = {.count = 0};
  for (int i = 0; i < g->ops; i++) code_number(&codes, &g->op[i]);
  size_t root = spn_fb_begin(fb, "TFL3"), metadata = 0;
  spn_fb_open(fb, root, 8);
  spn_fb_put_int(fb, MODEL_VERSION, SCHEMA_VERSION);
  size_t code_list = spn_fb_put_reference(fb, MODEL_CODES), subgraphs = spn_fb_put_reference(fb, MODEL_SUBGRAPHS);
  size_t description = spn_fb_put_reference(fb, MODEL_DESCRIPTION), buffers = spn_fb_put_reference(fb, MODEL_BUFFERS);
  if (file->metadata) metadata = spn_fb_put_reference(fb, MODEL_METADATA);
  size_t signatures = spn_fb_put_reference(fb, MODEL_SIGNATURES);
  spn_fb_close(fb);
  write_codes(fb, code_list, &codes);
  write_subgraph(fb, subgraphs, g, &codes);
  spn_fb_string(fb, description, file->description);
  if (file->metadata) write_metadata(fb, metadata, file->metadata_name, count_buffers(g));
  write_signature(fb, signatures, g);
  write_buffers(fb, buffers, g, file);
}

spn_status spn_tfl_save(const tfl_graph *g, const tfl_file *file, const char *path, spn_err *err) {
  spn_fb fb = {.failed = g->failed};
  write_model(&fb, g, file);
  spn_status status = fb.failed ? spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path)
                                : spn_file_write(path, fb.data, fb.size, err);
  spn_fb_free(&fb);
  return status;
}
