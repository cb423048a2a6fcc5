/* Gaussian processes against numpy's; tuning of settings finds known optima, is a function of its past, and refuses. */
#include "check.h"
#include "core/rng.h"
#include "search/tune.h"

typedef struct {
  int n, inputs;
  spn_gp_prior prior;
  const double *x, *y, *at, *mean, *deviation, *likelihood;
} gp_case;
#include "vectors/gp.h"

static void test_posterior(void) {
  for (size_t c = 0; c < sizeof gp_cases / sizeof *gp_cases; c++) {
    const gp_case *row = &gp_cases[c];
    spn_gp *gp = NULL;
    spn_err err;
    CHECK_OK(spn_gp_create(&row->prior, row->x, row->y, row->n, row->inputs, &gp, &err), err);
    if (!gp) continue;
    CHECK_NEAR(spn_gp_log_likelihood(gp), *row->likelihood, 1e-7, "case %zu: likelihood", c);
    for (int i = 0; i < 4; i++) {
      double mean, deviation;
      spn_gp_predict(gp, row->at + i * row->inputs, &mean, &deviation);
      CHECK_NEAR(mean, row->mean[i], 1e-8, "case %zu: mean %d", c, i);
      CHECK_NEAR(deviation, row->deviation[i], 1e-8, "case %zu: deviation %d", c, i);
    }
    spn_gp_free(gp);
  }
  for (size_t i = 0; i < sizeof improvements / sizeof *improvements; i++)
    CHECK_NEAR(spn_expected_improvement(improvements[i][0], improvements[i][1], improvements[i][2]), improvements[i][3],
               1e-7, "expected improvement %zu", i);
  CHECK(spn_expected_improvement(1, 0, 0.5) == 0.5 && spn_expected_improvement(0, 0, 0.5) == 0, "what is certain");
}

/* No prior of the grid is likelier than the chosen one; points that are alike and values that are alike do no harm. */
static void test_fit(void) {
  const gp_case *row = &gp_cases[1];
  static const double lengths[] = {2.4, 1.2, 0.6, 0.3, 0.15}, noises[] = {0.5, 0.1, 0.01, 1e-4};
  spn_gp *gp = NULL, *other;
  spn_err err;
  CHECK_OK(spn_gp_fit(row->x, row->y, row->n, row->inputs, &gp, &err), err);
  double best = spn_gp_log_likelihood(gp);
  for (int l = 0; l < 5; l++)
    for (int n = 0; n < 4; n++) {
      spn_gp_prior common = {.length = {lengths[l], lengths[l]}, .noise = noises[n]};
      CHECK_OK(spn_gp_create(&common, row->x, row->y, row->n, row->inputs, &other, &err), err);
      CHECK(spn_gp_log_likelihood(other) <= best, "length %g, noise %g is likelier", lengths[l], noises[n]);
      spn_gp_free(other);
    }
  spn_gp_free(gp);
  double x[] = {0.5, 0.5, 0.5, 0.1}, y[] = {1, 1, 1, 1}, mean, deviation, near;
  CHECK_OK(spn_gp_fit(x, y, 4, 1, &gp, &err), err);
  spn_gp_predict(gp, (double[]){0.5}, &mean, &near);
  spn_gp_predict(gp, (double[]){1}, &mean, &deviation);
  CHECK(mean == 1 && deviation > near, "values that are alike: %g, %g, %g", mean, near, deviation);
  spn_gp_free(gp);
  CHECK_OK(spn_gp_fit(x, y, 1, 1, &gp, &err), err);
  spn_gp_free(gp);
}

/* ---- Tuning ---- */

static spn_tune_space read(const char *ranges) {
  static spn_settings s;
  spn_tune_space space;
  spn_err err;
  spn_settings_default(&s);
  snprintf(s.tune_ranges, sizeof s.tune_ranges, "%s", ranges);
  CHECK_OK(spn_tune_read(&s, &space, &err), err);
  return space;
}

static void refused(const char *ranges, const char *says) {
  static spn_settings s;
  spn_tune_space space;
  spn_err err = {.text = ""};
  spn_settings_default(&s);
  snprintf(s.tune_ranges, sizeof s.tune_ranges, "%s", ranges);
  CHECK(spn_tune_read(&s, &space, &err) == SPN_EINPUT && strstr(err.text, says), "%s: %s", ranges, err.text);
}

static void test_ranges(void) {
  spn_tune_space space = read("search.threshold_lr=0.003..0.03,search.explore=0..1,search.judge=0..400");
  CHECK(space.count == 3 && space.range[0].logarithmic && !space.range[1].logarithmic && space.range[2].integer,
        "kinds of ranges");
  CHECK(space.range[0].low == 0.003 && space.range[0].high == 0.03, "ends");
  CHECK(!read("search.start_x=0.1..0.9").range[0].logarithmic, "less than a decade");
  CHECK(read("search.lambda=-1..0.5").range[0].low == -1, "below 0");
  refused("search.explore", "got \"search.explore\": it is none");
  refused("search.explore=0..1,", "got \"\": it is none");
  refused("search.explore=0.5", "it is none");
  refused("search.explore=0..2", "search.explore: expected LOW..HIGH, two numbers from 0 to 1, got 0..2");
  refused("search.explore=1..0", "got 1..0");
  refused("search.explore=0..nan", "got 0..nan");
  refused("search.judge=0..1.5", "two integers");
  refused("search.explor=0..1", "did you mean search.explore?");
  refused("search.method=0..1", "expected a numeric setting");
  refused("search.target=60..80", "no setting of how a search learns");
  refused("run.seed=1..5", "no setting of how a search learns");
  refused("search.explore=0..1,search.explore=0..0.5", "there twice");
}

static void test_settings(void) {
  static spn_settings s;
  spn_tune_space space = read("search.threshold_lr=0.003..0.03,search.judge=0..400");
  double value[SPN_TUNE_SETTINGS];
  spn_err err;
  spn_settings_default(&s);
  CHECK(spn_tune_given(&space, &s, value) && value[0] == 0.01 && value[1] == 0, "the settings' own values");
  CHECK_OK(spn_tune_apply(&space, (double[]){0.01234, 17}, &s, &err), err);
  CHECK(s.search_threshold_lr == 0.01234 && s.search_judge == 17, "values of a trial");
  s.search_judge = 401;
  CHECK(!spn_tune_given(&space, &s, value), "outside");
}

/* A bowl on a slope with a second, lower summit: Branin's function, -0.397887 at best, over threshold_lr and explore
 * stretched to its usual square. */
static double branin(const double *value, double noise) {
  const double pi = acos(-1);
  double x = 15 * log(value[0] / 0.001) / log(1000) - 5, y = 15 * value[1];
  double a = y - 5.1 / (4 * pi * pi) * x * x + 5 / pi * x - 6;
  return -(a * a + 10 * (1 - 1 / (8 * pi)) * cos(x) + 10) + noise;
}

/* Trials until one is within `near` of the optimum. */
static int trials_until(uint64_t seed, double near, int by_chance) {
  spn_tune_space space = read("search.threshold_lr=0.001..1,search.explore=0..1");
  spn_tune_trial done[100];
  spn_err err;
  for (int t = 0; t < 100; t++) {
    int found = 1;
    if (by_chance) {
      done[t].value[0] = 0.001 * pow(1000, spn_rng_uniform(seed, SPN_RNG_TEST, 2 * (uint64_t)t));
      done[t].value[1] = spn_rng_uniform(seed, SPN_RNG_TEST, 2 * (uint64_t)t + 1);
    } else {
      CHECK_OK(spn_tune_next(&space, seed, done, t, done[t].value, &found, &err), err);
    }
    CHECK(found && done[t].value[0] >= 0.001 && done[t].value[0] <= 1 && done[t].value[1] >= 0 && done[t].value[1] <= 1,
          "trial %d lies in the ranges", t);
    done[t].worth = branin(done[t].value, 0);
    if (done[t].worth > -0.397887 - near) return t + 1;
  }
  return 100;
}

static void test_optimum(void) {
  int model = 0, chance = 0, worst = 0;
  for (uint64_t seed = 1; seed <= 5; seed++) {
    int own = trials_until(seed, 0.1, 0);
    model += own;
    worst = own > worst ? own : worst;
    chance += trials_until(seed, 0.1, 1);
  }
  printf("trials to the optimum of Branin's function, five seeds: %d by the model (%d at worst), %d by chance\n", model,
         worst, chance);
  CHECK(worst <= 40 && model * 2 < chance, "%d by the model, %d by chance, %d at worst", model, chance, worst);
}

/* Failed trials are avoided, noise is borne, and the same past gives the same future to the last bit. */
static void test_past(void) {
  spn_tune_space space = read("search.threshold_lr=0.001..1,search.explore=0..1");
  spn_tune_trial done[25];
  double again[SPN_TUNE_SETTINGS];
  spn_err err;
  int found, late_failures = 0;
  for (int t = 0; t < 25; t++) {
    CHECK_OK(spn_tune_next(&space, 3, done, t, done[t].value, &found, &err), err);
    CHECK_OK(spn_tune_next(&space, 3, done, t, again, &found, &err), err);
    CHECK(!memcmp(again, done[t].value, 2 * sizeof *again), "trial %d of the same past", t);
    int fails = done[t].value[0] > 0.1;
    late_failures += fails && t >= 15;
    done[t].worth = fails ? NAN
                          : 0.8 - fabs(done[t].value[1] - 0.25) + 0.01 * spn_rng_normal(1, SPN_RNG_TEST, (uint64_t)t);
  }
  int best = spn_tune_best(done, 25);
  CHECK(best >= 0 && fabs(done[best].value[1] - 0.25) < 0.05, "noise: best at %g",
        best >= 0 ? done[best].value[1] : -1);
  CHECK(late_failures <= 3, "%d of the last ten trials fail, of a third of the space", late_failures);
  for (int t = 0; t < 25; t++) done[t].worth = NAN;
  CHECK(spn_tune_best(done, 25) == -1, "all failed");
  CHECK_OK(spn_tune_next(&space, 3, done, 25, again, &found, &err), err);
  CHECK(found, "and still a trial");
}

/* Integers that run out. */
static void test_few(void) {
  spn_tune_space space = read("search.judge=3..7");
  spn_tune_trial done[6];
  spn_err err;
  int found = 1, seen = 0, t = 0;
  for (; t < 6 && found; t++) {
    CHECK_OK(spn_tune_next(&space, 1, done, t, done[t].value, &found, &err), err);
    if (found) seen |= 1 << (int)done[t].value[0];
    done[t].worth = done[t].value[0];
  }
  CHECK(t == 6 && !found && seen == (1 << 8) - (1 << 3), "five values, each once: %d trials, %x", t, (unsigned)seen);
}

int main(void) {
  test_posterior();
  test_fit();
  test_ranges();
  test_settings();
  test_optimum();
  test_past();
  test_few();
  return check_report("test_tune");
}
