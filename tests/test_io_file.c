/* Files: what is written is there in full or not at all, and nothing is left beside it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "io/file.h"
#include "io/tensors.h"

static char folder[64] = "/tmp/spn_io_XXXXXX";

static const char *in_folder(const char *name) {
  static char path[4][300];
  static int turn;
  turn = (turn + 1) % 4;
  snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
  return path[turn];
}

static int entries(const char *path) {
  DIR *dir = opendir(path);
  int n = 0;
  for (struct dirent *e; dir && (e = readdir(dir));) n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
  if (dir) closedir(dir);
  return n;
}

static void holds(const char *path, const char *expected) {
  char *data;
  size_t size;
  spn_err err = {0};
  CHECK_OK(spn_file_read(path, 1 << 20, &data, &size, &err), err);
  CHECK(data && size == strlen(expected) && !strcmp(data, expected), "%s: got %s", path, data ? data : "nothing");
  free(data);
}

static void check_round_trip(void) {
  spn_err err = {0};
  const char *path = in_folder("a");
  CHECK_OK(spn_file_write(path, "first", 5, &err), err);
  holds(path, "first");
  CHECK_OK(spn_file_write(path, "second one", 10, &err), err);
  holds(path, "second one");
  CHECK_OK(spn_file_write(path, NULL, 0, &err), err);
  holds(path, "");
  CHECK(entries(folder) == 1, "%d entries", entries(folder));
  spn_file *f;
  CHECK_OK(spn_file_create(path, &f, &err), err);
  for (int i = 0; i < 3; i++) CHECK_OK(spn_file_append(f, "piece ", 6, &err), err);
  holds(path, "");
  CHECK_OK(spn_file_commit(f, &err), err);
  holds(path, "piece piece piece ");
  CHECK_OK(spn_file_create(path, &f, &err), err);
  CHECK_OK(spn_file_append(f, "never", 5, &err), err);
  spn_file_abort(f);
  spn_file_abort(NULL);
  holds(path, "piece piece piece ");
  CHECK(entries(folder) == 1, "%d entries", entries(folder));
  struct stat info;
  mode_t mask = umask(0);
  umask(mask);
  CHECK(!stat(path, &info) && (info.st_mode & 0777) == (0666 & ~mask), "mode %o", info.st_mode & 0777);
}

/* A name without a folder: the current one is synced. */
static void check_relative(void) {
  char before[4096];
  spn_err err = {0};
  CHECK(getcwd(before, sizeof before) && !chdir(folder), "chdir");
  CHECK_OK(spn_file_write("relative", "x", 1, &err), err);
  CHECK(!unlink("relative") && !chdir(before), "back");
}

/* What a killed process with our number left is replaced; a link there is not followed. */
static void check_leftover(void) {
  char path[300];
  spn_err err = {0};
  CHECK_OK(spn_file_write(in_folder("victim"), "safe", 4, &err), err);
  snprintf(path, sizeof path, "%s/b.tmp-%ld", folder, (long)getpid());
  CHECK(!symlink(in_folder("victim"), path), "symlink");
  CHECK_OK(spn_file_write(in_folder("b"), "new", 3, &err), err);
  holds(in_folder("b"), "new");
  holds(in_folder("victim"), "safe");
  CHECK(access(path, F_OK) && !unlink(in_folder("b")) && !unlink(in_folder("victim")), "%s is left", path);
}

static void failed_as(spn_status want, spn_status status, const spn_err *err, const char *path, const char *reason) {
  CHECK(status == want && (spn_status)err->code == want, "expected status %d, got %d", want, status);
  CHECK(strstr(err->text, path) == err->text && strstr(err->text, reason), "expected %s ... %s, got %s", path, reason,
        err->text);
}

static void refused(spn_status status, const spn_err *err, const char *path, const char *reason) {
  failed_as(SPN_EIO, status, err, path, reason);
}

static void check_refusals(void) {
  spn_err err = {0};
  char *data;
  size_t size;
  const char *file = in_folder("a"), *under = in_folder("a/x"), *gone = in_folder("no/x");
  refused(spn_file_write(under, "x", 1, &err), &err, under, "Not a directory");
  refused(spn_file_write(gone, "x", 1, &err), &err, gone, "No such file or directory");
  refused(spn_file_write(folder, "x", 1, &err), &err, folder, "it is a folder");
  refused(spn_file_write("/dev/full", "x", 1, &err), &err, "/dev/full", "not a regular file");
  refused(spn_file_read(folder, 10, &data, &size, &err), &err, folder, "Is a directory");
  failed_as(SPN_EINPUT, spn_file_read(gone, 10, &data, &size, &err), &err, gone, "No such file or directory");
  CHECK(spn_file_read(file, 17, &data, &size, &err) == SPN_EINPUT && !data, "18 bytes in 17: %s", err.text);
  CHECK_OK(spn_file_read(file, 18, &data, &size, &err), err);
  free(data);
  CHECK_OK(spn_file_read("/proc/self/status", 1 << 20, &data, &size, &err), err); /* its size is told as 0 */
  CHECK(size > 100 && !data[size], "%zu bytes", size);
  free(data);
  CHECK(spn_file_read("/dev/zero", 5 << 20, &data, &size, &err) == SPN_EINPUT && !data, "%s", err.text);
  if (!geteuid()) return; /* root writes everywhere */
  CHECK(!chmod(folder, 0555), "chmod");
  refused(spn_file_write(in_folder("c"), "x", 1, &err), &err, in_folder("c"), "Permission denied");
  CHECK(!chmod(folder, 0755), "chmod");
}

/* The rename fails: the target has become a folder meanwhile. */
static void check_late_failure(void) {
  spn_err err = {0};
  spn_file *f;
  const char *path = in_folder("late");
  CHECK_OK(spn_file_create(path, &f, &err), err);
  CHECK(!mkdir(path, 0777), "mkdir");
  refused(spn_file_commit(f, &err), &err, path, "rename");
  CHECK(!rmdir(path) && entries(folder) == 1, "%d entries", entries(folder));
}

/* A disk that fills: writes beyond a limit fail half-way. Everything stays as it was. */
static void check_full_disk(void) {
  spn_err err = {0};
  const struct rlimit small = {10000, RLIM_INFINITY};
  struct rlimit before;
  const size_t shape[] = {5000};
  char *big = calloc(1, 100000);
  spn_tensors *set = spn_tensors_new(), *back = NULL;
  CHECK_OK(spn_tensors_add(set, "old", SPN_U8, 1, shape, NULL, &err), err);
  CHECK_OK(spn_tensors_save(set, in_folder("t"), &err), err);
  CHECK_OK(spn_tensors_add(set, "new", SPN_F32, 1, shape, NULL, &err), err);
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &before);
  setrlimit(RLIMIT_FSIZE, &small);
  refused(spn_file_write(in_folder("a"), big, 100000, &err), &err, in_folder("a"), "cannot write: File too large");
  refused(spn_tensors_save(set, in_folder("t"), &err), &err, in_folder("t"), "File too large");
  setrlimit(RLIMIT_FSIZE, &before);
  holds(in_folder("a"), "piece piece piece ");
  CHECK_OK(spn_tensors_load(in_folder("t"), &back, &err), err);
  CHECK(back && spn_tensors_count(back) == 1, "the old set");
  CHECK(entries(folder) == 2, "%d entries", entries(folder));
  spn_tensors_free(back);
  spn_tensors_free(set);
  free(big);
  unlink(in_folder("t"));
}

/* A reader of a pipe that is fed in pieces, with signals in between. */
static void on_alarm(int number) { (void)number; }
static void check_pipe(void) {
  spn_err err = {0};
  char *data, path[64];
  size_t size;
  int ends[2];
  struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART: reads are interrupted */
  CHECK(!pipe(ends) && !sigaction(SIGUSR1, &action, NULL), "pipe");
  pid_t parent = getpid(), child = fork();
  if (!child) {
    for (int i = 0; i < 20; i++) {
      usleep(2000);
      kill(parent, SIGUSR1);
      if (write(ends[1], "0123456789", 10) != 10) _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
  CHECK_OK(spn_file_read(path, 1000, &data, &size, &err), err);
  CHECK(size == 200, "%zu bytes", size);
  free(data);
  close(ends[0]);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
}

static void check_folders(void) {
  spn_err err = {0};
  struct stat info;
  CHECK_OK(spn_folder_create(in_folder("x/y//z/"), &err), err);
  CHECK(!stat(in_folder("x/y/z"), &info) && S_ISDIR(info.st_mode), "x/y/z");
  CHECK_OK(spn_folder_create(in_folder("x/y"), &err), err);
  CHECK_OK(spn_folder_create("/", &err), err);
  refused(spn_folder_create(in_folder("a/b"), &err), &err, in_folder("a"), "Not a directory");
  CHECK(spn_folder_create("", &err) == SPN_EINPUT, "%s", err.text);
  CHECK(!rmdir(in_folder("x/y/z")) && !rmdir(in_folder("x/y")) && !rmdir(in_folder("x")), "rmdir");
}

int main(void) {
  CHECK(mkdtemp(folder) != NULL, "mkdtemp");
  check_round_trip();
  check_relative();
  check_leftover();
  check_refusals();
  check_late_failure();
  check_full_disk();
  check_pipe();
  check_folders();
  unlink(in_folder("a"));
  CHECK(!rmdir(folder), "something is left in %s", folder);
  return check_report("io_file");
}
