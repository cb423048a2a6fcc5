/* The loader: order, threads, resuming, unreadable images, shutting down; and the real data where it is present. */
#include "check.h"
#include "data_input/files.h"

enum { TRAIN = 53, TEST = 14, BATCH = 6, SIDE = 4, IMAGE = SIDE * SIDE * 3 };

static spn_dataset *open_set(const char *name, double max_bad) {
  spn_dataset_options options = {.kind = "auto", .path = at(name), .max_bad = max_bad, .seed = 1, .allow_empty = 1};
  spn_dataset *set = NULL;
  spn_err err;
  CHECK_OK(spn_dataset_open(&options, &set, &err), err);
  if (!set) exit(check_report("test_input_loader"));
  return set;
}

static spn_loader_options training(spn_dataset *set, spn_augment augment, int threads) {
  return (spn_loader_options){.set = set,
                              .split = SPN_SPLIT_TRAIN,
                              .batch = BATCH,
                              .shuffle = 1,
                              .threads = threads,
                              .prefetch = 3,
                              .seed = 11,
                              .transform = {.size = SIDE,
                                            .channels = 3,
                                            .augment = augment,
                                            .pad = 1,
                                            .flip = 1,
                                            .eval_crop = 1,
                                            .min_area = 0.3,
                                            .mean = {0},
                                            .std = {1, 1, 1},
                                            .seed = 12}};
}

static spn_loader_options evaluation(spn_dataset *set, int threads) {
  spn_loader_options o = training(set, SPN_AUGMENT_NONE, threads);
  o.split = SPN_SPLIT_TEST;
  o.shuffle = 0;
  return o;
}

static spn_loader *open_loader(spn_loader_options o) {
  spn_loader *loader = NULL;
  spn_err err;
  CHECK_OK(spn_loader_open(&o, &loader, &err), err);
  if (!loader) exit(check_report("test_input_loader"));
  return loader;
}

/* The number of an image of put_idx, which is its pixels' value. */
static int number_of(const spn_batch *b, int i) { return (int)lrint(b->images[i * IMAGE] * 255.0); }

static void test_epochs(spn_dataset *set) {
  spn_loader *loader = open_loader(training(set, SPN_AUGMENT_NONE, 2));
  spn_batch b;
  spn_err err;
  int orders[3][48], end = 1;
  CHECK(spn_loader_batches(loader) == TRAIN / BATCH, "%zu", spn_loader_batches(loader));
  for (int epoch = 0; epoch < 3; epoch++) {
    int seen[TRAIN] = {0};
    for (int i = 0; i < 8; i++) {
      CHECK_OK(spn_loader_next(loader, &b, &end, &err), err);
      CHECK(!end && b.count == BATCH && b.epoch == (uint64_t)epoch, "batch %d of epoch %d", i, epoch);
      for (int k = 0; k < BATCH; k++) {
        int number = orders[epoch][i * BATCH + k] = number_of(&b, k);
        CHECK(number >= 0 && number < TRAIN && !seen[number]++, "image %d twice in epoch %d", number, epoch);
        CHECK(b.labels[k] == number % 3, "label of image %d", number);
      }
    }
  }
  CHECK(memcmp(orders[0], orders[1], sizeof orders[0]) && memcmp(orders[1], orders[2], sizeof orders[0]),
        "epochs differ");
  spn_loader_close(loader);
}

static void test_evaluation(spn_dataset *set) {
  spn_loader *loader = open_loader(evaluation(set, 2));
  spn_batch b;
  spn_err err;
  CHECK(spn_loader_batches(loader) == 3, "%zu", spn_loader_batches(loader));
  for (int round = 0; round < 3; round++) {
    int next = 0, end = 0;
    for (;;) {
      CHECK_OK(spn_loader_next(loader, &b, &end, &err), err);
      if (end || next >= TEST || (round == 1 && next)) break; /* the second round is given up half-way */
      CHECK(b.count == (next < 12 ? 6 : 2), "count %d", b.count);
      for (int k = 0; k < b.count; k++, next++)
        CHECK(number_of(&b, k) == next && b.labels[k] == next % 3, "image %d", next);
      for (int k = b.count * IMAGE; k < BATCH * IMAGE; k++) CHECK(b.images[k] == 0.0f, "the rest is zeros");
    }
    CHECK(round == 1 || (end && next == TEST), "round %d ended after %d", round, next);
    if (round != 1) CHECK(!spn_loader_next(loader, &b, &end, &err) && end, "the end stays");
    spn_loader_rewind(loader);
  }
  spn_loader_close(loader);
}

/* One thread, three threads and a resumed run yield the same bits. */
static void test_same(spn_dataset *set, spn_augment augment) {
  enum { BATCHES = 30, RESUMED = 13 };
  spn_loader *one = open_loader(training(set, augment, 1)), *three = open_loader(training(set, augment, 3)),
             *resumed = NULL;
  spn_batch a, b, c;
  spn_err err;
  for (int i = 0; i < BATCHES; i++) {
    CHECK_OK(spn_loader_next(one, &a, NULL, &err), err);
    CHECK_OK(spn_loader_next(three, &b, NULL, &err), err);
    CHECK(a.epoch == b.epoch && !memcmp(a.labels, b.labels, BATCH * sizeof *a.labels), "labels of batch %d", i);
    CHECK(!memcmp(a.images, b.images, BATCH * IMAGE * sizeof(float)), "images of batch %d", i);
    if (i == RESUMED) {
      spn_loader_options o = training(set, augment, 2);
      o.first_batch = RESUMED;
      resumed = open_loader(o);
    }
    if (!resumed) continue;
    CHECK_OK(spn_loader_next(resumed, &c, NULL, &err), err);
    CHECK(a.epoch == c.epoch && !memcmp(a.labels, c.labels, BATCH * sizeof *a.labels), "labels of resumed batch %d", i);
    CHECK(!memcmp(a.images, c.images, BATCH * IMAGE * sizeof(float)), "images of resumed batch %d", i);
  }
  spn_loader_close(one);
  spn_loader_close(three);
  spn_loader_close(resumed);
}

static void test_close(spn_dataset *set) {
  spn_batch b;
  spn_err err;
  for (int i = 0; i < 60; i++) {
    spn_loader *loader = open_loader(i % 2 ? training(set, SPN_AUGMENT_CROP, 1 + i % 4) : evaluation(set, 1 + i % 4));
    for (int k = 0; k < i % 5; k++) CHECK_OK(spn_loader_next(loader, &b, NULL, &err), err);
    if (i % 3 == 0) spn_loader_rewind(loader);
    spn_loader_close(loader);
  }
  spn_loader_close(NULL);
}

static void test_refused(spn_dataset *set) {
  spn_loader *loader;
  spn_err err;
  spn_loader_options o = training(set, SPN_AUGMENT_CROP, 1);
  o.batch = TRAIN + 1;
  CHECK(spn_loader_open(&o, &loader, &err) == SPN_EINPUT && strstr(err.text, "fewer than one batch"), "%s", err.text);
  o.batch = 0;
  CHECK(spn_loader_open(&o, &loader, &err) == SPN_EINPUT && strstr(err.text, "batch"), "%s", err.text);
  o = training(set, SPN_AUGMENT_CROP, 1);
  o.split = SPN_SPLIT_HOLDOUT;
  CHECK(spn_loader_open(&o, &loader, &err) == SPN_EINPUT && strstr(err.text, "holdout split is empty"), "%s", err.text);
  o = training(set, SPN_AUGMENT_CROP, 1);
  o.transform.std[0] = 0;
  CHECK(spn_loader_open(&o, &loader, &err) == SPN_EINPUT && strstr(err.text, "std[0]"), "%s", err.text);
}

static void test_permutation(void) {
  enum { N = 1000 };
  uint32_t a[N], b[N], c[N];
  int seen[N] = {0}, fixed = 0;
  for (uint32_t i = 0; i < N; i++) a[i] = b[i] = c[i] = i;
  spn_items_shuffle(a, N, 5, 6);
  spn_items_shuffle(b, N, 5, 6);
  spn_items_shuffle(c, N, 5, 7);
  for (int i = 0; i < N; i++) seen[a[i]]++, fixed += a[i] == (uint32_t)i;
  for (int i = 0; i < N; i++) CHECK(seen[i] == 1, "%d occurs %d times", i, seen[i]);
  CHECK(fixed < 10 && !memcmp(a, b, sizeof a) && memcmp(a, c, sizeof a), "%d fixed", fixed);
}

/* A folder with broken images and, so that it is not kept in memory, one large image. */
static void make_broken(void) {
  char name[64];
  for (int i = 0; i < 40; i++) {
    snprintf(name, sizeof name, "broken/train/%c/%02d", "xy"[i % 2], i);
    put_png(name, i == 39 ? 65 : 4, i);
    snprintf(name, sizeof name, "broken/val/%c/%02d", "xy"[i % 2], i);
    if (i < 20) put_png(name, 4, i);
  }
  put("broken/train/x/04", "not an image", 12);
  put("broken/train/y/15", jpeg_rgb, sizeof jpeg_rgb - 9);
  put("broken/val/x/00", "", 0);
  for (int i = 1; i < 12; i += 2) { /* with 00: the second batch of six, all of y's first ones, has no readable image */
    snprintf(name, sizeof name, "broken/val/y/%02d", i);
    put(name, jpeg_rgb, 50);
  }
}

static void test_broken_training(void) {
  spn_err err;
  spn_batch a, b;
  char list[1024];
  spn_dataset *set = open_set("broken", 0.2), *other = open_set("broken", 0.2);
  CHECK(!set->kept && spn_dataset_bad(set, NULL, 0) == 0, "nothing is read at first");
  spn_loader *one = open_loader(training(set, SPN_AUGMENT_CROP, 1)),
             *three = open_loader(training(other, SPN_AUGMENT_CROP, 3));
  for (int i = 0; i < 40; i++) {
    CHECK_OK(spn_loader_next(one, &a, NULL, &err), err);
    CHECK_OK(spn_loader_next(three, &b, NULL, &err), err);
    CHECK(a.count == BATCH && b.count == BATCH, "full batches");
    CHECK(!memcmp(a.images, b.images, BATCH * IMAGE * sizeof(float)), "the replacements do not depend on the threads");
    CHECK(spn_dataset_bad(set, NULL, 0) == spn_dataset_bad(other, NULL, 0), "nor does the count, batch %d", i);
    for (int k = 0; k < BATCH; k++) CHECK(a.labels[k] == 0 || a.labels[k] == 1, "label %d", a.labels[k]);
  }
  CHECK(spn_dataset_bad(set, list, sizeof list) == 2, "each is counted once: %s", list);
  CHECK(strstr(list, "train/x/04: not a JPEG or PNG") && strstr(list, "train/y/15: truncated JPEG"), "%s", list);
  spn_loader_close(one);
  spn_loader_close(three);
  spn_dataset_close(set);
  spn_dataset_close(other);

  set = open_set("broken", 0);
  one = open_loader(training(set, SPN_AUGMENT_CROP, 2));
  spn_status status = SPN_OK;
  for (int i = 0; i < 12 && !status; i++) status = spn_loader_next(one, &a, NULL, &err);
  CHECK(status == SPN_EINPUT && strstr(err.text, "of 60") && strstr(err.text, "broken/train/"), "%s", err.text);
  CHECK(spn_loader_next(one, &a, NULL, &err) == SPN_EINPUT, "the error stays");
  spn_loader_close(one);
  spn_dataset_close(set);
}

static void test_broken_evaluation(void) {
  spn_dataset *set = open_set("broken", 0.2);
  spn_batch b;
  spn_err err = {0};
  spn_loader *loader = open_loader(evaluation(set, 2));
  for (int round = 0; round < 2; round++) {
    int got = 0, batches = 0, end = 0;
    for (;;) {
      CHECK_OK(spn_loader_next(loader, &b, &end, &err), err);
      if (end || err.code) break;
      CHECK(b.count >= 1 && b.count <= BATCH, "an empty batch is passed over");
      for (int k = 0; k < b.count; k++)
        CHECK(number_of(&b, k) % 2 == b.labels[k], "packed images and labels belong together");
      for (int k = b.count * IMAGE; k < BATCH * IMAGE; k++) CHECK(b.images[k] == 0.0f, "the rest is zeros");
      got += b.count;
      batches++;
    }
    CHECK(got == 13 && batches <= 4, "%d images in %d batches", got, batches);
    CHECK(spn_dataset_bad(set, NULL, 0) == 7, "%zu", spn_dataset_bad(set, NULL, 0));
    spn_loader_rewind(loader);
  }
  spn_loader_close(loader);
  spn_dataset_close(set);
}

/* All training images unreadable and all of that tolerated: an error, not a hang. */
static void test_hopeless(void) {
  char name[64];
  put_png("hopeless/test/x/large", 65, 1);
  for (int i = 0; i < 12; i++) {
    snprintf(name, sizeof name, "hopeless/train/%c/%d", "xy"[i % 2], i);
    put(name, "no", 2);
  }
  spn_dataset *set = open_set("hopeless", 1);
  spn_loader *loader = open_loader(training(set, SPN_AUGMENT_CROP, 2));
  spn_batch b;
  spn_err err;
  CHECK(spn_loader_next(loader, &b, NULL, &err) == SPN_EINPUT && strstr(err.text, "no readable image"), "%s", err.text);
  spn_loader_close(loader);
  spn_dataset_close(set);
}

/* The sample photographs, unpacked by tar into two classes, through the Inception crop. */
static void test_photographs(void) {
  const char *archive = SPN_SOURCE_DIR "/../shared/data/imagenet-sample/imagenet-sample-250.tar";
  char command[1200];
  spn_err err;
  spn_batch b;
  if (access(archive, R_OK)) {
    printf("test_input_loader: no sample photographs, skipped\n");
    return;
  }
  snprintf(
      command, sizeof command,
      "cd '%s' && mkdir -p photos/a photos/b && tar xf '%s' -C photos/a --strip-components 1 --wildcards '*n01*' && "
      "mv photos/a/n017* photos/b/",
      test_root, archive);
  if (system(command)) {
    printf("test_input_loader: the sample photographs cannot be unpacked, skipped\n");
    return;
  }
  spn_dataset *set = open_set("photos", 0);
  spn_loader_options o = training(set, SPN_AUGMENT_INCEPTION, 2);
  o.transform.size = 64;
  spn_loader *loader = open_loader(o);
  for (size_t i = 0; i < spn_loader_batches(loader); i++) {
    CHECK_OK(spn_loader_next(loader, &b, NULL, &err), err);
    double sum = 0, square = 0, n = BATCH * 64 * 64 * 3;
    for (int k = 0; k < (int)n; k++) sum += b.images[k], square += (double)b.images[k] * b.images[k];
    double mean = sum / n, deviation = sqrt(square / n - mean * mean);
    CHECK(mean > 0.2 && mean < 0.8 && deviation > 0.1 && deviation < 0.45, "batch %zu: %g +- %g", i, mean, deviation);
  }
  CHECK(spn_dataset_bad(set, NULL, 0) == 0, "all photographs are readable");
  spn_loader_close(loader);
  spn_dataset_close(set);
}

int main(void) {
  files_begin();
  put_idx("idx", TRAIN, TEST, SIDE);
  spn_dataset *set = open_set("idx", 0);
  test_epochs(set);
  test_evaluation(set);
  for (int augment = SPN_AUGMENT_NONE; augment <= SPN_AUGMENT_INCEPTION; augment++)
    test_same(set, (spn_augment)augment);
  test_close(set);
  test_refused(set);
  spn_dataset_close(set);
  test_permutation();
  make_broken();
  test_broken_training();
  test_broken_evaluation();
  test_hopeless();
  test_photographs();
  files_end();
  return check_report("test_input_loader");
}
