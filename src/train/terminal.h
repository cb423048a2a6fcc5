/* What a person at the terminal sees of a command besides its results: one progress line, rewritten in place on a
 * terminal and a plain line every few seconds elsewhere, and messages, all on stderr. There is one for the process. */
#ifndef SPN_TRAIN_TERMINAL_H
#define SPN_TRAIN_TERMINAL_H

#include <stdarg.h>

/* At the start of a command: its clock starts, and phases (core/phase.h) are shown unless quiet. */
void spn_terminal_begin(int quiet);
void spn_terminal_restart(void);   /* the clock starts anew: for a command that does the work of several */
double spn_terminal_seconds(void); /* since then; since the process's first call, where it never was called */
/* Whether a new progress line is due. */
int spn_terminal_due(void);
/* Whether it is short enough for the terminal's line. */
int spn_terminal_fits(const char *text);
/* The progress line, cut to the terminal's width. last: it stays, and what comes next starts below it. */
void spn_terminal_line(const char *text, int last);
/* A message on a line of its own, in place of the progress line. */
void spn_terminal_say(const char *format, va_list args);
void spn_terminal_end_line(void); /* what is written next starts below the progress line */
/* "m:ss" or "h:mm:ss", rounded. */
enum { SPN_DURATION = 32 };
void spn_duration_text(double seconds, char *text);

#endif
