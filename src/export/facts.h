/* The facts an exported file carries about its input, its classes and where it comes from. Internal to src/export. */
#ifndef SPN_EXPORT_FACTS_H
#define SPN_EXPORT_FACTS_H

#include "export/export.h"
#include "io/json_write.h"

typedef void (*spn_fact_fn)(void *context, const char *key, const char *value);

/* Calls put for every fact. Keys are unique; the caller's facts win over ours:
 *   input.size, input.channel_order (RGB or gray), input.layout (NCHW, NHWC: the argument), input.normalisation (caller
 *   or graph), input.range, input.mean, input.std, input.resize, input.resize_filter, input.crop_fraction (as far as
 *   known), input.formula; output; classes; class_names (a JSON array); batch_norm (folded or kept).
 * SPN_ENOMEM is the only failure. */
spn_status spn_facts_each(const spn_arch *arch, const spn_export_options *options, const char *layout, spn_fact_fn put,
                          void *context, spn_err *err);

/* The same as members of an object that is open in w. */
spn_status spn_facts_put(const spn_arch *arch, const spn_export_options *options, const char *layout,
                         spn_json_writer *w, spn_err *err);

#endif
