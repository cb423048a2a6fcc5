#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/latency_command.h"
#include "io/file.h"
#include "latency/import_kit.h"

/* otherwise NULL: what stands there stays. */
static void copy_or(char *out, size_t size, const char *text, const char *otherwise) {
  if (!text[0]) text = otherwise;
  if (text) snprintf(out, size, "%.*s", (int)size - 1, text);
}

void spn_cli_describe_table(const spn_settings *s, const char *path, const char *source, spn_table *t) {
  char base[64];
  const char *slash = strrchr(path, '/');
  snprintf(base, sizeof base, "%.63s", slash ? slash + 1 : path);
  char *end = strstr(base, ".json");
  if (end) *end = 0;
  copy_or(t->name, sizeof t->name, s->latency_name, base);
  copy_or(t->device, sizeof t->device, s->latency_device, NULL);
  copy_or(t->framework, sizeof t->framework, s->latency_framework, NULL);
  copy_or(t->source, sizeof t->source, source, NULL);
  strcpy(t->unit, "ms");
  if (s->latency_threads) t->threads = (int)s->latency_threads;
}

/* "phone.json" and "networks" give "phone-networks.csv". */
static void beside(const char *table, const char *what, char *out, size_t size) {
  size_t n = strlen(table);
  if (n > 5 && !strcmp(table + n - 5, ".json")) n -= 5;
  snprintf(out, size, "%.*s-%s.csv", (int)n, table, what);
}

static spn_status write_networks(const char *path, const char *folder, const spn_kit_results *r, int holdout,
                                 spn_err *err) {
  spn_file *file;
  char line[8400];
  SPN_TRY(spn_file_create(path, &file, err));
  int n = snprintf(line, sizeof line, "network,ms,std,n\n");
  spn_status status = spn_file_append(file, line, (size_t)n, err);
  for (int i = 0; !status && i < r->networks; i++) {
    const spn_kit_network *k = &r->network[i];
    if (k->holdout != holdout) continue;
    n = snprintf(line, sizeof line, "\"%.4000s/%s\",%.6g,%.3g,%lld\n", folder, k->arch, k->ms, k->spread, k->count);
    status = spn_file_append(file, line, (size_t)n, err);
  }
  if (!status) return spn_file_commit(file, err);
  spn_file_abort(file);
  return status;
}

static spn_status import_kit(const spn_arguments *a, spn_import *in, spn_err *err) {
  static const char *const what[] = {"networks", "holdout"};
  spn_kit_results r;
  SPN_TRY(spn_import_kit(in, a->word[1], &r, err));
  spn_status status = SPN_OK;
  for (int h = 0; !status && h < 2; h++) {
    char path[4200];
    int count = 0;
    for (int i = 0; i < r.networks; i++) count += r.network[i].holdout == h;
    beside(a->out, what[h], path, sizeof path);
    if (count) status = write_networks(path, a->word[1], &r, h, err);
    if (count && !status) printf("wrote %s: %d networks\n", path, count);
  }
  if (!status && r.noisy) printf("%d noisy logs left out of %d rounds\n", r.noisy, r.rounds);
  free(r.network);
  return status;
}

static int is_folder(const char *path) {
  struct stat known;
  return !stat(path, &known) && S_ISDIR(known.st_mode);
}

static spn_status read_all(const spn_arguments *a, spn_import *in, spn_err *err) {
  if (is_folder(a->word[1]) && a->words == 2) return import_kit(a, in, err);
  for (int i = 1; i < a->words; i++) SPN_TRY(spn_import_file(in, a->word[i], err));
  if (in->table.entries) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "%.200s: expected measured blocks, got none that a network here can have",
                  a->word[1]);
}

spn_status spn_cli_latency_import(const spn_arguments *a, spn_err *err) {
  const spn_settings *s = &a->settings;
  spn_import in = {.network = s->latency_network, .max_spread = s->latency_max_spread};
  char source[192];
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the table to write, got nothing");
  if (a->words < 2) return spn_fail(err, SPN_EINPUT, "latency import: expected at least one file, got none");
  spn_status status = read_all(a, &in, err);
  if (!status) {
    const char *slash = strrchr(a->word[1], '/');
    snprintf(source, sizeof source, "imported from %.120s%s", slash ? slash + 1 : a->word[1],
             a->words > 2 ? " and others" : "");
    spn_cli_describe_table(s, a->out, source, &in.table);
    spn_table_sort(&in.table);
    status = spn_table_save(&in.table, a->out, err);
  }
  if (!status) {
    printf("wrote %s: %d entries", a->out, in.table.entries);
    if (in.passed_over) printf("; %d passed over that no network here can have", in.passed_over);
    printf("\n");
  }
  spn_table_free(&in.table);
  return status;
}
