/* The set in memory; the file is safetensors.c. Names are found by a hash index (open addressing, at most half full).
 */
#include "io/tensors.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64, MAX_DIMS = 4 };

typedef struct {
  char *key, *value;
} meta_entry;

struct spn_tensors {
  spn_tensor *tensor;
  size_t count, room;
  size_t *index; /* slot -> tensor number + 1; 0 = free */
  size_t slots;
  meta_entry *meta;
  size_t metas, meta_room;
};

spn_tensors *spn_tensors_new(void) { return calloc(1, sizeof(spn_tensors)); }

void spn_tensors_free(spn_tensors *set) {
  if (!set) return;
  for (size_t i = 0; i < set->count; i++) {
    free(set->tensor[i].name);
    free(set->tensor[i].data);
  }
  for (size_t i = 0; i < set->metas; i++) {
    free(set->meta[i].key);
    free(set->meta[i].value);
  }
  free(set->tensor);
  free(set->index);
  free(set->meta);
  free(set);
}

static uint64_t hash(const char *name) { /* FNV-1a, 64 bits */
  uint64_t h = 14695981039346656037ull;
  for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211ull;
  return h ^ h >> 32;
}

/* The slot that holds name, or the free one where it belongs. slots > 0. */
static size_t slot_of(const spn_tensors *set, const char *name) {
  size_t slot = (size_t)hash(name) & (set->slots - 1);
  while (set->index[slot] && strcmp(set->tensor[set->index[slot] - 1].name, name)) slot = (slot + 1) & (set->slots - 1);
  return slot;
}

const spn_tensor *spn_tensors_find(const spn_tensors *set, const char *name) {
  if (!set->slots) return NULL;
  size_t i = set->index[slot_of(set, name)];
  return i ? &set->tensor[i - 1] : NULL;
}

size_t spn_tensors_count(const spn_tensors *set) { return set->count; }
const spn_tensor *spn_tensors_at(const spn_tensors *set, size_t i) { return i < set->count ? &set->tensor[i] : NULL; }

size_t spn_tensor_elements(const spn_tensor *t) {
  size_t n = 1;
  for (int d = 0; d < t->dims; d++) n *= t->shape[d];
  return n;
}

size_t spn_dtype_size(spn_dtype dtype) { return dtype == SPN_U8 ? 1 : dtype == SPN_F32 ? 4 : 8; }

/* Room for one more tensor in the list and in the index. */
static int grow(spn_tensors *set) {
  if (set->count == set->room) {
    size_t room = set->room ? set->room * 2 : 64;
    spn_tensor *wider = realloc(set->tensor, room * sizeof *wider);
    if (!wider) return -1;
    set->tensor = wider;
    set->room = room;
  }
  if ((set->count + 1) * 2 <= set->slots) return 0;
  size_t slots = set->slots ? set->slots * 2 : 128;
  size_t *index = calloc(slots, sizeof *index);
  if (!index) return -1;
  free(set->index);
  set->index = index;
  set->slots = slots;
  for (size_t i = 0; i < set->count; i++) set->index[slot_of(set, set->tensor[i].name)] = i + 1;
  return 0;
}

/* Bytes of a shape; 0 in *fits when they exceed what a size_t (with room for alignment) holds. */
static size_t shape_bytes(spn_dtype dtype, int dims, const size_t *shape, int *fits) {
  size_t n = spn_dtype_size(dtype);
  *fits = 1;
  for (int d = 0; d < dims; d++)
    if (!shape[d]) return 0;
  for (int d = 0; d < dims; d++) {
    if (n > (SIZE_MAX / 4) / shape[d]) {
      *fits = 0;
      return 0;
    }
    n *= shape[d];
  }
  return n;
}

spn_status spn_tensors_add(spn_tensors *set, const char *name, spn_dtype dtype, int dims, const size_t *shape,
                           const void *data, spn_err *err) {
  int fits;
  if (!*name || !strcmp(name, "__metadata__"))
    return spn_fail(err, SPN_EINPUT, "tensor \"%s\": this name is not allowed", name);
  if (dims < 0 || dims > MAX_DIMS)
    return spn_fail(err, SPN_EINPUT, "tensor %s: expected 0 to %d dimensions, got %d", name, MAX_DIMS, dims);
  if (spn_tensors_find(set, name)) return spn_fail(err, SPN_EINPUT, "tensor %s: this name is there already", name);
  size_t bytes = shape_bytes(dtype, dims, shape, &fits);
  if (!fits) return spn_fail(err, SPN_EINPUT, "tensor %s: its shape is larger than memory can be", name);
  size_t room = (bytes ? bytes + ALIGN - 1 : ALIGN) / ALIGN * ALIGN;
  spn_tensor t = {.name = strdup(name), .dtype = dtype, .dims = dims, .data = aligned_alloc(ALIGN, room)};
  if (!t.name || !t.data || grow(set)) {
    free(t.name);
    free(t.data);
    return spn_fail(err, SPN_ENOMEM, "tensor %s: out of memory (%zu bytes)", name, bytes);
  }
  for (int d = 0; d < dims; d++) t.shape[d] = shape[d];
  if (data && bytes) memcpy(t.data, data, bytes);
  memset((char *)t.data + (data ? bytes : 0), 0, room - (data ? bytes : 0));
  set->index[slot_of(set, name)] = set->count + 1;
  set->tensor[set->count++] = t;
  return SPN_OK;
}

/* ---- Metadata: a list; there are a few dozen entries ---- */

static meta_entry *find_meta(const spn_tensors *set, const char *key) {
  for (size_t i = 0; i < set->metas; i++)
    if (!strcmp(set->meta[i].key, key)) return &set->meta[i];
  return NULL;
}

const char *spn_tensors_meta(const spn_tensors *set, const char *key) {
  const meta_entry *entry = find_meta(set, key);
  return entry ? entry->value : NULL;
}

int spn_tensors_meta_at(const spn_tensors *set, size_t i, const char **key, const char **value) {
  if (i >= set->metas) return 0;
  *key = set->meta[i].key;
  *value = set->meta[i].value;
  return 1;
}

spn_status spn_tensors_set_meta(spn_tensors *set, const char *key, const char *value, spn_err *err) {
  meta_entry *old = find_meta(set, key);
  meta_entry entry = {.key = old ? old->key : strdup(key), .value = strdup(value)};
  if (entry.key && entry.value && !old && set->metas == set->meta_room) {
    size_t room = set->meta_room ? set->meta_room * 2 : 16;
    meta_entry *wider = realloc(set->meta, room * sizeof *wider);
    if (wider) {
      set->meta = wider;
      set->meta_room = room;
    }
  }
  if (!entry.key || !entry.value || (!old && set->metas == set->meta_room)) {
    if (!old) free(entry.key);
    free(entry.value);
    return spn_fail(err, SPN_ENOMEM, "metadata %s: out of memory", key);
  }
  if (old) {
    free(old->value);
    *old = entry;
  } else {
    set->meta[set->metas++] = entry;
  }
  return SPN_OK;
}
