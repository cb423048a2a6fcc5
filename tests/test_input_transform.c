/* Resizing against PIL, augmentation against direct computation. */
#include "check.h"
#include "data_input/files.h"
#include "input/transform.h"

static const spn_transform plain = {.size = 8,
                                    .channels = 3,
                                    .augment = SPN_AUGMENT_NONE,
                                    .eval_crop = 1,
                                    .min_area = 0.08,
                                    .mean = {0, 0, 0},
                                    .std = {1, 1, 1}};

static void test_resize(void) {
  static unsigned char rgb[64 * 64 * 3];
  static float out[64 * 64 * 3];
  for (size_t n = 0; n < sizeof resize_cases / sizeof *resize_cases; n++) {
    const resize_case *r = &resize_cases[n];
    spn_transform t = plain;
    t.size = r->size;
    t.eval_crop = r->share;
    t.resize = r->filter;
    paint(rgb, r->h, r->w);
    CHECK(spn_transform_apply(&t, rgb, r->h, r->w, 0, 0, out) == SPN_OK, "case %zu", n);
    for (int i = 0; i < r->size * r->size * 3; i++)
      CHECK_NEAR(out[i] * 255.0, r->expected[i], 1e-3, "case %zu, value %d", n, i);
  }
}

/* An image of the right size is not touched; normalisation is (v / 255 - mean) / std. */
static void test_plain(void) {
  static unsigned char rgb[8 * 8 * 3];
  float out[8 * 8 * 3];
  spn_transform t = plain;
  for (int c = 0; c < 3; c++) t.mean[c] = 0.4f + 0.1f * (float)c, t.std[c] = 0.2f + 0.05f * (float)c;
  paint(rgb, 8, 8);
  for (int filter = 0; filter < 2; filter++) {
    t.resize = filter ? SPN_RESIZE_BICUBIC : SPN_RESIZE_BILINEAR;
    spn_transform_apply(&t, rgb, 8, 8, 0, 0, out);
    for (int i = 0; i < 192; i++)
      CHECK_NEAR(out[i], (rgb[i] / 255.0 - t.mean[i % 3]) / t.std[i % 3], 1e-6, "value %d", i);
  }
}

static void test_grey(void) {
  static unsigned char rgb[8 * 8 * 3], grey[64];
  float out[8 * 8 * 3], other[8 * 8 * 3];
  spn_transform t = plain;
  t.channels = 1;
  paint(rgb, 8, 8);
  spn_transform_apply(&t, rgb, 8, 8, 0, 0, out);
  for (int i = 0; i < 64; i++)
    CHECK_NEAR(out[i], (0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2]) / 255, 1e-6, "luma %d",
               i);
  for (int i = 0; i < 64; i++) grey[i] = rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = (unsigned char)(i * 4);
  for (int channels = 1; channels <= 3; channels += 2)
    for (int size = 7; size <= 8; size++) { /* a grey image is the RGB image of three equal channels */
      spn_transform_plan plan;
      spn_scratch scratch = {0};
      spn_image image = {.pixels = grey, .h = 8, .w = 8, .channels = 1};
      t.channels = channels;
      t.size = size;
      CHECK(spn_transform_plan_make(&t, &plan) == SPN_OK, "plan");
      CHECK(spn_transform_run(&plan, &scratch, &image, 0, 0, out) == SPN_OK, "run");
      spn_transform_apply(&t, rgb, 8, 8, 0, 0, other);
      for (int i = 0; i < size * size * channels; i++) CHECK_NEAR(out[i], other[i], 1e-6, "grey %d", i);
      spn_scratch_free(&scratch);
      spn_transform_plan_free(&plan);
    }
}

/* Every pad-and-crop result is one of the 25 x 2 possible ones, computed directly, and all of them occur. */
static void test_crop(void) {
  enum { SIZE = 8, PAD = 2, PLACES = 2 * PAD + 1 };
  static unsigned char rgb[SIZE * SIZE * 3];
  float out[SIZE * SIZE * 3], again[SIZE * SIZE * 3];
  int seen[PLACES * PLACES * 2] = {0}, kinds = 0;
  spn_transform t = plain;
  t.augment = SPN_AUGMENT_CROP;
  t.pad = PAD;
  t.flip = 1;
  t.seed = 3;
  t.mean[0] = 0.5f; /* padding is zero after normalisation, not before */
  paint(rgb, SIZE, SIZE);
  for (uint64_t sample = 0; sample < 1000; sample++) {
    spn_transform_apply(&t, rgb, SIZE, SIZE, 4, sample, out);
    spn_transform_apply(&t, rgb, SIZE, SIZE, 4, sample, again);
    CHECK(!memcmp(out, again, sizeof out), "sample %d twice", (int)sample);
    int matches = 0;
    for (int kind = 0; kind < PLACES * PLACES * 2; kind++) {
      int dy = kind / 2 / PLACES - PAD, dx = kind / 2 % PLACES - PAD, same = 1;
      for (int i = 0; same && i < SIZE * SIZE * 3; i++) {
        int c = i % 3, x = i / 3 % SIZE, y = i / 3 / SIZE + dy;
        x = (kind % 2 ? SIZE - 1 - x : x) + dx;
        int inside = x >= 0 && x < SIZE && y >= 0 && y < SIZE;
        double expected = inside ? rgb[(y * SIZE + x) * 3 + c] / 255.0 - t.mean[c] : 0.0;
        same = fabs(out[i] - expected) < 1e-6;
      }
      if (same) matches++, seen[kind]++;
    }
    CHECK(matches == 1, "sample %d is %d of the possible crops", (int)sample, matches);
  }
  for (int i = 0; i < PLACES * PLACES * 2; i++) kinds += seen[i] > 0;
  CHECK(kinds == PLACES * PLACES * 2, "%d of %d crops occur", kinds, PLACES * PLACES * 2);
  spn_transform_apply(&t, rgb, SIZE, SIZE, 4, 1, out);
  int differ = 0;
  for (uint64_t epoch = 5; epoch < 15; epoch++) {
    spn_transform_apply(&t, rgb, SIZE, SIZE, epoch, 1, again);
    differ += memcmp(out, again, sizeof out) != 0;
  }
  CHECK(differ >= 8, "epochs differ: %d of 10", differ);
}

/* On ramps the crop's place and size can be read off the output. */
static void test_inception(void) {
  enum { H = 60, W = 80, SIZE = 16 };
  static unsigned char rgb[H * W * 3];
  float out[SIZE * SIZE * 3], again[SIZE * SIZE * 3];
  spn_transform t = plain;
  t.size = SIZE;
  t.augment = SPN_AUGMENT_INCEPTION;
  t.flip = 1;
  t.min_area = 0.25;
  for (int i = 0; i < H * W; i++)
    rgb[3 * i] = (unsigned char)(i % W), rgb[3 * i + 1] = (unsigned char)(i / W), rgb[3 * i + 2] = 200;
  int flipped = 0;
  double smallest = 1, largest = 0, narrow = 9, broad = 0;
  for (uint64_t sample = 0; sample < 1000; sample++) {
    spn_transform_apply(&t, rgb, H, W, 0, sample, out);
    spn_transform_apply(&t, rgb, H, W, 0, sample, again);
    CHECK(!memcmp(out, again, sizeof out), "sample %d twice", (int)sample);
    const float *middle = out + (SIZE / 2 * SIZE) * 3;
    double slope_x = (middle[12 * 3] - middle[4 * 3]) * 255.0 / 8,
           slope_y = (out[(12 * SIZE) * 3 + 1] - out[(4 * SIZE) * 3 + 1]) * 255.0 / 8;
    double w = fabs(slope_x) * SIZE, h = slope_y * SIZE, share = w * h / (H * W);
    flipped += slope_x < 0;
    smallest = fmin(smallest, share), largest = fmax(largest, share);
    narrow = fmin(narrow, w / h), broad = fmax(broad, w / h);
    for (int i = 0; i < SIZE * SIZE; i++) CHECK_NEAR(out[3 * i + 2] * 255.0, 200.0, 1e-5, "constant channel");
  }
  CHECK(flipped > 430 && flipped < 570, "%d of 1000 mirrored", flipped);
  CHECK(smallest > 0.23 && smallest < 0.30 && largest > 0.9 && largest < 1.02, "areas %g to %g", smallest, largest);
  CHECK(narrow > 0.70 && narrow < 0.80 && broad > 1.27 && broad < 1.40, "aspects %g to %g", narrow, broad);
  t.flip = 0;
  for (uint64_t sample = 0; sample < 50; sample++) {
    spn_transform_apply(&t, rgb, H, W, 0, sample, out);
    CHECK(out[15 * 3] > out[0], "not mirrored");
  }
}

/* Extreme shapes in every mode: nothing is read beyond the image, every value is set and in range. */
static void test_shapes(void) {
  static const int shapes[][2] = {{1, 1}, {1, 300}, {300, 1}, {2, 3}, {8, 8}, {7, 500}, {129, 65}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (int mode = 0; mode < 12; mode++) {
      int h = shapes[s][0], w = shapes[s][1], size = mode & 1 ? 8 : 13;
      unsigned char *rgb = malloc((size_t)(h * w * 3));
      float *out = malloc((size_t)(size * size * 3) * sizeof *out);
      spn_transform t = plain;
      t.size = size;
      t.augment = (spn_augment)(mode / 4);
      t.resize = mode & 2 ? SPN_RESIZE_BICUBIC : SPN_RESIZE_BILINEAR;
      t.pad = 3;
      t.flip = 1;
      t.eval_crop = 0.875;
      paint(rgb, h, w);
      for (uint64_t sample = 0; sample < 20; sample++) {
        for (int i = 0; i < size * size * 3; i++) out[i] = NAN;
        CHECK(spn_transform_apply(&t, rgb, h, w, 1, sample, out) == SPN_OK, "%dx%d", h, w);
        int fine = 1;
        for (int i = 0; i < size * size * 3; i++) fine &= out[i] >= 0.0f && out[i] <= 1.00001f;
        CHECK(fine, "%dx%d mode %d", h, w, mode);
      }
      free(rgb);
      free(out);
    }
}

static void refuse(spn_transform t, const char *word) {
  spn_err err = {0};
  CHECK(spn_transform_check(&t, &err) == SPN_EINPUT && strstr(err.text, word), "\"%s\" does not say \"%s\"", err.text,
        word);
}

static void test_check(void) {
  spn_transform t = plain;
  spn_err err;
  CHECK_OK(spn_transform_check(&t, &err), err);
  t.size = 0, refuse(t, "size"), t = plain;
  t.channels = 2, refuse(t, "channels"), t = plain;
  t.std[1] = 0, refuse(t, "std[1]"), t = plain;
  t.mean[2] = NAN, refuse(t, "mean[2]"), t = plain;
  t.eval_crop = 0, refuse(t, "centre crop"), t = plain;
  t.augment = SPN_AUGMENT_CROP, t.pad = -1, refuse(t, "padding"), t = plain;
  t.augment = SPN_AUGMENT_INCEPTION, t.min_area = 1.5, refuse(t, "area");
}

int main(void) {
  test_resize();
  test_plain();
  test_grey();
  test_crop();
  test_inception();
  test_shapes();
  test_check();
  return check_report("test_input_transform");
}
