#define _GNU_SOURCE
#include "core/team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PIECES = 0xffff };
/* How long to spin before sleeping. Waking a thread takes some fifty microseconds, and what lies between two jobs of a
 * step is nearly always shorter than this: among 0.1, 0.4 and 1.5 ms the best for a step of 95 ms. */
static const int64_t SPIN_NS = 400000;

/* Beside another busy process a team may get less done than its caller alone: whoever has lost its core is waited for,
 * some milliseconds a time slice. So the processor time that all threads spend on pieces is held against the time that
 * jobs take. Where it comes to hardly more than the one core that the caller would have by itself, the caller works
 * alone for 150 ms and then tries the team again for 30 ms; every further failure doubles that time, up to 3 s, so that
 * trying costs little. On a quiet machine it comes to nearly one core a thread. */
static const int64_t WINDOW_NS = 30000000, ALONE_NS = 150000000, LONGEST_ALONE_NS = 3000000000;
static const double LEAST_CORES = 1.05;

typedef struct {
  spn_team *team;
  int thread;
  pthread_t id;
  clockid_t clock;      /* of its processor time */
  _Atomic int64_t spun; /* of that, spent waiting */
} worker;

struct spn_team {
  /* The job: what is left of it in one word, so that a claim cannot mix two jobs. Bits 0..15: the next piece; 16..31:
   * how many there are; above: number of the job. Claiming adds one. fn and context belong to the job as long as a
   * piece of it is claimed and not done. */
  _Alignas(64) _Atomic uint64_t ticket;
  _Alignas(64) atomic_int done; /* pieces */
  _Alignas(64) spn_piece_fn fn;
  void *context;
  int threads, workers; /* wanted, the caller included; started */
  int64_t spin_ns;
  pthread_mutex_t lock;
  pthread_cond_t work, rest;    /* there is a job; it is done */
  atomic_int sleepers, resting; /* workers that sleep; the caller does */
  atomic_int leaving;
  worker *worker;
  /* The caller's: */
  int64_t wall, own, workers_before; /* of the window under way: of jobs, of the caller in them; of workers before it */
  _Atomic int64_t spun;              /* by the caller */
  int64_t alone_until, alone_for;    /* 0: with the team; how long the next time */
};

int spn_core_count(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) ? 0 : CPU_COUNT(&set);
  if (count < 1) count = (int)sysconf(_SC_NPROCESSORS_ONLN);
  return count < 1 ? 1 : count;
}

static int next_piece(uint64_t ticket) { return (int)(ticket & MAX_PIECES); }
static int piece_count(uint64_t ticket) { return (int)(ticket >> 16 & MAX_PIECES); }

static int has_work(const spn_team *t) {
  uint64_t ticket = atomic_load(&t->ticket);
  return next_piece(ticket) < piece_count(ticket);
}

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

static int64_t read_clock(clockid_t clock) {
  struct timespec t = {0};
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_ns(void) { return read_clock(CLOCK_MONOTONIC); }

/* Works on pieces until none is left to claim. */
static void claim_pieces(spn_team *t, int thread) {
  while (has_work(t)) {
    uint64_t ticket = atomic_fetch_add(&t->ticket, 1);
    if (next_piece(ticket) >= piece_count(ticket)) return; /* another was faster */
    t->fn(t->context, next_piece(ticket), thread);
    if (atomic_fetch_add(&t->done, 1) + 1 == piece_count(ticket) && atomic_load(&t->resting)) {
      pthread_mutex_lock(&t->lock);
      pthread_cond_signal(&t->rest);
      pthread_mutex_unlock(&t->lock);
    }
  }
}

typedef int (*condition)(const spn_team *t, int value);
static int should_work(const spn_team *t, int value) { return has_work(t) || atomic_load(&t->leaving); }
static int is_done(const spn_team *t, int value) { return atomic_load(&t->done) == value; }

/* Waits until the condition holds: first awake, which adds to `spun`, then asleep, counted in `asleep`. Whoever makes
 * it hold looks there afterwards, so one of the two sees the other. */
static void wait_for(spn_team *t, condition holds, int value, pthread_cond_t *wake, atomic_int *asleep,
                     _Atomic int64_t *spun) {
  int64_t start = 0, now = 0;
  for (int i = 1; t->spin_ns && !holds(t, value); i++) {
    relax();
    if (i % 64) continue;
    now = now_ns();
    if (!start) start = now;
    if (now - start >= t->spin_ns) break;
  }
  if (now != start) atomic_fetch_add_explicit(spun, now - start, memory_order_relaxed);
  if (holds(t, value)) return;
  pthread_mutex_lock(&t->lock);
  atomic_fetch_add(asleep, 1);
  while (!holds(t, value)) pthread_cond_wait(wake, &t->lock);
  atomic_fetch_sub(asleep, 1);
  pthread_mutex_unlock(&t->lock);
}

static void *work(void *argument) {
  worker *w = argument;
  spn_team *t = w->team;
  while (!atomic_load(&t->leaving)) {
    wait_for(t, should_work, 0, &t->work, &t->sleepers, &w->spun);
    claim_pieces(t, w->thread);
  }
  return NULL;
}

static void wake_all(spn_team *t) {
  if (!atomic_load(&t->sleepers)) return;
  pthread_mutex_lock(&t->lock);
  pthread_cond_broadcast(&t->work);
  pthread_mutex_unlock(&t->lock);
}

/* At most MAX_PIECES minus the threads: each thread may add one to the ticket after the last piece. */
static void run_some(spn_team *t, int count, spn_piece_fn fn, void *context) {
  uint64_t job = (atomic_load(&t->ticket) >> 32) + 1;
  t->fn = fn;
  t->context = context;
  atomic_store(&t->done, 0);
  atomic_store(&t->ticket, job << 32 | (uint64_t)count << 16);
  wake_all(t);
  claim_pieces(t, 0);
  wait_for(t, is_done, count, &t->rest, &t->resting, &t->spun);
}

/* ---- Alone or not ---- */

/* Processor time of the workers so far, without what they waited. */
static int64_t workers_time(const spn_team *t) {
  int64_t sum = 0;
  for (int i = 0; i < t->workers; i++)
    sum += read_clock(t->worker[i].clock) - atomic_load_explicit(&t->worker[i].spun, memory_order_relaxed);
  return sum;
}

static void begin_window(spn_team *t) {
  t->wall = t->own = 0;
  atomic_store_explicit(&t->spun, 0, memory_order_relaxed);
  t->workers_before = workers_time(t);
}

/* Looks back on a window that is over. */
static void judge_window(spn_team *t) {
  int64_t own = t->own - atomic_load_explicit(&t->spun, memory_order_relaxed);
  double cores = (double)(own + workers_time(t) - t->workers_before) / (double)t->wall;
  if (cores < LEAST_CORES) {
    t->alone_until = now_ns() + t->alone_for;
    t->alone_for = 2 * t->alone_for < LONGEST_ALONE_NS ? 2 * t->alone_for : LONGEST_ALONE_NS;
  } else {
    t->alone_for = ALONE_NS;
  }
  begin_window(t);
}

static int is_alone(spn_team *t) {
  if (t->threads == 1) return 1;
  if (!t->alone_until) return 0;
  if (now_ns() < t->alone_until) return 1;
  t->alone_until = 0;
  begin_window(t);
  return 0;
}

typedef struct {
  spn_piece_fn fn;
  void *context;
  int first;
} shifted;

static void run_shifted(void *context, int piece, int thread) {
  const shifted *s = context;
  s->fn(s->context, s->first + piece, thread);
}

void spn_team_run(spn_team *t, int count, spn_piece_fn fn, void *context) {
  if (count < 2 || is_alone(t)) {
    for (int i = 0; i < count; i++) fn(context, i, 0);
    return;
  }
  int most = MAX_PIECES - t->threads;
  int64_t start = now_ns(), own = read_clock(CLOCK_THREAD_CPUTIME_ID);
  for (int first = 0; first < count; first += most) {
    shifted s = {fn, context, first};
    run_some(t, count - first < most ? count - first : most, first ? run_shifted : fn, first ? (void *)&s : context);
  }
  t->wall += now_ns() - start;
  t->own += read_clock(CLOCK_THREAD_CPUTIME_ID) - own;
  if (t->wall >= WINDOW_NS) judge_window(t);
}

int spn_team_threads(const spn_team *t) { return t->threads; }

spn_status spn_team_create(int threads, spn_team **out, spn_err *err) {
  spn_team *t = aligned_alloc(64, (sizeof *t + 63) / 64 * 64);
  worker *workers = calloc((size_t)threads, sizeof *workers);
  if (!t || !workers) {
    free(t);
    free(workers);
    return spn_fail(err, SPN_ENOMEM, "threads: out of memory");
  }
  *t = (spn_team){.threads = threads, .worker = workers, .alone_for = ALONE_NS};
  t->spin_ns = threads <= spn_core_count() ? SPIN_NS : 0; /* else a spinning thread keeps a working one from its core */
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->work, NULL);
  pthread_cond_init(&t->rest, NULL);
  for (int i = 1; i < threads; i++) {
    worker *w = &workers[t->workers];
    *w = (worker){.team = t, .thread = i};
    if (pthread_create(&w->id, NULL, work, w)) {
      spn_team_free(t);
      return spn_fail(err, SPN_ENOMEM, "run.threads: the system gives no more than %d threads, expected %d", i,
                      threads);
    }
    t->workers++;
    if (pthread_getcpuclockid(w->id, &w->clock)) w->clock = CLOCK_THREAD_CPUTIME_ID; /* then the team looks idle */
  }
  begin_window(t);
  *out = t;
  return SPN_OK;
}

void spn_team_free(spn_team *t) {
  if (!t) return;
  atomic_store(&t->leaving, 1);
  wake_all(t);
  for (int i = 0; i < t->workers; i++) pthread_join(t->worker[i].id, NULL);
  pthread_mutex_destroy(&t->lock);
  pthread_cond_destroy(&t->work);
  pthread_cond_destroy(&t->rest);
  free(t->worker);
  free(t);
}
