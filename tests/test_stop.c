/* A stop at every look of every phase: a search and a training are stopped at each of them in turn, go on in another
 * process, are stopped once more at its beginning and go on again; they end with the files of a run that was never
 * stopped, byte for byte. Packing, listing and waiting for a pipe stop without leaving anything. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/phase.h"
#include "input/pack.h"
#include "io/file.h"
#include "small_world.h"
#include "train/resume.h"

/* What a child process tells. */
static struct {
  int looks, code;
  char text[1024], phases[4096]; /* "evaluation on test images;..." in their order, each once in a row */
} *told;

static int stop_at; /* number of the look that the stop is asked for in; 0: none */

static void watch(const spn_phase *w) {
  if (w->ended) return;
  size_t used = strlen(told->phases), n = strlen(w->what);
  int again = used > n && !strncmp(told->phases + used - n - 1, w->what, n);
  if (!again) snprintf(told->phases + used, sizeof told->phases - used, "%s;", w->what);
  if (++told->looks == stop_at) spn_stop_request(SIGTERM);
}

typedef spn_status (*work)(int resume, spn_err *err);

static spn_status in_child(work function, int resume, int at) {
  memset(told, 0, sizeof *told);
  fflush(stdout);
  pid_t child = fork();
  if (!child) {
    spn_err err = {0};
    stop_at = at;
    spn_backend_init();
    spn_phase_watch(watch);
    told->code = (int)function(resume, &err);
    memcpy(told->text, err.text, sizeof told->text);
    _exit(0);
  }
  int how = 0;
  CHECK(child > 0 && waitpid(child, &how, 0) == child && how == 0, "the child ends by itself: %d", how);
  return (spn_status)told->code;
}

/* ---- Runs ---- */

/* A file without the lines that tell how long something took; NULL where there is none. */
static char *content(const char *run, const char *name, size_t *size) {
  char path[256], *text;
  spn_err err;
  snprintf(path, sizeof path, "%s/%s/%s", folder, run, name);
  if (access(path, F_OK)) return NULL;
  CHECK_OK(spn_file_read(path, 1 << 24, &text, size, &err), err);
  for (char *line; strstr(name, ".json") && (line = strstr(text, "\"seconds\""));) {
    char *end = strchr(line, '\n');
    memmove(line, end, strlen(end) + 1);
    *size = strlen(text);
  }
  return text;
}

static void check_same(const char *what, int look) {
  static const char *const names[] = {"metrics.jsonl",    "arch.json",        "inherited.safetensors",
                                      "best.safetensors", "last.safetensors", "result.json"};
  int compared = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t size = 0, want_size = 0;
    char *want = content("whole", names[i], &want_size), *got = content("run", names[i], &size);
    CHECK(!want == !got, "%s, look %d: %s", what, look, names[i]);
    if (want && got) {
      CHECK(size == want_size && !memcmp(want, got, size), "%s, look %d: %s differs", what, look, names[i]);
      compared++;
    }
    free(want);
    free(got);
  }
  CHECK(compared >= 3, "%s: %d files", what, compared);
}

static void check_whole_files(int look) {
  char command[256];
  snprintf(command, sizeof command, "! find %s -name '*.tmp*' | grep .", folder);
  CHECK(system(command) == 0, "look %d leaves half a file", look);
}

static spn_status go_on(work function, int at) { return in_child(function, spn_run_exists(run_folder), at); }

static void test_run(const char *what, work function, const char *const *phases) {
  char command[512], whole[128];
  snprintf(whole, sizeof whole, "%s/whole", folder);
  remove_all(run_folder);
  remove_all(whole);
  CHECK(!in_child(function, 0, 0), "%s: %s", what, told->text);
  int looks = told->looks, stops = 0, without_run = 0;
  for (; *phases; phases++) CHECK(strstr(told->phases, *phases), "%s: no phase %s in %s", what, *phases, told->phases);
  snprintf(command, sizeof command, "mv %s %s", run_folder, whole);
  CHECK(system(command) == 0, "%s", command);
  for (int look = 1; look <= looks; look++) {
    spn_status status = go_on(function, look);
    stops += status == SPN_ESTOPPED;
    CHECK(!status || status == SPN_ESTOPPED, "%s, look %d: %s", what, look, told->text);
    CHECK(!status || !strncmp(told->text, "stopped ", 8), "%s, look %d: %s", what, look, told->text);
    check_whole_files(look);
    without_run += !spn_run_exists(run_folder);
    CHECK(spn_run_exists(run_folder) || access(run_folder, F_OK), "%s, look %d: half a run folder", what, look);
    status = go_on(function, 1);
    CHECK(status == SPN_ESTOPPED, "%s, look %d: stopped again: %s", what, look, told->text);
    status = go_on(function, 0);
    CHECK(!status, "%s, look %d: going on: %s", what, look, told->text);
    check_same(what, look);
    remove_all(run_folder);
  }
  CHECK(looks > 10 && stops >= looks - 2 && without_run > 0, "%s: %d looks, %d stops, %d before the run", what, looks,
        stops, without_run);
  printf("%s: %d looks\n", what, looks);
}

/* ---- What leaves no run ---- */

static spn_status open_folders(int unused, spn_err *err) {
  char path[128];
  spn_dataset *set;
  (void)unused;
  snprintf(path, sizeof path, "%s/classes", folder);
  spn_dataset_options o = {.path = path};
  if (stop_at) spn_stop_request(SIGTERM); /* before the first look */
  SPN_TRY(spn_dataset_open(&o, &set, err));
  spn_dataset_close(set);
  return SPN_OK;
}

static spn_status pack_folders(int unused, spn_err *err) {
  char path[128], pack[128];
  spn_dataset *set;
  size_t bad;
  (void)unused;
  snprintf(path, sizeof path, "%s/classes", folder);
  snprintf(pack, sizeof pack, "%s/some.pack", folder);
  spn_dataset_options o = {.path = path, .max_bad = 1};
  spn_phase_watch(NULL);
  SPN_TRY(spn_dataset_open(&o, &set, err));
  if (stop_at) spn_stop_request(SIGTERM);
  spn_status status = spn_pack_write(set, pack, 0, SPN_RESIZE_BILINEAR, 2, &bad, err);
  spn_dataset_close(set);
  return status;
}

static void test_folders(void) {
  char command[512];
  snprintf(command, sizeof command, "mkdir -p %s/classes/a %s/classes/b && touch %s/classes/a/1 %s/classes/b/1", folder,
           folder, folder, folder);
  CHECK(system(command) == 0, "%s", command);
  CHECK(in_child(open_folders, 0, 1) == SPN_ESTOPPED && strstr(told->text, "listing"), "%s", told->text);
  CHECK(in_child(pack_folders, 0, 1) == SPN_ESTOPPED && strstr(told->text, "packing"), "%s", told->text);
  snprintf(command, sizeof command, "ls %s | grep pack", folder);
  CHECK(system(command) != 0, "a pack is left");
}

/* Nobody writes to the pipe; the stop comes before the wait, as a signal may. */
static spn_status read_pipe(int unused, spn_err *err) {
  char path[128], *text;
  size_t size;
  (void)unused;
  snprintf(path, sizeof path, "%s/pipe", folder);
  alarm(20); /* fails rather than hangs */
  if (stop_at) spn_stop_request(SIGTERM);
  SPN_TRY(spn_file_read(path, 100, &text, &size, err));
  free(text);
  return size == 6 ? SPN_OK : SPN_EIO;
}

static void test_pipe(void) {
  char path[128], command[256];
  snprintf(path, sizeof path, "%s/pipe", folder);
  CHECK(!mkfifo(path, 0600), "a pipe");
  CHECK(in_child(read_pipe, 0, 1) == SPN_ESTOPPED && strstr(told->text, "waiting"), "%s", told->text);
  snprintf(command, sizeof command, "(sleep 0.3; printf abc; sleep 0.3; printf def) >%s &", path);
  CHECK(system(command) == 0 && !in_child(read_pipe, 0, 0), "read in two pieces: %s", told->text);
}

int main(void) {
  static const char *const of_search[] = {"measurement", "allocation", "judging", "recalibration",
                                          "held-out",    "test",       NULL};
  static const char *const of_training[] = {"measurement", "allocation", "held-out", "test", NULL};
  told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  make_world();
  test_run("search", search_once, of_search);
  test_run("training", train_once, of_training);
  test_folders();
  test_pipe();
  remove_all(folder);
  return check_report("test_stop");
}
