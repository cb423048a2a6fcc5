/* Tiny data sets in a temporary folder, for the input tests. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "input/dataset.h"
#include "input/pack.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
#include "vectors.h"

static char test_root[128];

static void files_begin(void) {
  const char *base = getenv("TMPDIR");
  snprintf(test_root, sizeof test_root, "%.80s/spn-input-XXXXXX", base && *base ? base : "/tmp");
  if (!mkdtemp(test_root)) exit(1);
}

static void files_remove(const char *path) {
  DIR *dir = opendir(path);
  struct dirent *entry;
  while (dir && (entry = readdir(dir))) {
    char sub[600];
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    snprintf(sub, sizeof sub, "%.300s/%.280s", path, entry->d_name);
    if (entry->d_type == DT_DIR) files_remove(sub);
    else remove(sub);
  }
  if (dir) closedir(dir);
  remove(path);
}

static void files_end(void) { files_remove(test_root); }

/* test_root/name; up to four results are valid at a time. */
static const char *at(const char *name) {
  static char paths[4][512];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", test_root, name);
  return path;
}

/* Writes a file below test_root, making its folders. */
static void put(const char *name, const void *bytes, size_t size) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", test_root, name);
  for (char *slash = path + strlen(test_root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
    *slash = 0;
    mkdir(path, 0777);
  }
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, size, file) != size || fclose(file)) exit(1);
}

static void put_gz(const char *name, const void *bytes, size_t size) {
  gzFile file = gzopen(at(name), "wb");
  if (!file || gzwrite(file, bytes, (unsigned)size) != (int)size || gzclose(file)) exit(1);
}

static void be32(unsigned char *out, uint32_t value) {
  for (int i = 0; i < 4; i++) out[i] = (unsigned char)(value >> (24 - 8 * i));
}

static size_t png_chunk(unsigned char *out, const char *kind, const void *data, size_t size) {
  be32(out, (uint32_t)size);
  memcpy(out + 4, kind, 4);
  if (size) memcpy(out + 8, data, size);
  be32(out + 8 + size, (uint32_t)crc32(0, out + 4, (uInt)size + 4));
  return size + 12;
}

/* A PNG of `channels` (1 grey, 3 RGB, 4 RGBA) from pixels (h,w,channels); claims to be (claim,claim) when claim is not
 * 0. Returns its size; out must have room. */
static size_t make_png(unsigned char *out, const unsigned char *pixels, int h, int w, int channels, uint32_t claim) {
  size_t row = (size_t)w * (size_t)channels, raw_size = (size_t)h * (row + 1), at_byte = 8;
  unsigned char *raw = calloc(raw_size, 1), header[13] = {[8] = 8};
  uLongf packed_size = compressBound(raw_size);
  unsigned char *packed = malloc(packed_size);
  for (int y = 0; y < h; y++) memcpy(raw + (size_t)y * (row + 1) + 1, pixels + (size_t)y * row, row);
  compress(packed, &packed_size, raw, raw_size);
  be32(header, claim ? claim : (uint32_t)w);
  be32(header + 4, claim ? claim : (uint32_t)h);
  header[9] = channels == 1 ? 0 : channels == 3 ? 2 : 6;
  memcpy(out, "\x89PNG\r\n\x1a\n", 8);
  at_byte += png_chunk(out + at_byte, "IHDR", header, 13);
  at_byte += png_chunk(out + at_byte, "IDAT", packed, packed_size);
  at_byte += png_chunk(out + at_byte, "IEND", NULL, 0);
  free(raw);
  free(packed);
  return at_byte;
}

/* The picture of make_resize_vectors.py. */
static void paint(unsigned char *rgb, int h, int w) {
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      for (int c = 0; c < 3; c++)
        rgb[(y * w + x) * 3 + c] = (unsigned char)((y * 37 + x * 59 + c * 83 + y * x * 7) % 256);
}

/* A PNG of one colour, side pixels square. */
static void put_png(const char *name, int side, int value) {
  size_t size = (size_t)side * (size_t)side * 3;
  unsigned char *pixels = malloc(size), *png = malloc(size + 4096);
  memset(pixels, value, size);
  put(name, png, make_png(png, pixels, side, side, 3, 0));
  free(pixels);
  free(png);
}

/* idx images of n images of side x side pixels, all of the value of their number, into out; returns the size. */
static size_t make_idx_images(unsigned char *out, int n, int side) {
  be32(out, 0x803);
  be32(out + 4, (uint32_t)n);
  be32(out + 8, (uint32_t)side);
  be32(out + 12, (uint32_t)side);
  for (int i = 0; i < n; i++) memset(out + 16 + i * side * side, i, (size_t)(side * side));
  return 16 + (size_t)n * (size_t)(side * side);
}

/* Labels 0 1 2 0 1 2 ... */
static size_t make_idx_labels(unsigned char *out, int n) {
  be32(out, 0x801);
  be32(out + 4, (uint32_t)n);
  for (int i = 0; i < n; i++) out[8 + i] = (unsigned char)(i % 3);
  return 8 + (size_t)n;
}

/* An idx set of three classes in test_root/name, side x side pixels. */
static void put_idx(const char *folder, int train, int test, int side) {
  static unsigned char bytes[1 << 16];
  char name[256];
  snprintf(name, sizeof name, "%s/train-images-idx3-ubyte", folder);
  put(name, bytes, make_idx_images(bytes, train, side));
  snprintf(name, sizeof name, "%s/train-labels-idx1-ubyte", folder);
  put(name, bytes, make_idx_labels(bytes, train));
  snprintf(name, sizeof name, "%s/t10k-images-idx3-ubyte", folder);
  put(name, bytes, make_idx_images(bytes, test, side));
  snprintf(name, sizeof name, "%s/t10k-labels-idx1-ubyte", folder);
  put(name, bytes, make_idx_labels(bytes, test));
}

/* n CIFAR records: labels 0 1 2 ..., planes of value number, number + 50, number + 100. Returns the size. */
static size_t make_cifar(unsigned char *out, int n, int label_bytes) {
  for (int i = 0; i < n; i++) {
    unsigned char *record = out + (size_t)i * (size_t)(label_bytes + 3072);
    memset(record, i % 10, (size_t)label_bytes);
    for (int c = 0; c < 3; c++) memset(record + label_bytes + 1024 * c, i + 50 * c, 1024);
  }
  return (size_t)n * (size_t)(label_bytes + 3072);
}

static void put_cifar10(const char *folder) {
  static unsigned char bytes[20 * 3073];
  char name[256];
  for (int i = 1; i <= 6; i++) {
    snprintf(name, sizeof name, i < 6 ? "%s/data_batch_%d.bin" : "%s/test_batch.bin", folder, i);
    put(name, bytes, make_cifar(bytes, 20, 1));
  }
}
#pragma GCC diagnostic pop
