/* Every importer against every damage: cut anywhere, lines in another order, empty, huge, bytes that are no text. It is
 * read or refused; refused, the error begins with the file and the line. */
#include <ctype.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "latency/import_kit.h"

static const char csv_text[] = "op,h,cin,cout,expand,kernel,stride,se,ms,std,n\n"
                               "block,56,24,24,3,5,1,0.25,1.5,0.01,50\n"
                               "stem,224,3,32,,3,2,,4.25,0.1,50\n"
                               "classifier,7,1280,1000,,,,,0.75,,\n";
static const char yaml_text[] =
    "Conv-input:224x224x3-output:112x112x32:\n  count: 949\n  mean: 4.4\n  var: 0.16\n"
    "expanded_conv-input:112x112x16-output:56x56x24-expand:3-kernel:5-stride:2-idskip:0:\n  mean: 7.0\n"
    "Logits-input:7x7x1280-output:1000: {mean: 0.9, count: 20}\n";
static const char singlepath_text[] = "{\n\"2\": {\"0\": 3.4,\n\"3\": 9.1},\n\"21\": {\"0\": 6.0}\n}\n";
static const char profile_text[] = "INFO: count=50 first=9 curr=9 min=9 max=9 avg=9 std=1 p5=1\n"
                                   "===== Run Order =====\n"
                                   "node type, first, avg_ms, %, cdf%, mem KB, times called, name\n"
                                   "CONV_2D, 4, 4.0, 1%, 1%, 0, 1, [stem]:0\n"
                                   "DEPTHWISE_CONV_2D, 1, 1.0, 1%, 1%, 0, 1, [a]:1\n"
                                   "CONV_2D, 1, 0.5, 1%, 1%, 0, 1, [b]:2\n"
                                   "CONV_2D, 6, 6.0, 1%, 1%, 0, 1, [head]:12\n"
                                   "MEAN, 1, 0.5, 1%, 1%, 0, 1, [pool]:13\n"
                                   "FULLY_CONNECTED, 1, 0.5, 1%, 1%, 0, 1, [fc]:14\n";
static const char manifest_text[] =
    "{\"kit\": 1, \"space\": \"x\",\n\"files\": [\n"
    "{\"file\": \"models/stem.tflite\", \"use\": \"part\",\n"
    " \"parts\": [{\"part\": \"stem\", \"h\": 224, \"in\": 3, \"out\": 32, \"kernel\": 3, \"stride\": 2}]},\n"
    "{\"file\": \"models/k5.tflite\", \"use\": \"part\", \"parts\": [{\"part\": \"block\", \"h\": 7, \"in\": 8, "
    "\"out\": 8,\n"
    " \"kernel\": 5, \"stride\": 1, \"expand\": 3, \"se\": 0, \"residual\": true}]},\n"
    "{\"file\": \"models/n001.tflite\", \"use\": \"holdout\",\n \"arch\": \"networks/n001.json\"}\n]}\n";
static const char log_text[] = "# battery: temperature: 281\n"
                               "INFO: count=10 first=900 curr=900 min=900 max=900 avg=950 std=9\n"
                               "INFO: count=50 first=900 curr=900 min=900 max=900 avg=900 std=9 p5=900\n"
                               "INFO: Inference timings in us: Init: 20, First inference: 900, Inference (avg): 900\n";

/* A file, by itself or in a kit. */
typedef struct {
  const char *name, *text, *network;
  int kit;
} importer;
static const importer importers[] = {
    {"table.csv", csv_text, "", 0},          {"table.yaml", yaml_text, "", 0},
    {"table.json", singlepath_text, "", 0},  {"profile.csv", profile_text, "r1_k3_s11_e1_i32_o16", 0},
    {"manifest.json", manifest_text, "", 1}, {"results/round-1/stem.log", log_text, "", 1}};

static char folder[64];

static void put_file(const char *name, const char *text, size_t size) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "wb");
  CHECK(f && fwrite(text, 1, size, f) == size, "cannot write %s", path);
  if (f) fclose(f);
}

static spn_status import(const importer *from, spn_err *err) {
  spn_import in = {.network = from->network, .max_spread = 0.2};
  spn_kit_results results = {.rounds = 0};
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, from->name);
  spn_status status = from->kit ? spn_import_kit(&in, folder, &results, err) : spn_import_file(&in, path, err);
  spn_table_free(&in.table);
  free(results.network);
  return status;
}

/* Whether an error names the file, then a line. */
static int names_place(const importer *from, const char *text) {
  const char *at = strstr(text, from->name);
  return at && at[strlen(from->name)] == ':' && isdigit((unsigned char)at[strlen(from->name) + 1]);
}

/* must: it has to be refused. */
static void damaged(const importer *from, const char *text, size_t size, int must, const char *damage) {
  spn_err err = {0};
  put_file(from->name, text, size);
  spn_status status = import(from, &err);
  CHECK(status == SPN_OK || status == SPN_EINPUT, "%s, %s: status %d: %s", from->name, damage, (int)status, err.text);
  CHECK(!must || status, "%s, %s: read as if nothing were wrong", from->name, damage);
  CHECK(!status || names_place(from, err.text), "%s, %s: no file and line in \"%s\"", from->name, damage, err.text);
}

static void test_truncated(const importer *from) {
  for (size_t n = 1; n < strlen(from->text); n++) damaged(from, from->text, n, 0, "truncated");
}

/* The last line first: what begins a file, or stands above another line, comes too late. */
static void test_reordered(const importer *from) {
  char text[4096] = "";
  for (const char *end = from->text + strlen(from->text); end > from->text;) {
    const char *begin = end - 1;
    while (begin > from->text && begin[-1] != '\n') begin--;
    strncat(text, begin, (size_t)(end - begin));
    end = begin;
  }
  damaged(from, text, strlen(text), from->text != log_text, "reordered"); /* of a log every line says all by itself */
}

static void test_empty(const importer *from) {
  damaged(from, "", 0, 1, "empty");
  damaged(from, "\n \n", 3, 1, "blank");
}

/* A line of megabytes, and a hundred thousand lines that are each all right. */
static void test_huge(const importer *from) {
  size_t n = strlen(from->text), lines = 100000, size = (size_t)2 << 20;
  char *line = malloc(size), *many = malloc(n + 96 * lines), *to = many;
  memset(line, 'x', size);
  memcpy(line, from->text, n - 1);
  damaged(from, line, size, from->text != log_text && from->text != profile_text, "huge line"); /* names may be long */
  to += sprintf(to, "%s", from->text);
  for (size_t i = 0; i < lines; i++) {
    if (from->text == csv_text) to += sprintf(to, "block,%zu,%zu,24,,,,,1,,\n", 1 + i % 1000, 8 + i / 1000);
    else if (from->text == yaml_text)
      to += sprintf(to, "Logits-input:%zux%zux%zu-output:1000: {mean: 0.9}\n", 1 + i % 300, 1 + i % 300, 8 + i / 300);
    else to += sprintf(to, "%.*s\n", (int)strcspn(from->text, "\n"), from->text);
  }
  damaged(from, many, (size_t)(to - many), from->text != log_text && from->text != profile_text, "huge");
  free(line);
  free(many);
}

static void test_no_text(const importer *from) {
  static const char *const bytes[] = {"\xff", "\xc3(", "\xed\xa0\x80", "\xe2\x82"};
  size_t n = strlen(from->text);
  char text[4096];
  for (size_t b = 0; b < sizeof bytes / sizeof *bytes; b++)
    for (size_t at = 0; at <= n; at += n / 5) {
      snprintf(text, sizeof text, "%.*s%s%s", (int)at, from->text, bytes[b], from->text + at);
      damaged(from, text, strlen(text), 1, "not UTF-8");
    }
  memcpy(text, from->text, n);
  text[n / 2] = 0;
  damaged(from, text, n, 1, "a zero byte");
}

int main(void) {
  char command[128];
  setenv("SPNAS_DATA", SPN_SOURCE_DIR "/data", 1);
  strcpy(folder, "/tmp/test_import_damage.XXXXXX");
  CHECK(mkdtemp(folder) != NULL, "a folder");
  snprintf(command, sizeof command, "mkdir -p %s/results/round-1", folder);
  CHECK(system(command) == 0, "%s", command);
  for (size_t i = 0; i < sizeof importers / sizeof *importers; i++) {
    const importer *from = &importers[i];
    spn_err err = {0};
    put_file("manifest.json", manifest_text, strlen(manifest_text));
    put_file("results/round-1/stem.log", log_text, strlen(log_text));
    put_file("results/round-1/k5.log", log_text, strlen(log_text));
    put_file("results/round-1/n001.log", log_text, strlen(log_text));
    put_file(from->name, from->text, strlen(from->text));
    CHECK_OK(import(from, &err), err);
    test_truncated(from);
    test_reordered(from);
    test_empty(from);
    test_huge(from);
    test_no_text(from);
  }
  snprintf(command, sizeof command, "rm -rf %s", folder);
  CHECK(system(command) == 0, "%s", command);
  return check_report("test_import_damage");
}
