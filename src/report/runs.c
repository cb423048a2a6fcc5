#define _GNU_SOURCE
#include "report/runs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "io/json.h"
#include "train/resume.h"

/* How deep runs are looked for (runs/study/compare/search/NAME), and files within one; the longest last line of a log,
 * header and document that are read. */
enum { DEPTH = 5, INSIDE = 4, TAIL = 1 << 20, HEADER = 1 << 24, DOCUMENT = 1 << 20 };

const char *const spn_run_state_names[] = {"running", "done", "stopped", "damaged", NULL};

typedef struct {
  spn_run_about *list;
  size_t count, room;
  size_t root; /* length of the path that was asked for, with its slash */
  int memory;  /* ran out */
} listing;

/* ---- Reading ---- */

static int join(char out[SPN_RUN_PATH], const char *folder, const char *name) {
  return snprintf(out, SPN_RUN_PATH, "%s/%s", folder, name) < SPN_RUN_PATH;
}

static int is_there(const char *folder, const char *name) {
  char path[SPN_RUN_PATH];
  struct stat at;
  return join(path, folder, name) && !stat(path, &at) && S_ISREG(at.st_mode);
}

static void damaged(spn_run_about *r, const char *why) {
  if (!r->problem[0]) snprintf(r->problem, sizeof r->problem, "%.*s", SPN_RUN_PROBLEM - 1, why);
}

/* NULL where it is not there, or broken, which is told. */
static spn_json_doc *load(spn_run_about *r, const char *folder, const char *name) {
  char path[SPN_RUN_PATH], *text;
  size_t size;
  spn_json_doc *doc = NULL;
  spn_err why;
  if (!is_there(folder, name) || !join(path, folder, name)) return NULL;
  if (spn_file_read(path, DOCUMENT, &text, &size, &why)) {
    damaged(r, why.text);
    return NULL;
  }
  if (spn_json_parse(name, text, size, &doc, &why)) damaged(r, why.text);
  free(text);
  return doc;
}

static spn_json root_of(const spn_json_doc *doc) { return doc ? spn_json_root(doc) : (spn_json){.item = NULL}; }

static void take_text(const spn_json *object, const char *key, char *out, size_t size) {
  spn_json at = spn_json_get(object, key);
  const char *text;
  if (spn_json_is_string(&at) && !spn_json_string(&at, &text, NULL)) snprintf(out, size, "%s", text);
}

static double number_of(const spn_json *object, const char *key) {
  spn_json at = spn_json_get(object, key);
  double value;
  return spn_json_is_number(&at) && !spn_json_real(&at, -INFINITY, INFINITY, &value, NULL) ? value : NAN;
}

/* The last whole line of a log as JSON; NULL where there is none, or no JSON. */
static spn_json_doc *last_line(const char *folder, const char *name) {
  char path[SPN_RUN_PATH], *text = malloc(TAIL);
  spn_json_doc *doc = NULL;
  int file = text && join(path, folder, name) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
  struct stat at;
  if (file >= 0 && !fstat(file, &at) && S_ISREG(at.st_mode)) {
    off_t from = at.st_size > TAIL ? at.st_size - TAIL : 0;
    ssize_t size = pread(file, text, TAIL, from);
    const char *end = size > 0 ? memrchr(text, '\n', (size_t)size) : NULL;
    const char *before = end ? memrchr(text, '\n', (size_t)(end - text)) : NULL;
    const char *start = before ? before + 1 : text;
    if (end && spn_json_parse(name, start, (size_t)(end - start), &doc, NULL)) doc = NULL;
  }
  if (file >= 0) close(file);
  free(text);
  return doc;
}

/* ---- What is told of a run ---- */

/* Prediction out of the header of a training's weights (format: io/tensors.h); its other facts are not asked for. */
static void read_weights(spn_run_about *r, const char *folder) {
  char path[SPN_RUN_PATH], number[64] = "";
  unsigned char length[8];
  size_t size = 0;
  FILE *file = join(path, folder, "best.safetensors") ? fopen(path, "rb") : NULL;
  if (!file) return;
  if (fread(length, 1, sizeof length, file) == sizeof length)
    for (int i = 7; i >= 0; i--) size = size << 8 | length[i];
  char *text = size && size <= HEADER ? malloc(size) : NULL;
  spn_json_doc *doc = NULL;
  if (text && fread(text, 1, size, file) == size && !spn_json_parse("best.safetensors", text, size, &doc, NULL)) {
    spn_json root = spn_json_root(doc), facts = spn_json_get(&root, "__metadata__");
    take_text(&facts, "spnas.predicted", number, sizeof number);
    take_text(&facts, "spnas.unit", r->unit, sizeof r->unit);
    if (number[0]) r->predicted = strtod(number, NULL);
  }
  spn_json_free(doc);
  free(text);
  fclose(file);
}

static void read_target(spn_run_about *r, const spn_json *search) {
  double share = number_of(search, "target_share"), target = number_of(search, "target");
  char several[SPN_RUN_WORD] = "";
  take_text(search, "targets", several, sizeof several);
  if (several[0]) snprintf(r->target, sizeof r->target, "%s", several);
  else if (share > 0) snprintf(r->target, sizeof r->target, "%.6g%%", 100 * share);
  else if (isfinite(target)) snprintf(r->target, sizeof r->target, "%.6g", target);
}

/* Two logs may tell: steps and epochs, or evaluations. */
static void read_progress(spn_run_about *r, const char *folder, const spn_json *section) {
  spn_json_doc *metrics = last_line(folder, "metrics.jsonl"), *archive = last_line(folder, "archive.jsonl");
  spn_json row = root_of(metrics), answer = root_of(archive);
  double whole = number_of(&row, "epoch_end"), part = number_of(&row, "epoch"),
         asked = number_of(&answer, "evaluation");
  r->counted = isfinite(asked) ? "evaluations" : "epochs";
  r->done = isfinite(asked) ? asked : isfinite(whole) ? whole : isfinite(part) ? part : 0;
  r->total = number_of(section, isfinite(asked) ? "evaluations" : "epochs");
  if (!isfinite(r->total)) r->total = 0;
  spn_json_free(metrics);
  spn_json_free(archive);
}

/* The first of the numbers that is one. */
static double first_of(const spn_json *object, const char *const *keys) {
  double value = NAN;
  for (int i = 0; keys[i] && !isfinite(value); i++) value = number_of(object, keys[i]);
  return value;
}

static int is_series(const spn_run_about *r) { return !strcmp(r->kind, "compare") || !strcmp(r->kind, "sweep"); }

static int read_result(spn_run_about *r, const char *folder) {
  static const char *const of_search[] = {"inherited_test_top1", "inherited_holdout_top1", "table_accuracy", NULL};
  static const char *const of_training[] = {"test_top1", "holdout_top1", NULL};
  int training = !strcmp(r->kind, "train");
  const char *name = training                      ? "result.json"
                     : !strcmp(r->kind, "compare") ? "compare.json"
                     : !strcmp(r->kind, "sweep")   ? "front.json"
                                                   : "arch.json";
  spn_json_doc *doc = load(r, folder, name);
  spn_json root = root_of(doc);
  r->top1 = first_of(&root, training ? of_training : of_search);
  if (training) read_weights(r, folder);
  else if (!is_series(r)) {
    r->predicted = number_of(&root, "predicted");
    take_text(&root, "unit", r->unit, sizeof r->unit);
  }
  spn_json_free(doc);
  return doc || is_there(folder, "warmup.json");
}

static void read_settings(spn_run_about *r, const char *folder) {
  spn_json_doc *config = load(r, folder, "config.resolved.json");
  spn_json root = root_of(config), search = spn_json_get(&root, "search"), train = spn_json_get(&root, "train");
  int training = !strcmp(r->kind, "train");
  if (!is_there(folder, "config.resolved.json")) damaged(r, "config.resolved.json is missing");
  if (training) take_text(&train, "arch", r->network, sizeof r->network);
  else {
    take_text(&search, "space", r->space, sizeof r->space);
    if (strcmp(r->kind, "compare")) take_text(&search, "method", r->method, sizeof r->method);
    read_target(r, &search);
  }
  if (!is_series(r)) read_progress(r, folder, training ? &train : &search);
  spn_json_free(config);
}

/* Sizes and times of everything in it; name: of the folder within the run, "" for itself. */
static void measure(spn_run_about *r, const char *folder, const char *name, int depth) {
  char path[SPN_RUN_PATH];
  unsigned long long newest = 0;
  DIR *dir = opendir(folder);
  struct stat at;
  for (struct dirent *e; dir && (e = readdir(dir));) {
    unsigned long long step;
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !join(path, folder, e->d_name) || lstat(path, &at))
      continue;
    if (S_ISDIR(at.st_mode) && depth) measure(r, path, e->d_name, depth - 1);
    if (!S_ISREG(at.st_mode)) continue;
    r->bytes += (double)at.st_size;
    if (at.st_mtime > r->changed) r->changed = at.st_mtime;
    if (strcmp(name, "checkpoints") || sscanf(e->d_name, "step-%llu.safetensors", &step) != 1) continue;
    if (step >= newest) r->checkpoint_bytes = (double)at.st_size;
    newest = step > newest ? step : newest;
    r->checkpoints++;
  }
  if (dir) closedir(dir);
}

static void count_runs(spn_run_about *r, int *busy, const char *folder, int depth);

static void describe(spn_run_about *r, const char *folder) {
  spn_json_doc *environment = load(r, folder, "env.json");
  spn_json root = root_of(environment);
  int busy = spn_run_busy(folder);
  take_text(&root, "command", r->kind, sizeof r->kind);
  spn_json_free(environment);
  if (!r->kind[0]) damaged(r, "env.json does not say what the folder is of");
  read_settings(r, folder);
  int done = read_result(r, folder);
  if (is_series(r)) {
    r->counted = "runs";
    count_runs(r, &busy, folder, INSIDE);
  }
  measure(r, folder, "", INSIDE);
  if (is_series(r)) r->checkpoints = 0;
  r->state = busy ? SPN_RUN_RUNNING : r->problem[0] ? SPN_RUN_DAMAGED : done ? SPN_RUN_DONE : SPN_RUN_STOPPED;
}

/* ---- Walking ---- */

/* Calls put for every folder in one that is none of the system's, and no link. */
typedef void (*folder_taker)(void *owner, const char *path, int depth);
static void each_folder(const char *folder, int depth, folder_taker put, void *owner) {
  char path[SPN_RUN_PATH];
  struct dirent **entry;
  struct stat at;
  int count = depth ? scandir(folder, &entry, NULL, alphasort) : 0;
  for (int i = 0; i < count; i++) {
    const char *name = entry[i]->d_name;
    int kind = entry[i]->d_type;
    if (name[0] != '.' && (kind == DT_DIR || kind == DT_UNKNOWN) && join(path, folder, name) && !lstat(path, &at) &&
        S_ISDIR(at.st_mode))
      put(owner, path, depth - 1);
    free(entry[i]);
  }
  if (count > 0) free(entry);
}

typedef struct {
  spn_run_about *of;
  int *busy;
} tally;

static void count_one(void *owner, const char *path, int depth) {
  const tally *t = owner;
  if (!spn_run_exists(path)) {
    each_folder(path, depth, count_one, owner);
    return;
  }
  *t->busy |= spn_run_busy(path);
  t->of->done += is_there(path, "arch.json") || is_there(path, "result.json");
}

static void count_runs(spn_run_about *r, int *busy, const char *folder, int depth) {
  each_folder(folder, depth, count_one, &(tally){.of = r, .busy = busy});
}

static void take(void *owner, const char *path, int depth) {
  listing *l = owner;
  int root = strlen(path) < l->root;
  if (spn_run_exists(path)) {
    if (l->count == l->room) {
      size_t room = 2 * l->room + 16;
      spn_run_about *more = realloc(l->list, room * sizeof *more);
      l->memory |= !more;
      if (!more) return;
      l->list = more;
      l->room = room;
    }
    spn_run_about *r = &l->list[l->count++];
    *r = (spn_run_about){.predicted = NAN, .top1 = NAN, .counted = ""};
    snprintf(r->path, sizeof r->path, "%s", root ? "." : path + l->root);
    describe(r, path);
    if (!root) return;
  }
  each_folder(path, depth, take, l);
}

spn_status spn_runs_list(const char *folder, spn_run_about **list, size_t *count, spn_err *err) {
  listing l = {.root = strlen(folder) + 1};
  DIR *dir = opendir(folder);
  if (!dir)
    return spn_fail(err, errno == ENOENT || errno == ENOTDIR ? SPN_EINPUT : SPN_EIO, "%s: cannot open: %s", folder,
                    strerror(errno));
  closedir(dir);
  take(&l, folder, DEPTH);
  if (l.memory) {
    free(l.list);
    return spn_fail(err, SPN_ENOMEM, "runs: out of memory");
  }
  *list = l.list;
  *count = l.count;
  return SPN_OK;
}
