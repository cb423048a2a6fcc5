#include "train/signals.h"

#include <signal.h>

static volatile sig_atomic_t stop_signal, checkpoint_asked;

int spn_stop_request(int signal_number) {
  int before = stop_signal != 0;
  if (!before) stop_signal = signal_number;
  return before;
}

int spn_stop_requested(void) { return stop_signal; }

void spn_checkpoint_request(void) { checkpoint_asked = 1; }

int spn_checkpoint_requested(void) {
  int asked = checkpoint_asked;
  checkpoint_asked = 0;
  return asked;
}
