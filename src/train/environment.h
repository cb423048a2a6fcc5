/* env.json: what a result depended on besides its settings. */
#ifndef SPN_TRAIN_ENVIRONMENT_H
#define SPN_TRAIN_ENVIRONMENT_H

#include "train/settings.h"

/* Settings of the run (precision settled) and its command. */
spn_status spn_environment_write(const spn_settings *s, const char *command, const char *path, spn_err *err);

#endif
