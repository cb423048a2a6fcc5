/* Search methods on a table of finished networks: mean regret and quartiles against evaluations.
 *
 *   bench_methods TABLE.csv [--space S] [--column flops] [--share 0.5] [--runs 100] [--only METHOD]
 *                 [--set search.X=Y]...
 *
 * Every method searches on the first training's accuracy, with and without a limit of `share` of the dearest network's
 * cost; regret is the best network's mean accuracy within the limit less that of the answer, in points of top-1. Random
 * search draws uniformly within the limit. The answer after n evaluations is the best of them, by the accuracy that was
 * searched; methods whose schedules depend on the budget search anew for each. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/inquiry.h"
#include "search/table_columns.h"
#include "search/tabular.h"

enum { RUNS = 10000, BUDGETS = 4 };
static const long long budgets[BUDGETS] = {50, 100, 200, 500};

typedef struct {
  const char *csv, *only;
  double share;
  int runs;
  spn_space space;
  spn_cost cost;
  spn_settings settings;
} bench;

static void fail(const spn_err *err) {
  fprintf(stderr, "bench_methods: %s\n", err->text);
  exit(2);
}

/* Regret of one run. `shared` holds the table, opened once. */
static double regret(const bench *b, const spn_method *method, const spn_inquiry *shared, long long budget, int run,
                     double best) {
  spn_err err;
  spn_choice found;
  spn_settings s = b->settings;
  spn_inquiry q = *shared;
  s.run_seed = run + 1;
  q.settings = &s;
  q.seed = (uint64_t)s.run_seed;
  q.limit = (size_t)budget;
  if (spn_archive_open(NULL, &b->space, b->cost.unit, &q.archive, NULL, &err)) fail(&err);
  if (method->search(&q, &err) || spn_inquiry_result(&q, &found, &err)) fail(&err);
  double mean = spn_tabular_mean(q.own, &found);
  spn_archive_free(q.archive);
  return 100 * (best - mean);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void row(const bench *b, int method, const spn_inquiry *shared, double best) {
  printf("| %s |", spn_method_names[method]);
  for (int i = 0; i < BUDGETS; i++) {
    static double list[RUNS];
    double sum = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : sum)
    for (int run = 0; run < b->runs; run++) {
      list[run] = regret(b, spn_methods[method], shared, budgets[i], run, best);
      sum += list[run];
    }
    qsort(list, (size_t)b->runs, sizeof *list, ascending);
    printf(" %.2f (%.2f, %.2f, %.2f) |", sum / b->runs, list[b->runs / 4], list[b->runs / 2], list[3 * b->runs / 4]);
    fflush(stdout);
  }
  printf("\n");
}

static void table(const bench *b, double share) {
  spn_err err;
  double least;
  spn_inquiry shared;
  spn_problem p = {.settings = &b->settings, .space = &b->space, .cost = &b->cost};
  spn_cost_range(&b->cost, &b->space, &least, &p.target);
  p.target *= share;
  if (spn_inquiry_open(&p, spn_evaluator_of(&b->settings), NULL, &shared, &err)) fail(&err);
  double best = spn_tabular_best(shared.own, &b->cost, p.target);
  printf("\nLimit %.0f %% of the dearest network, best network %.2f %%, %d runs: mean regret (quartiles)\n\n",
         100 * share, 100 * best, b->runs);
  printf("| method |");
  for (int i = 0; i < BUDGETS; i++) printf(" %lld evaluations |", budgets[i]);
  printf("\n|---|---|---|---|---|\n");
  for (int i = 0; spn_methods[i]; i++)
    if (spn_methods[i]->search && (!b->only || !strcmp(b->only, spn_method_names[i]))) row(b, i, &shared, best);
  spn_inquiry_close(&shared);
}

int main(int argc, char **argv) {
  static bench b = {.share = 0.5, .runs = 100};
  const char *space = "nas-bench-macro-table", *column = "flops";
  spn_err err;
  spn_settings_default(&b.settings);
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (argv[i][0] != '-') b.csv = argv[i];
    else if (!strcmp(argv[i], "--space")) space = value, i++;
    else if (!strcmp(argv[i], "--column")) column = value, i++;
    else if (!strcmp(argv[i], "--share")) b.share = atof(value), i++;
    else if (!strcmp(argv[i], "--runs")) b.runs = atoi(value), i++;
    else if (!strcmp(argv[i], "--only")) b.only = value, i++;
    else if (strcmp(argv[i], "--set") || spn_settings_set(&b.settings, value, &err)) fail(&err);
    else i++;
  }
  if (!b.csv || b.runs < 1 || b.runs > RUNS) {
    fprintf(stderr, "usage: bench_methods TABLE.csv [--space S] [--column C] [--share X] [--runs N] [--only METHOD]\n");
    return 2;
  }
  b.settings.search_evaluator = "tabular";
  snprintf(b.settings.search_table, sizeof b.settings.search_table, "%s", b.csv);
  if (spn_space_load(space, &b.space, &err) || spn_table_cost(b.csv, column, &b.space, &b.cost, &err)) fail(&err);
  table(&b, b.share);
  table(&b, 1);
  return 0;
}
