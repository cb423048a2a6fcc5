#define _GNU_SOURCE
#include "train/resume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "io/json.h"

enum { PATH_SIZE = 1100 };

static int exists(const char *folder, const char *name) {
  char path[PATH_SIZE];
  struct stat st;
  return snprintf(path, sizeof path, "%s/%s", folder, name) < PATH_SIZE && !stat(path, &st);
}

static int has_checkpoint(const char *folder) {
  char path[PATH_SIZE];
  int found = 0;
  DIR *dir = snprintf(path, sizeof path, "%s/checkpoints", folder) < PATH_SIZE ? opendir(path) : NULL;
  for (struct dirent *e; dir && !found && (e = readdir(dir));) found = !strncmp(e->d_name, "step-", 5);
  if (dir) closedir(dir);
  return found;
}

int spn_run_exists(const char *folder) { return exists(folder, "config.resolved.json") || has_checkpoint(folder); }

/* By the lock that a run holds (run.c); who asks holds a shared one for a moment. */
int spn_run_busy(const char *folder) {
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return 0;
  int busy = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
  close(fd);
  return busy;
}

/* env.json says what the folder is of; one that cannot be read says nothing. */
static spn_status check_command(const char *folder, const char *command, spn_err *err) {
  char path[PATH_SIZE];
  spn_json_doc *doc = NULL;
  const char *own = NULL;
  snprintf(path, sizeof path, "%s/env.json", folder);
  if (spn_json_load(path, &doc, NULL)) return SPN_OK;
  spn_json root = spn_json_root(doc), at = spn_json_get(&root, "command");
  spn_status status = SPN_OK;
  if (!spn_json_string(&at, &own, NULL) && strcmp(own, command))
    status = spn_fail(err, SPN_EINPUT, "--resume: %s was begun by spnas %.40s, not by spnas %s", folder, own, command);
  spn_json_free(doc);
  return status;
}

spn_status spn_resume_settings(const char *folder, const char *command, spn_settings *out, spn_err *err) {
  char path[PATH_SIZE];
  if (!spn_run_exists(folder))
    return spn_fail(err, SPN_EINPUT, "--resume: %s holds no run to go on with; leave --resume out to begin one there",
                    folder);
  SPN_TRY(check_command(folder, command, err));
  if (snprintf(path, sizeof path, "%s/config.resolved.json", folder) >= PATH_SIZE)
    return spn_fail(err, SPN_EINPUT, "--out: the path is too long");
  SPN_TRY(spn_settings_load(out, path, err));
  out->run_max_steps = 0;
  return SPN_OK;
}

/* ---- Paths ---- */

static spn_status too_long(const char *setting, size_t size, spn_err *err) {
  return spn_fail(err, SPN_EINPUT, "%s: expected a path of at most %zu bytes from the root on, got a longer one",
                  setting, size - 1);
}

static spn_status anchor(const char *setting, char *text, size_t size, spn_err *err) {
  char absolute[PATH_SIZE];
  if (spn_path_absolute(text, absolute, sizeof absolute) || strlen(absolute) >= size)
    return too_long(setting, size, err);
  strcpy(text, absolute);
  return SPN_OK;
}

/* As io/datapath.h and --arch tell a file from a name. */
static int is_file(const char *text) { return strchr(text, '/') || strstr(text, ".json"); }

/* Every part of a sum (latency.h) that is a file. */
static spn_status anchor_sum(const char *setting, char *text, size_t size, spn_err *err) {
  char sum[PATH_SIZE + 1] = "", part[PATH_SIZE];
  size_t used = 0;
  for (const char *next, *at = text; at; at = next) {
    const char *plus = strstr(at, " + "), *star = strchr(at, '*');
    const char *end = plus ? plus : at + strlen(at), *name = star && star < end ? star + 1 : at;
    next = plus ? plus + 3 : NULL;
    name += strspn(name, " ");
    snprintf(part, sizeof part, "%.*s", (int)(end - name), name);
    if (is_file(part)) SPN_TRY(anchor(setting, part, sizeof part, err));
    used += (size_t)snprintf(sum + used, sizeof sum - used, "%.*s%s%s", (int)(name - at), at, part, plus ? " + " : "");
    if (used >= size) return too_long(setting, size, err);
  }
  strcpy(text, sum);
  return SPN_OK;
}

/* "params <= 4.5, tablet.json <= 70" (limits.h): every cost, as in a sum. */
static spn_status anchor_limits(const char *setting, char *text, size_t size, spn_err *err) {
  char all[PATH_SIZE + 1] = "", cost[PATH_SIZE];
  size_t used = 0;
  for (const char *at = text, *next; *at; at = next) {
    at += strspn(at, " ");
    size_t whole = strcspn(at, ","), n = whole;
    const char *sign = strstr(at, "<=");
    if (sign && sign < at + whole) n = (size_t)(sign - at);
    next = at + whole + (at[whole] == ',');
    size_t limit = whole - n;
    while (n && at[n - 1] == ' ') n--;
    snprintf(cost, sizeof cost, "%.*s", (int)n, at);
    SPN_TRY(anchor_sum(setting, cost, sizeof cost, err));
    used += (size_t)snprintf(all + used, sizeof all - used, "%s%s%s%.*s", used ? ", " : "", cost, limit ? " " : "",
                             (int)limit, at + whole - limit);
    if (used >= size) return too_long(setting, size, err);
  }
  strcpy(text, all);
  return SPN_OK;
}

spn_status spn_settings_anchor(spn_settings *s, spn_err *err) {
#define ANCHOR(how, section, key) SPN_TRY(how(#section "." #key, s->section##_##key, sizeof s->section##_##key, err));
#define PATH(section, key, value, help) \
  if (*s->section##_##key) ANCHOR(anchor, section, key)
#define SOURCE(section, key, value, help) \
  if (is_file(s->section##_##key)) ANCHOR(anchor, section, key)
#define SUM(section, key, value, help) ANCHOR(anchor_sum, section, key)
#define LIMITS(section, key, value, help) ANCHOR(anchor_limits, section, key)
#include "train/settings.def"
#undef ANCHOR
  return SPN_OK;
}

/* ---- What may not change ---- */

static spn_status differs(const char *path, spn_err *err) {
  return spn_fail(err, SPN_EINPUT,
                  "--resume: %s is not what this run was started with; use the run's own "
                  "config.resolved.json, or another --out",
                  path);
}

spn_status spn_resume_check(const spn_settings *a, const spn_settings *b, spn_err *err) {
  static const char *const free_to_change[] = {
      "run.threads",   "run.checkpoint_steps", "run.keep",     "run.log_steps",   "run.max_steps", "data.threads",
      "data.prefetch", "search.judge",         "search.force", "run.tensorboard", "tune.trials"};
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
  return SPN_OK;
}
