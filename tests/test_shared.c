/* Searches with shared weights, on a small world of dark and bright images: an answer is what the network cut out of
 * the supernet gives, budgets are held, and a search that was stopped asks and finds the same, to the last bit. */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "io/file.h"
#include "search/inquiry.h"
#include "train/schedule.h"

static const char space_text[] =
    "{\"name\": \"tiny\", \"input\": {\"size\": 8, \"channels\": 1}, \"classes\": 2, \"activation\": \"relu\","
    " \"padding\": \"same\", \"bn\": {\"momentum\": 0.9, \"eps\": 0.001}, \"dropout\": 0.2,"
    " \"stem\": {\"channels\": 8, \"kernel\": 3, \"stride\": 2},"
    " \"stages\": [{\"layers\": 3, \"channels\": 8, \"stride\": 1, \"kernel\": [3, 5], \"expand\": [2, 3],"
    "               \"se\": [0, 0.25], \"skip\": true}],"
    " \"head\": {\"channels\": 16}}";

/* Stages decided as wholes: ops side by side, channels, numbers of layers, shortcuts. */
static const char stages_text[] =
    "{\"name\": \"stages\", \"input\": {\"size\": 8, \"channels\": 1}, \"classes\": 2, \"activation\": \"relu\","
    " \"padding\": \"same\", \"bn\": {\"momentum\": 0.9, \"eps\": 0.001}, \"dropout\": 0.2,"
    " \"stem\": {\"channels\": 8, \"kernel\": 3, \"stride\": 2},"
    " \"stages\": [{\"layers\": [1, 2], \"channels\": [6, 8], \"stride\": 1, \"shared\": true, \"kernel\": [3, 5],"
    "               \"expand\": [1, 2, 3, 0], \"se\": [0, 0.25], \"residual\": [false, true]},"
    "              {\"layers\": 2, \"channels\": [8, 12], \"stride\": 2, \"kernel\": [3, 5], \"expand\": [2, 3]}],"
    " \"head\": {\"channels\": 16}}";

typedef struct {
  char folder[64], run[2][96];
  spn_settings settings;
  spn_space space;
  spn_cost cost;
  spn_data data;
  spn_problem problem;
} world;

static void must(spn_status status, const spn_err *err) {
  CHECK(status == SPN_OK, "%s", err->text);
  if (status) exit(check_report("test_shared"));
}

static void put32(FILE *f, unsigned v) {
  for (int shift = 24; shift >= 0; shift -= 8) fputc((int)(v >> shift & 255), f);
}

static void write_idx(const world *w, const char *name, unsigned magic, int count, int labels) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", w->folder, name);
  FILE *f = fopen(path, "wb");
  put32(f, magic);
  put32(f, (unsigned)count);
  if (!labels) put32(f, 8), put32(f, 8);
  for (int i = 0; i < count; i++)
    for (int k = 0; k < (labels ? 1 : 64); k++) fputc(labels ? i % 2 : (i % 2 * 60 + 37 * k * (i + 1)) % 256, f);
  fclose(f);
}

static world *world_new(const char *space) {
  world *w = calloc(1, sizeof *w);
  spn_settings *s = &w->settings;
  spn_err err;
  char folder[] = "/tmp/spn-shared-XXXXXX";
  CHECK(mkdtemp(folder) != NULL, "a folder");
  strcpy(w->folder, folder);
  for (int i = 0; i < 2; i++) snprintf(w->run[i], sizeof w->run[i], "%s/run%d", folder, i);
  write_idx(w, "train-images-idx3-ubyte", 0x803, 48, 0);
  write_idx(w, "train-labels-idx1-ubyte", 0x801, 48, 1);
  write_idx(w, "t10k-images-idx3-ubyte", 0x803, 8, 0);
  write_idx(w, "t10k-labels-idx1-ubyte", 0x801, 8, 1);
  spn_settings_default(s);
  snprintf(s->data_path, sizeof s->data_path, "%s", w->folder);
  s->optim_batch = 4;
  s->run_threads = 1;
  s->data_holdout = 0.3;
  s->search_target_share = 0.7;
  s->search_tolerance = 0.5;
  s->search_samples = 4;
  s->search_score_images = 0;
  s->search_norm_images = s->search_recalibrate = 12;
  s->search_budget = 1500;
  s->search_force = 1; /* a name on little evidence */
  must(spn_space_parse("tiny", space, strlen(space), &w->space, &err), &err);
  must(spn_cost_load("macs", &w->space, &w->cost, &err), &err);
  w->problem = (spn_problem){.settings = s, .space = &w->space, .cost = &w->cost, .data = &w->data};
  must(spn_problem_budget(&w->problem, &err), &err);
  must(spn_data_open(s, 8, 1, &w->data, &err), &err);
  must(spn_schedule_search(s, spn_dataset_count(w->data.set, SPN_SPLIT_TRAIN), &err), &err);
  return w;
}

static void remove_all(const char *path) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  CHECK(system(command) == 0, "%s", command);
}

static void world_free(world *w) {
  spn_data_close(&w->data);
  remove_all(w->folder);
  spn_cost_free(&w->cost);
  free(w);
}

static spn_status search_in(world *w, const char *folder, int resume, spn_search_result *r, spn_err *err) {
  *r = (spn_search_result){.images = 0};
  SPN_TRY(spn_run_open(folder, &w->settings, "search", resume, 1, &w->problem.run, err));
  spn_status status = spn_problem_search(&w->problem, r, err);
  spn_run_close(w->problem.run);
  return status;
}

/* ---- Stops ---- */

/* A file's text, without the seconds that lines may end with. */
static char *text_of(const char *folder, const char *name, size_t *size) {
  char path[160], *text;
  spn_err err;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  must(spn_file_read(path, 1 << 26, &text, size, &err), &err);
  for (char *at = text; (at = strstr(at, "\"seconds\"")); at++)
    for (char *c = at; *c && *c != '\n'; c++) *c = ' ';
  return text;
}

static void same_file(const world *w, const char *name, const char *method) {
  size_t n, m;
  char *a = text_of(w->run[0], name, &n), *b = text_of(w->run[1], name, &m);
  if (strcmp(name, "archive.jsonl")) CHECK(n == m && !memcmp(a, b, n), "%s: %s differs", method, name);
  else
    for (char *x = a, *y = b; x && y && *x; x = strchr(x, '\n'), y = strchr(y, '\n')) {
      while (*x == '\n') x++, y++;
      size_t length = strcspn(x, "\n");
      while (length && x[length - 1] == ' ') length--;
      CHECK(!strncmp(x, y, length), "%s: %.*s", method, (int)length, x);
    }
  free(a);
  free(b);
}

static void test_stops(world *w, const char *method) {
  spn_err err;
  spn_search_result whole, stopped;
  w->settings.search_method = method;
  remove_all(w->run[0]);
  remove_all(w->run[1]);
  CHECK_OK(search_in(w, w->run[0], 0, &whole, &err), err);
  w->settings.run_max_steps = strcmp(w->settings.search_evaluator, "shared") ? 3 : 23;
  int stops = 0;
  spn_status status = search_in(w, w->run[1], 0, &stopped, &err);
  for (; status == SPN_ESTOPPED && stops < 40; stops++) status = search_in(w, w->run[1], 1, &stopped, &err);
  w->settings.run_max_steps = 0;
  CHECK(status == SPN_OK && stops >= 1, "%s: %d stops: %s", method, stops, status ? err.text : "");
  CHECK(spn_choice_equal(&whole.choice, &stopped.choice), "%s: another network", method);
  CHECK(whole.images == stopped.images && whole.images <= w->settings.search_budget, "%s: %g images", method,
        whole.images);
  same_file(w, "archive.jsonl", method);
  if (whole.inherits) same_file(w, "inherited.safetensors", method);
}

/* ---- Answers ---- */

static void test_answer(world *w) {
  const spn_evaluator *shared = spn_evaluator_of(&w->settings);
  spn_search_result r = {.images = 0};
  spn_answer answer;
  spn_images images = {0};
  spn_err err;
  void *own;
  size_t done;
  remove_all(w->run[0]);
  must(spn_run_open(w->run[0], &w->settings, "search", 0, 1, &w->problem.run, &err), &err);
  must(spn_run_begin(w->problem.run, 0, &err), &err);
  must(shared->open(&w->problem, &own, &err), &err);
  must(shared->restore(own, w->problem.run, &done, &err), &err);
  spn_price price = shared->price(own);
  for (uint64_t i = 0; i < 4; i++) {
    spn_choice_random(&w->space, 2, i, &r.choice);
    must(shared->answer(own, &r.choice, &answer, &images, &err), &err);
    CHECK(images.trained == price.first.trained + (double)i * price.each.trained, "trained on %g", images.trained);
    CHECK(images.evaluated == (double)(i + 1) * price.each.evaluated, "evaluated %g", images.evaluated);
  }
  w->settings.search_train_steps = 0; /* the same weights from here on */
  for (uint64_t i = 0; i < 6; i++) {
    spn_choice_random(&w->space, 3, i, &r.choice);
    must(shared->answer(own, &r.choice, &answer, &images, &err), &err);
    must(shared->finish(own, &w->problem, &r, &err), &err);
    CHECK_NEAR(answer.loss, r.inherited_holdout.loss, 1e-4, "network %d: loss", (int)i);
    CHECK_NEAR(answer.accuracy, r.inherited_holdout.top1, 1e-9, "network %d: accuracy", (int)i);
  }
  w->settings.search_train_steps = 1;
  shared->close(own);
  spn_run_close(w->problem.run);
}

static void test_budget(world *w) {
  spn_err err;
  spn_search_result r;
  remove_all(w->run[0]);
  w->settings.search_method = "random";
  w->settings.search_budget = 20;
  spn_status status = search_in(w, w->run[0], 0, &r, &err);
  CHECK(status == SPN_EINPUT && strstr(err.text, "search.budget: expected at least"), "%d %s", status, err.text);
  CHECK(access(w->run[0], F_OK), "a search that is refused leaves no folder");
  w->settings.search_method = "gradient";
  status = search_in(w, w->run[0], 0, &r, &err);
  CHECK(status == SPN_EINPUT && strstr(err.text, "search.budget: expected at least"), "%d %s", status, err.text);
  w->settings.search_budget = 0;
  w->settings.search_evaluations = 5;
  w->settings.search_method = "evolution";
  CHECK_OK(search_in(w, w->run[0], 0, &r, &err), err);
  CHECK(r.inherits && r.cost <= w->problem.target, "a network within the budget, with weights");
}

/* Too few networks and steps: nothing is named, until it is asked for, by what is known already. */
static void test_evidence(world *w) {
  spn_err err;
  spn_search_result r;
  size_t before, after;
  w->settings.search_method = "evolution";
  w->settings.search_budget = 0;
  w->settings.search_evaluations = 5;
  w->settings.search_force = 0;
  remove_all(w->run[0]);
  spn_status status = search_in(w, w->run[0], 0, &r, &err);
  CHECK(status == SPN_EINPUT && strstr(err.text, "training steps, at least 100") &&
            strstr(err.text, "4 networks scored, at least 20") && strstr(err.text, "search.force=1"),
        "%d %s", status, err.text);
  char path[160];
  snprintf(path, sizeof path, "%s/arch.json", w->run[0]);
  CHECK(access(path, F_OK), "nothing is named");
  free(text_of(w->run[0], "metrics.jsonl", &before));
  w->settings.search_force = 1;
  CHECK_OK(search_in(w, w->run[0], 1, &r, &err), err);
  free(text_of(w->run[0], "metrics.jsonl", &after));
  CHECK(r.inherits && before == after, "named without further training");
  const spn_evidence *e = &r.evidence;
  CHECK(e->of == SPN_EVIDENCE_SCORES && e->networks == 4 && e->again == 1 && isnan(e->agreement),
        "%d networks, %d again", e->networks, e->again);
  CHECK(e->steps > 4 && e->error > 0 && e->spread >= 0 && e->held_out && e->ce == r.inherited_holdout.loss, "figures");
  w->settings.search_evaluations = 0;
}

/* Thresholds learn in such a space too, stopped or not. */
static void test_gradient(world *w) {
  spn_err err;
  spn_search_result whole, stopped;
  remove_all(w->run[0]);
  remove_all(w->run[1]);
  w->settings.search_method = "gradient";
  w->settings.search_budget = 0;
  CHECK_OK(search_in(w, w->run[0], 0, &whole, &err), err);
  CHECK(whole.cost <= w->problem.target && whole.cost == spn_cost_of(&w->cost, &whole.choice), "cost %g of %g",
        whole.cost, w->problem.target);
  w->settings.run_max_steps = (long long)whole.images / w->settings.optim_batch * 2 / 3;
  spn_status status = search_in(w, w->run[1], 0, &stopped, &err);
  w->settings.run_max_steps = 0;
  CHECK(status == SPN_ESTOPPED, "%d", status);
  CHECK_OK(search_in(w, w->run[1], 1, &stopped, &err), err);
  CHECK(spn_choice_equal(&whole.choice, &stopped.choice), "another network after a stop");
  same_file(w, "inherited.safetensors", "gradient");
}

int main(void) {
  static const char *const methods[] = {"random", "evolution", "reinforce", "ppo", "layernas"};
  world *w = world_new(space_text);
  test_answer(w);
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) test_stops(w, methods[i]);
  test_budget(w);
  test_evidence(w);
  world_free(w);
  w = world_new(stages_text);
  test_answer(w);
  test_stops(w, "ppo");
  test_gradient(w);
  world_free(w);
  return check_report("test_shared");
}
