#include "io/protobuf.h"

#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5, MAX_VARINT = 10 };

void spn_pb_free(spn_pb *pb) {
  free(pb->data);
  *pb = (spn_pb){0};
}

/* Room for size more bytes; 0 when there is none. */
static int reserve(spn_pb *pb, size_t size) {
  if (pb->failed) return 0;
  if (size <= pb->room - pb->size) return 1;
  size_t room = size < SIZE_MAX / 4 - pb->size ? (pb->size + size) * 3 / 2 + 256 : 0;
  unsigned char *wider = room ? realloc(pb->data, room) : NULL;
  if (!wider) {
    pb->failed = 1;
    return 0;
  }
  pb->data = wider;
  pb->room = room;
  return 1;
}

static void put(spn_pb *pb, const void *data, size_t size) {
  if (!size || !reserve(pb, size)) return;
  memcpy(pb->data + pb->size, data, size);
  pb->size += size;
}

void spn_pb_raw(spn_pb *pb, const void *data, size_t size) { put(pb, data, size); }

static size_t encode(uint64_t value, unsigned char *bytes) {
  size_t n = 0;
  for (; value >= 0x80; value >>= 7) bytes[n++] = (unsigned char)(value | 0x80);
  bytes[n++] = (unsigned char)value;
  return n;
}

static void put_varint(spn_pb *pb, uint64_t value) {
  unsigned char bytes[MAX_VARINT];
  put(pb, bytes, encode(value, bytes));
}

static void put_tag(spn_pb *pb, int field, int wire) { put_varint(pb, (uint64_t)field << 3 | (unsigned)wire); }

void spn_pb_int(spn_pb *pb, int field, int64_t value) {
  put_tag(pb, field, WIRE_VARINT);
  put_varint(pb, (uint64_t)value);
}

static void put_fixed(spn_pb *pb, uint64_t bits, int bytes) {
  unsigned char little[8];
  for (int i = 0; i < bytes; i++) little[i] = (unsigned char)(bits >> 8 * i);
  put(pb, little, (size_t)bytes);
}

void spn_pb_float(spn_pb *pb, int field, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_tag(pb, field, WIRE_32);
  put_fixed(pb, bits, 4);
}

void spn_pb_double(spn_pb *pb, int field, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_tag(pb, field, WIRE_64);
  put_fixed(pb, bits, 8);
}

void spn_pb_bytes_header(spn_pb *pb, int field, size_t size) {
  put_tag(pb, field, WIRE_BYTES);
  put_varint(pb, size);
}

void spn_pb_bytes(spn_pb *pb, int field, const void *data, size_t size) {
  spn_pb_bytes_header(pb, field, size);
  put(pb, data, size);
}

void spn_pb_string(spn_pb *pb, int field, const char *text) {
  spn_pb_bytes_header(pb, field, strlen(text));
  for (const char *p = text; *p;) {
    size_t n = (size_t)spn_utf8_length(p);
    put(pb, n ? p : "?", n ? n : 1);
    p += n ? n : 1;
  }
}

/* The length is not known yet: one byte is kept for it, and close moves the message up when it needs more. */
size_t spn_pb_open(spn_pb *pb, int field) {
  put_tag(pb, field, WIRE_BYTES);
  put(pb, "", 1);
  return pb->size;
}

void spn_pb_close(spn_pb *pb, size_t mark) {
  unsigned char bytes[MAX_VARINT];
  if (pb->failed) return;
  size_t length = pb->size - mark, n = encode(length, bytes);
  if (!reserve(pb, n - 1)) return;
  memmove(pb->data + mark + n - 1, pb->data + mark, length);
  memcpy(pb->data + mark - 1, bytes, n);
  pb->size += n - 1;
}
