/* Reads protocol buffers nobody vouches for, field by field. */
#ifndef SPN_IO_PROTOBUF_READ_H
#define SPN_IO_PROTOBUF_READ_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  const unsigned char *at, *end;
} spn_pb_view;

typedef struct {
  int number;
  uint64_t value;      /* of a varint or fixed-size field, as it lies */
  spn_pb_view content; /* of a string, bytes or message */
  int is_content;
} spn_pb_field;

/* The next field; 0 at the end, -1 when the message is damaged. */
int spn_pb_next(spn_pb_view *view, spn_pb_field *out);

#endif
