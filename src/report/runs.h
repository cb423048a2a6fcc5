/* Run folders below a folder, and what can be told of each without looking into its weights. */
#ifndef SPN_REPORT_RUNS_H
#define SPN_REPORT_RUNS_H

#include <stddef.h>

#include "core/status.h"

enum { SPN_RUN_PATH = 1024, SPN_RUN_WORD = 96, SPN_RUN_PROBLEM = 256 };

typedef enum {
  SPN_RUN_RUNNING, /* a process holds it */
  SPN_RUN_DONE,    /* it has what it was to end with */
  SPN_RUN_STOPPED, /* neither: --resume goes on */
  SPN_RUN_DAMAGED  /* something of it cannot be read */
} spn_run_state;
extern const char *const spn_run_state_names[]; /* ends with NULL */

/* Texts are "" and numbers NaN where nobody says. */
typedef struct {
  char path[SPN_RUN_PATH]; /* from the folder that was asked for on, which is "." itself */
  spn_run_state state;
  char problem[SPN_RUN_PROBLEM]; /* what is damaged */
  char kind[SPN_RUN_WORD];       /* the command: search, train, compare, sweep */
  char method[SPN_RUN_WORD], space[SPN_RUN_WORD], network[SPN_RUN_WORD]; /* of searches; of a training */
  char target[SPN_RUN_WORD];                                             /* "80", "60,80", "50%" */
  double done, total;  /* how far it is, in `counted`; total 0: not known */
  const char *counted; /* "epochs", "evaluations", "runs" */
  double predicted,
      top1;      /* of the network that was found or trained; top-1 of test images, else of held-out ones, a share */
  char unit[16]; /* of predicted */
  long long changed; /* when a file of it last was, in seconds since 1970 */
  double bytes;      /* of all files */
  int checkpoints;
  double checkpoint_bytes; /* of the newest one */
} spn_run_about;

/* By path. Of a comparison or sweep the folder itself, not its runs, unless it is the one that was asked for. Links are
 * not followed. SPN_EINPUT: there is no such folder; what cannot be read in it is told of the run. *list is the
 * caller's to free. */
spn_status spn_runs_list(const char *folder, spn_run_about **list, size_t *count, spn_err *err);

#endif
