/* The whole test framework: CHECK counts and says where, check_report ends main. NaN fails every comparison. */
#ifndef SPN_TESTS_CHECK_H
#define SPN_TESTS_CHECK_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_count, check_failed;

#define CHECK(condition, ...)                                  \
  do {                                                         \
    check_count++;                                             \
    if (!(condition)) {                                        \
      check_failed++;                                          \
      if (check_failed <= 40) {                                \
        printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
        printf(__VA_ARGS__);                                   \
        printf("\n");                                          \
      }                                                        \
    }                                                          \
  } while (0)

#define CHECK_OK(call, err) CHECK((call) == SPN_OK, "%s", (err).text)

/* |a - b| <= tol * max(1, |b|), written so that NaN fails. */
#define CHECK_NEAR(a, b, tol, ...)                                                                             \
  do {                                                                                                         \
    double check_a_ = (a), check_b_ = (b);                                                                     \
    check_count++;                                                                                             \
    if (!(fabs(check_a_ - check_b_) <= (tol) * fmax(1.0, fabs(check_b_)))) {                                   \
      check_failed++;                                                                                          \
      if (check_failed <= 40) {                                                                                \
        printf("%s:%d: %.9g != %.9g (tolerance %g): ", __FILE__, __LINE__, check_a_, check_b_, (double)(tol)); \
        printf(__VA_ARGS__);                                                                                   \
        printf("\n");                                                                                          \
      }                                                                                                        \
    }                                                                                                          \
  } while (0)

/* Call last: prints the count, fails when nothing was checked. */
__attribute__((unused)) static int check_report(const char *name) {
  printf("%s: %d checks, %d failed\n", name, check_count, check_failed);
  return check_failed || !check_count;
}

#endif
