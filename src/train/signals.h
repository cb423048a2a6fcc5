/* The first SIGINT or SIGTERM asks for a stop after the step, the second leaves at once; SIGUSR1 asks for a checkpoint.
 */
#ifndef SPN_TRAIN_SIGNALS_H
#define SPN_TRAIN_SIGNALS_H

void spn_signals_install(void);
int spn_stop_requested(void);       /* signal number, or 0 */
int spn_checkpoint_requested(void); /* SIGUSR1 came since the last call */

#endif
