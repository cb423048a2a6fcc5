/* The lines that a command ends with: a name, and what is to be said of it, on a screen of any width. */
#ifndef SPN_CLI_SUMMARY_H
#define SPN_CLI_SUMMARY_H

#include "core/screen.h"
#include "input/input.h"

/* "found       k3e3 k5e6 ..." on stdout; broken between words where a terminal's line ends. style: of the text. */
void spn_summary_line(const char *name, spn_style style, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The course of values as a sparkline, and the text behind it. */
void spn_summary_course(const char *name, const spn_course *course, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The numbers of a key in a log of a run, metrics.jsonl or archive.jsonl, in order; malloc'd. NULL: there are none, or
 * no memory for them. */
double *spn_summary_read(const char *folder, const char *log, const char *key, size_t *count);
/* "loss        @#=-.. 2.3 to 1.61, 24 epochs": the course of such a key; rows: what its rows are. Nothing where there
 * are fewer than two numbers. */
void spn_summary_log(const char *name, const char *folder, const char *log, const char *key, const char *rows);

/* Names the first images that could not be read, and how many there are. Nothing where all could. */
void spn_summary_unreadable(spn_dataset *set);

#endif
