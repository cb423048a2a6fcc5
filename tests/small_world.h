/* Twelve images of 8x8, a space of two layers, and a search and a training on them that take milliseconds. */
#ifndef SPN_TESTS_SMALL_WORLD_H
#define SPN_TESTS_SMALL_WORLD_H

#include <sys/stat.h>

#include "check.h"
#include "search/method.h"
#include "train/trainer.h"

static const char space_text[] =
    "{\"name\": \"tiny\", \"input\": {\"size\": 8, \"channels\": 1}, \"classes\": 2, \"activation\": \"relu\","
    " \"padding\": \"same\", \"bn\": {\"momentum\": 0.9, \"eps\": 0.001}, \"dropout\": 0.2,"
    " \"stem\": {\"channels\": 8, \"kernel\": 3, \"stride\": 2},"
    " \"stages\": [{\"layers\": 2, \"channels\": 8, \"stride\": 1, \"kernel\": [3, 5], \"expand\": [2, 3],"
    "               \"se\": [0, 0.25], \"skip\": true}],"
    " \"head\": {\"channels\": 16}}";

static char folder[64], run_folder[128];

static void put32(FILE *f, unsigned v) {
  for (int shift = 24; shift >= 0; shift -= 8) fputc((int)(v >> shift & 255), f);
}

static void write_idx(const char *name, unsigned magic, int count, int labels) {
  char path[256];
  snprintf(path, sizeof path, "%s/data/%s", folder, name);
  FILE *f = fopen(path, "wb");
  put32(f, magic);
  put32(f, (unsigned)count);
  if (!labels) put32(f, 8), put32(f, 8);
  for (int i = 0; i < count; i++)
    for (int k = 0; k < (labels ? 1 : 64); k++) fputc(labels ? i % 2 : (i % 2 * 120 + 7 * k + 3 * i) % 256, f);
  fclose(f);
}

static void make_world(void) {
  char path[256];
  strcpy(folder, "/tmp/spn-test-XXXXXX");
  CHECK(mkdtemp(folder) != NULL, "a folder");
  snprintf(path, sizeof path, "%s/data", folder);
  mkdir(path, 0777);
  write_idx("train-images-idx3-ubyte", 0x803, 12, 0);
  write_idx("train-labels-idx1-ubyte", 0x801, 12, 1);
  write_idx("t10k-images-idx3-ubyte", 0x803, 4, 0);
  write_idx("t10k-labels-idx1-ubyte", 0x801, 4, 1);
  snprintf(run_folder, sizeof run_folder, "%s/run", folder);
}

static void remove_all(const char *path) {
  char command[256];
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  CHECK(system(command) == 0, "%s", command);
}

static void make_settings(spn_settings *s) {
  spn_settings_default(s);
  snprintf(s->data_path, sizeof s->data_path, "%s/data", folder);
  s->optim_batch = 4;
  s->run_threads = 1;
  s->data_prefetch = 1;
  s->data_holdout = 0.34;
  s->optim_lr = 0.001;
  s->search_epochs = 2;
  s->search_warmup_epochs = 1;
  s->search_recalibrate = 1;
  s->search_target_share = 0.8;
  s->search_tolerance = 0.3;
  s->search_judge = 1;
  s->search_force = 1;
  s->run_log_steps = 1;
  s->train_epochs = 1;
  strcpy(s->run_isa, "auto");
}

/* ---- What is done ---- */

static const char *world_method = "gradient"; /* of searches */

__attribute__((unused)) static spn_status search_once(int resume, spn_err *err) {
  static spn_settings s;
  static spn_space space;
  static spn_cost cost;
  spn_data data;
  spn_search_result result = {.images = 0};
  spn_problem p = {.settings = &s, .space = &space, .cost = &cost, .data = &data};
  make_settings(&s);
  s.search_method = world_method;
  s.search_samples = 1;
  if (strcmp(world_method, "gradient")) s.search_evaluations = 4;
  SPN_TRY(spn_space_parse("tiny", space_text, strlen(space_text), &space, err));
  SPN_TRY(spn_cost_load("macs", &space, &cost, err));
  SPN_TRY(spn_problem_budget(&p, err));
  SPN_TRY(spn_data_open(&s, 8, 1, &data, err));
  spn_status status = spn_run_open(run_folder, &s, "search", resume, 1, &p.run, err);
  if (!status) {
    status = spn_problem_search(&p, &result, err);
    spn_run_close(p.run);
  }
  spn_data_close(&data);
  return status;
}

__attribute__((unused)) static spn_status train_once(int resume, spn_err *err) {
  static spn_settings s;
  static spn_space space;
  spn_choice choice;
  spn_arch arch;
  spn_data data;
  spn_run *run;
  spn_train_result result;
  make_settings(&s);
  SPN_TRY(spn_space_parse("tiny", space_text, strlen(space_text), &space, err));
  spn_choice_max(&space, &choice);
  spn_space_arch(&space, &choice, 0, &arch);
  SPN_TRY(spn_data_open(&s, 8, 1, &data, err));
  spn_status status = spn_run_open(run_folder, &s, "train", resume, 1, &run, err);
  if (!status) {
    spn_origin origin = {0};
    spn_training job = {.run = run, .settings = &s, .arch = &arch, .data = &data, .origin = &origin};
    status = spn_train(&job, &result, err);
    spn_run_close(run);
  }
  spn_data_close(&data);
  return status;
}

#endif
