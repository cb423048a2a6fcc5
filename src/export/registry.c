#include "export/export.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *const spn_exporter_names[] = {
#define SPN_EXPORTER(name) #name,
#include "export/exporters.def"
#undef SPN_EXPORTER
    NULL};

const char *const spn_export_format_names[] = {"auto", "all",
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

/* The first exporter whose suffix ends path, or -1. Of suffixes that both fit, such as .json and .arch.json, the
 * longest. */
static int by_suffix(const char *path) {
  int best = -1;
  size_t n = strlen(path), longest = 0;
  for (int i = 0; spn_exporters[i]; i++) {
    size_t k = strlen(spn_exporters[i]->suffix);
    if (k <= longest || k >= n || strcasecmp(path + n - k, spn_exporters[i]->suffix)) continue;
    best = i;
    longest = k;
  }
  return best;
}

static spn_status no_suffix(const char *path, spn_err *err) {
  char list[512] = "";
  for (int i = 0; spn_exporters[i]; i++) {
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s (%s)", i ? ", " : "", spn_exporter_names[i],
             spn_exporters[i]->suffix);
  }
  return spn_fail(err, SPN_EINPUT, "%s: its suffix names no format; expected a format (--format) or a suffix of: %s",
                  path, list);
}

spn_status spn_export_format(const char *format, const char *path, const char **out, spn_err *err) {
  int at, suffix = by_suffix(path);
  if (!format || !strcmp(format, spn_export_format_names[0])) {
    if (suffix < 0) return no_suffix(path, err);
    *out = spn_exporter_names[suffix];
    return SPN_OK;
  }
  SPN_TRY(spn_name_find(spn_exporter_names, "export format", format, &at, err));
  if (suffix >= 0 && strcmp(spn_exporters[suffix]->suffix, spn_exporters[at]->suffix))
    return spn_fail(err, SPN_EINPUT, "%s: expected a name that ends with %s as format %s has it, got one of format %s",
                    path, spn_exporters[at]->suffix, format, spn_exporter_names[suffix]);
  *out = spn_exporter_names[at];
  return SPN_OK;
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

spn_status spn_export_takes_endpoints(const char *format, spn_err *err) {
  const char *able[sizeof spn_exporters / sizeof *spn_exporters];
  char list[SPN_NAMES_TEXT];
  int at, count = 0;
  SPN_TRY(spn_name_find(spn_exporter_names, "export format", format, &at, err));
  if (spn_exporters[at]->takes_endpoints) return SPN_OK;
  for (int i = 0; spn_exporters[i]; i++)
    if (spn_exporters[i]->takes_endpoints) able[count++] = spn_exporter_names[i];
  able[count] = NULL;
  spn_names_text(able, "", NULL, list, sizeof list);
  return spn_fail(err, SPN_EINPUT, "export.endpoints: format %s gives the logits alone; expected %s", format, list);
}

spn_status spn_export(const char *format, const spn_arch *arch, const spn_tensors *weights,
                      const spn_export_options *options, const char *path, spn_err *err) {
  int at;
  const spn_export_options defaults = spn_export_defaults();
  if (!options) options = &defaults;
  SPN_TRY(spn_name_find(spn_exporter_names, "export format", format, &at, err));
  SPN_TRY(spn_arch_check(arch, err));
  SPN_TRY(check_options(arch, options, err));
  if (options->endpoints.count) SPN_TRY(spn_export_takes_endpoints(format, err));
  return spn_exporters[at]->write(arch, weights, options, path, err);
}
