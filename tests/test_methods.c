/* Methods that ask, on made-up tables: they find what is there to be found, stop at their budget, go on after a stop as
 * if there had been none, and name what is wrong with their input. */
#include "table_case.h"

#include "search/reach.h"
#include "search/table_columns.h"

static char path[2][160];

static void read_all(const char *name, char **text, size_t *size) {
  spn_err err;
  must(spn_file_read(name, 1 << 26, text, size, &err), &err);
}

static int same_files(const char *a, const char *b) {
  char *x, *y;
  size_t n, m;
  read_all(a, &x, &n);
  read_all(b, &y, &m);
  int same = n == m && !memcmp(x, y, n);
  free(x);
  free(y);
  return same;
}

static void refuses(spn_status status, const spn_err *err, const char *wants) {
  CHECK(status == SPN_EINPUT && strstr(err->text, wants), "expected an error with \"%s\", got %d \"%s\"", wants, status,
        status ? err->text : "");
}

/* ---- Every method ---- */

/* Stopped again and again, once with a torn line: the same archive, to the last byte. */
static void test_resume(table_case *t, const char *method) {
  spn_err err;
  struct stat info;
  remove(path[0]);
  remove(path[1]);
  t->settings.run_max_steps = 0;
  CHECK_OK(search_table(t, method, path[0], NULL, &err), err);
  t->settings.run_max_steps = 11;
  int stops = 0;
  spn_status status;
  while ((status = search_table(t, method, path[1], NULL, &err)) == SPN_ESTOPPED && stops < 50)
    if (stops++ == 2) CHECK(!stat(path[1], &info) && !truncate(path[1], info.st_size - 20), "a torn line");
  CHECK(status == SPN_OK && stops >= 4, "%s: %d stops, then %d: %s", method, stops, status, err.text);
  CHECK(same_files(path[0], path[1]), "%s: a search that was stopped asks other questions", method);
  t->settings.run_max_steps = 0;
}

/* With enough evaluations, the best network of a table, or one close to it. */
static void test_finds(table_case *t, const char *method, long long evaluations, double within) {
  spn_err err;
  double accuracy = 0, best = optimum(t);
  t->settings.search_evaluations = evaluations;
  for (int seed = 1; seed <= 3; seed++) {
    t->settings.run_seed = seed;
    CHECK_OK(search_table(t, method, NULL, &accuracy, &err), err);
    CHECK(accuracy >= best - within, "%s, seed %d: found %.3f of %.3f", method, seed, accuracy, best);
  }
  t->settings.search_evaluations = 0;
  t->settings.run_seed = 1;
}

static void test_counts(table_case *t, const char *method) {
  spn_inquiry q;
  spn_err err;
  must(spn_inquiry_open(&t->problem, spn_evaluator_of(&t->settings), NULL, &q, &err), &err);
  CHECK_OK(method_named(method)->search(&q, &err), err);
  size_t count = spn_archive_count(q.archive);
  CHECK(count == q.asked && count <= 200 && count > 40, "%s: %zu evaluations", method, q.asked);
  CHECK(!spn_inquiry_goes_on(&q) && (spn_inquiry_used(&q) == 1 || q.idle > 100), "%s: the budget is used", method);
  for (size_t i = 0; i < count; i++)
    CHECK(spn_archive_find(q.archive, &spn_archive_at(q.archive, i)->choice) == spn_archive_at(q.archive, i),
          "%s: evaluation %zu is of a known network", method, i + 1);
  spn_inquiry_close(&q);
}

/* ---- Rescoring: answers that drift ---- */

static const table_case *drifting_case;
static size_t drifting_answers;

/* Each answer is better than the one before, as shared weights' are: in the end by more than networks differ. */
static spn_status drifting_answer(void *own, const spn_choice *choice, spn_answer *out, spn_images *images,
                                  spn_err *err) {
  (void)own, (void)err;
  out->accuracy = 0.5 * truth(drifting_case, choice) + 0.001 * (double)++drifting_answers;
  images->trained++;
  return SPN_OK;
}

static spn_status drifting_rescore(void *own, const spn_choice *choice, spn_answer *out, spn_images *images,
                                   spn_err *err) {
  (void)own, (void)err;
  out->accuracy = truth(drifting_case, choice);
  images->evaluated++;
  return SPN_OK;
}

static spn_price drifting_price(const void *own) {
  (void)own;
  return (spn_price){.first = {.trained = 1}, .each = {.trained = 1}, .again = {.evaluated = 1}};
}

static spn_status drifting_open(const spn_problem *problem, void **own, spn_err *err) {
  (void)problem, (void)err;
  *own = NULL;
  return SPN_OK;
}

static const spn_evaluator drifting = {
    .open = drifting_open, .answer = drifting_answer, .rescore = drifting_rescore, .price = drifting_price};

/* What was rescored: the nominee and the most accurate by then, each once; the best of them is the answer. */
static void check_rescored(const table_case *t, const spn_inquiry *q, size_t want, const char *method) {
  size_t count = spn_archive_count(q->archive), first = count - want;
  double best = 0, least = 1;
  spn_choice found;
  spn_err err;
  CHECK(count == 100 && q->asked == 100 && spn_archive_rescored(q->archive) == want, "%s: %zu of %zu rescored", method,
        spn_archive_rescored(q->archive), count);
  for (size_t i = first; i < count; i++) {
    const spn_evaluation *e = spn_archive_at(q->archive, i);
    CHECK(e->rescored && e->images.trained == (double)first, "%s: nothing is trained at the end", method);
    for (size_t k = first; k < i; k++)
      CHECK(!spn_choice_equal(&spn_archive_at(q->archive, k)->choice, &e->choice), "%s: each once", method);
    best = fmax(best, e->answer.accuracy);
    double before = 0;
    for (size_t k = 0; k < first; k++)
      if (spn_choice_equal(&spn_archive_at(q->archive, k)->choice, &e->choice))
        before = fmax(before, spn_archive_at(q->archive, k)->answer.accuracy);
    if (i > first || !q->nominated) least = fmin(least, before);
  }
  for (size_t i = 0; i < first; i++) { /* what is as good was rescored too */
    const spn_evaluation *e = spn_archive_at(q->archive, i);
    size_t k = first;
    while (k < count && !spn_choice_equal(&spn_archive_at(q->archive, k)->choice, &e->choice)) k++;
    CHECK(e->answer.accuracy <= least || e->answer.cost > q->high || k < count, "%s: evaluation %zu was passed over",
          method, i + 1);
  }
  CHECK_OK(spn_inquiry_result(q, &found, &err), err);
  CHECK(truth(t, &found) == best, "%s: found %.3f, the best of the rescored has %.3f", method, truth(t, &found), best);
}

static void test_rescoring(table_case *t, const char *method, const char *archive) {
  spn_err err;
  drifting_case = t;
  remove(archive);
  t->settings.search_evaluations = 100;
  for (int resumed = 0; resumed < 2; resumed++) {
    spn_inquiry q;
    drifting_answers = 0;
    must(spn_inquiry_open(&t->problem, &drifting, archive, &q, &err), &err);
    CHECK(q.finals == 10 && spn_inquiry_expected(&q) == 90 && q.replayed == (resumed ? 100 : 0), "%s: kept for the end",
          method);
    CHECK_OK(method_named(method)->search(&q, &err), err);
    CHECK_OK(spn_inquiry_rescore(&q, &err), err);
    CHECK(drifting_answers == (resumed ? 0 : 90), "%s: %zu answers", method, drifting_answers);
    check_rescored(t, &q, 10, method);
    spn_inquiry_close(&q);
  }
  t->settings.search_evaluations = 0;
}

/* ---- Reach: exactly the options that lead to networks within the budget ---- */

typedef struct {
  const spn_choice *prefix;
  int decisions; /* that are fixed */
  int found;
} completion;

static void find_completion(const table_case *t, const spn_choice *c, void *context) {
  completion *w = context;
  for (int i = 0; i < w->decisions; i++)
    if (spn_decision_get(&t->decisions.list[i], c) != spn_decision_get(&t->decisions.list[i], w->prefix)) return;
  w->found |= spn_cost_worst(&t->cost, c) <= t->problem.target;
}

static void test_reach(table_case *t, uint64_t seed) {
  unsigned char allowed[SPN_MAX_OPTIONS];
  spn_choice c, all;
  spn_reach *r = spn_reach_new(&t->space, &t->cost, &t->decisions, t->problem.target);
  spn_choice_max(&t->space, &c);
  for (int d = 0; d < t->decisions.count; d++) {
    const spn_decision *now = &t->decisions.list[d];
    if (!spn_decision_matters(now, &c)) continue;
    int count = spn_reach_options(r, d, &c, allowed), take = -1;
    CHECK(count >= 1, "%s: a way is left", now->name);
    for (int o = 0; o < now->options; o++) {
      spn_choice with = c;
      spn_decision_set(&t->space, now, o, &with);
      completion w = {.prefix = &with, .decisions = d + 1};
      for_all(t, 0, &all, find_completion, &w);
      CHECK(allowed[o] == w.found, "%s option %d: allowed %d, truth %d", now->name, o, allowed[o], w.found);
      if (allowed[o] && (take < 0 || spn_rng_uniform(seed, SPN_RNG_TEST, (uint64_t)(d * 10 + o)) < 0.5)) take = o;
    }
    spn_decision_set(&t->space, now, take, &c);
  }
  CHECK(spn_cost_worst(&t->cost, &c) <= t->problem.target, "the network is within the budget");
  free(r);
}

/* ---- Limits of further costs ---- */

static spn_status load_limit(const void *owner, const char *name, const spn_space *space, spn_cost *out, spn_err *err) {
  return spn_cost_load(name, space, out, err);
}

static void limit(table_case *t, const char *text) {
  spn_err err;
  must(spn_limits_add(&t->cost, text, &t->space, load_limit, NULL, &err), &err);
  must(spn_problem_budget(&t->problem, &err), &err);
}

/* Turns a limit's costs around within every layer: what is dear by the main cost is cheap by it. */
static void oppose(table_case *t, double share) {
  spn_cost_limit *l = t->cost.limits;
  double least, most;
  spn_err err;
  for (int i = 0; i < t->space.layers; i++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    int count = spn_layer_choices(&t->space.layer[i], all);
    for (int k = 0; k < count; k++) {
      double *to = all[k].keep ? &l->cost.layer[i].cost[all[k].kernel][all[k].expand][all[k].se]
                               : &l->cost.layer[i].skip;
      *to = 40 - 0.7 * spn_cost_layer(&t->cost, i, &all[k]);
    }
  }
  spn_cost_range(&l->cost, &t->space, &least, &most);
  l->high = least + share * (most - least);
  must(spn_problem_budget(&t->problem, &err), &err);
}

/* Decision by decision: what is allowed leads to a network that keeps all. */
static void test_reach_limits(table_case *t, uint64_t seed) {
  unsigned char allowed[SPN_MAX_OPTIONS];
  spn_reach *r = spn_reach_new(&t->space, &t->cost, &t->decisions, t->problem.target);
  for (uint64_t draw = 0; draw < 50; draw++) {
    spn_choice c;
    spn_choice_max(&t->space, &c);
    for (int d = 0; d < t->decisions.count; d++) {
      const spn_decision *now = &t->decisions.list[d];
      if (!spn_decision_matters(now, &c)) continue;
      uint64_t left = spn_rng_below(seed, SPN_RNG_TEST, draw * 100 + (uint64_t)d,
                                    (uint64_t)spn_reach_options(r, d, &c, allowed));
      int o = 0;
      while (!allowed[o] || left--) o++;
      spn_decision_set(&t->space, now, o, &c);
    }
    CHECK(spn_cost_worst(&t->cost, &c) <= t->problem.target * (1 + 1e-9), "drawn network: worst cost %.9g of %.9g",
          spn_cost_worst(&t->cost, &c), t->problem.target);
  }
  free(r);
}

/* Every method that asks names a network that keeps all; random draws are near to the best. */
static void test_limited_methods(table_case *t) {
  static const char *const names[] = {"random", "evolution", "ppo", "reinforce", "layernas"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    spn_err err;
    double accuracy = 0;
    t->settings.search_samples = 20;
    CHECK_OK(search_table(t, names[i], NULL, &accuracy, &err), err); /* checks the budget */
    CHECK(accuracy >= optimum(t) - 0.06, "%s: %.3f of %.3f", names[i], accuracy, optimum(t));
  }
}

static void test_limits(void) {
  spn_err err;
  table_case *t = table_new(5, 0.7);
  limit(t, "params <= 60%");
  test_reach(t, 5); /* both grow with every option: what is allowed is exact */
  test_limited_methods(t);
  for (int i = 0; i < 2; i++) snprintf(path[i], sizeof path[i], "%s/archive%d.jsonl", t->folder, i);
  test_resume(t, "evolution");
  refuses(spn_limits_add(&t->cost, "macs <= -1", &t->space, load_limit, NULL, &err), &err, "got \"macs <= -1\"");
  refuses(spn_limits_add(&t->cost, "macs <= 101%", &t->space, load_limit, NULL, &err), &err, "search.limits: expected");
  refuses(spn_limits_add(&t->cost, "<= 3", &t->space, load_limit, NULL, &err), &err, "search.limits: expected");
  refuses(spn_limits_add(&t->cost, "params", &t->space, load_limit, NULL, &err), &err, "a limit in Mparams");
  refuses(spn_limits_add(&t->cost, "nosuch <= 3", &t->space, load_limit, NULL, &err), &err, "nosuch");
  t->cost.limits->high *= 1e-3;
  refuses(spn_problem_budget(&t->problem, &err), &err, "search.limits: params: expected at least");
  for (double share = 0.9; share > 0.3; share -= 0.2) {
    oppose(t, share);
    test_reach_limits(t, (uint64_t)(100 * share));
  }
  test_limited_methods(t);
  double least, most;
  spn_cost_range(&t->cost.limits->cost, &t->space, &least, &most);
  t->cost.limits->high = 1.001 * least; /* the largest network alone keeps it */
  refuses(spn_problem_budget(&t->problem, &err), &err, "the one that comes nearest takes");
  spn_cost_free(&t->cost);
  table_free(t);
}

/* ---- What is refused ---- */

static void test_broken_tables(table_case *t) {
  static const char *const cases[][2] = {
      {"", ":1: expected a header"},
      {"network\n", "expected a column accuracy"},
      {"layer 0 kernel,accuracy\n", "there is none for \"layer 1 keep\""},
      {"network,accuracy\n", "expected networks of space nas-bench-macro, got none"},
      {"network,accuracy\n11111111,0.5\n11111111,0.5\n", ":3: expected each network once"},
      {"network,accuracy\n1111111,0.5\n", ":2: column network: expected a digit for each searchable layer"},
      {"network,accuracy\n111111111,0.5\n", ":2: column network: expected 8 digits"},
      {"network,accuracy\n1111x111,0.5\n", ":2: column network"},
      {"network,accuracy\n11111111,often\n", ":2: column accuracy: expected a number from 0 to 100, got \"often\""},
      {"network,accuracy\n11111111,nan\n", "got \"nan\""},
      {"network,accuracy\n11111111\n", ":2: expected 2 cells"},
      {"network,accuracy\n01111111,0.5\n", "got none (1 rows of other networks)"},
      {"network,accuracy\n11111111,0.5\n", "expected all networks of space nas-bench-macro; there is no row for"}};
  spn_err err;
  snprintf(t->settings.search_table, sizeof t->settings.search_table, "%s/broken.csv", t->folder);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    FILE *f = fopen(t->settings.search_table, "w");
    fputs(cases[i][0], f);
    fclose(f);
    refuses(search_table(t, "random", NULL, NULL, &err), &err, cases[i][1]);
  }
  snprintf(t->settings.search_table, sizeof t->settings.search_table, "%s/none.csv", t->folder);
  refuses(search_table(t, "random", NULL, NULL, &err), &err, "none.csv");
  t->settings.search_table[0] = 0;
  refuses(search_table(t, "random", NULL, NULL, &err), &err, "search.table: expected a CSV");
  snprintf(t->settings.search_table, sizeof t->settings.search_table, "%s", t->csv);
}

/* A table by columns named after decisions says the same as one of digits. */
static void write_named(const table_case *t, const spn_choice *c, void *context) {
  for (int i = 0; i < t->decisions.count; i++) {
    const spn_decision *d = &t->decisions.list[i];
    int option = spn_decision_get(d, c);
    const spn_layer *layer = &t->space.layer[d->layer];
    if (spn_decision_matters(d, c))
      fprintf(context, "%d", d->kind == SPN_DECISION_KEEP ? option : layer->kernel[option]);
    fputc(',', context);
  }
  fprintf(context, "%.1f\n", 100 * truth(t, c)); /* in percent */
}

static void test_named_columns(table_case *t) {
  double want, got = 0;
  spn_err err;
  spn_choice c;
  CHECK_OK(search_table(t, "evolution", NULL, &want, &err), err);
  snprintf(t->settings.search_table, sizeof t->settings.search_table, "%s/named.csv", t->folder);
  FILE *f = fopen(t->settings.search_table, "w");
  for (int i = 0; i < t->decisions.count; i++) fprintf(f, "%s,", t->decisions.list[i].name);
  fprintf(f, "accuracy\n");
  for_all(t, 0, &c, write_named, f);
  fclose(f);
  CHECK_OK(search_table(t, "evolution", NULL, &got, &err), err);
  CHECK(got == want, "columns by name: found %.3f, by digits %.3f", got, want);
  snprintf(t->settings.search_table, sizeof t->settings.search_table, "%s", t->csv);
}

static void test_refusals(table_case *t) {
  spn_err err;
  spn_problem far = t->problem;
  spn_settings s = t->settings;
  far.settings = &s;
  s.search_target_share = 0;
  s.search_target = 1e-3;
  refuses(spn_problem_budget(&far, &err), &err, "below: no network meets it");
  int images;
  s.search_method = "gradient";
  refuses(spn_problem_needs_images(&s, &images, &err), &err, "expected a method that asks");
  remove(path[0]);
  CHECK_OK(search_table(t, "random", path[0], NULL, &err), err);
  refuses(search_table(t, "evolution", path[0], NULL, &err), &err, "evaluation 1: expected network");
  spn_space fixed = t->space;
  for (int l = 0; l < fixed.layers; l++) fixed.layer[l].kernels = 1, fixed.layer[l].skippable = 0;
  far = t->problem;
  far.space = &fixed;
  spn_inquiry q;
  refuses(spn_inquiry_open(&far, spn_evaluator_of(&t->settings), NULL, &q, &err), &err, "there is nothing to search");
}

/* LayerNAS's memory: after it has asked about everything that its table leads to, it ends by itself. */
static void test_layernas_ends(table_case *t) {
  spn_inquiry q;
  spn_err err;
  t->settings.search_evaluations = 1000000;
  t->settings.search_buckets = 1;
  must(spn_inquiry_open(&t->problem, spn_evaluator_of(&t->settings), NULL, &q, &err), &err);
  CHECK_OK(method_named("layernas")->search(&q, &err), err);
  /* one cell a layer: at most every option of every layer for each parent that was ever there */
  CHECK(q.asked > 8 && q.asked < 200, "%zu evaluations with one bucket", q.asked);
  for (size_t i = 0; i < q.asked; i++)
    for (size_t k = 0; k < i; k++)
      CHECK(!spn_choice_equal(&spn_archive_at(q.archive, i)->choice, &spn_archive_at(q.archive, k)->choice),
            "evaluations %zu and %zu are of one network", k, i);
  spn_inquiry_close(&q);
  t->settings.search_evaluations = 0;
  t->settings.search_buckets = 100;
}

/* Fewer questions than layers: the last is about a whole network of the budget, which is the answer. */
static void test_layernas_short(table_case *t, const char *archive) {
  spn_err err;
  double accuracy;
  for (long long evaluations = 2; evaluations <= t->space.layers + 2; evaluations++) {
    size_t count;
    spn_inquiry q;
    spn_choice found;
    remove(archive);
    t->settings.search_evaluations = evaluations;
    must(spn_inquiry_open(&t->problem, spn_evaluator_of(&t->settings), archive, &q, &err), &err);
    CHECK_OK(method_named("layernas")->search(&q, &err), err);
    CHECK_OK(spn_inquiry_result(&q, &found, &err), err);
    count = spn_archive_count(q.archive);
    CHECK(count <= (size_t)evaluations && spn_archive_find(q.archive, &found), "%zu questions, and the answer is one",
          count);
    CHECK(spn_cost_worst(&t->cost, &found) <= q.high, "within the budget");
    CHECK(spn_cost_worst(&t->cost, &found) >= 0.7 * q.high, "and spends it: %g of %g", spn_cost_worst(&t->cost, &found),
          q.high);
    spn_inquiry_close(&q);
    CHECK_OK(search_table(t, "layernas", archive, &accuracy, &err), err); /* by replay */
  }
  t->settings.search_evaluations = 0;
}

/* Without it, networks of any cost are drawn. */
static void test_feasible(table_case *t, const char *method) {
  spn_err err;
  for (int feasible = 0; feasible < 2; feasible++) {
    spn_inquiry q;
    size_t above = 0;
    t->settings.search_feasible = feasible;
    t->settings.search_evaluations = 60;
    must(spn_inquiry_open(&t->problem, spn_evaluator_of(&t->settings), NULL, &q, &err), &err);
    CHECK_OK(method_named(method)->search(&q, &err), err);
    for (size_t i = 0; i < q.asked; i++) above += spn_archive_at(q.archive, i)->answer.cost > q.high;
    CHECK(feasible ? !above : above > 5, "%s: %zu networks above the budget", method, above);
    spn_inquiry_close(&q);
  }
  t->settings.search_evaluations = 0;
}

/* A table of costs that add up, and one row that does not. */
static void write_costs(const table_case *t, const spn_choice *c, void *context) {
  for (int i = 0; i < t->decisions.count; i++)
    if (!spn_decision_matters(&t->decisions.list[i], c)) fputc(',', context);
    else {
      const spn_layer *layer = &t->space.layer[t->decisions.list[i].layer];
      int option = spn_decision_get(&t->decisions.list[i], c);
      fprintf(context, "%d,", t->decisions.list[i].kind == SPN_DECISION_KEEP ? option : layer->kernel[option]);
    }
  fprintf(context, "0.5,%.17g\n", spn_cost_of(&t->cost, c));
}

static void test_costs(table_case *t) {
  char name[160];
  spn_cost got;
  spn_choice c;
  spn_err err;
  snprintf(name, sizeof name, "%s/costs.csv", t->folder);
  FILE *f = fopen(name, "w");
  for (int i = 0; i < t->decisions.count; i++) fprintf(f, "%s,", t->decisions.list[i].name);
  fprintf(f, "accuracy,work\n");
  for_all(t, 0, &c, write_costs, f);
  fclose(f);
  CHECK_OK(spn_table_cost(name, "work", &t->space, &got, &err), err);
  for (uint64_t i = 0; i < 100; i++) {
    spn_choice_random(&t->space, 4, i, &c);
    CHECK_NEAR(spn_cost_of(&got, &c), spn_cost_of(&t->cost, &c), 1e-9, "network %d", (int)i);
  }
  refuses(spn_table_cost(name, "play", &t->space, &got, &err), &err, "search.cost: expected a column play");
  f = fopen(name, "a");
  spn_choice_max(&t->space, &c);
  for (int i = 0; i < t->decisions.count; i++) fprintf(f, t->decisions.list[i].kind == SPN_DECISION_KEEP ? "1," : "5,");
  fprintf(f, "0.5,1\n");
  fclose(f);
  refuses(spn_table_cost(name, "work", &t->space, &got, &err), &err, "costs must add up over layers");
  f = fopen(name, "w");
  fprintf(f, "network,work\n11111111,3\n");
  fclose(f);
  refuses(spn_table_cost(name, "work", &t->space, &got, &err), &err, "expected rows that tell what every option costs");
}

static const char *const methods[] = {"random", "evolution", "reinforce", "ppo", "layernas"};

int main(void) {
  table_case *t = table_new(1, 0.5), *tight = table_new(2, 0.2), *free_choice = table_new(3, 1);
  test_limits();
  for (int i = 0; i < 2; i++) snprintf(path[i], sizeof path[i], "%s/archive%d.jsonl", t->folder, i);
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    test_counts(t, methods[i]);
    test_resume(t, methods[i]);
    test_rescoring(t, methods[i], path[0]);
  }
  test_finds(t, "random", 20000, 0.015); /* draws at the budget, not below it */
  test_finds(t, "evolution", 2000, 0);
  test_finds(tight, "evolution", 500, 0);
  test_finds(free_choice, "evolution", 2000, 0);
  test_finds(t, "reinforce", 2000, 0);
  test_finds(tight, "reinforce", 2000, 0);
  test_finds(t, "ppo", 600, 0);
  test_finds(tight, "ppo", 600, 0);
  test_finds(free_choice, "layernas", 1500, 0);
  test_layernas_ends(t);
  test_layernas_short(t, path[0]);
  test_layernas_short(tight, path[0]);
  test_feasible(t, "reinforce");
  test_feasible(t, "ppo");
  test_costs(t);
  for (uint64_t seed = 0; seed < 3; seed++) {
    test_reach(t, seed);
    test_reach(tight, seed);
  }
  test_broken_tables(t);
  test_named_columns(t);
  test_refusals(t);
  table_free(t);
  table_free(tight);
  table_free(free_choice);
  return check_report("test_methods");
}
