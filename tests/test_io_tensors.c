/* Tensor files: round trips, and every kind of damage. */
#include <unistd.h>

#include "check.h"
#include "core/rng.h"
#include "fuzz_tensors.c"
#include "io/file.h"

static char path[64] = "/tmp/spn_tensors_XXXXXX";

static spn_tensors *sample(void) {
  spn_tensors *set = spn_tensors_new();
  spn_err err = {0};
  const float f[] = {1, -2, 3.5f, NAN, INFINITY, -0.0f};
  const double d[] = {1e300, -1e-300};
  const int64_t i = INT64_MIN;
  const unsigned char u[] = {0, 127, 255};
  const size_t f_shape[] = {1, 2, 3, 1}, d_shape[] = {2}, u_shape[] = {3, 1}, none[] = {4, 0, 2};
  CHECK_OK(spn_tensors_add(set, "u8 \"quoted\\\" \n", SPN_U8, 2, u_shape, u, &err), err);
  CHECK_OK(spn_tensors_add(set, "block.0.dw.weight", SPN_F32, 4, f_shape, f, &err), err);
  CHECK_OK(spn_tensors_add(set, "scalar", SPN_I64, 0, NULL, &i, &err), err);
  CHECK_OK(spn_tensors_add(set, "empty", SPN_F32, 3, none, NULL, &err), err);
  CHECK_OK(spn_tensors_add(set, "w\xc3\xa4rme", SPN_F64, 1, d_shape, d, &err), err);
  CHECK_OK(spn_tensors_set_meta(set, "step", "12", &err), err);
  CHECK_OK(spn_tensors_set_meta(set, "path \\ \"x\"", "tab\t quote\" back\\ \x01 \xc3\xb6", &err), err);
  CHECK_OK(spn_tensors_set_meta(set, "spnas.crc32", "ours is written, not this", &err), err);
  CHECK_OK(spn_tensors_set_meta(set, "step", "13", &err), err);
  return set;
}

static int equal(const spn_tensors *a, const spn_tensors *b) {
  if (spn_tensors_count(a) != spn_tensors_count(b)) return 0;
  for (size_t i = 0; i < spn_tensors_count(a); i++) {
    const spn_tensor *x = spn_tensors_at(a, i), *y = spn_tensors_at(b, i);
    if (strcmp(x->name, y->name) || x->dtype != y->dtype || x->dims != y->dims) return 0;
    if (memcmp(x->shape, y->shape, (size_t)x->dims * sizeof *x->shape)) return 0;
    if (memcmp(x->data, y->data, spn_tensor_elements(x) * spn_dtype_size(x->dtype))) return 0;
  }
  return 1;
}

static void check_set(void) {
  spn_tensors *set = sample();
  spn_err err = {0};
  const size_t huge[] = {SIZE_MAX / 4, 8}, huge_empty[] = {SIZE_MAX, 0, SIZE_MAX}, one[] = {1};
  CHECK(spn_tensors_add(set, "scalar", SPN_F32, 1, one, NULL, &err) == SPN_EINPUT, "a second scalar");
  CHECK(strstr(err.text, "scalar"), "%s", err.text);
  CHECK(spn_tensors_add(set, "__metadata__", SPN_F32, 1, one, NULL, &err) == SPN_EINPUT, "%s", err.text);
  CHECK(spn_tensors_add(set, "", SPN_F32, 1, one, NULL, &err) == SPN_EINPUT, "%s", err.text);
  CHECK(spn_tensors_add(set, "five", SPN_F32, 5, one, NULL, &err) == SPN_EINPUT, "%s", err.text);
  CHECK(spn_tensors_add(set, "huge", SPN_F64, 2, huge, NULL, &err) == SPN_EINPUT, "%s", err.text);
  CHECK_OK(spn_tensors_add(set, "huge but empty", SPN_F64, 3, huge_empty, NULL, &err), err);
  CHECK(!spn_tensors_find(set, "nothing") && !spn_tensors_at(set, 99) && !spn_tensors_meta(set, "nothing"), "absent");
  CHECK(!strcmp(spn_tensors_meta(set, "step"), "13"), "the later value");
  for (int i = 0; i < 2000; i++) {
    char name[32];
    snprintf(name, sizeof name, "many.%d", i);
    CHECK_OK(spn_tensors_add(set, name, SPN_F32, 1, one, &(float){(float)i}, &err), err);
  }
  for (int i = 0; i < 2000; i++) {
    char name[32];
    snprintf(name, sizeof name, "many.%d", i);
    const spn_tensor *t = spn_tensors_find(set, name);
    CHECK(t && *(float *)t->data == (float)i && (uintptr_t)t->data % 64 == 0, "%s", name);
  }
  spn_tensors_free(set);
  spn_tensors *empty = spn_tensors_new(), *back = NULL;
  CHECK_OK(spn_tensors_save(empty, path, &err), err);
  CHECK_OK(spn_tensors_load(path, &back, &err), err);
  CHECK(back && !spn_tensors_count(back) && !spn_tensors_find(back, "x"), "an empty set");
  spn_tensors_free(back);
  spn_tensors_free(empty);
  spn_tensors_free(NULL);
}

static void check_round_trip(const spn_tensors *set) {
  spn_err err = {0};
  spn_tensors *back = NULL;
  char *first, *second;
  size_t size, again;
  const char *key, *value;
  CHECK_OK(spn_tensors_save(set, path, &err), err);
  CHECK_OK(spn_file_read(path, 1 << 20, &first, &size, &err), err);
  CHECK_OK(spn_tensors_load(path, &back, &err), err);
  if (!back) return;
  CHECK(equal(set, back), "tensors differ");
  CHECK(!strcmp(spn_tensors_meta(back, "path \\ \"x\""), "tab\t quote\" back\\ \x01 \xc3\xb6"), "metadata");
  CHECK(!spn_tensors_meta(back, "spnas.crc32"), "the checksum is not shown");
  CHECK(spn_tensors_meta_at(back, 1, &key, &value) && !spn_tensors_meta_at(back, 2, &key, &value), "two entries");
  CHECK_OK(spn_tensors_save(back, path, &err), err);
  CHECK_OK(spn_file_read(path, 1 << 20, &second, &again, &err), err);
  CHECK(size == again && !memcmp(first, second, size), "a second save differs");
  size_t header;
  memcpy(&header, first, sizeof header);
  CHECK((8 + header) % 64 == 0, "data at %zu", 8 + header);
  free(first);
  free(second);
  spn_tensors_free(back);
}

/* Any change of one byte is noticed, or nothing that was read has changed. */
static void check_flips(const spn_tensors *set, const char *file, size_t size) {
  char *copy = malloc(size);
  size_t accepted = 0, header;
  memcpy(&header, file, sizeof header);
  for (size_t i = 0; i < size; i++)
    for (int bit = 0; bit < 8; bit++) {
      spn_err err = {0};
      spn_tensors *back;
      memcpy(copy, file, size);
      copy[i] = (char)(copy[i] ^ 1 << bit);
      if (spn_tensors_parse("flip", copy, size, &back, &err)) {
        CHECK(err.code == SPN_EINPUT && strstr(err.text, "flip"), "byte %zu: %s", i, err.text);
        continue;
      }
      accepted++;
      CHECK(i < 8 + header && equal(set, back) && !strcmp(spn_tensors_meta(back, "step"), "13"), "byte %zu bit %d", i,
            bit);
      spn_tensors_free(back);
    }
  CHECK(accepted <= 8 * strlen("spnas.crc32"), "%zu flips went unnoticed", accepted); /* those in the checksum's name */
  free(copy);
}

static void check_cuts(const char *file, size_t size) {
  for (size_t n = 0; n <= size + 3; n++) {
    spn_err err = {0};
    spn_tensors *back;
    char *copy = calloc(1, n ? n : 1); /* exactly n bytes, so that the sanitizer sees a read beyond */
    memcpy(copy, file, n < size ? n : size);
    spn_status status = spn_tensors_parse("cut", copy, n, &back, &err);
    CHECK((status == SPN_OK) == (n == size), "%zu of %zu bytes: %d %s", n, size, status, err.text);
    CHECK(status == SPN_OK || status == SPN_EINPUT, "status %d", status);
    if (!status) spn_tensors_free(back);
    free(copy);
  }
}

/* A file with this header and `data` bytes after it. */
static spn_status parse_header(const char *header, size_t data, spn_tensors **out, spn_err *err) {
  size_t length = strlen(header);
  char *file = calloc(1, 8 + length + data);
  memcpy(file, &length, 8);
  memcpy(file + 8, header, length);
  spn_status status = spn_tensors_parse("h", file, 8 + length + data, out, err);
  free(file);
  return status;
}

#define T(name, dtype, shape, begin, end) \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void check_headers(void) {
  static const struct {
    const char *header;
    size_t data;
    const char *expected;
  } cases[] = {
      {"{" T("a", "F32", "[2]", 0, 8) "," T("b", "U8", "[4]", 8, 12) "}  ", 12, NULL},
      {"{" T("b", "U8", "[4]", 8, 12) "," T("a", "F32", "[2]", 0, 8) ",\"__metadata__\":{\"format\":\"pt\"}}", 12,
       NULL},
      {"{}", 0, NULL},
      {"{" T("a", "F32", "[2]", 0, 8) "," T("b", "F32", "[2]", 4, 12) "}", 12, "two tensors overlap"},
      {"{" T("a", "F32", "[2]", 0, 8) "," T("b", "F32", "[2]", 0, 8) "}", 8, "two tensors overlap"},
      {"{" T("a", "F32", "[2]", 0, 8) "," T("b", "U8", "[2]", 10, 12) "}", 12, "a hole"},
      {"{" T("a", "U8", "[2]", 2, 4) "}", 4, "a hole"},
      {"{" T("a", "U8", "[2]", 0, 2) "}", 3, "expected 2 bytes of data, got 3"},
      {"{}", 1, "expected 0 bytes of data, got 1"},
      {"{" T("a", "U8", "[2]", 0, 2) "," T("a", "U8", "[2]", 2, 4) "}", 4, "the key \"a\" stands twice"},
      {"{" T("a", "U8", "[3]", 0, 2) "}", 2, "expected as many bytes as the shape has, got 2"},
      {"{" T("a", "U8", "[1]", 0, 2) "}", 2, "expected as many bytes as the shape has, got 2"},
      {"{" T("a", "F64", "[1]", 0, 4) "}", 4, "expected as many bytes as the shape has, got 4"},
      {"{" T("a", "U8", "[1099511627776,1099511627776]", 0, 2) "}", 2, "expected as many bytes"},
      {"{" T("a", "U8", "[0,1099511627776]", 0, 2) "}", 2, "expected as many bytes"},
      {"{" T("a", "U8", "[2]", 0, 3) "}", 2, "a.data_offsets[1]: expected an integer from 0 to 2, got 3"},
      {"{" T("a", "U8", "[2]", 2, 0) "}", 2, "a.data_offsets[1]: expected 2, got 0"},
      {"{" T("a", "U8", "[2]", -2, 0) "}", 2, "a.data_offsets[0]: expected an integer from 0 to 2, got -2"},
      {"{" T("a", "U8", "[-2]", 0, 2) "}", 2, "a.shape[0]: expected an integer"},
      {"{" T("a", "U8", "[1.5]", 0, 2) "}", 2, "a.shape[0]: expected an integer"},
      {"{" T("a", "U8", "[1,1,1,1,2]", 0, 2) "}", 2, "a.shape: expected an array of at most 4 sizes"},
      {"{" T("a", "U8", "2", 0, 2) "}", 2, "a.shape: expected an array of at most 4 sizes, got 2"},
      {"{" T("a", "BF16", "[1]", 0, 2) "}", 2, "a.dtype: expected \"F32\", \"F64\", \"I64\" or \"U8\""},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2]}}", 2, "a.data_offsets: expected an array of two offsets, got nothing"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0]}}", 2, "expected an array of two offsets"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offset\":[0,2]}}", 2, "did you mean \"data_offsets\"?"},
      {"{\"a\":[]}", 0, "h:1:6 a: expected an object"},
      {"{" T("", "U8", "[2]", 0, 2) "}", 2, "this name is not allowed"},
      {"{\"__metadata__\":{\"x\":1}}", 0, "__metadata__.x: expected a string, got 1"},
      {"{\"__metadata__\":[]}", 0, "__metadata__: expected an object of strings"},
      {"{\"__metadata__\":{\"spnas.crc32\":\"12345678\"}}", 0, "the file is damaged: expected checksum 12345678"},
      {"{\"__metadata__\":{\"spnas.crc32\":\"1\"}}", 0, "eight digits"},
      {"{\"__metadata__\":{\"spnas.crc32\" :\"12345678\"}}", 0, "eight digits"},
      {"[]", 0, "expected a tensor file"},
      {" {}", 0, "expected a tensor file"},
      {"{\"a\"}", 0, "h:1:5: expected ':' after the key"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    spn_err err = {0};
    spn_tensors *set;
    spn_status status = parse_header(cases[i].header, cases[i].data, &set, &err);
    CHECK(status == (cases[i].expected ? SPN_EINPUT : SPN_OK), "%s: status %d %s", cases[i].header, status, err.text);
    CHECK(!cases[i].expected || strstr(err.text, cases[i].expected), "%s\n  expected %s\n  got %s", cases[i].header,
          cases[i].expected, err.text);
    spn_tensors_free(set);
  }
  spn_err err = {0};
  spn_tensors *set;
  char file[16] = {0};
  memset(file, 0xff, 8);
  CHECK(spn_tensors_parse("h", file, sizeof file, &set, &err) == SPN_EINPUT, "%s", err.text);
  CHECK(spn_tensors_load("no/such.safetensors", &set, &err) == SPN_EINPUT && !set, "%s", err.text);
}

/* Numbers and brackets of the header changed, so that the grammar often still holds; no checksum stands in the way. */
static void replay(const char *file, size_t size) {
  static const char spice[] = "0123456789[]{},:\"eF-. U8\xff";
  char *plain = malloc(size), *copy = malloc(size);
  memcpy(plain, file, size);
  memcpy(strstr(plain + 8, "spnas.crc32"), "spnas.crcXX", 11);
  for (uint64_t i = 0; i < 6000; i++) {
    size_t header;
    memcpy(copy, plain, size);
    memcpy(&header, plain, sizeof header);
    uint64_t edits = 1 + spn_rng_below(3, SPN_RNG_TEST, i, 4);
    for (uint64_t e = 0; e < edits; e++) {
      size_t where = (size_t)spn_rng_below(4, SPN_RNG_TEST, i << 8 | e, e ? header + 8 : size);
      copy[where] = spice[spn_rng_below(5, SPN_RNG_TEST, i << 8 | e, sizeof spice)];
    }
    LLVMFuzzerTestOneInput((const uint8_t *)copy, size);
    check_count++;
  }
  free(copy);
  free(plain);
}

/* Other programs' files are called by their names. */
static void check_foreign(void) {
  static const struct {
    const char *start;
    size_t size;
    const char *says;
  } files[] = {{"PK\3\4\0\0\10\10\0\0archive/data.pkl", 26, "PyTorch"},
               {"\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P", 14, "pickle"},
               {"\x80\4\x95\x10\0\0\0\0\0\0\0}", 12, "pickle"},
               {"\x89HDF\r\n\x1a\n\0\0\0\0", 12, "Keras"},
               {"\x1c\0\0\0TFL3\x14\0 \0", 12, "TFLite"},
               {"\x08\x07\x12\x05spnas\x1a\x05", 11, "ONNX"},
               {"{\"arch\": {\"name\": \"x\"}}", 23, "JSON"},
               {"spnaspak\0\0\0\0", 12, "pack"}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    spn_err err = {0};
    spn_tensors *set;
    CHECK(spn_tensors_parse("given.bin", files[i].start, files[i].size, &set, &err) == SPN_EINPUT &&
              strstr(err.text, "given.bin: expected") && strstr(err.text, "safetensors") &&
              strstr(err.text, files[i].says),
          "\"%s\" does not say %s", err.text, files[i].says);
  }
}

int main(void) {
  int fd = mkstemp(path);
  CHECK(fd >= 0, "mkstemp");
  close(fd);
  check_set();
  check_foreign();
  spn_tensors *set = sample();
  check_round_trip(set);
  spn_err err = {0};
  char *file;
  size_t size;
  CHECK_OK(spn_file_read(path, 1 << 20, &file, &size, &err), err);
  if (file) {
    check_flips(set, file, size);
    check_cuts(file, size);
    replay(file, size);
  }
  check_headers();
  free(file);
  spn_tensors_free(set);
  unlink(path);
  return check_report("io_tensors");
}
