/* Every network that a search had evaluated, in order, with what that has cost: archive.jsonl in the run folder, one
 * JSON object a line, only ever appended to. The first line names the space's decisions:
 *   {"archive": "spnas 1", "space": "demo", "unit": "ms", "decisions": ["layer 1 kernel", ...]}
 *   {"evaluation": 1, "network": "10110", "accuracy": 0.81, "loss": 0.6, "cost": 71.2,
 *    "images_trained": 128, "images_evaluated": 512, "seconds": 0.4}
 * network: its code (choices.h). loss: null where the evaluator has none. Images are sums since the beginning: trained
 * went forward and backward, evaluated forward only. "rescored": true, before the seconds, in a last part of the file:
 * asked again at the end of the search, so that these answers can be compared with each other. seconds: of this
 * evaluation. */
#ifndef SPN_SEARCH_ARCHIVE_H
#define SPN_SEARCH_ARCHIVE_H

#include "latency/limits.h"
#include "search/choices.h"

typedef struct {
  double accuracy;
  double loss; /* NaN: the evaluator has none */
  double cost;
} spn_answer;

/* Sums since the beginning. */
typedef struct {
  double trained;   /* forward and backward */
  double evaluated; /* forward only */
} spn_images;

typedef struct {
  spn_choice choice;
  spn_answer answer;
  spn_images images;
  int rescored; /* at the end of the search; where there is any, only these decide */
  double seconds;
} spn_evaluation;

typedef struct spn_archive spn_archive;

/* path NULL: in memory only. A file that is there is read; a last line that was not written whole (the process was
 * killed in it) is dropped, and *torn (may be NULL) tells so. The file is created with the first evaluation.
 * SPN_EINPUT, with file and line: anything else that is not an archive of this space. */
spn_status spn_archive_open(const char *path, const spn_space *space, const char *unit, spn_archive **out, int *torn,
                            spn_err *err);
void spn_archive_free(spn_archive *a); /* NULL is allowed */

size_t spn_archive_count(const spn_archive *a);
const spn_evaluation *spn_archive_at(const spn_archive *a, size_t i); /* valid until the next evaluation is added */
size_t spn_archive_rescored(const spn_archive *a);                    /* how many of them were */
/* Lasting when it returns. SPN_EIO: the disk is full. */
spn_status spn_archive_add(spn_archive *a, const spn_evaluation *e, spn_err *err);
/* Forgets all but the first `count`. */
spn_status spn_archive_cut(spn_archive *a, size_t count, spn_err *err);
/* The last evaluation of a network before any rescoring; NULL: there was none. */
const spn_evaluation *spn_archive_find(const spn_archive *a, const spn_choice *choice);

/* ---- What decides: the rescored evaluations, or all where none was rescored ---- */

/* The most accurate that costs at most `high` and keeps the cost's limits; of equal ones the first. NULL: none. */
const spn_evaluation *spn_archive_best(const spn_archive *a, const spn_cost *cost, double high);
/* The Pareto front: numbers of evaluations by rising cost, each more accurate than everything cheaper. index has room
 * for all; returns how many. SPN_ENOMEM leaves *count alone. */
spn_status spn_archive_front(const spn_archive *a, size_t *index, size_t *count, spn_err *err);

#endif
