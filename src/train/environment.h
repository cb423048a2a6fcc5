/* env.json: what a result depended on besides its settings. */
#ifndef SPN_TRAIN_ENVIRONMENT_H
#define SPN_TRAIN_ENVIRONMENT_H

#include "kernels.h"
#include "train/settings.h"

/* JSON text (malloc'd). */
char *spn_environment_json(const spn_settings *s, const char *command);
/* run.threads, or all cores this process may use. */
int spn_thread_count(const spn_settings *s);
/* run.isa resolved; SPN_EINPUT when this CPU cannot run it. */
spn_status spn_kernels_choose(const spn_settings *s, const spn_kernels **out, spn_err *err);
/* Version of spnas with the commit it was built from. */
const char *spn_version(void);

#endif
