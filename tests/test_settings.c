/* Settings: defaults, JSON and --set round trips, and every kind of error with its place. */
#include "train/settings.h"

#include <unistd.h>

#include "check.h"

static char *to_json(const spn_settings *s) {
  spn_json_writer w = {0};
  spn_settings_put(s, &w);
  return spn_json_take(&w);
}

static char file[64];

#define NAMED(section, key, value, names, help) extern const char *const names[];
#include "train/settings.def"

static void write_file(const char *text) {
  FILE *f = fopen(file, "w");
  if (!f || fputs(text, f) < 0 || fclose(f)) {
    perror(file);
    exit(1);
  }
}

/* Every value of a equals b's, compared field by field. */
static void check_equal(const spn_settings *a, const spn_settings *b) {
#define STRING(section, key, value, help) CHECK(!strcmp(a->section##_##key, b->section##_##key), #section "." #key);
#define CHOICE(section, key, type, list, help) CHECK(a->section##_##key == b->section##_##key, #section "." #key);
#define NAMED(section, key, value, names, help) \
  CHECK(!strcmp(a->section##_##key, b->section##_##key), #section "." #key);
#define INT(section, key, value, min, max, unit, help) \
  CHECK(a->section##_##key == b->section##_##key, #section "." #key);
#define REAL(section, key, value, min, max, unit, help) \
  CHECK(a->section##_##key == b->section##_##key, #section "." #key);
#define BOOL(section, key, value, help) CHECK(a->section##_##key == b->section##_##key, #section "." #key);
#include "train/settings.def"
}

/* A string that names a file must be a PATH, a SOURCE or a SUM, or else a run goes on only in the working directory
 * that it was begun in. Those that name none, or one only for the moment, stand here. */
static void check_paths(void) {
  static const char *const others[] = {"run.isa",        "data.mean",      "data.std",          "search.targets",
                                       "search.lambdas", "tune.ranges",    "compare.methods",   "export.endpoints",
                                       "latency.name",   "latency.device", "latency.framework", NULL};
#define STRING(section, key, value, help)                                                              \
  CHECK(spn_name_index(others, #section "." #key) >= 0, "%s: PATH, SOURCE or SUM, or no path at all?", \
        #section "." #key);
#define PATH(section, key, value, help) CHECK(spn_name_index(others, #section "." #key) < 0, #section "." #key);
#define SOURCE(section, key, value, help) PATH(section, key, value, help)
#define SUM(section, key, value, help) PATH(section, key, value, help)
#define LIMITS(section, key, value, help) PATH(section, key, value, help)
#include "train/settings.def"
}

static const char *last_of(const char *const *names) {
  while (names[1]) names++;
  return *names;
}

/* Values that are hard to write: ends of ranges, odd fractions, quotes and control characters. */
static void fill_unusual(spn_settings *s) {
#define STRING(section, key, value, help) \
  snprintf(s->section##_##key, sizeof s->section##_##key, "%s", "a \"b\" \\c\n\t\x01 \xc3\xa9");
#define CHOICE(section, key, type, list, help) s->section##_##key = (type)1;
#define NAMED(section, key, value, names, help) s->section##_##key = last_of(names);
#define INT(section, key, value, min, max, unit, help) s->section##_##key = max;
#define REAL(section, key, value, min, max, unit, help) s->section##_##key = (min) + ((max) - (min)) / 3.0;
#define BOOL(section, key, value, help) s->section##_##key = !(value);
#include "train/settings.def"
}

static void check_round_trip(const spn_settings *s) {
  spn_err err = {0};
  spn_settings back;
  char *text = to_json(s);
  CHECK(text != NULL, "to_json");
  if (!text) return;
  write_file(text);
  memset(&back, 0, sizeof back);
  CHECK_OK(spn_settings_load(&back, file, &err), err);
  check_equal(s, &back);
  char *again = to_json(&back);
  CHECK(again && !strcmp(text, again), "written again differently");
  free(text);
  free(again);
}

/* The constant of an enum has the name it is listed with, both ways. */
static void check_constant(const char *path, int constant, const char *name) {
  char assignment[64], line[96];
  spn_err err = {0};
  spn_settings s;
  spn_settings_default(&s);
  CHECK(!strcmp(spn_settings_name(path, constant), name), "%s %d: %s", path, constant, name);
  snprintf(assignment, sizeof assignment, "%s=%s", path, name);
  CHECK_OK(spn_settings_set(&s, assignment, &err), err);
  char *text = to_json(&s);
  snprintf(line, sizeof line, "\"%s\": \"%s\"", strchr(path, '.') + 1, name);
  CHECK(text && strstr(text, line), "%s", line);
  free(text);
}

/* Every default lies in its own range; that of a choice is the first of its list. */
static void check_defaults(const spn_settings *s) {
  const char *path;
#define STRING(section, key, value, help) CHECK(strlen(s->section##_##key) == strlen(value), #section "." #key);
#define CONSTANT(constant, name) check_constant(path, constant, name);
#define CHOICE(section, key, type, list, help) \
  path = #section "." #key;                    \
  CHECK(s->section##_##key == 0, "%s", path);  \
  list(CONSTANT)
#define NAMED(section, key, value, names, help) CHECK(spn_name_index(names, s->section##_##key) >= 0, #key);
#define INT(section, key, value, min, max, unit, help) CHECK((value) >= (min) && (value) <= (max), #section "." #key);
#define REAL(section, key, value, min, max, unit, help) CHECK((value) >= (min) && (value) <= (max), #section "." #key);
#define BOOL(section, key, value, help) CHECK(s->section##_##key == (value), #section "." #key);
#include "train/settings.def"
}

static void check_set(void) {
  spn_err err = {0};
  spn_settings s;
  spn_settings_default(&s);
  CHECK_OK(spn_settings_set(&s, "optim.lr=0.25", &err), err);
  CHECK(s.optim_lr == 0.25, "%g", s.optim_lr);
  CHECK_OK(spn_settings_set(&s, "search.target=1e3", &err), err);
  CHECK(s.search_target == 1000, "%g", s.search_target);
  CHECK_OK(spn_settings_set(&s, "run.seed=9007199254740991", &err), err);
  CHECK(s.run_seed == 9007199254740991LL, "%lld", s.run_seed);
  CHECK_OK(spn_settings_set(&s, "run.reproducible=true", &err), err);
  CHECK(s.run_reproducible == 1, "%d", s.run_reproducible);
  CHECK_OK(spn_settings_set(&s, "data.flip=false", &err), err);
  CHECK(s.data_flip == 0, "%d", s.data_flip);
  CHECK_OK(spn_settings_set(&s, "optim.optimizer=adam", &err), err);
  CHECK(!strcmp(spn_settings_name("optim.optimizer", s.optim_optimizer), "adam"), "%d", s.optim_optimizer);
  CHECK_OK(spn_settings_set(&s, "export.opset=17", &err), err);
  CHECK(s.export_opset == SPN_OPSET_17, "%d", s.export_opset);
  CHECK_OK(spn_settings_set(&s, "data.kind=cifar100", &err), err);
  CHECK(!strcmp(s.data_kind, "cifar100"), "%s", s.data_kind);
  CHECK_OK(spn_settings_set(&s, "data.path=/a=b c", &err), err);
  CHECK(!strcmp(s.data_path, "/a=b c"), "%s", s.data_path);
  CHECK_OK(spn_settings_set(&s, "data.path=", &err), err);
  CHECK(!*s.data_path, "%s", s.data_path);
}

static void check_set_error(const char *assignment, const char *message) {
  spn_err err = {0};
  spn_settings s, before;
  spn_settings_default(&s);
  before = s;
  CHECK(spn_settings_set(&s, assignment, &err) == SPN_EINPUT, "%s", assignment);
  CHECK(!strcmp(err.text, message), "\n  got      %s\n  expected %s", err.text, message);
  check_equal(&s, &before);
}

static void check_set_errors(void) {
  check_set_error("optim.lr=fast", "--set optim.lr: expected a number from 0 to 1000, got \"fast\"");
  check_set_error("optim.lr=", "--set optim.lr: expected a number from 0 to 1000, got \"\"");
  check_set_error("optim.lr=nan", "--set optim.lr: expected a number from 0 to 1000, got \"nan\"");
  check_set_error("optim.lr=1e999", "--set optim.lr: expected a number from 0 to 1000, got \"1e999\"");
  check_set_error("optim.lr=0x10", "--set optim.lr: expected a number from 0 to 1000, got \"0x10\"");
  check_set_error("optim.lr=0.1 ", "--set optim.lr: expected a number from 0 to 1000, got \"0.1 \"");
  check_set_error("optim.epsilon=0", "--set optim.epsilon: expected a number from 1e-12 to 1, got \"0\"");
  check_set_error("optim.batch=0", "--set optim.batch: expected an integer from 1 to 65536, got \"0\"");
  check_set_error("optim.batch=1.5", "--set optim.batch: expected an integer from 1 to 65536, got \"1.5\"");
  check_set_error("run.seed=9007199254740993",
                  "--set run.seed: expected an integer from 0 to 9007199254740991, got \"9007199254740993\"");
  check_set_error("data.flip=maybe", "--set data.flip: expected true or false, got \"maybe\"");
  check_set_error("optim.optimizer=lion", "--set optim.optimizer: expected one of rmsprop|sgd|adam, got \"lion\"");
  check_set_error("optim.optimizer=", "--set optim.optimizer: expected one of rmsprop|sgd|adam, got \"\"");
  check_set_error("optim.optimiser=sgd", "--set optim.optimiser: no such setting; did you mean optim.optimizer?");
  check_set_error("search.lr=1", "--set search.lr: no such setting; did you mean optim.lr?");
  check_set_error("lr=1", "--set lr: no such setting; did you mean optim.lr?");
  check_set_error("zzz.qqqqqq=1", "--set zzz.qqqqqq: no such setting; --help lists them");
  check_set_error("optim.lr", "--set: expected section.key=value, got \"optim.lr\"");
  check_set_error("=3", "--set: expected section.key=value, got \"=3\"");
  check_set_error("", "--set: expected section.key=value, got \"\"");
}

static void check_long_text(void) {
  char text[1200] = "data.path=";
  spn_err err = {0};
  spn_settings s;
  spn_settings_default(&s);
  memset(text + 10, 'x', 1023);
  CHECK_OK(spn_settings_set(&s, text, &err), err);
  CHECK(strlen(s.data_path) == 1023, "%zu", strlen(s.data_path));
  text[1033] = 'x';
  CHECK(spn_settings_set(&s, text, &err) == SPN_EINPUT, "1024 bytes");
  CHECK(strstr(err.text, "--set data.path: expected a string of at most 1023 bytes, got \"xxx") != NULL, "%s",
        err.text);
  memset(text, 'y', sizeof text - 1);
  text[sizeof text - 2] = '=';
  CHECK(spn_settings_set(&s, text, &err) == SPN_EINPUT, "a long path");
}

static void check_load(void) {
  spn_err err = {0};
  spn_settings s, expected;
  spn_settings_default(&s);
  expected = s;
  write_file("{\"run\": {\"seed\": 7}, \"search\": {\"space\": \"demo\", \"target\": 12.5},\n"
             " \"export\": {\"opset\": 17}, \"data\": {\"flip\": false}}");
  CHECK_OK(spn_settings_load(&s, file, &err), err);
  expected.run_seed = 7;
  expected.search_target = 12.5;
  expected.export_opset = SPN_OPSET_17;
  expected.data_flip = 0;
  snprintf(expected.search_space, sizeof expected.search_space, "demo");
  check_equal(&s, &expected);
  write_file("{}");
  CHECK_OK(spn_settings_load(&s, file, &err), err);
  check_equal(&s, &expected);
}

/* The message begins with file and place and holds every further text. */
static void check_load_error(const char *json, const char *place, const char *has, const char *also) {
  spn_err err = {0};
  spn_settings s, before;
  char start[192];
  spn_settings_default(&s);
  before = s;
  write_file(json);
  snprintf(start, sizeof start, "%s:%s", file, place);
  CHECK(spn_settings_load(&s, file, &err) == SPN_EINPUT, "%s", json);
  CHECK(!strncmp(err.text, start, strlen(start)), "%s\n  %s", json, err.text);
  CHECK(strstr(err.text, has) && strstr(err.text, also), "%s\n  %s", json, err.text);
  check_equal(&s, &before);
}

static void check_load_errors(void) {
  check_load_error("[1]", "1:1", "an object", "got");
  check_load_error("{\"optim\": 3}", "1:11 optim", "an object", "3");
  check_load_error("{\n  \"optm\": {}}", "2:", "optm", "optim");
  check_load_error("{\"optim\": {\"lr\": 0.5,\n  \"momentun\": 0.5}}", "2:", "momentun", "momentum");
  check_load_error("{\"optim\": {\"lr\": \"fast\"}}", "1:18 optim.lr", "a number", "\"fast\"");
  check_load_error("{\"optim\": {\"lr\": 1001}}", "1:18 optim.lr", "1000", "1001");
  check_load_error("{\"optim\": {\"lr\": null}}", "1:18 optim.lr", "a number", "null");
  check_load_error("{\"optim\":\n {\"batch\": 1.5}}", "2:12 optim.batch", "integer", "1.5");
  check_load_error("{\"optim\": {\"batch\": -1}}", "1:21 optim.batch", "65536", "-1");
  check_load_error("{\"data\": {\"flip\": 1}}", "1:19 data.flip", "true or false", "1");
  check_load_error("{\"optim\": {\"optimizer\": \"lion\"}}", "1:25 optim.optimizer", "rmsprop", "lion");
  check_load_error("{\"export\": {\"opset\": 14}}", "1:22 export.opset", "13", "14");
  check_load_error("{\"data\": {\"kind\": \"cifar11\"}}", "1:19 data.kind", "\"cifar100\"", "cifar11");
  check_load_error("{\"data\": {\"kind\": 7}}", "1:19 data.kind", "\"auto\"", "7");
  check_load_error("{\"data\": {\"path\": 5}}", "1:19 data.path", "string", "5");
  check_load_error("{\"run\": {\"seed\": 1}, \"run\": {}}", "1:", "run", "");
  check_load_error("{\"run\": {\"seed\": 1, \"seed\": 2}}", "1:", "seed", "");
  check_load_error("{\"run\": {\"seed\": 1}} x", "1:", "", "");
  check_load_error("{\"run\": {\"seed\": 1}", "1:", "", "");
  check_load_error("", "1:1", "", "");
}

static void check_load_long_text(void) {
  char text[1200];
  memset(text, 'x', sizeof text);
  text[1100] = 0;
  memcpy(text, "{\"data\": {\"path\": \"", 19);
  memcpy(text + 1090, "\"}}", 4);
  check_load_error(text, "1:19 data.path", "at most 1023 bytes", "1071");
}

static void check_missing_file(void) {
  spn_err err = {0};
  spn_settings s;
  spn_settings_default(&s);
  CHECK(spn_settings_load(&s, "/nonexistent/config.json", &err) != SPN_OK, "a missing file");
  CHECK(strstr(err.text, "/nonexistent/config.json") != NULL, "%s", err.text);
}

static void check_names(void) {
  CHECK(!strcmp(spn_settings_name("optim.optimizer", 0), "rmsprop"), "0");
  CHECK(!strcmp(spn_settings_name("search.cost_form", 3), "hinge"), "3");
  CHECK(!strcmp(spn_settings_name("optim.optimizer", 3), "unknown"), "3");
  CHECK(!strcmp(spn_settings_name("optim.optimizer", -1), "unknown"), "-1");
  CHECK(!strcmp(spn_settings_name("optim.lr", 0), "unknown"), "not a choice");
  CHECK(!strcmp(spn_settings_name("no.such", 0), "unknown"), "no such");
}

static char *help_text(const char *sections) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  spn_settings_help(out, sections);
  fclose(out);
  return text;
}

static void check_help(void) {
  char *all = help_text(NULL), *two = help_text("run,optim");
#define LISTED(section, key) CHECK(strstr(all, "  " #section "." #key " ") != NULL, #section "." #key);
#define STRING(section, key, value, help) LISTED(section, key)
#define CHOICE(section, key, type, list, help) LISTED(section, key)
#define NAMED(section, key, value, names, help) LISTED(section, key)
#define INT(section, key, value, min, max, unit, help) LISTED(section, key)
#define REAL(section, key, value, min, max, unit, help) LISTED(section, key)
#define BOOL(section, key, value, help) LISTED(section, key)
#include "train/settings.def"
  for (char *line = all; *line;) {
    int n = (int)strcspn(line, "\n");
    CHECK(n <= 100 && n > 0 && line[n - 1] != ' ', "%d columns: %.*s", n, n, line);
    line += n + (line[n] == '\n');
  }
  CHECK(strstr(all, "[0..1000, per 256 images]") && strstr(all, "[rmsprop|sgd|adam]"), "ranges");
  CHECK(strstr(all, "[auto|") && strstr(all, "|cifar100"), "names of a registry");
  CHECK(strstr(two, "run.seed") && strstr(two, "optim.lr") && !strstr(two, "data.path"), "sections");
  free(all);
  free(two);
}

int main(void) {
  spn_settings s;
  snprintf(file, sizeof file, "/tmp/spnas-test-settings-%d.json", (int)getpid());
  spn_settings_default(&s);
  check_defaults(&s);
  check_round_trip(&s);
  fill_unusual(&s);
  check_round_trip(&s);
  check_paths();
  check_set();
  check_set_errors();
  check_long_text();
  check_load();
  check_load_errors();
  check_load_long_text();
  check_missing_file();
  check_names();
  check_help();
  remove(file);
  return check_report("settings");
}
