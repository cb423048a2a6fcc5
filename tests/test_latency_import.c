/* Measurements of other tools: every layout is read, and what is torn, noisy or of another network is refused with file
 * and line. */
#include <unistd.h>

#include "check.h"
#include "latency/fit.h"
#include "latency/import.h"

static char path[64];

static void put_file(const char *text, size_t size) {
  strcpy(path, "/tmp/test_latency_import.XXXXXX");
  int fd = mkstemp(path);
  CHECK(fd >= 0 && write(fd, text, size) == (ssize_t)size, "cannot write %s", path);
  if (fd >= 0) close(fd);
}

static spn_table import(const char *text, const char *network) {
  spn_import in = {.network = network, .max_spread = 0.1};
  spn_err err = {0};
  put_file(text, strlen(text));
  CHECK_OK(spn_import_file(&in, path, &err), err);
  unlink(path);
  return in.table;
}

static void refused(const char *text, size_t size, const char *network, const char *words) {
  spn_import in = {.network = network, .max_spread = 0.1};
  spn_err err = {0};
  put_file(text, size);
  CHECK(spn_import_file(&in, path, &err) == SPN_EINPUT, "%s: read", words);
  CHECK(strstr(err.text, words) && strstr(err.text, path), "expected \"%s\", got %s", words, err.text);
  unlink(path);
  spn_table_free(&in.table);
}

static void refuse(const char *text, const char *words) { refused(text, strlen(text), "mnasnet-a1", words); }

static double cost_of(const spn_table *t, spn_part part, int layer) {
  const spn_table_entry *e = spn_table_find(t, &part, layer);
  return e ? e->cost : NAN;
}

/* ---- CSV ---- */

static void test_csv(void) {
  spn_table t = import("# my phone\n"
                       "ms,op,stride,kernel,h,w,cin,cout,expand,se,std,n\n"
                       "1.5,block,1,5,56,56,24,24,3,0.25,0.01,50\n"
                       "\"2.5\",mbconv,2,3,56,56,24,40,6,0,,\n"
                       "4.25,conv,2,3,224,224,3,32,,,0.1,50\n"
                       "0.75,fc,,,7,7,1280,1000,,,,\n",
                       "");
  spn_part a = {SPN_PART_BLOCK, 56, 24, 24, 5, 1, 3, 0.25, 1};
  CHECK(t.entries == 4, "%d entries", t.entries);
  CHECK(cost_of(&t, a, -1) == 1.5 && spn_table_find(&t, &a, -1)->count == 50, "a block with SE");
  CHECK(cost_of(&t, (spn_part){SPN_PART_BLOCK, 56, 24, 40, 3, 2, 6, 0, 0}, -1) == 2.5, "a block");
  CHECK(cost_of(&t, (spn_part){.kind = SPN_PART_STEM, .h = 224, .in = 3, .out = 32, .kernel = 3, .stride = 2}, -1) ==
            4.25,
        "a stem");
  CHECK(cost_of(&t, (spn_part){.kind = SPN_PART_CLASSIFIER, .h = 7, .in = 1280, .out = 1000}, -1) == 0.75,
        "a classifier");
  spn_table_free(&t);
  refuse("op,h,cin,ms\n", ":1: expected a column cout");
  refuse("op,h,cin,cout,ms\nblock,56,24,24,1\nblok,56,24,24,1\n", ":3: column op: ");
  refuse("op,h,cin,cout,ms\nblock,56,24,24,1\nblock,56,24,24,1\n", ":3: k3 e1 24 > 24 s1 at 56 was measured already");
  refuse("op,h,cin,cout,ms\nblock,56,24,24\n", ":2: ");
  refuse("op,h,w,cin,cout,ms\nblock,56,28,24,24,1\n", ":2: column w: expected a square input");
  refuse("op,h,cin,cout,ms\nblock,56,24,24,nan\n", ":2: column ms: ");
  refuse("op,h,cin,cout,ms\nblock,56,24,24,-1\n", ":2: column ms: ");
  refuse("op,h,cin,cout,ms\nblock,5.5,24,24,1\n", ":2: column h: expected a whole number");
  refuse("op,h,cin,cout,ms,std\nblock,56,24,24,2,0.4\n", ":2: column std: too noisy: runs spread by 20.0 %");
}

/* ---- YAML ---- */

static void test_yaml(void) {
  spn_table t = import(
      "Conv-input:224x224x3-output:112x112x32:\n  count: 949\n  mean: 4.4\n  var: 0.16\n"
      "expanded_conv-input:112x112x16-output:56x56x24-expand:3-kernel:5-stride:2-idskip:0:\n  mean: 7.0\n"
      "expanded_conv-input:56x56x24-output:56x56x24-expand:72-kernel:3-stride:1-idskip:1-se:0-hs:0: "
      "{mean: 3.5, count: 20}\n"
      "expanded_conv-input:56x56x24-output:56x56x24-expand:72-kernel:3-stride:1-idskip:1-se:1-hs:0: "
      "{mean: 4.5, count: 20}\n"
      "Logits-input:7x7x1280-output:1000:\n  mean: 0.9\n",
      "");
  spn_part stem = {.kind = SPN_PART_STEM, .h = 224, .in = 3, .out = 32, .kernel = 3, .stride = 2};
  CHECK(t.entries == 4, "%d entries: SE of expanded channels is passed over", t.entries);
  CHECK_NEAR(spn_table_find(&t, &stem, -1)->spread, 0.4, 1e-12, "the root of the variance");
  CHECK(cost_of(&t, (spn_part){SPN_PART_BLOCK, 112, 16, 24, 5, 2, 3, 0, 0}, -1) == 7, "a ratio");
  CHECK(cost_of(&t, (spn_part){SPN_PART_BLOCK, 56, 24, 24, 3, 1, 3, 0, 1}, -1) == 3.5, "expanded channels");
  spn_table_free(&t);
  refuse("Conv-input:224x224x3-output:112x112x32:\n  mean: 4.4\nConv-input:", ":3: ");
  refuse("Conv-input:224x224x3-output:112x112x32:\n  count: 5\n", ":2: expected a mean for the key of line 1");
  refuse("Conv-input:224x224x3-output:112x112x32:\n  mean: fast\n", ":2: mean: expected a number");
  refuse("  mean: 4\nConv-input:224x224x3-output:112x112x32:\n", ":1: expected a key");
  refuse("Conv-input:224x224-output:x32:\n  mean: 4\n", ":1: expected input: and output:");
  refuse("Conv-input:224x224x3-output:112x112x32: {mean: 4\n", ":1: expected a closing brace");
}

/* ---- Single-Path NAS ---- */

static void test_singlepath(void) {
  spn_table t = import("{\"2\": {\"0\": 3.4, \"3\": 9.1}, \"21\": {\"0\": 6.0}, \"block_1\": {\"1\": 9.2}}", "");
  CHECK(t.entries == 3 && t.rest.whole && t.rest.cost == 19.5999, "%d entries", t.entries);
  CHECK(cost_of(&t, (spn_part){SPN_PART_BLOCK, 56, 24, 24, 5, 1, 6, 0, 1}, 2) == 9.1, "option 3 is 5x5-e6");
  CHECK(cost_of(&t, (spn_part){SPN_PART_BLOCK, 112, 16, 24, 3, 2, 6, 0, 0}, 1) == 9.2, "option 1 is 3x3-e6");
  spn_table_free(&t);
  refuse("{\"2\": {\"0\": 3.4,\n \"4\": 9.1}}", ":2:");
  refuse("{\"22\":\n {\"0\": 3.4}}", ":2:");
  refuse("{\"2\": {\"0\": 3.4", ":1:");
  refuse("{}", ":1:");
}

/* ---- Op profiles ---- */

static const char profile_new[] =
    "INFO: count=50 first=9 curr=9 min=9 max=9 avg=9 std=1 p5=1\n"
    "============================== Run Order ==============================\n"
    "node type, first, avg_ms, %, cdf%, mem KB, times called, name\n"
    "CONV_2D, 4, 4.0, 1%, 1%, 0, 1, [stem]:0\n"
    "DEPTHWISE_CONV_2D, 1, 1.0, 1%, 1%, 0, 1, [a]:1\n"
    "CONV_2D, 1, 0.5, 1%, 1%, 0, 1, [b]:2\n"
    "CONV_2D, 1, 0.25, 1%, 1%, 0, 1, [c]:3\n"
    "DEPTHWISE_CONV_2D, 1, 2.0, 1%, 1%, 0, 1, [d]:4\n"
    "MEAN, 1, 0.1, 1%, 1%, 0, 1, [e]:5\nCONV_2D, 1, 0.1, 1%, 1%, 0, 1, [f]:6\nCONV_2D, 1, 0.1, 1%, 1%, 0, 1, [g]:7\n"
    "LOGISTIC, 1, 0.1, 1%, 1%, 0, 1, [h]:8\nMUL, 1, 0.1, 1%, 1%, 0, 1, [i]:9\n"
    "CONV_2D, 1, 0.25, 1%, 1%, 0, 1, [j]:10\nADD, 1, 0.125, 1%, 1%, 0, 1, [k]:11\n"
    "CONV_2D, 6, 6.0, 1%, 1%, 0, 1, [head]:12\n"
    "MEAN, 1, 0.5, 1%, 1%, 0, 1, [pool]:13\nFULLY_CONNECTED, 1, 0.5, 1%, 1%, 0, 1, [fc]:14\n"
    "SOFTMAX, 1, 0.0625, 1%, 1%, 0, 1, [soft]:15\n"
    "\n============================== Top by Computation Time ==============================\n"
    "node type, first, avg_ms, %, cdf%, mem KB, times called, name\nCONV_2D, 6, 6.0, 1%, 1%, 0, 1, [head]:12\n";
static const char profiled[] = "r1_k3_s11_e1_i32_o16 r1_k3_s11_e3_i16_o16_se0.25";

/* The new layout as the old one: tabs, brackets, a column start. */
static void old_layout(char *out) {
  char *to = out;
  for (const char *at = profile_new; *at;) {
    const char *end = strchr(at, '\n');
    if (!strncmp(at, "node", 4)) {
      to += sprintf(to, "\t[node type]\t[start]\t[first]\t[avg ms]\t[%%]\t[cdf%%]\t[mem KB]\t[times called]\t[Name]\n");
    } else if (strchr(at, ',') && strchr(at, ',') < end && *at != '=' && *at != 'I') {
      for (const char *c = at; c < end; c++) {
        if (*c == ',' && !memchr(at, ',', (size_t)(c - at))) to += sprintf(to, "\t0.0\t");
        else if (*c == ',') *to++ = '\t';
        else if (*c != ' ') *to++ = *c;
      }
      *to++ = '\n';
    } else to += sprintf(to, "%.*s\n", (int)(end - at), at);
    at = end + 1;
  }
  *to = 0;
}

static void check_profile(spn_table t) {
  CHECK(t.entries == 5, "%d entries", t.entries);
  CHECK_NEAR(cost_of(&t, (spn_part){SPN_PART_BLOCK, 112, 32, 16, 3, 1, 1, 0, 0}, -1), 1.5, 1e-12,
             "depthwise, pointwise");
  CHECK_NEAR(cost_of(&t, (spn_part){SPN_PART_BLOCK, 112, 16, 16, 3, 1, 3, 0.25, 1}, -1), 3.125, 1e-12,
             "MBConv with SE");
  CHECK_NEAR(cost_of(&t, (spn_part){.kind = SPN_PART_CLASSIFIER, .h = 112, .in = 1280, .out = 1000}, -1), 1.0625, 1e-12,
             "classifier and the softmax behind it");
  spn_table_free(&t);
}

static void test_profile(void) {
  static char old[16384], torn[16384];
  check_profile(import(profile_new, profiled));
  old_layout(old);
  check_profile(import(old, profiled));
  refused(profile_new, sizeof profile_new - 1, "", "needs the network");
  refused(profile_new, sizeof profile_new - 1, "mnasnet-a1", ":9: expected the nodes of k3 e6 16 > 24 s2 at 112");
  const char *cut = strstr(profile_new, "CONV_2D, 6, 6.0");
  refused(profile_new, (size_t)(cut - profile_new), profiled, ":15: the profile ends at part 3 of 5");
  snprintf(torn, sizeof torn, "%s", profile_new);
  memcpy(strstr(torn, "2.0, 1%"), "2.x", 3);
  refused(torn, strlen(torn), profiled, ":8: avg_ms: expected a number");
  snprintf(torn, sizeof torn, "%s", profile_new + 6);
  memcpy(strstr(torn, "std=1 p"), "std=3 p", 7);
  refused(torn, strlen(torn), profiled, ":1: too noisy: runs spread by 33.3 %");
}

/* ---- Anything else ---- */

static void test_other(void) {
  refuse("", ":1: expected a table");
  refuse("\n\n", ":1: expected a table");
  refused("op,h\xff\n", 6, "", ":1: expected text in UTF-8, got byte 0xff");
  refused("op,h\n\0", 6, "", ":2: expected text in UTF-8, got byte 0x00");
  size_t size = 2 << 20;
  char *huge = malloc(size);
  memset(huge, 'x', size);
  refused(huge, size, "", ":1: expected a table");
  free(huge);
}

/* The published files, where they lie. */
static void test_published(void) {
  static const struct {
    const char *file;
    int entries;
  } rows[] = {{"singlepath_pixel1.json", 80}, {"proxylessnas_pixel1.yaml", 72}};
  for (int i = 0; i < 2; i++) {
    char full[512];
    spn_import in = {.network = "", .max_spread = 0.1};
    spn_err err = {0};
    snprintf(full, sizeof full, "%s/../shared/data/latency/%s", SPN_SOURCE_DIR, rows[i].file);
    if (access(full, R_OK)) {
      printf("skipped: %s (../shared/data is not here)\n", rows[i].file);
      continue;
    }
    CHECK_OK(spn_import_file(&in, full, &err), err);
    CHECK(in.table.entries == rows[i].entries, "%s: %d entries", rows[i].file, in.table.entries);
    spn_table_free(&in.table);
  }
}

int main(void) {
  setenv("SPNAS_DATA", SPN_SOURCE_DIR "/data", 1); /* the tests may run anywhere */
  test_csv();
  test_yaml();
  test_singlepath();
  test_profile();
  test_other();
  test_published();
  return check_report("test_latency_import");
}
