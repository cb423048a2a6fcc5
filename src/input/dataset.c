#include "input/dataset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

spn_status spn_names_add(spn_names *names, const char *name, size_t *at) {
  size_t length = strlen(name) + 1;
  if (names->room - names->used < length) {
    size_t room = 2 * names->room + length + 4096;
    char *text = realloc(names->text, room);
    if (!text) return SPN_ENOMEM;
    names->text = text;
    names->room = room;
  }
  memcpy(names->text + names->used, name, length);
  *at = names->used;
  names->used += length;
  return SPN_OK;
}

char *spn_path_join(const char *folder, const char *name) {
  size_t size = strlen(folder) + strlen(name) + 2;
  char *path = malloc(size);
  if (path) snprintf(path, size, "%s/%s", folder, name);
  return path;
}

/* ---- Kinds ---- */

enum { AUTO, FIRST_KIND }; /* places in spn_dataset_names */

const char *const spn_dataset_names[] = {"auto",
#define SPN_DATASET(name) #name,
#include "input/datasets.def"
#undef SPN_DATASET
                                         NULL};

static const spn_dataset_reader *const readers[] = {
#define SPN_DATASET(name) &spn_reader_##name,
#include "input/datasets.def"
#undef SPN_DATASET
};
enum { KINDS = sizeof readers / sizeof *readers };

static spn_status found_nothing(const char *path, spn_err *err) {
  struct stat info;
  if (stat(path, &info))
    return spn_fail(err, SPN_EINPUT, "%.400s: expected a data set, got: %s", path, strerror(errno));
  const char *expected[KINDS + 1] = {NULL};
  char list[SPN_NAMES_TEXT];
  for (int i = 0; i < KINDS; i++) expected[i] = readers[i]->expects;
  spn_names_text(expected, "", NULL, list, sizeof list);
  return spn_fail(err, SPN_EINPUT, "%.400s: found no data set: expected %s", path, list);
}

static spn_status choose_kind(spn_dataset *set, const char *name, spn_err *err) {
  int at = AUTO;
  if (name) SPN_TRY(spn_name_find(spn_dataset_names, "data set kind", name, &at, err));
  if (at == AUTO) {
    int i = 0;
    while (i < KINDS && !readers[i]->found(set->path)) i++;
    if (i == KINDS) return found_nothing(set->path, err);
    at = FIRST_KIND + i;
  }
  set->reader = readers[at - FIRST_KIND];
  set->kind = spn_dataset_names[at];
  return SPN_OK;
}

/* ---- Opening and closing ---- */

static spn_status check_options(const spn_dataset_options *o, spn_err *err) {
  if (!o->path || !*o->path) return spn_fail(err, SPN_EINPUT, "data set path: expected a folder, got nothing");
  if (!(o->holdout >= 0 && o->holdout <= 0.9))
    return spn_fail(err, SPN_EINPUT, "holdout: expected a share in 0..0.9, got %g", o->holdout);
  if (!(o->max_bad >= 0 && o->max_bad <= 1))
    return spn_fail(err, SPN_EINPUT, "max_bad: expected a share in 0..1, got %g", o->max_bad);
  return SPN_OK;
}

static spn_status open_set(spn_dataset *set, const spn_dataset_options *options, spn_err *err) {
  set->path = strdup(options->path);
  set->max_bad = options->max_bad;
  set->test_only = options->test_only;
  set->allow_empty = options->allow_empty || options->test_only;
  if (!set->path) return spn_fail(err, SPN_ENOMEM, "out of memory");
  SPN_TRY(choose_kind(set, options->kind, err));
  SPN_TRY(set->reader->read(set, err));
  SPN_TRY(spn_classes_check(set, options, err));
  SPN_TRY(spn_splits_make(set, options, err));
  if (!set->reader->image) return SPN_OK;
  set->reason = calloc(set->count, sizeof *set->reason);
  set->noted = calloc(set->count, 1);
  if (!set->reason || !set->noted) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", set->path);
  return set->reader->decodes ? spn_dataset_keep(set, err) : SPN_OK;
}

spn_status spn_dataset_open(const spn_dataset_options *options, spn_dataset **out, spn_err *err) {
  *out = NULL;
  SPN_TRY(check_options(options, err));
  spn_dataset *set = calloc(1, sizeof *set);
  if (!set) return spn_fail(err, SPN_ENOMEM, "out of memory");
  pthread_mutex_init(&set->lock, NULL);
  spn_status status = open_set(set, options, err);
  if (status) spn_dataset_close(set);
  else *out = set;
  return status;
}

void spn_dataset_close(spn_dataset *set) {
  if (!set) return;
  if (set->reader && set->reader->close) set->reader->close(set);
  for (size_t i = 0; set->kept && i < set->count; i++) free(set->kept[i].owned);
  for (int i = 0; set->class_names && i < set->classes; i++) free(set->class_names[i]);
  for (int i = 0; i < SPN_SPLITS; i++) free(set->split[i]);
  free(set->kept);
  free(set->class_names);
  free(set->labels);
  free(set->pixels);
  free(set->names);
  free(set->name_at);
  free((void *)set->reason);
  free(set->noted);
  free(set->path);
  pthread_mutex_destroy(&set->lock);
  free(set);
}

size_t spn_dataset_count(const spn_dataset *set, spn_split split) { return set->split_count[split]; }

int spn_dataset_classes(const spn_dataset *set) { return set->classes; }

size_t spn_dataset_class_count(const spn_dataset *set, spn_split split, int label) {
  size_t count = 0;
  for (size_t i = 0; i < set->split_count[split]; i++) count += set->labels[set->split[split][i]] == label;
  return count;
}

const char *spn_dataset_class_name(const spn_dataset *set, int label) {
  return label >= 0 && label < set->classes ? set->class_names[label] : "?";
}

int spn_dataset_side(const spn_dataset *set) { return set->side; }

const char *spn_dataset_kind(const spn_dataset *set) { return set->kind; }

/* ---- Images ---- */

spn_status spn_dataset_image(spn_dataset *set, uint32_t item, spn_image *out, spn_err *err) {
  if (!set->reader->image) {
    size_t size = (size_t)set->h * (size_t)set->w * (size_t)set->channels;
    *out = (spn_image){.pixels = set->pixels + item * size, .h = set->h, .w = set->w, .channels = set->channels};
    return SPN_OK;
  }
  if (atomic_load(&set->reason[item])) return SPN_EINPUT;
  if (set->kept && set->kept[item].pixels) {
    *out = set->kept[item];
    out->owned = NULL;
    return SPN_OK;
  }
  return set->reader->image(set, item, 0, out, err);
}

static void print_place(const spn_dataset *set, uint32_t item, char *out, size_t size) {
  if (set->reader->place) set->reader->place(set, item, out, size);
  else
    snprintf(out, size, "%s: %s/%s", set->path, set->class_names[set->labels[item]], set->names + set->name_at[item]);
}

int spn_dataset_place(const spn_dataset *set, uint32_t item, char *out, size_t size) {
  char path[4352];
  if (!set->names) {
    int test = item >= set->train_count;
    return snprintf(out, size, "%s image %zu", test ? "test" : "training", item - test * set->train_count + 1);
  }
  print_place(set, item, path, sizeof path);
  size_t folder = strlen(set->path);
  const char *at = strncmp(path, set->path, folder) ? path : path + folder;
  return snprintf(out, size, "%s", at + strspn(at, "/: "));
}

void spn_dataset_note_bad(spn_dataset *set, uint32_t item) {
  pthread_mutex_lock(&set->lock);
  if (!set->noted[item]) {
    set->noted[item] = 1;
    if (set->bad < SPN_BAD_LISTED) set->bad_first[set->bad] = item;
    set->bad++;
  }
  pthread_mutex_unlock(&set->lock);
}

size_t spn_dataset_bad(spn_dataset *set, char *list, size_t size) {
  if (list && size) *list = 0;
  pthread_mutex_lock(&set->lock);
  size_t bad = set->bad, used = 0;
  for (size_t i = 0; list && i < bad && i < SPN_BAD_LISTED; i++) {
    char path[4352];
    print_place(set, set->bad_first[i], path, sizeof path);
    int length = snprintf(NULL, 0, "%s: %s\n", path, atomic_load(&set->reason[set->bad_first[i]]));
    if (length < 0 || used + (size_t)length >= size) break;
    used += (size_t)snprintf(list + used, size - used, "%s: %s\n", path, atomic_load(&set->reason[set->bad_first[i]]));
  }
  if (used) list[used - 1] = 0; /* no newline at the end */
  pthread_mutex_unlock(&set->lock);
  return bad;
}

spn_status spn_dataset_check_bad(spn_dataset *set, spn_err *err) {
  char list[768];
  size_t total = 0, bad = spn_dataset_bad(set, list, sizeof list);
  for (int i = 0; i < SPN_SPLITS; i++) total += set->split_count[i];
  if ((double)bad <= set->max_bad * (double)total) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "%.120s: %zu of %zu images are unreadable, more than max_bad = %g allows:\n%s",
                  set->path, bad, total, set->max_bad, list);
}
