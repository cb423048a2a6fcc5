/* A space whose layers are tied together (channels, number of layers, shortcuts and shared choices of whole stages):
 * its decisions express every network once, draws are uniform, costs are those of whole networks, and methods that ask
 * find the best network of a table. */
#include "table_case.h"

#include "model/blockstring.h"
#include "search/reach.h"
#include "search/stages.h"

static const char space_text[] =
    "{\"name\": \"coupled\", \"input\": {\"size\": 32, \"channels\": 3}, \"classes\": 10, \"activation\": \"relu\","
    "\"padding\": \"same\", \"bn\": {\"momentum\": 0.9, \"eps\": 1e-3}, \"dropout\": 0,"
    "\"stem\": {\"channels\": 16, \"kernel\": 3, \"stride\": 1}, \"stages\": ["
    "{\"layers\": [1, 2], \"channels\": [8, 16], \"stride\": 2, \"shared\": true, \"kernel\": [3, 5],"
    " \"expand\": [1, 3, 0], \"se\": [0, 0.25], \"residual\": [false, true]},"
    "{\"layers\": [2, 3], \"channels\": [20, 24], \"stride\": 1, \"kernel\": [3, 5], \"expand\": [3],"
    " \"residual\": [false, true]},"
    "{\"layers\": 2, \"channels\": 24, \"stride\": 2, \"kernel\": [3], \"expand\": [3], \"skip\": true}],"
    "\"head\": {\"channels\": 32}}";

enum {
  FIRST = (2 * 5 + 2 * 5 * 2) * 2, /* one layer, or two with or without shortcut; channels */
  SECOND = (4 * 2 + 8 * 2) * 2,
  NETWORKS = FIRST * SECOND * 2,
  DRAWS_EACH = 10
};

static table_case *coupled_new(void) {
  table_case *t = calloc(1, sizeof *t);
  spn_err err;
  must(spn_space_parse("coupled", space_text, sizeof space_text - 1, &t->space, &err), &err);
  must(spn_cost_load("macs", &t->space, &t->cost, &err), &err);
  spn_decisions_of(&t->space, &t->decisions);
  return t;
}

/* ---- Every network, by way of every sequence of options ---- */

typedef struct {
  spn_choice_map *map;
  spn_choice *list;
  size_t count;
} networks;

static void gather(const table_case *t, int d, const spn_choice *so_far, networks *out) {
  spn_err err;
  size_t before;
  if (d == t->decisions.count) {
    if (spn_choice_map_find(out->map, so_far, &before)) return;
    out->list = realloc(out->list, (out->count + 1) * sizeof *out->list);
    out->list[out->count] = *so_far;
    must(spn_choice_map_put(out->map, so_far, out->count++, &err), &err);
    return;
  }
  for (int o = 0; o < t->decisions.list[d].options; o++) {
    spn_choice next = *so_far;
    spn_decision_set(&t->space, &t->decisions.list[d], o, &next);
    gather(t, d + 1, &next, out);
  }
}

/* Each is sound, another network than the others, and known again from its blocks, with marks or without. */
static void test_networks(const table_case *t, const networks *all) {
  char *before = NULL;
  CHECK(all->count == NETWORKS, "%zu networks, expected %d", all->count, NETWORKS);
  CHECK_NEAR(spn_space_log10_size(&t->space), log10(NETWORKS), 1e-12, "their number");
  for (size_t i = 0; i < all->count; i++) {
    spn_arch arch, compact;
    spn_choice again;
    spn_code code;
    spn_err err = {0};
    spn_space_arch(&t->space, &all->list[i], 0, &arch);
    CHECK_OK(spn_arch_check(&arch, &err), err);
    compact = arch;
    compact.blocks = 0;
    for (int b = 0; b < arch.blocks; b++)
      if (!arch.block[b].skipped) compact.block[compact.blocks++] = arch.block[b];
    CHECK_OK(spn_space_match(&t->space, &arch, &again, &err), err);
    CHECK(spn_choice_equal(&again, &all->list[i]), "network %zu is matched as another", i);
    CHECK_OK(spn_space_match(&t->space, &compact, &again, &err), err);
    CHECK(spn_choice_equal(&again, &all->list[i]), "network %zu without marks is matched as another", i);
    spn_code_of(&t->decisions, &all->list[i], &code);
    CHECK(spn_code_read(&t->space, &t->decisions, code.text, &again) && spn_choice_equal(&again, &all->list[i]),
          "network %zu from its code %s", i, code.text);
    CHECK_NEAR(spn_cost_of(&t->cost, &all->list[i]), (double)spn_arch_counts(&arch).macs / 1e6, 1e-12, "its cost");
    char *text = spn_blockstring_timm(&compact);
    CHECK(text && (!before || strcmp(text, before)), "two networks are one: %s", text);
    free(before);
    before = text;
  }
  free(before);
}

/* Chi square of as many counts as there are networks: mean n - 1, variance 2 (n - 1). */
static void test_uniform(const table_case *t, const networks *all) {
  int *counts = calloc(all->count, sizeof *counts);
  double chi = 0, free_counts = (double)all->count - 1;
  for (uint64_t i = 0; i < (uint64_t)all->count * DRAWS_EACH; i++) {
    spn_choice c;
    size_t number = 0;
    spn_choice_random(&t->space, 7, i, &c);
    if (!spn_choice_map_find(all->map, &c, &number)) {
      CHECK(0, "draw %d is no network", (int)i);
      break;
    }
    counts[number]++;
  }
  for (size_t i = 0; i < all->count; i++) chi += pow(counts[i] - DRAWS_EACH, 2) / DRAWS_EACH;
  CHECK(fabs(chi - free_counts) < 5 * sqrt(2 * free_counts), "uniform: chi square %.1f of %.0f counts", chi,
        free_counts);
  free(counts);
}

static void test_range(const table_case *t, const networks *all) {
  double low = INFINITY, high = 0, min, max;
  for (size_t i = 0; i < all->count; i++) {
    low = fmin(low, spn_cost_of(&t->cost, &all->list[i]));
    high = fmax(high, spn_cost_of(&t->cost, &all->list[i]));
  }
  spn_cost_range(&t->cost, &t->space, &min, &max);
  CHECK(min == low && max == high, "cost %g to %g, expected %g to %g", min, max, low, high);
}

/* The options after which a network within the limit is left, against all networks. */
static void test_reach_of(const table_case *t, const networks *all, double limit, uint64_t seed) {
  unsigned char allowed[SPN_MAX_OPTIONS];
  spn_choice c;
  spn_reach *r = spn_reach_new(&t->space, &t->cost, &t->decisions, limit);
  spn_choice_max(&t->space, &c);
  for (int d = 0; d < t->decisions.count; d++) {
    const spn_decision *now = &t->decisions.list[d];
    if (!spn_decision_matters(now, &c)) continue;
    CHECK(spn_reach_options(r, d, &c, allowed) >= 1, "%s: a way is left", now->name);
    int take = -1;
    for (int o = 0; o < now->options; o++) {
      spn_choice with = c;
      int truth = 0;
      spn_decision_set(&t->space, now, o, &with);
      for (size_t i = 0; i < all->count && !truth; i++) {
        int same = spn_cost_worst(&t->cost, &all->list[i]) <= limit;
        for (int k = 0; k <= d && same; k++)
          same = spn_decision_get(&t->decisions.list[k], &all->list[i]) ==
                 spn_decision_get(&t->decisions.list[k], &with);
        truth = same;
      }
      CHECK(allowed[o] == truth, "%s option %d: allowed %d, truth %d", now->name, o, allowed[o], truth);
      if (allowed[o] && (take < 0 || spn_rng_uniform(seed, SPN_RNG_TEST, (uint64_t)(d * 10 + o)) < 0.5)) take = o;
    }
    spn_decision_set(&t->space, now, take, &c);
  }
  CHECK(spn_cost_worst(&t->cost, &c) <= limit, "the network is within the limit");
  free(r);
}

static spn_status load_limit(const void *owner, const char *name, const spn_space *space, spn_cost *out, spn_err *err) {
  return spn_cost_load(name, space, out, err);
}

/* A second cost, of whole networks too. */
static void test_limits(table_case *t, const networks *all) {
  double min, max;
  spn_err err;
  must(spn_limits_add(&t->cost, "params <= 50%", &t->space, load_limit, NULL, &err), &err);
  spn_cost_range(&t->cost, &t->space, &min, &max);
  for (uint64_t seed = 0; seed < 4; seed++) {
    t->cost.limits->target = min + (max - min) * (0.2 + 0.2 * (double)seed);
    test_reach_of(t, all, t->cost.limits->target, seed);
  }
}

/* ---- Methods on a table of all of them ---- */

static double accuracy_of(const table_case *t, const spn_choice *c) {
  double sum = 500;
  for (int d = 0; d < t->decisions.count; d++)
    if (spn_decision_matters(&t->decisions.list[d], c)) sum += t->gain[d][spn_decision_get(&t->decisions.list[d], c)];
  return sum / 1000;
}

static void write_table(table_case *t, const networks *all) {
  strcpy(t->folder, "/tmp/spn-coupled-XXXXXX");
  CHECK(mkdtemp(t->folder) != NULL, "a folder");
  snprintf(t->csv, sizeof t->csv, "%s/table.csv", t->folder);
  for (int d = 0; d < t->decisions.count; d++)
    for (int o = 0; o < t->decisions.list[d].options; o++)
      t->gain[d][o] = (double)spn_rng_below(5, SPN_RNG_TEST, (uint64_t)(d * 1000 + o), 40);
  FILE *f = fopen(t->csv, "w");
  for (int d = 0; d < t->decisions.count; d++) fprintf(f, "%s,", t->decisions.list[d].name);
  fprintf(f, "accuracy\n");
  for (size_t i = 0; i < all->count; i++) {
    for (int d = 0; d < t->decisions.count; d++) {
      const spn_decision *one = &t->decisions.list[d];
      int option = spn_decision_get(one, &all->list[i]);
      fprintf(f, "%g,", spn_option_value(&t->space.layer[one->layer], one->kind, option));
    }
    fprintf(f, "%.3f\n", accuracy_of(t, &all->list[i]));
  }
  fclose(f);
}

static void test_methods(table_case *t, const networks *all) {
  static const struct {
    const char *name;
    double within; /* of the best, after 400 of 5,760 networks */
  } methods[] = {{"random", 0.05}, {"evolution", 0.025}, {"reinforce", 0.05}, {"ppo", 0.05}, {"layernas", 0.05}};
  double best = 0;
  spn_err err;
  write_table(t, all);
  spn_settings_default(&t->settings);
  snprintf(t->settings.search_table, sizeof t->settings.search_table, "%s", t->csv);
  t->settings.search_evaluator = "tabular";
  t->settings.search_target_share = 0.4;
  t->settings.search_tolerance = 0.5;
  t->settings.search_evaluations = 400;
  t->problem = (spn_problem){.settings = &t->settings, .space = &t->space, .cost = &t->cost};
  must(spn_problem_budget(&t->problem, &err), &err);
  for (size_t i = 0; i < all->count; i++)
    if (spn_cost_of(&t->cost, &all->list[i]) <= t->problem.target) best = fmax(best, accuracy_of(t, &all->list[i]));
  for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
    spn_inquiry q;
    spn_choice found;
    must(spn_inquiry_open(&t->problem, spn_evaluator_of(&t->settings), NULL, &q, &err), &err);
    CHECK_OK(method_named(methods[m].name)->search(&q, &err), err);
    CHECK_OK(spn_inquiry_result(&q, &found, &err), err);
    CHECK(spn_cost_of(&t->cost, &found) <= t->problem.target, "%s: over the budget", methods[m].name);
    CHECK(accuracy_of(t, &found) >= best - methods[m].within, "%s: %.3f of %.3f", methods[m].name,
          accuracy_of(t, &found), best);
    spn_inquiry_close(&q);
  }
}

/* ---- The cost as a sum over layers, and what gradient decodes with it ---- */

static spn_cost_chain *chain_of(const table_case *t) {
  spn_cost_chain *chain;
  spn_err err;
  must(spn_cost_chain_new(&t->cost, &t->space, &chain, &err), &err);
  return chain;
}

/* The indicators that make a network. */
static void gates_of(const table_case *t, const spn_choice *c, spn_layer_gates *gates) {
  memset(gates, 0, sizeof(spn_layer_gates[SPN_MAX_LAYERS]));
  for (int d = 0; d < t->decisions.count; d++) {
    const spn_decision *one = &t->decisions.list[d];
    for (int i = 0; i + 1 < one->options; i++)
      gates[one->layer].gate[one->kind][i] = i < spn_decision_get(one, c) ? 1 : 0;
  }
}

static void test_exact(const table_case *t, const networks *all) {
  spn_cost_chain *chain = chain_of(t);
  spn_layer_gates gates[SPN_MAX_LAYERS];
  for (size_t i = 0; i < all->count; i++) {
    gates_of(t, &all->list[i], gates);
    CHECK_NEAR(spn_cost_chain_soft(chain, gates, NULL), spn_cost_of(&t->cost, &all->list[i]), 1e-12, "network %d",
               (int)i);
  }
  spn_cost_chain_free(chain);
}

static void test_slope(const table_case *t) {
  spn_cost_chain *chain = chain_of(t);
  spn_layer_gates gates[SPN_MAX_LAYERS] = {0}, grad[SPN_MAX_LAYERS];
  const double step = 1e-4; /* multilinear but for what several layers share: a square of the step remains */
  for (uint64_t draw = 0; draw < 8; draw++) {
    for (int d = 0; d < t->decisions.count; d++)
      for (int i = 0; i + 1 < t->decisions.list[d].options; i++)
        gates[t->decisions.list[d].layer].gate[t->decisions.list[d].kind][i] = spn_rng_uniform(
            17, SPN_RNG_TEST, draw << 32 | (uint64_t)(d * 10 + i));
    spn_cost_chain_soft(chain, gates, grad);
    for (int d = 0; d < t->decisions.count; d++)
      for (int i = 0; i + 1 < t->decisions.list[d].options; i++) {
        const spn_decision *one = &t->decisions.list[d];
        double *gate = &gates[one->layer].gate[one->kind][i], keep = *gate;
        *gate = keep + step;
        double up = spn_cost_chain_soft(chain, gates, NULL);
        *gate = keep - step;
        double down = spn_cost_chain_soft(chain, gates, NULL);
        *gate = keep;
        CHECK_NEAR(grad[one->layer].gate[one->kind][i], (up - down) / (2 * step), 1e-6, "slope of %s, step %d",
                   one->name, i);
      }
  }
  spn_cost_chain_free(chain);
}

/* Gains of every option, nested, against all networks: the best of the range, or of the next one below it. */
static void test_decoding(const table_case *t, const networks *all) {
  spn_cost_chain *chain = chain_of(t);
  spn_stages *stages;
  spn_err err;
  double min, max;
  must(spn_stages_new(&t->space, &t->cost, chain, &stages, &err), &err);
  spn_cost_range(&t->cost, &t->space, &min, &max);
  for (uint64_t draw = 0; draw < 24; draw++) {
    double gain[SPN_MAX_LAYERS][SPN_DECISION_KINDS][SPN_MAX_OPTIONS], best = -INFINITY;
    for (size_t i = 0; i < sizeof gain / sizeof(double); i++)
      (&gain[0][0][0])[i] = spn_rng_normal(23, SPN_RNG_TEST, draw << 32 | i);
    double high = min + (max - min) * (0.05 + 0.9 * spn_rng_uniform(24, SPN_RNG_TEST, draw)),
           low = high * (draw % 3 ? 0.97 : 0);
    for (int u = 0; u < stages->path.units; u++)
      for (int o = 0; o < stages->path.count[u]; o++) {
        const spn_layer_choice *own = &stages->choice[u][o];
        double sum = 0;
        for (int k = 0; k < SPN_DECISION_KINDS; k++)
          sum += own->option[k] >= 0 ? gain[stages->layer[u]][k][own->option[k]] : 0;
        stages->path.option[u][o].gain = sum;
      }
    for (size_t i = 0; i < all->count; i++) {
      double cost = spn_cost_of(&t->cost, &all->list[i]), sum = 0;
      if (cost < low || cost > high) continue;
      for (int u = 0; u < stages->path.units; u++) {
        spn_layer_choice own = spn_stages_layer(&t->space, &all->list[i], stages->layer[u]);
        for (int k = 0; k < SPN_DECISION_KINDS; k++)
          sum += own.option[k] >= 0 ? gain[stages->layer[u]][k][own.option[k]] : 0;
      }
      best = fmax(best, sum);
    }
    spn_budget_answer answer;
    must(spn_stages_best(stages, low, high, &answer, &err), &err);
    CHECK(answer.cost == spn_cost_of(&t->cost, &answer.choice), "the cost is the network's");
    CHECK(answer.cost <= high, "draw %d: %g of %g", (int)draw, answer.cost, high);
    if (isinf(best)) CHECK(answer.outcome == SPN_BUDGET_BELOW, "draw %d: nothing is in the range", (int)draw);
    else
      CHECK(answer.outcome == SPN_BUDGET_MET && fabs(answer.gain - best) < 1e-7 && answer.bound == answer.gain,
            "draw %d: gain %.9g of %.9g, bound %.9g", (int)draw, answer.gain, best, answer.bound);
  }
  spn_budget_answer answer;
  must(spn_stages_best(stages, 0, min * 0.9, &answer, &err), &err);
  CHECK(answer.outcome == SPN_BUDGET_ABOVE && answer.cost == min, "the cheapest: %g of %g", answer.cost, min);
  CHECK(spn_stages_best(stages, 2, 1, &answer, &err) == SPN_EINPUT, "a range that is none");
  spn_stages_free(stages);
  spn_cost_chain_free(chain);
}

/* ---- What such a space cannot be used for ---- */

static void test_refused(const table_case *t) {
  spn_cost cost;
  spn_err err = {0};
  CHECK(spn_cost_load("pixel1-singlepath", &t->space, &cost, &err) == SPN_EINPUT &&
            strstr(err.text, "layer 0 kernel") && strstr(err.text, "latency fit"),
        "%s", err.text);
}

int main(void) {
  setenv("SPNAS_DATA", SPN_SOURCE_DIR "/data", 1);
  table_case *t = coupled_new();
  networks all = {.map = spn_choice_map_new()};
  spn_choice start;
  spn_choice_max(&t->space, &start);
  gather(t, 0, &start, &all);
  test_networks(t, &all);
  test_uniform(t, &all);
  test_range(t, &all);
  double min, max;
  spn_cost_range(&t->cost, &t->space, &min, &max);
  for (uint64_t seed = 0; seed < 4; seed++) test_reach_of(t, &all, min + (max - min) * 0.15 * (double)seed, seed);
  test_exact(t, &all);
  test_slope(t);
  test_decoding(t, &all);
  test_methods(t, &all);
  test_refused(t);
  test_limits(t, &all);
  spn_choice_map_free(all.map);
  free(all.list);
  spn_cost_free(&t->cost);
  table_free(t);
  return check_report("test_coupled");
}
