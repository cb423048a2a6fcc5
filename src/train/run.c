#define _GNU_SOURCE
#include "train/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/file.h"
#include "train/environment.h"
#include "train/machine.h"

struct spn_run {
  char folder[768];
  char paths[4][1024];
  int next_path;
  spn_recorder *recorder;
  int lock; /* descriptor of the folder, locked while the run is open */
  int quiet, terminal, line_open, said_projection;
  long long keep;
  double start, last_line, first_step_time;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const char *spn_run_path(spn_run *run, const char *name) {
  char *path = run->paths[run->next_path = (run->next_path + 1) % 4];
  size_t n = strlen(run->folder);
  memcpy(path, run->folder, n);
  snprintf(path + n, sizeof run->paths[0] - n, "/%.250s", name);
  return path;
}

static int exists(const char *path) {
  struct stat st;
  return !stat(path, &st);
}

/* ---- Settings of a resumed run ---- */

static spn_status differs(const char *path, spn_err *err) {
  return spn_fail(err, SPN_EINPUT,
                  "--resume: %s is not what this run was started with; use the run's own "
                  "config.resolved.json, or another --out",
                  path);
}

static spn_status same_settings(const spn_settings *a, const spn_settings *b, spn_err *err) {
  static const char *const free_to_change[] = {
      "run.threads",  "run.checkpoint_steps", "run.keep",     "run.log_steps", "run.max_steps",
      "data.threads", "data.prefetch",        "search.judge", "search.force",  "run.tensorboard"};
#define FREE(path) \
  for (size_t i = 0; i < sizeof free_to_change / sizeof *free_to_change; i++) same |= !strcmp(path, free_to_change[i])
#define COMPARE(section, key, equal)                   \
  {                                                    \
    int same = (equal);                                \
    FREE(#section "." #key);                           \
    if (!same) return differs(#section "." #key, err); \
  }
#define STRING(section, key, value, help) COMPARE(section, key, !strcmp(a->section##_##key, b->section##_##key))
#define CHOICE(section, key, type, list, help) COMPARE(section, key, a->section##_##key == b->section##_##key)
#define NAMED(section, key, value, names, help) COMPARE(section, key, !strcmp(a->section##_##key, b->section##_##key))
#define INT(section, key, value, min, max, unit, help) COMPARE(section, key, a->section##_##key == b->section##_##key)
#define REAL(section, key, value, min, max, unit, help) COMPARE(section, key, a->section##_##key == b->section##_##key)
#define BOOL(section, key, value, help) COMPARE(section, key, a->section##_##key == b->section##_##key)
#include "train/settings.def"
#undef STRING
#undef CHOICE
#undef NAMED
#undef INT
#undef REAL
#undef BOOL
  return SPN_OK;
}

/* Two processes in one run folder would mix their logs. The system drops the lock when the process ends, however it
 * ends. */
static spn_status lock_folder(spn_run *run, spn_err *err) {
  run->lock = open(run->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (run->lock < 0) return spn_fail(err, SPN_EIO, "%s: %s", run->folder, strerror(errno));
  if (flock(run->lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
    return spn_fail(err, SPN_EINPUT, "%s: another spnas is working in this folder", run->folder);
  return SPN_OK;
}

/* note: of spn_precision_settle. */
static spn_status start_folder(spn_run *run, spn_settings *s, const char *command, int resume, char *note,
                               spn_err *err) {
  const char *config = spn_run_path(run, "config.resolved.json");
  SPN_TRY(spn_folder_create(run->folder, err));
  SPN_TRY(lock_folder(run, err));
  SPN_TRY(spn_folder_create(spn_run_path(run, "checkpoints"), err));
  if (exists(config)) {
    if (!resume)
      return spn_fail(err, SPN_EINPUT, "%s holds a run already; continue it with --resume, or choose another --out",
                      run->folder);
    spn_settings old;
    spn_settings_default(&old);
    SPN_TRY(spn_settings_load(&old, config, err));
    spn_precision_settle(s, &old, note);
    SPN_TRY(same_settings(&old, s, err));
  }
  if (!note[0]) spn_precision_settle(s, NULL, note);
  spn_json_writer w = {0};
  spn_settings_put(s, &w);
  SPN_TRY(spn_json_save(&w, config, err));
  return spn_environment_write(s, command, spn_run_path(run, "env.json"), err);
}

spn_status spn_run_open(const char *folder, spn_settings *s, const char *command, int resume, int quiet, spn_run **out,
                        spn_err *err) {
  if (strlen(folder) >= sizeof((spn_run *)0)->folder) return spn_fail(err, SPN_EINPUT, "--out: the path is too long");
  spn_run *run = calloc(1, sizeof *run);
  if (!run) return spn_fail(err, SPN_ENOMEM, "run: out of memory");
  snprintf(run->folder, sizeof run->folder, "%s", folder);
  run->quiet = quiet;
  run->terminal = isatty(STDERR_FILENO);
  run->keep = s->run_keep;
  run->start = now();
  run->lock = -1;
  char note[SPN_PRECISION_NOTE] = "";
  spn_status status = start_folder(run, s, command, resume, note, err);
  if (!status && !(run->recorder = spn_recorder_new())) status = spn_fail(err, SPN_ENOMEM, "run: out of memory");
  if (!status) status = spn_sink_jsonl(spn_run_path(run, "metrics.jsonl"), run->recorder, err);
  if (!status && s->run_tensorboard)
    status = spn_sink_events(spn_run_path(run, "events.out.tfevents.spnas"), run->recorder, err);
  if (status) {
    spn_run_close(run);
    return status;
  }
  if (note[0]) spn_run_say(run, "%s", note);
  *out = run;
  return SPN_OK;
}

void spn_run_close(spn_run *run) {
  if (!run) return;
  if (run->line_open) fputc('\n', stderr);
  spn_recorder_free(run->recorder);
  if (run->lock >= 0) close(run->lock);
  free(run);
}

double spn_run_seconds(const spn_run *run) { return now() - run->start; }

spn_recorder *spn_run_row(spn_run *run, uint64_t step) {
  spn_row_begin(run->recorder, step);
  return run->recorder;
}

/* ---- Checkpoints ---- */

static int by_step(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* Steps of the checkpoints in the folder, ascending (malloc'd; NULL with *count 0 when there is none). */
static uint64_t *list_checkpoints(spn_run *run, size_t *count) {
  uint64_t *steps = NULL;
  *count = 0;
  DIR *dir = opendir(spn_run_path(run, "checkpoints"));
  for (struct dirent *e; dir && (e = readdir(dir));) {
    unsigned long long step;
    int used = 0;
    if (sscanf(e->d_name, "step-%llu.safetensors%n", &step, &used) != 1 || !used || e->d_name[used]) continue;
    uint64_t *more = realloc(steps, (*count + 1) * sizeof *steps);
    if (!more) break;
    steps = more;
    steps[(*count)++] = step;
  }
  if (dir) closedir(dir);
  if (*count) qsort(steps, *count, sizeof *steps, by_step);
  return steps;
}

const char *spn_run_checkpoint_path(spn_run *run, uint64_t step) {
  char name[64];
  snprintf(name, sizeof name, "checkpoints/step-%09llu.safetensors", (unsigned long long)step);
  return spn_run_path(run, name);
}

spn_status spn_run_checkpoint(spn_run *run, uint64_t step, spn_tensors *set, spn_err *err) {
  char text[32];
  snprintf(text, sizeof text, "%llu", (unsigned long long)step);
  SPN_TRY(spn_tensors_set_meta(set, "spnas.step", text, err));
  SPN_TRY(spn_tensors_save(set, spn_run_checkpoint_path(run, step), err));
  size_t count;
  uint64_t *steps = list_checkpoints(run, &count);
  for (size_t i = 0; i + (size_t)run->keep < count; i++) unlink(spn_run_checkpoint_path(run, steps[i]));
  free(steps);
  return SPN_OK;
}

spn_status spn_run_restore(spn_run *run, uint64_t *step, spn_tensors **out, spn_err *err) {
  size_t count;
  uint64_t *steps = list_checkpoints(run, &count);
  *out = NULL;
  *step = 0;
  while (count && !*out) {
    spn_err why;
    *step = steps[--count];
    if (spn_tensors_load(spn_run_checkpoint_path(run, *step), out, &why)) {
      spn_run_say(run, "passed over: %s", why.text);
      *step = 0;
    }
  }
  free(steps);
  return spn_recorder_cut(run->recorder, *step, err);
}

/* ---- Progress ---- */

static void duration(double seconds, char *text, size_t size) {
  long s = (long)(seconds + 0.5);
  if (s < 3600) snprintf(text, size, "%ld:%02ld", s / 60, s % 60);
  else snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

void spn_run_progress(spn_run *run, const spn_progress *p, int last) {
  double t = now(), interval = run->terminal ? 0.2 : 10;
  uint64_t done = p->step - p->first_step;
  if (!run->first_step_time && done) run->first_step_time = t;
  if (run->quiet || done < 2 || (!last && t - run->last_line < (run->said_projection ? interval : 0))) return;
  double pace = (t - run->first_step_time) / (double)(done - 1); /* the first step is not typical */
  char eta[32], cost[64] = "", total[32];
  duration(pace * (double)(p->steps - p->step), eta, sizeof eta);
  duration(pace * (double)(p->steps - p->first_step), total, sizeof total);
  if (!run->said_projection && !last) {
    if (t - run->first_step_time < 1 && done < 20) return;
    spn_run_say(run, "about %s for %llu steps at %.0f images/s", total, (unsigned long long)(p->steps - p->first_step),
                p->batch / pace);
    run->said_projection = 1;
  }
  if (p->target > 0) snprintf(cost, sizeof cost, "  cost %.2f %s (target %.2f)", p->cost, p->unit, p->target);
  fprintf(stderr, "%sepoch %.2f/%.4g  step %llu/%llu  %.0f images/s  CE %.3f  top-1 %.1f %%%s  ETA %s%s",
          run->terminal ? "\r\033[K" : "", p->epoch, p->epochs, (unsigned long long)p->step,
          (unsigned long long)p->steps, p->batch / pace, p->ce, 100 * p->accuracy, cost, eta,
          run->terminal && !last ? "" : "\n");
  run->line_open = run->terminal && !last;
  run->last_line = t;
}

void spn_run_say(spn_run *run, const char *format, ...) {
  if (run->quiet) return;
  va_list args;
  va_start(args, format);
  if (run->line_open) fputs("\r\033[K", stderr);
  run->line_open = 0;
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
}
