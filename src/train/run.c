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

#include "core/screen.h"
#include "io/file.h"
#include "train/environment.h"
#include "train/machine.h"
#include "train/resume.h"
#include "train/terminal.h"

enum { LOCK_TRIES = 10 };
#define SPN_EVENTS "events.out.tfevents.spnas"

struct spn_run {
  char folder[768];
  size_t present; /* bytes of folder's path that were there before us */
  spn_settings settings;
  const char *command;
  enum { NOT_BEGUN, HALF_BEGUN, BEGUN } begun;
  int resumed;
  char paths[4][1024];
  int next_path;
  spn_recorder *recorder;
  int lock; /* descriptor of the folder, locked while the run is open */
  int quiet, said_projection;
  long long keep;
  double first_step_time;
};

const char *spn_run_path(spn_run *run, const char *name) {
  char *path = run->paths[run->next_path = (run->next_path + 1) % 4];
  size_t n = strlen(run->folder);
  memcpy(path, run->folder, n);
  snprintf(path + n, sizeof run->paths[0] - n, "/%.250s", name);
  return path;
}

/* Two processes in one run folder would mix their logs. The system drops the lock when the process ends, however it
 * ends. */
static spn_status lock_folder(spn_run *run, spn_err *err) {
  run->lock = open(run->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (run->lock < 0) return spn_fail(err, SPN_EIO, "%s: %s", run->folder, strerror(errno));
  int busy = 1; /* who asks whether a run goes on (spn_run_busy) holds the lock for less than a moment */
  for (int i = 0; i < LOCK_TRIES && busy; i++) {
    const struct timespec moment = {.tv_nsec = 1000000000 / LOCK_TRIES / 5}; /* a fifth of a second for all */
    if (i) nanosleep(&moment, NULL);
    busy = flock(run->lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
  }
  if (busy) return spn_fail(err, SPN_EINPUT, "%s: another spnas is working in this folder", run->folder);
  return SPN_OK;
}

/* Length of the part of the path that is there already. */
static size_t present_part(const char *path) {
  char part[sizeof((spn_run *)0)->folder];
  struct stat st;
  snprintf(part, sizeof part, "%s", path);
  while (*part && stat(part, &st)) {
    char *slash = strrchr(part, '/');
    *(slash == part ? slash + 1 : slash ? slash : part) = 0;
    if (slash == part) break;
  }
  return strlen(part);
}

static spn_status make_folder(spn_run *run, spn_err *err) {
  size_t present = present_part(run->folder);
  SPN_TRY(spn_folder_create(run->folder, err));
  SPN_TRY(lock_folder(run, err));
  run->present = present; /* what we have made is ours to remove only behind the lock */
  if (!spn_run_exists(run->folder)) return SPN_OK;
  run->present = strlen(run->folder);
  return spn_fail(err, SPN_EINPUT, "%s holds a run already; continue it with --resume, or choose another --out",
                  run->folder);
}

/* note: of spn_precision_settle. */
static spn_status open_folder(spn_run *run, spn_settings *s, int resume, char *note, spn_err *err) {
  spn_settings old;
  SPN_TRY(spn_settings_anchor(s, err));
  if (resume) {
    spn_settings_default(&old);
    SPN_TRY(spn_resume_settings(run->folder, run->command, &old, err));
    SPN_TRY(spn_settings_anchor(&old, err));
    SPN_TRY(lock_folder(run, err));
    spn_precision_settle(s, &old, note);
    SPN_TRY(spn_resume_check(&old, s, err));
  } else {
    SPN_TRY(make_folder(run, err));
  }
  if (!note[0]) spn_precision_settle(s, NULL, note);
  return SPN_OK;
}

spn_status spn_run_open(const char *folder, spn_settings *s, const char *command, int resume, int quiet, spn_run **out,
                        spn_err *err) {
  char note[SPN_PRECISION_NOTE] = "";
  if (strlen(folder) >= sizeof((spn_run *)0)->folder) return spn_fail(err, SPN_EINPUT, "--out: the path is too long");
  spn_terminal_seconds(); /* the clock starts here where no command started it */
  spn_run *run = calloc(1, sizeof *run);
  if (!run) return spn_fail(err, SPN_ENOMEM, "run: out of memory");
  snprintf(run->folder, sizeof run->folder, "%s", folder);
  run->present = strlen(run->folder);
  run->command = command;
  run->resumed = resume;
  run->quiet = quiet;
  run->keep = s->run_keep;
  run->lock = -1;
  spn_status status = open_folder(run, s, resume, note, err);
  if (!status && !(run->recorder = spn_recorder_new())) status = spn_fail(err, SPN_ENOMEM, "run: out of memory");
  if (status) {
    spn_run_close(run);
    return status;
  }
  run->settings = *s;
  if (note[0]) spn_run_say(run, "%s", note);
  *out = run;
  return SPN_OK;
}

/* The config comes last: with it the folder holds a run. */
static spn_status write_beginning(spn_run *run, uint64_t step, spn_err *err) {
  spn_json_writer w = {0};
  SPN_TRY(spn_folder_create(spn_run_path(run, "checkpoints"), err));
  SPN_TRY(spn_environment_write(&run->settings, run->command, spn_run_path(run, "env.json"), err));
  SPN_TRY(spn_sink_jsonl(spn_run_path(run, "metrics.jsonl"), run->recorder, err));
  if (run->settings.run_tensorboard) SPN_TRY(spn_sink_events(spn_run_path(run, SPN_EVENTS), run->recorder, err));
  SPN_TRY(spn_recorder_cut(run->recorder, step, err));
  spn_settings_put(&run->settings, &w);
  return spn_json_save(&w, spn_run_path(run, "config.resolved.json"), err);
}

spn_status spn_run_begin(spn_run *run, uint64_t step, spn_err *err) {
  if (run->begun == BEGUN) return SPN_OK;
  run->begun = HALF_BEGUN;
  SPN_TRY(write_beginning(run, step, err));
  run->begun = BEGUN;
  return SPN_OK;
}

/* A start that failed leaves nothing: files first, then the folders that it made. */
static void remove_start(spn_run *run) {
  static const char *const files[] = {"config.resolved.json", "metrics.jsonl", SPN_EVENTS, "env.json"};
  if (run->begun == HALF_BEGUN) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlink(spn_run_path(run, files[i]));
    rmdir(spn_run_path(run, "checkpoints"));
  }
  while (strlen(run->folder) > run->present && !rmdir(run->folder)) {
    char *slash = strrchr(run->folder, '/');
    *(slash ? slash : run->folder) = 0;
  }
}

void spn_run_close(spn_run *run) {
  if (!run) return;
  spn_terminal_end_line();
  spn_recorder_free(run->recorder);
  if (run->begun != BEGUN && !run->resumed) remove_start(run);
  if (run->lock >= 0) close(run->lock);
  free(run);
}

double spn_run_seconds(const spn_run *run) { return spn_terminal_seconds(); }

spn_recorder *spn_run_row(spn_run *run, uint64_t step) {
  spn_row_begin(run->recorder, step);
  return run->recorder;
}

/* ---- Checkpoints ---- */

static int by_step(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* Steps of the checkpoints in the folder, ascending; malloc'd, NULL when there is none. */
static spn_status list_checkpoints(spn_run *run, uint64_t **out, size_t *count, spn_err *err) {
  uint64_t *steps = NULL;
  const char *path = spn_run_path(run, "checkpoints");
  spn_status status = SPN_OK;
  *count = 0;
  DIR *dir = opendir(path);
  if (!dir && errno != ENOENT) status = spn_fail(err, SPN_EIO, "%s: cannot be opened: %s", path, strerror(errno));
  for (struct dirent *e; dir && !status && (e = readdir(dir));) {
    unsigned long long step;
    int used = 0;
    if (sscanf(e->d_name, "step-%llu.safetensors%n", &step, &used) != 1 || !used || e->d_name[used]) continue;
    uint64_t *more = realloc(steps, (*count + 1) * sizeof *steps);
    if (!more) status = spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
    else (steps = more)[(*count)++] = step;
  }
  if (dir) closedir(dir);
  if (status) free(steps);
  else if (*count) qsort(steps, *count, sizeof *steps, by_step);
  *out = steps;
  return status;
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
  uint64_t *steps;
  SPN_TRY(list_checkpoints(run, &steps, &count, err));
  for (size_t i = 0; i + (size_t)run->keep < count; i++) unlink(spn_run_checkpoint_path(run, steps[i]));
  free(steps);
  return SPN_OK;
}

/* The newest of the checkpoints that is whole; why: of the last one that is not. */
static spn_status load_newest(spn_run *run, const uint64_t *steps, size_t count, uint64_t *step, spn_tensors **out,
                              spn_err *why) {
  for (size_t i = count; i-- > 0;) {
    spn_status status = spn_tensors_load(spn_run_checkpoint_path(run, steps[i]), out, why);
    *step = steps[i];
    if (!status || status == SPN_ENOMEM || status == SPN_ESTOPPED) return status;
    spn_run_warn(run, "passed over: %s", why->text);
  }
  return SPN_EINPUT;
}

spn_status spn_run_restore(spn_run *run, uint64_t *step, spn_tensors **out, spn_err *err) {
  size_t count;
  uint64_t *steps;
  spn_err why;
  *out = NULL;
  *step = 0;
  SPN_TRY(list_checkpoints(run, &steps, &count, err));
  spn_status status = count ? load_newest(run, steps, count, step, out, &why) : SPN_OK;
  free(steps);
  if (!count && run->resumed) spn_run_say(run, "no checkpoint yet: starting at step 0");
  if (status == SPN_EINPUT)
    return spn_fail(
        err, SPN_EINPUT,
        "%s/checkpoints: none of the %zu is whole; to start anew, choose another --out or remove the folder",
        run->folder, count);
  if (status && err) *err = why;
  return status;
}

/* ---- Progress ---- */

static void put_progress(const spn_run *run, const spn_progress *p, double pace, int last) {
  char left[SPN_DURATION], start[80], speed[40], score[48], cost[64] = "", text[256];
  spn_duration_text(pace * (double)(p->steps - p->step), left);
  if (p->target > 0) snprintf(cost, sizeof cost, "  cost %.2f %s (target %.2f)", p->cost, p->unit, p->target);
  snprintf(start, sizeof start, "epoch %.2f/%.4g  step %llu/%llu", p->epoch, p->epochs, (unsigned long long)p->step,
           (unsigned long long)p->steps);
  snprintf(speed, sizeof speed, "  %.0f images/s", p->batch / pace);
  snprintf(score, sizeof score, "  CE %.3f  top-1 %.1f %%", p->ce, 100 * p->accuracy);
  const char *part[] = {start, speed, score, cost}; /* on a narrow terminal, what matters least goes first */
  static const int least[] = {1, 2, 3};
  for (int i = 0; i < 4; i++) {
    snprintf(text, sizeof text, "%s%s%s%s  ETA %s", part[0], part[1], part[2], part[3], left);
    if (i == 3 || spn_terminal_fits(text)) break;
    part[least[i]] = "";
  }
  spn_terminal_line(text, last);
}

void spn_run_progress(spn_run *run, const spn_progress *p, int last) {
  double t = spn_seconds();
  uint64_t done = p->step - p->first_step;
  if (!run->first_step_time && done) run->first_step_time = t;
  if (run->quiet || done < 2 || (!last && run->said_projection && !spn_terminal_due())) return;
  double pace = (t - run->first_step_time) / (double)(done - 1); /* the first step is not typical */
  if (!run->said_projection && !last) {
    char total[SPN_DURATION];
    if (t - run->first_step_time < 1 && done < 20) return;
    spn_duration_text(pace * (double)(p->steps - p->first_step), total);
    spn_run_say(run, "about %s for %llu steps at %.0f images/s", total, (unsigned long long)(p->steps - p->first_step),
                p->batch / pace);
    run->said_projection = 1;
  }
  put_progress(run, p, pace, last);
}

void spn_run_say(spn_run *run, const char *format, ...) {
  if (run->quiet) return;
  va_list args;
  va_start(args, format);
  spn_terminal_say(format, args);
  va_end(args);
}

void spn_run_warn(spn_run *run, const char *format, ...) {
  char text[1200];
  va_list args;
  snprintf(text, sizeof text, "%swarning:%s %s", spn_screen_style(stderr, SPN_WARN),
           spn_screen_style(stderr, SPN_PLAIN), format);
  va_start(args, format);
  spn_terminal_say(text, args);
  va_end(args);
}
