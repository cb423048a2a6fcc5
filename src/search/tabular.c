/* The evaluator of finished networks: a CSV with a row for each (data/spaces/README.md). Searches see the first
 * training's accuracy; the mean over all is told of the answer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/table_columns.h"
#include "search/tabular.h"

typedef struct {
  spn_choice choice;
  double first, mean; /* accuracy, 0 to 1 */
} entry;

enum { MAX_SEEDS = 64, PERCENT = 100 };

typedef struct {
  const spn_problem *problem;
  spn_table_columns columns;
  spn_choice_map *map;
  entry *list;
  size_t count, room;
  size_t foreign;             /* rows of networks that the space lacks */
  double largest;             /* accuracy as written */
  int seeds, seed[MAX_SEEDS]; /* columns of accuracies */
} table;

/* ---- Columns ---- */

/* accuracy, or accuracy_1, accuracy_2 ...; test_acc_1 ... as NAS-Bench-Macro has it. */
static spn_status find_accuracies(table *t, const spn_csv *csv, spn_err *err) {
  static const char *const stems[] = {"accuracy", "test_acc"};
  int alone = spn_csv_find(csv, "accuracy");
  if (alone >= 0) t->seed[t->seeds++] = alone;
  for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
    for (int n = 1; n <= MAX_SEEDS && t->seeds < MAX_SEEDS; n++) {
      char name[32];
      snprintf(name, sizeof name, "%s_%d", stems[i], n);
      int column = spn_csv_find(csv, name);
      if (column < 0) break;
      t->seed[t->seeds++] = column;
    }
  if (t->seeds) return SPN_OK;
  return spn_csv_fail(csv, -1, err, "expected a column accuracy, or accuracy_1, accuracy_2 ..., got none");
}

/* ---- Rows ---- */

static spn_status add_row(table *t, const spn_csv *csv, spn_err *err) {
  int there;
  size_t before;
  entry e = {.mean = 0};
  SPN_TRY(spn_table_network(&t->columns, csv, &e.choice, &there, err));
  for (int i = 0; i < t->seeds; i++) {
    double accuracy;
    SPN_TRY(spn_csv_real(csv, t->seed[i], 0, PERCENT, &accuracy, err));
    if (!i) e.first = accuracy;
    e.mean += accuracy / t->seeds;
    t->largest = fmax(t->largest, accuracy);
  }
  t->foreign += !there;
  if (!there) return SPN_OK;
  if (spn_choice_map_find(t->map, &e.choice, &before))
    return spn_csv_fail(csv, -1, err, "expected each network once, got one that an earlier row has");
  if (t->count == t->room) {
    size_t room = t->room ? 2 * t->room : 256;
    entry *list = realloc(t->list, room * sizeof *list);
    if (!list) return spn_fail(err, SPN_ENOMEM, "search.table: out of memory");
    t->list = list;
    t->room = room;
  }
  t->list[t->count] = e;
  return spn_choice_map_put(t->map, &e.choice, t->count++, err);
}

static spn_status read_rows(table *t, spn_csv *csv, spn_err *err) {
  int end = 0;
  SPN_TRY(find_accuracies(t, csv, err));
  SPN_TRY(spn_table_columns_find(csv, t->problem->space, &t->columns, err));
  for (;;) {
    SPN_TRY(spn_csv_next(csv, &end, err));
    if (end) break;
    SPN_TRY(add_row(t, csv, err));
  }
  if (!t->count)
    return spn_csv_fail(csv, -1, err, "expected networks of space %s, got none (%zu rows of other networks)",
                        t->problem->space->name, t->foreign);
  double unit = t->largest > 1 ? PERCENT : 1;
  for (size_t i = 0; i < t->count; i++) {
    t->list[i].first /= unit;
    t->list[i].mean /= unit;
  }
  return SPN_OK;
}

static void close_table(void *own) {
  table *t = own;
  if (!t) return;
  spn_choice_map_free(t->map);
  free(t->list);
  free(t);
}

static spn_status open_table(const spn_problem *p, void **out, spn_err *err) {
  spn_csv *csv;
  if (!p->settings->search_table[0])
    return spn_fail(err, SPN_EINPUT, "search.table: expected a CSV of finished networks, got nothing");
  SPN_TRY(spn_csv_load(p->settings->search_table, &csv, err));
  table *t = calloc(1, sizeof *t);
  spn_status status = t && (t->map = spn_choice_map_new()) ? SPN_OK : spn_fail(err, SPN_ENOMEM, "table: out of memory");
  if (!status) {
    t->problem = p;
    status = read_rows(t, csv, err);
  }
  spn_csv_free(csv);
  if (status) close_table(t);
  else *out = t;
  return status;
}

/* ---- Answers ---- */

static spn_status look_up(void *own, const spn_choice *choice, spn_answer *out, spn_images *images, spn_err *err) {
  const table *t = own;
  size_t number;
  if (!spn_choice_map_find(t->map, choice, &number)) {
    spn_code code;
    spn_code_of(&t->columns.decisions, choice, &code);
    return spn_fail(err, SPN_EINPUT, "%.200s: expected all networks of space %s; there is no row for %s",
                    t->problem->settings->search_table, t->problem->space->name, code.text);
  }
  out->accuracy = t->list[number].first;
  return SPN_OK;
}

double spn_tabular_mean(const void *own, const spn_choice *choice) {
  const table *t = own;
  size_t number;
  return spn_choice_map_find(t->map, choice, &number) ? t->list[number].mean : NAN;
}

double spn_tabular_best(const void *own, const spn_cost *cost, double high) {
  const table *t = own;
  double best = 0;
  for (size_t i = 0; i < t->count; i++)
    if (spn_cost_worst(cost, &t->list[i].choice) <= high) best = fmax(best, t->list[i].mean);
  return best;
}

static void put_facts(const void *own, const spn_search_result *r, spn_json_writer *w) {
  const table *t = own;
  size_t number;
  if (!spn_choice_map_find(t->map, &r->choice, &number)) return;
  spn_json_put_number(w, "table_accuracy", t->list[number].first);
  spn_json_put_number(w, "table_mean_accuracy", t->list[number].mean);
  spn_json_put_integer(w, "table_seeds", t->seeds);
}

static spn_status tell(void *own, const spn_problem *p, spn_search_result *r, spn_err *err) {
  const table *t = own;
  size_t number;
  if (spn_choice_map_find(t->map, &r->choice, &number))
    spn_run_say(p->run,
                "table: %zu networks; of the one found, top-1 %.2f %% in the training that was searched, %.2f %% "
                "on average over %d",
                t->count, PERCENT * t->list[number].first, PERCENT * t->list[number].mean, t->seeds);
  return SPN_OK;
}

const spn_evaluator spn_evaluator_tabular = {.about = "a CSV of finished networks (search.table); no images",
                                             .settled = 1,
                                             .open = open_table,
                                             .close = close_table,
                                             .answer = look_up,
                                             .finish = tell,
                                             .facts = put_facts};
