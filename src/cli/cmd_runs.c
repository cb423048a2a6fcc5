#define _DEFAULT_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/cli.h"
#include "core/screen.h"
#include "io/json_write.h"
#include "report/runs.h"

/* Columns in their order. */
typedef enum { NAME, STATE, WHAT, TARGET, PROGRESS, PREDICTED, TOP1, CHANGED, SIZE, CHECKPOINTS, COLUMNS } column;
enum { CELL = 200 };
static const char *const titles[COLUMNS] = {"run",       "state", "what",    "target", "progress",
                                            "predicted", "top-1", "changed", "size",   "checkpoints"};
/* What goes first where a terminal is too narrow. */
static const column least[] = {CHECKPOINTS, SIZE, CHANGED, TARGET, WHAT, PROGRESS, TOP1, PREDICTED};

typedef struct {
  char cell[COLUMNS][CELL];
  spn_run_state state;
} row;

/* ---- Texts ---- */

/* "43.1 MB" */
static void size_text(double bytes, char *out, size_t size) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  for (; bytes >= 1000 && unit < 4; unit++) bytes /= 1000;
  snprintf(out, size, "%.*f %s", unit && bytes < 100 ? 1 : 0, bytes, units[unit]);
}

/* The last part of a path: of an arch.json its folder. */
static const char *short_name(const char *path, char *out, size_t size) {
  static const char file[] = "/arch.json";
  size_t n = strlen(path), end = sizeof file - 1;
  snprintf(out, size, "%.*s", (int)(n > end && !strcmp(path + n - end, file) ? n - end : n), path);
  const char *slash = strrchr(out, '/');
  return slash && slash[1] ? slash + 1 : out;
}

static void progress_text(const spn_run_about *r, char *out, size_t size) {
  if (!*r->counted) return;
  if (r->total > 0) snprintf(out, size, "%.4g of %.4g %s", r->done, r->total, r->counted);
  else snprintf(out, size, "%.10g %s", r->done, r->counted);
}

static void what_text(const spn_run_about *r, char *out, size_t size) {
  char name[SPN_RUN_WORD];
  const char *of = short_name(r->network[0] ? r->network : r->space, name, sizeof name);
  snprintf(out, size, "%s%s%s%s%s", r->kind, r->method[0] ? " " : "", r->method, *of ? ", " : "", of);
}

/* Names may hold what a terminal obeys. */
static char *harmless(char *text) {
  for (char *at = text; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = '?';
  return text;
}

static void fill(const spn_run_about *r, row *out) {
  char bytes[32];
  struct tm local;
  time_t changed = (time_t)r->changed;
  *out = (row){.state = r->state};
  snprintf(out->cell[NAME], CELL, "%s", r->path);
  snprintf(out->cell[STATE], CELL, "%s", spn_run_state_names[r->state]);
  what_text(r, out->cell[WHAT], CELL);
  snprintf(out->cell[TARGET], CELL, "%s", r->target);
  progress_text(r, out->cell[PROGRESS], CELL);
  if (isfinite(r->predicted)) snprintf(out->cell[PREDICTED], CELL, "%.4g %s", r->predicted, r->unit);
  if (isfinite(r->top1)) snprintf(out->cell[TOP1], CELL, "%.2f %%", 100 * r->top1);
  if (r->changed && localtime_r(&changed, &local)) strftime(out->cell[CHANGED], CELL, "%Y-%m-%d %H:%M", &local);
  size_text(r->bytes, out->cell[SIZE], CELL);
  size_text(r->checkpoint_bytes, bytes, sizeof bytes);
  if (r->checkpoints) snprintf(out->cell[CHECKPOINTS], CELL, "%d of %s", r->checkpoints, bytes);
  for (int c = 0; c < COLUMNS; c++) harmless(out->cell[c]);
}

/* ---- A table ---- */

/* Widths of the columns; 0: left out, because it is empty or the terminal too narrow. */
static void find_widths(const row *rows, size_t count, int width[COLUMNS]) {
  int all = 0, limit = spn_screen_columns(stdout);
  for (int c = 0; c < COLUMNS; c++) {
    width[c] = 0;
    for (size_t i = 0; i < count; i++)
      if ((int)strlen(rows[i].cell[c]) > width[c]) width[c] = (int)strlen(rows[i].cell[c]);
    if (width[c] && width[c] < (int)strlen(titles[c])) width[c] = (int)strlen(titles[c]);
    all += width[c] ? width[c] + 2 : 0;
  }
  for (size_t i = 0; limit && all - 2 > limit && i < sizeof least / sizeof *least; i++) {
    all -= width[least[i]] ? width[least[i]] + 2 : 0;
    width[least[i]] = 0;
  }
}

static void print_row(const char *const cell[COLUMNS], const int width[COLUMNS], spn_style style, spn_style of_state) {
  int last = 0;
  for (int c = 0; c < COLUMNS; c++) last = width[c] ? c : last;
  for (int c = 0; c < COLUMNS; c++) {
    spn_style own = c == STATE && of_state != SPN_PLAIN ? of_state : style;
    if (!width[c]) continue;
    if (own != SPN_PLAIN) fputs(spn_screen_style(stdout, own), stdout);
    printf("%-*s", c == last ? 0 : width[c], cell[c]);
    if (own != SPN_PLAIN) fputs(spn_screen_style(stdout, SPN_PLAIN), stdout);
    if (c != last) fputs("  ", stdout);
  }
  putchar('\n');
}

static spn_status print_table(const char *folder, spn_run_about *runs, size_t count, spn_err *err) {
  static const spn_style of_state[] = {SPN_GOOD, SPN_PLAIN, SPN_WARN, SPN_BAD};
  int width[COLUMNS];
  double bytes = 0;
  char text[32];
  row *rows = malloc((count + 1) * sizeof *rows);
  if (!rows) return spn_fail(err, SPN_ENOMEM, "runs: out of memory");
  for (size_t i = 0; i < count; i++) {
    fill(&runs[i], &rows[i]);
    if (!i || strcmp(runs[0].path, ".")) bytes += runs[i].bytes; /* "." holds the others */
  }
  find_widths(rows, count, width);
  if (count) print_row(titles, width, SPN_BOLD, SPN_PLAIN);
  for (size_t i = 0; i < count; i++) {
    const char *cell[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) cell[c] = rows[i].cell[c];
    print_row(cell, width, SPN_PLAIN, of_state[rows[i].state]);
  }
  for (size_t i = 0; i < count; i++)
    if (runs[i].problem[0]) printf("%s: %s\n", rows[i].cell[NAME], harmless(runs[i].problem));
  size_text(bytes, text, sizeof text);
  printf("%zu run%s below %s, %s\n", count, count == 1 ? "" : "s", folder, text);
  free(rows);
  return SPN_OK;
}

/* ---- JSON ---- */

static void put_known(spn_json_writer *w, const char *key, const char *text) {
  spn_json_put_text(w, key, *text ? text : NULL);
}

static spn_status print_json(const spn_run_about *r, spn_json_writer *w, spn_err *err) {
  char changed[32] = "";
  const char *text;
  struct tm utc;
  time_t at = (time_t)r->changed;
  if (r->changed && gmtime_r(&at, &utc)) strftime(changed, sizeof changed, "%Y-%m-%dT%H:%M:%SZ", &utc);
  spn_json_begin(w);
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(w, "run", r->path);
  spn_json_put_text(w, "state", spn_run_state_names[r->state]);
  put_known(w, "problem", r->problem);
  put_known(w, "kind", r->kind);
  put_known(w, "method", r->method);
  put_known(w, "space", r->space);
  put_known(w, "network", r->network);
  put_known(w, "target", r->target);
  put_known(w, "counted", r->counted);
  spn_json_put_number(w, "done", r->done);
  spn_json_put_number(w, "total", r->total > 0 ? r->total : NAN);
  spn_json_put_number(w, "predicted", r->predicted);
  put_known(w, "unit", r->unit);
  spn_json_put_number(w, "top1", r->top1);
  put_known(w, "changed", changed);
  spn_json_put_number(w, "bytes", r->bytes);
  spn_json_put_integer(w, "checkpoints", r->checkpoints);
  spn_json_put_number(w, "checkpoint_bytes", r->checkpoints ? r->checkpoint_bytes : NAN);
  spn_json_end(w);
  SPN_TRY(spn_json_finish(w, "runs", &text, NULL, err));
  puts(text);
  return SPN_OK;
}

/* ---- The command ---- */

/* Where README's commands put runs, or else here. */
static const char *usual_folder(void) {
  struct stat at;
  return !stat("runs", &at) && S_ISDIR(at.st_mode) ? "runs" : ".";
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  const char *folder = a->positional ? a->positional : usual_folder();
  spn_run_about *runs;
  spn_json_writer w = {0};
  size_t count;
  SPN_TRY(spn_runs_list(folder, &runs, &count, err));
  spn_status status = a->json ? SPN_OK : print_table(folder, runs, count, err);
  for (size_t i = 0; a->json && i < count && !status; i++) status = print_json(&runs[i], &w, err);
  spn_json_writer_free(&w);
  free(runs);
  return status;
}

const spn_command spn_cmd_runs = {
    .about = "Lists run folders: what each is of, how far it is, what it found, and its size.",
    .usage = "spnas runs [DIR] [--json]\n\n"
             "  DIR                where runs are looked for, five folders deep; without it runs/, or else here\n"
             "  --json             a JSON object for each run, a line each\n\n"
             "States: running (a process holds it), done, stopped (--resume goes on), damaged. Of a comparison or "
             "sweep the whole\n"
             "is listed; its own runs with its folder as DIR. Top-1 is of test images, or else of held-out ones; of a "
             "search, with\n"
             "the search's weights. Of checkpoints as many stay as run.keep says (2), each of the size that is shown; "
             "a run that is\n"
             "done needs none unless it is to go on.",
    .takes = "pj",
    .run = command};
