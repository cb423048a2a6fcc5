/* Statistics of few values against closed forms, tables and published examples. */
#include "check.h"
#include "search/significance.h"

static void test_student(void) {
  static const double t[] = {-40, -3, -1, -0.1, 0, 0.3, 1, 2.5, 12};
  const double pi = acos(-1);
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    double third = t[i] / sqrt(3);
    CHECK_NEAR(spn_student(t[i], 1), 0.5 + atan(t[i]) / pi, 1e-12, "Cauchy at %g", t[i]);
    CHECK_NEAR(spn_student(t[i], 2), 0.5 + t[i] / (2 * sqrt(2 + t[i] * t[i])), 1e-12, "two degrees at %g", t[i]);
    CHECK_NEAR(spn_student(t[i], 3), 0.5 + (third / (1 + third * third) + atan(third)) / pi, 1e-12, "three at %g",
               t[i]);
    CHECK_NEAR(spn_student(t[i], 1e8), 0.5 * erfc(-t[i] / sqrt(2)), 1e-7, "normal at %g", t[i]);
  }
  CHECK(spn_student(INFINITY, 3) == 1 && spn_student(-INFINITY, 3) == 0, "the ends");
}

/* Of the usual tables, two-sided. */
static void test_bounds(void) {
  static const double table[][3] = {{0.95, 1, 12.7062047},  {0.95, 2, 4.30265273},  {0.95, 4, 2.77644511},
                                    {0.95, 10, 2.22813885}, {0.95, 30, 2.04227246}, {0.99, 5, 4.03214298},
                                    {0.9, 8, 1.85954804}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    CHECK_NEAR(spn_student_bound(table[i][0], table[i][1]), table[i][2], 1e-7, "%g with %g", table[i][0], table[i][1]);
}

static void test_samples(void) {
  static const double five[] = {2, 4, 4, 5, 10};
  spn_sample s;
  spn_sample_of(five, 5, &s);
  CHECK_NEAR(s.mean, 5, 1e-15, "mean");
  CHECK_NEAR(s.deviation, 3, 1e-15, "deviation");
  CHECK_NEAR(spn_sample_interval(&s, 0.95), 2.77644511 * 3 / sqrt(5), 1e-7, "interval");
  spn_sample_of(five, 1, &s);
  CHECK(s.mean == 2 && isnan(s.deviation) && isnan(spn_sample_interval(&s, 0.95)), "one value has no spread");
  spn_sample_of(five, 0, &s);
  CHECK(isnan(s.mean), "no value has no mean");
}

/* Two samples of fifteen with t = -2.46, 25.0 degrees of freedom, p = 0.021, a published example. */
static void test_welch(void) {
  static const double a[] = {27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4};
  static const double b[] = {27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4};
  static const double alike[] = {1, 1, 1};
  spn_sample x, y;
  spn_comparison c, back;
  spn_sample_of(a, 15, &x);
  spn_sample_of(b, 15, &y);
  spn_welch(&x, &y, &c);
  spn_welch(&y, &x, &back);
  CHECK(fabs(c.t + 2.46) < 0.005 && fabs(c.freedom - 25.0) < 0.05 && fabs(c.p - 0.021) < 0.0005, "%g %g %g", c.t,
        c.freedom, c.p);
  CHECK(back.t == -c.t && back.p == c.p && back.difference == -c.difference, "the other way round");
  CHECK_NEAR(c.p, 2 * spn_student(c.t, c.freedom), 1e-12, "two-sided");
  spn_sample_of(alike, 3, &x);
  spn_welch(&x, &x, &c);
  CHECK(isnan(c.p) && c.difference == 0, "without any spread nothing can be told");
  spn_sample_of(a, 1, &x);
  spn_welch(&x, &y, &c);
  CHECK(isnan(c.p), "nor of one value");
}

static void test_holm(void) {
  double p[] = {0.01, 0.04, NAN, 0.03, 0.005}, ties[] = {0.6, 0.6, 0.0};
  spn_holm(p, 5);
  CHECK_NEAR(p[0], 0.03, 1e-12, "second");
  CHECK_NEAR(p[1], 0.06, 1e-12, "last, no less than the one before");
  CHECK(isnan(p[2]), "no test");
  CHECK_NEAR(p[3], 0.06, 1e-12, "third");
  CHECK_NEAR(p[4], 0.02, 1e-12, "first");
  spn_holm(ties, 3);
  CHECK(ties[0] == 1 && ties[1] == 1 && ties[2] == 0, "at most 1");
}

static void test_percentile(void) {
  static const double values[] = {1, 2, 2, 3};
  CHECK(spn_percentile(2, values, 4) == 50 && spn_percentile(0, values, 4) == 0 &&
            spn_percentile(9, values, 4) == 100 && spn_percentile(1, values, 4) == 12.5,
        "place in a population");
  CHECK(isnan(spn_percentile(1, values, 0)) && isnan(spn_percentile(NAN, values, 4)), "nothing to tell");
}

int main(void) {
  test_student();
  test_bounds();
  test_samples();
  test_welch();
  test_holm();
  test_percentile();
  return check_report("test_significance");
}
