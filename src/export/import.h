/* Networks of other programs, weights and all, as ours. Adding one: a list of names in naming.c, and a reader here. */
#ifndef SPN_EXPORT_IMPORT_H
#define SPN_EXPORT_IMPORT_H

#include "export/export.h"

/* What came with a network. */
typedef struct {
  spn_arch arch;
  spn_tensors *weights; /* under our names (export.h); with the metadata of the file it came from */
  int has_preprocessing;
  double mean[3], std[3], eval_crop; /* bilinear; long side and crop offset as SPN_FRAME_ROUNDED of input/input.h */
} spn_imported;

void spn_imported_free(spn_imported *net);

/* A safetensors file with timm's names. arch NULL: it must be the file's own "spnas.arch" (what the timm exporter
 * writes); else the network that the weights belong to. Classes are those of the file's classifier. Every tensor must
 * be one of the network's, of its shape, and finite: SPN_EINPUT names the first that is not. */
spn_status spn_import_timm(const char *path, const spn_arch *arch, spn_imported *out, spn_err *err);

/* ProxylessNAS: path is the architecture <name>.json; the weights lie beside it as <name>.f32.bin, a list of floats,
 * and <name>.manifest.json, {"tensors": [{"name", "shape", "offset_floats", "count"}, ...]}. Padding is symmetric,
 * pixels are normalised with 0.5 and 0.5, as that project does. */
spn_status spn_import_proxyless(const char *path, spn_imported *out, spn_err *err);

#endif
