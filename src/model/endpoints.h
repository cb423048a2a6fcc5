/* Feature maps inside a network that detection heads (SSDLite, FPN) read, by their stride: image pixels from one of
 * their pixels to the next. */
#ifndef SPN_MODEL_ENDPOINTS_H
#define SPN_MODEL_ENDPOINTS_H

#include "core/names.h"
#include "model/arch.h"

/* Which layer stands for a stride.
 * block: the last block's output, as timm's features_only and FPN take it (the stem's, where it has no block).
 * expansion: the widest map of that stride, as SSDLite of MobileNetV2 and V3 takes it: the expansion that begins the
 * first block of the next stride ("layer_15/expansion_output"), and at the last stride the head's convolution
 * ("layer_19"); the last block's output where that block does not expand or the network has no head. */
#define SPN_ENDPOINT_LAYERS(X) X(SPN_ENDPOINT_BLOCK, "block") X(SPN_ENDPOINT_EXPANSION, "expansion")
typedef enum { SPN_ENDPOINT_LAYERS(SPN_CHOICE_CONSTANT) } spn_endpoint_layer;

enum { SPN_MAX_ENDPOINTS = 8 };
typedef struct {
  int stride[SPN_MAX_ENDPOINTS], count; /* rising */
  int logits;                           /* the logits as well */
  spn_endpoint_layer layer;
} spn_endpoints;

/* Strides and perhaps "logits", in any order, with commas between and perhaps brackets around: "8,16,32",
 * "[8, 16, logits]"; "" is {0}. layer is left alone. SPN_EINPUT for anything else. */
spn_status spn_endpoints_parse(const char *text, spn_endpoints *out, spn_err *err);

/* One of them in a network. */
typedef struct {
  int block;     /* whose output it is; -1: the stem's; arch->blocks: the head's convolution */
  int expansion; /* 1: of the block's expansion rather than its output */
  char name[24]; /* "stem", "block.3", "block.3.expand", "head" */
} spn_endpoint;

/* SPN_EINPUT, with the strides there are, when the network has none of that stride. */
spn_status spn_endpoint_find(const spn_arch *arch, int stride, spn_endpoint_layer layer, spn_endpoint *out,
                             spn_err *err);
/* Every one of them is there. */
spn_status spn_endpoints_check(const spn_arch *arch, const spn_endpoints *endpoints, spn_err *err);

#endif
