/* A protocol-buffer writer: fields go one after another into one growing buffer. Failure (memory) is sticky: later
 * calls do nothing, and the caller looks at `failed` once at the end. */
#ifndef SPN_IO_PROTOBUF_H
#define SPN_IO_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  unsigned char *data;
  size_t size, room;
  int failed;
} spn_pb; /* begin with {0} */

void spn_pb_free(spn_pb *pb);

void spn_pb_int(spn_pb *pb, int field, int64_t value); /* int32, int64, bool, enum */
void spn_pb_float(spn_pb *pb, int field, float value);
void spn_pb_double(spn_pb *pb, int field, double value);
void spn_pb_bytes(spn_pb *pb, int field, const void *data, size_t size);
/* Bytes that belong to no field: of a frame around messages. */
void spn_pb_raw(spn_pb *pb, const void *data, size_t size);
/* Announces size bytes that the caller writes elsewhere, right after this buffer's content. */
void spn_pb_bytes_header(spn_pb *pb, int field, size_t size);
/* A string must be UTF-8 or readers refuse the message: bytes that are not become '?'. */
void spn_pb_string(spn_pb *pb, int field, const char *text);

/* A nested message: everything written between open and close. The mark is what close needs. */
size_t spn_pb_open(spn_pb *pb, int field);
void spn_pb_close(spn_pb *pb, size_t mark);

#endif
