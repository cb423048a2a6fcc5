#define _GNU_SOURCE
#include "search/archive.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/json.h"
#include "io/json_write.h"

static const char FORMAT[] = "spnas 1";
static const size_t LARGEST = (size_t)1 << 32;

struct spn_archive {
  char *path; /* NULL: in memory only */
  FILE *file; /* NULL: not yet opened for writing */
  const spn_space *space;
  spn_decisions decisions;
  char unit[16];
  spn_json_writer line;
  size_t count, room, rescored;
  spn_evaluation *list;
  spn_choice_map *map;
};

/* ---- Reading ---- */

static spn_status read_header(const spn_archive *a, const spn_json *row, spn_err *err) {
  spn_json list = spn_json_get(row, "decisions"), format = spn_json_get(row, "archive"), item;
  const char *text;
  SPN_TRY(spn_json_string(&format, &text, err));
  if (strcmp(text, FORMAT)) return spn_json_expected(&format, "\"spnas 1\"", err);
  if (spn_json_size(&list) != (size_t)a->decisions.count)
    return spn_json_fail(&list, err, "expected the %d decisions of space %s, got %zu", a->decisions.count,
                         a->space->name, spn_json_size(&list));
  int i = 0;
  for (spn_json_iter it = spn_json_iterate(&list); spn_json_next(&it, &item); i++) {
    SPN_TRY(spn_json_string(&item, &text, err));
    if (strcmp(text, a->decisions.list[i].name))
      return spn_json_fail(&item, err, "expected \"%s\" of space %s, got \"%.40s\"", a->decisions.list[i].name,
                           a->space->name, text);
  }
  return SPN_OK;
}

static spn_status read_number(const spn_json *row, const char *key, double min, double max, double *out, spn_err *err) {
  spn_json at = spn_json_get(row, key);
  return spn_json_real(&at, min, max, out, err);
}

static spn_status remember(spn_archive *a, const spn_evaluation *e, spn_err *err) {
  if (a->count == a->room) {
    size_t room = a->room ? 2 * a->room : 64;
    spn_evaluation *list = realloc(a->list, room * sizeof *list);
    if (!list) return spn_fail(err, SPN_ENOMEM, "archive: out of memory");
    a->list = list;
    a->room = room;
  }
  if (!e->rescored) SPN_TRY(spn_choice_map_put(a->map, &e->choice, a->count, err));
  a->list[a->count++] = *e;
  a->rescored += e->rescored != 0;
  return SPN_OK;
}

static spn_status read_row(spn_archive *a, const spn_json *row, spn_err *err) {
  spn_evaluation e = {.answer.loss = NAN};
  spn_json network = spn_json_get(row, "network"), loss = spn_json_get(row, "loss");
  spn_json rescored = spn_json_get(row, "rescored");
  const char *code;
  double number;
  SPN_TRY(read_number(row, "evaluation", (double)a->count + 1, (double)a->count + 1, &number, err));
  SPN_TRY(spn_json_string(&network, &code, err));
  if (!spn_code_read(a->space, &a->decisions, code, &e.choice))
    return spn_json_fail(&network, err, "expected a network of space %s, got \"%.60s\"", a->space->name, code);
  SPN_TRY(read_number(row, "accuracy", 0, 1, &e.answer.accuracy, err));
  SPN_TRY(read_number(row, "cost", 0, 1e300, &e.answer.cost, err));
  SPN_TRY(read_number(row, "images_trained", 0, 1e15, &e.images.trained, err));
  SPN_TRY(read_number(row, "images_evaluated", 0, 1e15, &e.images.evaluated, err));
  SPN_TRY(read_number(row, "seconds", 0, 1e15, &e.seconds, err));
  if (rescored.item) SPN_TRY(spn_json_bool(&rescored, &e.rescored, err));
  if (!spn_json_is_null(&loss)) SPN_TRY(spn_json_real(&loss, 0, 1e300, &e.answer.loss, err));
  return remember(a, &e, err);
}

static spn_status read_line(spn_archive *a, const char *text, size_t size, size_t number, spn_err *err) {
  char name[300];
  spn_json_doc *doc;
  snprintf(name, sizeof name, "%.250s line %zu", a->path, number);
  SPN_TRY(spn_json_parse(name, text, size, &doc, err));
  spn_json root = spn_json_root(doc);
  spn_status status = number == 1 ? read_header(a, &root, err) : read_row(a, &root, err);
  spn_json_free(doc);
  return status;
}

/* *whole: bytes of complete lines. */
static spn_status read_lines(spn_archive *a, const char *text, size_t size, size_t *whole, spn_err *err) {
  size_t number = 0;
  for (*whole = 0; *whole < size;) {
    const char *line = text + *whole, *end = memchr(line, '\n', size - *whole);
    if (!end) return SPN_OK;
    SPN_TRY(read_line(a, line, (size_t)(end - line), ++number, err));
    *whole += (size_t)(end - line) + 1;
  }
  return SPN_OK;
}

static spn_status read_file(spn_archive *a, int *torn, spn_err *err) {
  char *text;
  size_t size, whole;
  FILE *there = fopen(a->path, "re");
  if (!there && errno == ENOENT) return SPN_OK;
  if (there) fclose(there);
  SPN_TRY(spn_file_read(a->path, LARGEST, &text, &size, err));
  spn_status status = read_lines(a, text, size, &whole, err);
  if (!status && whole < size) {
    status = spn_file_write(a->path, text, whole, err);
    if (torn) *torn = 1;
  }
  free(text);
  return status;
}

spn_status spn_archive_open(const char *path, const spn_space *space, const char *unit, spn_archive **out, int *torn,
                            spn_err *err) {
  spn_archive *a = calloc(1, sizeof *a);
  if (torn) *torn = 0;
  if (!a || !(a->map = spn_choice_map_new()) || (path && !(a->path = strdup(path)))) {
    spn_archive_free(a);
    return spn_fail(err, SPN_ENOMEM, "archive: out of memory");
  }
  a->space = space;
  snprintf(a->unit, sizeof a->unit, "%s", unit);
  spn_decisions_of(space, &a->decisions);
  spn_status status = path ? read_file(a, torn, err) : SPN_OK;
  if (status) spn_archive_free(a);
  else *out = a;
  return status;
}

void spn_archive_free(spn_archive *a) {
  if (!a) return;
  if (a->file) fclose(a->file);
  spn_json_writer_free(&a->line);
  spn_choice_map_free(a->map);
  free(a->list);
  free(a->path);
  free(a);
}

/* ---- Writing ---- */

static spn_status put_line(spn_archive *a, spn_err *err) {
  const char *text;
  size_t size;
  SPN_TRY(spn_json_finish(&a->line, "archive", &text, &size, err));
  if (fwrite(text, 1, size, a->file) != size || fputc('\n', a->file) == EOF || fflush(a->file))
    return spn_fail(err, SPN_EIO, "%s: %s", a->path, strerror(errno));
  return SPN_OK;
}

static spn_status put_header(spn_archive *a, spn_err *err) {
  spn_json_writer *w = &a->line;
  spn_json_begin(w);
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(w, "archive", FORMAT);
  spn_json_put_text(w, "space", a->space->name);
  spn_json_put_text(w, "unit", a->unit);
  spn_json_array(w, "decisions", SPN_JSON_INLINE);
  for (int i = 0; i < a->decisions.count; i++) spn_json_put_text(w, NULL, a->decisions.list[i].name);
  spn_json_end(w);
  spn_json_end(w);
  return put_line(a, err);
}

static spn_status open_end(spn_archive *a, spn_err *err) {
  a->file = fopen(a->path, "ae");
  if (!a->file) return spn_fail(err, SPN_EIO, "%s: %s", a->path, strerror(errno));
  if (fseek(a->file, 0, SEEK_END)) return spn_fail(err, SPN_EIO, "%s: %s", a->path, strerror(errno));
  return ftell(a->file) ? SPN_OK : put_header(a, err);
}

static spn_status put_row(spn_archive *a, const spn_evaluation *e, spn_err *err) {
  spn_json_writer *w = &a->line;
  spn_code code;
  spn_code_of(&a->decisions, &e->choice, &code);
  spn_json_begin(w);
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_integer(w, "evaluation", (long long)a->count + 1);
  spn_json_put_text(w, "network", code.text);
  spn_json_put_number(w, "accuracy", e->answer.accuracy);
  spn_json_put_number(w, "loss", e->answer.loss);
  spn_json_put_number(w, "cost", e->answer.cost);
  spn_json_put_number(w, "images_trained", e->images.trained);
  spn_json_put_number(w, "images_evaluated", e->images.evaluated);
  if (e->rescored) spn_json_put_flag(w, "rescored", 1);
  spn_json_put_rounded(w, "seconds", e->seconds, 4);
  spn_json_end(w);
  return put_line(a, err);
}

spn_status spn_archive_add(spn_archive *a, const spn_evaluation *e, spn_err *err) {
  if (a->path && !a->file) SPN_TRY(open_end(a, err));
  if (a->path) SPN_TRY(put_row(a, e, err));
  return remember(a, e, err);
}

spn_status spn_archive_cut(spn_archive *a, size_t count, spn_err *err) {
  if (count >= a->count) return SPN_OK;
  spn_choice_map *map = spn_choice_map_new();
  spn_status status = map ? SPN_OK : spn_fail(err, SPN_ENOMEM, "archive: out of memory");
  for (size_t i = 0; i < count && !status; i++)
    if (!a->list[i].rescored) status = spn_choice_map_put(map, &a->list[i].choice, i, err);
  if (!status && a->path) {
    char *text = NULL;
    size_t size = 0, kept = 0;
    if (a->file) fclose(a->file);
    a->file = NULL;
    status = spn_file_read(a->path, LARGEST, &text, &size, err);
    for (size_t lines = 0; !status && lines <= count; lines++) /* the header too */
      kept = (size_t)((char *)memchr(text + kept, '\n', size - kept) - text) + 1;
    if (!status) status = spn_file_write(a->path, text, kept, err);
    free(text);
  }
  if (status) {
    spn_choice_map_free(map);
    return status;
  }
  spn_choice_map_free(a->map);
  a->map = map;
  while (a->count > count) a->rescored -= a->list[--a->count].rescored != 0;
  return SPN_OK;
}

/* ---- Questions ---- */

size_t spn_archive_count(const spn_archive *a) { return a->count; }

size_t spn_archive_rescored(const spn_archive *a) { return a->rescored; }

const spn_evaluation *spn_archive_at(const spn_archive *a, size_t i) { return &a->list[i]; }

const spn_evaluation *spn_archive_find(const spn_archive *a, const spn_choice *choice) {
  size_t number;
  return spn_choice_map_find(a->map, choice, &number) ? &a->list[number] : NULL;
}

static int decides(const spn_archive *a, const spn_evaluation *e) { return !a->rescored || e->rescored; }

const spn_evaluation *spn_archive_best(const spn_archive *a, const spn_cost *cost, double high) {
  const spn_evaluation *best = NULL;
  for (size_t i = 0; i < a->count; i++) {
    const spn_evaluation *e = &a->list[i];
    if (!decides(a, e) || e->answer.cost > high || (cost->limits && spn_cost_worst(cost, &e->choice) > high)) continue;
    if (!best || e->answer.accuracy > best->answer.accuracy) best = e;
  }
  return best;
}

typedef struct {
  double cost, accuracy;
  size_t number;
} point;

static int by_cost(const void *a, const void *b) {
  const point *p = a, *q = b;
  if (p->cost != q->cost) return p->cost < q->cost ? -1 : 1;
  if (p->accuracy != q->accuracy) return p->accuracy > q->accuracy ? -1 : 1;
  return p->number < q->number ? -1 : 1;
}

spn_status spn_archive_front(const spn_archive *a, size_t *index, size_t *count, spn_err *err) {
  point *list = malloc((a->count + 1) * sizeof *list);
  if (!list) return spn_fail(err, SPN_ENOMEM, "archive: out of memory");
  size_t points = 0;
  for (size_t i = 0; i < a->count; i++)
    if (decides(a, &a->list[i]))
      list[points++] = (point){.cost = a->list[i].answer.cost, .accuracy = a->list[i].answer.accuracy, .number = i};
  qsort(list, points, sizeof *list, by_cost);
  double best = -1;
  *count = 0;
  for (size_t i = 0; i < points; i++)
    if (list[i].accuracy > best) {
      best = list[i].accuracy;
      index[(*count)++] = list[i].number;
    }
  free(list);
  return SPN_OK;
}
