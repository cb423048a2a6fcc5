/* A pack: a folder's images, decoded and reduced once, in one file that is mapped into memory.
 *
 *   bytes 0..7       "spnaspak"
 *   ...              images, (h,w,3) 8 bit each, anywhere before the index
 *   index            spn_pack_entry for every image (training images first), then zero-terminated names: the classes',
 * and the images' (name_at counts from the first name) last 64 bytes    spn_pack_end
 *
 * Numbers are little-endian. The index and every image have a CRC-32; the index's is checked when the file is opened,
 * an image's when it is first read. */
#ifndef SPN_INPUT_PACK_H
#define SPN_INPUT_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "input/input.h"

#define SPN_PACK_MAGIC "spnaspak"
enum { SPN_PACK_VERSION = 2 };

typedef struct {
  uint64_t at; /* of the first pixel, from the start of the file */
  uint32_t crc, name_at;
  int32_t label;
  uint16_t h, w;
  uint16_t whole_h, whole_w; /* before the reduction */
  uint32_t reserved;
} spn_pack_entry;

typedef struct {
  uint64_t count, train_count, index_at, index_bytes;
  uint32_t classes, version, index_crc, side;
  uint64_t reserved;
  char magic[8];
} spn_pack_end;

/* Writes what a set of a kind that decodes holds to path. side: images whose short side is longer are reduced to it, in
 * proportion and with antialiasing; 0 = none are. Images that cannot be read are left out and counted in *bad, up to
 * the set's max_bad. Decodes with `threads` threads; what is written does not depend on them. A phase
 * (core/phase.h): SPN_ESTOPPED where a stop is asked for. */
spn_status spn_pack_write(spn_dataset *set, const char *path, int side, spn_resize filter, int threads, size_t *bad,
                          spn_err *err);

#endif
