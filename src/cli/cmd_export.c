#include <stdio.h>

#include "api/model_export.h"
#include "cli/cli.h"
#include "export/export.h"

static spn_status command(const spn_arguments *a, spn_err *err) {
  spn_model m;
  if (!a->positional)
    return spn_fail(err, SPN_EINPUT, "expected a network file, for example best.safetensors, got nothing");
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the file to write, got nothing");
  const char *format;
  SPN_TRY(spn_export_format(a->settings.export_format, a->out, &format, err));
  SPN_TRY(spn_model_load(a->positional, &m, err));
  spn_status status = spn_model_export(&m, &a->settings, format, a->out, err);
  if (!status) {
    printf("wrote %s (%s)\n", a->out, format);
    spn_cli_print_origin(m.tensors);
  }
  spn_model_free(&m);
  return status;
}

static void list_formats(FILE *out) {
  fprintf(out, "\nFormats:\n\n");
  for (int i = 0; spn_exporters[i]; i++)
    fprintf(out, "  %-10s %-10s %s\n", spn_exporter_names[i], spn_exporters[i]->suffix, spn_exporters[i]->about);
}

const spn_command spn_cmd_export = {
    .about = "Writes a trained network in a format other software runs.",
    .usage = "spnas export NETWORK.safetensors --out FILE [--format NAME] [--set export.opset=17]...\n\n"
             "  --out FILE         the file to write\n  --format NAME      export.format, where the suffix of FILE is "
             "not to choose",
    .help = list_formats,
    .sections = "export",
    .takes = "pof",
    .run = command};
