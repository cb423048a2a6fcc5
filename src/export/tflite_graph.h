/* A TFLite model as tensors and operators, and its file: the vocabulary of TFLite's schema.fbs (version 3), nothing of
 * networks. Internal to src/export. */
#ifndef SPN_EXPORT_TFLITE_GRAPH_H
#define SPN_EXPORT_TFLITE_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* The schema's numbers. */
typedef enum { TFL_FLOAT32 = 0, TFL_INT32 = 2, TFL_INT8 = 9 } tfl_type;
typedef enum {
  TFL_ADD = 0,
  TFL_CONV_2D = 3,
  TFL_DEPTHWISE_CONV_2D = 4,
  TFL_DEQUANTIZE = 6,
  TFL_FULLY_CONNECTED = 9,
  TFL_LOGISTIC = 14,
  TFL_MUL = 18,
  TFL_RELU = 19,
  TFL_RELU6 = 21,
  TFL_PAD = 34,
  TFL_MEAN = 40,
  TFL_QUANTIZE = 114,
  TFL_HARD_SWISH = 117
} tfl_code;
typedef enum { TFL_FUSE_NONE = 0, TFL_FUSE_RELU = 1, TFL_FUSE_RELU6 = 3 } tfl_fused;
typedef enum { TFL_SAME = 0, TFL_VALID = 1 } tfl_padding;

enum { TFL_NAME = 64, TFL_INPUTS = 3, TFL_OUTPUTS = 16 };

typedef struct {
  char name[TFL_NAME];
  int dims, shape[4]; /* a batch is 1 here and any number at run time */
  int batched;        /* shape[0] is the batch */
  tfl_type type;
  void *data; /* owned; NULL: made by an operator, or the input */
  size_t bytes;
  float *scale;           /* owned; (scales) or NULL: not quantised. scales > 1: one for each of axis */
  int scales, zero, axis; /* zero: of all scales */
} tfl_tensor;

typedef struct {
  tfl_code code;
  int version;
  int inputs[TFL_INPUTS], input_count, output; /* tensors */
  tfl_fused fused;
  tfl_padding padding; /* convolutions */
  int stride;
  int keep_dims; /* MEAN */
} tfl_op;

/* A tensor that the graph takes or gives, and its name in the signature. */
typedef struct {
  const char *name;
  int tensor;
} tfl_end;

typedef struct {
  tfl_tensor *tensor;
  int tensors, tensor_room;
  tfl_op *op;
  int ops, op_room;
  tfl_end input, output[TFL_OUTPUTS];
  int outputs;
  int failed; /* memory ran out: later calls do nothing */
} tfl_graph;  /* begin with {0} */

void spn_tfl_free(tfl_graph *g);

/* Number of a new tensor. Without data it is batched. data (bytes) is copied; the tensor is not quantised. */
int spn_tfl_tensor(tfl_graph *g, const char *name, tfl_type type, int dims, const int *shape, const void *data,
                   size_t bytes);
/* scale (scales) is copied; it takes the place of an earlier one. */
void spn_tfl_quantise(tfl_graph *g, int tensor, const float *scale, int scales, int zero, int axis);
void spn_tfl_op(tfl_graph *g, const tfl_op *op);

typedef struct {
  const char *description;
  const char *metadata_name, *metadata; /* one entry of text; NULL: none */
} tfl_file;

/* Atomically. */
spn_status spn_tfl_save(const tfl_graph *g, const tfl_file *file, const char *path, spn_err *err);

#endif
