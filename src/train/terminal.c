#define _POSIX_C_SOURCE 200809L
#include "train/terminal.h"

#include <stdio.h>
#include <string.h>

#include "core/phase.h"
#include "core/screen.h"

/* Between two lines: a terminal's line is rewritten, a log grows. */
static const double TERMINAL_SECONDS = 0.2, LOG_SECONDS = 10;
#define ERASE "\r\033[K"

static struct {
  double start, last; /* of the command; of the last line */
  int open;           /* the cursor stands behind a progress line */
} state;

static int on_terminal(void) { return spn_screen_is_terminal(stderr); }

double spn_terminal_seconds(void) {
  double now = spn_seconds();
  if (state.start <= 0) state.start = state.last = now;
  return now - state.start;
}

void spn_terminal_restart(void) { state.start = spn_seconds(); }

int spn_terminal_due(void) {
  double now = spn_terminal_seconds() + state.start;
  return now - state.last >= (on_terminal() ? TERMINAL_SECONDS : LOG_SECONDS);
}

/* A line that is to be rewritten must not reach the last column, or what is rewritten is only the end of it. */
int spn_terminal_fits(const char *text) { return !on_terminal() || strlen(text) < (size_t)spn_screen_columns(stderr); }

void spn_terminal_line(const char *text, int last) {
  int stays = last || !on_terminal(), length = (int)strlen(text);
  if (!stays && !spn_terminal_fits(text)) length = spn_screen_columns(stderr) - 1;
  fprintf(stderr, "%s%.*s%s", state.open ? ERASE : "", length, text, stays ? "\n" : "");
  state.open = !stays;
  state.last = spn_seconds();
}

void spn_terminal_say(const char *format, va_list args) {
  if (state.open) fputs(ERASE, stderr);
  state.open = 0;
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
}

void spn_terminal_end_line(void) {
  if (state.open) fputc('\n', stderr);
  state.open = 0;
}

void spn_duration_text(double seconds, char *text) {
  long s = (long)(seconds + 0.5);
  if (s < 3600) snprintf(text, SPN_DURATION, "%ld:%02ld", s / 60, s % 60);
  else snprintf(text, SPN_DURATION, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

/* A phase that is over takes its line along: results follow on stdout. */
static void show(const spn_phase *w) {
  char text[200], left[SPN_DURATION];
  if (w->ended && state.open) {
    fputs(ERASE, stderr);
    state.open = 0;
  }
  if (w->ended || !w->done || !spn_terminal_due()) return;
  double elapsed = spn_seconds() - w->started, rest = w->total > w->done ? (double)(w->total - w->done) : 0;
  spn_duration_text(elapsed / (double)w->done * rest, left);
  snprintf(text, sizeof text, "%s  %llu/%llu %s  ETA %s", w->what, (unsigned long long)w->done,
           (unsigned long long)w->total, w->unit, left);
  spn_terminal_line(text, 0);
}

void spn_terminal_begin(int quiet) {
  spn_terminal_seconds();
  spn_phase_watch(quiet ? NULL : show);
}
