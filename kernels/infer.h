/* A network for inference, one image at a time, on oneDNN alone: convolutions with bias and activation fused, memory in
 * whatever layout each primitive likes best. What frameworks on this library reach, for measuring; not used in
 * training. */
#ifndef SPN_KERNELS_INFER_H
#define SPN_KERNELS_INFER_H

#include "kernels.h"

typedef struct spn_infer spn_infer;

typedef enum { SPN_INFER_LINEAR, SPN_INFER_RELU, SPN_INFER_RELU6, SPN_INFER_HSWISH, SPN_INFER_SIGMOID } spn_infer_act;

/* A convolution; channels = out. depthwise: out == in channels. */
typedef struct {
  int out, kernel, stride, depthwise;
  int pad_top, pad_left, pad_bottom, pad_right;
  spn_infer_act act;
  const float *weight; /* (O,I,K,K); depthwise (C,1,K,K) */
  const float *bias;   /* (O) or NULL */
} spn_infer_conv;

/* An input of c channels, h x w. Values are numbered in the order they are made; the input is 0. */
spn_status spn_infer_create(int c, int h, int w, spn_infer **out, spn_err *err);
void spn_infer_free(spn_infer *net); /* NULL is allowed */

/* Each makes a value from earlier ones and gives its number. SPN_EBACKEND with what oneDNN refused, SPN_ENOMEM. */
spn_status spn_infer_convolve(spn_infer *net, int in, const spn_infer_conv *conv, int *value, spn_err *err);
spn_status spn_infer_pool(spn_infer *net, int in, int *value, spn_err *err);              /* mean: (c,1,1) */
spn_status spn_infer_multiply(spn_infer *net, int a, int gate, int *value, spn_err *err); /* gate (c,1,1) */
spn_status spn_infer_add(spn_infer *net, int a, int b, int *value, spn_err *err);

/* Runs values first + 1 .. last from what they read. SPN_EBACKEND. */
spn_status spn_infer_run(spn_infer *net, int first, int last, spn_err *err);
/* (c,h,w) of the input or of a value, plain. */
spn_status spn_infer_set(spn_infer *net, const float *image, spn_err *err);
spn_status spn_infer_get(spn_infer *net, int value, float *out, spn_err *err);

#endif
