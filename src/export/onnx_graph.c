#include "export/onnx_graph.h"

#include <stdio.h>

/* Field numbers of onnx.proto. */
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9, ELEMENT_FLOAT = 1 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1 };
enum { DIM_VALUE = 1, DIM_PARAM = 2 };

void spn_onnx_name(char name[ONNX_NAME], const char *prefix, const char *suffix) {
  snprintf(name, ONNX_NAME, "%s%s", prefix, suffix);
  for (char *p = name; *p; p++)
    if (*p == '.') *p = '_';
}

static void put_dim(onnx_graph *g, int value) { /* 0: the batch */
  size_t dim = spn_pb_open(&g->pb, SHAPE_DIM);
  if (value) spn_pb_int(&g->pb, DIM_VALUE, value);
  else spn_pb_string(&g->pb, DIM_PARAM, "N");
  spn_pb_close(&g->pb, dim);
}

void spn_onnx_declare(onnx_graph *g, onnx_role role, const onnx_value *value) {
  size_t info = spn_pb_open(&g->pb, role);
  spn_pb_string(&g->pb, VALUE_NAME, value->name);
  size_t type = spn_pb_open(&g->pb, VALUE_TYPE);
  size_t tensor = spn_pb_open(&g->pb, TYPE_TENSOR);
  spn_pb_int(&g->pb, TENSOR_ELEMENT, ELEMENT_FLOAT);
  size_t shape = spn_pb_open(&g->pb, TENSOR_SHAPE);
  put_dim(g, 0);
  put_dim(g, value->c);
  if (value->h) {
    put_dim(g, value->h);
    put_dim(g, value->w);
  }
  spn_pb_close(&g->pb, shape);
  spn_pb_close(&g->pb, tensor);
  spn_pb_close(&g->pb, type);
  spn_pb_close(&g->pb, info);
}

void spn_onnx_constant(onnx_graph *g, const char *name, int dims, const int64_t *shape, const float *data) {
  size_t n = 1, tensor = spn_pb_open(&g->pb, GRAPH_INITIALIZER);
  for (int d = 0; d < dims; d++) {
    spn_pb_int(&g->pb, TENSOR_DIMS, shape[d]);
    n *= (size_t)shape[d];
  }
  spn_pb_int(&g->pb, TENSOR_TYPE, ELEMENT_FLOAT);
  spn_pb_string(&g->pb, TENSOR_NAME, name);
  spn_pb_bytes(&g->pb, TENSOR_RAW, data, n * sizeof *data); /* little-endian, like this machine: see safetensors.c */
  spn_pb_close(&g->pb, tensor);
}

size_t spn_onnx_begin(onnx_graph *g, const char *op, const char *const *inputs, const char *output) {
  size_t node = spn_pb_open(&g->pb, GRAPH_NODE);
  for (; *inputs; inputs++) spn_pb_string(&g->pb, NODE_INPUT, *inputs);
  spn_pb_string(&g->pb, NODE_OUTPUT, output);
  spn_pb_string(&g->pb, NODE_NAME, output);
  spn_pb_string(&g->pb, NODE_OP, op);
  return node;
}

void spn_onnx_end(onnx_graph *g, size_t mark) { spn_pb_close(&g->pb, mark); }

void spn_onnx_node(onnx_graph *g, const char *op, const char *const *inputs, const char *output) {
  spn_onnx_end(g, spn_onnx_begin(g, op, inputs, output));
}

static size_t begin_attribute(onnx_graph *g, const char *name, int type) {
  size_t attribute = spn_pb_open(&g->pb, NODE_ATTRIBUTE);
  spn_pb_string(&g->pb, ATTRIBUTE_NAME, name);
  spn_pb_int(&g->pb, ATTRIBUTE_TYPE, type);
  return attribute;
}

void spn_onnx_float(onnx_graph *g, const char *name, float value) {
  size_t attribute = begin_attribute(g, name, TYPE_FLOAT);
  spn_pb_float(&g->pb, ATTRIBUTE_F, value);
  spn_pb_close(&g->pb, attribute);
}

void spn_onnx_int(onnx_graph *g, const char *name, int64_t value) {
  size_t attribute = begin_attribute(g, name, TYPE_INT);
  spn_pb_int(&g->pb, ATTRIBUTE_I, value);
  spn_pb_close(&g->pb, attribute);
}

void spn_onnx_ints(onnx_graph *g, const char *name, int n, const int64_t *values) {
  size_t attribute = begin_attribute(g, name, TYPE_INTS);
  for (int i = 0; i < n; i++) spn_pb_int(&g->pb, ATTRIBUTE_INTS, values[i]); /* proto2: not packed */
  spn_pb_close(&g->pb, attribute);
}
