/* The facts an ONNX file carries about its input, its classes and where it comes from. Internal to src/export. */
#ifndef SPN_EXPORT_ONNX_META_H
#define SPN_EXPORT_ONNX_META_H

#include "export/export.h"
#include "io/protobuf.h"

/* Appends metadata_props to a ModelProto. Keys are unique; the caller's facts win over ours:
 *   input.size, input.channel_order (RGB or gray), input.layout, input.normalisation (caller or graph), input.range,
 *   input.mean, input.std, input.resize, input.resize_filter, input.crop_fraction (as far as known), input.formula;
 *   output; classes; class_names (a JSON array); batch_norm (folded or kept). */
void spn_onnx_metadata(spn_pb *pb, const spn_arch *arch, const spn_export_options *options);

#endif
