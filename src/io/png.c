/* PNG (ISO/IEC 15948) with unfiltered rows: one IDAT of zlib's stream; base64 by RFC 4648. */
#include "io/png.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { SIGNATURE = 8, CHUNK = 12, HEADER = 13 }; /* bytes; CHUNK: length, kind and checksum around the data */

static unsigned char *put32(unsigned char *to, uint32_t value) {
  for (int i = 0; i < 4; i++) to[i] = (unsigned char)(value >> (24 - 8 * i));
  return to + 4;
}

/* data lies where it belongs already, 8 bytes behind `to`. Returns the end of the chunk. */
static unsigned char *put_chunk(unsigned char *to, const char *kind, size_t size) {
  memcpy(put32(to, (uint32_t)size), kind, 4);
  return put32(to + 8 + size, (uint32_t)crc32(0, to + 4, (uInt)(size + 4)));
}

/* The file from compressed rows of which there are `size` bytes, 8 bytes behind `data`. Returns its end. */
static unsigned char *put_file(unsigned char *to, int width, int height, const unsigned char *rows, size_t size) {
  static const unsigned char format[] = {8, 2, 0, 0, 0}; /* 8 bit, RGB; deflate, no interlace */
  memcpy(to, "\x89PNG\r\n\x1a\n", SIGNATURE);
  to += SIGNATURE;
  memcpy(put32(put32(to + 8, (uint32_t)width), (uint32_t)height), format, sizeof format);
  to = put_chunk(to, "IHDR", HEADER);
  memcpy(to + 8, rows, size);
  to = put_chunk(to, "IDAT", size);
  return put_chunk(to, "IEND", 0);
}

static void put_base64(const unsigned char *from, size_t size, char *to) {
  static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < size; i += 3) {
    size_t left = size - i;
    uint32_t three = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
                     (left > 2 ? from[i + 2] : 0);
    for (size_t k = 0; k < 4; k++) *to++ = k > left ? '=' : digit[three >> (18 - 6 * k) & 63];
  }
  *to = 0;
}

spn_status spn_png_text(const unsigned char *rgb, int width, int height, char **out, spn_err *err) {
  size_t row = (size_t)width * 3, raw = (row + 1) * (size_t)height, most = SIGNATURE + 3 * CHUNK + HEADER;
  uLongf packed = compressBound((uLong)raw);
  unsigned char *rows = malloc(raw + packed + most + packed), *data = NULL, *file = NULL; /* one block for all */
  *out = malloc((most + packed + 2) / 3 * 4 + 1);
  int done = rows && *out;
  if (done) file = (data = rows + raw) + packed;
  for (int y = 0; done && y < height; y++) {
    rows[(size_t)y * (row + 1)] = 0; /* the filter */
    memcpy(rows + (size_t)y * (row + 1) + 1, rgb + (size_t)y * row, row);
  }
  done = done && compress2(data, &packed, rows, (uLong)raw, Z_BEST_COMPRESSION) == Z_OK;
  if (done) put_base64(file, (size_t)(put_file(file, width, height, data, packed) - file), *out);
  free(rows);
  if (done) return SPN_OK;
  free(*out);
  *out = NULL;
  return spn_fail(err, SPN_ENOMEM, "picture: out of memory");
}
