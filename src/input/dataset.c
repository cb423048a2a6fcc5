#include "input/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

spn_status spn_classes_number(spn_dataset *set, int classes, spn_err *err) {
  set->class_names = calloc((size_t)classes, sizeof *set->class_names);
  if (!set->class_names) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", set->path);
  set->classes = classes;
  for (int i = 0; i < classes; i++) {
    char text[16];
    snprintf(text, sizeof text, "%d", i);
    if (!(set->class_names[i] = strdup(text))) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", set->path);
  }
  return SPN_OK;
}

static const char *detect(const char *path) {
  if (spn_idx_found(path)) return "idx";
  if (spn_cifar_found(path, 10)) return "cifar10";
  if (spn_cifar_found(path, 100)) return "cifar100";
  if (spn_pack_found(path)) return "pack";
  return spn_folder_found(path) ? "folder" : NULL;
}

static spn_status read_set(spn_dataset *set, const char *kind, spn_err *err) {
  static const char *const kinds[] = {"idx", "cifar10", "cifar100", "folder", "pack"};
  if (!kind || !strcmp(kind, "auto")) {
    kind = detect(set->path);
    if (!kind)
      return spn_fail(err, SPN_EINPUT,
                      "%s: found no data set: expected train-images-idx3-ubyte[.gz], data_batch_1.bin, "
                      "train.bin, train/ with a folder of images for each class, or a pack",
                      set->path);
  }
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (!strcmp(kind, kinds[i])) set->kind = kinds[i];
  if (!set->kind)
    return spn_fail(err, SPN_EINPUT, "data set kind: expected auto, idx, cifar10, cifar100, folder or pack, got %s",
                    kind);
  if (!strcmp(kind, "idx")) return spn_idx_read(set, err);
  if (!strcmp(kind, "folder")) return spn_folder_index(set, err);
  if (!strcmp(kind, "pack")) return spn_pack_read(set, err);
  return spn_cifar_read(set, strcmp(kind, "cifar10") ? 100 : 10, err);
}

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
  if (!set->path) return spn_fail(err, SPN_ENOMEM, "out of memory");
  SPN_TRY(read_set(set, options->kind, err));
  SPN_TRY(spn_splits_make(set, options, err));
  if (set->pixels) return SPN_OK;
  set->reason = calloc(set->count, sizeof *set->reason);
  set->noted = calloc(set->count, 1);
  if (!set->reason || !set->noted) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", set->path);
  return set->packed ? SPN_OK : spn_folder_keep(set, err);
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
  for (size_t i = 0; set->kept && i < set->count; i++) free(set->kept[i].owned);
  for (int i = 0; set->class_names && i < set->classes; i++) free(set->class_names[i]);
  for (int i = 0; i < SPN_SPLITS; i++) free(set->split[i]);
  free(set->kept);
  free(set->class_names);
  free(set->labels);
  free(set->pixels);
  free(set->train_folder);
  free(set->test_folder);
  free(set->names);
  free(set->name_at);
  free((void *)set->reason);
  free(set->noted);
  free(set->packed);
  free((void *)set->verified);
  if (set->map) munmap(set->map, set->map_bytes);
  free(set->path);
  pthread_mutex_destroy(&set->lock);
  free(set);
}

size_t spn_dataset_count(const spn_dataset *set, spn_split split) { return set->split_count[split]; }

int spn_dataset_classes(const spn_dataset *set) { return set->classes; }

const char *spn_dataset_class_name(const spn_dataset *set, int label) {
  return label >= 0 && label < set->classes ? set->class_names[label] : "?";
}

const char *spn_dataset_kind(const spn_dataset *set) { return set->kind; }

/* The path of a folder's or pack's item; returns its length, as snprintf. */
static int print_path(const spn_dataset *set, uint32_t item, char *out, size_t size) {
  if (set->packed)
    return snprintf(out, size, "%s: %s/%s", set->path, set->class_names[set->labels[item]],
                    set->names + set->name_at[item]);
  const char *folder = item < set->train_count ? set->train_folder : set->test_folder;
  return snprintf(out, size, "%s/%s/%s", folder, set->class_names[set->labels[item]], set->names + set->name_at[item]);
}

spn_status spn_dataset_read(spn_dataset *set, uint32_t item, int max_side, spn_image *out, spn_err *err) {
  char path[4352];
  const char *reason = "path too long";
  spn_status status = SPN_EINPUT;
  *out = (spn_image){0};
  if (print_path(set, item, path, sizeof path) < (int)sizeof path)
    status = spn_image_read(path, max_side, out, &reason);
  if (status == SPN_EINPUT) atomic_store(&set->reason[item], reason);
  else if (status) spn_fail(err, status, "%.700s: %s", path, status == SPN_ENOMEM ? "out of memory" : reason);
  return status;
}

spn_status spn_dataset_image(spn_dataset *set, uint32_t item, spn_image *out, spn_err *err) {
  if (set->pixels) {
    size_t size = (size_t)set->h * (size_t)set->w * (size_t)set->channels;
    *out = (spn_image){.pixels = set->pixels + item * size, .h = set->h, .w = set->w, .channels = set->channels};
    return SPN_OK;
  }
  if (atomic_load(&set->reason[item])) return SPN_EINPUT;
  if (set->packed) return spn_pack_image(set, item, out);
  if (set->kept && set->kept[item].pixels) {
    *out = set->kept[item];
    out->owned = NULL;
    return SPN_OK;
  }
  return spn_dataset_read(set, item, 0, out, err);
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
    print_path(set, set->bad_first[i], path, sizeof path);
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
