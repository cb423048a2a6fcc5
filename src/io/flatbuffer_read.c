#include "io/flatbuffer_read.h"

#include <string.h>

/* `bytes` little-endian at `at`. */
static uint64_t take(spn_fb_view *fb, size_t at, size_t bytes) {
  uint64_t value = 0;
  if (fb->bad || at > fb->size || bytes > fb->size - at) {
    fb->bad = 1;
    return 0;
  }
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)fb->data[at + i] << 8 * i;
  return value;
}

/* Where the reference at `at` leads; 0 when that is outside. */
static size_t lead(spn_fb_view *fb, size_t at) {
  const uint64_t distance = take(fb, at, 4);
  if (!distance || distance >= fb->size - (at < fb->size ? at : fb->size)) fb->bad = 1;
  return fb->bad ? 0 : at + (size_t)distance;
}

size_t spn_fb_root(spn_fb_view *fb, const char *identifier) {
  if (fb->size < 8 || memcmp(fb->data + 4, identifier, 4)) fb->bad = 1;
  return lead(fb, 0);
}

size_t spn_fb_field(spn_fb_view *fb, size_t table, int slot) {
  const int64_t back = (int32_t)take(fb, table, 4);
  const int64_t vtable = (int64_t)table - back;
  if (fb->bad || vtable < 0 || (uint64_t)vtable >= fb->size) {
    fb->bad = 1;
    return 0;
  }
  const size_t at = 4 + 2 * (size_t)slot;
  if (at + 2 > take(fb, (size_t)vtable, 2)) return 0;
  const size_t offset = (size_t)take(fb, (size_t)vtable + at, 2);
  return offset && !fb->bad ? table + offset : 0;
}

int64_t spn_fb_int(spn_fb_view *fb, size_t table, int slot, int bytes, int64_t absent) {
  const size_t at = spn_fb_field(fb, table, slot);
  if (!at) return absent;
  const uint64_t value = take(fb, at, (size_t)bytes);
  return bytes == 4 ? (int32_t)value : (int64_t)value;
}

size_t spn_fb_follow(spn_fb_view *fb, size_t table, int slot) {
  const size_t at = spn_fb_field(fb, table, slot);
  return at ? lead(fb, at) : 0;
}

size_t spn_fb_list(spn_fb_view *fb, size_t table, int slot, size_t bytes, size_t *count) {
  const size_t at = spn_fb_follow(fb, table, slot);
  *count = 0;
  if (!at) return 0;
  const uint64_t n = take(fb, at, 4);
  if (fb->bad || n > (fb->size - at - 4) / bytes) {
    fb->bad = 1;
    return 0;
  }
  *count = (size_t)n;
  return at + 4;
}

size_t spn_fb_item(spn_fb_view *fb, size_t list, size_t i) { return lead(fb, list + 4 * i); }
int32_t spn_fb_number(spn_fb_view *fb, size_t list, size_t i) { return (int32_t)take(fb, list + 4 * i, 4); }
