/* A lowered network as a TFLite file. */
#ifndef SPN_EXPORT_TFLITE_H
#define SPN_EXPORT_TFLITE_H

#include "export/interpret.h"
#include "export/lower.h"

/* Full-integer int8 by the specification of TFLite's quantisation: two ranges for each node,
 * before and after its activation (spn_interpret); weights a channel (the classifier's as a whole), biases int32; the
 * network must take normalised images. int8_io: as in spn_export_options. */
typedef struct {
  const spn_range *ranges;
  int int8_io;
} spn_tflite_int8;

/* Writes TFLite, atomically: input and output (1,h,w,c) channels last, logits (1,classes); any batch at run
 * time. The network's batch norm must be folded (SPN_EINPUT otherwise). metadata: a JSON text stored as the entry
 * "spnas", or NULL. */
spn_status spn_tflite_write(const spn_lowered *net, const spn_tflite_int8 *int8, const char *name, const char *metadata,
                            const char *path, spn_err *err);

/* A file of our kind as a list again; SPN_EINPUT for everything else. From memory; name stands for it in messages. */
spn_status spn_tflite_read(const char *path, spn_lowered **out, spn_err *err);
spn_status spn_tflite_parse(const char *name, const void *data, size_t size, spn_lowered **out, spn_err *err);

#endif
