/* spnas compare: which runs there are, and doing them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"
#include "train/terminal.h"

/* Seeds of the population follow so far behind run.seed that no row has them. */
enum { POPULATION_SEED = 1000000 };

/* ---- Rows ---- */

/* "gradient:search.explore=0" */
static spn_status read_row(spn_compare *c, const char *text, size_t size, spn_err *err) {
  char method[SPN_COMPARE_NAME + 32];
  spn_compare_row *row = &c->row[c->rows];
  if (c->rows == SPN_COMPARE_ROWS)
    return spn_fail(err, SPN_EINPUT, "compare.methods: expected at most %d rows, got more", SPN_COMPARE_ROWS);
  if (!size || size >= sizeof row->label)
    return spn_fail(err, SPN_EINPUT, "compare.methods: expected a row of 1 to %zu characters, got %zu",
                    sizeof row->label - 1, size);
  snprintf(row->label, sizeof row->label, "%.*s", (int)size, text);
  for (int i = 0; i < c->rows; i++)
    if (!strcmp(c->row[i].label, row->label))
      return spn_fail(err, SPN_EINPUT, "compare.methods: expected each row once, got %s twice", row->label);
  row->settings = c->series.settings;
  row->settings.search_force = 1; /* every search must answer; little evidence is part of the comparison */
  size_t n = strcspn(row->label, ":");
  snprintf(method, sizeof method, "search.method=%.*s", (int)n, row->label);
  SPN_TRY(spn_settings_set(&row->settings, method, err));
  while (row->label[n]) {
    const char *from = row->label + n + 1;
    size_t length = strcspn(from, ":");
    snprintf(method, sizeof method, "%.*s", (int)length, from);
    SPN_TRY(spn_settings_set(&row->settings, method, err));
    n += length + 1;
  }
  c->rows++;
  return SPN_OK;
}

static spn_status read_rows(spn_compare *c, spn_err *err) {
  const char *text = c->series.settings.compare_methods;
  for (int i = 0; !*text && spn_method_names[i]; i++)
    if (!c->series.settings.search_table[0] || spn_methods[i]->search)
      SPN_TRY(read_row(c, spn_method_names[i], strlen(spn_method_names[i]), err));
  while (*text) {
    size_t n = strcspn(text, ",");
    SPN_TRY(read_row(c, text, n, err));
    text += n + (text[n] == ',');
    if (!*text && text[-1] == ',') return read_row(c, text, 0, err);
  }
  return SPN_OK;
}

/* ---- What can be refused before anything is done ---- */

static spn_status open_table(spn_compare *c, spn_err *err) {
  const spn_settings *s = &c->series.settings;
  spn_problem p = {.settings = s, .space = &c->space, .cost = &c->cost};
  SPN_TRY(spn_space_load(s->search_space, &c->space, err));
  spn_decisions_of(&c->space, &c->decisions);
  SPN_TRY(spn_problem_cost(s, &c->space, &c->cost, err));
  return s->search_table[0] ? spn_evaluator_of(s)->open(&p, &c->table, err) : SPN_OK;
}

static spn_status check_rows(spn_compare *c, spn_err *err) {
  static spn_settings s;
  int images;
  spn_problem p = {.settings = &s, .space = &c->space, .cost = &c->cost};
  for (int r = 0; r < c->rows; r++)
    for (int t = 0; t < c->series.targets; t++) {
      s = c->row[r].settings;
      spn_series_aim(&c->series.target[t], &s);
      SPN_TRY(spn_problem_needs_images(&s, &images, err));
      SPN_TRY(spn_problem_budget(&p, err));
    }
  return SPN_OK;
}

static spn_status open_compare(const spn_arguments *a, spn_compare *c, spn_err *err) {
  spn_settings *s = &c->series.settings;
  SPN_TRY(spn_series_open(a, "compare", &c->series, err));
  if (s->search_table[0] && strcmp(s->search_evaluator, "tabular"))
    return spn_fail(err, SPN_EINPUT, "search.table: expected search.evaluator=tabular with it, got %s",
                    s->search_evaluator);
  c->seeds = (int)s->compare_seeds;
  c->population = (int)s->compare_population;
  SPN_TRY(read_rows(c, err));
  SPN_TRY(open_table(c, err));
  SPN_TRY(check_rows(c, err));
  return spn_series_begin(&c->series, err);
}

/* ---- Runs ---- */

void spn_compare_run(const spn_compare *c, int row, int target, int number, char name[SPN_COMPARE_PATH]) {
  const char *budget = c->series.target[target].name;
  if (row < 0) snprintf(name, SPN_COMPARE_PATH, "random/%s-%d", budget, number + 1);
  else
    snprintf(name, SPN_COMPARE_PATH, "search/%d-%.40s-%s-%lld", row + 1, c->row[row].settings.search_method, budget,
             c->row[row].settings.run_seed + number);
}

void spn_compare_training(const char *network, char name[SPN_COMPARE_PATH]) {
  snprintf(name, SPN_COMPARE_PATH, "train/%s", network);
}

/* How far a comparison is, for its projection. */
typedef struct {
  int done, left;
  double seconds; /* of the done ones */
} tally;

typedef struct {
  spn_compare *compare;
  tally search[SPN_COMPARE_ROWS + 1], training; /* the last search: random networks, which take no time */
  int busy, worked;                             /* in this pass */
} progress;

static void project(const progress *p) {
  char time[SPN_DURATION], text[400] = "", *unknown = text;
  double seconds = 0;
  int left = 0, done = 0;
  for (int r = 0; r <= p->compare->rows; r++) {
    const tally *t = r < p->compare->rows ? &p->search[r] : &p->training;
    const char *name = r < p->compare->rows ? p->compare->row[r].label : "trainings";
    left += t->left;
    done += t->done;
    if (t->done) seconds += t->left * t->seconds / t->done;
    else if (t->left && unknown < text + sizeof text - 1)
      unknown += snprintf(unknown, (size_t)(text + sizeof text - unknown), "%s%.60s", unknown > text ? ", " : "", name);
    if (unknown > text + sizeof text - 1) unknown = text + sizeof text - 1;
  }
  if (!left || p->compare->series.quiet) return;
  spn_duration_text(seconds, time);
  fprintf(stderr, "compare: %d runs done, at most %d to do; ", done, left);
  if (done) fprintf(stderr, "about %s in one process, by those that are done", time);
  if (text[0]) fprintf(stderr, "%stime still unknown of: %s", done ? "; " : "", text);
  fprintf(stderr, "\n");
}

/* Seconds out of a finished run's file; 0 where it cannot be read. */
static double seconds_of(const spn_series *s, const spn_series_job *job) {
  char path[SPN_SERIES_PATH];
  spn_json_doc *doc;
  double seconds = 0;
  if (spn_series_path(s, job->run, job->result, path, NULL) || spn_json_load(path, &doc, NULL)) return 0;
  spn_json root = spn_json_root(doc), at = spn_json_get(&root, "seconds");
  if (spn_json_real(&at, 0, 1e12, &seconds, NULL)) seconds = 0;
  spn_json_free(doc);
  return seconds;
}

/* act 0: only counts. */
static spn_status step(progress *p, const spn_series_job *job, const spn_settings *s, tally *t, int act, spn_err *err) {
  const spn_series *series = &p->compare->series;
  spn_series_state state = SPN_SERIES_DONE;
  if (!act) {
    int done = spn_series_done(series, job->run, job->result);
    t->done += done;
    t->left += !done;
    if (done) t->seconds += seconds_of(series, job);
    return SPN_OK;
  }
  if (!series->quiet && !spn_series_done(series, job->run, job->result)) fprintf(stderr, "compare: %s\n", job->run);
  SPN_TRY(spn_series_do(series, job, s, &state, err));
  p->busy += state == SPN_SERIES_BUSY;
  p->worked += state == SPN_SERIES_NOW;
  return SPN_OK;
}

/* Trains a network, from the arch.json of its run. */
static spn_status step_training(progress *p, const char *run, const char *network, int act, spn_err *err) {
  static spn_settings s;
  char name[SPN_COMPARE_PATH];
  const spn_series_job job = {.run = name, .result = "result.json", .command = "train", .work = spn_cli_train};
  spn_compare_training(network, name);
  s = p->compare->series.settings;
  SPN_TRY(spn_series_path(&p->compare->series, run, "arch.json", s.train_arch, err));
  s.train_init[0] = 0;
  return step(p, &job, &s, &p->training, act, err);
}

/* A search (or the draw of a random network), and the training of what it found. */
static spn_status step_run(progress *p, int row, int target, int number, int act, spn_err *err) {
  static spn_settings s;
  spn_compare *c = p->compare;
  char name[SPN_COMPARE_PATH];
  spn_compare_entry e;
  const spn_series_job job = {.run = name, .result = "arch.json", .command = "search", .work = spn_cli_search};
  spn_compare_run(c, row, target, number, name);
  s = row < 0 ? c->series.settings : c->row[row].settings;
  spn_series_aim(&c->series.target[target], &s);
  s.run_seed += number;
  if (row < 0) {
    s.run_seed += POPULATION_SEED;
    s.search_method = "random";
    s.search_evaluations = 1;
    s.search_budget = 0;
  }
  SPN_TRY(step(p, &job, &s, &p->search[row < 0 ? c->rows : row], act, err));
  if (c->table) return SPN_OK;
  if (!spn_series_done(&c->series, name, job.result)) {
    p->training.left += !act;
    return SPN_OK;
  }
  SPN_TRY(spn_compare_read(c, row, target, number, &e, err));
  free(e.blocks);
  return step_training(p, name, e.network, act, err);
}

static spn_status pass(progress *p, int act, spn_err *err) {
  spn_compare *c = p->compare;
  for (int number = 0; number < c->seeds; number++)
    for (int t = 0; t < c->series.targets; t++)
      for (int r = 0; r < c->rows; r++) SPN_TRY(step_run(p, r, t, number, act, err));
  for (int number = 0; number < c->population; number++)
    for (int t = 0; t < c->series.targets; t++) SPN_TRY(step_run(p, -1, t, number, act, err));
  return SPN_OK;
}

static spn_status do_all(spn_compare *c, spn_err *err) {
  int waits = 0;
  for (;;) {
    progress p = {.compare = c};
    SPN_TRY(pass(&p, 0, err));
    if (!waits) project(&p);
    SPN_TRY(pass(&p, 1, err));
    if (!p.busy) return SPN_OK;
    waits = !p.worked;
    if (waits) SPN_TRY(spn_series_wait(err));
  }
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  static spn_compare c;
  spn_status status = open_compare(a, &c, err);
  if (!status) status = do_all(&c, err);
  if (!status) status = spn_compare_report(&c, err);
  if (!status) status = spn_cli_report(c.series.folder, err);
  if (c.table) spn_evaluator_of(&c.series.settings)->close(c.table);
  spn_cost_free(&c.cost);
  return status;
}

const spn_command spn_cmd_compare = {
    .about = "Compares search methods under one budget, beside random networks of equal cost.",
    .usage = "spnas compare --data DIR --target MS[,MS...] --out DIR [--config FILE] [--set a.b=c]... [--resume] "
             "[--quiet] [--reproducible]\n\n"
             "  --data DIR         data.path: the images\n  --target MS,...    search.targets: the budgets\n"
             "  --out DIR          folder of the runs, compare.json and compare.csv\n"
             "  --resume           go on with the comparison in DIR, or help another process with it\n"
             "  --reproducible     run.reproducible: the same losses for any number of threads\n  --quiet            "
             "no progress",
    .sections = "run,data,search,train,optim,compare",
    .takes = "odlrqR",
    .run = command};
