/* The facts an exported file carries about its input, its classes and where it comes from. Internal to src/export. */
#ifndef SPN_EXPORT_FACTS_H
#define SPN_EXPORT_FACTS_H

#include "export/export.h"
#include "export/lower.h"
#include "io/json_write.h"

/* What they are about. */
typedef struct {
  const spn_arch *arch;
  const spn_export_options *options;
  const char *layout;     /* "NCHW", "NHWC" or "HWC" */
  const spn_lowered *net; /* tells the outputs; NULL: the logits alone */
} spn_facts;

typedef void (*spn_fact_fn)(void *context, const char *key, const char *value);

/* Calls put for every fact. Keys are unique; the caller's facts win over ours:
 *   input.size, input.channel_order (RGB or gray), input.layout (the layout), input.normalisation (caller
 *   or graph), input.range, input.mean, input.std, input.resize, input.resize_filter, input.crop_fraction (as far as
 *   known), input.formula; output ("logits", "stride8,stride16"); output.stride8 and so on of feature maps, a JSON
 *   object: layer, channels, height, width; classes; class_names (a JSON array); batch_norm (folded or kept).
 * SPN_ENOMEM is the only failure. */
spn_status spn_facts_each(const spn_facts *facts, spn_fact_fn put, void *context, spn_err *err);

/* The same as members of an object that is open in w. */
spn_status spn_facts_put(const spn_facts *facts, spn_json_writer *w, spn_err *err);

#endif
