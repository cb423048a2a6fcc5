#include "io/flatbuffer.h"

#include <stdlib.h>
#include <string.h>

enum { REFERENCE = 4, VTABLE_HEADER = 4, IDENTIFIER = 4 };
static const size_t MAX_SIZE = ((size_t)1 << 31) - 1; /* of a file: offsets have 32 bits, some of them signed */

void spn_fb_free(spn_fb *fb) {
  free(fb->data);
  *fb = (spn_fb){0};
}

/* Appends size bytes (NULL: zeros); returns where they begin, 0 after a failure. */
static size_t put(spn_fb *fb, const void *data, size_t size) {
  const size_t at = fb->size;
  if (fb->failed) return 0;
  if (size > MAX_SIZE - at) {
    fb->failed = 1;
    return 0;
  }
  if (size > fb->room - at) {
    const size_t room = (at + size) * 3 / 2 + 256;
    unsigned char *wider = realloc(fb->data, room);
    if (!wider) {
      fb->failed = 1;
      return 0;
    }
    fb->data = wider;
    fb->room = room;
  }
  if (data && size) memcpy(fb->data + at, data, size);
  else if (size) memset(fb->data + at, 0, size);
  fb->size += size;
  return at;
}

/* Zeros until the place `ahead` bytes from here is a multiple of align. */
static void align_to(spn_fb *fb, size_t align, size_t ahead) {
  const size_t over = (fb->size + ahead) % align;
  if (over) put(fb, NULL, align - over);
}

static void write_little(spn_fb *fb, size_t at, uint64_t value, size_t bytes) {
  if (fb->failed) return;
  for (size_t i = 0; i < bytes; i++) fb->data[at + i] = (unsigned char)(value >> 8 * i);
}

/* The reference points to what begins here. */
static void land(spn_fb *fb, size_t reference) { write_little(fb, reference, fb->size - reference, REFERENCE); }

size_t spn_fb_begin(spn_fb *fb, const char *identifier) {
  const size_t root = put(fb, NULL, REFERENCE);
  if (identifier) put(fb, identifier, IDENTIFIER);
  return root;
}

void spn_fb_open(spn_fb *fb, size_t reference, int slots) {
  align_to(fb, 4, VTABLE_HEADER + 2 * (size_t)slots);
  fb->vtable = put(fb, NULL, VTABLE_HEADER + 2 * (size_t)slots);
  write_little(fb, fb->vtable, VTABLE_HEADER + 2 * (size_t)slots, 2);
  land(fb, reference);
  fb->table = put(fb, NULL, 4); /* distance back to the vtable */
  write_little(fb, fb->table, fb->table - fb->vtable, 4);
}

void spn_fb_close(spn_fb *fb) { write_little(fb, fb->vtable + 2, fb->size - fb->table, 2); }

static size_t put_field(spn_fb *fb, int slot, uint64_t value, size_t bytes) {
  align_to(fb, bytes, 0);
  const size_t at = put(fb, NULL, bytes);
  write_little(fb, at, value, bytes);
  write_little(fb, fb->vtable + VTABLE_HEADER + 2 * (size_t)slot, at - fb->table, 2);
  return at;
}

void spn_fb_put_byte(spn_fb *fb, int slot, int value) { put_field(fb, slot, (uint64_t)value, 1); }
void spn_fb_put_int(spn_fb *fb, int slot, int64_t value) { put_field(fb, slot, (uint64_t)value, 4); }
void spn_fb_put_float(spn_fb *fb, int slot, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_field(fb, slot, bits, 4);
}
size_t spn_fb_put_reference(spn_fb *fb, int slot) { return put_field(fb, slot, 0, REFERENCE); }

void spn_fb_vector(spn_fb *fb, size_t reference, const void *data, size_t count, size_t bytes, size_t align) {
  align_to(fb, align < 4 ? 4 : align, 4);
  land(fb, reference);
  write_little(fb, put(fb, NULL, 4), count, 4);
  put(fb, data, count * bytes);
}

void spn_fb_string(spn_fb *fb, size_t reference, const char *text) {
  spn_fb_vector(fb, reference, text, strlen(text), 1, 1);
  put(fb, NULL, 1);
}

size_t spn_fb_references(spn_fb *fb, size_t reference, size_t count) {
  spn_fb_vector(fb, reference, NULL, count, REFERENCE, REFERENCE);
  return fb->size - count * REFERENCE;
}
