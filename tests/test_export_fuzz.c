/* Replays thousands of mutations of exported files through the fuzz target; run it under the sanitizers. */
#include <unistd.h>

#include "check.h"
#include "core/rng.h"
#include "export/export.h"
#include "fuzz_export.c"
#include "io/file.h"
#include "model/network.h"
#include "tiny_arch.h"

enum { ROUNDS = 1500 };

static spn_arch arch;

static void make_arch(void) {
  arch = tiny_arch("tiny", 9, 3);
  arch.stem_channels = 4;
  arch.head_channels = 5;
  arch.activation = SPN_ACT_HSWISH;
  arch.padding = SPN_PAD_SYMMETRIC;
  tiny_add(&arch, 4, 3, 1, 2, 0.5);
  tiny_add(&arch, 6, 5, 2, 1, 0);
}

static size_t below(uint64_t seed, uint64_t i, size_t n) { return (size_t)spn_rng_below(seed, SPN_RNG_TEST, i, n); }

/* One to four edits: a byte, a small number, a cut, a run dropped. */
static size_t mutate(uint64_t seed, uint8_t *data, size_t size) {
  for (uint64_t e = 0; e <= below(seed, 0, 4); e++) {
    const size_t at = below(seed, 8 * e + 1, size), run = below(seed, 8 * e + 2, 24);
    switch (below(seed, 8 * e + 3, 6)) {
      case 0: data[at] = (uint8_t)below(seed, 8 * e + 4, 256); break;
      case 1: data[at] = (uint8_t)(data[at] + 1); break;
      case 2: data[at] ^= (uint8_t)(1 << below(seed, 8 * e + 4, 8)); break;
      case 3:
        for (size_t i = at; i < at + 4 && i < size; i++) data[i] = 255;
        break;
      case 4: size = at + 1; break;
      default:
        if (run > size - at) break;
        memmove(data + at, data + at + run, size - at - run);
        size -= run;
        break;
    }
    if (!size) return 0;
  }
  return size;
}

static void replay(const char *path, uint64_t seed) {
  spn_err err;
  char *whole;
  size_t size;
  CHECK_OK(spn_file_read(path, (size_t)1 << 24, &whole, &size, &err), err);
  for (uint64_t i = 0; i < ROUNDS; i++) {
    uint8_t *data = malloc(size);
    memcpy(data, whole, size);
    const size_t n = i ? mutate(spn_rng_split(seed, SPN_RNG_TEST, i), data, size) : size;
    CHECK(!LLVMFuzzerTestOneInput(data, n), "%s", path);
    free(data);
  }
  free(whole);
}

int main(void) {
  make_arch();
  static const char *const formats[] = {"onnx", "tflite", "tflite_int8", "c"};
  const spn_network_options o = {.batch = 1, .threads = 1, .kernels = spn_kernels_get(NULL), .seed = 5};
  static float image[9 * 9 * 3];
  spn_export_options options = spn_export_defaults();
  char folder[] = "/tmp/spn_fuzz_XXXXXX", path[64];
  spn_graph *g;
  spn_err err;
  CHECK(mkdtemp(folder) != NULL, "a folder");
  CHECK_OK(spn_network_create(&arch, &o, 1, &g, &err), err);
  spn_tensors *w = spn_tensors_new();
  CHECK_OK(spn_network_to_tensors(g, NULL, w, &err), err);
  for (size_t i = 0; i < sizeof image / sizeof *image; i++) image[i] = (float)spn_rng_uniform(1, SPN_RNG_TEST, i);
  options.samples = image;
  options.sample_count = 1;
  for (uint64_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    snprintf(path, sizeof path, "%s/x.c", folder);
    options.endpoints = (spn_endpoints){.count = 0};
    if (i < 3) options.endpoints = (spn_endpoints){.stride = {2, 4}, .count = 2, .logits = i < 2};
    CHECK_OK(spn_export(formats[i], &arch, w, &options, path, &err), err);
    replay(path, i);
    unlink(path);
  }
  snprintf(path, sizeof path, "%s/x.h", folder);
  unlink(path);
  CHECK(!rmdir(folder), "something is left in %s", folder);
  spn_tensors_free(w);
  spn_graph_free(g);
  return check_report("export_fuzz");
}
