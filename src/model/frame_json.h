/* The members that a space file and a network file share: everything but the blocks. */
#ifndef SPN_MODEL_FRAME_JSON_H
#define SPN_MODEL_FRAME_JSON_H

#include "io/json.h"
#include "model/arch.h"

/* Reads name, input, classes, activation, padding, bn, dropout, stem and head of a root object into an arch without
 * blocks. Unknown members of the root are the caller's business; those of the nested objects are checked here. */
spn_status spn_frame_read(const spn_json *root, spn_arch *out, spn_err *err);

/* The names of activations and paddings, in enum order, NULL-terminated. */
extern const char *const spn_activation_names[];
extern const char *const spn_padding_names[];

/* int getter for our int fields. */
spn_status spn_json_small(const spn_json *at, int min, int max, int *out, spn_err *err);
/* Shorthand: typed member of an object. */
spn_status spn_json_member(const spn_json *object, const char *key, int min, int max, int *out, spn_err *err);

/* A network at a place of a document: see spn_arch_load. */
spn_status spn_arch_read(const spn_json *at, spn_arch *out, char *note, spn_err *err);

#endif
