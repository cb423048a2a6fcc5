/* Nothing fails in silence: oneDNN's primitives and the allocations of searches, a training, an evaluation and an
 * export are made to fail one by one. Each time there is an error, nothing crashes or leaks (the
 * sanitizers look), and every file that is there is whole. The linker puts the functions below in front of the real
 * ones (--wrap). */
#define _GNU_SOURCE
#include <cjson/cJSON.h>
#include <dirent.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/model_export.h"
#include "dnnl/shim.h"
#include "io/file.h"
#include "io/json.h"
#include "model/network.h"
#include "search/stages.h"
#include "small_world.h"
#include "train/machine.h"

/* ---- What fails ---- */

static atomic_long allocations, executions;
static atomic_long fail_allocation, fail_execution; /* number of the first that fails; 0: none */
static atomic_int fail_all;                         /* and all after it */

static int fails(atomic_long *count, atomic_long *first) {
  long number = atomic_fetch_add(count, 1) + 1, at = atomic_load(first);
  return at && (number == at || (atomic_load(&fail_all) && number > at));
}

static int memory_fails(void) { return fails(&allocations, &fail_allocation); }

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
char *__real_strdup(const char *text);
void *__real_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset);
FILE *__real_open_memstream(char **text, size_t *size);
dnnl_status_t __real_dnnl_primitive_execute(const_dnnl_primitive_t p, dnnl_stream_t s, int n,
                                            const dnnl_exec_arg_t *args);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
char *__wrap_strdup(const char *text);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset);
FILE *__wrap_open_memstream(char **text, size_t *size);
dnnl_status_t __wrap_dnnl_primitive_execute(const_dnnl_primitive_t p, dnnl_stream_t s, int n,
                                            const dnnl_exec_arg_t *args);

void *__wrap_malloc(size_t size) { return memory_fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t n, size_t size) { return memory_fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t size) { return memory_fails() ? NULL : __real_realloc(p, size); }
void *__wrap_aligned_alloc(size_t align, size_t size) {
  return memory_fails() ? NULL : __real_aligned_alloc(align, size);
}
char *__wrap_strdup(const char *text) { return memory_fails() ? NULL : __real_strdup(text); }
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset) {
  return memory_fails() ? MAP_FAILED : __real_mmap(at, size, prot, flags, fd, offset);
}
FILE *__wrap_open_memstream(char **text, size_t *size) {
  return memory_fails() ? NULL : __real_open_memstream(text, size);
}
dnnl_status_t __wrap_dnnl_primitive_execute(const_dnnl_primitive_t p, dnnl_stream_t s, int n,
                                            const dnnl_exec_arg_t *args) {
  return fails(&executions, &fail_execution) ? dnnl_runtime_error : __real_dnnl_primitive_execute(p, s, n, args);
}

static void arm(long allocation, int all) {
  atomic_store(&allocations, 0);
  atomic_store(&fail_all, all);
  atomic_store(&fail_allocation, allocation);
}

/* ---- What is done ---- */

static char trained[128], exported[128];

static spn_status search_anew(spn_err *err) { return search_once(0, err); }

static spn_status ask_anew(spn_err *err) {
  world_method = "ppo";
  spn_status status = search_once(0, err);
  world_method = "gradient";
  return status;
}

static spn_status train_anew(spn_err *err) { return train_once(0, err); }

static spn_status evaluate_once(spn_err *err) {
  static spn_settings s;
  spn_model m;
  spn_data data;
  spn_graph *g = NULL;
  spn_network_options o;
  spn_score score;
  make_settings(&s);
  SPN_TRY(spn_model_load(trained, &m, err));
  const char **names = spn_model_classes(&m);
  spn_status status = spn_data_open(&s, 8, 1, &data, err);
  if (!status) {
    status = spn_options_choose(&s, &o, err);
    if (!status) status = spn_network_create(&m.arch, &o, 1, &g, err);
    if (!status) status = spn_network_from_tensors(g, m.tensors, err);
    if (!status) status = spn_evaluate(g, NULL, &data, &s, SPN_SPLIT_TEST, &score, err);
    spn_graph_free(g);
    spn_data_close(&data);
  }
  if (!status && !names) status = spn_fail(err, SPN_ENOMEM, "class names: out of memory");
  free(names);
  spn_model_free(&m);
  return status;
}

static spn_status export_once(spn_err *err) {
  static spn_settings s;
  spn_model m;
  make_settings(&s);
  SPN_TRY(spn_model_load(trained, &m, err));
  spn_export_samples samples;
  spn_status status = spn_export_samples_make(&m, &s, &samples, err);
  if (!status) {
    status = spn_model_export(&m, &s, &samples, "onnx", exported, NULL, err); /* and reads it back */
    spn_export_samples_free(&samples);
  }
  spn_model_free(&m);
  return status;
}

/* ---- What is left ---- */

static int ends_with(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n >= m && !strcmp(text + n - m, end);
}

static void check_json_lines(const char *path, char *text) {
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    spn_json_doc *doc = NULL;
    spn_err err;
    CHECK(!spn_json_parse(path, line, strlen(line), &doc, &err), "%s: %s", path, err.text);
    spn_json_free(doc);
  }
}

static void check_file(const char *path, long k) {
  spn_err err;
  CHECK(!strstr(path, ".tmp"), "allocation %ld leaves %s", k, path);
  if (ends_with(path, ".safetensors")) {
    spn_tensors *set;
    spn_status status = spn_tensors_load(path, &set, &err);
    CHECK(!status, "allocation %ld: %s", k, err.text);
    if (!status) spn_tensors_free(set);
    return;
  }
  char *text;
  size_t size;
  CHECK_OK(spn_file_read(path, 1 << 20, &text, &size, &err), err);
  spn_json_doc *doc = NULL;
  if (ends_with(path, ".jsonl")) check_json_lines(path, text);
  else if (ends_with(path, ".json"))
    CHECK(!spn_json_parse(path, text, size, &doc, &err), "allocation %ld: %s", k, err.text);
  else CHECK(size > 0, "allocation %ld: %s is empty", k, path);
  spn_json_free(doc);
  free(text);
}

static void check_folder(const char *path, long k) {
  DIR *dir = opendir(path);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    char inner[512];
    struct stat st;
    if (e->d_name[0] == '.') continue;
    snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
    if (stat(inner, &st)) continue;
    if (S_ISDIR(st.st_mode)) check_folder(inner, k);
    else check_file(inner, k);
  }
  if (dir) closedir(dir);
}

/* ---- Allocations one by one ---- */

enum { PERSISTENT = 60 }; /* places from which on every allocation fails */

typedef spn_status (*work)(spn_err *err);

/* Every allocation alone; then, from places spread evenly, all from there on. */
static void fail_each(const char *name, work function, const char *output) {
  spn_err err;
  remove_all(output);
  arm(0, 0);
  spn_status status = function(&err);
  long all = atomic_load(&allocations);
  CHECK(!status && all > 20, "%s: %s, %ld allocations", name, status ? err.text : "done", all);
  long silent = 0;
  for (int persistent = 0; persistent <= 1; persistent++)
    for (long k = 1; k <= all; k += persistent ? all / PERSISTENT + 1 : 1) {
      if (strcmp(output, trained)) remove_all(output);
      err = (spn_err){.code = SPN_OK};
      arm(k, persistent);
      status = function(&err);
      arm(0, 0);
      silent += !status; /* what can do without: a cache, a hint in an error text */
      CHECK(!status || (err.text[0] && err.code == status), "%s, allocation %ld: no word", name, k);
      CHECK(!status || status == SPN_ENOMEM || strstr(err.text, "memory"), "%s, allocation %ld%s: status %d, %s", name,
            k, persistent ? " and all after it" : "", (int)status, err.text);
      check_folder(folder, k);
    }
  CHECK(silent * 50 <= all, "%s: %ld failures had no effect", name, silent);
  printf("%s: %ld allocations\n", name, all);
}

/* What the decoding of spaces whose stages are decided as wholes needs besides. */
static spn_status decode_stages(spn_err *err) {
  static const char text[] =
      "{\"name\": \"stages\", \"input\": {\"size\": 32, \"channels\": 3}, \"classes\": 10, \"activation\": \"relu\","
      "\"padding\": \"same\", \"bn\": {\"momentum\": 0.9, \"eps\": 1e-3}, \"dropout\": 0,"
      "\"stem\": {\"channels\": 8, \"kernel\": 3, \"stride\": 1}, \"stages\": ["
      "{\"layers\": [1, 2], \"channels\": [8, 16], \"stride\": 2, \"shared\": true, \"kernel\": [3], \"expand\": [1, "
      "3, 0]},"
      "{\"layers\": [2, 3], \"channels\": [20, 24], \"stride\": 1, \"kernel\": [3, 5], \"expand\": [3]}],"
      "\"head\": {\"channels\": 32}}";
  static spn_space space;
  static spn_cost cost;
  spn_cost_chain *chain = NULL;
  spn_stages *stages = NULL;
  spn_budget_answer answer;
  SPN_TRY(spn_space_parse("stages", text, sizeof text - 1, &space, err));
  SPN_TRY(spn_cost_load("macs", &space, &cost, err));
  spn_status status = spn_cost_chain_new(&cost, &space, &chain, err);
  if (!status) status = spn_stages_new(&space, &cost, chain, &stages, err);
  if (!status) status = spn_stages_best(stages, 0, INFINITY, &answer, err);
  spn_stages_free(stages);
  spn_cost_chain_free(chain);
  spn_cost_free(&cost);
  return status;
}

/* ---- oneDNN ---- */

static void test_executions(void) {
  static spn_space space;
  spn_choice choice;
  spn_arch arch;
  spn_err err;
  spn_graph *g;
  static real images[4 * 64];
  int32_t labels[4] = {0, 1, 0, 1};
  spn_network_options o = {.batch = 4, .threads = 2, .kernels = spn_kernels_get(NULL), .seed = 3};
  for (int i = 0; i < 4 * 64; i++) images[i] = (real)(i % 7) - 3;
  CHECK_OK(spn_space_parse("tiny", space_text, strlen(space_text), &space, &err), err);
  spn_choice_max(&space, &choice);
  spn_space_arch(&space, &choice, 0, &arch);
  CHECK_OK(spn_network_create(&arch, &o, 0, &g, &err), err);
  atomic_store(&executions, 0);
  CHECK_OK(spn_graph_forward(g, images, labels, 4, 1, &err), err);
  long forward = atomic_load(&executions);
  CHECK_OK(spn_graph_backward(g, &err), err);
  double loss = g->loss;
  long all = atomic_load(&executions);
  CHECK(forward > 10 && all > 2 * forward, "%ld and %ld executions", forward, all);
  for (long k = 1; k <= all; k++) {
    atomic_store(&executions, 0);
    atomic_store(&fail_execution, k);
    spn_status status = spn_graph_forward(g, images, labels, 4, 1, &err);
    CHECK((status != SPN_OK) == (k <= forward), "execution %ld of %ld: status %d", k, forward, (int)status);
    if (!status) status = spn_graph_backward(g, &err);
    CHECK(status == SPN_EBACKEND, "execution %ld fails in silence", k);
    CHECK(strstr(err.text, "conv") || strstr(err.text, "expand") || strstr(err.text, "project") ||
              strstr(err.text, "classifier"),
          "no node's name in: %s", err.text);
    CHECK(strstr(err.text, "channels, kernel") && strstr(err.text, "failed while running"), "no shapes or words in: %s",
          err.text);
  }
  atomic_store(&fail_execution, 0);
  CHECK_OK(spn_graph_forward(g, images, labels, 4, 1, &err), err);
  CHECK(g->loss == loss, "the next pass is whole: %.9g, %.9g", g->loss, loss);
  spn_graph_free(g);
}

int main(void) {
  cJSON_Hooks hooks = {.malloc_fn = __wrap_malloc, .free_fn = free};
  cJSON_InitHooks(&hooks);
  spn_backend_init();
  make_world();
  snprintf(trained, sizeof trained, "%s/run/best.safetensors", folder);
  snprintf(exported, sizeof exported, "%s/net.onnx", folder);
  test_executions();
  fail_each("stages", decode_stages, run_folder);
  fail_each("search", search_anew, run_folder);
  fail_each("search that asks shared weights", ask_anew, run_folder);
  fail_each("training", train_anew, run_folder);
  remove_all(run_folder);
  spn_err err;
  CHECK_OK(train_anew(&err), err);
  fail_each("evaluation", evaluate_once, exported);
  fail_each("export", export_once, exported);
  remove_all(folder);
  return check_report("test_failures");
}
