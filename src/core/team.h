/* A team of threads that works through numbered pieces of a job, again and again, with short gaps. Pieces are claimed
 * one by one, so a thread that has lost its core to another process holds up no more than the piece it is in. Waiting
 * spins for a moment and then sleeps: a waiting thread does not take a core from a working one. */
#ifndef SPN_CORE_TEAM_H
#define SPN_CORE_TEAM_H

#include "core/status.h"

typedef struct spn_team spn_team;

/* threads >= 1, the caller's own counted. SPN_ENOMEM when memory or the system's threads run out. */
spn_status spn_team_create(int threads, spn_team **out, spn_err *err);
void spn_team_free(spn_team *team); /* NULL is allowed */
int spn_team_threads(const spn_team *team);

/* thread: 0 .. threads-1, no two at the same time; the caller is 0. */
typedef void (*spn_piece_fn)(void *context, int piece, int thread);
/* Calls fn for pieces 0 .. count-1, each once, and returns when all are done. Only one thread at a time may call, and
 * no piece. */
void spn_team_run(spn_team *team, int count, spn_piece_fn fn, void *context);

/* Cores this process may use. */
int spn_core_count(void);

#endif
