#include <string.h>

#include "export/export.h"
#include "io/json.h"

static const spn_exporter exporters[] = {
    {"onnx", ".onnx", "ONNX, for onnxruntime and most other runtimes", spn_export_onnx},
};
enum { EXPORTERS = sizeof exporters / sizeof *exporters };

spn_export_options spn_export_defaults(void) {
  return (spn_export_options){.opset = 13,
                              .fold_bn = 1,
                              .input = SPN_INPUT_NORMALISED,
                              .mean = {0.485, 0.456, 0.406},
                              .std = {0.229, 0.224, 0.225}};
}

const spn_exporter *spn_exporter_at(size_t i) { return i < EXPORTERS ? &exporters[i] : NULL; }

spn_status spn_exporter_find(const char *format, const spn_exporter **out, spn_err *err) {
  const char *names[EXPORTERS + 1] = {NULL};
  char list[256] = "";
  for (size_t i = 0; i < EXPORTERS; i++) {
    *out = &exporters[i];
    if (!strcmp(exporters[i].name, format)) return SPN_OK;
    names[i] = exporters[i].name;
    if (i) strncat(list, ", ", sizeof list - strlen(list) - 1);
    strncat(list, names[i], sizeof list - strlen(list) - 1);
  }
  *out = NULL;
  const char *nearest = spn_nearest(format, names);
  return spn_fail(err, SPN_EINPUT, "export format: expected one of %s, got \"%s\"%s%s%s", list, format,
                  nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

static spn_status check_options(const spn_arch *arch, const spn_export_options *options, spn_err *err) {
  for (int c = 0; c < 3; c++) {
    if (!(options->std[c] > 0 && options->std[c] < 1e6 && options->mean[c] > -1e6 && options->mean[c] < 1e6))
      return spn_fail(err, SPN_EINPUT, "export: expected a finite mean and a positive std, got mean %g, std %g",
                      options->mean[c], options->std[c]);
  }
  if (arch->input_channels != 1 && arch->input_channels != 3)
    return spn_fail(err, SPN_EINPUT, "export: expected 1 or 3 input channels, got %d", arch->input_channels);
  return SPN_OK;
}

spn_status spn_export(const char *format, const spn_arch *arch, const spn_tensors *weights,
                      const spn_export_options *options, const char *path, spn_err *err) {
  const spn_exporter *exporter;
  const spn_export_options defaults = spn_export_defaults();
  if (!options) options = &defaults;
  SPN_TRY(spn_exporter_find(format, &exporter, err));
  SPN_TRY(spn_arch_check(arch, err));
  SPN_TRY(check_options(arch, options, err));
  return exporter->function(arch, weights, options, path, err);
}
