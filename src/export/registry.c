#include "export/export.h"

const char *const spn_exporter_names[] = {
#define SPN_EXPORTER(name) #name,
#include "export/exporters.def"
#undef SPN_EXPORTER
    NULL};

const spn_exporter *const spn_exporters[] = {
#define SPN_EXPORTER(name) &spn_exporter_##name,
#include "export/exporters.def"
#undef SPN_EXPORTER
    NULL};

spn_export_options spn_export_defaults(void) {
  return (spn_export_options){.opset = 13,
                              .fold_bn = 1,
                              .input = SPN_INPUT_NORMALISED,
                              .mean = {0.485, 0.456, 0.406},
                              .std = {0.229, 0.224, 0.225}};
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
  int at;
  const spn_export_options defaults = spn_export_defaults();
  if (!options) options = &defaults;
  SPN_TRY(spn_name_find(spn_exporter_names, "export format", format, &at, err));
  SPN_TRY(spn_arch_check(arch, err));
  SPN_TRY(check_options(arch, options, err));
  return spn_exporters[at]->write(arch, weights, options, path, err);
}
