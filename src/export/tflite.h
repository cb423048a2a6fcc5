/* A lowered network as a TFLite file. */
#ifndef SPN_EXPORT_TFLITE_H
#define SPN_EXPORT_TFLITE_H

#include "export/lower.h"

/* Writes float32 TFLite, atomically: input and output (1,h,w,c) channels last, logits (1,classes); any batch at run
 * time. The network's batch norm must be folded (SPN_EINPUT otherwise). metadata: a JSON text stored as the entry
 * "spnas", or NULL. */
spn_status spn_tflite_write(const spn_lowered *net, const char *name, const char *metadata, const char *path,
                            spn_err *err);

#endif
