/* What other programs call the tensors of a network: one list of pairs for each of them, used to write and to read.
 * Internal to src/export. */
#ifndef SPN_EXPORT_NAMING_H
#define SPN_EXPORT_NAMING_H

#include "core/status.h"
#include "io/tensors.h"
#include "model/arch.h"

typedef enum {
  SPN_NAMING_TIMM,      /* timm's EfficientNet: blocks.<stage>.<block in it>.conv_dw.weight */
  SPN_NAMING_PROXYLESS, /* ProxylessNAS: blocks.<block>.mobile_inverted_conv.depth_conv.conv.weight */
  SPN_NAMING_KINDS
} spn_naming;

/* How the shapes differ: ours are in export.h, theirs (O,I,K,K), (C,1,K,K) for depthwise, (O,I) for dense. */
typedef enum {
  SPN_LAYOUT_SAME,
  SPN_LAYOUT_DEPTHWISE,
  SPN_LAYOUT_DENSE,
  SPN_LAYOUT_COUNTER /* not ours: an I64 0 */
} spn_layout;

typedef struct {
  const char *ours, *theirs; /* names; ours is NULL for a counter */
  spn_layout layout;
} spn_naming_pair;

/* Calls put for every tensor of the network, in order; ends with its first failure. */
spn_status spn_naming_each(spn_naming kind, const spn_arch *arch,
                           spn_status (*put)(void *context, const spn_naming_pair *name, spn_err *err), void *context,
                           spn_err *err);

/* Our tensors under their names and in their shapes, and back. Into an empty set. Back, every tensor of `from` must be
 * one of the network's (SPN_EINPUT names the first that is not, or is missing, or has another shape or type). */
spn_status spn_naming_write(spn_naming kind, const spn_arch *arch, const spn_tensors *from, spn_tensors *to,
                            spn_err *err);
spn_status spn_naming_read(spn_naming kind, const spn_arch *arch, const spn_tensors *from, spn_tensors *to,
                           spn_err *err);

/* The stage of each block and its place in it as timm counts them, which is how spn_blockstring_timm writes them; -1
 * for skipped blocks. Both (blocks). */
void spn_naming_stages(const spn_arch *arch, int *stage, int *place);

#endif
