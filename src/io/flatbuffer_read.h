/* Reads FlatBuffers files nobody vouches for: every access is checked, and a wrong one makes `bad` stick and gives 0.
 * The caller looks at `bad` before it believes what it got. Places are offsets into the file; 0 means absent. */
#ifndef SPN_IO_FLATBUFFER_READ_H
#define SPN_IO_FLATBUFFER_READ_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  const unsigned char *data;
  size_t size;
  int bad;
} spn_fb_view;

size_t spn_fb_root(spn_fb_view *fb, const char *identifier); /* the root table; identifier: four letters to expect */
/* A table's field: its place, 0 when it is left out. */
size_t spn_fb_field(spn_fb_view *fb, size_t table, int slot);
int64_t spn_fb_int(spn_fb_view *fb, size_t table, int slot, int bytes, int64_t absent); /* 1 (unsigned), 4 or 8 bytes */
size_t spn_fb_follow(spn_fb_view *fb, size_t table, int slot);                          /* a table it refers to */
/* A vector of elements of `bytes`: where they begin, and how many; 0 and none when it is left out. */
size_t spn_fb_list(spn_fb_view *fb, size_t table, int slot, size_t bytes, size_t *count);
size_t spn_fb_item(spn_fb_view *fb, size_t list, size_t i);    /* table i of a vector of references */
int32_t spn_fb_number(spn_fb_view *fb, size_t list, size_t i); /* int32 i of a vector */

#endif
