/* Fuzz target: the first byte chooses what the rest is: an image, idx images, idx labels, CIFAR-10 or
 * CIFAR-100 records, or a pack (whose index checksum is made right, so that changes reach what it guards). */
#include <stdio.h>
#include <stdlib.h>

#include "data_input/files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_image(const uint8_t *data, size_t size) {
  spn_image image;
  const char *reason;
  if (spn_image_decode(data, size, 2048, &image, &reason)) return;
  unsigned sum = 0;
  for (size_t i = 0; image.pixels && i < (size_t)image.h * (size_t)image.w * 3; i++) sum += image.pixels[i];
  if (sum == 0xffffffffu) abort(); /* reads every pixel */
  spn_image_free(&image);
}

static void fuzz_open(const char *kind, const char *folder) {
  spn_dataset_options options = {.kind = kind, .path = at(folder), .holdout = 0.2, .max_train = 7};
  spn_dataset *set;
  spn_err err;
  if (!spn_dataset_open(&options, &set, &err)) spn_dataset_close(set);
}

static void fuzz_pack(const uint8_t *data, size_t size) {
  spn_pack_end end;
  unsigned char *copy = malloc(size + 1);
  memcpy(copy, data, size);
  if (size >= sizeof end) {
    memcpy(&end, copy + size - sizeof end, sizeof end);
    if (end.index_at <= size && end.index_bytes <= size - end.index_at)
      end.index_crc = (uint32_t)crc32_z(0, copy + end.index_at, end.index_bytes);
    memcpy(copy + size - sizeof end, &end, sizeof end);
  }
  put("fuzz.pack", copy, size);
  free(copy);
  spn_dataset_options options = {.kind = "pack", .path = at("fuzz.pack"), .max_bad = 1};
  spn_dataset *set;
  spn_err err;
  if (spn_dataset_open(&options, &set, &err)) return;
  for (uint32_t i = 0; i < set->count; i++) {
    spn_image image;
    unsigned sum = 0;
    if (spn_dataset_image(set, i, &image, &err)) continue;
    for (size_t p = 0; p < (size_t)image.h * (size_t)image.w * 3; p++) sum += image.pixels[p];
    if (sum == 0xffffffffu) abort(); /* reads every pixel */
  }
  spn_dataset_close(set);
}

static void fuzz_end(void) { files_end(); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!*test_root) {
    files_begin();
    atexit(fuzz_end);
    put_idx("images", 6, 3, 2);
    put_idx("labels", 6, 3, 2);
    put_cifar10("cifar10");
    static const uint8_t blank[2 * 3074];
    put("cifar100/test.bin", blank, sizeof blank);
  }
  if (!size) return 0;
  switch (data[0] % 6) {
    case 0: fuzz_image(data + 1, size - 1); break;
    case 1:
      put("images/train-images-idx3-ubyte", data + 1, size - 1);
      fuzz_open("idx", "images");
      break;
    case 2:
      put("labels/t10k-labels-idx1-ubyte", data + 1, size - 1);
      fuzz_open("idx", "labels");
      break;
    case 3:
      put("cifar10/data_batch_3.bin", data + 1, size - 1);
      fuzz_open("cifar10", "cifar10");
      break;
    case 5: fuzz_pack(data + 1, size - 1); break;
    default: put("cifar100/train.bin", data + 1, size - 1); fuzz_open("cifar100", "cifar100");
  }
  return 0;
}
