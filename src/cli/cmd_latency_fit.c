#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/latency_command.h"
#include "io/file.h"

static const double SIGMAS_95 = 1.96; /* standard deviations of a 95 % interval */

/* The networks of a CSV, predicted. */
typedef struct {
  spn_network_time *list;
  int count;
  double *predicted, *error, *measured;
} measured_networks;

static void networks_free(measured_networks *n) {
  free(n->list);
  free(n->predicted);
  *n = (measured_networks){.count = 0};
}

static spn_status networks_load(const char *path, measured_networks *out, spn_err *err) {
  *out = (measured_networks){.count = 0};
  if (!path[0]) return SPN_OK;
  SPN_TRY(spn_networks_load(path, &out->list, &out->count, err));
  out->predicted = calloc((size_t)(3 * out->count), sizeof(double));
  if (!out->predicted) {
    networks_free(out);
    return spn_fail(err, SPN_ENOMEM, "latency fit: out of memory");
  }
  out->error = out->predicted + out->count;
  out->measured = out->error + out->count;
  return SPN_OK;
}

static void networks_predict(const spn_fit *fit, measured_networks *n) {
  static spn_prediction p;
  for (int i = 0; i < n->count; i++) {
    spn_fit_predict(fit, &n->list[i].arch, &p);
    n->predicted[i] = p.calibrated;
    n->error[i] = p.calibrated_error;
    n->measured[i] = n->list[i].measured;
  }
}

static void print_networks(const char *what, const measured_networks *n, const char *unit) {
  spn_agreement a;
  if (!n->count) return;
  int covered = 0;
  spn_agreement_of(n->predicted, n->measured, n->count, &a);
  printf("\n");
  spn_cli_print_agreement(what, &a, unit);
  for (int i = 0; i < n->count; i++) {
    covered += fabs(n->predicted[i] - n->measured[i]) <= SIGMAS_95 * n->error[i];
    printf("  %-40s measured %8.3f  predicted %8.3f +- %.3f  (%+.1f %%)\n", n->list[i].name, n->measured[i],
           n->predicted[i], SIGMAS_95 * n->error[i], 100 * (n->predicted[i] / n->measured[i] - 1));
  }
  printf("  %d of %d lie within their 95 %% interval\n", covered, n->count);
}

/* ---- Report ---- */

static void print_tables(const spn_fit *fit, const spn_table_check *check) {
  printf("\nentries, each shape left out of the fit in turn:\n");
  for (int t = 0; t < fit->tables; t++) {
    const spn_table *table = &fit->table[t];
    spn_cli_print_agreement(table->name, &check[t].agreement, fit->unit);
    printf("  worst:");
    for (int i = 0; i < check[t].worst_count; i++) {
      const spn_table_entry *e = &table->entry[check[t].worst[i]];
      char text[64];
      spn_part_text(&e->part, text, sizeof text);
      printf("%s %s (%+.1f %%)", i ? "," : "", text, 100 * (check[t].predicted[check[t].worst[i]] / e->cost - 1));
    }
    printf("\n");
  }
}

static void print_weights(const spn_fit *fit) {
  printf("\n%s for a million of each kind of work (ops: for each), by table:\n", fit->unit);
  for (int i = 0; spn_work_names[i]; i++) {
    printf("  %-12s", spn_work_names[i]);
    for (int t = 0; t < fit->tables; t++) printf(" %9.4f", fit->weight[t][i]);
    printf("\n");
  }
  if (!fit->networks) return;
  printf("factors from %d networks:", fit->networks);
  for (int c = 0; spn_class_names[c]; c++) printf(" %s %.3f", spn_class_names[c], fit->factor[c]);
  printf("\n");
}

static spn_status print_halves(const spn_fit *fit, const measured_networks *n, spn_err *err) {
  spn_halves h;
  if (n->count < 4) return SPN_OK;
  SPN_TRY(spn_fit_halves(fit, n->list, n->count, &h, err));
  printf("\ncalibrated on %d networks, judged on the other %d, %s%d halves:\n", n->count / 2, n->count - n->count / 2,
         h.all ? "all " : "", h.halves);
  printf("  MAPE %.2f %% on average, %.2f %% in the worst half; largest error of a network %.1f %% in the median half, "
         "%.1f %% in all;\n  Kendall %.3f on average, %.3f at least; MAPE at most 3 %% and no error above 8 %% in %.1f "
         "%% of them\n",
         100 * h.mape, 100 * h.worst_mape, 100 * h.typical_worst, 100 * h.worst, h.kendall, h.least_kendall,
         100 * h.good);
  return SPN_OK;
}

/* ---- What it was judged by ---- */

static spn_status gather_points(spn_fit *fit, const spn_table_check *check, const measured_networks *sets,
                                spn_err *err) {
  static const spn_point_kind kinds[] = {SPN_POINT_CALIBRATION, SPN_POINT_HOLDOUT};
  size_t count = (size_t)(sets[0].count + sets[1].count);
  for (int t = 0; t < fit->tables; t++) count += (size_t)fit->table[t].entries;
  spn_fit_point *p = fit->point = calloc(count + 1, sizeof *p);
  if (!p) return spn_fail(err, SPN_ENOMEM, "latency fit: out of memory");
  for (int t = 0; t < fit->tables; t++)
    for (int i = 0; i < fit->table[t].entries; i++, p++) {
      const spn_table_entry *e = &fit->table[t].entry[i];
      double predicted = check[t].predicted[i];
      *p = (spn_fit_point){.source = fit->table[t].name, .measured = e->cost, .predicted = predicted};
      p->error = fit->spread * predicted;
      spn_part_text(&e->part, p->name, sizeof p->name);
    }
  for (int s = 0; s < 2; s++)
    for (int i = 0; i < sets[s].count; i++, p++) {
      *p = (spn_fit_point){.kind = kinds[s], .source = "network", .measured = sets[s].measured[i]};
      p->predicted = sets[s].predicted[i];
      p->error = sets[s].error[i];
      snprintf(p->name, sizeof p->name, "%s", sets[s].list[i].name);
    }
  fit->points = (int)count;
  return SPN_OK;
}

static spn_status write_plot(const char *path, const spn_fit *fit, spn_err *err) {
  spn_file *file;
  char line[256];
  SPN_TRY(spn_file_create(path, &file, err));
  const char header[] = "kind,name,measured,predicted,error,source\n";
  spn_status status = spn_file_append(file, header, sizeof header - 1, err);
  for (int i = 0; !status && i < fit->points; i++) {
    const spn_fit_point *p = &fit->point[i];
    int n = snprintf(line, sizeof line, "%s,%s,%g,%g,%g,%s\n", spn_point_names[p->kind], p->name, p->measured,
                     p->predicted, p->error, p->source);
    status = spn_file_append(file, line, (size_t)n, err);
  }
  if (!status) return spn_file_commit(file, err);
  spn_file_abort(file);
  return status;
}

/* ---- Command ---- */

static void name_fit(spn_fit *fit, const spn_settings *s, const char *path) {
  const char *base = strrchr(path, '/');
  int length = 0;
  snprintf(fit->name, sizeof fit->name, "%.63s", s->latency_name[0] ? s->latency_name : base ? base + 1 : path);
  char *end = strstr(fit->name, ".json");
  if (end && !s->latency_name[0]) *end = 0;
  strcpy(fit->unit, fit->table[0].unit);
  for (int t = 0; t < fit->tables && length < (int)sizeof fit->source; t++)
    length += snprintf(fit->source + length, sizeof fit->source - (size_t)length, "%s%s", t ? ", " : "fitted to ",
                       fit->table[t].name);
}

static spn_status load_tables(const spn_arguments *a, spn_fit *fit, spn_err *err) {
  if (a->words < 2) return spn_fail(err, SPN_EINPUT, "latency fit: expected at least one table, got none");
  if (a->words - 1 > SPN_MAX_FIT_TABLES)
    return spn_fail(err, SPN_EINPUT, "latency fit: expected at most %d tables, got %d", SPN_MAX_FIT_TABLES,
                    a->words - 1);
  for (int i = 1; i < a->words; i++) {
    SPN_TRY(spn_table_load(a->word[i], &fit->table[fit->tables], err));
    fit->tables++;
  }
  return SPN_OK;
}

static spn_status fit_and_report(const spn_arguments *a, spn_fit *fit, spn_table_check *check, measured_networks *sets,
                                 spn_err *err) {
  const spn_settings *s = &a->settings;
  SPN_TRY(networks_load(s->latency_networks, &sets[0], err));
  SPN_TRY(networks_load(s->latency_holdout, &sets[1], err));
  SPN_TRY(spn_fit_tables(fit, err));
  SPN_TRY(spn_fit_cross_validate(fit, check, err));
  print_tables(fit, check);
  SPN_TRY(print_halves(fit, &sets[0], err));
  if (sets[0].count) SPN_TRY(spn_fit_calibrate(fit, sets[0].list, sets[0].count, err));
  print_weights(fit);
  for (int i = 0; i < 2; i++) networks_predict(fit, &sets[i]);
  print_networks("networks that calibrate", &sets[0], fit->unit);
  if (fit->networks) printf("  each left out in turn: %.2f %% (root mean square)\n", 100 * fit->network_spread);
  print_networks("held-out networks", &sets[1], fit->unit);
  SPN_TRY(gather_points(fit, check, sets, err));
  if (s->latency_plot[0]) SPN_TRY(write_plot(s->latency_plot, fit, err));
  SPN_TRY(spn_fit_save(fit, a->out, err));
  printf("\nwrote %s\n", a->out);
  return SPN_OK;
}

spn_status spn_cli_latency_fit(const spn_arguments *a, spn_err *err) {
  static spn_fit fit;
  spn_table_check check[SPN_MAX_FIT_TABLES] = {{.predicted = NULL}};
  measured_networks sets[2] = {{.count = 0}};
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the file to write, got nothing");
  spn_status status = load_tables(a, &fit, err);
  if (!status) {
    name_fit(&fit, &a->settings, a->out);
    status = fit_and_report(a, &fit, check, sets, err);
  }
  for (int t = 0; t < fit.tables; t++) spn_table_check_free(&check[t]);
  for (int i = 0; i < 2; i++) networks_free(&sets[i]);
  spn_fit_free(&fit);
  return status;
}
