/* Packs: what is read back is what was packed, and a pack that is not right is refused. */
#include "check.h"
#include "data_input/files.h"
#include "input/transform.h"
#include "io/file.h"

static spn_dataset *open_set(const char *name, double max_bad, spn_err *err) {
  spn_dataset_options options = {.kind = "auto", .path = at(name), .max_bad = max_bad, .seed = 1, .allow_empty = 1};
  spn_dataset *set = NULL;
  *err = (spn_err){0};
  if (spn_dataset_open(&options, &set, err)) CHECK(!set, "%s: a set in spite of the error", name);
  return set;
}

/* Two classes and a test folder; painted images of several sizes, one of them unreadable. */
static void make_tree(void) {
  static unsigned char pixels[90 * 90 * 3], png[sizeof pixels + 4096];
  static const int sides[][2] = {{20, 30}, {90, 70}, {65, 65}, {5, 80}, {70, 90}};
  char name[64];
  for (int i = 0; i < 5; i++) {
    paint(pixels, sides[i][0], sides[i][1]);
    snprintf(name, sizeof name, "tree/train/%s/%d.png", i < 3 ? "cats" : "dogs", i);
    put(name, png, make_png(png, pixels, sides[i][0], sides[i][1], 3, 0));
  }
  put("tree/train/dogs/broken.jpg", jpeg_rgb, sizeof jpeg_rgb / 2);
  put("tree/test/cats/1.jpg", jpeg_rgb, sizeof jpeg_rgb);
}

static void write_pack(const char *out, int side, int threads) {
  spn_err err;
  size_t bad = 0;
  spn_dataset *set = open_set("tree", 0.5, &err);
  CHECK(set != NULL, "%s", err.text);
  if (!set) return;
  CHECK_OK(spn_pack_write(set, at(out), side, SPN_RESIZE_BILINEAR, threads, &bad, &err), err);
  CHECK(bad == 1, "%zu left out", bad);
  spn_dataset_close(set);
}

static void test_same_images(void) {
  spn_err err;
  write_pack("same.pack", 0, 2);
  spn_dataset *from = open_set("tree", 0.5, &err), *set = open_set("same.pack", 0, &err);
  CHECK(from && set, "%s", err.text);
  if (!from || !set) return;
  CHECK(!strcmp(spn_dataset_kind(set), "pack") && set->count == 6 && set->train_count == 5 && set->classes == 2, "%zu",
        set->count);
  CHECK(!strcmp(spn_dataset_class_name(set, 1), "dogs"), "%s", spn_dataset_class_name(set, 1));
  CHECK(spn_dataset_count(set, SPN_SPLIT_TEST) == 1 && spn_dataset_count(set, SPN_SPLIT_TRAIN) == 5, "splits");
  for (uint32_t i = 0; i < 6; i++) {
    spn_image a, b;
    uint32_t item = i < 5 ? i : 6; /* the folder's sixth is broken */
    CHECK_OK(spn_dataset_image(from, item, &a, &err), err);
    CHECK_OK(spn_dataset_image(set, i, &b, &err), err);
    CHECK(a.h == b.h && a.w == b.w && b.channels == 3 && set->labels[i] == from->labels[item], "item %u", i);
    CHECK(!memcmp(a.pixels, b.pixels, (size_t)a.h * (size_t)a.w * 3), "pixels of item %u", i);
    spn_image_free(&a);
    spn_image_free(&b);
  }
  spn_dataset_close(from);
  spn_dataset_close(set);
}

static void check_same_files(const char *name, const char *other) {
  char *a = NULL, *b = NULL;
  size_t size = 0, other_size = 1;
  spn_err err;
  CHECK_OK(spn_file_read(at(name), 1 << 20, &a, &size, &err), err);
  CHECK_OK(spn_file_read(at(other), 1 << 20, &b, &other_size, &err), err);
  CHECK(a && b && size == other_size && !memcmp(a, b, size), "%s and %s differ", name, other);
  free(a);
  free(b);
}

static void test_reduced(void) {
  static const int sizes[][2] = {{20, 30}, {41, 32}, {32, 32}, {5, 80}, {32, 41}};
  static unsigned char pixels[65 * 65 * 3];
  static float want[32 * 32 * 3];
  spn_err err;
  write_pack("small.pack", 32, 1);
  write_pack("small2.pack", 32, 3);
  check_same_files("small.pack", "small2.pack");
  spn_dataset *set = open_set("small.pack", 0, &err);
  CHECK(set != NULL, "%s", err.text);
  if (!set) return;
  spn_image image;
  for (uint32_t i = 0; i < 5; i++) {
    CHECK_OK(spn_dataset_image(set, i, &image, &err), err);
    CHECK(image.h == sizes[i][0] && image.w == sizes[i][1], "item %u: %dx%d", i, image.h, image.w);
  }
  /* A square image is what the evaluation's resize gives, rounded. */
  spn_transform t = {.size = 32, .channels = 3, .eval_crop = 1, .std = {1, 1, 1}};
  paint(pixels, 65, 65);
  CHECK_OK(spn_transform_apply(&t, pixels, 65, 65, 0, 0, want), err);
  CHECK_OK(spn_dataset_image(set, 2, &image, &err), err);
  for (int i = 0; i < 32 * 32 * 3; i++) CHECK(fabs(image.pixels[i] - 255 * (double)want[i]) <= 0.501, "value %d", i);
  spn_dataset_close(set);
}

/* An evaluation sees the same picture in the pack as in the folder: to half a level where it resizes to the pack's
 * side; the same part of it, a little softer, where it resizes further; bit for bit where nothing was reduced. */
static void compare(const char *name, int size, double crop, double mean_bound, double worst_bound) {
  static float a[64 * 64 * 3], b[64 * 64 * 3];
  spn_err err;
  spn_transform t = {.size = size, .channels = 3, .eval_crop = crop, .std = {1, 1, 1}};
  spn_transform_plan plan;
  spn_scratch scratch = {0};
  spn_dataset *folder = open_set("wide", 0, &err), *set = open_set(name, 0, &err);
  CHECK(folder && set && !spn_transform_plan_make(&t, &plan), "%s", err.text);
  if (!folder || !set) return;
  for (uint32_t i = 0; i < set->count; i++) {
    spn_image x, y;
    double sum = 0, worst = 0;
    CHECK_OK(spn_dataset_image(folder, i, &x, &err), err);
    CHECK_OK(spn_dataset_image(set, i, &y, &err), err);
    CHECK(!spn_transform_run(&plan, &scratch, &x, 0, 0, a) && !spn_transform_run(&plan, &scratch, &y, 0, 0, b), "run");
    for (int k = 0; k < size * size * 3; k++) {
      double off = 255 * fabs((double)a[k] - (double)b[k]);
      sum += off;
      worst = fmax(worst, off);
    }
    sum /= size * size * 3;
    CHECK(sum <= mean_bound && worst <= worst_bound, "%s at %d, image %u: off by %g, %g on average", name, size, i,
          worst, sum);
    spn_image_free(&x);
    spn_image_free(&y);
  }
  spn_scratch_free(&scratch);
  spn_transform_plan_free(&plan);
  spn_dataset_close(folder);
  spn_dataset_close(set);
}

/* Soft waves, as photographs have them, and a hard edge; sides whose proportions no rounding gets right. */
static void paint_wide(unsigned char *rgb, int h, int w) {
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      for (int c = 0; c < 3; c++)
        rgb[(y * w + x) * 3 + c] = (unsigned char)(127 + 60 * sin(0.11 * x + c) * cos(0.07 * y) + (x > w / 2 ? 60 : 0));
}

static void test_same_picture(void) {
  static const int sides[][2] = {{101, 155}, {155, 101}, {97, 131}, {123, 333}, {100, 100}, {301, 97}};
  static unsigned char pixels[333 * 123 * 3], png[sizeof pixels + 4096];
  spn_err err;
  size_t bad;
  char name[64];
  for (int i = 0; i < 6; i++) {
    paint_wide(pixels, sides[i][0], sides[i][1]);
    snprintf(name, sizeof name, "wide/train/%s/%d.png", i % 2 ? "b" : "a", i);
    put(name, png, make_png(png, pixels, sides[i][0], sides[i][1], 3, 0));
  }
  spn_dataset *set = open_set("wide", 0, &err);
  CHECK(set != NULL, "%s", err.text);
  if (!set) return;
  static const int packs[] = {0, 64, 73};
  for (int i = 0; i < 3; i++) {
    snprintf(name, sizeof name, "wide%d.pack", packs[i]);
    CHECK_OK(spn_pack_write(set, at(name), packs[i], SPN_RESIZE_BILINEAR, 1, &bad, &err), err);
  }
  spn_dataset_close(set);
  compare("wide0.pack", 56, 0.875, 0, 0);
  compare("wide64.pack", 56, 0.875, 0.3, 0.51);
  compare("wide64.pack", 64, 1, 0.3, 0.51);
  compare("wide73.pack", 56, 0.875, 1, 25); /* a column to the left or right would be 60 levels off at the edge */
}

/* ---- What is refused ---- */

static unsigned char file[1 << 18];
static size_t file_size;
static spn_pack_end end;

static void load(void) {
  FILE *f = fopen(at("same.pack"), "rb");
  if (!f) exit(1);
  file_size = fread(file, 1, sizeof file, f);
  fclose(f);
  memcpy(&end, file + file_size - sizeof end, sizeof end);
}

static void refuse(const char *words) {
  spn_err err;
  put("bad.pack", file, file_size);
  spn_dataset *set = open_set("bad.pack", 0, &err);
  CHECK(!set && err.code == SPN_EINPUT && strstr(err.text, "bad.pack"), "%d %s", err.code, err.text);
  for (const char *word = words; *word; word += strlen(word) + 1)
    CHECK(strstr(err.text, word), "\"%s\" does not say \"%s\"", err.text, word);
  spn_dataset_close(set);
}

static void set_end(void) { memcpy(file + file_size - sizeof end, &end, sizeof end); }

/* An entry with a right checksum over wrong numbers. */
static void wrong_entry(size_t i, spn_pack_entry entry, const char *words) {
  load();
  memcpy(file + end.index_at + i * sizeof entry, &entry, sizeof entry);
  end.index_crc = (uint32_t)crc32_z(0, file + end.index_at, end.index_bytes);
  set_end();
  refuse(words);
}

static void test_refused(void) {
  load();
  size_t whole = file_size;
  for (file_size = 8; file_size < whole; file_size += 1 + whole / 97) refuse("pack\0");
  load();
  file[end.index_at + 3] ^= 1;
  refuse("index checksum\0damaged\0");
  load(), end.version = 3, set_end();
  refuse("version\0expected 2\0got 3\0");
  load(), end.index_at++, set_end();
  refuse("index at\0");
  load(), end.count = UINT64_MAX, set_end();
  refuse("images\0");
  load(), end.train_count = 7, set_end();
  refuse("7 of them\0");
  load(), end.classes = 1, set_end();
  refuse("classes\0got 1\0");
  load(), end.classes = 60000, set_end();
  refuse("expected 60000 class names\0");
  load();
  spn_pack_entry good, e;
  memcpy(&good, file + end.index_at, sizeof good);
  wrong_entry(0, (e = good, e.label = 2, e), "image 0\0label below 2\0got 2\0");
  wrong_entry(0, (e = good, e.label = -1, e), "got -1\0");
  wrong_entry(0, (e = good, e.h = 0, e), "do not fit\0");
  wrong_entry(0, (e = good, e.h = e.w = 65535, e), "65535x65535\0do not fit\0");
  wrong_entry(0, (e = good, e.at = UINT64_MAX - 5, e), "do not fit\0");
  wrong_entry(0, (e = good, e.at = 3, e), "do not fit\0");
  wrong_entry(0, (e = good, e.name_at = 1u << 30, e), "name at\0");
}

static void test_damaged_image(void) {
  spn_err err;
  spn_image image;
  load();
  file[100] ^= 4;
  put("hurt.pack", file, file_size);
  spn_dataset *set = open_set("hurt.pack", 0, &err);
  CHECK(set != NULL, "%s", err.text);
  if (!set) return;
  CHECK(spn_dataset_image(set, 0, &image, &err) == SPN_EINPUT, "a damaged image was given out");
  CHECK(spn_dataset_image(set, 0, &image, &err) == SPN_EINPUT, "a damaged image was given out the second time");
  spn_dataset_note_bad(set, 0);
  CHECK(spn_dataset_check_bad(set, &err) == SPN_EINPUT && strstr(err.text, "cats/0.png: checksum differs"), "%s",
        err.text);
  CHECK_OK(spn_dataset_image(set, 1, &image, &err), err);
  spn_dataset_close(set);
}

static void test_not_written(void) {
  spn_err err = {0};
  size_t bad;
  spn_dataset *set = open_set("tree", 0.01,
                              &err); /* kept in memory only where all are small: the bad one shows while packing */
  CHECK(set != NULL, "%s", err.text);
  if (!set) return;
  CHECK(spn_pack_write(set, at("not.pack"), 0, SPN_RESIZE_BILINEAR, 1, &bad, &err) == SPN_EINPUT &&
            strstr(err.text, "max_bad"),
        "%s", err.text);
  CHECK(access(at("not.pack"), F_OK), "half a pack was left behind");
  CHECK(spn_pack_write(set, at("absent/not.pack"), 0, SPN_RESIZE_BILINEAR, 1, &bad, &err) == SPN_EIO, "%s", err.text);
  spn_dataset_close(set);
  set = open_set("same.pack", 0, &err);
  if (set)
    CHECK(spn_pack_write(set, at("not.pack"), 0, SPN_RESIZE_BILINEAR, 1, &bad, &err) == SPN_EINPUT &&
              strstr(err.text, "class folders"),
          "%s", err.text);
  spn_dataset_close(set);
}

int main(void) {
  files_begin();
  make_tree();
  test_same_images();
  test_reduced();
  test_same_picture();
  test_refused();
  test_damaged_image();
  test_not_written();
  files_end();
  return check_report("test_input_pack");
}
