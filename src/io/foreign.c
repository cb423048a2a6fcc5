#include "io/foreign.h"

#include <string.h>

static int has(const unsigned char *data, size_t size, size_t at, const char *bytes, size_t n) {
  return size >= at + n && !memcmp(data + at, bytes, n);
}

/* ir_version (field 1, below 32), then the producer's name (2) or an operator set (8) or the graph (7). */
static int is_onnx(const unsigned char *data, size_t size) {
  return size > 4 && data[0] == 0x08 && data[1] > 0 && data[1] < 32 &&
         (data[2] == 0x12 || data[2] == 0x3a || data[2] == 0x42);
}

const char *spn_foreign(const void *start, size_t size) {
  static const struct {
    size_t at;
    const char *bytes;
    size_t n;
    const char *what;
  } known[] = {{0, "PK\3\4", 4, "a zip archive, as PyTorch writes .pt and .pth (and NumPy .npz, Keras .keras)"},
               {0, "\x80\2", 2, "a Python pickle, as old releases of PyTorch write .pt and .pth"},
               {0, "\x89HDF\r\n\x1a\n", 8, "an HDF5 file, as Keras writes .h5"},
               {4, "TFL3", 4, "a TFLite network"},
               {0, "\x93NUMPY", 6, "a NumPy array"},
               {0, "GGUF", 4, "a GGUF file"},
               {0, "spnaspak", 8, "a pack of images (spnas pack)"},
               {0, "\x1f\x8b", 2, "a gzip file"},
               {0, "{", 1, "JSON, such as a search's arch.json"}};
  const unsigned char *data = start;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (has(data, size, known[i].at, known[i].bytes, known[i].n)) return known[i].what;
  for (int version = 3; version < 6; version++)
    if (size > 2 && data[0] == 0x80 && data[1] == version && data[2] == 0x95)
      return "a Python pickle, as old releases of PyTorch write .pt and .pth";
  return is_onnx(data, size) ? "an ONNX network" : NULL;
}
