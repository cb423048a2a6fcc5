#include <stdio.h>
#include <string.h>

#include "cli/latency_command.h"
#include "latency/import.h"

static void copy_or(char *out, size_t size, const char *text, const char *otherwise) {
  snprintf(out, size, "%.*s", (int)size - 1, text[0] ? text : otherwise);
}

void spn_cli_describe_table(const spn_settings *s, const char *path, const char *source, spn_table *t) {
  char base[64];
  const char *slash = strrchr(path, '/');
  snprintf(base, sizeof base, "%.63s", slash ? slash + 1 : path);
  char *end = strstr(base, ".json");
  if (end) *end = 0;
  copy_or(t->name, sizeof t->name, s->latency_name, base);
  copy_or(t->device, sizeof t->device, s->latency_device, t->device);
  copy_or(t->framework, sizeof t->framework, s->latency_framework, t->framework);
  copy_or(t->source, sizeof t->source, source, "imported");
  strcpy(t->unit, "ms");
  if (s->latency_threads) t->threads = (int)s->latency_threads;
}

spn_status spn_cli_latency_import(const spn_arguments *a, spn_err *err) {
  const spn_settings *s = &a->settings;
  spn_import in = {.network = s->latency_network, .max_spread = s->latency_max_spread};
  spn_status status = SPN_OK;
  char source[192];
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the table to write, got nothing");
  if (a->words < 2) return spn_fail(err, SPN_EINPUT, "latency import: expected at least one file, got none");
  for (int i = 1; !status && i < a->words; i++) status = spn_import_file(&in, a->word[i], err);
  if (!status && !in.table.entries)
    status = spn_fail(err, SPN_EINPUT, "%.200s: expected measured blocks, got none that a network here can have",
                      a->word[1]);
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
