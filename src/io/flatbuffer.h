/* A FlatBuffers writer (flatbuffers.dev, "internals"): tables, vectors and strings, from front to back. What a table
 * refers to is written after it: a reference is a place that is filled in when its target begins. Failure (memory, more
 * than 2 GiB) is sticky: later calls do nothing, and the caller looks at `failed` once at the end. */
#ifndef SPN_IO_FLATBUFFER_H
#define SPN_IO_FLATBUFFER_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  unsigned char *data;
  size_t size, room;
  size_t vtable, table; /* of the table that is open */
  int failed;
} spn_fb; /* begin with {0} */

void spn_fb_free(spn_fb *fb);

/* The file's header: a reference to the root table, and four letters of identification (NULL: none). */
size_t spn_fb_begin(spn_fb *fb, const char *identifier);

/* A table that `reference` points to, with fields in slots 0 .. slots-1; those not put have their defaults. Between
 * open and close only fields are put, each once. */
void spn_fb_open(spn_fb *fb, size_t reference, int slots);
void spn_fb_put_byte(spn_fb *fb, int slot, int value);    /* bool, byte, ubyte, the type of a union */
void spn_fb_put_int(spn_fb *fb, int slot, int64_t value); /* int, uint */
void spn_fb_put_float(spn_fb *fb, int slot, float value);
size_t spn_fb_put_reference(spn_fb *fb, int slot); /* to a table, a union's value, a vector or a string */
void spn_fb_close(spn_fb *fb);

/* Targets of references. Vectors have count elements of `bytes` bytes as they lie in memory (little-endian), which
 * begin at a multiple of `align` (a power of two, at least bytes) of the file. */
void spn_fb_string(spn_fb *fb, size_t reference, const char *text);
void spn_fb_vector(spn_fb *fb, size_t reference, const void *data, size_t count, size_t bytes, size_t align);
/* A vector of count references; returns the first, and the others follow at distance 4. */
size_t spn_fb_references(spn_fb *fb, size_t reference, size_t count);

#endif
