/* A made-up table of every network of a space, whose best network is known, and searches in it. */
#ifndef SPN_TESTS_TABLE_CASE_H
#define SPN_TESTS_TABLE_CASE_H

#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "core/rng.h"
#include "io/file.h"
#include "search/inquiry.h"

static void must(spn_status status, const spn_err *err) {
  if (status == SPN_OK) return;
  printf("%s\n", err->text);
  CHECK(status == SPN_OK, "what a test needs");
  exit(check_report("table case"));
}

typedef struct {
  char folder[64], csv[128];
  spn_space space;
  spn_cost cost;
  spn_settings settings;
  spn_problem problem;
  spn_decisions decisions;
  double gain[SPN_MAX_LAYERS][SPN_MAX_LAYER_CHOICES]; /* accuracies add up, in thousandths */
} table_case;

/* Accuracy of a network: a whole number of thousandths. */
static double truth(const table_case *t, const spn_choice *c) {
  double sum = 500;
  for (int l = 0; l < t->space.layers; l++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    int count = spn_layer_choices(&t->space.layer[l], all);
    for (int i = 0; i < count; i++)
      if (!memcmp(&all[i], &c->layer[l], sizeof all[i])) sum += t->gain[l][i];
  }
  return sum / 1000;
}

/* Calls visit for every network. */
static void for_all(const table_case *t, int layer, spn_choice *c,
                    void (*visit)(const table_case *t, const spn_choice *c, void *context), void *context) {
  spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
  c->layers = t->space.layers;
  if (layer == t->space.layers) {
    visit(t, c, context);
    return;
  }
  int count = spn_layer_choices(&t->space.layer[layer], all);
  for (int i = 0; i < count; i++) {
    c->layer[layer] = all[i];
    for_all(t, layer + 1, c, visit, context);
  }
}

static void write_row(const table_case *t, const spn_choice *c, void *context) {
  char digits[SPN_MAX_LAYERS + 1] = "";
  int n = 0;
  for (int l = 0; l < t->space.layers; l++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    int count = spn_layer_choices(&t->space.layer[l], all);
    if (count < 2) continue;
    for (int i = 0; i < count; i++)
      if (!memcmp(&all[i], &c->layer[l], sizeof all[i])) digits[n++] = (char)(all[i].keep ? '1' + i : '0');
  }
  fprintf(context, "%s,%.3f,%.3f\n", digits, truth(t, c), truth(t, c) + 0.001);
}

/* The space nas-bench-macro with random gains; the budget is a share of the dearest network. */
__attribute__((unused)) static table_case *table_new(uint64_t seed, double target_share) {
  table_case *t = calloc(1, sizeof *t);
  spn_err err;
  spn_choice c;
  strcpy(t->folder, "/tmp/spn-table-XXXXXX");
  CHECK(mkdtemp(t->folder) != NULL, "a folder");
  snprintf(t->csv, sizeof t->csv, "%s/table.csv", t->folder);
  must(spn_space_load("nas-bench-macro", &t->space, &err), &err);
  must(spn_cost_load("flops", &t->space, &t->cost, &err), &err);
  spn_decisions_of(&t->space, &t->decisions);
  for (int l = 0; l < t->space.layers; l++)
    for (int i = 0; i < SPN_MAX_LAYER_CHOICES; i++)
      t->gain[l][i] = (double)spn_rng_below(seed, SPN_RNG_TEST, (uint64_t)(l * 1000 + i), 50);
  FILE *f = fopen(t->csv, "w");
  fprintf(f, "network,accuracy_1,accuracy_2\n");
  for_all(t, 0, &c, write_row, f);
  fclose(f);
  spn_settings_default(&t->settings);
  snprintf(t->settings.search_table, sizeof t->settings.search_table, "%s", t->csv);
  t->settings.search_evaluator = "tabular";
  t->settings.search_target_share = target_share;
  t->problem = (spn_problem){.settings = &t->settings, .space = &t->space, .cost = &t->cost};
  must(spn_problem_budget(&t->problem, &err), &err);
  return t;
}

static void table_free(table_case *t) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", t->folder);
  CHECK(system(command) == 0, "%s", command);
  free(t);
}

static void keep_best(const table_case *t, const spn_choice *c, void *context) {
  double *best = context;
  if (spn_cost_worst(&t->cost, c) <= t->problem.target) *best = fmax(*best, truth(t, c));
}

/* The best accuracy within the budget. */
__attribute__((unused)) static double optimum(const table_case *t) {
  spn_choice c;
  double best = 0;
  for_all(t, 0, &c, keep_best, &best);
  return best;
}

static const spn_method *method_named(const char *name) { return spn_methods[spn_name_index(spn_method_names, name)]; }

/* Searches with a method; the answer's accuracy in *accuracy (may be NULL). archive: a file, or NULL. */
__attribute__((unused)) static spn_status search_table(const table_case *t, const char *method, const char *archive,
                                                       double *accuracy, spn_err *err) {
  spn_inquiry q;
  spn_choice found;
  SPN_TRY(spn_inquiry_open(&t->problem, spn_evaluator_of(&t->settings), archive, &q, err));
  spn_status status = method_named(method)->search(&q, err);
  if (!status) status = spn_inquiry_result(&q, &found, err);
  if (!status) CHECK(spn_cost_worst(&t->cost, &found) <= t->problem.target, "%s: over the budget", method);
  if (!status && accuracy) *accuracy = truth(t, &found);
  spn_inquiry_close(&q);
  return status;
}

#endif
