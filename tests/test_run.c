/* Run folders: what a start that fails leaves (nothing), what is refused, what settings a run goes on with, and which
 * checkpoint. */
#define _GNU_SOURCE
#include <unistd.h>

#include "io/file.h"
#include "small_world.h"
#include "train/resume.h"

static const char *inside(const char *name) {
  static char path[4][256];
  static int next;
  snprintf(path[next = (next + 1) % 4], sizeof path[0], "%s/%s", folder, name);
  return path[next];
}

static int there(const char *name) { return !access(inside(name), F_OK); }

static spn_status open_run(const char *name, spn_settings *s, int resume, spn_run **run, spn_err *err) {
  return spn_run_open(inside(name), s, "search", resume, 1, run, err);
}

/* ---- Starts ---- */

static void test_start(void) {
  spn_settings s;
  spn_run *run;
  spn_err err;
  make_settings(&s);
  mkdir(inside("old"), 0777);
  CHECK_OK(open_run("new/deep/run", &s, 0, &run, &err), err);
  CHECK(there("new/deep/run"), "the folder is made and locked at once");
  CHECK(open_run("new/deep/run", &s, 0, &(spn_run *){NULL}, &err) == SPN_EINPUT && strstr(err.text, "another spnas"),
        "%s", err.text);
  CHECK(there("new/deep/run"), "who was refused removes nothing");
  spn_run_close(run);
  CHECK(!there("new"), "what was made goes");
  CHECK_OK(open_run("old/run", &s, 0, &run, &err), err);
  spn_run_close(run);
  CHECK(!there("old/run") && there("old"), "what was there stays");
  CHECK_OK(open_run("old/run", &s, 0, &run, &err), err);
  CHECK_OK(spn_run_begin(run, 0, &err), err);
  spn_run_close(run);
  CHECK(there("old/run/config.resolved.json") && there("old/run/env.json") && there("old/run/checkpoints"), "begun");
  CHECK(open_run("old/run", &s, 0, &run, &err) == SPN_EINPUT && strstr(err.text, "holds a run already"), "%s",
        err.text);
  CHECK(there("old/run/config.resolved.json"), "a run that is there stays");
  CHECK_OK(open_run("old/run", &s, 1, &run, &err), err);
  spn_run_close(run);
  CHECK(there("old/run/config.resolved.json"), "a resumed run that did not begin stays");
}

/* The system refuses in the midst of the beginning. */
static void test_half_start(void) {
  spn_settings s;
  spn_run *run;
  spn_err err;
  make_settings(&s);
  CHECK_OK(spn_folder_create(inside("half/config.resolved.json.d"), &err), err);
  CHECK_OK(open_run("half", &s, 0, &run, &err), err);
  mkdir(inside("half/config.resolved.json"), 0777); /* in the way of the last file */
  CHECK(spn_run_begin(run, 0, &err) == SPN_EIO, "a folder in the way");
  spn_run_close(run);
  CHECK(!there("half/env.json") && !there("half/metrics.jsonl") && !there("half/checkpoints"), "nothing of it is left");
  CHECK(there("half/config.resolved.json.d"), "what was there stays");
  rmdir(inside("half/config.resolved.json"));
  CHECK_OK(open_run("half", &s, 0, &run, &err), err);
  CHECK_OK(spn_run_begin(run, 0, &err), err);
  spn_run_close(run);
}

/* ---- Settings of a run that goes on ---- */

static void test_settings(void) {
  spn_settings s, again;
  spn_run *run;
  spn_err err;
  char path[1100];
  CHECK(!chdir(folder), "%s", folder);
  make_settings(&s);
  strcpy(s.data_path, "./data/");
  strcpy(s.search_space, "demo");
  strcpy(s.search_cost, "tables//mine.json");
  s.run_max_steps = 7;
  CHECK_OK(spn_run_open("kept", &s, "search", 0, 1, &run, &err), err);
  CHECK_OK(spn_run_begin(run, 0, &err), err);
  spn_run_close(run);
  CHECK(!chdir("data"), "another working directory");
  spn_settings_default(&again);
  CHECK_OK(spn_resume_settings("../kept", "search", &again, &err), err);
  CHECK(!strcmp(again.data_path, inside("data")), "%s", again.data_path);
  CHECK(!strcmp(again.search_cost, inside("tables/mine.json")) && !strcmp(again.search_space, "demo"), "%s and %s",
        again.search_cost, again.search_space);
  CHECK(again.run_max_steps == 0 && again.optim_batch == s.optim_batch, "settings of the run, not of the process");
  CHECK_OK(spn_run_open("../kept", &again, "search", 1, 1, &run, &err), err);
  spn_run_close(run);
  strcpy(again.data_path, "."); /* the same from here */
  CHECK_OK(spn_run_open("../kept", &again, "search", 1, 1, &run, &err), err);
  spn_run_close(run);
  strcpy(again.data_path, "../elsewhere");
  CHECK(spn_run_open("../kept", &again, "search", 1, 1, &run, &err) == SPN_EINPUT && strstr(err.text, "data.path"),
        "%s", err.text);
  CHECK(spn_resume_settings("../kept", "train", &again, &err) == SPN_EINPUT && strstr(err.text, "spnas search"), "%s",
        err.text);
  CHECK(spn_resume_settings("../none", "search", &again, &err) == SPN_EINPUT && strstr(err.text, "no run"), "%s",
        err.text);
  CHECK(!spn_path_absolute("/a/./b//c/../d/", path, sizeof path) && !strcmp(path, "/a/b/c/../d"), "%s", path);
  CHECK(!spn_path_absolute("/", path, sizeof path) && !strcmp(path, "/"), "%s", path);
  CHECK(spn_path_absolute("/abc", path, 4) == SPN_EINPUT, "no room");
  memset(s.data_path, 'x', sizeof s.data_path - 1);
  CHECK(spn_settings_anchor(&s, &err) == SPN_EINPUT && strstr(err.text, "data.path"), "%s", err.text);
}

/* A sum of costs keeps its form, and what is a file in it becomes absolute. */
static void test_sums(void) {
  spn_settings s;
  spn_err err;
  char want[2200];
  CHECK(!chdir(folder), "%s", folder);
  make_settings(&s);
  strcpy(s.search_cost, "0.5 * a.json + 2*pixel1 + 0.25 * b/c.json");
  snprintf(want, sizeof want, "0.5 * %s + 2*pixel1 + 0.25 * ", inside("a.json"));
  strcat(want, inside("b/c.json"));
  CHECK_OK(spn_settings_anchor(&s, &err), err);
  CHECK(!strcmp(s.search_cost, want), "%s", s.search_cost);
  CHECK_OK(spn_settings_anchor(&s, &err), err);
  CHECK(!strcmp(s.search_cost, want), "again: %s", s.search_cost);
  strcpy(s.search_limits, "params<=3,a.json <= 70,  0.5 * b/c.json + x <= 40%, d.json");
  strcpy(want, "params <=3, ");
  snprintf(want + strlen(want), sizeof want - strlen(want), "%s <= 70, 0.5 * ", inside("a.json"));
  snprintf(want + strlen(want), sizeof want - strlen(want), "%s + x <= 40%%, ", inside("b/c.json"));
  strcat(want, inside("d.json"));
  for (int i = 0; i < 2; i++) {
    CHECK_OK(spn_settings_anchor(&s, &err), err);
    CHECK(!strcmp(s.search_limits, want), "limits: %s, expected %s", s.search_limits, want);
  }
  memset(s.search_cost, 'x', sizeof s.search_cost - 1);
  memcpy(s.search_cost + 500, " + a/", 5);
  CHECK(spn_settings_anchor(&s, &err) == SPN_EINPUT && strstr(err.text, "search.cost"), "%s", err.text);
}

/* Whoever asks whether a run goes on keeps no one from beginning one. */
static void test_busy(void) {
  spn_settings s;
  spn_run *run;
  spn_err err;
  make_settings(&s);
  CHECK(!spn_run_busy(inside("busy")), "no folder");
  CHECK_OK(open_run("busy", &s, 0, &run, &err), err);
  CHECK(spn_run_busy(inside("busy")), "under way");
  CHECK_OK(spn_run_begin(run, 0, &err), err);
  CHECK(open_run("busy", &s, 1, &run, &err) == SPN_EINPUT && strstr(err.text, "another spnas"), "%s", err.text);
  spn_run_close(run);
}

/* ---- Checkpoints ---- */

static void save(spn_run *run, uint64_t step) {
  spn_err err;
  spn_tensors *set = spn_tensors_new();
  CHECK_OK(spn_run_checkpoint(run, step, set, &err), err);
  spn_tensors_free(set);
}

static void damage(spn_run *run, uint64_t step) {
  spn_err err;
  CHECK_OK(spn_file_write(spn_run_checkpoint_path(run, step), "torn", 4, &err), err);
}

static void check_restored(spn_run *run, uint64_t want) {
  spn_tensors *set;
  uint64_t step;
  spn_err err;
  CHECK_OK(spn_run_restore(run, &step, &set, &err), err);
  CHECK((set != NULL) == (want > 0) && step == want, "step %d, expected %d", (int)step, (int)want);
  if (set) spn_tensors_free(set);
}

static void test_checkpoints(void) {
  spn_settings s;
  spn_run *run;
  spn_err err;
  spn_tensors *set;
  uint64_t step;
  make_settings(&s);
  CHECK_OK(open_run("points", &s, 0, &run, &err), err);
  CHECK_OK(spn_run_begin(run, 0, &err), err);
  check_restored(run, 0);
  save(run, 10);
  save(run, 20);
  check_restored(run, 20);
  damage(run, 20);
  check_restored(run, 10);
  damage(run, 10);
  CHECK(spn_run_restore(run, &step, &set, &err) == SPN_EINPUT, "all are damaged");
  CHECK(strstr(err.text, "none of the 2 is whole") && strstr(err.text, "anew") && !set, "%s", err.text);
  spn_run_close(run);
  unlink(inside("points/config.resolved.json"));
  CHECK(open_run("points", &s, 0, &run, &err) == SPN_EINPUT && strstr(err.text, "holds a run already"),
        "checkpoints alone are a run: %s", err.text);
  CHECK(open_run("points", &s, 1, &run, &err) == SPN_EINPUT && strstr(err.text, "config.resolved.json"), "%s",
        err.text);
}

int main(void) {
  make_world();
  test_start();
  test_half_start();
  test_settings();
  test_sums();
  test_busy();
  test_checkpoints();
  CHECK(!chdir("/"), "/");
  remove_all(folder);
  return check_report("test_run");
}
