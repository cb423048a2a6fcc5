/* env.json: what a result depended on besides its settings. */
#ifndef SPN_TRAIN_ENVIRONMENT_H
#define SPN_TRAIN_ENVIRONMENT_H

#include "model/network.h"
#include "train/settings.h"

spn_status spn_environment_write(const spn_settings *s, const char *command, const char *path, spn_err *err);
/* run.threads, or all cores this process may use. */
int spn_thread_count(const spn_settings *s);
/* How networks run under these settings: batch, threads, kernels, precision, seed, label smoothing. SPN_EINPUT when
 * this CPU cannot run run.isa. The first call also holds oneDNN to run.isa (spn_backend_cap). */
spn_status spn_options_choose(const spn_settings *s, spn_network_options *out, spn_err *err);
/* run.precision=auto becomes what the run was begun with (`before`, or NULL), or what a measurement says: a run has one
 * precision. */
void spn_precision_settle(spn_settings *s, const spn_settings *before);
/* Version of spnas with the commit it was built from. */
const char *spn_version(void);

#endif
