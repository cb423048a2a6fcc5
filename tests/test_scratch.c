/* The evaluator that trains every network by itself: what it counts, what it knows already, the longer training of the
 * best, and a search that is stopped in the middle of a training and goes on as if it had not been. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/phase.h"
#include "io/file.h"
#include "io/json.h"
#include "small_world.h"

enum { HELD_OUT = 4, TRAINING = 8, BATCH = 4, EPOCHS = 2, EVALUATIONS = 4 };
/* Training images of a network, and those of its recalibrations and evaluations. */
enum { TRAINED = EPOCHS * TRAINING, EVALUATED = EPOCHS * (TRAINING + HELD_OUT) };

static int looks, stop_at;

static void watch(const spn_phase *w) {
  if (!w->ended && ++looks == stop_at) spn_stop_request(SIGTERM);
}

static double holdout = 0.34;
static long long evaluations = EVALUATIONS, budget, top = 2;

static spn_status search(const char *name, int resume, spn_err *err) {
  static spn_settings s;
  static spn_space space;
  static spn_cost cost;
  spn_data data;
  char path[256];
  spn_search_result result = {.images = 0};
  spn_problem p = {.settings = &s, .space = &space, .cost = &cost, .data = &data};
  make_settings(&s);
  s.data_holdout = holdout;
  s.search_method = "random";
  s.search_evaluator = "scratch";
  s.search_scratch_epochs = EPOCHS;
  s.search_evaluations = evaluations;
  s.search_budget = (double)budget;
  s.search_top = top;
  s.train_epochs = 3;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  SPN_TRY(spn_space_parse("tiny", space_text, strlen(space_text), &space, err));
  SPN_TRY(spn_cost_load("macs", &space, &cost, err));
  SPN_TRY(spn_problem_budget(&p, err));
  SPN_TRY(spn_data_open(&s, 8, 1, &data, err));
  spn_status status = spn_run_open(path, &s, "search", resume, 1, &p.run, err);
  if (!status) status = spn_problem_search(&p, &result, err);
  if (p.run) spn_run_close(p.run);
  spn_data_close(&data);
  return status;
}

static spn_json_doc *load(const char *run, const char *name) {
  char path[256];
  spn_err err = {0};
  spn_json_doc *doc = NULL;
  snprintf(path, sizeof path, "%s/%s/%s", folder, run, name);
  CHECK(spn_json_load(path, &doc, &err) == SPN_OK, "%s", err.text);
  if (!doc) exit(check_report("test_scratch"));
  return doc;
}

static double number(const spn_json *object, const char *key) {
  double value = NAN;
  spn_json at = spn_json_get(object, key);
  CHECK(spn_json_real(&at, -1e12, 1e12, &value, NULL) == SPN_OK, "%s", key);
  return value;
}

static int present(const char *run, const char *name) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s/%s", folder, run, name);
  return access(path, F_OK) == 0;
}

/* The answer is the best of the longer trained ones; every image is counted. */
static void test_outcome(const char *run) {
  spn_json_doc *doc = load(run, "arch.json");
  spn_json root = spn_json_root(doc), list = spn_json_get(&root, "finalists"), member;
  double trained = number(&root, "images_trained"), best = -1, before = 2;
  size_t networks = 0;
  CHECK(number(&root, "evaluations") == EVALUATIONS, "evaluations");
  CHECK(fmod(trained, TRAINED) == 0 && trained > 0 && trained <= EVALUATIONS * TRAINED, "%g trained", trained);
  CHECK_NEAR(number(&root, "images_evaluated"), trained / TRAINED * EVALUATED, 0, "evaluated");
  for (spn_json_iter it = spn_json_iterate(&list); spn_json_next(&it, &member); networks++) {
    const char *code = "";
    char where[160];
    spn_json at = spn_json_get(&member, "network");
    spn_json_string(&at, &code, NULL);
    CHECK(number(&member, "accuracy") <= before, "the best come first");
    before = number(&member, "accuracy");
    best = fmax(best, number(&member, "final_accuracy"));
    snprintf(where, sizeof where, "final/%s/best.safetensors", code);
    CHECK(present(run, where), "%s stays", where);
    snprintf(where, sizeof where, "networks/%s/result.json", code);
    CHECK(present(run, where), "%s stays", where);
    snprintf(where, sizeof where, "networks/%s/best.safetensors", code);
    CHECK(!present(run, where), "%s goes", where);
  }
  CHECK(networks == 2 && best >= 0, "%zu trained for longer", networks);
  CHECK_NEAR(number(&root, "images"), trained + number(&root, "images_evaluated") + 2 * 3 * (2 * TRAINING + HELD_OUT),
             0, "all images");
  spn_json_free(doc);
}

/* A file without what tells how long something took. */
static char *content(const char *run, const char *name) {
  char path[256], *text, *at;
  spn_err err;
  size_t size;
  snprintf(path, sizeof path, "%s/%s/%s", folder, run, name);
  if (spn_file_read(path, 1 << 24, &text, &size, &err)) return NULL;
  for (at = text; (at = strstr(at, "\"seconds\": "));) {
    size_t n = strcspn(at, ",}");
    memmove(at, at + n, strlen(at + n) + 1);
  }
  return text;
}

static void same_file(const char *a, const char *b, const char *name) {
  char *x = content(a, name), *y = content(b, name);
  CHECK(x && y && !strcmp(x, y), "%s of %s and %s", name, a, b);
  free(x);
  free(y);
}

/* Stopped in the look `at`, in a process of its own; then on to the end. */
static void test_stopped(int at) {
  char run[32];
  int how = 0;
  spn_err err;
  snprintf(run, sizeof run, "stopped-%d", at);
  fflush(stdout);
  pid_t child = fork();
  if (!child) {
    stop_at = at;
    spn_phase_watch(watch);
    _exit((int)search(run, 0, &err));
  }
  CHECK(child > 0 && waitpid(child, &how, 0) == child && WIFEXITED(how) && WEXITSTATUS(how) == SPN_ESTOPPED,
        "stopped at look %d: %d", at, how);
  CHECK_OK(search(run, 1, &err), err);
  same_file("whole", run, "archive.jsonl");
  same_file("whole", run, "arch.json");
}

static void test_refused(void) {
  spn_err err = {0};
  holdout = 0;
  CHECK(search("refused", 0, &err) == SPN_EINPUT && strstr(err.text, "data.holdout"), "%s", err.text);
  holdout = 0.34;
  evaluations = 0;
  budget = TRAINED + EVALUATED - 1;
  CHECK(search("refused", 0, &err) == SPN_EINPUT && strstr(err.text, "search.budget"), "%s", err.text);
}

/* Known networks cost no images, and a search that finds only those ends. */
static void test_repeats(void) {
  spn_err err;
  top = 0;
  budget = 40 * (TRAINED + EVALUATED);
  CHECK_OK(search("repeats", 0, &err), err);
  spn_json_doc *doc = load("repeats", "arch.json");
  spn_json root = spn_json_root(doc);
  double networks = number(&root, "images_trained") / TRAINED;
  CHECK(networks <= 40 && number(&root, "evaluations") == networks, "%g networks trained, %g evaluations", networks,
        number(&root, "evaluations"));
  spn_json_free(doc);
}

int main(void) {
  spn_err err;
  make_world();
  CHECK_OK(search("whole", 0, &err), err);
  test_outcome("whole");
  test_stopped(3);
  test_stopped(11);
  test_stopped(25);
  test_refused();
  test_repeats();
  remove_all(folder);
  return check_report("test_scratch");
}
