/* A folder for each class: train/<class>/<image>, test/<class>/<image> (or val/). Any regular file that is not hidden
 * counts as an image; what it is shows when it is read. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/phase.h"
#include "input/dataset.h"

typedef struct {
  char *train, *test; /* test is NULL when the test split is taken from train */
} folders;

typedef struct {
  char **names;
  size_t count, room;
} name_list;

static void list_free(name_list *list) {
  for (size_t i = 0; i < list->count; i++) free(list->names[i]);
  free(list->names);
  *list = (name_list){0};
}

static spn_status list_add(name_list *list, const char *name) {
  if (list->count == list->room) {
    size_t room = list->room ? 2 * list->room : 64;
    char **names = realloc(list->names, room * sizeof *names);
    if (!names) return SPN_ENOMEM;
    list->names = names;
    list->room = room;
  }
  if (!(list->names[list->count] = strdup(name))) return SPN_ENOMEM;
  list->count++;
  return SPN_OK;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* 'd' folder, 'f' regular file, 0 anything else; links are followed. 'l' a link that leads nowhere. */
static int entry_type(DIR *dir, const struct dirent *entry) {
  if (entry->d_type == DT_DIR) return 'd';
  if (entry->d_type == DT_REG) return 'f';
  struct stat info;
  if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN) return 0;
  if (fstatat(dirfd(dir), entry->d_name, &info, 0)) return 'l';
  return S_ISDIR(info.st_mode) ? 'd' : S_ISREG(info.st_mode) ? 'f' : 0;
}

/* One entry that is not hidden. A link that leads nowhere could be either: among images it is one that cannot be read,
 * and counts as such; among class folders it is refused. */
static spn_status list_entry(DIR *dir, const char *folder, const struct dirent *entry, int type, name_list *list,
                             spn_err *err) {
  int found = entry_type(dir, entry);
  if (found == 'l' && type == 'd')
    return spn_fail(err, SPN_EINPUT, "%.600s/%.255s: a link that leads nowhere, or back to itself", folder,
                    entry->d_name);
  if (found != type && found != 'l') return SPN_OK;
  return list_add(list, entry->d_name) ? spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", folder) : SPN_OK;
}

/* The sorted names of the entries of one type that are not hidden. */
static spn_status list_folder(const char *folder, int type, name_list *list, spn_err *err) {
  DIR *dir = opendir(folder);
  if (!dir) return spn_fail(err, SPN_EINPUT, "%.800s: cannot be opened: %s", folder, strerror(errno));
  struct dirent *entry;
  spn_status status = SPN_OK;
  errno = 0;
  while (!status && (entry = readdir(dir))) {
    if (entry->d_name[0] != '.') status = list_entry(dir, folder, entry, type, list, err);
    if (!status && spn_stop_requested()) status = spn_fail(err, SPN_ESTOPPED, "%.800s: stopped while listing", folder);
    errno = 0;
  }
  if (!status && errno) status = spn_fail(err, SPN_EIO, "%.800s: cannot be listed: %s", folder, strerror(errno));
  closedir(dir);
  if (!status && list->count) qsort(list->names, list->count, sizeof *list->names, by_name);
  return status;
}

/* Which folder a path leads to. */
typedef struct {
  dev_t device;
  ino_t number;
  const char *name;
} identity;

static int by_identity(const void *a, const void *b) {
  const identity *x = a, *y = b;
  if (x->device != y->device) return x->device < y->device ? -1 : 1;
  if (x->number != y->number) return x->number < y->number ? -1 : 1;
  return strcmp(x->name, y->name);
}

static spn_status identify(const char *folder, const char *name, identity *out, spn_err *err) {
  struct stat info;
  char *path = spn_path_join(folder, name);
  if (!path) return spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", folder);
  spn_status status = stat(path, &info) ? spn_fail(err, SPN_EIO, "%.800s: %s", path, strerror(errno)) : SPN_OK;
  if (!status) *out = (identity){info.st_dev, info.st_ino, name};
  free(path);
  return status;
}

/* Links may make one folder appear as two classes, or lead back up: neither is what a user means. */
static spn_status check_links(const char *folder, const name_list *classes, spn_err *err) {
  static const char *const above[] = {".", ".."};
  size_t n = classes->count + 2;
  identity *all = malloc(n * sizeof *all);
  spn_status status = all ? SPN_OK : spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", folder);
  for (size_t i = 0; i < n && !status; i++)
    status = identify(folder, i < 2 ? above[i] : classes->names[i - 2], &all[i], err);
  if (!status) qsort(all, n, sizeof *all, by_identity);
  for (size_t i = 1; i < n && !status; i++)
    if (all[i].device == all[i - 1].device && all[i].number == all[i - 1].number && strcmp(all[i].name, ".."))
      status = spn_fail(err, SPN_EINPUT,
                        "%.400s: expected a folder of its own for each class, but %.200s leads to %.200s", folder,
                        all[i].name, all[i - 1].name);
  free(all);
  return status;
}

/* The class folders of a split. */
static spn_status list_classes(const char *folder, name_list *classes, spn_err *err) {
  SPN_TRY(list_folder(folder, 'd', classes, err));
  return check_links(folder, classes, err);
}

static int has_folder(const char *path, const char *name) {
  char sub[4352];
  struct stat info;
  return snprintf(sub, sizeof sub, "%s/%s", path, name) < (int)sizeof sub && !stat(sub, &info) && S_ISDIR(info.st_mode);
}

static int folder_found(const char *path) {
  name_list list = {0};
  spn_status status = has_folder(path, "train") ? SPN_OK : list_folder(path, 'd', &list, NULL);
  int found = has_folder(path, "train") || (!status && list.count > 1) || has_folder(path, "test") ||
              has_folder(path, "val") || status == SPN_ENOMEM ||
              status == SPN_ESTOPPED; /* both are told when it is read */
  list_free(&list);
  return found;
}

/* Room for more images, which grows by doubling, and their names. */
typedef struct {
  size_t items;
  spn_names names;
} arena;

static spn_status add_image(spn_dataset *set, arena *a, int label, const char *name) {
  if (set->count == a->items) {
    size_t items = a->items ? 2 * a->items : 1024;
    int32_t *labels = realloc(set->labels, items * sizeof *labels);
    if (labels) set->labels = labels;
    size_t *name_at = realloc(set->name_at, items * sizeof *name_at);
    if (name_at) set->name_at = name_at;
    if (!labels || !name_at) return SPN_ENOMEM;
    a->items = items;
  }
  spn_status status = spn_names_add(&a->names, name, &set->name_at[set->count]);
  set->names = a->names.text; /* the set's to free */
  if (status) return status;
  set->labels[set->count++] = label;
  return SPN_OK;
}

static spn_status add_class(spn_dataset *set, arena *a, const char *folder, int label, spn_err *err) {
  name_list files = {0};
  char *path = spn_path_join(folder, set->class_names[label]);
  if (!path) return spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", folder);
  spn_status status = list_folder(path, 'f', &files, err);
  if (!status && !files.count && !set->allow_empty)
    status = spn_fail(err, SPN_EINPUT,
                      "%.900s: expected images in this class folder, got none; data.allow_empty_classes=true takes it",
                      path);
  for (size_t i = 0; !status && i < files.count; i++)
    if (add_image(set, a, label, files.names[i])) status = spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", path);
  if (!status && set->count >= UINT32_MAX) status = spn_fail(err, SPN_EINPUT, "%.900s: more than 2^32 images", folder);
  list_free(&files);
  free(path);
  return status;
}

/* The classes are the folders in `folder`. */
static spn_status index_first(spn_dataset *set, arena *a, const char *folder, spn_err *err) {
  name_list classes = {0};
  const size_t least = set->test_only ? 1 : 2;
  spn_status status = list_classes(folder, &classes, err);
  if (!status && (classes.count < least || classes.count > SPN_CLASSES_MAX))
    status = spn_fail(err, SPN_EINPUT, "%.800s: expected %zu to %d class folders, got %zu", folder, least,
                      SPN_CLASSES_MAX, classes.count);
  if (status) {
    list_free(&classes);
    return status;
  }
  set->class_names = classes.names; /* owned by the set from here on */
  set->classes = (int)classes.count;
  for (int i = 0; i < set->classes; i++) SPN_TRY(add_class(set, a, folder, i, err));
  return SPN_OK;
}

static spn_status index_test(spn_dataset *set, arena *a, const folders *own, spn_err *err) {
  name_list classes = {0};
  spn_status status = list_classes(own->test, &classes, err);
  if (!status && !classes.count)
    status = spn_fail(err, SPN_EINPUT, "%.900s: expected class folders, got none", own->test);
  for (size_t i = 0; !status && i < classes.count; i++) {
    char **found = bsearch(&classes.names[i], set->class_names, (size_t)set->classes, sizeof *set->class_names,
                           by_name);
    if (found) status = add_class(set, a, own->test, (int)(found - set->class_names), err);
    else
      status = spn_fail(err, SPN_EINPUT, "%.400s/%.200s: this class is not among the training classes of %.300s",
                        own->test, classes.names[i], own->train);
  }
  list_free(&classes);
  return status;
}

/* SPN_EINPUT where both names lead to one folder: the test images would be the training images. */
static spn_status check_apart(const char *path, const char *test, spn_err *err) {
  identity a, b;
  SPN_TRY(identify(path, "train", &a, err));
  SPN_TRY(identify(path, test, &b, err));
  if (a.device != b.device || a.number != b.number) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "%.800s: expected two folders, but train and %s are the same one", path, test);
}

/* Where the images are: path/train with path/test or path/val beside it, or path itself. */
static spn_status find_folders(const spn_dataset *set, folders *own, spn_err *err) {
  const char *path = set->path, *test = has_folder(path, "test") ? "test" : has_folder(path, "val") ? "val" : NULL;
  int train = has_folder(path, "train");
  if (test && !train && !set->test_only)
    return spn_fail(err, SPN_EINPUT, "%.800s: expected a folder train beside %s", path, test);
  if (test && train) SPN_TRY(check_apart(path, test, err));
  if (test) own->test = spn_path_join(path, test);
  if (train) own->train = spn_path_join(path, "train");
  else if (!test) own->train = strdup(path);
  if ((train && !own->train) || (test && !own->test) || (!own->train && !own->test))
    return spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", path);
  return SPN_OK;
}

static spn_status folder_read(spn_dataset *set, spn_err *err) {
  arena a = {0};
  folders *own = set->own = calloc(1, sizeof *own);
  if (!own) return spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", set->path);
  SPN_TRY(find_folders(set, own, err));
  if (set->test_only && own->test) return index_first(set, &a, own->test, err);
  SPN_TRY(index_first(set, &a, own->train, err));
  set->train_count = set->count;
  return own->test ? index_test(set, &a, own, err) : SPN_OK;
}

static int folder_place(const spn_dataset *set, uint32_t item, char *out, size_t size) {
  const folders *own = set->own;
  return snprintf(out, size, "%s/%s/%s", item < set->train_count ? own->train : own->test,
                  set->class_names[set->labels[item]], set->names + set->name_at[item]);
}

static spn_status folder_image(spn_dataset *set, uint32_t item, int max_side, spn_image *out, spn_err *err) {
  char path[4352];
  const char *reason = "path too long";
  spn_status status = SPN_EINPUT;
  *out = (spn_image){0};
  if (folder_place(set, item, path, sizeof path) < (int)sizeof path)
    status = spn_image_read(path, max_side, out, &reason);
  if (status == SPN_EINPUT) atomic_store(&set->reason[item], reason);
  else if (status) spn_fail(err, status, "%.700s: %s", path, status == SPN_ENOMEM ? "out of memory" : reason);
  return status;
}

static void folder_close(spn_dataset *set) {
  folders *own = set->own;
  if (!own) return;
  free(own->train);
  free(own->test);
  free(own);
}

const spn_dataset_reader spn_reader_folder = {
    .expects = "a folder of images for each class (in train/ and test/, or without these)",
    .found = folder_found,
    .read = folder_read,
    .image = folder_image,
    .place = folder_place,
    .decodes = 1,
    .close = folder_close};
