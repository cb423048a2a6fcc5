/* Named tensors in a file: checkpoints and weights. The file is safetensors (a 64-bit header length, a JSON header,
 * raw little-endian data), so Python tools open it as it is; `__metadata__` carries our own facts and a checksum of the
 * data. Written to a temporary file beside the target, synced, renamed, folder synced. */
#ifndef SPN_IO_TENSORS_H
#define SPN_IO_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

typedef enum { SPN_F32, SPN_F64, SPN_I64, SPN_U8 } spn_dtype;

typedef struct {
  char *name;
  spn_dtype dtype;
  int dims;
  size_t shape[4];
  void *data; /* owned by the set, 64-byte aligned */
} spn_tensor;

typedef struct spn_tensors spn_tensors;

spn_tensors *spn_tensors_new(void); /* NULL when memory is exhausted */
void spn_tensors_free(spn_tensors *set);
/* Adds a copy of data (NULL: zeros). Names are unique: a second one is SPN_EINPUT. */
spn_status spn_tensors_add(spn_tensors *set, const char *name, spn_dtype dtype, int dims, const size_t *shape,
                           const void *data, spn_err *err);
const spn_tensor *spn_tensors_find(const spn_tensors *set, const char *name); /* NULL: absent */
size_t spn_tensors_count(const spn_tensors *set);
const spn_tensor *spn_tensors_at(const spn_tensors *set, size_t i); /* in order of addition */
size_t spn_tensor_elements(const spn_tensor *t);
size_t spn_dtype_size(spn_dtype dtype); /* bytes of one element */
/* Metadata: string to string. set overwrites; get returns NULL when absent. */
spn_status spn_tensors_set_meta(spn_tensors *set, const char *key, const char *value, spn_err *err);
const char *spn_tensors_meta(const spn_tensors *set, const char *key);
/* Iterates over metadata; returns 0 past the last. */
int spn_tensors_meta_at(const spn_tensors *set, size_t i, const char **key, const char **value);

/* The checksum is the metadata entry "spnas.crc32", written by save and hidden by load: the CRC-32 of everything after
 * the header's length, its own eight digits taken as zeros. */

/* Save is atomic: on any failure the former file at path is untouched and no temporary is left. */
spn_status spn_tensors_save(const spn_tensors *set, const char *path, spn_err *err);
/* Load checks magic, sizes, overlaps, holes and the checksum when there is one (ours always have one). Every error
 * names the file and what was expected and got, and is SPN_EINPUT (damaged, or not there) or SPN_EIO (cannot be read).
 */
spn_status spn_tensors_load(const char *path, spn_tensors **out, spn_err *err);
/* The same from memory; name stands for the file in messages. */
spn_status spn_tensors_parse(const char *name, const char *file, size_t size, spn_tensors **out, spn_err *err);

#endif
