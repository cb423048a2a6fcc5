#include "latency/import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "io/lines.h"

spn_status spn_import_steady(const spn_import *in, double cost, double spread, spn_err *err) {
  if (isnan(spread) || spread <= in->max_spread * cost) return SPN_OK;
  return spn_fail(
      err, SPN_EINPUT,
      "too noisy: runs spread by %.1f %% of %g, expected at most %.1f %% (latency.max_spread); measure again "
      "on a cool device with nothing else running",
      100 * spread / cost, cost, 100 * in->max_spread);
}

spn_status spn_import_add(spn_import *in, const spn_table_entry *entry, int average, spn_err *err) {
  char text[64];
  spn_table_entry *old = (spn_table_entry *)spn_table_find(&in->table, &entry->part, entry->layer);
  if (!old || old->layer != entry->layer) return spn_table_add(&in->table, entry, err);
  spn_part_text(&entry->part, text, sizeof text);
  if (!average) return spn_fail(err, SPN_EINPUT, "%s was measured already", text);
  double before = old->count > 0 ? (double)old->count : 1, now = entry->count > 0 ? (double)entry->count : 1;
  old->cost = (old->cost * before + entry->cost * now) / (before + now);
  old->spread = isnan(old->spread) ? entry->spread : fmax(old->spread, isnan(entry->spread) ? 0 : entry->spread);
  old->count += entry->count;
  return SPN_OK;
}

/* What the first lines that hold something look like. */
static spn_status (*kind_of(spn_lines *lines))(spn_import *, const char *, spn_err *) {
  int csv = 0;
  for (char *line; (line = spn_lines_next(lines));) {
    line += strspn(line, " \t\xEF\xBB\xBF");
    if (strstr(line, "node type") && strstr(line, "avg")) return spn_import_profile;
    if (*line == '{' && spn_lines_number(lines) == 1) return spn_import_singlepath;
    if (strstr(line, "-input:")) return spn_import_yaml;
    if (*line && *line != '#' && !csv) csv = strstr(line, "op") && strstr(line, "cin") && strchr(line, ',') ? 1 : -1;
  }
  return csv > 0 ? spn_import_csv : NULL;
}

spn_status spn_import_file(spn_import *in, const char *path, spn_err *err) {
  spn_lines *lines;
  SPN_TRY(spn_lines_load(path, &lines, err));
  spn_status (*reader)(spn_import *, const char *, spn_err *) = kind_of(lines);
  spn_lines_free(lines);
  if (reader) return reader(in, path, err);
  return spn_fail(
      err, SPN_EINPUT,
      "%.200s:1: expected a table of Single-Path NAS (JSON), ProxylessNAS or OFA (YAML), a CSV with the columns "
      "op,h,cin,cout,ms, or an op profile of benchmark_model; it looks like none of them",
      path);
}
