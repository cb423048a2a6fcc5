#include "report/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/version.h"
#include "io/file.h"
#include "report/pieces.h"
#include "train/columns.h"

enum { MAX_PATH = 4096, MAX_BYTES = 1 << 20, DOCS = 6 }; /* a megabyte: many times what a run writes of such files */

void spn_report_note(spn_report *r, const char *format, ...) {
  va_list args;
  if (r->notes == SPN_REPORT_NOTES) return;
  va_start(args, format);
  vsnprintf(r->note[r->notes++], SPN_REPORT_NOTE, format, args);
  va_end(args);
}

spn_status spn_report_path(const spn_report *r, const char *name, char *path, size_t size, spn_err *err) {
  if ((size_t)snprintf(path, size, "%s/%s", r->folder, name) < size) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "%s: the path is too long", r->folder);
}

/* A document of the run, as it stands there, as a member of "files"; null where it is not there or broken, which is
 * noted. expected: also that it is not there. */
static spn_status put_file(spn_report *r, const char *name, int expected, spn_json_doc **out, spn_err *err) {
  char path[MAX_PATH], *text = NULL;
  size_t size;
  spn_err why;
  *out = NULL;
  SPN_TRY(spn_report_path(r, name, path, sizeof path, err));
  spn_status status = spn_file_read(path, MAX_BYTES, &text, &size, &why);
  int there = !status;
  if (there) status = spn_json_parse(path, text, size, out, &why);
  if (status == SPN_ENOMEM) spn_fail(err, status, "%s", why.text);
  else if (status && (there || expected || status != SPN_EINPUT)) spn_report_note(r, "%s", why.text);
  if (status) spn_json_put_text(&r->data, name, NULL);
  else spn_json_put_raw(&r->data, name, text, size);
  free(text);
  return status == SPN_ENOMEM ? status : SPN_OK;
}

/* Of a folder without env.json the result tells. */
static int is_training(const spn_json_doc *environment, const spn_json_doc *result) {
  spn_json root, command;
  const char *text;
  if (!environment) return result != NULL;
  root = spn_json_root(environment);
  command = spn_json_get(&root, "command");
  return !spn_json_string(&command, &text, NULL) && !strcmp(text, "train");
}

static spn_json root_of(const spn_json_doc *doc) { return doc ? spn_json_root(doc) : (spn_json){.item = NULL}; }

/* What a folder tells; docs: of config, arch, environment, result, comparison and sweep, the caller's to free. */
static spn_status gather_folder(spn_report *r, spn_json_doc *docs[DOCS], spn_err *err) {
  spn_json_writer *w = &r->data;
  spn_json_doc *mistakes = NULL;
  spn_json_object(w, "files", SPN_JSON_DENSE);
  SPN_TRY(put_file(r, "compare.json", 0, &docs[4], err));
  SPN_TRY(put_file(r, "front.json", 0, &docs[5], err));
  r->is_run = !docs[4] && !docs[5];
  SPN_TRY(put_file(r, "config.resolved.json", r->is_run, &docs[0], err));
  SPN_TRY(put_file(r, "arch.json", 0, &docs[1], err));
  SPN_TRY(put_file(r, "env.json", r->is_run, &docs[2], err));
  SPN_TRY(put_file(r, "result.json", 0, &docs[3], err));
  spn_status status = put_file(r, "mistakes.json", 0, &mistakes, err);
  spn_json_free(mistakes);
  SPN_TRY(status);
  spn_json_end(w);
  r->is_training = is_training(docs[2], docs[3]);
  SPN_TRY(spn_report_rows(r, err));
  spn_json config = root_of(docs[0]), arch = root_of(docs[1]);
  SPN_TRY(spn_report_network(r, &config, &arch, err));
  spn_json search = spn_json_get(&config, "search"), cost = spn_json_get(&search, "cost");
  const char *name;
  if (r->is_training || !spn_json_is_string(&cost)) return SPN_OK;
  SPN_TRY(spn_json_string(&cost, &name, err));
  return spn_report_judged(r, name, 0, err);
}

/* Everything that the page shows. */
static spn_status gather(spn_report *r, spn_json_doc *docs[DOCS], spn_err *err) {
  spn_json_writer *w = &r->data;
  char made[32] = "", whole[MAX_PATH];
  time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc)) strftime(made, sizeof made, "%Y-%m-%dT%H:%M:%SZ", &utc);
  SPN_TRY(spn_path_absolute(r->folder, whole, sizeof whole));
  spn_json_object(w, NULL, SPN_JSON_DENSE);
  spn_json_put_text(w, "spnas", spn_version());
  spn_json_put_text(w, "folder", whole);
  spn_json_put_text(w, "made", made);
  SPN_TRY(r->is_model ? spn_report_judged(r, r->folder, 1, err) : gather_folder(r, docs, err));
  spn_columns_put(w);
  spn_json_array(w, "notes", SPN_JSON_DENSE);
  for (int i = 0; i < r->notes; i++) spn_json_put_text(w, NULL, r->note[i]);
  spn_json_end(w);
  spn_json_end(w);
  return SPN_OK;
}

static int is_file(const char *path) {
  struct stat st;
  return !stat(path, &st) && S_ISREG(st.st_mode);
}

/* A folder without settings and environment is no run, whatever else lies in it. */
spn_status spn_report_check(const char *folder, spn_err *err) {
  static const char *const marks[] = {"config.resolved.json", "env.json", "compare.json", "front.json", NULL};
  const spn_report r = {.folder = folder};
  char path[MAX_PATH];
  if (is_file(folder)) return SPN_OK; /* reading it tells */
  for (int i = 0; marks[i]; i++) {
    SPN_TRY(spn_report_path(&r, marks[i], path, sizeof path, err));
    FILE *f = fopen(path, "rb");
    if (f) return fclose(f), SPN_OK;
  }
  return spn_fail(err, SPN_EINPUT,
                  "%s: expected the folder of a search, training, comparison or sweep, got one without %s", folder,
                  marks[0]);
}

spn_status spn_report_data(const char *folder, char **data, size_t *size, spn_err *err) {
  spn_report *r = calloc(1, sizeof *r);
  spn_json_doc *docs[DOCS] = {NULL};
  const char *text;
  *data = NULL;
  if (!r) return spn_fail(err, SPN_ENOMEM, "report: out of memory");
  r->folder = folder;
  r->is_model = is_file(folder);
  spn_status status = spn_report_check(folder, err);
  if (!status) status = gather(r, docs, err);
  if (!status) status = spn_json_finish(&r->data, "report", &text, size, err);
  if (!status) *data = spn_json_take(&r->data);
  for (int i = 0; i < DOCS; i++) spn_json_free(docs[i]);
  spn_json_writer_free(&r->data);
  free(r);
  return status;
}

spn_status spn_report_write(const char *folder, const char *out, spn_err *err) {
  char *data, *page;
  size_t size;
  SPN_TRY(spn_report_data(folder, &data, &size, err));
  spn_status status = spn_report_page(data, size, 0, &page, &size, err);
  free(data);
  if (status) return status;
  status = spn_file_write(out, page, size, err);
  free(page);
  return status;
}
