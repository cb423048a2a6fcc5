/* CSV tables, networks' codes, and the archive: what is written is what is read, and what is broken is named. */
#include "table_case.h"

#include "io/csv.h"

static char path[160];

static void write_text(const char *name, const char *text) {
  FILE *f = fopen(name, "wb");
  fputs(text, f);
  fclose(f);
}

static void refuses(spn_status status, const spn_err *err, const char *wants) {
  CHECK(status == SPN_EINPUT && strstr(err->text, wants), "expected an error with \"%s\", got %d \"%s\"", wants, status,
        status ? err->text : "");
}

/* ---- CSV ---- */

static void test_csv(void) {
  spn_csv *csv;
  spn_err err;
  int end;
  double value;
  write_text(path,
             "\xEF\xBB\xBF# a comment\n\n name , \"a, b\",x\r\n one ,\"said \"\"so\"\"\", 2.5 \n# more\ntwo,,1e3");
  must(spn_csv_load(path, &csv, &err), &err);
  CHECK(spn_csv_columns(csv) == 3 && !strcmp(spn_csv_name(csv, 1), "a, b"), "header: \"%s\"", spn_csv_name(csv, 1));
  CHECK(spn_csv_find(csv, "x") == 2 && spn_csv_find(csv, "y") == -1, "columns by name");
  must(spn_csv_next(csv, &end, &err), &err);
  CHECK(!end && !strcmp(spn_csv_text(csv, 0), "one") && !strcmp(spn_csv_text(csv, 1), "said \"so\""), "cells");
  CHECK(spn_csv_real(csv, 2, 0, 10, &value, &err) == SPN_OK && value == 2.5, "a number");
  refuses(spn_csv_real(csv, 2, 0, 2, &value, &err), &err, ":4: column x: expected a number from 0 to 2, got \"2.5\"");
  refuses(spn_csv_real(csv, 0, 0, 2, &value, &err), &err, "got \"one\"");
  must(spn_csv_next(csv, &end, &err), &err);
  CHECK(!end && spn_csv_line(csv) == 6 && !spn_csv_text(csv, 1)[0], "line %d", spn_csv_line(csv));
  refuses(spn_csv_real(csv, 1, 0, 2, &value, &err), &err, "got \"\"");
  must(spn_csv_next(csv, &end, &err), &err);
  CHECK(end, "the end");
  spn_csv_free(csv);
}

static void test_broken_csv(void) {
  static const struct {
    const char *text, *wants;
  } cases[] = {{"", "expected a header"},          {"a,,b\n", ":1: column 2: expected a name"},
               {"a,b,a\n", "is there already"},    {"a,b\n1\n", ":2: expected 2 cells as in the header, got 1"},
               {"a\n\n1,2\n", ":3: expected 1 "},  {"a,b\n\"1,2\n", ":2: cell 1: expected a closing quote"},
               {"a\n\"1\"2\n", "expected a comma"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    spn_csv *csv;
    spn_err err;
    int end;
    write_text(path, cases[i].text);
    spn_status status = spn_csv_load(path, &csv, &err);
    if (!status) {
      status = spn_csv_next(csv, &end, &err);
      spn_csv_free(csv);
    }
    refuses(status, &err, cases[i].wants);
  }
}

/* ---- Codes and maps ---- */

static void test_codes(const table_case *t) {
  spn_choice_map *map = spn_choice_map_new();
  spn_err err;
  size_t number = 0;
  for (uint64_t i = 0; i < 500; i++) {
    spn_choice c, back;
    spn_code code;
    spn_choice_random(&t->space, 1, i, &c);
    spn_code_of(&t->decisions, &c, &code);
    CHECK(spn_code_read(&t->space, &t->decisions, code.text, &back) && spn_choice_equal(&c, &back), "%s", code.text);
    CHECK(spn_choice_map_find(map, &c, &number) == 0 || number < i, "network %d", (int)i);
    must(spn_choice_map_put(map, &c, (size_t)i, &err), &err);
    CHECK(spn_choice_map_find(map, &c, &number) && number == i, "network %d", (int)i);
  }
  spn_choice c;
  CHECK(!spn_code_read(&t->space, &t->decisions, "0", &c), "too short");
  CHECK(!spn_code_read(&t->space, &t->decisions, "9000000000000", &c), "no such option");
  CHECK(!spn_code_read(&t->space, &t->decisions, "0010000000000", &c), "a kernel in a skipped layer");
  spn_choice_map_free(map);
}

/* ---- Archive ---- */

enum { RESCORED = 40 }; /* the first that is */

static spn_evaluation evaluation(const table_case *t, uint64_t i) {
  spn_evaluation e = {
      .answer = {.accuracy = spn_rng_uniform(8, SPN_RNG_TEST, i), .loss = i % 3 ? 0.1 * (double)i : NAN},
      .images = {.trained = 128.0 * (double)i, .evaluated = 5.0 * (double)i},
      .rescored = i >= RESCORED,
      .seconds = 0.25};
  spn_choice_random(&t->space, 5, i, &e.choice);
  e.answer.cost = spn_cost_of(&t->cost, &e.choice);
  return e;
}

static int same(const spn_evaluation *a, const spn_evaluation *b) {
  int losses = isnan(a->answer.loss) ? isnan(b->answer.loss) : a->answer.loss == b->answer.loss;
  return spn_choice_equal(&a->choice, &b->choice) && a->answer.accuracy == b->answer.accuracy && losses &&
         a->answer.cost == b->answer.cost && a->images.trained == b->images.trained &&
         a->images.evaluated == b->images.evaluated && a->rescored == b->rescored;
}

static spn_archive *reopen(const table_case *t, size_t want, int want_torn) {
  spn_archive *a;
  spn_err err;
  int torn;
  must(spn_archive_open(path, &t->space, "MFLOPs", &a, &torn, &err), &err);
  CHECK(spn_archive_count(a) == want && torn == want_torn, "%zu evaluations, expected %zu; torn %d",
        spn_archive_count(a), want, torn);
  for (size_t i = 0; i < spn_archive_count(a); i++) {
    spn_evaluation e = evaluation(t, i);
    CHECK(same(spn_archive_at(a, i), &e), "evaluation %zu", i);
  }
  return a;
}

static void add(const table_case *t, spn_archive *a, size_t from, size_t to) {
  spn_err err;
  for (size_t i = from; i < to; i++) {
    spn_evaluation e = evaluation(t, i);
    must(spn_archive_add(a, &e, &err), &err);
  }
}

/* The front is what a slow look over all pairs says, from the first that counts. */
static void check_front(const table_case *t, const spn_archive *a, size_t from) {
  size_t index[64], count = 0;
  spn_err err;
  must(spn_archive_front(a, index, &count, &err), &err);
  CHECK(count > 1, "%zu on the front", count);
  size_t on = 0;
  for (size_t i = from; i < spn_archive_count(a); i++) {
    const spn_answer *x = &spn_archive_at(a, i)->answer;
    int beaten = 0, listed = 0;
    for (size_t k = from; k < spn_archive_count(a); k++) {
      const spn_answer *y = &spn_archive_at(a, k)->answer;
      beaten |= y->cost <= x->cost && y->accuracy >= x->accuracy && (y->cost < x->cost || y->accuracy > x->accuracy);
    }
    for (size_t k = 0; k < count; k++) listed |= index[k] == i;
    CHECK(!listed || !beaten, "evaluation %zu is beaten", i);
    on += listed;
  }
  CHECK(on == count, "each once");
  const spn_evaluation *best = spn_archive_best(a, &t->cost, 1e9);
  CHECK(best->answer.accuracy == spn_archive_at(a, index[count - 1])->answer.accuracy, "the best ends the front");
  CHECK(!spn_archive_best(a, &t->cost, 1e-9), "nothing is that cheap");
}

static void test_archive(const table_case *t) {
  spn_err err;
  remove(path);
  spn_archive *a = reopen(t, 0, 0);
  add(t, a, 0, 30);
  check_front(t, a, 0);
  spn_archive_free(a);
  spn_archive_free(reopen(t, 30, 0));
  struct stat info;
  CHECK(!stat(path, &info) && !truncate(path, info.st_size - 9), "a torn line");
  spn_archive_free(reopen(t, 29, 1)); /* told once */
  a = reopen(t, 29, 0);
  must(spn_archive_cut(a, 10, &err), &err);
  CHECK(spn_archive_count(a) == 10, "cut");
  spn_evaluation gone = evaluation(t, 20);
  CHECK(!spn_archive_find(a, &gone.choice), "what was cut is forgotten");
  add(t, a, 10, 12);
  spn_archive_free(a);
  spn_archive_free(reopen(t, 12, 0));
  a = reopen(t, 12, 0);
  add(t, a, 12, 50);
  CHECK(spn_archive_rescored(a) == 10, "%zu rescored", spn_archive_rescored(a));
  check_front(t, a, RESCORED);
  spn_archive_free(a);
  a = reopen(t, 50, 0);
  check_front(t, a, RESCORED);
  must(spn_archive_cut(a, RESCORED, &err), &err);
  CHECK(!spn_archive_rescored(a), "cut off");
  check_front(t, a, 0);
  spn_archive_free(a);
}

static void test_broken_archive(const table_case *t) {
  static const char *const cases[][2] = {
      {"{\"archive\": \"spnas 1\", \"decisions\": []}\n", "expected the 13 decisions of space nas-bench-macro, got 0"},
      {"{\"archive\": \"spnas 2\", \"decisions\": []}\n", "line 1:1:13 archive: expected \"spnas 1\""},
      {"nothing\n", "line 1"},
      {"HEADER{\"evaluation\": 2}\n", "line 2:1:16 evaluation: expected"},
      {"HEADER{\"evaluation\": 1, \"network\": \"77\"}\n", "network: expected a network of space"},
      {"HEADER{\"evaluation\": 1, \"network\": \"0000000000000\", \"accuracy\": 3}\n", "accuracy: expected"},
      {"HEADER{\"evaluation\": 1, \"network\": \"0000000000000\", \"accuracy\": 0.5, \"cost\": 1, \"images_trained\": "
       "0,"
       " \"images_evaluated\": 0, \"seconds\": 0, \"rescored\": 1}\n",
       "rescored: expected"}};
  spn_archive *a;
  spn_err err;
  char *header, text[4096];
  size_t size;
  must(spn_file_read(path, 1 << 20, &header, &size, &err), &err);
  strchr(header, '\n')[1] = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int with = !strncmp(cases[i][0], "HEADER", 6);
    snprintf(text, sizeof text, "%s%s", with ? header : "", cases[i][0] + 6 * with);
    write_text(path, text);
    refuses(spn_archive_open(path, &t->space, "MFLOPs", &a, NULL, &err), &err, cases[i][1]);
  }
  free(header);
}

int main(void) {
  table_case *t = table_new(1, 0.5);
  snprintf(path, sizeof path, "%s/file", t->folder);
  test_csv();
  test_broken_csv();
  test_codes(t);
  test_archive(t);
  test_broken_archive(t);
  table_free(t);
  return check_report("test_archive");
}
