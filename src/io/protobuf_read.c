#include "io/protobuf_read.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static int take_varint(spn_pb_view *v, uint64_t *out) {
  *out = 0;
  for (int shift = 0; shift < 64 && v->at < v->end; shift += 7) {
    const unsigned char byte = *v->at++;
    *out |= (uint64_t)(byte & 127) << shift;
    if (!(byte & 128)) return 1;
  }
  return 0;
}

int spn_pb_next(spn_pb_view *v, spn_pb_field *out) {
  uint64_t tag, size;
  *out = (spn_pb_field){.number = 0};
  if (v->at >= v->end) return 0;
  if (!take_varint(v, &tag) || tag >> 3 > INT32_MAX) return -1;
  out->number = (int)(tag >> 3);
  const int wire = (int)(tag & 7);
  if (wire == WIRE_VARINT) return take_varint(v, &out->value) ? 1 : -1;
  if (wire == WIRE_BYTES) {
    if (!take_varint(v, &size)) return -1;
  } else if (wire == WIRE_32 || wire == WIRE_64) {
    size = wire == WIRE_32 ? 4 : 8;
  } else {
    return -1;
  }
  if (size > (uint64_t)(v->end - v->at)) return -1;
  out->content = (spn_pb_view){v->at, v->at + size};
  out->is_content = wire == WIRE_BYTES;
  for (uint64_t i = 0; wire != WIRE_BYTES && i < size; i++) out->value |= (uint64_t)v->at[i] << 8 * i;
  v->at += size;
  return 1;
}
