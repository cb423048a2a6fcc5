/* MNIST-style idx files, plain or gzip'd: big-endian magic, dimensions, bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "input/dataset.h"

enum { IMAGES_MAGIC = 0x803, LABELS_MAGIC = 0x801, SIDE_MAX = 4096 };
enum { READ_BUFFER = 1 << 16 };
#define READ_STEP ((size_t)16 << 20)

/* A plain file, or one or more gzip members, each checked to its last byte (zlib's gzread would take a file that is cut
 * within its length and checksum, or has anything behind them). */
typedef struct {
  char path[4352];
  FILE *file;
  size_t at; /* bytes read, after inflating */
  z_stream z;
  int packed, between; /* between: a gzip member has ended, and none has begun since */
  unsigned char buffer[READ_BUFFER];
} idx_file;

/* Fills path with the name that exists: train-images-idx3-ubyte or train-images.idx3-ubyte, with or without .gz. */
static int find_file(const char *folder, const char *what, const char *type, char *path, size_t size) {
  struct stat info;
  for (int i = 0; i < 4; i++) {
    int length = snprintf(path, size, "%s/%s%c%s-ubyte%s", folder, what, i & 2 ? '.' : '-', type, i & 1 ? ".gz" : "");
    if (length < (int)size && !stat(path, &info) && S_ISREG(info.st_mode)) return 1;
  }
  snprintf(path, size, "%s/%s-%s-ubyte[.gz]", folder, what, type);
  return 0;
}

static int idx_found(const char *path) {
  char name[4352];
  return find_file(path, "train-images", "idx3", name, sizeof name) ||
         find_file(path, "t10k-images", "idx3", name, sizeof name);
}

static void file_close(idx_file *f) {
  if (f->packed) inflateEnd(&f->z);
  fclose(f->file);
}

static spn_status file_open(idx_file *f, const char *folder, const char *what, const char *type, spn_err *err) {
  if (!find_file(folder, what, type, f->path, sizeof f->path))
    return spn_fail(err, SPN_EINPUT, "%.900s: no such file", f->path);
  f->file = fopen(f->path, "rb");
  if (!f->file) return spn_fail(err, SPN_EIO, "%.900s: cannot be opened", f->path);
  unsigned char start[2];
  f->packed = fread(start, 1, 2, f->file) == 2 && start[0] == 0x1f && start[1] == 0x8b;
  f->at = 0;
  f->between = 1;
  f->z = (z_stream){0};
  rewind(f->file);
  if (!f->packed || inflateInit2(&f->z, 16 + MAX_WBITS) == Z_OK) return SPN_OK; /* 16: gzip, not zlib's own format */
  fclose(f->file);
  return spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", f->path);
}

/* More compressed data into the buffer; none at the end of the file. */
static spn_status refill(idx_file *f, spn_err *err) {
  f->z.next_in = f->buffer;
  f->z.avail_in = (uInt)fread(f->buffer, 1, sizeof f->buffer, f->file);
  return ferror(f->file) ? spn_fail(err, SPN_EIO, "%.900s: cannot be read", f->path) : SPN_OK;
}

static spn_status inflate_some(idx_file *f, unsigned char *bytes, size_t n, size_t *got, spn_err *err) {
  f->z.next_out = bytes;
  f->z.avail_out = (uInt)(n < READ_STEP ? n : READ_STEP);
  const uInt room = f->z.avail_out;
  if (f->between) inflateReset(&f->z);
  f->between = 0;
  int code = inflate(&f->z, Z_NO_FLUSH);
  *got += room - f->z.avail_out;
  f->at += room - f->z.avail_out;
  if (code == Z_STREAM_END) f->between = 1;
  if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR) return SPN_OK;
  if (code == Z_MEM_ERROR) return spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", f->path);
  return spn_fail(err, SPN_EINPUT, "%.700s: corrupt gzip data after byte %zu: %.200s", f->path, f->at,
                  f->z.msg ? f->z.msg : "a dictionary is missing");
}

/* Reads up to n bytes; *got says how many there were. */
static spn_status file_read(idx_file *f, void *bytes, size_t n, size_t *got, spn_err *err) {
  *got = 0;
  if (!f->packed) {
    *got = fread(bytes, 1, n, f->file);
    f->at += *got;
    return ferror(f->file) ? spn_fail(err, SPN_EIO, "%.900s: cannot be read", f->path) : SPN_OK;
  }
  while (*got < n) {
    if (!f->z.avail_in) SPN_TRY(refill(f, err));
    if (!f->z.avail_in && f->between) break;
    if (!f->z.avail_in)
      return spn_fail(err, SPN_EINPUT,
                      "%.800s: truncated: the gzip data end after byte %zu without length and checksum", f->path,
                      f->at);
    SPN_TRY(inflate_some(f, (unsigned char *)bytes + *got, n - *got, got, err));
  }
  return SPN_OK;
}

/* Reads magic and dimensions (`dims` of them, at most 3). */
static spn_status read_header(idx_file *f, uint32_t magic, int dims, uint32_t *sizes, spn_err *err) {
  unsigned char bytes[16];
  size_t want = 4 + 4 * (size_t)dims, got;
  SPN_TRY(file_read(f, bytes, want, &got, err));
  if (got < want)
    return spn_fail(err, SPN_EINPUT, "%.900s: truncated header: expected %zu bytes, got %zu", f->path, want, got);
  uint32_t values[4] = {0};
  for (int i = 0; i <= dims; i++)
    values[i] = (uint32_t)bytes[4 * i] << 24 | (uint32_t)bytes[4 * i + 1] << 16 | (uint32_t)bytes[4 * i + 2] << 8 |
                bytes[4 * i + 3];
  if (values[0] != magic)
    return spn_fail(err, SPN_EINPUT, "%.900s: byte 0: expected magic 0x%08x, got 0x%08x", f->path, magic, values[0]);
  memcpy(sizes, values + 1, (size_t)dims * sizeof *sizes);
  return SPN_OK;
}

/* Appends exactly `size` bytes, the rest of the file, at *out + used. The block grows with what really arrives, so a
 * header that lies about its count does not claim memory. */
static spn_status read_rest(idx_file *f, size_t size, unsigned char **out, size_t used, spn_err *err) {
  size_t header = f->at, done = 0, room = 0;
  while (done < size) {
    if (done == room) {
      room = room ? 2 * room : READ_STEP;
      if (room > size) room = size;
      unsigned char *grown = realloc(*out, used + room);
      if (!grown) return spn_fail(err, SPN_ENOMEM, "%.900s: out of memory for %zu bytes", f->path, used + room);
      *out = grown;
    }
    size_t got;
    SPN_TRY(file_read(f, *out + used + done, room - done, &got, err));
    done += got;
    if (done < room)
      return spn_fail(err, SPN_EINPUT, "%.900s: truncated: the header promises %zu bytes, got %zu", f->path,
                      header + size, f->at);
  }
  unsigned char more;
  size_t got;
  SPN_TRY(file_read(f, &more, 1, &got, err)); /* this also has zlib check length and sum at the end */
  if (got)
    return spn_fail(err, SPN_EINPUT, "%.900s: byte %zu: expected the end of the file, got more", f->path,
                    header + size);
  return SPN_OK;
}

static spn_status read_images(spn_dataset *set, idx_file *f, size_t first, size_t *count, spn_err *err) {
  uint32_t sizes[3] = {0};
  SPN_TRY(read_header(f, IMAGES_MAGIC, 3, sizes, err));
  size_t pixels = (size_t)sizes[1] * sizes[2];
  if (sizes[0] < 1) return spn_fail(err, SPN_EINPUT, "%.900s: byte 4: expected at least one image, got 0", f->path);
  if (sizes[1] < 1 || sizes[2] < 1 || sizes[1] > SIDE_MAX || sizes[2] > SIDE_MAX)
    return spn_fail(err, SPN_EINPUT, "%.900s: byte 8: expected images of 1x1 to %dx%d pixels, got %ux%u", f->path,
                    SIDE_MAX, SIDE_MAX, sizes[1], sizes[2]);
  if (sizes[0] > (SPN_PIXELS_MAX / pixels))
    return spn_fail(err, SPN_EINPUT, "%.900s: byte 4: %u images of %ux%u are more than 32 GiB", f->path, sizes[0],
                    sizes[1], sizes[2]);
  if (first && ((int)sizes[1] != set->h || (int)sizes[2] != set->w))
    return spn_fail(err, SPN_EINPUT, "%.900s: byte 8: expected %dx%d pixels as in the training images, got %ux%u",
                    f->path, set->h, set->w, sizes[1], sizes[2]);
  set->h = (int)sizes[1];
  set->w = (int)sizes[2];
  set->channels = 1;
  *count = sizes[0];
  return read_rest(f, *count * pixels, &set->pixels, first * pixels, err);
}

static spn_status read_labels(spn_dataset *set, idx_file *f, size_t first, size_t count, spn_err *err) {
  uint32_t sizes[1] = {0};
  SPN_TRY(read_header(f, LABELS_MAGIC, 1, sizes, err));
  if (sizes[0] != count)
    return spn_fail(err, SPN_EINPUT, "%.900s: byte 4: expected %zu labels, one for each image, got %u", f->path, count,
                    sizes[0]);
  unsigned char *bytes = NULL;
  spn_status status = read_rest(f, count, &bytes, 0, err);
  int32_t *labels = status ? NULL : realloc(set->labels, (first + count) * sizeof *labels);
  if (!status && !labels) status = spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", f->path);
  if (labels) set->labels = labels;
  int classes = set->classes;
  for (size_t i = 0; !status && i < count; i++) {
    labels[first + i] = bytes[i];
    if (!first && bytes[i] >= classes) classes = bytes[i] + 1;
    if (first && bytes[i] >= classes)
      status = spn_fail(err, SPN_EINPUT,
                        "%.900s: record %zu (byte %zu): expected a label below %d as in the training labels, "
                        "got %d",
                        f->path, i, i + 8, classes, bytes[i]);
  }
  free(bytes);
  set->classes = classes;
  return status;
}

/* One pair of files, appended to the set. */
static spn_status read_pair(spn_dataset *set, const char *prefix, spn_err *err) {
  char what[32];
  idx_file f;
  size_t count = 0;
  snprintf(what, sizeof what, "%s-images", prefix);
  SPN_TRY(file_open(&f, set->path, what, "idx3", err));
  spn_status status = read_images(set, &f, set->count, &count, err);
  file_close(&f);
  SPN_TRY(status);
  snprintf(what, sizeof what, "%s-labels", prefix);
  SPN_TRY(file_open(&f, set->path, what, "idx1", err));
  status = read_labels(set, &f, set->count, count, err);
  file_close(&f);
  set->count += count;
  return status;
}

static spn_status idx_read(spn_dataset *set, spn_err *err) {
  if (!set->test_only) SPN_TRY(read_pair(set, "train", err));
  set->train_count = set->count;
  SPN_TRY(read_pair(set, "t10k", err));
  return spn_classes_number(set, set->classes, err);
}

const spn_dataset_reader spn_reader_idx = {
    .expects = "train-images-idx3-ubyte[.gz]", .found = idx_found, .read = idx_read};
