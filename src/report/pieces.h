/* The pieces of a report's data: one JSON object, which the page's script reads. Internal to src/report. */
#ifndef SPN_REPORT_PIECES_H
#define SPN_REPORT_PIECES_H

#include "io/json.h"
#include "io/json_write.h"

enum { SPN_REPORT_NOTES = 24, SPN_REPORT_NOTE = 400 };

/* The data under way. */
typedef struct {
  const char *folder;
  spn_json_writer data;
  int is_run; /* of one search or training; else a comparison or sweep, which has no log of its own */
  int is_training;
  int is_model; /* folder is the file of a fitted latency model */
  int notes;
  char note[SPN_REPORT_NOTES][SPN_REPORT_NOTE]; /* what is missing, for people */
} spn_report;

void spn_report_note(spn_report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Path of a file in the run folder; SPN_EINPUT when it does not fit. */
spn_status spn_report_path(const spn_report *r, const char *name, char *path, size_t size, spn_err *err);

/* Members "steps" and "epochs" (metrics.jsonl) and "evaluations" (archive.jsonl): {"count": N, "rows": [...]}, evenly
 * thinned, first and last row kept; lists in fewer rows still. Files that are not there leave them empty. SPN_ENOMEM.
 */
spn_status spn_report_rows(spn_report *r, spn_err *err);

/* Members "network" (layer by layer: shape, parameters, MACs, cost), "indicators" (names in the order of the rows'
 * lists), "known" (networks of data/networks) and "random" ([cost, MACs] of random networks of the space); what cannot
 * be told is left out and noted. config, arch: roots of config.resolved.json and arch.json; item NULL where there is
 * none. SPN_ENOMEM. */
spn_status spn_report_network(spn_report *r, const spn_json *config, const spn_json *arch, spn_err *err);

/* Member "latency": what the fitted model `cost` (a name or path, as search.cost) was judged by; nothing where it is
 * none. expected: SPN_EINPUT then. SPN_ENOMEM. */
spn_status spn_report_judged(spn_report *r, const char *cost, int expected, spn_err *err);

/* Texts made from page/ and from the plotting library when the program is built; library: "" without it. */
extern const char spn_text_page[], spn_text_style[], spn_text_script[], spn_text_live[], spn_text_glossary[],
    spn_text_library[];

#endif
