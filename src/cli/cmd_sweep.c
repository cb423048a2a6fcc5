/* spnas sweep: searches for several targets, from one warm-up where the method has one, and their Pareto front. In the
 * folder: warmup/ (of the gradient method), a folder for each target, front.json, front.csv. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/series.h"
#include "cli/summary.h"
#include "io/file.h"
#include "search/method.h"
#include "train/resume.h"

#define WARMUP "warmup"
static const size_t LARGEST_FILE = (size_t)1 << 36; /* of a checkpoint: far above any */

/* ---- A target's search goes on from the warm-up ---- */

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

/* The warm-up's run, with another target, as a folder that appears whole. s: the target's settings; becomes the run's.
 */
static spn_status copy_run(const char *warmup, const char *out, spn_settings *s, spn_err *err) {
  static spn_settings own;
  char part[SPN_SERIES_PATH + 8], path[SPN_SERIES_PATH + 64], checkpoint[64];
  long long step;
  spn_json_writer w = {0};
  SPN_TRY(warmup_step(warmup, &step, err));
  snprintf(part, sizeof part, "%s.part", out);
  snprintf(path, sizeof path, "%s/checkpoints", part);
  SPN_TRY(spn_folder_create(path, err));
  snprintf(checkpoint, sizeof checkpoint, "checkpoints/step-%09lld.safetensors", step);
  SPN_TRY(copy_file(warmup, part, checkpoint, err));
  SPN_TRY(copy_file(warmup, part, "metrics.jsonl", err));
  SPN_TRY(copy_file(warmup, part, "env.json", err));
  spn_settings_default(&own);
  SPN_TRY(spn_resume_settings(warmup, "search", &own, err));
  own.search_target = s->search_target;
  own.search_target_share = s->search_target_share;
  snprintf(path, sizeof path, "%s/config.resolved.json", part);
  spn_settings_put(&own, &w);
  SPN_TRY(spn_json_save(&w, path, err));
  if (rename(part, out)) return spn_fail(err, SPN_EIO, "%s: cannot be renamed: %s", part, strerror(errno));
  own.run_threads = s->run_threads;
  own.run_max_steps = s->run_max_steps;
  *s = own;
  return SPN_OK;
}

static spn_status search_on(const spn_cli_run *where, spn_settings *s, spn_err *err) {
  char warmup[SPN_SERIES_PATH + 16];
  spn_cli_run own = *where;
  snprintf(warmup, sizeof warmup, "%.*s/" WARMUP, (int)(strrchr(where->out, '/') - where->out), where->out);
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

static int has_warmup(const spn_settings *s) { return !strcmp(s->search_method, "gradient"); }

static spn_status check_targets(const spn_series *s, spn_err *err) {
  static spn_settings own;
  static spn_space space;
  static spn_cost cost;
  spn_problem p = {.settings = &own, .space = &space, .cost = &cost};
  int images;
  own = s->settings;
  SPN_TRY(spn_problem_needs_images(&own, &images, err));
  SPN_TRY(spn_space_load(own.search_space, &space, err));
  SPN_TRY(spn_cli_load_cost(&own, &space, &cost, err));
  spn_status status = SPN_OK;
  for (int t = 0; t < s->targets && !status; t++) {
    spn_series_aim(&s->target[t], &own);
    status = spn_problem_budget(&p, err);
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

static spn_status do_all(const spn_series *s, spn_err *err) {
  const spn_series_job warm = {.run = WARMUP, .result = "warmup.json", .command = "search", .work = warm_up};
  spn_series_job job = {.result = "arch.json", .command = "search"};
  job.work = has_warmup(&s->settings) ? search_on : spn_cli_search;
  for (;;) {
    int busy = 0;
    if (has_warmup(&s->settings)) SPN_TRY(do_one(s, &warm, 0, &busy, err));
    for (int t = 0; t < s->targets && (!busy || t); t++) {
      job.run = s->target[t].name;
      SPN_TRY(do_one(s, &job, t, &busy, err));
    }
    if (!busy) return SPN_OK;
    SPN_TRY(spn_series_wait(err));
  }
}

/* ---- The front ---- */

typedef struct {
  double target, predicted, accuracy, params, macs; /* accuracy NaN: unknown */
  char *blocks;                                     /* malloc'd */
  int front;
} point;

static double member(const spn_json *root, const char *key) {
  spn_json at = spn_json_get(root, key);
  double value;
  return spn_json_real(&at, 0, 1e15, &value, NULL) ? NAN : value;
}

static spn_status read_point(const spn_series *s, int target, point *p, spn_err *err) {
  char path[SPN_SERIES_PATH];
  spn_json_doc *doc;
  const char *text;
  SPN_TRY(spn_series_path(s, s->target[target].name, "arch.json", path, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc), blocks = spn_json_get(&root, "mnasnet");
  *p = (point){.target = member(&root, "target"),
               .predicted = member(&root, "predicted"),
               .accuracy = member(&root, "inherited_holdout_top1"),
               .params = member(&root, "params"),
               .macs = member(&root, "macs")};
  if (isnan(p->accuracy)) p->accuracy = member(&root, "accuracy");
  spn_status status = spn_json_string(&blocks, &text, err);
  if (!status && !(p->blocks = strdup(text))) status = spn_fail(err, SPN_ENOMEM, "sweep: out of memory");
  spn_json_free(doc);
  return status;
}

/* On the front: nothing is as cheap and as accurate, and better in one of the two. */
static void find_front(point *p, int count) {
  for (int i = 0; i < count; i++) {
    p[i].front = !isnan(p[i].accuracy);
    for (int k = 0; k < count; k++) {
      int as_good = p[k].predicted <= p[i].predicted && p[k].accuracy >= p[i].accuracy;
      if (as_good && (p[k].predicted < p[i].predicted || p[k].accuracy > p[i].accuracy)) p[i].front = 0;
    }
  }
}

static spn_status write_json(const spn_series *s, const point *p, spn_err *err) {
  char path[SPN_SERIES_PATH];
  spn_json_writer w = {0};
  SPN_TRY(spn_series_path(s, "", "front.json", path, err));
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_json_put_text(&w, "accuracy", "of the search: inherited weights on held-out images, or the evaluator's answer");
  spn_json_array(&w, "networks", SPN_JSON_LINES);
  for (int t = 0; t < s->targets; t++) {
    spn_json_object(&w, NULL, SPN_JSON_INLINE);
    spn_json_put_text(&w, "run", s->target[t].name);
    spn_json_put_number(&w, "target", p[t].target);
    spn_json_put_number(&w, "predicted", p[t].predicted);
    spn_json_put_number(&w, "accuracy", p[t].accuracy);
    spn_json_put_flag(&w, "front", p[t].front);
    spn_json_put_number(&w, "params", p[t].params);
    spn_json_put_number(&w, "macs", p[t].macs);
    spn_json_put_text(&w, "blocks", p[t].blocks);
    spn_json_end(&w);
  }
  spn_json_end(&w);
  spn_json_end(&w);
  return spn_json_save(&w, path, err);
}

static spn_status write_csv(const spn_series *s, const point *p, spn_err *err) {
  char path[SPN_SERIES_PATH], *text = NULL;
  size_t size = 0;
  SPN_TRY(spn_series_path(s, "", "front.csv", path, err));
  FILE *csv = open_memstream(&text, &size);
  if (!csv) return spn_fail(err, SPN_ENOMEM, "sweep: out of memory");
  fprintf(csv, "run,target,predicted,accuracy,front,params,macs,blocks\n");
  for (int t = 0; t < s->targets; t++)
    fprintf(csv, "%s,%.15g,%.15g,%.6f,%d,%.0f,%.0f,\"%s\"\n", s->target[t].name, p[t].target, p[t].predicted,
            p[t].accuracy, p[t].front, p[t].params, p[t].macs, p[t].blocks);
  spn_status status = fclose(csv) ? spn_fail(err, SPN_ENOMEM, "sweep: out of memory") : SPN_OK;
  if (!status) status = spn_file_write(path, text, size, err);
  free(text);
  return status;
}

/* Accuracy over the targets as they were given. */
static void print_course(const spn_series *s, const point *p) {
  double accuracy[SPN_SERIES_TARGETS];
  for (int t = 0; t < s->targets; t++) accuracy[t] = p[t].accuracy;
  if (s->targets > 1)
    spn_summary_course("course", &(spn_course){.value = accuracy, .count = (size_t)s->targets},
                       "accuracy %.2f to %.2f %%, target %s to %s", 100 * p[0].accuracy,
                       100 * p[s->targets - 1].accuracy, s->target[0].name, s->target[s->targets - 1].name);
}

static spn_status report(const spn_series *s, spn_err *err) {
  static point p[SPN_SERIES_TARGETS];
  spn_status status = SPN_OK;
  for (int t = 0; t < s->targets && !status; t++) status = read_point(s, t, &p[t], err);
  if (!status) {
    find_front(p, s->targets);
    printf("%-12s %12s %12s  %s\n", "target", "predicted", "accuracy %", "on the front");
    for (int t = 0; t < s->targets; t++)
      printf("%-12s %12.6g %12.2f  %s\n", s->target[t].name, p[t].predicted, 100 * p[t].accuracy,
             p[t].front ? "yes" : "no");
    print_course(s, p);
    spn_summary_line("accuracy", SPN_PLAIN,
                     "of the search (inherited weights, or the evaluator's); train what you take: %s/TARGET/arch.json",
                     s->folder);
    status = write_csv(s, p, err);
  }
  if (!status) status = write_json(s, p, err);
  if (!status) spn_summary_line("files", SPN_PLAIN, "%s/report.html, front.json, front.csv", s->folder);
  for (int t = 0; t < s->targets; t++) free(p[t].blocks);
  return status;
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  static spn_series s;
  SPN_TRY(spn_series_open(a, "sweep", &s, err));
  SPN_TRY(check_targets(&s, err));
  SPN_TRY(spn_series_begin(&s, err));
  SPN_TRY(do_all(&s, err));
  SPN_TRY(report(&s, err));
  return spn_cli_report(s.folder, err);
}

const spn_command spn_cmd_sweep = {
    .about = "Searches networks for several budgets, from one warm-up, and tells their Pareto front.",
    .usage = "spnas sweep --data DIR --target MS,MS... --out DIR [--config FILE] [--set a.b=c]... [--resume] [--quiet] "
             "[--reproducible]\n\n"
             "  --data DIR         data.path: the images\n  --target MS,...    search.targets: the budgets\n"
             "  --out DIR          a run folder for each budget, front.json and front.csv\n"
             "  --resume           go on with the sweep in DIR, or help another process with it\n"
             "  --reproducible     run.reproducible: the same losses for any number of threads\n  --quiet            "
             "no progress",
    .sections = "run,data,search,train,optim",
    .takes = "odlrqR",
    .run = command};
