/* The page of a run over HTTP, for a browser to look on while the run goes on. It is served by a thread of its own, of
 * low priority, which only reads what lies in the folder; a run never waits for it. */
#ifndef SPN_CLI_SERVE_H
#define SPN_CLI_SERVE_H

#include "core/status.h"

typedef struct spn_server spn_server;

/* Listens and prints the address, which holds a random token, on stderr. folder: of the run; need not be there yet, and
 * is copied. where: "", "PORT" or "ADDRESS:PORT" (IPv4); by default a free port of 127.0.0.1. SPN_EINPUT: no such
 * place, or the program was built without HTTP; SPN_EIO: the port is taken. */
spn_status spn_serve_open(const char *folder, const char *where, spn_server **out, spn_err *err);
/* Waits until someone who looks has got the last state (3 s at most, and not where a stop is asked for), and ends. NULL
 * is allowed. */
void spn_serve_close(spn_server *s);

#endif
