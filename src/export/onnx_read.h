/* An ONNX file of our kind as a list of nodes again. */
#ifndef SPN_EXPORT_ONNX_READ_H
#define SPN_EXPORT_ONNX_READ_H

#include "export/lower.h"

/* SPN_EINPUT for everything that spnas does not write. From memory; name stands for the file in messages. */
spn_status spn_onnx_read(const char *path, spn_lowered **out, spn_err *err);
spn_status spn_onnx_parse(const char *name, const void *data, size_t size, spn_lowered **out, spn_err *err);

#endif
