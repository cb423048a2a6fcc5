/* Work under way: how far it is, and whether someone wants it to end. Whatever takes longer than a moment is walked in
 * pieces, with spn_phase_at between them, so that progress, the time that is left and stops are the same everywhere. */
#ifndef SPN_CORE_PHASE_H
#define SPN_CORE_PHASE_H

#include <stdint.h>

#include "core/status.h"

/* ---- What signals ask for. Who catches them (the program) notes it here. ---- */

/* Asks for a stop on behalf of a signal. Returns whether one was asked for before. Safe in a handler. */
int spn_stop_request(int signal_number);
int spn_stop_requested(void); /* number of the first signal, or 0; safe in every thread */
/* Asks for a checkpoint after the step. Safe in a handler. */
void spn_checkpoint_request(void);
int spn_checkpoint_requested(void); /* asked for since the last call */

/* ---- Phases ---- */

typedef struct {
  const char *what, *unit; /* "evaluation", "batches": for people */
  uint64_t done, total;
  double started; /* spn_seconds at the first spn_phase_at; the caller leaves it 0 */
  int ended;
} spn_phase;

/* `done` of the phase are done. SPN_ESTOPPED when a stop was asked for, saying what was stopped and how far it was. For
 * one thread, before the first piece and after each. */
spn_status spn_phase_at(spn_phase *w, uint64_t done, spn_err *err);
void spn_phase_end(spn_phase *w); /* whatever came of it */
/* Who is told of every spn_phase_at and spn_phase_end; NULL: nobody. */
void spn_phase_watch(void (*watcher)(const spn_phase *w));

double spn_seconds(void); /* of a clock that only goes forward */

#endif
