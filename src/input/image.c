#include "input/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "input/exif.h"

/* A small PNG can claim to inflate to gigabytes; no single block of the decoder may grow beyond this. */
#define BLOCK_LIMIT ((size_t)1 << 30)
/* Why the decoder got no block; its own messages do not always tell. */
static _Thread_local enum { BLOCKS_FINE, BLOCK_REFUSED, BLOCK_MISSING } blocks;

static void *block_got(void *block) {
  if (!block) blocks = BLOCK_MISSING;
  return block;
}

/* Zeroed: releases of stb_image before 2.28 use Huffman tables that a JPEG never defined, and random ones would make
 * them read anywhere. */
static void *block_alloc(size_t size) {
  if (size <= BLOCK_LIMIT) return block_got(calloc(1, size));
  blocks = BLOCK_REFUSED;
  return NULL;
}

static void *block_grow(void *block, size_t size) {
  if (size <= BLOCK_LIMIT) return block_got(realloc(block, size));
  blocks = BLOCK_REFUSED;
  return NULL;
}

#define STBI_MALLOC(size) block_alloc(size)
#define STBI_REALLOC(block, size) block_grow(block, size)
#define STBI_FREE(block) free(block)
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS SPN_IMAGE_MAX_SIDE
#define STBI_FAILURE_USERMSG
#define STBI_ASSERT(condition) ((void)(condition))
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic ignored "-Wunused-function" /* told at the end of the file, so never popped */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

static const char too_large[] = "image of more than 16384 pixels a side or 2^28 bytes";
static const unsigned char png_signature[8] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a};

static unsigned byte_at(const unsigned char *bytes, size_t size, size_t at) { return at < size ? bytes[at] : 0; }

/* The Huffman tables of a DHT segment whose length field is at `at`: releases of stb_image before 2.28 write beyond
 * their arrays when a table lists more than 256 codes. Reads as the decoder does: zeros beyond the end. */
static const char *check_huffman(const unsigned char *bytes, size_t size, size_t at) {
  long left = (long)(byte_at(bytes, size, at) << 8 | byte_at(bytes, size, at + 1)) - 2;
  for (at += 2; left > 0;) {
    unsigned codes = 0;
    for (size_t i = 1; i <= 16; i++) codes += byte_at(bytes, size, at + i);
    if (codes > 256) return "corrupt JPEG (Huffman table)";
    at += 17 + codes;
    left -= 17 + (long)codes;
  }
  return NULL;
}

/* What stb_image takes on trust. It also fills what is missing from a JPEG with grey and reports success, so the end
 * marker is looked for here. The segments before the first scan are walked, which keeps an embedded thumbnail's markers
 * apart; from there on (or from where the structure is odd) every table that the decoder could possibly see is checked.
 * orientation: set by the first Exif segment, if there is one. */
static const char *check_jpeg(const unsigned char *bytes, size_t size, int *orientation) {
  const char *wrong = NULL;
  size_t at = 2;
  while (at + 4 <= size && bytes[at] == 0xff && bytes[at + 1] != 0xda && bytes[at + 1] != 0xd9) {
    unsigned marker = bytes[at + 1];
    if (marker == 0xff) {
      at += 1;
      continue;
    }
    if (marker == 0xc4) wrong = check_huffman(bytes, size, at + 2);
    if (wrong) return wrong;
    size_t length = (size_t)(bytes[at + 2] << 8 | bytes[at + 3]); /* with its own two bytes */
    if (marker == 0xe1 && !*orientation && length >= 2 && length <= size - at - 2)
      *orientation = spn_exif_orientation(bytes + at + 4, length - 2);
    at += 2 + length;
  }
  int ended = 0;
  while (at + 2 <= size && !wrong) {
    const unsigned char *found = memchr(bytes + at, 0xff, size - at - 1);
    if (!found) break;
    at = (size_t)(found - bytes) + 1;
    if (found[1] == 0xd9) ended = 1;
    if (found[1] == 0xc4) wrong = check_huffman(bytes, size, at + 1);
  }
  return wrong ? wrong : ended ? NULL : "truncated JPEG (no end-of-image marker)";
}

static uint32_t read_be32(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Bounds, checksums and kinds of all chunks. stb_image checks no checksum, and its message about an unknown chunk is a
 * static buffer that threads would share. */
static const char *check_png(const unsigned char *bytes, size_t size) {
  size_t at = 8;
  while (size - at >= 12) {
    size_t length = read_be32(bytes + at);
    const unsigned char *kind = bytes + at + 4;
    if (length > size - at - 12) return "truncated PNG";
    int known = !memcmp(kind, "IHDR", 4) || !memcmp(kind, "PLTE", 4) || !memcmp(kind, "IDAT", 4) ||
                !memcmp(kind, "IEND", 4) || !memcmp(kind, "CgBI", 4);
    if (!(kind[0] & 0x20) && !known) return "corrupt PNG (unknown critical chunk)";
    uLong crc = crc32(crc32(0, NULL, 0), kind, (uInt)length + 4);
    if (crc != read_be32(kind + 4 + length)) return "corrupt PNG (wrong checksum)";
    if (!memcmp(kind, "IEND", 4)) return NULL;
    if (!memcmp(kind, "IHDR", 4) && length >= 8 &&
        (read_be32(kind + 4) > STBI_MAX_DIMENSIONS || read_be32(kind + 8) > STBI_MAX_DIMENSIONS))
      return too_large;
    at += 12 + length;
  }
  return "truncated PNG";
}

static const char *check_container(const unsigned char *bytes, size_t size, int *orientation) {
  if (size == 0) return "empty file";
  if (size >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff)
    return check_jpeg(bytes, size, orientation);
  if (size >= 8 && !memcmp(bytes, png_signature, 8)) return check_png(bytes, size);
  return "not a JPEG or PNG image";
}

/* What a call of the decoder failed of; text is its message, or NULL. */
static spn_status decoder_failed(const char *text, const char **reason) {
  if (blocks == BLOCK_MISSING) return SPN_ENOMEM;
  *reason = blocks == BLOCK_REFUSED ? "corrupt image (inflates to more than 1 GiB)" : text ? text : "corrupt image";
  return SPN_EINPUT;
}

/* What was decoded, (h,w,3), as the camera was held. */
static spn_status turn_upright(int orientation, int h, int w, spn_image *image) {
  if (orientation > SPN_UPRIGHT) {
    unsigned char *upright = malloc((size_t)h * (size_t)w * 3);
    if (!upright) {
      spn_image_free(image);
      return SPN_ENOMEM;
    }
    spn_exif_upright(orientation, image->owned, h, w, upright);
    free(image->owned);
    image->owned = upright;
  }
  image->pixels = image->owned;
  return SPN_OK;
}

spn_status spn_image_decode(const unsigned char *bytes, size_t size, int max_side, spn_image *out,
                            const char **reason) {
  int w = 0, h = 0, channels = 0, orientation = 0;
  *out = (spn_image){0};
  *reason = size > SPN_IMAGE_MAX_FILE ? "file larger than 64 MiB" : check_container(bytes, size, &orientation);
  if (*reason) return SPN_EINPUT;
  blocks = BLOCKS_FINE;
  if (!stbi_info_from_memory(bytes, (int)size, &w, &h, &channels))
    return decoder_failed("corrupt header, or a side of more than 16384 pixels", reason);
  *reason = too_large;
  if (w < 1 || h < 1 || w > STBI_MAX_DIMENSIONS || h > STBI_MAX_DIMENSIONS) return SPN_EINPUT;
  if ((size_t)w * (size_t)h * 3 > SPN_IMAGE_MAX_PIXELS) return SPN_EINPUT;
  *reason = NULL;
  int turns = spn_exif_turns(orientation);
  *out = (spn_image){.h = turns ? w : h, .w = turns ? h : w, .channels = 3};
  if (max_side && (w > max_side || h > max_side)) return SPN_OK;
  out->owned = stbi_load_from_memory(bytes, (int)size, &w, &h, &channels, 3);
  if (!out->owned) return decoder_failed(stbi_failure_reason(), reason);
  return turn_upright(orientation, h, w, out);
}

static spn_status open_failed(const char **reason) {
  switch (errno) {
    case ENOENT: *reason = "no such file"; return SPN_EINPUT;
    case EACCES: *reason = "permission denied"; return SPN_EINPUT;
    case ELOOP: *reason = "too many symbolic links"; return SPN_EINPUT;
    case ENOMEM: return SPN_ENOMEM;
    default: *reason = strerror(errno); return SPN_EIO;
  }
}

/* Reads size bytes, fewer when the file has shrunk; returns how many, or -1. */
static ssize_t read_all(int fd, unsigned char *bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t got = read(fd, bytes + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += (size_t)got;
  }
  return (ssize_t)done;
}

static spn_status read_and_decode(int fd, int max_side, spn_image *out, const char **reason) {
  struct stat info;
  if (fstat(fd, &info)) return open_failed(reason);
  *reason = "not a regular file";
  if (!S_ISREG(info.st_mode)) return SPN_EINPUT;
  *reason = "file larger than 64 MiB";
  if (info.st_size > (off_t)SPN_IMAGE_MAX_FILE) return SPN_EINPUT;
  size_t size = (size_t)info.st_size;
  unsigned char *bytes = malloc(size + 1);
  if (!bytes) return SPN_ENOMEM;
  ssize_t got = read_all(fd, bytes, size);
  *reason = "cannot be read";
  spn_status status = got < 0 ? SPN_EINPUT : spn_image_decode(bytes, (size_t)got, max_side, out, reason);
  free(bytes);
  return status;
}

spn_status spn_image_read(const char *path, int max_side, spn_image *out, const char **reason) {
  *out = (spn_image){0};
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe must not block */
  if (fd < 0) return open_failed(reason);
  spn_status status = read_and_decode(fd, max_side, out, reason);
  close(fd);
  return status;
}

void spn_image_free(spn_image *image) {
  free(image->owned);
  *image = (spn_image){0};
}
