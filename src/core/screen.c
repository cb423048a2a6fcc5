#define _DEFAULT_SOURCE
#include "core/screen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { USUAL_COLUMNS = 80 }; /* of a terminal that does not tell */

int spn_screen_is_terminal(FILE *out) {
  const char *kind = getenv("TERM");
  return kind && *kind && strcmp(kind, "dumb") && isatty(fileno(out));
}

int spn_screen_columns(FILE *out) {
  struct winsize size;
  const char *told = getenv("COLUMNS");
  if (!isatty(fileno(out))) return 0;
  if (!ioctl(fileno(out), TIOCGWINSZ, &size) && size.ws_col > 0) return size.ws_col;
  return told && atoi(told) > 0 ? atoi(told) : USUAL_COLUMNS;
}

int spn_screen_is_utf8(FILE *out) {
  static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  const char *locale = NULL;
  for (int i = 0; i < 3 && !(locale && *locale); i++) locale = getenv(names[i]);
  const char *set = locale ? strchr(locale, '.') : NULL;
  return set && (!strncasecmp(set, ".utf-8", 6) || !strncasecmp(set, ".utf8", 5)) && spn_screen_is_terminal(out);
}

const char *spn_screen_style(FILE *out, spn_style style) {
  static const char *const codes[] = {"\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m"};
  const char *no = getenv("NO_COLOR");
  return (no && *no) || !spn_screen_is_terminal(out) ? "" : codes[style];
}

/* The mean of the values that fall to cell i of `cells`; NaN without one. */
static double mean_of(const spn_course *c, size_t i, size_t cells) {
  double sum = 0;
  size_t n = 0;
  for (size_t k = i * c->count / cells; k < (i + 1) * c->count / cells; k++)
    if (isfinite(c->value[k])) sum += c->value[k], n++;
  return n ? sum / (double)n : NAN;
}

void spn_screen_spark(const spn_course *course, int width, int utf8, char *text) {
  static const char *const blocks[] = {"\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
  static const char ascii[] = ".:-=+*#@";
  enum { LEVELS = sizeof blocks / sizeof *blocks };
  size_t cells = width < 1 ? 0 : (size_t)width < course->count ? (size_t)width : course->count;
  double low = course->low, high = course->high;
  if (!(low < high)) {
    low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < cells; i++)
      low = fmin(low, mean_of(course, i, cells)), high = fmax(high, mean_of(course, i, cells));
  }
  *text = 0;
  for (size_t i = 0; i < cells; i++) {
    double at = mean_of(course, i, cells), share = high > low ? (at - low) / (high - low) : 0.5;
    int level = isfinite(at) ? (int)fmax(0, fmin(LEVELS - 1, floor(share * LEVELS))) : -1;
    if (level < 0) *text++ = ' ';
    else if (!utf8) *text++ = ascii[level];
    else text = stpcpy(text, blocks[level]);
    *text = 0;
  }
}
