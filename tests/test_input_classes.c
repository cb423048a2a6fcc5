/* Classes and what a set may be made of: names, classes without images, another set's classes, test images alone,
 * links, and gzip files to their last byte. */
#include "check.h"
#include "data_input/files.h"

static unsigned char bytes[1 << 18];

static spn_dataset *open_with(const char *name, int allow_empty, int test_only, spn_err *err) {
  spn_dataset_options options = {
      .kind = "auto", .path = at(name), .allow_empty = allow_empty, .test_only = test_only, .max_bad = 0.2};
  spn_dataset *set = NULL;
  *err = (spn_err){0};
  if (spn_dataset_open(&options, &set, err)) CHECK(!set, "%s: a set in spite of the error", name);
  return set;
}

/* words: zero-separated, the last one ends with two zeros. */
static void refuse(const char *name, const char *words) {
  spn_err err;
  spn_dataset *set = open_with(name, 0, 0, &err);
  CHECK(!set && err.code == SPN_EINPUT, "%s: accepted, should say \"%s\"; %d %s", name, words, err.code, err.text);
  for (const char *word = words; *word; word += strlen(word) + 1)
    CHECK(strstr(err.text, word), "%s: \"%s\" does not say \"%s\"", name, err.text, word);
  spn_dataset_close(set);
}

static void accept(const char *name, int allow_empty, int classes) {
  spn_err err;
  spn_dataset *set = open_with(name, allow_empty, 0, &err);
  CHECK(set && spn_dataset_classes(set) == classes, "%s: %s", name, err.text);
  spn_dataset_close(set);
}

static void put_image(const char *folder, const char *name) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  put_png(path, 3, 7);
}

static void test_names(void) {
  put_image("names/caf\xc3\xa9", "1");
  put_image("names/tea", "1");
  accept("names", 0, 2);
  put_image("names/caf\xe9", "1");
  refuse("names", "names: class 1, \"caf\\xe9\"\0not UTF-8\0");
  put_image("control/a\nb", "1");
  put_image("control/c", "1");
  refuse("control", "class 0, \"a\\x0ab\"\0control character\0");
  put_cifar10("cifar");
  put("cifar/batches.meta.txt", "cat\ndog\nc\xe9l\n", 12);
  refuse("cifar", "class 2, \"c\\xe9l\"\0not UTF-8\0");
  put("cifar/batches.meta.txt", "cat\ndog\ncat\n", 12);
  refuse("cifar", "to differ\0\"cat\" twice\0");
}

/* A stray label, a class folder without images, and a class that the test images do not have. */
static void test_empty(void) {
  put_idx("stray", 30, 9, 4);
  size_t size = make_idx_labels(bytes, 30);
  bytes[8 + 11] = 255;
  put("stray/train-labels-idx1-ubyte", bytes, size);
  refuse("stray", "training images\0none of class \"3\" (252 of 256\0data.allow_empty_classes\0");
  accept("stray", 1, 256);
  put_idx("short", 30, 2, 4);
  refuse("short", "test images\0none of class \"2\"\0(1 of 3\0");
  accept("short", 1, 3);
  put_image("hollow/a", "1");
  put_image("hollow/b", "1");
  mkdir(at("hollow/c"), 0777);
  refuse("hollow", "hollow/c: expected images\0data.allow_empty_classes\0");
  accept("hollow", 1, 3);
}

static void test_relabel(void) {
  static const char *const network[] = {"2", "0", "7", "1"};
  spn_err err;
  put_idx("relabel", 30, 9, 4);
  spn_dataset *set = open_with("relabel", 0, 0, &err);
  CHECK(set, "%s", err.text);
  if (!set) return;
  CHECK(spn_dataset_relabel(set, network, 3, &err) == SPN_EINPUT && strstr(err.text, "class \"1\"") &&
            strstr(err.text, "\"2\", \"0\"") && strstr(err.text, "by name"),
        "%s", err.text);
  CHECK(set->classes == 3 && set->labels[1] == 1, "a refusal changes nothing");
  CHECK_OK(spn_dataset_relabel(set, network, 4, &err), err);
  CHECK(set->classes == 4 && !strcmp(spn_dataset_class_name(set, 2), "7"), "the network's classes");
  for (int i = 0; i < 39; i++) {
    static const int to[] = {1, 3, 0};
    int label = (i < 30 ? i : i - 30) % 3;
    CHECK(set->labels[i] == to[label], "item %d of class %d became %d", i, label, set->labels[i]);
  }
  spn_dataset_close(set);
}

static void check_test_only(const char *name, size_t count, const char *class_0) {
  spn_err err;
  spn_dataset *set = open_with(name, 0, 1, &err);
  CHECK(set, "%s", err.text);
  if (!set) return;
  CHECK(spn_dataset_count(set, SPN_SPLIT_TEST) == count && !spn_dataset_count(set, SPN_SPLIT_TRAIN) &&
            !spn_dataset_count(set, SPN_SPLIT_HOLDOUT),
        "%s: %zu test images", name, spn_dataset_count(set, SPN_SPLIT_TEST));
  CHECK(!strcmp(spn_dataset_class_name(set, set->labels[set->split[SPN_SPLIT_TEST][0]]), class_0), "%s: class", name);
  spn_dataset_close(set);
}

/* An evaluation needs no training image, and none that can be read. */
static void test_test_only(void) {
  put_idx("idx", 30, 9, 4);
  put("idx/train-images-idx3-ubyte", "broken", 6);
  check_test_only("idx", 9, "0");
  remove(at("idx/train-images-idx3-ubyte"));
  remove(at("idx/train-labels-idx1-ubyte"));
  check_test_only("idx", 9, "0");
  put_cifar10("only10");
  remove(at("only10/data_batch_1.bin"));
  check_test_only("only10", 20, "0");
  put_image("only/val/dog", "1");
  put_image("only/val/dog", "2");
  check_test_only("only", 2, "dog");
  refuse("only", "expected a folder train beside val\0");
  put_image("carve/a", "1");
  put_image("carve/b", "1");
  check_test_only("carve", 1, "a");
}

static void test_links(void) {
  put_image("links/train/a", "1");
  put_image("links/train/b", "1");
  put_image("links/train/b", "2");
  CHECK(!symlink("loop", at("links/train/b/loop")), "symlink");
  for (int i = 3; i < 9; i++) put_image("links/train/a", (char[]){(char)('0' + i), 0});
  spn_err err;
  char list[512];
  spn_dataset *set = open_with("links", 0, 0, &err);
  CHECK(set && spn_dataset_bad(set, list, sizeof list) == 1 && strstr(list, "b/loop: too many symbolic links"), "%s",
        err.text);
  spn_dataset_close(set);
  CHECK(!symlink("c", at("links/train/c")), "symlink");
  refuse("links", "links/train/c: a link that leads nowhere, or back to itself\0");
  remove(at("links/train/c"));
  CHECK(!symlink("..", at("links/train/up")), "symlink");
  refuse("links", "links/train\0a folder of its own for each class\0up leads to ..\0");
  remove(at("links/train/up"));
  CHECK(!symlink("a", at("links/train/c")), "symlink");
  refuse("links", "links/train\0c leads to a\0");
  remove(at("links/train/c"));
  CHECK(!symlink("train", at("links/test")), "symlink");
  refuse("links", "train and test are the same\0");
}

static size_t whole(const char *name) {
  FILE *file = fopen(at(name), "rb");
  size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
  if (file) fclose(file);
  return size;
}

/* Length and checksum are the last 8 bytes; what is behind them belongs to nobody. */
static void test_gzip(void) {
  put_idx("gz", 30, 9, 4);
  remove(at("gz/train-labels-idx1-ubyte"));
  put_gz("gz/first", bytes, make_idx_labels(bytes, 30));
  size_t size = whole("gz/first");
  for (size_t cut = 1; cut <= 12; cut++) {
    put("gz/train-labels-idx1-ubyte.gz", bytes, size - cut);
    refuse("gz", "train-labels-idx1-ubyte.gz: truncated\0length and checksum\0");
  }
  put("gz/train-labels-idx1-ubyte.gz", bytes, size);
  accept("gz", 0, 3);
  bytes[size] = 'x', bytes[size + 1] = 0;
  put("gz/train-labels-idx1-ubyte.gz", bytes, size + 2);
  refuse("gz", "train-labels-idx1-ubyte.gz: corrupt gzip data after byte 38\0");
  bytes[size - 1] ^= 1; /* the length */
  put("gz/train-labels-idx1-ubyte.gz", bytes, size);
  refuse("gz", "train-labels-idx1-ubyte.gz: corrupt gzip data\0");
  size = make_idx_labels(bytes, 30);
  put_gz("gz/second", bytes + 20, size - 20);
  put_gz("gz/first", bytes, 20);
  size_t first = whole("gz/first");
  FILE *file = fopen(at("gz/second"), "rb");
  first += file ? fread(bytes + first, 1, sizeof bytes - first, file) : 0;
  if (file) fclose(file);
  put("gz/train-labels-idx1-ubyte.gz", bytes, first);
  accept("gz", 0, 3); /* members one after another are one file */
}

int main(void) {
  files_begin();
  test_names();
  test_empty();
  test_relabel();
  test_test_only();
  test_links();
  test_gzip();
  files_end();
  return check_report("test_input_classes");
}
