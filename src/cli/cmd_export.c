#include <stdio.h>
#include <string.h>

#include "api/model_export.h"
#include "cli/cli.h"
#include "export/export.h"
#include "io/file.h"
#include "io/json_write.h"

/* "3.1e-06 of the logits' standard deviation, 200 of 200 the same class" */
static void check_text(const spn_export_check *c, char *text, size_t size) {
  if (!c->images) snprintf(text, size, "not checked");
  else snprintf(text, size, "worst difference %.1e, same class %d of %d", c->difference, c->same, c->images);
}

static void say_samples(const spn_arguments *a, const spn_export_samples *samples) {
  if (samples->real) printf("checked on %d training images of %s; ", samples->count, a->settings.data_path);
  else printf("checked on %d images of noise (--data gives real ones); ", samples->count);
  printf("differences are in standard deviations of the logits\n");
}

static spn_status export_one(const spn_arguments *a, const spn_model *m, const spn_export_samples *samples,
                             spn_err *err) {
  const char *format;
  char text[96];
  spn_export_check check;
  SPN_TRY(spn_export_format(a->settings.export_format, a->out, &format, err));
  SPN_TRY(spn_model_export(m, &a->settings, samples, format, a->out, &check, err));
  check_text(&check, text, sizeof text);
  printf("wrote %s (%s): %s\n", a->out, format, text);
  if (check.images) say_samples(a, samples);
  return SPN_OK;
}

/* ---- Every format ---- */

/* The network's file without folder and suffix. */
static int stem_of(const char *path, const char **stem) {
  const char *slash = strrchr(path, '/');
  *stem = slash ? slash + 1 : path;
  const char *dot = strchr(*stem, '.');
  return (int)(dot && dot > *stem ? (size_t)(dot - *stem) : strlen(*stem));
}

static void put_row(spn_json_writer *w, const char *format, const char *path, const spn_export_check *check,
                    const char *problem) {
  char text[96];
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(w, "format", format);
  spn_json_put_text(w, problem ? "problem" : "file", problem ? problem : path);
  if (!problem && check->images) {
    spn_json_put_integer(w, "images", check->images);
    spn_json_put_rounded(w, "difference", check->difference, 3);
    spn_json_put_integer(w, "same", check->same);
  }
  spn_json_end(w);
  check_text(check, text, sizeof text);
  if (problem) printf("%-12s left out: %s\n", format, problem);
  else printf("%-12s %-40s %s\n", format, path, text);
}

static spn_status write_all(const spn_arguments *a, const spn_model *m, const spn_export_samples *samples,
                            spn_json_writer *w, spn_err *err) {
  const char *stem;
  const int length = stem_of(a->positional, &stem);
  for (int i = 0; spn_exporters[i]; i++) {
    char path[4096];
    spn_export_check check = {0};
    if (snprintf(path, sizeof path, "%s/%.*s%s", a->out, length, stem, spn_exporters[i]->suffix) >= (int)sizeof path)
      return spn_fail(err, SPN_EINPUT, "--out: the path is too long");
    const int needs_data = spn_exporters[i]->approximate && !samples->real;
    if (!needs_data) SPN_TRY(spn_model_export(m, &a->settings, samples, spn_exporter_names[i], path, &check, err));
    put_row(w, spn_exporter_names[i], path, &check, needs_data ? "its ranges need images (--data)" : NULL);
  }
  return SPN_OK;
}

/* All formats into a folder, and what the checks found into export.json there. */
static spn_status export_all(const spn_arguments *a, const spn_model *m, const spn_export_samples *samples,
                             spn_err *err) {
  char path[4096];
  spn_json_writer w = {0};
  if (snprintf(path, sizeof path, "%s/export.json", a->out) >= (int)sizeof path)
    return spn_fail(err, SPN_EINPUT, "--out: the path is too long");
  SPN_TRY(spn_folder_create(a->out, err));
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_json_put_text(&w, "network", a->positional);
  spn_json_put_text(&w, "images", samples->real ? a->settings.data_path : "noise");
  spn_json_array(&w, "formats", SPN_JSON_LINES);
  spn_status status = write_all(a, m, samples, &w, err);
  spn_json_end(&w);
  spn_json_end(&w);
  if (status) {
    spn_json_writer_free(&w);
    return status;
  }
  say_samples(a, samples);
  return spn_json_save(&w, path, err);
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  const int all = !strcmp(a->settings.export_format, "all");
  const char *format;
  spn_export_samples samples;
  spn_model m;
  if (!a->positional)
    return spn_fail(err, SPN_EINPUT, "expected a network file, for example best.safetensors, got nothing");
  if (!a->out)
    return spn_fail(err, SPN_EINPUT, "--out: expected the file to write, or the folder for all, got nothing");
  if (!all) SPN_TRY(spn_export_format(a->settings.export_format, a->out, &format, err)); /* before anything else */
  SPN_TRY(spn_model_load(a->positional, &m, err));
  spn_status status = spn_export_samples_make(&m, &a->settings, &samples, err);
  if (!status) {
    status = all ? export_all(a, &m, &samples, err) : export_one(a, &m, &samples, err);
    spn_export_samples_free(&samples);
  }
  if (!status) spn_cli_print_origin(m.tensors);
  spn_model_free(&m);
  return status;
}

static void list_formats(FILE *out) {
  fprintf(out, "\nFormats:\n\n");
  for (int i = 0; spn_exporters[i]; i++)
    fprintf(out, "  %-10s %-10s %s\n", spn_exporter_names[i], spn_exporters[i]->suffix, spn_exporters[i]->about);
}

const spn_command spn_cmd_export = {
    .about = "Writes a trained network in a format other software runs, and checks what was written.",
    .usage = "spnas export NETWORK.safetensors --out FILE [--format NAME] [--data DIR] [--set export.opset=17]...\n"
             "       spnas export NETWORK.safetensors --format all --out DIR [--data DIR]\n\n"
             "  --out FILE         the file to write\n  --format NAME      export.format, where the suffix of FILE is "
             "not to choose; all: every format\n                     into the folder DIR, with export.json\n"
             "  --data DIR         data.path: images for int8's ranges and for the check (without: noise)",
    .help = list_formats,
    .sections = "export",
    .takes = "pofd",
    .run = command};
