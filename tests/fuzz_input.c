/* Fuzz target: the first byte chooses what the rest is: an image, idx images, idx labels, CIFAR-10 or CIFAR-100 records. */
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
  switch (data[0] % 5) {
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
    default:
      put("cifar100/train.bin", data + 1, size - 1);
      fuzz_open("cifar100", "cifar100");
  }
  return 0;
}
