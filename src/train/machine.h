/* How networks run on this machine under the settings: threads, kernels and precision. */
#ifndef SPN_TRAIN_MACHINE_H
#define SPN_TRAIN_MACHINE_H

#include "model/network.h"
#include "train/settings.h"

enum { SPN_PRECISION_NOTE = 160 };

/* run.threads, or all cores this process may use. */
int spn_thread_count(const spn_settings *s);
/* run.precision=auto becomes what the run was begun with (`before`, or NULL), or what a measurement says: a run has one
 * precision. note (SPN_PRECISION_NOTE bytes): what was chosen and why, for people; "" where nothing was chosen. */
void spn_precision_settle(spn_settings *s, const spn_settings *before, char *note);
/* Batch, threads, kernels, precision, seed and label smoothing; run.precision=auto as spn_precision_settle would. The
 * first call holds oneDNN to run.isa (spn_backend_cap). SPN_EINPUT when this CPU cannot run run.isa or bf16. */
spn_status spn_options_choose(const spn_settings *s, spn_network_options *out, spn_err *err);

#endif
