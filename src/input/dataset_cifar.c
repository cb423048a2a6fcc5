/* CIFAR-10 and CIFAR-100 binary files: records of label bytes and a planar 32x32 RGB image. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "input/dataset.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, COARSE_CLASSES = 20 };

typedef struct {
  int classes, label_bytes; /* the label is the last of the label bytes */
  const char *subfolder;    /* as the archive unpacks */
  const char *names_file;
  const char *train[6]; /* NULL-terminated */
  const char *test;
} cifar_kind;

static const cifar_kind cifar10 = {
    10,
    1,
    "cifar-10-batches-bin",
    "batches.meta.txt",
    {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", NULL},
    "test_batch.bin"};
static const cifar_kind cifar100 = {100,       2, "cifar-100-binary", "fine_label_names.txt", {"train.bin", NULL},
                                    "test.bin"};

/* Prints the path of a file in folder or in the archive's subfolder; returns 1 if it is there. */
static int find_file(const cifar_kind *kind, const char *folder, const char *name, char *path, size_t size) {
  struct stat info;
  if (snprintf(path, size, "%s/%s/%s", folder, kind->subfolder, name) < (int)size && !stat(path, &info)) return 1;
  return snprintf(path, size, "%s/%s", folder, name) < (int)size && !stat(path, &info);
}

static int cifar_found(const cifar_kind *kind, const char *path) {
  char file[4352];
  return find_file(kind, path, kind->train[0], file, sizeof file) ||
         find_file(kind, path, kind->test, file, sizeof file);
}

/* Interleaves the planes of a record and takes its label. */
static spn_status take_record(spn_dataset *set, const cifar_kind *kind, const unsigned char *record, const char *path,
                              size_t number, spn_err *err) {
  int label = record[kind->label_bytes - 1];
  if (kind->label_bytes == 2 && record[0] >= COARSE_CLASSES)
    return spn_fail(err, SPN_EINPUT, "%.900s: record %zu: expected a coarse label below %d, got %d", path, number,
                    COARSE_CLASSES, record[0]);
  if (label >= kind->classes)
    return spn_fail(err, SPN_EINPUT, "%.900s: record %zu: expected a label below %d, got %d", path, number,
                    kind->classes, label);
  const unsigned char *plane = record + kind->label_bytes;
  unsigned char *pixels = set->pixels + set->count * PIXELS;
  for (int i = 0; i < PLANE; i++)
    for (int c = 0; c < 3; c++) pixels[3 * i + c] = plane[c * PLANE + i];
  set->labels[set->count++] = label;
  return SPN_OK;
}

static spn_status read_records(spn_dataset *set, const cifar_kind *kind, FILE *file, const char *path, spn_err *err) {
  struct stat info;
  size_t record_size = (size_t)kind->label_bytes + PIXELS;
  if (fstat(fileno(file), &info) || !S_ISREG(info.st_mode))
    return spn_fail(err, SPN_EINPUT, "%.900s: not a regular file", path);
  size_t size = (size_t)info.st_size, count = size / record_size;
  if (count < 1 || size % record_size || size > SPN_PIXELS_MAX)
    return spn_fail(err, SPN_EINPUT,
                    "%.900s: truncated or not CIFAR-%d: expected a multiple of %zu bytes (such as %zu), got %zu", path,
                    kind->classes, record_size, (count + 1) * record_size, size);
  unsigned char *pixels = realloc(set->pixels, (set->count + count) * PIXELS);
  if (pixels) set->pixels = pixels;
  int32_t *labels = realloc(set->labels, (set->count + count) * sizeof *labels);
  if (labels) set->labels = labels;
  if (!pixels || !labels) return spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", path);
  for (size_t i = 0; i < count; i++) {
    unsigned char record[2 + PIXELS];
    size_t got = fread(record, 1, record_size, file);
    if (got < record_size)
      return spn_fail(err, SPN_EIO, "%.900s: expected %zu bytes, got %zu", path, size, i * record_size + got);
    SPN_TRY(take_record(set, kind, record, path, i, err));
  }
  return SPN_OK;
}

static spn_status read_file(spn_dataset *set, const cifar_kind *kind, const char *name, spn_err *err) {
  char path[4352];
  if (!find_file(kind, set->path, name, path, sizeof path))
    return spn_fail(err, SPN_EINPUT, "%.900s: no such file", path);
  FILE *file = fopen(path, "rb");
  if (!file) return spn_fail(err, SPN_EIO, "%.800s: cannot be opened: %s", path, strerror(errno));
  spn_status status = read_records(set, kind, file, path, err);
  fclose(file);
  return status;
}

/* Class names from the file that comes with the set; where it is missing or short, numbers stay. */
static spn_status read_names(spn_dataset *set, const cifar_kind *kind, spn_err *err) {
  char path[4352], line[64];
  SPN_TRY(spn_classes_number(set, kind->classes, err));
  FILE *file = find_file(kind, set->path, kind->names_file, path, sizeof path) ? fopen(path, "r") : NULL;
  if (!file) return SPN_OK;
  for (int i = 0; i < kind->classes && fgets(line, sizeof line, file); i++) {
    line[strcspn(line, "\r\n")] = 0;
    char *name = *line ? strdup(line) : NULL;
    if (!name) break;
    free(set->class_names[i]);
    set->class_names[i] = name;
  }
  fclose(file);
  return SPN_OK;
}

static spn_status cifar_read(const cifar_kind *kind, spn_dataset *set, spn_err *err) {
  set->h = set->w = SIDE;
  set->channels = 3;
  for (int i = 0; kind->train[i] && !set->test_only; i++) SPN_TRY(read_file(set, kind, kind->train[i], err));
  set->train_count = set->count;
  SPN_TRY(read_file(set, kind, kind->test, err));
  return read_names(set, kind, err);
}

static int cifar10_found(const char *path) { return cifar_found(&cifar10, path); }
static int cifar100_found(const char *path) { return cifar_found(&cifar100, path); }
static spn_status cifar10_read(spn_dataset *set, spn_err *err) { return cifar_read(&cifar10, set, err); }
static spn_status cifar100_read(spn_dataset *set, spn_err *err) { return cifar_read(&cifar100, set, err); }

const spn_dataset_reader spn_reader_cifar10 = {
    .expects = "data_batch_1.bin", .found = cifar10_found, .read = cifar10_read, .fixed = 1};
const spn_dataset_reader spn_reader_cifar100 = {
    .expects = "train.bin", .found = cifar100_found, .read = cifar100_read, .fixed = 1};
