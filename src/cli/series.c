#define _GNU_SOURCE
#include "cli/series.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "core/phase.h"
#include "io/file.h"
#include "train/environment.h"
#include "train/resume.h"
#include "train/terminal.h"

/* ---- Targets ---- */

static spn_status read_target(const char *text, size_t size, spn_series *s, spn_err *err) {
  spn_series_target *t = &s->target[s->targets];
  char *end;
  if (s->targets == SPN_SERIES_TARGETS)
    return spn_fail(err, SPN_EINPUT, "search.targets: expected at most %d, got more", SPN_SERIES_TARGETS);
  snprintf(t->name, sizeof t->name, "%.*s", (int)size, text);
  t->value = strtod(t->name, &end);
  t->share = *end == '%';
  if (t->share) t->value /= 100;
  if (end == t->name || end[t->share] || !(t->value > 0) || !isfinite(t->value) || size >= sizeof t->name ||
      (t->share && t->value > 1))
    return spn_fail(err, SPN_EINPUT, "search.targets: expected budgets such as 60,80 or 40%%,50%%, got \"%.*s\"",
                    (int)size, text);
  for (int i = 0; i < s->targets; i++)
    if (s->target[i].value == t->value && s->target[i].share == t->share)
      return spn_fail(err, SPN_EINPUT, "search.targets: expected each budget once, got %s twice", t->name);
  s->targets++;
  return SPN_OK;
}

static spn_status read_targets(spn_series *s, spn_err *err) {
  const char *text = s->settings.search_targets;
  if (!*text) { /* the one that a search would have */
    double share = s->settings.search_target_share, value = s->settings.search_target;
    spn_series_target *t = &s->target[s->targets++];
    *t = (spn_series_target){.value = share > 0 ? share : value, .share = share > 0};
    snprintf(t->name, sizeof t->name, "%.10g%s", share > 0 ? 100 * share : value, share > 0 ? "%" : "");
    return SPN_OK;
  }
  for (;;) {
    size_t n = strcspn(text, ",");
    SPN_TRY(read_target(text, n, s, err));
    if (!text[n]) return SPN_OK;
    text += n + 1;
  }
}

static spn_status read_lambda(const char *text, size_t size, spn_series *s, spn_err *err) {
  static spn_settings room;
  spn_series_target *t = &s->target[s->targets];
  char own[32], assignment[64];
  if (s->targets == SPN_SERIES_TARGETS)
    return spn_fail(err, SPN_EINPUT, "search.lambdas: expected at most %d searches, got more", SPN_SERIES_TARGETS);
  snprintf(own, sizeof own, "%.*s", (int)size, text);
  snprintf(assignment, sizeof assignment, "search.lambda=%s", own);
  spn_settings_default(&room);
  if (size >= sizeof own || spn_settings_set(&room, assignment, NULL) || room.search_lambda < 0)
    return spn_fail(err, SPN_EINPUT, "search.lambdas: expected values of search.lambda such as 0.01,0.05, got \"%.*s\"",
                    (int)size, text);
  *t = (spn_series_target){.value = room.search_lambda, .lambda = 1};
  snprintf(t->name, sizeof t->name, "lambda-%s", own);
  for (int i = 0; i < s->targets; i++)
    if (s->target[i].lambda && s->target[i].value == t->value)
      return spn_fail(err, SPN_EINPUT, "search.lambdas: expected each value once, got %s twice", own);
  s->targets++;
  return SPN_OK;
}

spn_status spn_series_lambdas(spn_series *s, spn_err *err) {
  const char *text = s->settings.search_lambdas;
  if (!*text) return SPN_OK;
  if (!s->settings.search_targets[0]) s->targets = 0;
  for (;;) {
    size_t n = strcspn(text, ",");
    SPN_TRY(read_lambda(text, n, s, err));
    if (!text[n]) return SPN_OK;
    text += n + 1;
  }
}

void spn_series_aim(const spn_series_target *t, spn_settings *s) {
  s->search_targets[0] = s->search_lambdas[0] = s->tune_ranges[0] = 0;
  s->search_target_share = t->share ? t->value : 0;
  if (t->lambda) s->search_lambda = t->value;
  if (!t->share) s->search_target = t->lambda ? 0 : t->value;
}

/* ---- The folder ---- */

spn_status spn_series_path(const spn_series *s, const char *run, const char *file, char out[SPN_SERIES_PATH],
                           spn_err *err) {
  int n = snprintf(out, SPN_SERIES_PATH, "%s/%s%s%s", s->folder, run, *run && *file ? "/" : "", file);
  if (n < SPN_SERIES_PATH) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "--out: the path is too long");
}

/* The config comes last: with it the folder can be joined. */
spn_status spn_series_begin(const spn_series *s, spn_err *err) {
  char path[SPN_SERIES_PATH];
  spn_json_writer w = {0};
  if (s->resume) return SPN_OK;
  SPN_TRY(spn_folder_create(s->folder, err));
  SPN_TRY(spn_series_path(s, "", "env.json", path, err));
  SPN_TRY(spn_environment_write(&s->settings, s->command, path, err));
  SPN_TRY(spn_series_path(s, "", "config.resolved.json", path, err));
  spn_settings_put(&s->settings, &w);
  return spn_json_save(&w, path, err);
}

spn_status spn_series_open(const spn_arguments *a, const char *command, spn_series *s, spn_err *err) {
  static spn_settings begun;
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the folder of the runs, got nothing");
  *s = (spn_series){
      .folder = a->out, .command = command, .settings = a->settings, .resume = a->resume, .quiet = a->quiet};
  SPN_TRY(read_targets(s, err));
  SPN_TRY(spn_settings_anchor(&s->settings, err));
  if (!s->resume) return SPN_OK;
  spn_settings_default(&begun);
  SPN_TRY(spn_resume_settings(s->folder, command, &begun, err));
  return spn_resume_check(&begun, &s->settings, err);
}

/* ---- Runs ---- */

int spn_series_done(const spn_series *s, const char *run, const char *result) {
  char path[SPN_SERIES_PATH];
  return !spn_series_path(s, run, result, path, NULL) && !access(path, F_OK);
}

/* A file beside the run's folder, which is locked itself while a command works in it. The system drops the lock when
 * the process ends, however it ends. */
spn_status spn_series_take(const spn_series *s, const char *run, int *lock, spn_err *err) {
  char path[SPN_SERIES_PATH], name[SPN_SERIES_PATH];
  SPN_TRY(spn_series_path(s, run, "", path, err));
  char *last = strrchr(path, '/');
  *last = 0;
  SPN_TRY(spn_folder_create(path, err));
  *last = '/';
  if (snprintf(name, sizeof name, "%s.lock", path) >= SPN_SERIES_PATH)
    return spn_fail(err, SPN_EINPUT, "--out: the path is too long");
  *lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (*lock < 0) return spn_fail(err, SPN_EIO, "%s: cannot be created: %s", name, strerror(errno));
  if (!flock(*lock, LOCK_EX | LOCK_NB)) return SPN_OK;
  int busy = errno == EWOULDBLOCK;
  spn_status status = busy ? SPN_OK : spn_fail(err, SPN_EIO, "%s: cannot be locked: %s", name, strerror(errno));
  close(*lock);
  *lock = -1;
  return status;
}

/* Settings of a run that goes on are its own: what was automatic is settled in them. */
static spn_status work_on(const spn_series *s, const spn_series_job *job, const spn_settings *settings, spn_err *err) {
  static spn_settings own;
  char path[SPN_SERIES_PATH];
  SPN_TRY(spn_series_path(s, job->run, "", path, err));
  spn_cli_run where = {.out = path, .resume = spn_run_exists(path), .quiet = s->quiet, .silent = 1};
  if (where.resume) {
    spn_settings_default(&own);
    SPN_TRY(spn_resume_settings(path, job->command, &own, err));
    own.run_threads = settings->run_threads;
    own.run_max_steps = settings->run_max_steps;
  } else {
    own = *settings;
  }
  spn_terminal_restart();
  return job->work(&where, &own, err);
}

spn_status spn_series_do(const spn_series *s, const spn_series_job *job, const spn_settings *settings,
                         spn_series_state *out, spn_err *err) {
  int lock;
  *out = SPN_SERIES_DONE;
  if (spn_series_done(s, job->run, job->result)) return SPN_OK;
  SPN_TRY(spn_series_take(s, job->run, &lock, err));
  *out = lock < 0 ? SPN_SERIES_BUSY : SPN_SERIES_NOW;
  if (lock < 0) return SPN_OK;
  spn_status status = SPN_OK;
  if (spn_series_done(s, job->run, job->result)) *out = SPN_SERIES_DONE; /* meanwhile */
  else status = work_on(s, job, settings, err);
  close(lock);
  return status;
}

spn_status spn_series_wait(spn_err *err) {
  const struct timespec second = {.tv_sec = 1};
  nanosleep(&second, NULL); /* a signal ends it early */
  if (!spn_stop_requested()) return SPN_OK;
  return spn_fail(err, SPN_ESTOPPED, "stopped while other processes do the last runs");
}
