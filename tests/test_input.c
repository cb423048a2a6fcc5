/* Image files and data sets: what is read, and what is said about what cannot be. */
#include "check.h"
#include "data_input/files.h"

static unsigned char bytes[1 << 18];

static int allow_empty; /* of the sets opened next */

static spn_dataset *open_set(const char *kind, const char *name, spn_status expected, const char *words) {
  spn_dataset_options options = {.kind = kind, .path = at(name), .seed = 1, .allow_empty = allow_empty};
  spn_dataset *set = NULL;
  spn_err err = {0};
  spn_status status = spn_dataset_open(&options, &set, &err);
  CHECK(status == expected, "%s: status %d, %s", name, status, err.text);
  if (expected) {
    CHECK(!set, "%s: a set in spite of the error", name);
    for (const char *word = words; *word; word += strlen(word) + 1)
      CHECK(strstr(err.text, word), "%s: \"%s\" does not say \"%s\"", name, err.text, word);
  }
  return set;
}

/* words: zero-separated, the last one ends with two zeros. */
static void refuse(const char *kind, const char *name, const char *words) {
  spn_dataset_close(open_set(kind, name, SPN_EINPUT, words));
}

static void test_idx(void) {
  put_idx("idx", 30, 9, 4);
  spn_dataset *set = open_set("auto", "idx", SPN_OK, "");
  if (!set) return;
  CHECK(!strcmp(spn_dataset_kind(set), "idx"), "%s", spn_dataset_kind(set));
  CHECK(spn_dataset_classes(set) == 3 && !strcmp(spn_dataset_class_name(set, 2), "2"), "%d", spn_dataset_classes(set));
  CHECK(spn_dataset_count(set, SPN_SPLIT_TRAIN) == 30 && spn_dataset_count(set, SPN_SPLIT_TEST) == 9, "counts");
  spn_image image;
  spn_err err;
  for (uint32_t i = 0; i < 39; i++) {
    uint32_t number = i < 30 ? i : i - 30;
    CHECK_OK(spn_dataset_image(set, i, &image, &err), err);
    CHECK(image.h == 4 && image.w == 4 && image.channels == 1 && image.pixels[15] == number, "item %u", i);
    CHECK(set->labels[i] == (int32_t)(number % 3), "label %u", i);
  }
  spn_dataset_close(set);

  put_idx("gz", 30, 9, 4); /* the training files gzip'd, the test files plain */
  put_gz("gz/train-images-idx3-ubyte.gz", bytes, make_idx_images(bytes, 30, 4));
  put_gz("gz/train-labels-idx1-ubyte.gz", bytes, make_idx_labels(bytes, 30));
  remove(at("gz/train-images-idx3-ubyte"));
  remove(at("gz/train-labels-idx1-ubyte"));
  set = open_set("idx", "gz", SPN_OK, "");
  if (set) CHECK(set->pixels[29 * 16] == 29 && set->count == 39, "gz contents");
  spn_dataset_close(set);
}

static void test_idx_refused(void) {
  put_idx("bad1", 30, 9, 4);
  size_t size = make_idx_images(bytes, 30, 4);
  put("bad1/train-images-idx3-ubyte", bytes, size - 5);
  refuse("auto", "bad1",
         "train-images-idx3-ubyte\0truncated\0"
         "496\0"
         "491\0");
  put("bad1/train-images-idx3-ubyte", bytes, size + 1);
  refuse("auto", "bad1", "byte 496\0end of the file\0");
  bytes[3] = 4;
  put("bad1/train-images-idx3-ubyte", bytes, size);
  refuse("auto", "bad1",
         "byte 0\0"
         "0x00000803\0"
         "0x00000804\0");
  make_idx_images(bytes, 30, 4);
  be32(bytes + 4, 0x7fffffff); /* a count that would take 32 GiB */
  put("bad1/train-images-idx3-ubyte", bytes, size);
  refuse("auto", "bad1", "train-images\0truncated\0");
  put("bad1/train-images-idx3-ubyte", bytes, 10);
  refuse("auto", "bad1", "truncated header\0");

  put_idx("bad2", 30, 9, 4);
  size = make_idx_labels(bytes, 9);
  bytes[8 + 5] = 3;
  put("bad2/t10k-labels-idx1-ubyte", bytes, size);
  refuse("auto", "bad2", "t10k-labels-idx1-ubyte\0record 5\0below 3\0got 3\0");
  put("bad2/t10k-labels-idx1-ubyte", bytes, make_idx_labels(bytes, 8));
  refuse("auto", "bad2", "t10k-labels\0expected 9 labels\0got 8\0");
  put("bad2/t10k-images-idx3-ubyte", bytes, make_idx_images(bytes, 9, 5));
  refuse("auto", "bad2", "t10k-images\0expected 4x4\0got 5x5\0");
  remove(at("bad2/t10k-images-idx3-ubyte"));
  refuse("auto", "bad2", "t10k-images\0no such file\0");

  put_idx("bad3", 30, 9, 4);
  remove(at("bad3/train-images-idx3-ubyte"));
  put_gz("bad3/whole", bytes, make_idx_images(bytes, 30, 4));
  FILE *file = fopen(at("bad3/whole"), "rb");
  size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  put("bad3/train-images-idx3-ubyte.gz", bytes, size / 2);
  refuse("idx", "bad3", "train-images-idx3-ubyte.gz\0");
  bytes[size - 6] ^= 1; /* the checksum at the end */
  put("bad3/train-images-idx3-ubyte.gz", bytes, size);
  refuse("idx", "bad3", "train-images-idx3-ubyte.gz\0corrupt gzip\0");
}

static void test_cifar(void) {
  put_cifar10("cifar10");
  put("cifar10/batches.meta.txt", "airplane\nautomobile\n", 20);
  spn_dataset *set = open_set("auto", "cifar10", SPN_OK, "");
  if (set) {
    CHECK(!strcmp(spn_dataset_kind(set), "cifar10") && set->classes == 10, "%s", spn_dataset_kind(set));
    CHECK(set->train_count == 100 && set->count == 120, "%zu", set->count);
    CHECK(!strcmp(spn_dataset_class_name(set, 1), "automobile") && !strcmp(spn_dataset_class_name(set, 2), "2"),
          "names");
    const unsigned char *pixel = set->pixels + (size_t)27 * 3072 + 3 * 77; /* record 7 of the second file */
    CHECK(pixel[0] == 7 && pixel[1] == 57 && pixel[2] == 107 && set->labels[27] == 7, "interleaved");
  }
  spn_dataset_close(set);
  put("cifar10/data_batch_2.bin", bytes, make_cifar(bytes, 20, 1) - 100);
  refuse("auto", "cifar10",
         "data_batch_2.bin\0"
         "3073\0"
         "61360\0");
  bytes[4 * 3073] = 10;
  put("cifar10/data_batch_2.bin", bytes, 20 * 3073);
  refuse("auto", "cifar10", "data_batch_2.bin\0record 4\0got 10\0");
  remove(at("cifar10/data_batch_2.bin"));
  refuse("cifar10", "cifar10", "data_batch_2.bin\0no such file\0");

  put("cifar100/train.bin", bytes, make_cifar(bytes, 20, 2));
  bytes[1] = 99;
  put("cifar100/test.bin", bytes, 20 * 3074);
  set = open_set("auto", "cifar100", SPN_OK, "");
  if (set) CHECK(set->classes == 100 && set->labels[20] == 99 && set->labels[21] == 1 && set->h == 32, "cifar100");
  spn_dataset_close(set);
  bytes[1] = 100;
  put("cifar100/test.bin", bytes, 20 * 3074);
  refuse("auto", "cifar100", "test.bin\0record 0\0got 100\0");
}

/* Two classes in train, one in test; images of kinds that are not what their names say. */
static void test_folder(void) {
  static unsigned char pixels[12 * 20 * 4];
  memset(pixels, 77, sizeof pixels);
  put("tree/train/b/1.png", jpeg_rgb, sizeof jpeg_rgb);
  put("tree/train/b/noext", bytes, make_png(bytes, pixels, 5, 4, 4, 0));
  put("tree/train/b/.hidden", "x", 1);
  put("tree/train/b/sub/ignored.txt", "x", 1);
  put("tree/train/a/grey.jpg", bytes, make_png(bytes, pixels, 1, 1, 1, 0));
  put("tree/train/a/2.JPEG", jpeg_progressive, sizeof jpeg_progressive);
  put("tree/train/a/3", jpeg_grey, sizeof jpeg_grey);
  put("tree/train/c/4.jpg", jpeg_cmyk, sizeof jpeg_cmyk);
  put("tree/val/b/1.jpg", jpeg_rgb, sizeof jpeg_rgb);
  refuse("auto", "tree", "test images\0class \"a\"\0(2 of 3\0data.allow_empty_classes\0");
  allow_empty = 1;
  spn_dataset *set = open_set("auto", "tree", SPN_OK, "");
  allow_empty = 0;
  if (!set) return;
  CHECK(set->train_count == 6 && set->count == 7 && set->classes == 3, "%zu %zu", set->train_count, set->count);
  CHECK(!strcmp(spn_dataset_class_name(set, 0), "a") && set->labels[6] == 1, "classes");
  CHECK(set->kept && spn_dataset_bad(set, NULL, 0) == 0, "small images are kept");
  spn_image image;
  spn_err err;
  static const int width[] = {20, 20, 1, 20, 4, 20}; /* a: 2.JPEG 3 grey.jpg, b: 1.png noext, c: 4.jpg */
  for (uint32_t i = 0; i < 6; i++) {
    CHECK_OK(spn_dataset_image(set, i, &image, &err), err);
    CHECK(image.w == width[i] && image.channels == 3, "item %u: %d", i, image.w);
    if (i == 0 || i == 3) { /* pixel (6,10): 40 + 8 * 10, 200 - 10 * 6, 90 */
      const unsigned char *p = image.pixels + (6 * 20 + 10) * 3;
      CHECK(abs(p[0] - 120) < 8 && abs(p[1] - 140) < 8 && abs(p[2] - 90) < 8, "item %u: %d %d %d", i, p[0], p[1], p[2]);
    }
    if (i == 4) CHECK(image.pixels[0] == 77 && image.pixels[59] == 77, "alpha is dropped");
  }
  spn_dataset_close(set);

  put("tree/val/d/1.jpg", jpeg_rgb, sizeof jpeg_rgb);
  refuse("auto", "tree", "val/d\0not among the training classes\0");
  mkdir(at("tree/train/empty"), 0777);
  refuse("folder", "tree", "train/empty\0expected images\0");
  put("odd/test/a/1", jpeg_rgb, sizeof jpeg_rgb);
  refuse("folder", "odd", "train\0");
  mkdir(at("nothing"), 0777);
  refuse("auto", "nothing", "no data set\0");
  refuse("auto", "absent", "expected a data set\0No such file\0");
  refuse("folder", "nothing", "class folders\0");
  refuse("mnist", "idx", "expected \"auto\", \"idx\"\0mnist\0");
}

/* Every kind of the list says where it looks and is asked; where nothing is found all of them are told. */
static void check_kind(const char *name, const spn_dataset_reader *reader, const char *told) {
  CHECK(reader->expects && reader->found && reader->read, "%s", name);
  CHECK(!reader->found(at("absent")), "%s finds itself where nothing is", name);
  CHECK(spn_name_index(spn_dataset_names, name) > 0, "%s has no name", name);
  CHECK(strstr(told, reader->expects) != NULL, "\"%s\" does not say \"%s\"", told, reader->expects);
}

static void test_kinds(void) {
  spn_dataset_options options = {.path = at("nothing")};
  spn_dataset *set;
  spn_err err = {0};
  mkdir(at("nothing"), 0777);
  CHECK(spn_dataset_open(&options, &set, &err) == SPN_EINPUT, "%s", err.text);
#define SPN_DATASET(name) check_kind(#name, &spn_reader_##name, err.text);
#include "input/datasets.def"
#undef SPN_DATASET
}

/* Without a test folder a tenth is carved out, whatever the seed; also when the path holds the class folders itself. */
static void test_carve(void) {
  char name[64];
  for (int i = 0; i < 60; i++) {
    snprintf(name, sizeof name, "carve/train/%s/%d", i < 20 ? "x" : "y", i);
    put_png(name, 3, i);
  }
  spn_dataset *sets[3] = {open_set("auto", "carve", SPN_OK, ""), open_set("auto", "carve/train", SPN_OK, "")};
  spn_dataset_options options = {.kind = "auto", .path = at("carve"), .seed = 99};
  spn_err err;
  CHECK_OK(spn_dataset_open(&options, &sets[2], &err), err);
  for (int s = 0; s < 3 && sets[s]; s++) {
    CHECK(sets[s]->split_count[SPN_SPLIT_TEST] == 6 && sets[s]->split_count[SPN_SPLIT_TRAIN] == 54, "carved");
    int of_x = 0;
    for (int i = 0; i < 6; i++) of_x += sets[s]->split[SPN_SPLIT_TEST][i] < 20;
    CHECK(of_x == 2, "classes in proportion: %d", of_x);
    CHECK(!memcmp(sets[s]->split[SPN_SPLIT_TEST], sets[0]->split[SPN_SPLIT_TEST], 6 * sizeof(uint32_t)),
          "same for every seed");
  }
  for (int s = 0; s < 3; s++) spn_dataset_close(sets[s]);
}

static void reject(const void *data, size_t size, const char *word) {
  spn_image image;
  const char *reason = "";
  unsigned char *exact = malloc(size + !size);
  memcpy(exact, data, size);
  CHECK(spn_image_decode(exact, size, 0, &image, &reason) == SPN_EINPUT, "accepted, should be: %s", word);
  CHECK(reason && strstr(reason, word), "\"%s\" does not say \"%s\"", reason, word);
  free(exact);
}

static void test_bad_images(void) {
  static unsigned char pixels[10 * 10 * 3];
  reject("", 0, "empty");
  reject("hello world", 11, "not a JPEG or PNG");
  reject(jpeg_rgb, sizeof jpeg_rgb - 2, "truncated");
  reject(jpeg_rgb, sizeof jpeg_rgb / 2, "truncated");
  reject(jpeg_rgb, 3, "truncated");
  size_t size = make_png(bytes, pixels, 10, 10, 3, 0);
  for (size_t cut = 8; cut < size; cut += 7) reject(bytes, cut, "truncated");
  bytes[50] ^= 1;
  reject(bytes, size, "checksum");
  size = make_png(bytes, pixels, 10, 10, 3, 1u << 30);
  reject(bytes, size, "16384");
  size = make_png(bytes, pixels, 10, 10, 3, 12000); /* 412 MiB */
  reject(bytes, size, "2^28");
  size = make_png(bytes, pixels, 10, 10, 3, 40); /* fewer pixels than claimed */
  reject(bytes, size, "PNG");

  static unsigned char tables[] = {0xff, 0xd8, 0xff, 0xc4, 0, 19, 0, [22] = 200, [21] = 100, [23] = 0xff, 0xd9};
  reject(tables, sizeof tables, "Huffman"); /* 300 codes: stb_image 2.27 would write beyond its array */

  /* Without its Huffman tables an image is refused or decoded to something, but nothing is read that was never written.
   */
  spn_image image;
  const char *reason;
  memcpy(bytes, jpeg_rgb, sizeof jpeg_rgb);
  for (size_t i = 0; i + 1 < sizeof jpeg_rgb; i++)
    if (bytes[i] == 0xff && bytes[i + 1] == 0xc4) bytes[i + 1] = 0xfe; /* a comment */
  if (!spn_image_decode(bytes, sizeof jpeg_rgb, 0, &image, &reason)) spn_image_free(&image);

  CHECK(spn_image_read(at("none"), 0, &image, &reason) == SPN_EINPUT && !strcmp(reason, "no such file"), "absent");
  CHECK(spn_image_read(test_root, 0, &image, &reason) == SPN_EINPUT && !strcmp(reason, "not a regular file"), "folder");
}

/* jpeg_rgb with an APP1 segment of one Exif entry, "II" or "MM"; the number of bytes. */
static size_t tagged(const char *order, int tag, int type, int value) {
  int big = order[0] == 'M';
  unsigned char segment[4 + 6 + 8 + 2 + 12 + 4] = {0xff, 0xe1, 0, sizeof segment - 2, 'E', 'x', 'i', 'f', 0, 0};
  unsigned char *tiff = segment + 10;
  memcpy(tiff, order, 2);
  tiff[2 + big] = 42;
  tiff[4 + 3 * big] = 8;
  tiff[8 + big] = 1;
  tiff[10 + !big] = (unsigned char)(tag >> 8);
  tiff[10 + big] = (unsigned char)tag;
  tiff[12 + big] = (unsigned char)type;
  tiff[14 + 3 * big] = 1;
  tiff[18 + big] = (unsigned char)value;
  memcpy(bytes, jpeg_rgb, 2);
  memcpy(bytes + 2, segment, sizeof segment);
  memcpy(bytes + 2 + sizeof segment, jpeg_rgb + 2, sizeof jpeg_rgb - 2);
  return sizeof jpeg_rgb + sizeof segment;
}

static void check_upright(const spn_image *plain, const char *order, int orientation) {
  static const struct {
    int bottom, right, turns; /* the first pixel's row is stored last; its column is; rows are stored as columns */
  } stored[9] = {{0}, {0, 0, 0}, {0, 1, 0}, {1, 1, 0}, {1, 0, 0}, {0, 0, 1}, {1, 0, 1}, {1, 1, 1}, {0, 1, 1}};
  spn_image image;
  const char *reason;
  size_t size = tagged(order, 0x0112, 3, orientation);
  CHECK(!spn_image_decode(bytes, size, 0, &image, &reason), "%s %d: %s", order, orientation, reason);
  int bottom = stored[orientation].bottom, right = stored[orientation].right, turns = stored[orientation].turns;
  CHECK(image.h == (turns ? plain->w : plain->h) && image.w == (turns ? plain->h : plain->w), "%d: %dx%d", orientation,
        image.h, image.w);
  for (int y = 0; y < image.h; y++)
    for (int x = 0; x < image.w; x++) {
      int row = turns ? x : y, column = turns ? y : x;
      if (bottom) row = plain->h - 1 - row;
      if (right) column = plain->w - 1 - column;
      CHECK(!memcmp(image.pixels + 3 * (y * image.w + x), plain->pixels + 3 * (row * plain->w + column), 3),
            "%s %d: pixel %d %d", order, orientation, y, x);
    }
  spn_image_free(&image);
  CHECK(!spn_image_decode(bytes, size, 1, &image, &reason) && !image.pixels && image.h == (turns ? plain->w : plain->h),
        "measured as it is shown");
}

static void test_orientation(void) {
  spn_image plain, image;
  const char *reason;
  CHECK(!spn_image_decode(jpeg_rgb, sizeof jpeg_rgb, 0, &plain, &reason) && plain.h != plain.w,
        "a picture on its side");
  for (int orientation = 1; orientation <= 8; orientation++) {
    check_upright(&plain, "II", orientation);
    check_upright(&plain, "MM", orientation);
  }
  static const int odd[][3] = {{0x0112, 3, 0}, {0x0112, 3, 9}, {0x0112, 4, 6}, {0x0113, 3, 6}};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    size_t size = tagged("II", odd[i][0], odd[i][1], odd[i][2]);
    CHECK(!spn_image_decode(bytes, size, 0, &image, &reason) && image.w == plain.w, "odd tag %zu", i);
    spn_image_free(&image);
  }
  /* broken places and counts: as it lies, nothing is read beyond the segment */
  size_t size = tagged("II", 0x0112, 3, 6);
  for (int i = 2 + 10; i < 2 + 10 + 20; i++) {
    unsigned char kept = bytes[i];
    bytes[i] = 0xff;
    if (!spn_image_decode(bytes, size, 0, &image, &reason)) spn_image_free(&image);
    bytes[i] = kept;
  }
  spn_image_free(&plain);
}

static void test_splits(void) {
  put_idx("split", 100, 40, 2); /* classes of 34, 33, 33 and 14, 13, 13 */
  spn_err err;
  uint32_t first[100] = {0};
  for (int round = 0; round < 4; round++) {
    spn_dataset_options options = {
        .kind = "idx", .path = at("split"), .holdout = 0.2, .seed = round < 2 ? 5 : (uint64_t)round};
    if (round == 3) options.max_train = 50, options.max_test = 9;
    spn_dataset *set = NULL;
    CHECK_OK(spn_dataset_open(&options, &set, &err), err);
    if (!set) return;
    size_t train = round == 3 ? 40 : 80, held = round == 3 ? 10 : 20, test = round == 3 ? 9 : 40;
    CHECK(set->split_count[0] == train && set->split_count[1] == held && set->split_count[2] == test,
          "sizes in round %d", round);
    int seen[140] = {0}, of_class[3][3] = {{0}};
    for (int s = 0; s < 3; s++)
      for (size_t i = 0; i < set->split_count[s]; i++) {
        uint32_t item = set->split[s][i];
        CHECK(!seen[item]++, "item %u is in two splits", item);
        CHECK((item >= 100) == (s == SPN_SPLIT_TEST), "item %u in split %d", item, s);
        of_class[s][set->labels[item]]++;
      }
    for (int s = 0; s < 3; s++)
      for (int c = 0; c < 3; c++) {
        double share = (double)set->split_count[s] / 3;
        CHECK(fabs(of_class[s][c] - share) <= 1.5, "split %d class %d: %d", s, c, of_class[s][c]);
      }
    int same = !memcmp(first, set->split[1], held * sizeof *first);
    CHECK(round == 0 || same == (round == 1), "round %d: the holdout depends on the seed and on nothing else", round);
    if (round == 0) memcpy(first, set->split[1], held * sizeof *first);
    spn_dataset_close(set);
  }
  spn_dataset *set;
  spn_dataset_options wrong = {.kind = "idx", .path = at("split"), .holdout = 0.95};
  CHECK(spn_dataset_open(&wrong, &set, &err) == SPN_EINPUT && strstr(err.text, "holdout"), "%s", err.text);
  wrong.holdout = 0, wrong.max_bad = NAN;
  CHECK(spn_dataset_open(&wrong, &set, &err) == SPN_EINPUT && strstr(err.text, "max_bad"), "%s", err.text);
}

static void test_bad_share(void) {
  char name[64], list[2048];
  for (int i = 0; i < 20; i++) {
    snprintf(name, sizeof name, "share/train/%c/%d", "xy"[i % 2], i);
    put_png(name, 3, i);
  }
  put("share/test/x/good", jpeg_rgb, sizeof jpeg_rgb);
  put("share/test/y/good", jpeg_rgb, sizeof jpeg_rgb);
  put("share/train/x/broken", jpeg_rgb, 100);
  refuse("folder", "share", "1 of 23\0max_bad\0train/x/broken: truncated\0");
  spn_dataset_options options = {.kind = "folder", .path = at("share"), .max_bad = 0.1};
  spn_dataset *set;
  spn_err err;
  CHECK_OK(spn_dataset_open(&options, &set, &err), err);
  CHECK(spn_dataset_bad(set, list, sizeof list) == 1 && strstr(list, "x/broken: truncated"), "%s", list);
  CHECK(spn_dataset_bad(set, list, 8) == 1 && !*list, "a list without room is empty");
  spn_dataset_close(set);
}

static void test_real(void) {
  spn_dataset_options options = {.kind = "auto", .path = "/usr/share/datasets/fashion-mnist", .holdout = 0.1};
  spn_dataset *set = NULL;
  spn_err err;
  if (access(options.path, R_OK)) {
    printf("test_input: no Fashion-MNIST, skipped\n");
    return;
  }
  CHECK_OK(spn_dataset_open(&options, &set, &err), err);
  if (!set) return;
  CHECK(set->train_count == 60000 && set->count == 70000 && set->classes == 10 && set->h == 28, "Fashion-MNIST");
  int of_class[10] = {0};
  for (size_t i = 0; i < set->split_count[1]; i++) of_class[set->labels[set->split[1][i]]]++;
  for (int c = 0; c < 10; c++) CHECK(of_class[c] == 600, "class %d: %d held out", c, of_class[c]);
  spn_dataset_close(set);
}

/* Measured without decoding, on the files as they are. */
static void test_median_side(void) {
  char name[64];
  for (int i = 0; i < 5; i++) {
    snprintf(name, sizeof name, "sides/train/%c/%d.png", "ab"[i % 2], i);
    put_png(name, i == 4 ? 20 : i == 3 ? 200 : 100, i);
    snprintf(name, sizeof name, "sides/test/%c/%d.png", "ab"[i % 2], i);
    put_png(name, 30, i);
  }
  put("sides/train/a/broken.png", "not an image", 12);
  spn_dataset *set = open_set("auto", "sides", SPN_OK, "");
  if (set) {
    CHECK(spn_dataset_median_side(set) == 100, "%d", spn_dataset_median_side(set));
    CHECK(!spn_dataset_bad(set, NULL, 0), "looking counts nothing as bad");
  }
  spn_dataset_close(set);
  put_idx("sides-idx", 30, 9, 4);
  set = open_set("auto", "sides-idx", SPN_OK, "");
  if (set) CHECK(spn_dataset_median_side(set) == 4, "%d", spn_dataset_median_side(set));
  spn_dataset_close(set);
}

int main(void) {
  files_begin();
  test_kinds();
  test_idx();
  test_idx_refused();
  test_cifar();
  test_folder();
  test_carve();
  test_bad_images();
  test_orientation();
  test_splits();
  test_bad_share();
  test_median_side();
  test_real();
  files_end();
  return check_report("test_input");
}
