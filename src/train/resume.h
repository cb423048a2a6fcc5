/* The settings of a run that goes on: config.resolved.json holds all of them. */
#ifndef SPN_TRAIN_RESUME_H
#define SPN_TRAIN_RESUME_H

#include "train/settings.h"

/* Whether the folder holds a run, begun at least. */
int spn_run_exists(const char *folder);
/* Whether a process is working in it. */
int spn_run_busy(const char *folder);
/* The settings that the run of a command was begun with, but run.max_steps, which is a process's own. SPN_EINPUT: the
 * folder holds no run, or another command's. */
spn_status spn_resume_settings(const char *folder, const char *command, spn_settings *out, spn_err *err);
/* Makes paths absolute, so that they hold in any working directory; names in data/ stay names. */
spn_status spn_settings_anchor(spn_settings *s, spn_err *err);
/* SPN_EINPUT when a setting that a result depends on differs, naming it. */
spn_status spn_resume_check(const spn_settings *old, const spn_settings *now, spn_err *err);

#endif
