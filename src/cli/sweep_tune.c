/* Tuning: trial after trial, each a search in a folder of its own, whose settings follow from those before. In the
 * folder: trial-001/ ... with trial.json, and best.json, the best settings as a file for --config. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep.h"
#include "search/reward.h"

#define RESULT "trial.json"
enum { NAME = 24 };

typedef struct {
  const spn_series *series;
  spn_tune_space space;
  double target; /* in cost units */
  int by_reward; /* lambda is tuned: networks cost what they like, and the reward judges */
  int given;     /* the first trial's settings are those that would be taken without tuning */
  spn_tune_trial trial[SPN_TUNE_TRIALS];
  spn_sweep_point point[SPN_TUNE_TRIALS];
  int trials; /* done */
} tuning;

static void name_of(int trial, char name[NAME]) { snprintf(name, NAME, "trial-%03d", trial + 1); }

/* ---- A trial ---- */

static double worth_of(const tuning *t, const spn_sweep_point *p) {
  if (!t->by_reward) return p->accuracy;
  return spn_reward_of(t->series->settings.search_reward, p->accuracy, p->predicted, t->target);
}

/* The trial's own file; blocks NULL: training gave NaN, which says something of the settings too. */
static spn_status write_trial(const tuning *t, const spn_sweep_point *p, const double *value, spn_err *err) {
  char path[SPN_SERIES_PATH];
  spn_json_writer w = {0};
  SPN_TRY(spn_series_path(t->series, p->run, RESULT, path, err));
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_json_object(&w, "settings", SPN_JSON_INLINE);
  for (int i = 0; i < t->space.count; i++) spn_json_put_number(&w, t->space.range[i].path, value[i]);
  spn_json_end(&w);
  spn_json_put_flag(&w, "failed", !p->blocks);
  spn_json_put_number(&w, "worth", p->worth);
  spn_json_end(&w);
  return spn_json_save(&w, path, err);
}

static spn_status end_trial(tuning *t, const char *name, int failed, const double *value, spn_err *err) {
  spn_sweep_point p = {.worth = NAN};
  snprintf(p.run, sizeof p.run, "%s", name);
  if (!failed) {
    SPN_TRY(spn_sweep_read(t->series, name, &p, err));
    p.worth = worth_of(t, &p);
  }
  spn_status status = SPN_OK;
  if (!failed && isnan(p.worth))
    status = spn_fail(err, SPN_EINPUT, "tune.ranges: expected held-out images to judge by (data.holdout), got none");
  if (!status) status = write_trial(t, &p, value, err);
  free(p.blocks);
  return status;
}

/* The settings of a trial; evidence that is too little for a user is told by the accuracy. */
static spn_status settings_of(const tuning *t, const double *value, spn_settings *own, spn_err *err) {
  *own = t->series->settings;
  spn_series_aim(&t->series->target[0], own);
  own->search_force = 1;
  SPN_TRY(spn_tune_apply(&t->space, value, own, err));
  if (t->by_reward) own->search_target = own->search_target_share = 0;
  return SPN_OK;
}

static spn_status fresh(const spn_cli_run *where, spn_settings *s, spn_err *err) {
  s->tune_ranges[0] = 0;
  return spn_cli_search(where, s, err);
}

static spn_status do_trial(tuning *t, const double *value, int *busy, spn_err *err) {
  static spn_settings own;
  char name[NAME];
  spn_series_state state = SPN_SERIES_NOW;
  spn_series_job job = {.run = name, .result = RESULT, .command = "search"};
  job.work = spn_sweep_shares_warmup(&t->series->settings, &t->space) ? spn_sweep_search : fresh;
  name_of(t->trials, name);
  SPN_TRY(settings_of(t, value, &own, err));
  snprintf(own.tune_ranges, sizeof own.tune_ranges, "%s", t->series->settings.tune_ranges);
  spn_status status = spn_series_do(t->series, &job, &own, &state, err);
  if (status && status != SPN_ENUMERIC) return status;
  *busy = state == SPN_SERIES_BUSY;
  if (!status && state != SPN_SERIES_NOW) return SPN_OK;
  return end_trial(t, name, status == SPN_ENUMERIC, value, err);
}

/* ---- One after another ---- */

/* What a done trial left: its place in the past of those that follow. */
static spn_status take_trial(tuning *t, const double *value, spn_err *err) {
  spn_tune_trial *own = &t->trial[t->trials];
  spn_sweep_point *p = &t->point[t->trials];
  char name[NAME], path[SPN_SERIES_PATH];
  spn_json_doc *doc;
  int failed;
  name_of(t->trials, name);
  SPN_TRY(spn_series_path(t->series, name, RESULT, path, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc), at = spn_json_get(&root, "failed"), worth = spn_json_get(&root, "worth");
  spn_status status = spn_json_bool(&at, &failed, err);
  own->worth = NAN;
  if (!status && !failed) status = spn_json_real(&worth, -1e15, 1e15, &own->worth, err);
  spn_json_free(doc);
  *p = (spn_sweep_point){.accuracy = NAN, .predicted = NAN};
  snprintf(p->run, sizeof p->run, "%s", name);
  if (!status && !failed) status = spn_sweep_read(t->series, name, p, err);
  memcpy(own->value, value, sizeof own->value);
  memcpy(p->value, value, sizeof p->value);
  p->worth = own->worth;
  t->trials += !status;
  return status;
}

static void say_trial(const tuning *t) {
  const spn_sweep_point *p = &t->point[t->trials - 1];
  char number[32];
  if (t->series->quiet) return;
  fprintf(stderr, "sweep: %s of %lld:", p->run, t->series->settings.tune_trials);
  for (int i = 0; i < t->space.count; i++)
    fprintf(stderr, "%s %s=%s", i ? "," : "", t->space.range[i].path, spn_shortest(p->value[i], number));
  if (p->blocks) fprintf(stderr, "; accuracy %.2f %%, cost %.4g\n", 100 * p->accuracy, p->predicted);
  else fprintf(stderr, "; failed: not a number\n");
}

/* The first trial is what the settings say themselves, so that it is known what tuning brings; without it the even
 * spread begins at once. */
static spn_status next_values(tuning *t, double *value, int *found, spn_err *err) {
  *found = 1;
  if (!t->trials && t->given) {
    spn_tune_given(&t->space, &t->series->settings, value);
    return SPN_OK;
  }
  uint64_t seed = (uint64_t)t->series->settings.run_seed;
  return spn_tune_next(&t->space, seed, t->trial, t->trials, value, found, err);
}

static spn_status run_trials(tuning *t, spn_err *err) {
  double value[SPN_TUNE_SETTINGS] = {0};
  int shares = spn_sweep_shares_warmup(&t->series->settings, &t->space), found = 1, busy = 0;
  while (t->trials < (int)t->series->settings.tune_trials) {
    if (busy) SPN_TRY(spn_series_wait(err));
    busy = 0;
    if (shares) SPN_TRY(spn_sweep_warm_up(t->series, &busy, err));
    if (busy) continue;
    SPN_TRY(next_values(t, value, &found, err));
    if (!found) return SPN_OK; /* every value was tried */
    SPN_TRY(do_trial(t, value, &busy, err));
    if (busy) continue;
    SPN_TRY(take_trial(t, value, err));
    say_trial(t);
  }
  return SPN_OK;
}

/* ---- What came out ---- */

/* {"search": {"threshold_lr": 0.0123}, ...}: a section once. */
static spn_status write_best(const tuning *t, const double *value, spn_err *err) {
  char path[SPN_SERIES_PATH], section[SPN_TUNE_PATH];
  spn_json_writer w = {0};
  SPN_TRY(spn_series_path(t->series, "", "best.json", path, err));
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  for (int i = 0; i < t->space.count; i++) {
    const char *own = t->space.range[i].path;
    size_t size = strcspn(own, ".") + 1;
    int first = 1;
    for (int k = 0; k < i; k++) first &= strncmp(t->space.range[k].path, own, size) != 0;
    if (!first) continue;
    snprintf(section, sizeof section, "%.*s", (int)size - 1, own);
    spn_json_object(&w, section, SPN_JSON_LINES);
    for (int k = i; k < t->space.count; k++)
      if (!strncmp(t->space.range[k].path, own, size)) spn_json_put_number(&w, t->space.range[k].path + size, value[k]);
    spn_json_end(&w);
  }
  spn_json_end(&w);
  return spn_json_save(&w, path, err);
}

static void print_trials(const tuning *t, int best) {
  char number[32];
  printf("%-10s", "trial");
  for (int i = 0; i < t->space.count; i++) printf(" %20s", t->space.range[i].path);
  printf(" %12s %12s%s\n", "predicted", "accuracy %", t->by_reward ? "       reward" : "");
  for (int i = 0; i < t->trials; i++) {
    const spn_sweep_point *p = &t->point[i];
    printf("%-10s", p->run);
    for (int k = 0; k < t->space.count; k++) printf(" %20s", spn_shortest(p->value[k], number));
    if (p->blocks) printf(" %12.6g %12.2f", p->predicted, 100 * p->accuracy);
    else printf(" %12s %12s", "failed", "");
    if (t->by_reward && p->blocks) printf(" %12.5f", p->worth);
    printf("%s%s\n", !i && t->given ? "  as given" : "", i == best ? "  best" : "");
  }
}

static void print_best(const tuning *t, int best) {
  const char *folder = t->series->folder;
  const spn_sweep_point *b = &t->point[best], *g = &t->point[0];
  printf("best        %s: accuracy %.2f %%", b->run, 100 * b->accuracy);
  if (t->given && g->blocks) printf("; as given %.2f %%", 100 * g->accuracy);
  printf(" (of the search: inherited weights on held-out images, or the evaluator's, of one seed)\n");
  printf("files       %s/best.json, for --config; report.html, front.json, front.csv\n", folder);
}

static spn_status report(tuning *t, spn_err *err) {
  int best = spn_tune_best(t->trial, t->trials);
  SPN_TRY(spn_sweep_write_front(t->series, &t->space, t->point, t->trials, err));
  if (best < 0)
    return spn_fail(err, SPN_ENUMERIC, "tune.ranges: every trial gave numbers that are none; choose lower ranges");
  SPN_TRY(write_best(t, t->trial[best].value, err));
  print_trials(t, best);
  print_best(t, best);
  return SPN_OK;
}

spn_status spn_sweep_tune(const spn_series *s, double target, spn_err *err) {
  static tuning t;
  double value[SPN_TUNE_SETTINGS];
  t = (tuning){.series = s, .target = target};
  SPN_TRY(spn_tune_read(&s->settings, &t.space, err));
  t.by_reward = spn_tune_has(&t.space, "search.lambda");
  t.given = spn_tune_given(&t.space, &s->settings, value);
  spn_status status = run_trials(&t, err);
  if (!status) status = report(&t, err);
  for (int i = 0; i < t.trials; i++) free(t.point[i].blocks);
  return status;
}
