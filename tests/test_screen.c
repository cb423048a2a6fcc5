/* Sparklines: levels, gaps, more values than cells and fewer; and what a stream that is no terminal can show. */
#include "core/screen.h"

#include <math.h>

#include "check.h"

static void check_spark(const spn_course *course, int width, int utf8, const char *want) {
  char text[SPN_SPARK_BYTES * 64 + 1];
  spn_screen_spark(course, width, utf8, text);
  CHECK(!strcmp(text, want), "got \"%s\", expected \"%s\"", text, want);
}

static void test_sparks(void) {
  const double rising[] = {0, 1, 2, 3, 4, 5, 6, 7}, gaps[] = {NAN, 1, INFINITY, 2}, same[] = {5, 5, 5};
  const double pairs[] = {0, 2, 10, 12, NAN, 20}, wild[] = {-1e308, 1e308, 0};
  const spn_course eight = {.value = rising, .count = 8};
  check_spark(&eight, 64, 1, "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588");
  check_spark(&eight, 64, 0, ".:-=+*#@");
  check_spark(&eight, 4, 0, ".-*@");
  check_spark(&eight, 1, 0, "+");
  check_spark(&eight, 0, 0, "");
  check_spark(&eight, -3, 1, "");
  check_spark(&(spn_course){.value = rising, .count = 0}, 9, 0, "");
  check_spark(&(spn_course){.value = gaps, .count = 4}, 9, 0, " . @");
  check_spark(&(spn_course){.value = gaps, .count = 1}, 9, 1, " ");
  check_spark(&(spn_course){.value = same, .count = 3}, 9, 0, "+++");
  check_spark(&(spn_course){.value = pairs, .count = 6}, 3, 0, ".+@");
  check_spark(&(spn_course){.value = rising, .count = 3, .high = 16}, 9, 0, "..:");
  check_spark(&(spn_course){.value = rising, .count = 8, .low = 2, .high = 4}, 9, 0, "...+@@@@");
  check_spark(&(spn_course){.value = wild, .count = 3}, 9, 0, ".@.");
}

static void test_file(void) {
  FILE *file = tmpfile();
  CHECK(file, "a file");
  if (!file) return;
  setenv("TERM", "xterm", 1);
  setenv("LC_ALL", "C.UTF-8", 1);
  setenv("COLUMNS", "70", 1);
  CHECK(!spn_screen_is_terminal(file) && !spn_screen_columns(file) && !spn_screen_is_utf8(file),
        "a file is no terminal");
  CHECK(!*spn_screen_style(file, SPN_BAD) && !*spn_screen_style(file, SPN_PLAIN), "no colours");
  fclose(file);
}

int main(void) {
  test_sparks();
  test_file();
  return check_report("test_screen");
}
