#define _GNU_SOURCE
#include "train/signals.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal, checkpoint_signal;

static void on_stop(int number) {
  if (stop_signal) _exit(128 + number);
  stop_signal = number;
}

static void on_checkpoint(int number) { checkpoint_signal = number; }

void spn_signals_install(void) {
  struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  action.sa_handler = on_checkpoint;
  sigaction(SIGUSR1, &action, NULL);
  action.sa_handler = SIG_IGN; /* a full disk quota answers with an error, not with a dead process */
  sigaction(SIGXFSZ, &action, NULL);
  sigaction(SIGPIPE, &action, NULL);
}

int spn_stop_requested(void) { return stop_signal; }

int spn_checkpoint_requested(void) {
  int asked = checkpoint_signal;
  checkpoint_signal = 0;
  return asked;
}
