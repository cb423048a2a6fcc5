/* Kept batches of a data set whose images come class by class, as a folder's do: a part of them holds every class, the
 * whole comes in order. */
#define _GNU_SOURCE
#include <unistd.h>

#include "check.h"
#include "search/batches.h"

enum { CLASSES = 3, IMAGES = 96, SIDE = 8, BATCH = 5 };

static void put32(FILE *f, unsigned v) {
  for (int shift = 24; shift >= 0; shift -= 8) fputc((int)(v >> shift & 255), f);
}

static int label_of(int image, int count) { return image * CLASSES / count; }

static void write_idx(const char *folder, const char *name, int labels, int count) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "wb");
  put32(f, labels ? 0x801 : 0x803);
  put32(f, (unsigned)count);
  if (!labels) put32(f, SIDE), put32(f, SIDE);
  for (int i = 0; i < count; i++)
    for (int k = 0; k < (labels ? 1 : SIDE * SIDE); k++) fputc(labels ? label_of(i, count) : i, f);
  fclose(f);
}

/* Images of each class among the kept; changes: how often a label follows another. */
static size_t count_classes(const spn_batches *b, size_t of_class[CLASSES]) {
  size_t changes = 0;
  int last = -1;
  for (int c = 0; c < CLASSES; c++) of_class[c] = 0;
  for (size_t i = 0; i < b->count; i++)
    for (int k = 0; k < b->batch[i].count; k++) {
      of_class[b->batch[i].labels[k]]++;
      changes += last >= 0 && b->batch[i].labels[k] != last;
      last = b->batch[i].labels[k];
    }
  return changes;
}

/* A graph reads whole batches: behind the last images stand zeros. */
static void test_rest(const spn_batches *b, const spn_data *d) {
  const float *pixels = b->batch[b->count - 1].pixels;
  size_t image = (size_t)d->eval.size * (size_t)d->eval.size, n = (size_t)b->batch[b->count - 1].count * image;
  CHECK(b->batch[b->count - 1].count < BATCH, "the last batch is whole");
  for (size_t i = n; i < BATCH * image; i++) CHECK(pixels[i] == 0, "pixel %zu behind the last image", i - n);
}

static void test_part_and_whole(const spn_data *d, const spn_settings *s) {
  spn_batches part, whole;
  size_t of_class[CLASSES], all = spn_dataset_count(d->set, SPN_SPLIT_HOLDOUT);
  spn_err err;
  CHECK_OK(spn_batches_load(d, s, SPN_SPLIT_HOLDOUT, 0, all / 2, &part, &err), err);
  CHECK(part.images >= all / 2 && part.images < all, "%zu images of %zu", part.images, all);
  count_classes(&part, of_class);
  for (int c = 0; c < CLASSES; c++) CHECK(of_class[c] > 0, "half of the held-out images hold none of class %d", c);
  CHECK_OK(spn_batches_load(d, s, SPN_SPLIT_HOLDOUT, 0, 0, &whole, &err), err);
  CHECK(whole.images == all, "%zu images of %zu", whole.images, all);
  CHECK(count_classes(&whole, of_class) == CLASSES - 1, "the whole is not in order");
  test_rest(&whole, d);
  spn_batches_free(&part);
  spn_batches_free(&whole);
}

int main(void) {
  static spn_settings s;
  char folder[] = "/tmp/spn-batches-XXXXXX", command[64];
  spn_data data;
  spn_err err;
  CHECK(mkdtemp(folder) != NULL, "a folder");
  write_idx(folder, "train-images-idx3-ubyte", 0, IMAGES);
  write_idx(folder, "train-labels-idx1-ubyte", 1, IMAGES);
  write_idx(folder, "t10k-images-idx3-ubyte", 0, CLASSES);
  write_idx(folder, "t10k-labels-idx1-ubyte", 1, CLASSES);
  spn_settings_default(&s);
  snprintf(s.data_path, sizeof s.data_path, "%s", folder);
  s.optim_batch = BATCH;
  s.data_holdout = 0.5;
  CHECK_OK(spn_data_open(&s, SIDE, 1, &data, &err), err);
  test_part_and_whole(&data, &s);
  spn_data_close(&data);
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  CHECK(system(command) == 0, "%s", command);
  return check_report("test_batches");
}
