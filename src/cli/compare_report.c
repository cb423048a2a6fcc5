#define _POSIX_C_SOURCE 200809L
/* What a comparison says: tables for people, compare.json and compare.csv for plots. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/summary.h"
#include "io/file.h"
#include "search/significance.h"
#include "search/tabular.h"

enum { PERCENT = 100, PAIRS = (SPN_COMPARE_ROWS + 1) * SPN_COMPARE_ROWS / 2 };

/* ---- Reading ---- */

static spn_status read_number(const spn_json *object, const char *key, double *out, spn_err *err) {
  spn_json at = spn_json_get(object, key);
  return spn_json_real(&at, 0, 1e15, out, err);
}

static spn_status read_members(const spn_json *root, spn_compare_entry *e, spn_err *err) {
  spn_json network = spn_json_get(root, "network"), blocks = spn_json_get(root, "mnasnet");
  const char *code, *text;
  SPN_TRY(spn_json_string(&network, &code, err));
  if (strlen(code) >= sizeof e->network) return spn_json_expected(&network, "the code of a network", err);
  strcpy(e->network, code);
  SPN_TRY(read_number(root, "predicted", &e->predicted, err));
  SPN_TRY(read_number(root, "images", &e->images, err));
  SPN_TRY(read_number(root, "seconds", &e->seconds, err));
  SPN_TRY(spn_json_string(&blocks, &text, err));
  e->blocks = strdup(text);
  return e->blocks ? SPN_OK : spn_fail(err, SPN_ENOMEM, "compare: out of memory");
}

spn_status spn_compare_read(const spn_compare *c, int row, int target, int number, spn_compare_entry *e, spn_err *err) {
  char name[SPN_COMPARE_PATH], path[SPN_SERIES_PATH];
  spn_json_doc *doc;
  *e = (spn_compare_entry){.row = row, .target = target, .number = number, .accuracy = NAN, .percentile = NAN};
  spn_compare_run(c, row, target, number, name);
  SPN_TRY(spn_series_path(&c->series, name, "arch.json", path, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc);
  spn_status status = read_members(&root, e, err);
  spn_json_free(doc);
  return status;
}

/* On test images; without any, on the held-out ones, which chose the epoch. */
static spn_status read_training(const spn_compare *c, spn_compare_entry *e, spn_err *err) {
  char name[SPN_COMPARE_PATH], path[SPN_SERIES_PATH];
  spn_json_doc *doc;
  spn_compare_training(e->network, name);
  SPN_TRY(spn_series_path(&c->series, name, "result.json", path, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc), test = spn_json_get(&root, "test_top1");
  spn_status status = read_number(&root, spn_json_is_null(&test) ? "holdout_top1" : "test_top1", &e->accuracy, err);
  spn_json_free(doc);
  return status;
}

static spn_status judge(const spn_compare *c, spn_compare_entry *e, spn_err *err) {
  spn_choice choice;
  if (!c->table) return read_training(c, e, err);
  if (spn_code_read(&c->space, &c->decisions, e->network, &choice)) e->accuracy = spn_tabular_mean(c->table, &choice);
  if (!isnan(e->accuracy)) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "search.table: there is no row for network %s", e->network);
}

/* ---- What follows ---- */

typedef struct {
  const spn_compare *compare;
  spn_compare_entry *entry; /* rows' first, by row, target and seed; then the population, by target and number */
  int count;
  double *population; /* accuracies, by target */
  spn_sample *random; /* of each target */
  double *room;       /* for a row's or a population's values over all targets */
  spn_sample
      advantage[SPN_COMPARE_ROWS + 1]; /* over the mean of the target's population; the last: the population's own */
  spn_comparison test[PAIRS];
  double adjusted[PAIRS];
  int tests;
} findings;

static spn_compare_entry *found(const findings *f, int row, int target, int seed) {
  const spn_compare *c = f->compare;
  return &f->entry[(row * c->series.targets + target) * c->seeds + seed];
}

static spn_compare_entry *drawn(const findings *f, int target, int number) {
  const spn_compare *c = f->compare;
  return &f->entry[c->rows * c->series.targets * c->seeds + target * c->population + number];
}

static spn_status gather(findings *f, spn_err *err) {
  const spn_compare *c = f->compare;
  for (int r = -1; r < c->rows; r++)
    for (int t = 0; t < c->series.targets; t++)
      for (int n = 0; n < (r < 0 ? c->population : c->seeds); n++) {
        spn_compare_entry *e = r < 0 ? drawn(f, t, n) : found(f, r, t, n);
        SPN_TRY(spn_compare_read(c, r, t, n, e, err));
        SPN_TRY(judge(c, e, err));
      }
  return SPN_OK;
}

static void place_all(findings *f) {
  const spn_compare *c = f->compare;
  for (int t = 0; t < c->series.targets; t++) {
    double *accuracies = f->population + t * c->population;
    for (int n = 0; n < c->population; n++) accuracies[n] = drawn(f, t, n)->accuracy;
    spn_sample_of(accuracies, c->population, &f->random[t]);
    for (int r = 0; r < c->rows; r++)
      for (int n = 0; n < c->seeds; n++) {
        spn_compare_entry *e = found(f, r, t, n);
        e->percentile = spn_percentile(e->accuracy, accuracies, c->population);
      }
  }
}

/* Over all targets at once: by how much a row's networks are better than the mean of their target's population. */
static void weigh(findings *f) {
  const spn_compare *c = f->compare;
  for (int r = 0; r <= c->rows; r++) {
    int n = 0, each = r < c->rows ? c->seeds : c->population;
    for (int t = 0; t < c->series.targets; t++)
      for (int i = 0; i < each; i++)
        f->room[n++] = (r < c->rows ? found(f, r, t, i) : drawn(f, t, i))->accuracy - f->random[t].mean;
    spn_sample_of(f->room, n, &f->advantage[r]);
  }
  for (int a = 0; a < c->rows; a++)
    for (int b = a + 1; b <= c->rows; b++) {
      spn_welch(&f->advantage[a], &f->advantage[b], &f->test[f->tests]);
      f->adjusted[f->tests] = f->test[f->tests].p;
      f->tests++;
    }
  spn_holm(f->adjusted, f->tests);
}

static const char *label(const spn_compare *c, int row) {
  return row < c->rows ? c->row[row].label : "random population";
}

/* ---- For people ---- */

static void print_interval(const spn_sample *s, double share) {
  double half = spn_sample_interval(s, share);
  if (isnan(half)) printf("%8.2f          ", PERCENT * s->mean);
  else printf("%8.2f +- %-6.2f", PERCENT * s->mean, PERCENT * half);
}

static void print_target(const findings *f, int t) {
  const spn_compare *c = f->compare;
  const spn_sample *random = &f->random[t];
  double share = c->series.settings.compare_confidence, *x = f->room;
  printf("\ntarget %s: %d random networks of equal cost, accuracy %.2f %%, deviation %.2f\n\n",
         c->series.target[t].name, random->count, PERCENT * random->mean, PERCENT * random->deviation);
  printf("  %-32s %-17s %10s %12s %12s %10s\n", "row", "   accuracy %", "percentile", "predicted", "images", "seconds");
  for (int r = 0; r < c->rows; r++) {
    spn_sample accuracy, mean[4];
    const spn_compare_entry *e = found(f, r, t, 0);
    for (int i = 0; i < c->seeds; i++) x[i] = e[i].accuracy;
    spn_sample_of(x, c->seeds, &accuracy);
    for (int k = 0; k < 4; k++) {
      for (int i = 0; i < c->seeds; i++)
        x[i] = k == 0 ? e[i].percentile : k == 1 ? e[i].predicted : k == 2 ? e[i].images : e[i].seconds;
      spn_sample_of(x, c->seeds, &mean[k]);
    }
    printf("  %-32s ", c->row[r].label);
    print_interval(&accuracy, share);
    printf(" %10.1f %12.6g %12.0f %10.1f\n", mean[0].mean, mean[1].mean, mean[2].mean, mean[3].mean);
  }
}

/* Where each row's networks stand among the random ones: by target, then by seed. */
static void print_places(findings *f) {
  const spn_compare *c = f->compare;
  putchar('\n');
  spn_summary_line("places", SPN_PLAIN, "percentile of each answer among the random networks, from 0 to 100:");
  for (int r = 0; r < c->rows; r++) {
    int n = 0;
    double least = INFINITY, most = -INFINITY;
    for (int t = 0; t < c->series.targets; t++)
      for (int i = 0; i < c->seeds; i++, n++) {
        f->room[n] = found(f, r, t, i)->percentile;
        least = fmin(least, f->room[n]);
        most = fmax(most, f->room[n]);
      }
    spn_summary_course("", &(spn_course){.value = f->room, .count = (size_t)n, .high = 100}, "%.0f to %.0f  %s", least,
                       most, c->row[r].label);
  }
}

static void print_tests(const findings *f) {
  const spn_compare *c = f->compare;
  double share = c->series.settings.compare_confidence;
  int significant = 0;
  printf("\nall targets: advantage over the mean of the target's random networks, in %% of accuracy\n\n");
  for (int r = 0; r < c->rows; r++) {
    printf("  %-32s ", c->row[r].label);
    print_interval(&f->advantage[r], share);
    printf(" (%d networks)\n", f->advantage[r].count);
  }
  printf("\n+-: %g %% confidence interval of the mean, by Student's t. Differences that are significant at %g (Welch's "
         "t-test of the advantages, Holm's correction for %d tests):\n",
         100 * share, 1 - share, f->tests);
  for (int a = 0, i = 0; a < c->rows; a++)
    for (int b = a + 1; b <= c->rows; b++, i++) {
      if (!(f->adjusted[i] <= 1 - share)) continue;
      significant++;
      printf("  %s - %s: %+.2f, p %.2g\n", label(c, a), label(c, b), PERCENT * f->test[i].difference, f->adjusted[i]);
    }
  if (!significant) printf("  none\n");
}

/* ---- Files ---- */

static const char *row_name(const spn_compare *c, const spn_compare_entry *e) {
  return e->row < 0 ? "population" : c->row[e->row].label;
}

static long long seed_of(const spn_compare *c, const spn_compare_entry *e) {
  return c->series.settings.run_seed + e->number;
}

/* Labels and block strings hold no quotes. */
static void put_row(FILE *csv, const spn_compare *c, const spn_compare_entry *e) {
  fprintf(csv, "\"%s\",%s,%lld,%s,%.15g,%.6f,", row_name(c, e), c->series.target[e->target].name, seed_of(c, e),
          e->network, e->predicted, e->accuracy);
  if (e->row >= 0) fprintf(csv, "%.4g", e->percentile);
  fprintf(csv, ",%.0f,%.1f,\"%s\"\n", e->images, e->seconds, e->blocks);
}

static spn_status write_csv(const findings *f, spn_err *err) {
  const spn_compare *c = f->compare;
  char path[SPN_SERIES_PATH], *text = NULL;
  size_t size = 0;
  SPN_TRY(spn_series_path(&c->series, "", "compare.csv", path, err));
  FILE *csv = open_memstream(&text, &size);
  if (!csv) return spn_fail(err, SPN_ENOMEM, "compare: out of memory");
  fprintf(csv, "row,target,seed,network,predicted,accuracy,percentile,images,seconds,blocks\n");
  for (int i = 0; i < f->count; i++) put_row(csv, c, &f->entry[i]);
  int failed = fclose(csv);
  spn_status status = failed ? spn_fail(err, SPN_ENOMEM, "compare: out of memory") : SPN_OK;
  if (!status) status = spn_file_write(path, text, size, err);
  free(text);
  return status;
}

static void put_sample(spn_json_writer *w, const char *key, const spn_sample *s, double share) {
  spn_json_object(w, key, SPN_JSON_INLINE);
  spn_json_put_integer(w, "count", s->count);
  spn_json_put_rounded(w, "mean", s->mean, 6);
  spn_json_put_rounded(w, "deviation", s->deviation, 6);
  spn_json_put_rounded(w, "interval", spn_sample_interval(s, share), 6);
  spn_json_end(w);
}

static void put_entry(spn_json_writer *w, const spn_compare *c, const spn_compare_entry *e) {
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(w, "row", row_name(c, e));
  spn_json_put_text(w, "target", c->series.target[e->target].name);
  spn_json_put_integer(w, "seed", seed_of(c, e));
  spn_json_put_text(w, "network", e->network);
  spn_json_put_rounded(w, "predicted", e->predicted, 15);
  spn_json_put_rounded(w, "accuracy", e->accuracy, 6);
  spn_json_put_rounded(w, "percentile", e->percentile, 6);
  spn_json_put_number(w, "images", e->images);
  spn_json_put_rounded(w, "seconds", e->seconds, 6);
  spn_json_put_text(w, "blocks", e->blocks);
  spn_json_end(w);
}

static void put_tests(spn_json_writer *w, const findings *f, double alpha) {
  const spn_compare *c = f->compare;
  spn_json_array(w, "tests", SPN_JSON_LINES);
  for (int a = 0, i = 0; a < c->rows; a++)
    for (int b = a + 1; b <= c->rows; b++, i++) {
      spn_json_object(w, NULL, SPN_JSON_INLINE);
      spn_json_put_text(w, "a", label(c, a));
      spn_json_put_text(w, "b", label(c, b));
      spn_json_put_rounded(w, "difference", f->test[i].difference, 6);
      spn_json_put_rounded(w, "t", f->test[i].t, 6);
      spn_json_put_rounded(w, "freedom", f->test[i].freedom, 6);
      spn_json_put_rounded(w, "p", f->test[i].p, 6);
      spn_json_put_rounded(w, "p_holm", f->adjusted[i], 6);
      spn_json_put_flag(w, "significant", f->adjusted[i] <= alpha);
      spn_json_end(w);
    }
  spn_json_end(w);
}

static spn_status write_json(const findings *f, spn_err *err) {
  const spn_compare *c = f->compare;
  double share = c->series.settings.compare_confidence;
  spn_json_writer w = {0};
  char path[SPN_SERIES_PATH];
  SPN_TRY(spn_series_path(&c->series, "", "compare.json", path, err));
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_json_put_number(&w, "confidence", share);
  spn_json_put_text(&w, "interval", "half the width of the confidence interval of the mean, Student's t");
  spn_json_put_text(&w, "test",
                    "Welch's t-test of the advantages over the target's population, two-sided; p_holm: Holm");
  spn_json_object(&w, "population", SPN_JSON_LINES);
  for (int t = 0; t < c->series.targets; t++) put_sample(&w, c->series.target[t].name, &f->random[t], share);
  spn_json_end(&w);
  spn_json_object(&w, "advantage", SPN_JSON_LINES);
  for (int r = 0; r < c->rows; r++) put_sample(&w, c->row[r].label, &f->advantage[r], share);
  spn_json_end(&w);
  put_tests(&w, f, 1 - share);
  spn_json_array(&w, "networks", SPN_JSON_LINES);
  for (int i = 0; i < f->count; i++) put_entry(&w, c, &f->entry[i]);
  spn_json_end(&w);
  spn_json_end(&w);
  return spn_json_save(&w, path, err);
}

/* ---- Whole ---- */

static spn_status report(findings *f, spn_err *err) {
  const spn_compare *c = f->compare;
  SPN_TRY(gather(f, err));
  place_all(f);
  weigh(f);
  for (int t = 0; t < c->series.targets; t++) print_target(f, t);
  print_places(f);
  print_tests(f);
  SPN_TRY(write_csv(f, err));
  SPN_TRY(write_json(f, err));
  putchar('\n');
  spn_summary_line("files", SPN_PLAIN, "%s/report.html, compare.json, compare.csv", c->series.folder);
  return SPN_OK;
}

spn_status spn_compare_report(const spn_compare *c, spn_err *err) {
  static findings f;
  int each = c->seeds > c->population ? c->seeds : c->population;
  size_t targets = (size_t)c->series.targets;
  f = (findings){.compare = c, .count = c->series.targets * (c->rows * c->seeds + c->population)};
  f.entry = calloc((size_t)f.count, sizeof *f.entry);
  f.population = calloc(targets * (size_t)c->population, sizeof *f.population);
  f.random = calloc(targets, sizeof *f.random);
  f.room = calloc(targets * (size_t)each, sizeof *f.room);
  spn_status status = f.entry && f.population && f.random && f.room
                          ? report(&f, err)
                          : spn_fail(err, SPN_ENOMEM, "compare: out of memory");
  for (int i = 0; f.entry && i < f.count; i++) free(f.entry[i].blocks);
  free(f.entry);
  free(f.population);
  free(f.random);
  free(f.room);
  return status;
}
