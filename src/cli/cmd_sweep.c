/* spnas sweep: searches for several targets or lambdas, from one warm-up where the method has one, and their Pareto
 * front; or the tuning of a search's settings. In the folder: warmup/ (of the gradient method), a folder for each
 * search, front.json, front.csv. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/summary.h"
#include "cli/sweep.h"
#include "core/names.h"
#include "io/file.h"
#include "search/method.h"
#include "train/resume.h"

static const size_t LARGEST_FILE = (size_t)1 << 36; /* of a checkpoint: far above any */

/* ---- A search goes on from the warm-up ---- */

static spn_status copy_file(const char *from, const char *to, const char *name, spn_err *err) {
  char source[2 * SPN_SERIES_PATH], target[2 * SPN_SERIES_PATH], *data;
  size_t size;
  snprintf(source, sizeof source, "%s/%s", from, name);
  snprintf(target, sizeof target, "%s/%s", to, name);
  SPN_TRY(spn_file_read(source, LARGEST_FILE, &data, &size, err));
  spn_status status = spn_file_write(target, data, size, err);
  free(data);
  return status;
}

static spn_status warmup_step(const char *folder, long long *step, spn_err *err) {
  char path[SPN_SERIES_PATH + 64];
  spn_json_doc *doc;
  snprintf(path, sizeof path, "%s/warmup.json", folder);
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc), at = spn_json_get(&root, "step");
  spn_status status = spn_json_int(&at, 1, 1LL << 53, step, err);
  spn_json_free(doc);
  return status;
}

/* Settings that a warm-up takes no part in: searches that differ in these alone may share one. */
static const char *const after_warmup[] = {"search.tolerance",    "search.lambda",      "search.ramp_epochs",
                                           "search.threshold_lr", "search.explore",     "search.judge",
                                           "search.start_x",      "search.recalibrate", NULL};

int spn_sweep_shares_warmup(const spn_settings *s, const spn_tune_space *tuned) {
  if (strcmp(s->search_method, "gradient")) return 0;
  for (int i = 0; tuned && i < tuned->count; i++)
    if (spn_name_index(after_warmup, tuned->range[i].path) < 0) return 0;
  return 1;
}

/* The warm-up's own settings, in which what was automatic is settled, with what is the search's own. */
static spn_status own_settings(const char *warmup, const spn_settings *s, spn_settings *own, spn_err *err) {
  static spn_tune_space tuned;
  double value[SPN_TUNE_SETTINGS];
  spn_settings_default(own);
  SPN_TRY(spn_resume_settings(warmup, "search", own, err));
  own->search_target = s->search_target;
  own->search_target_share = s->search_target_share;
  own->search_lambda = s->search_lambda;
  own->search_force = s->search_force;
  if (!s->tune_ranges[0]) return SPN_OK;
  SPN_TRY(spn_tune_read(s, &tuned, err));
  spn_tune_given(&tuned, s, value);
  return spn_tune_apply(&tuned, value, own, err);
}

/* The warm-up's run, with the search's settings, as a folder that appears whole. s becomes the run's. */
static spn_status copy_run(const char *warmup, const char *out, spn_settings *s, spn_err *err) {
  static spn_settings own;
  char part[SPN_SERIES_PATH + 8], path[SPN_SERIES_PATH + 64], checkpoint[64];
  long long step;
  spn_json_writer w = {0};
  SPN_TRY(warmup_step(warmup, &step, err));
  SPN_TRY(own_settings(warmup, s, &own, err));
  snprintf(part, sizeof part, "%s.part", out);
  snprintf(path, sizeof path, "%s/checkpoints", part);
  SPN_TRY(spn_folder_create(path, err));
  snprintf(checkpoint, sizeof checkpoint, "checkpoints/step-%09lld.safetensors", step);
  SPN_TRY(copy_file(warmup, part, checkpoint, err));
  SPN_TRY(copy_file(warmup, part, "metrics.jsonl", err));
  SPN_TRY(copy_file(warmup, part, "env.json", err));
  snprintf(path, sizeof path, "%s/config.resolved.json", part);
  spn_settings_put(&own, &w);
  SPN_TRY(spn_json_save(&w, path, err));
  if (rename(part, out)) return spn_fail(err, SPN_EIO, "%s: cannot be renamed: %s", part, strerror(errno));
  own.run_threads = s->run_threads;
  own.run_max_steps = s->run_max_steps;
  *s = own;
  return SPN_OK;
}

spn_status spn_sweep_search(const spn_cli_run *where, spn_settings *s, spn_err *err) {
  char warmup[SPN_SERIES_PATH + 16];
  spn_cli_run own = *where;
  snprintf(warmup, sizeof warmup, "%.*s/" SPN_SWEEP_WARMUP, (int)(strrchr(where->out, '/') - where->out), where->out);
  if (!where->resume) SPN_TRY(copy_run(warmup, where->out, s, err));
  own.resume = 1;
  return spn_cli_search(&own, s, err);
}

static spn_status warm_up(const spn_cli_run *where, spn_settings *s, spn_err *err) {
  spn_cli_run own = *where;
  own.warmup = 1;
  return spn_cli_search(&own, s, err);
}

/* ---- Doing all ---- */

/* The budget of every search; *target: of the first, in cost units. */
static spn_status check_targets(const spn_series *s, double *target, spn_err *err) {
  static spn_settings own;
  static spn_space space;
  static spn_cost cost;
  spn_problem p = {.settings = &own, .space = &space, .cost = &cost};
  int images;
  own = s->settings;
  SPN_TRY(spn_problem_needs_images(&own, &images, err));
  SPN_TRY(spn_space_load(own.search_space, &space, err));
  SPN_TRY(spn_problem_cost(&own, &space, &cost, err));
  spn_status status = SPN_OK;
  for (int t = 0; t < s->targets && !status; t++) {
    own = s->settings;
    spn_series_aim(&s->target[t], &own);
    status = spn_problem_budget(&p, err);
    if (!t) *target = p.target;
  }
  spn_cost_free(&cost);
  return status;
}

static spn_status do_one(const spn_series *s, const spn_series_job *job, int target, int *busy, spn_err *err) {
  static spn_settings own;
  spn_series_state state;
  own = s->settings;
  spn_series_aim(&s->target[target], &own);
  if (!s->quiet && !spn_series_done(s, job->run, job->result)) fprintf(stderr, "sweep: %s\n", job->run);
  SPN_TRY(spn_series_do(s, job, &own, &state, err));
  *busy += state == SPN_SERIES_BUSY;
  return SPN_OK;
}

spn_status spn_sweep_warm_up(const spn_series *s, int *busy, spn_err *err) {
  const spn_series_job job = {.run = SPN_SWEEP_WARMUP, .result = "warmup.json", .command = "search", .work = warm_up};
  return do_one(s, &job, 0, busy, err);
}

static spn_status do_all(const spn_series *s, spn_err *err) {
  int shares = spn_sweep_shares_warmup(&s->settings, NULL);
  spn_series_job job = {.result = "arch.json", .command = "search"};
  job.work = shares ? spn_sweep_search : spn_cli_search;
  for (;;) {
    int busy = 0;
    if (shares) SPN_TRY(spn_sweep_warm_up(s, &busy, err));
    for (int t = 0; t < s->targets && (!busy || t); t++) {
      job.run = s->target[t].name;
      SPN_TRY(do_one(s, &job, t, &busy, err));
    }
    if (!busy) return SPN_OK;
    SPN_TRY(spn_series_wait(err));
  }
}

/* ---- What came out ---- */

/* Accuracy over the targets, or lambdas, as they were given. */
static void print_course(const spn_series *s, const spn_sweep_point *p) {
  double accuracy[SPN_SERIES_TARGETS];
  const int last = s->targets - 1;
  for (int t = 0; t <= last; t++) accuracy[t] = p[t].accuracy;
  if (last > 0)
    spn_summary_course("course", &(spn_course){.value = accuracy, .count = (size_t)s->targets},
                       "accuracy %.2f to %.2f %%, %s to %s", 100 * p[0].accuracy, 100 * p[last].accuracy, p[0].run,
                       p[last].run);
}

static void print_front(const spn_series *s, const spn_sweep_point *p) {
  printf("%-12s %12s %12s  %s\n", "target", "predicted", "accuracy %", "on the front");
  for (int t = 0; t < s->targets; t++)
    printf("%-12s %12.6g %12.2f  %s\n", p[t].run, p[t].predicted, 100 * p[t].accuracy, p[t].front ? "yes" : "no");
  print_course(s, p);
  spn_summary_line("accuracy", SPN_PLAIN,
                   "of the search (inherited weights, or the evaluator's); train what you take: %s/TARGET/arch.json",
                   s->folder);
  spn_summary_line("files", SPN_PLAIN, "%s/report.html, front.json, front.csv", s->folder);
}

static spn_status report(const spn_series *s, spn_err *err) {
  static spn_sweep_point p[SPN_SERIES_TARGETS];
  spn_status status = SPN_OK;
  for (int t = 0; t < s->targets && !status; t++) status = spn_sweep_read(s, s->target[t].name, &p[t], err);
  if (!status) status = spn_sweep_write_front(s, NULL, p, s->targets, err);
  if (!status) print_front(s, p);
  for (int t = 0; t < s->targets; t++) free(p[t].blocks);
  return status;
}

static spn_status check_tuning(const spn_series *s, spn_err *err) {
  static spn_tune_space space;
  SPN_TRY(spn_tune_read(&s->settings, &space, err));
  for (int i = 0; i < space.count; i++)
    if (!strcmp(space.range[i].path, "search.lambda") && space.range[i].low < 0)
      return spn_fail(err, SPN_EINPUT, "tune.ranges: search.lambda: expected fixed values, from 0 on, got %g..",
                      space.range[i].low);
  if (s->targets == 1 && !s->target[0].lambda) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "tune.ranges: expected one target, at which the settings are tuned, got %s",
                  s->target[0].lambda ? "a lambda" : "several");
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  static spn_series s;
  double target = 0;
  SPN_TRY(spn_series_open(a, "sweep", &s, err));
  SPN_TRY(spn_series_lambdas(&s, err));
  int tunes = s.settings.tune_ranges[0] != 0;
  if (tunes) SPN_TRY(check_tuning(&s, err));
  SPN_TRY(check_targets(&s, &target, err));
  SPN_TRY(spn_series_begin(&s, err));
  if (tunes) {
    SPN_TRY(spn_sweep_tune(&s, target, err));
  } else {
    SPN_TRY(do_all(&s, err));
    SPN_TRY(report(&s, err));
  }
  return spn_cli_report(s.folder, err);
}

const spn_command spn_cmd_sweep = {
    .about = "Searches networks for several budgets, from one warm-up, and tells their Pareto front; tunes a search.",
    .usage = "spnas sweep --data DIR --target MS,MS... --out DIR [--lambdas L,L...] [--tune SETTING=LOW..HIGH,... "
             "[--trials N]] [--config FILE] [--set a.b=c]... [--resume] [--quiet] [--reproducible]\n\n"
             "  --data DIR         data.path: the images\n  --target MS,...    search.targets: the budgets\n"
             "  --lambdas L,...    search.lambdas: fixed weights of the cost term, without a budget\n"
             "  --tune S=A..B,...  tune.ranges: settings whose best values at the one target are wanted\n"
             "  --trials N         tune.trials: searches that it may take\n"
             "  --out DIR          a run folder for each search, front.json and front.csv; best.json of a tuning\n"
             "  --resume           go on with the sweep in DIR, or help another process with it\n"
             "  --reproducible     run.reproducible: the same losses for any number of threads\n  --quiet            "
             "no progress",
    .sections = "run,data,search,train,optim,tune",
    .takes = "odlLuUrqR",
    .run = command};
