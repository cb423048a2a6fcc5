/* Networks measured as a whole, from a CSV. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/csv.h"
#include "latency/fit.h"
#include "model/blockstring.h"

typedef struct {
  int network, ms, width, size;
} columns;

static int first_of(const spn_csv *csv, const char *const *names) {
  for (int i = 0; names[i]; i++) {
    int at = spn_csv_find(csv, names[i]);
    if (at >= 0) return at;
  }
  return -1;
}

static spn_status find_columns(const spn_csv *csv, columns *out, spn_err *err) {
  static const char *const network[] = {"network", "arch", NULL}, *const ms[] = {"ms", "latency_ms", NULL};
  static const char *const width[] = {"width", NULL}, *const size[] = {"input_size", "size", NULL};
  *out = (columns){first_of(csv, network), first_of(csv, ms), first_of(csv, width), first_of(csv, size)};
  if (out->network < 0 || out->ms < 0)
    return spn_csv_fail(csv, -1, err, "expected the columns network and ms, got a header without %s",
                        out->network < 0 ? "network" : "ms");
  return SPN_OK;
}

/* Names in data/networks are in small letters. */
static spn_status load_network(const char *text, spn_arch *out, spn_err *err) {
  char name[96];
  if (spn_blockstring_is(text)) return spn_blockstring_network(text, out, NULL, err);
  if (strchr(text, '/') || strstr(text, ".json") || strlen(text) >= sizeof name) return spn_arch_load(text, out, err);
  for (size_t i = 0; i <= strlen(text); i++) name[i] = (char)tolower((unsigned char)text[i]);
  return spn_arch_load(name, out, err);
}

static spn_status read_row(const spn_csv *csv, const columns *at, spn_network_time *out, spn_err *err) {
  const char *name = spn_csv_text(csv, at->network);
  spn_err inner = {0};
  double width = 1, size = 0;
  spn_status status = load_network(name, &out->arch, &inner);
  if (status == SPN_EINPUT) return spn_csv_fail(csv, at->network, err, "%s", inner.text);
  if (status) return spn_fail(err, status, "%s", inner.text);
  SPN_TRY(spn_csv_real(csv, at->ms, 1e-9, 1e9, &out->measured, err));
  if (at->width >= 0 && *spn_csv_text(csv, at->width)) SPN_TRY(spn_csv_real(csv, at->width, 0.05, 8, &width, err));
  if (at->size >= 0 && *spn_csv_text(csv, at->size)) SPN_TRY(spn_csv_real(csv, at->size, 1, SPN_MAX_SIZE, &size, err));
  spn_arch_scale(&out->arch, width);
  if (size > 0) out->arch.input_size = (int)size;
  snprintf(out->name, sizeof out->name, "%.60s x%g at %d", out->arch.name, width, out->arch.input_size);
  if (spn_arch_check(&out->arch, &inner)) return spn_csv_fail(csv, at->network, err, "%s", inner.text);
  return SPN_OK;
}

static spn_status read_rows(spn_csv *csv, spn_network_time **list, int *count, spn_err *err) {
  columns at;
  SPN_TRY(find_columns(csv, &at, err));
  for (;;) {
    int end = 0;
    SPN_TRY(spn_csv_next(csv, &end, err));
    if (end && !*count) return spn_csv_fail(csv, -1, err, "expected measured networks, got none");
    if (end) return SPN_OK;
    if (*count == SPN_MAX_NETWORKS) return spn_csv_fail(csv, -1, err, "expected at most %d networks", SPN_MAX_NETWORKS);
    if (!(*count & (*count - 1))) { /* room in powers of two */
      spn_network_time *grown = realloc(*list, sizeof *grown * (size_t)(*count ? 2 * *count : 1));
      if (!grown) return spn_fail(err, SPN_ENOMEM, "latency: out of memory");
      *list = grown;
    }
    SPN_TRY(read_row(csv, &at, &(*list)[*count], err));
    ++*count;
  }
}

spn_status spn_networks_load(const char *path, spn_network_time **out, int *count, spn_err *err) {
  spn_csv *csv;
  *out = NULL;
  *count = 0;
  SPN_TRY(spn_csv_load(path, &csv, err));
  spn_status status = read_rows(csv, out, count, err);
  spn_csv_free(csv);
  if (!status) return SPN_OK;
  free(*out);
  *out = NULL;
  return status;
}
