/* What signals ask of a run. Who catches them (the program) notes it here; the walk through the steps looks. */
#ifndef SPN_TRAIN_SIGNALS_H
#define SPN_TRAIN_SIGNALS_H

/* Asks for a stop after the step, on behalf of a signal. Returns whether one was asked for before. Safe in a handler.
 */
int spn_stop_request(int signal_number);
int spn_stop_requested(void); /* number of the first signal, or 0 */
/* Asks for a checkpoint after the step. Safe in a handler. */
void spn_checkpoint_request(void);
int spn_checkpoint_requested(void); /* asked for since the last call */

#endif
