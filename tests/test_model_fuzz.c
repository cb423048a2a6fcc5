/* Replays a few thousand mutations of real files through the fuzz targets; run it under the sanitizers. */
#include <stdint.h>

#include "check.h"
#include "core/rng.h"

#define LLVMFuzzerTestOneInput fuzz_space
#include "fuzz_space.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_blockstring
#include "fuzz_blockstring.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_table
#include "fuzz_table.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_fit
#include "fuzz_fit.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_import
#include "fuzz_import.c"

enum { MAX_TEXT = 65536 };

static size_t below(uint64_t seed, uint64_t i, size_t n) { return (size_t)spn_rng_below(seed, SPN_RNG_TEST, i, n); }

/* One to four edits: change a byte, drop a run, repeat a run, put a digit or a sign of the grammar. */
static size_t mutate(uint64_t seed, uint8_t *text, size_t size) {
  static const char signs[] = "0123456789-.e[]{},:\"_|rksioc nulltruefalse";
  for (uint64_t e = 0; e <= below(seed, 0, 4); e++) {
    size_t at = below(seed, 8 * e + 1, size), run = below(seed, 8 * e + 2, 24);
    if (run > size - at) run = size - at;
    switch (below(seed, 8 * e + 3, 5)) {
      case 0: text[at] = (uint8_t)below(seed, 8 * e + 4, 256); break;
      case 1:
        memmove(text + at, text + at + run, size - at - run);
        size -= run;
        break;
      case 2:
        if (size + run > MAX_TEXT) break;
        memmove(text + at + run, text + at, size - at);
        size += run;
        break;
      case 3: size = at + 1; break;
      default: text[at] = (uint8_t)signs[below(seed, 8 * e + 5, sizeof signs - 1)]; break;
    }
    if (!size) return 0;
  }
  return size;
}

static size_t read_file(const char *path, uint8_t *out) {
  char full[1024];
  snprintf(full, sizeof full, "%s/%s", SPN_SOURCE_DIR, path);
  FILE *file = fopen(full, "rb");
  size_t size = file ? fread(out, 1, MAX_TEXT, file) : 0;
  if (file) fclose(file);
  CHECK(size > 0, "cannot read %s", full);
  return size;
}

static void replay(int (*target)(const uint8_t *, size_t), const uint8_t *seed_text, size_t size, uint64_t seed,
                   int rounds) {
  for (int i = 0; i < rounds; i++) {
    uint8_t *text = malloc(MAX_TEXT);
    memcpy(text, seed_text, size);
    size_t n = i ? mutate(spn_rng_split(seed, SPN_RNG_TEST, (uint64_t)i), text, size) : size;
    uint8_t *exact = malloc(n ? n : 1); /* so that a read past the end is seen */
    memcpy(exact, text, n);
    target(exact, n);
    free(exact);
    free(text);
    check_count++;
  }
}

/* A fitted model of one small table, as a text. */
static size_t save_fit(uint8_t *text) {
  static spn_fit fit = {.name = "f", .unit = "ms", .source = "s", .networks = 1, .tables = 1};
  char path[] = "/tmp/test_model_fuzz.XXXXXX";
  const spn_table_entry e = {{SPN_PART_BLOCK, 56, 24, 24, 3, 1, 3, 0, 1}, -1, 1.5, 0.1, 50};
  spn_err err = {0};
  int fd = mkstemp(path);
  CHECK(fd >= 0, "cannot make %s", path);
  close(fd);
  strcpy(fit.table[0].name, "t");
  strcpy(fit.table[0].unit, "ms");
  strcpy(fit.table[0].source, "s");
  CHECK_OK(spn_table_add(&fit.table[0], &e, &err), err);
  CHECK_OK(spn_fit_tables(&fit, &err), err);
  CHECK_OK(spn_fit_save(&fit, path, &err), err);
  FILE *file = fopen(path, "rb");
  size_t size = file ? fread(text, 1, MAX_TEXT, file) : 0;
  if (file) fclose(file);
  unlink(path);
  spn_fit_free(&fit);
  return size;
}

int main(void) {
  setenv("SPNAS_DATA", SPN_SOURCE_DIR "/data", 1); /* the tests may run anywhere */
  static uint8_t text[MAX_TEXT];
  static const char *const spaces[] = {"singlepath-se", "singlepath-k7", "nas-bench-macro",
                                       "demo",          "mnasnet",       "mobilenetv3"};
  static const char *const strings[] = {
      "r1_k3_s11_e1_i32_o16_noskip r2_k3_s22_e6_i16_o24 r3_k5_s22_e3_i24_o40_se0.25 r4_k3_s22_e6_i40_o80",
      ("ds_r1_k3_s1_c16_noskip | ir_r3_k3_s2_e3_c24 | ir_r1_k5_s2_e6_c40, ir_r3_k3_s1_e3_c40_se0.5 | "
       "ir_r1_k3_s1_e6_c320_noskip"),
      "r1_k3_s11_e1_i16_o8 r1_k3_s22_e3_i8_o16 r2_k3_s22_e6_i16_o16"};
  for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
    char path[256];
    snprintf(path, sizeof path, "data/spaces/%s.json", spaces[i]);
    replay(fuzz_space, text, read_file(path, text), (uint64_t)i + 1, 1000);
  }
  for (int i = 0; i < 3; i++)
    replay(fuzz_blockstring, (const uint8_t *)strings[i], strlen(strings[i]), (uint64_t)i + 11, 3000);
  replay(fuzz_table, text, read_file("data/latency/pixel1-singlepath.json", text), 21, 500);
  replay(fuzz_table, text, read_file("data/latency/pixel1-proxylessnas.json", text), 22, 500);
  static const char *const measurements[] = {
      "op,h,w,cin,cout,expand,kernel,stride,se,skip,ms,std,n\n"
      "block,56,56,24,24,3,5,1,0.25,1,1.5,0.01,50\nstem,224,224,3,32,,3,2,,,4.25,0.1,50\n",
      "Conv-input:224x224x3-output:112x112x32:\n  count: 949\n  mean: 4.4\n  var: 0.16\n"
      "expanded_conv-input:56x56x24-output:56x56x24-expand:72-kernel:3-stride:1-idskip:1-se:0-hs:0: {mean: 3.5}\n",
      "{\"2\": {\"0\": 3.4, \"3\": 9.1}, \"21\": {\"0\": 6.0}, \"block_1\": {\"1\": 9.2}}",
      "count=50 first=9 curr=9 avg=9 std=0.1\n===== Run Order =====\nnode type, first, avg_ms, name\n"
      "CONV_2D, 4, 4.0, [stem]:0\nDEPTHWISE_CONV_2D, 1, 1.0, [a]:1\nCONV_2D, 1, 0.5, [b]:2\n"};
  for (int i = 0; i < 4; i++)
    replay(fuzz_import, (const uint8_t *)measurements[i], strlen(measurements[i]), (uint64_t)i + 31, 1000);
  replay(fuzz_fit, text, read_file("data/latency/pixel1-proxylessnas.json", text), 41, 300);
  replay(fuzz_fit, text, save_fit(text), 42, 1000);
  return check_report("test_model_fuzz");
}
