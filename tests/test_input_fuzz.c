/* Replays mutated seeds through the fuzz target; sanitizers make it worthwhile. */
#include "check.h"
#include "core/rng.h"

#include "fuzz_input.c"

enum { ROUNDS = 600, SEED_MAX = 8192 };

static unsigned char bytes[SEED_MAX + 1];

/* Flips a few bytes, or cuts, or both; returns the new size. The kind in the first byte stays. */
static size_t mutate(unsigned char *out, const unsigned char *seed, size_t size, uint64_t number) {
  uint64_t key = spn_rng_split(7, SPN_RNG_TEST, number);
  memcpy(out, seed, size);
  size_t flips = number % 3 == 2 ? 0 : 1 + spn_rng_below(key, SPN_RNG_TEST, 0, 6);
  for (size_t i = 0; i < flips; i++) {
    uint64_t where = spn_rng_below(key, SPN_RNG_TEST, 2 * i + 1, size - 1) + 1;
    if (i == 0 && number % 2) where = 1 + where % 40 % (size - 1); /* headers more often */
    out[where] = (unsigned char)spn_rng_bits(key, SPN_RNG_TEST, 2 * i + 2);
  }
  return number % 3 ? 1 + spn_rng_below(key, SPN_RNG_TEST, 100, size) : size;
}

/* PNG checksums are made right again, so that flips reach the decoder. */
static void repair_png(unsigned char *png, size_t size) {
  size_t where = 8;
  while (size >= 12 && where <= size - 12) {
    size_t length = (size_t)png[where] << 24 | (size_t)png[where + 1] << 16 | (size_t)png[where + 2] << 8 |
                    png[where + 3];
    if (length > size - 12 - where) return;
    be32(png + where + 8 + length, (uint32_t)crc32(0, png + where + 4, (uInt)length + 4));
    where += 12 + length;
  }
}

static void replay(int kind, const void *seed, size_t size, int rounds, int repair) {
  unsigned char *out = malloc(size + 1);
  bytes[0] = (unsigned char)kind;
  memcpy(bytes + 1, seed, size);
  for (int i = 0; i < rounds; i++) {
    size_t got = i ? mutate(out, bytes, size + 1, (uint64_t)(i * 16 + kind)) : size + 1;
    if (!i) memcpy(out, bytes, got);
    if (repair && i % 4) repair_png(out + 1, got - 1);
    /* an exact block, so that a read beyond the end is seen */
    unsigned char *exact = malloc(got);
    memcpy(exact, out, got);
    CHECK(LLVMFuzzerTestOneInput(exact, got) == 0, "kind %d round %d", kind, i);
    free(exact);
  }
  free(out);
}

/* A pack of three small images into out; its size, 0 on failure. */
static size_t make_pack(unsigned char *out) {
  static const unsigned char empty[1] = {0};
  spn_dataset_options options = {.kind = "folder"};
  spn_dataset *set;
  spn_err err;
  size_t bad, size = 0;
  LLVMFuzzerTestOneInput(empty, 1); /* makes the folder all this lies in */
  put_png("few/a/1", 5, 9);
  put_png("few/a/2", 6, 100);
  put_png("few/b/3", 3, 200);
  options.path = at("few");
  if (spn_dataset_open(&options, &set, &err)) return 0;
  if (!spn_pack_write(set, at("few.pack"), 4, SPN_RESIZE_BILINEAR, 1, &bad, &err)) {
    FILE *file = fopen(at("few.pack"), "rb");
    size = fread(out, 1, SEED_MAX, file);
    fclose(file);
  }
  spn_dataset_close(set);
  return size;
}

int main(void) {
  static unsigned char seed[SEED_MAX], pixels[9 * 7 * 4];
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * 31);
  replay(0, jpeg_rgb, sizeof jpeg_rgb, ROUNDS, 0);
  replay(0, jpeg_progressive, sizeof jpeg_progressive, ROUNDS, 0);
  replay(0, jpeg_grey, sizeof jpeg_grey, ROUNDS, 0);
  replay(0, jpeg_cmyk, sizeof jpeg_cmyk, ROUNDS, 0);
  for (int channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1)
    replay(0, seed, make_png(seed, pixels, 9, 7, channels, 0), ROUNDS, 1);
  replay(1, seed, make_idx_images(seed, 6, 2), ROUNDS, 0);
  replay(2, seed, make_idx_labels(seed, 3), ROUNDS, 0);
  replay(3, seed, make_cifar(seed, 2, 1), ROUNDS / 2, 0);
  replay(4, seed, make_cifar(seed, 2, 2), ROUNDS / 2, 0);
  size_t size = make_pack(seed);
  CHECK(size > 0, "a pack to begin with");
  replay(5, seed, size, ROUNDS, 0);
  return check_report("test_input_fuzz");
}
