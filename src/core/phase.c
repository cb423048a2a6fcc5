#define _POSIX_C_SOURCE 200809L
#include "core/phase.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

static atomic_int stop_signal, checkpoint_asked; /* lock-free, so that handlers may write them */
static void (*watching)(const spn_phase *w);

int spn_stop_request(int signal_number) {
  int none = 0;
  return !atomic_compare_exchange_strong(&stop_signal, &none, signal_number);
}

int spn_stop_requested(void) { return atomic_load(&stop_signal); }

void spn_checkpoint_request(void) { atomic_store(&checkpoint_asked, 1); }

int spn_checkpoint_requested(void) { return atomic_exchange(&checkpoint_asked, 0); }

double spn_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

spn_status spn_phase_at(spn_phase *w, uint64_t done, spn_err *err) {
  if (w->started <= 0) w->started = spn_seconds();
  w->done = done;
  if (spn_stop_requested() && done < w->total)
    return spn_fail(err, SPN_ESTOPPED, "stopped in the %s, at %llu of %llu %s", w->what, (unsigned long long)done,
                    (unsigned long long)w->total, w->unit);
  if (watching) watching(w);
  return SPN_OK;
}

void spn_phase_end(spn_phase *w) {
  w->ended = 1;
  if (watching) watching(w);
}

void spn_phase_watch(void (*watcher)(const spn_phase *w)) { watching = watcher; }
