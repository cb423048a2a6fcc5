#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "api/model_export.h"
#include "cli/cli.h"
#include "export/export.h"
#include "io/file.h"
#include "io/json_write.h"

static void say_samples(const spn_arguments *a, const spn_export_samples *samples) {
  const int count = samples->maps ? samples->mapped : samples->count;
  if (samples->real) printf("checked on %d training images of %s", count, a->settings.data_path);
  else printf("checked on %d images of noise (--data gives real ones)", count);
  printf(": every file was read back, run and held against the network; differences\n");
  printf("(worst: the largest, typical: root of the mean square) are in standard deviations of what is compared\n");
}

/* "worst difference 3.1e-06, same class 8 of 8", or of several outputs each. */
static void say_check(const spn_export_check *c) {
  if (!c->images) printf("not checked");
  else if (c->outputs == 1) printf("worst difference %.1e", c->off.worst);
  else printf("worst differences");
  for (int o = 0; c->outputs > 1 && o < c->outputs; o++)
    printf("%s %s %.1e", o ? "," : "", c->output[o].name, c->output[o].off.worst);
  if (c->same >= 0 && c->images) printf(", same class %d of %d", c->same, c->images);
  putchar('\n');
}

static spn_status export_one(const spn_arguments *a, const spn_model *m, const spn_export_samples *samples,
                             spn_err *err) {
  const char *format;
  spn_export_check check;
  SPN_TRY(spn_export_format(a->settings.export_format, a->out, &format, err));
  SPN_TRY(spn_model_export(m, &a->settings, samples, format, a->out, &check, err));
  printf("wrote %s (%s): ", a->out, format);
  say_check(&check);
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

/* What became of one format. */
typedef struct {
  const char *format, *path, *problem; /* problem: why it was left out, or NULL */
  long long bytes;
  spn_export_check check;
} row;

static void put_outputs(spn_json_writer *w, const spn_export_check *c) {
  spn_json_object(w, "outputs", SPN_JSON_INLINE);
  for (int o = 0; o < c->outputs; o++) {
    spn_json_object(w, c->output[o].name, SPN_JSON_INLINE);
    spn_json_put_rounded(w, "difference", c->output[o].off.worst, 3);
    spn_json_put_rounded(w, "typical", c->output[o].off.typical, 3);
    spn_json_end(w);
  }
  spn_json_end(w);
}

static void put_row(spn_json_writer *w, const row *r) {
  const spn_export_check *c = &r->check;
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(w, "format", r->format);
  spn_json_put_text(w, r->problem ? "problem" : "file", r->problem ? r->problem : r->path);
  if (!r->problem) spn_json_put_integer(w, "bytes", r->bytes);
  if (c->images) {
    spn_json_put_integer(w, "images", c->images);
    spn_json_put_rounded(w, "difference", c->off.worst, 3);
    spn_json_put_rounded(w, "typical", c->off.typical, 3);
    if (c->same >= 0) spn_json_put_integer(w, "same", c->same);
    if (c->outputs > 1 || c->same < 0) put_outputs(w, c);
  }
  spn_json_end(w);
}

static void print_row(const row *r) {
  const spn_export_check *c = &r->check;
  char same[32] = "";
  if (r->problem) {
    printf("%-12s %10s  left out: %s\n", r->format, "-", r->problem);
    return;
  }
  if (c->images && c->same >= 0) snprintf(same, sizeof same, "%d of %d", c->same, c->images);
  printf("%-12s %10.1f  ", r->format, (double)r->bytes / 1000);
  if (c->images)
    printf("%-9s %8.1e %8.1e  %-11s %s\n", c->output[0].name, c->output[0].off.worst, c->output[0].off.typical,
           c->outputs == 1 ? same : "", r->path);
  else printf("%-9s %8s %8s  %-11s %s\n", "picture", "", "", "", r->path);
  for (int o = 1; o < c->outputs; o++)
    printf("%-12s %10s  %-9s %8.1e %8.1e  %s\n", "", "", c->output[o].name, c->output[o].off.worst,
           c->output[o].off.typical, o == c->outputs - 1 ? same : "");
}

/* One format, unless it cannot be. */
static spn_status write_format(const spn_arguments *a, const spn_model *m, const spn_export_samples *samples, int at,
                               row *r, spn_err *err) {
  const spn_exporter *e = spn_exporters[at];
  struct stat info;
  if (e->approximate && !samples->real) r->problem = "its ranges need images (--data)";
  if (samples->maps && !e->takes_endpoints) r->problem = "it gives no endpoints";
  if (r->problem) return SPN_OK;
  SPN_TRY(spn_model_export(m, &a->settings, samples, r->format, r->path, &r->check, err));
  r->bytes = stat(r->path, &info) ? 0 : (long long)info.st_size;
  return SPN_OK;
}

static spn_status write_all(const spn_arguments *a, const spn_model *m, const spn_export_samples *samples,
                            spn_json_writer *w, spn_err *err) {
  const char *stem;
  const int length = stem_of(a->positional, &stem);
  printf("%-12s %10s  %-9s %8s %8s  %-11s %s\n", "format", "kB", "output", "worst", "typical", "same class", "file");
  for (int i = 0; spn_exporters[i]; i++) {
    char path[4096];
    row r = {.format = spn_exporter_names[i], .path = path};
    if (snprintf(path, sizeof path, "%s/%.*s%s", a->out, length, stem, spn_exporters[i]->suffix) >= (int)sizeof path)
      return spn_fail(err, SPN_EINPUT, "--out: the path is too long");
    SPN_TRY(write_format(a, m, samples, i, &r, err));
    put_row(w, &r);
    print_row(&r);
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
  if (!all) { /* before anything else */
    SPN_TRY(spn_export_format(a->settings.export_format, a->out, &format, err));
    if (a->settings.export_endpoints[0]) SPN_TRY(spn_export_takes_endpoints(format, err));
  }
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
    .usage =
        "spnas export NETWORK.safetensors --out FILE [--format NAME] [--data DIR] [--endpoints 8,16,32] [--set "
        "export.opset=17]...\n"
        "       spnas export NETWORK.safetensors --format all --out DIR [--data DIR]\n\n"
        "  --out FILE         the file to write\n  --format NAME      export.format, where the suffix of FILE is "
        "not to choose; all: every format\n                     into the folder DIR, with export.json\n"
        "  --data DIR         data.path: images for int8's ranges and for the check (without: noise)\n"
        "  --endpoints LIST   export.endpoints: feature maps at these strides, for detection heads, instead of the "
        "logits\n                     (8,16,32,logits: beside them)",
    .help = list_formats,
    .sections = "export",
    .takes = "pofdE",
    .run = command};
