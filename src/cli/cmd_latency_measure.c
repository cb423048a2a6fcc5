#include <stdio.h>
#include <stdlib.h>

#include "cli/latency_command.h"
#include "io/file.h"
#include "latency/measure.h"

static spn_status measure_space(const spn_arguments *a, const spn_space *space, const spn_measure_options *options,
                                spn_err *err) {
  spn_table table;
  SPN_TRY(spn_measure_space(space, options, &table, err));
  snprintf(table.device, sizeof table.device, "%.95s", spn_cpu_name());
  snprintf(table.framework, sizeof table.framework, "%.80s, inference", spn_backend_version());
  spn_cli_describe_table(&a->settings, a->out, "measured on this computer by spnas latency measure", &table);
  table.threads = options->threads;
  spn_status status = spn_table_save(&table, a->out, err);
  if (!status) printf("wrote %s: %d entries\n", a->out, table.entries);
  spn_table_free(&table);
  return status;
}

/* network,ms,std,n: what latency fit takes. */
static spn_status write_networks(const spn_arguments *a, const spn_measured *m, int count, spn_err *err) {
  spn_file *file;
  char line[4096];
  SPN_TRY(spn_file_create(a->out, &file, err));
  int n = snprintf(line, sizeof line, "network,ms,std,n\n");
  spn_status status = spn_file_append(file, line, (size_t)n, err);
  for (int i = 0; !status && i < count; i++) {
    n = snprintf(line, sizeof line, "\"%.3900s\",%.6g,%.3g,%d\n", a->word[i + 1], m[i].cost, m[i].spread, m[i].count);
    status = spn_file_append(file, line, (size_t)n, err);
  }
  if (!status) return spn_file_commit(file, err);
  spn_file_abort(file);
  return status;
}

static spn_status measure_networks(const spn_arguments *a, const spn_measure_options *options, spn_err *err) {
  int count = a->words - 1;
  spn_arch *arch = calloc((size_t)count, sizeof *arch);
  spn_measured *m = calloc((size_t)count, sizeof *m);
  spn_status status = arch && m ? SPN_OK : spn_fail(err, SPN_ENOMEM, "latency measure: out of memory");
  for (int i = 0; !status && i < count; i++) {
    static spn_named_arch network;
    status = spn_cli_load_arch(&a->settings, a->word[i + 1], &network, err);
    arch[i] = network.arch;
  }
  if (!status) status = spn_measure_networks(arch, count, options, m, err);
  for (int i = 0; !status && i < count; i++)
    printf("%-40.40s %9.4f ms  (one run +- %.4f, %d runs)\n", a->word[i + 1], m[i].cost, m[i].spread, m[i].count);
  if (!status && a->out) status = write_networks(a, m, count, err);
  free(arch);
  free(m);
  return status;
}

spn_status spn_cli_latency_measure(const spn_arguments *a, spn_err *err) {
  const spn_settings *s = &a->settings;
  spn_measure_options options = {.threads = s->latency_threads ? (int)s->latency_threads : 1,
                                 .seconds = s->latency_seconds,
                                 .minimum = s->latency_minimum};
  static spn_space space;
  if (a->words < 2) return spn_fail(err, SPN_EINPUT, "latency measure: expected a space or networks, got nothing");
  if (a->words > 2 || spn_space_load(a->word[1], &space, NULL)) return measure_networks(a, &options, err);
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the table to write, got nothing");
  return measure_space(a, &space, &options, err);
}
