/* The state of a run as named numbers. Whoever owns numbers that a checkpoint must keep lists them in one function,
 * which serves both ways: it is called with a state that saves, or with one that loads. */
#ifndef SPN_TRAIN_STATE_H
#define SPN_TRAIN_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "io/tensors.h"

typedef struct spn_state spn_state;

/* count numbers, `stride` bytes from one to the next (of a field in an array of structs: the struct's size). Names are
 * unique, at most 100 characters. */
void spn_state_doubles(spn_state *s, const char *name, double *first, size_t count, size_t stride);
void spn_state_double(spn_state *s, const char *name, double *value);
void spn_state_counter(spn_state *s, const char *name, uint64_t *value);
void spn_state_floats(spn_state *s, const char *name, float *values, size_t count);

/* Calls list(owner, state) to fill `out`. */
typedef void (*spn_state_list)(void *owner, spn_state *s);
spn_status spn_state_save(spn_state_list list, void *owner, spn_tensors *out, spn_err *err);
/* The other way. SPN_EINPUT when the set is not what the list asks for: names everything that is missing, unknown or of
 * another size; `what` stands for the file in the message. The owner's numbers are then in part the set's. */
spn_status spn_state_load(spn_state_list list, void *owner, const spn_tensors *set, const char *what, spn_err *err);

#endif
