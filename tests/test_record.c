/* Metrics and checkpoint state: rows become JSON lines whatever they hold, later rows are cut, named numbers go through
 * a set of tensors and back, and a set of another version is refused by name. */
#include <dirent.h>
#include <unistd.h>

#include "check.h"
#include "io/crc32c.h"
#include "io/file.h"
#include "io/json.h"
#include "train/record.h"
#include "train/state.h"

static char path[64];

static void row(spn_recorder *r, uint64_t step, double value) {
  spn_err err;
  spn_row_begin(r, step);
  spn_row_number(r, "ce", value, 9);
  double *x = spn_row_numbers(r, "x", 3, 5);
  if (x) x[0] = -value, x[1] = 1.0 / 3, x[2] = value;
  spn_row_text(r, "on", "1d0\"", 4);
  CHECK_OK(spn_row_end(r, &err), err);
}

static spn_recorder *open_recorder(void) {
  spn_err err;
  spn_recorder *r = spn_recorder_new();
  CHECK(r && !spn_sink_jsonl(path, r, &err), "a recorder");
  return r;
}

/* Parses every line; returns how many, and the step of the last. */
static int lines(long long *last) {
  char *text;
  size_t size;
  int count = 0;
  spn_err err;
  CHECK_OK(spn_file_read(path, 1 << 20, &text, &size, &err), err);
  for (char *at = text; *at; count++) {
    char *end = strchr(at, '\n');
    spn_json_doc *doc = NULL;
    if (!end) break;
    CHECK(!spn_json_parse(path, at, (size_t)(end - at), &doc, &err), "%s", err.text);
    spn_json root = spn_json_root(doc), step = spn_json_get(&root, "step"), x = spn_json_get(&root, "x");
    CHECK(!spn_json_int(&step, 0, 1000000, last, &err) && spn_json_size(&x) == 3, "line %d", count);
    spn_json_free(doc);
    at = end + 1;
  }
  free(text);
  return count;
}

static void test_rows(void) {
  spn_err err;
  long long last;
  spn_recorder *r = open_recorder();
  double values[] = {1, NAN, INFINITY, -INFINITY, 1e-300, 2.5};
  for (uint64_t i = 0; i < 6; i++) row(r, 10 * i, values[i]);
  CHECK(lines(&last) == 6 && last == 50, "six rows, all of them JSON");
  CHECK_OK(spn_recorder_cut(r, 30, &err), err);
  CHECK(lines(&last) == 4 && last == 30, "rows after step 30 are gone");
  row(r, 40, 7);
  CHECK(lines(&last) == 5 && last == 40, "and go on from there");
  spn_recorder_free(r);
  FILE *torn = fopen(path, "a");
  fputs("{\"step\": 45, \"ce\": 0.12", torn);
  fclose(torn);
  r = open_recorder();
  CHECK_OK(spn_recorder_cut(r, 1000, &err), err);
  row(r, 50, 8);
  CHECK(lines(&last) == 6 && last == 50, "a torn last line is gone");
  spn_recorder_free(r);
}

/* ---- TensorBoard ---- */

static size_t event_file(unsigned char **data) {
  size_t size;
  spn_err err;
  CHECK_OK(spn_file_read(path, 1 << 20, (char **)data, &size, &err), err);
  return size;
}

/* Records of a file by their frames, and that it ends with one. */
static int records(void) {
  unsigned char *data;
  size_t size = event_file(&data), at = 0;
  int count = 0;
  for (; at + 16 <= size; count++) at += 16 + (size_t)data[at] + ((size_t)data[at + 1] << 8);
  CHECK(at == size, "the file ends with a whole record");
  free(data);
  return count;
}

static spn_recorder *open_events(void) {
  spn_err err;
  spn_recorder *r = spn_recorder_new();
  CHECK(r && !spn_sink_events(path, r, &err), "an event file");
  return r;
}

static void test_events(void) {
  spn_err err;
  unsigned char *data;
  double values[] = {1, NAN, INFINITY, -INFINITY, 1e-300, 2.5};
  CHECK(spn_crc32c("123456789", 9) == 0xe3069283u, "the check value of CRC-32C");
  unlink(path);
  spn_recorder *r = open_events();
  for (uint64_t i = 0; i < 6; i++) row(r, 1000 * i, values[i]);
  CHECK(records() == 7, "the version, and six rows");
  CHECK_OK(spn_recorder_cut(r, 3000, &err), err);
  CHECK(records() == 5, "rows after step 3000 are gone");
  row(r, 4000, 7);
  CHECK(records() == 6, "and go on from there");
  spn_recorder_free(r);
  size_t size = event_file(&data);
  CHECK(size > 24 && !memcmp(data + 12 + 13, "brain.Event:2", 13), "the version");
  FILE *torn = fopen(path, "a");
  fwrite(data, 1, 20, torn);
  fclose(torn);
  free(data);
  r = open_events();
  CHECK_OK(spn_recorder_cut(r, 1000000, &err), err);
  row(r, 5000, 8);
  CHECK(records() == 7, "a torn last record is gone");
  spn_recorder_free(r);
}

/* ---- State ---- */

typedef struct {
  struct {
    double a, b;
  } item[3];
  double single;
  uint64_t counter;
  float weights[5];
  int version;
} owner;

static void list(void *context, spn_state *s) {
  owner *o = context;
  spn_state_doubles(s, "items.a", &o->item[0].a, 3, sizeof *o->item);
  if (o->version != 2) spn_state_doubles(s, "items.b", &o->item[0].b, o->version == 3 ? 2 : 3, sizeof *o->item);
  spn_state_double(s, o->version == 4 ? "renamed" : "single", &o->single);
  spn_state_counter(s, "counter", &o->counter);
  spn_state_floats(s, "weights", o->weights, 5);
}

static void check_refused(const owner *saved, int version, const char *want) {
  owner o = *saved, other = {.version = version};
  spn_err err = {0};
  spn_tensors *set = spn_tensors_new();
  CHECK_OK(spn_state_save(list, &o, set, &err), err);
  CHECK(spn_state_load(list, &other, set, "step-7", &err) == SPN_EINPUT, "version %d is taken", version);
  CHECK(strstr(err.text, want) && strstr(err.text, "step-7"), "%s: no \"%s\"", err.text, want);
  spn_tensors_free(set);
}

static void test_state(void) {
  owner o = {
      .item = {{1, 2}, {3, NAN}, {-0.0, 1e-310}}, .single = 0.1, .counter = 1ull << 60, .weights = {1, 2, 3, 4, 5}};
  owner back = {.version = 0};
  spn_err err;
  spn_tensors *set = spn_tensors_new();
  CHECK_OK(spn_state_save(list, &o, set, &err), err);
  CHECK_OK(spn_state_load(list, &back, set, "it", &err), err);
  CHECK(!memcmp(&o, &back, sizeof o), "every bit comes back");
  spn_tensors_free(set);
  check_refused(&o, 2, "unknown items.b");
  check_refused(&o, 3, "wrong size of items.b (expected 2 numbers, got 3)");
  check_refused(&o, 4, "missing renamed");
  check_refused(&o, 4, "unknown single");
  o.version = 2;
  check_refused(&o, 0, "missing items.b");
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/spn-record-%d.jsonl", (int)getpid());
  test_rows();
  test_events();
  test_state();
  unlink(path);
  return check_report("test_record");
}
