/* Reads a pack (pack.h): the file is mapped, and every number in it is checked before it is used. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "input/dataset.h"
#include "input/pack.h"

typedef struct {
  unsigned char *map; /* the file */
  size_t map_bytes;
  spn_pack_entry *entries; /* (count) */
  atomic_uchar *verified;  /* (count) the image's checksum was right */
} pack;

static int pack_found(const char *path) {
  char start[sizeof SPN_PACK_MAGIC - 1];
  struct stat info;
  int found = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe must not block */
  if (fd < 0) return 0;
  if (!fstat(fd, &info) && S_ISREG(info.st_mode))
    found = read(fd, start, sizeof start) == (ssize_t)sizeof start && !memcmp(start, SPN_PACK_MAGIC, sizeof start);
  close(fd);
  return found;
}

static spn_status map_file(const spn_dataset *set, pack *own, spn_err *err) {
  struct stat info;
  int fd = open(set->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return spn_fail(err, errno == ENOENT ? SPN_EINPUT : SPN_EIO, "%.800s: cannot open: %s", set->path, strerror(errno));
  spn_status status = fstat(fd, &info) ? spn_fail(err, SPN_EIO, "%.800s: %s", set->path, strerror(errno)) : SPN_OK;
  if (!status && (!S_ISREG(info.st_mode) || (size_t)info.st_size < sizeof(spn_pack_end) + sizeof SPN_PACK_MAGIC - 1))
    status = spn_fail(err, SPN_EINPUT, "%.800s: expected a pack, got %lld bytes", set->path, (long long)info.st_size);
  if (!status) {
    own->map_bytes = (size_t)info.st_size;
    void *map = mmap(NULL, own->map_bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) status = spn_fail(err, SPN_EIO, "%.800s: cannot be mapped: %s", set->path, strerror(errno));
    else own->map = map;
  }
  close(fd);
  return status;
}

/* Ends, sizes and checksum of the index. */
static spn_status check_end(const spn_dataset *set, const pack *own, spn_pack_end *end, spn_err *err) {
  size_t start = sizeof SPN_PACK_MAGIC - 1, rest = own->map_bytes - sizeof *end;
  memcpy(end, own->map + rest, sizeof *end);
  if (memcmp(own->map, SPN_PACK_MAGIC, start) || memcmp(end->magic, SPN_PACK_MAGIC, sizeof end->magic))
    return spn_fail(err, SPN_EINPUT, "%.800s: not a pack, or cut short: expected \"%s\" in its first and last 8 bytes",
                    set->path, SPN_PACK_MAGIC);
  if (end->side > UINT16_MAX)
    return spn_fail(err, SPN_EINPUT, "%.800s: expected a side up to %d, got %u", set->path, UINT16_MAX, end->side);
  if (end->version != SPN_PACK_VERSION)
    return spn_fail(err, SPN_EINPUT, "%.800s: pack version: expected %d, got %u; pack the images again", set->path,
                    SPN_PACK_VERSION, end->version);
  if (end->index_at < start || end->index_at > rest || end->index_bytes != rest - end->index_at)
    return spn_fail(err, SPN_EINPUT, "%.800s: index at %llu of %llu bytes: expected it to end at %zu", set->path,
                    (unsigned long long)end->index_at, (unsigned long long)end->index_bytes, rest);
  if (end->count < 1 || end->count >= UINT32_MAX || end->count > end->index_bytes / sizeof(spn_pack_entry) ||
      end->train_count < 1 || end->train_count > end->count)
    return spn_fail(err, SPN_EINPUT, "%.800s: %llu images, %llu of them for training: more than the index holds",
                    set->path, (unsigned long long)end->count, (unsigned long long)end->train_count);
  if (end->classes < 2 || end->classes > SPN_CLASSES_MAX)
    return spn_fail(err, SPN_EINPUT, "%.800s: expected 2 to %d classes, got %u", set->path, SPN_CLASSES_MAX,
                    end->classes);
  uint32_t crc = (uint32_t)crc32_z(0, own->map + end->index_at, end->index_bytes);
  if (crc != end->index_crc)
    return spn_fail(err, SPN_EINPUT, "%.800s: index checksum: expected %08x, got %08x; the file is damaged", set->path,
                    end->index_crc, crc);
  return SPN_OK;
}

/* The zero-terminated text at *at of `size` bytes of names; moves *at behind it. NULL: it does not end. */
static const char *next_name(const char *names, size_t size, size_t *at) {
  const char *name = names + *at, *end = *at < size ? memchr(name, 0, size - *at) : NULL;
  if (!end) return NULL;
  *at = (size_t)(end - names) + 1;
  return name;
}

static spn_status read_names(spn_dataset *set, const char *names, size_t size, spn_err *err) {
  size_t at = 0;
  set->class_names = calloc((size_t)set->classes, sizeof *set->class_names);
  if (!set->class_names) return spn_fail(err, SPN_ENOMEM, "%.800s: out of memory", set->path);
  for (int c = 0; c < set->classes; c++) {
    const char *name = next_name(names, size, &at);
    if (!name) return spn_fail(err, SPN_EINPUT, "%.800s: expected %d class names, got %d", set->path, set->classes, c);
    if (!(set->class_names[c] = strdup(name))) return spn_fail(err, SPN_ENOMEM, "%.800s: out of memory", set->path);
  }
  return SPN_OK;
}

static spn_status check_entry(const spn_dataset *set, const spn_pack_end *end, size_t i, size_t names, spn_err *err) {
  const spn_pack_entry *e = &((const pack *)set->own)->entries[i];
  uint64_t bytes = (uint64_t)e->h * e->w * 3;
  if (!bytes || e->at < sizeof SPN_PACK_MAGIC - 1 || e->at > end->index_at || bytes > end->index_at - e->at)
    return spn_fail(err, SPN_EINPUT, "%.800s: image %zu: %ux%u pixels at byte %llu do not fit", set->path, i, e->h,
                    e->w, (unsigned long long)e->at);
  if (!e->whole_h || !e->whole_w || e->whole_h > SPN_IMAGE_MAX_SIDE || e->whole_w > SPN_IMAGE_MAX_SIDE)
    return spn_fail(err, SPN_EINPUT, "%.800s: image %zu: expected to be reduced from 1 to %d pixels a side, got %ux%u",
                    set->path, i, SPN_IMAGE_MAX_SIDE, e->whole_h, e->whole_w);
  if (e->label < 0 || e->label >= set->classes)
    return spn_fail(err, SPN_EINPUT, "%.800s: image %zu: expected a label below %d, got %d", set->path, i, set->classes,
                    e->label);
  if (e->name_at >= names)
    return spn_fail(err, SPN_EINPUT, "%.800s: image %zu: name at %u of %zu", set->path, i, e->name_at, names);
  return SPN_OK;
}

static spn_status pack_read(spn_dataset *set, spn_err *err) {
  spn_pack_end end;
  pack *own = set->own = calloc(1, sizeof *own);
  if (!own) return spn_fail(err, SPN_ENOMEM, "%.800s: out of memory", set->path);
  SPN_TRY(map_file(set, own, err));
  SPN_TRY(check_end(set, own, &end, err));
  size_t entries = (size_t)end.count * sizeof *own->entries, names = end.index_bytes - entries;
  own->entries = malloc(entries); /* a copy: the index need not be aligned */
  set->names = malloc(names + 1);
  set->labels = calloc((size_t)end.count, sizeof *set->labels);
  set->name_at = calloc((size_t)end.count, sizeof *set->name_at);
  own->verified = calloc((size_t)end.count, sizeof *own->verified);
  if (!own->entries || !set->names || !set->labels || !set->name_at || !own->verified)
    return spn_fail(err, SPN_ENOMEM, "%.800s: out of memory", set->path);
  memcpy(own->entries, own->map + end.index_at, entries);
  memcpy(set->names, own->map + end.index_at + entries, names);
  set->names[names] = 0;
  set->count = (size_t)end.count;
  set->train_count = (size_t)end.train_count;
  set->classes = (int)end.classes;
  SPN_TRY(read_names(set, set->names, names, err));
  for (size_t i = 0; i < set->count; i++) {
    SPN_TRY(check_entry(set, &end, i, names, err));
    if (own->entries[i].h != own->entries[i].whole_h) set->side = (int)end.side;
    set->labels[i] = own->entries[i].label;
    set->name_at[i] = own->entries[i].name_at;
  }
  return SPN_OK;
}

static spn_status pack_image(spn_dataset *set, uint32_t item, int max_side, spn_image *out, spn_err *err) {
  pack *own = set->own;
  const spn_pack_entry *e = &own->entries[item];
  size_t bytes = (size_t)e->h * e->w * 3;
  *out = (spn_image){
      .pixels = own->map + e->at, .h = e->h, .w = e->w, .channels = 3, .whole_h = e->whole_h, .whole_w = e->whole_w};
  if (atomic_load_explicit(&own->verified[item], memory_order_relaxed)) return SPN_OK;
  if ((uint32_t)crc32_z(0, out->pixels, bytes) != e->crc) {
    atomic_store(&set->reason[item], "checksum differs: the pack is damaged");
    return SPN_EINPUT;
  }
  atomic_store_explicit(&own->verified[item], 1, memory_order_relaxed);
  return SPN_OK;
}

static void pack_close(spn_dataset *set) {
  pack *own = set->own;
  if (!own) return;
  free(own->entries);
  free((void *)own->verified);
  if (own->map) munmap(own->map, own->map_bytes);
  free(own);
}

const spn_dataset_reader spn_reader_pack = {
    .expects = "a pack", .found = pack_found, .read = pack_read, .image = pack_image, .close = pack_close};
