#include "io/datapath.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

enum { MAX_PLACES = 4, PLACE_SIZE = 4096, MAX_NAMES = 256, NAME_SIZE = 64 };

/* Folder of the running program, without a trailing slash; 0 where the system does not tell. */
static int program_folder(char *out, size_t size) {
#ifdef __APPLE__
  uint32_t n = (uint32_t)size;
  if (_NSGetExecutablePath(out, &n)) return 0;
#else
  ssize_t n = readlink("/proc/self/exe", out, size - 1);
  if (n <= 0 || (size_t)n >= size - 1) return 0;
  out[n] = 0;
#endif
  char *slash = strrchr(out, '/');
  if (!slash) return 0;
  *slash = 0;
  return 1;
}

typedef struct {
  int count;
  char place[MAX_PLACES][PLACE_SIZE];
} place_list;

static void add_place(place_list *list, const char *folder, const char *below) {
  int n = snprintf(list->place[list->count], PLACE_SIZE, "%s%s", folder, below);
  if (n > 0 && n < PLACE_SIZE) list->count++;
}

static void find_places(place_list *list) {
  char program[PLACE_SIZE];
  const char *set = getenv("SPNAS_DATA");
  list->count = 0;
  if (set && *set) add_place(list, set, "");
  if (program_folder(program, sizeof program)) {
    add_place(list, program, "/../data");
    add_place(list, program, "/../share/spnas");
  }
  add_place(list, "./data", "");
}

static int ends_in_json(const char *name) {
  size_t n = strlen(name);
  return n > 5 && !strcmp(name + n - 5, ".json");
}

typedef struct {
  int count;
  char name[MAX_NAMES][NAME_SIZE];
} name_list;

static int compare_names(const void *a, const void *b) { return strcmp(a, b); }

static void add_name(name_list *names, const char *file) {
  size_t n = strlen(file) - 5;
  if (n >= NAME_SIZE || names->count == MAX_NAMES) return;
  char *slot = names->name[names->count];
  memcpy(slot, file, n);
  slot[n] = 0;
  for (int i = 0; i < names->count; i++)
    if (!strcmp(names->name[i], slot)) return;
  names->count++;
}

static void collect_names(const char *place, const char *kind, name_list *names) {
  char folder[PLACE_SIZE + 64];
  snprintf(folder, sizeof folder, "%s/%s", place, kind);
  DIR *dir = opendir(folder);
  if (!dir) return;
  for (struct dirent *entry; (entry = readdir(dir));)
    if (ends_in_json(entry->d_name)) add_name(names, entry->d_name);
  closedir(dir);
}

static spn_status fail_unknown(const place_list *list, const char *kind, const char *name, spn_err *err) {
  name_list names = {0};
  for (int i = 0; i < list->count; i++) collect_names(list->place[i], kind, &names);
  if (!names.count)
    return spn_fail(err, SPN_EINPUT, "%.64s: no data folder with %s found; set SPNAS_DATA to the folder that holds %s/",
                    name, kind, kind);
  qsort(names.name, (size_t)names.count, NAME_SIZE, compare_names);
  char text[800] = "";
  size_t used = 0;
  for (int i = 0; i < names.count && used + NAME_SIZE + 3 < sizeof text; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "", names.name[i]);
  return spn_fail(err, SPN_EINPUT, "%.64s: nothing of that name in data/%s; there are: %s", name, kind, text);
}

spn_status spn_data_path(const char *kind, const char *name, char *out, size_t size, spn_err *err) {
  if (!name || !*name) return spn_fail(err, SPN_EINPUT, "expected a name in data/%s or a path, got nothing", kind);
  if (strchr(name, '/') || ends_in_json(name)) {
    if (strlen(name) >= size) return spn_fail(err, SPN_EINPUT, "path too long: %.64s...", name);
    strcpy(out, name);
    return SPN_OK;
  }
  place_list *list = malloc(sizeof *list);
  if (!list) return spn_fail(err, SPN_ENOMEM, "out of memory");
  find_places(list);
  spn_status status = SPN_OK;
  int found = 0;
  for (int i = 0; i < list->count && !found; i++) {
    int n = snprintf(out, size, "%s/%s/%s.json", list->place[i], kind, name);
    found = n > 0 && (size_t)n < size && !access(out, R_OK);
  }
  if (!found) status = fail_unknown(list, kind, name, err);
  free(list);
  return status;
}
