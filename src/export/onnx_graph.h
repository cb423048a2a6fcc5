/* Writes an ONNX graph node by node: the vocabulary of onnx.proto, nothing of networks. Internal to src/export. */
#ifndef SPN_EXPORT_ONNX_GRAPH_H
#define SPN_EXPORT_ONNX_GRAPH_H

#include "io/protobuf.h"

enum { ONNX_NAME = 96 };

/* The content of a GraphProto; its failed flag is the error state. */
typedef struct {
  spn_pb pb;
} onnx_graph;

/* A float value of the graph: (N,c,h,w), or (N,c) when h is 0. Names are C identifiers and unique. */
typedef struct {
  char name[ONNX_NAME];
  int c, h, w;
} onnx_value;

/* "stem.conv" + "_weight" -> "stem_conv_weight". */
void spn_onnx_name(char name[ONNX_NAME], const char *prefix, const char *suffix);

typedef enum { ONNX_INPUT = 11, ONNX_OUTPUT = 12, ONNX_EDGE = 13 } onnx_role; /* GraphProto's field numbers */
void spn_onnx_declare(onnx_graph *g, onnx_role role, const onnx_value *value);

/* A float constant of the given shape (dims 0: a scalar). */
void spn_onnx_constant(onnx_graph *g, const char *name, int dims, const int64_t *shape, const float *data);

/* One node, named after its output: begin, attributes, end. inputs ends with NULL. */
size_t spn_onnx_begin(onnx_graph *g, const char *op, const char *const *inputs, const char *output);
void spn_onnx_float(onnx_graph *g, const char *name, float value);
void spn_onnx_int(onnx_graph *g, const char *name, int64_t value);
void spn_onnx_ints(onnx_graph *g, const char *name, int n, const int64_t *values);
void spn_onnx_end(onnx_graph *g, size_t mark);

/* A node without attributes. */
void spn_onnx_node(onnx_graph *g, const char *op, const char *const *inputs, const char *output);

#endif
