/* A folder that holds many runs, which several processes may do together: one begins it with --out, others join it (and
 * a stopped one goes on) with --resume. Every run in it is a folder of its own, as `spnas search` and `spnas train`
 * leave it, done by one process at a time. */
#ifndef SPN_CLI_SERIES_H
#define SPN_CLI_SERIES_H

#include "cli/cli.h"
#include "io/json.h"

enum { SPN_SERIES_TARGETS = 64, SPN_SERIES_PATH = 900 };

typedef struct {
  double value;
  int share;     /* value is a search.target_share */
  int lambda;    /* value is a fixed search.lambda, without a budget */
  char name[48]; /* as it is written: "80", "50%"; "lambda-0.05" */
} spn_series_target;

typedef struct {
  const char *folder, *command;
  spn_settings settings; /* of all runs */
  int resume, quiet;
  spn_series_target target[SPN_SERIES_TARGETS];
  int targets;
} spn_series;

/* Reads search.targets and, with --resume, what the folder of --out was begun with. SPN_EINPUT: no --out, targets that
 * are none, settings that are not those of the folder. */
spn_status spn_series_open(const spn_arguments *a, const char *command, spn_series *out, spn_err *err);
/* Adds the fixed lambdas of search.lambdas behind the targets; without search.targets in place of them. SPN_EINPUT. */
spn_status spn_series_lambdas(spn_series *s, spn_err *err);
/* Makes the folder, now that everything that may be refused has been; nothing with --resume. */
spn_status spn_series_begin(const spn_series *s, spn_err *err);
/* Sets the budget (or lambda) of a run, and leaves out what only the series needs. */
void spn_series_aim(const spn_series_target *target, spn_settings *s);
/* Folder and a file name of a run, "" for the folder itself. SPN_EINPUT: the path is too long. */
spn_status spn_series_path(const spn_series *s, const char *run, const char *file, char out[SPN_SERIES_PATH],
                           spn_err *err);

typedef struct {
  const char *run, *result; /* folder, and the file that it ends with */
  const char *command;      /* whose run it is, and what does it */
  spn_status (*work)(const spn_cli_run *where, spn_settings *s, spn_err *err);
} spn_series_job;
typedef enum { SPN_SERIES_DONE, SPN_SERIES_NOW, SPN_SERIES_BUSY } spn_series_state;
/* SPN_SERIES_DONE: the result is there already. SPN_SERIES_BUSY: another process is at it. Otherwise it is done here,
 * from where it stands, and timed by itself. */
spn_status spn_series_do(const spn_series *s, const spn_series_job *job, const spn_settings *settings,
                         spn_series_state *out, spn_err *err);
int spn_series_done(const spn_series *s, const char *run, const char *result);
/* Takes the right to work on `run` into *lock, to be closed when the work is done; -1: another process has it. */
spn_status spn_series_take(const spn_series *s, const char *run, int *lock, spn_err *err);

/* A moment, where all that is left is being done by other processes. SPN_ESTOPPED when a stop is asked for. */
spn_status spn_series_wait(spn_err *err);

#endif
