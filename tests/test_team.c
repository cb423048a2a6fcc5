/* A team does every piece of every job once, whatever its size, also when a thread is slow or there are more threads
 * than cores; the thread sanitizer looks on. */
#include <stdatomic.h>
#include <time.h>

#include "check.h"
#include "core/rng.h"
#include "core/team.h"

enum { MOST = 70000 };

typedef struct {
  int plain[MOST];         /* written by whoever has the piece, read after the job: a race if claims overlap */
  atomic_int inside[64];   /* threads of one number at work */
  atomic_int twice, wrong; /* one number in two places; a number out of range */
  int threads, slow;       /* slow: pieces of this thread take some milliseconds */
  uint64_t job;
} work;

static void piece(void *context, int i, int thread) {
  work *w = context;
  if (thread < 0 || thread >= w->threads) {
    atomic_fetch_add(&w->wrong, 1);
    return;
  }
  if (atomic_fetch_add(&w->inside[thread], 1)) atomic_fetch_add(&w->twice, 1);
  w->plain[i] += 1 + (int)w->job;
  if (w->slow == thread && i % 3 == 0) nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
  atomic_fetch_sub(&w->inside[thread], 1);
}

static void run_jobs(int threads, int jobs, int most, int slow) {
  static work w;
  spn_team *team;
  spn_err err;
  w.threads = threads;
  w.slow = slow;
  CHECK_OK(spn_team_create(threads, &team, &err), err);
  CHECK(spn_team_threads(team) == threads, "%d threads", threads);
  for (int job = 0; job < jobs; job++) {
    int count = (int)spn_rng_below(1, SPN_RNG_TEST, (uint64_t)job, (uint64_t)most + 1), wrong = 0;
    if (job == 1) count = most;
    w.job = (uint64_t)job;
    memset(w.plain, 0, sizeof *w.plain * (size_t)most);
    spn_team_run(team, count, piece, &w);
    for (int i = 0; i < most; i++) wrong += w.plain[i] != (i < count ? 1 + job : 0);
    CHECK(!wrong, "%d threads, job %d of %d pieces: %d were not done once", threads, job, count, wrong);
    if (job % 50 == 7) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* the others fall asleep */
  }
  CHECK(!atomic_load(&w.twice) && !atomic_load(&w.wrong), "%d threads: numbers of threads", threads);
  spn_team_free(team);
}

/* The sum in order of pieces does not depend on who did them. */
static void square(void *context, int i, int thread) { ((double *)context)[i] = 1.0 / (1 + i * (double)i); }

static void test_order(void) {
  double want[100], got[100];
  for (int i = 0; i < 100; i++) square(want, i, 0);
  for (int threads = 1; threads <= 4; threads++) {
    spn_team *team;
    spn_err err;
    CHECK_OK(spn_team_create(threads, &team, &err), err);
    for (int run = 0; run < 200; run++) {
      memset(got, 0, sizeof got);
      spn_team_run(team, 100, square, got);
      CHECK(!memcmp(want, got, sizeof got), "%d threads, run %d", threads, run);
    }
    spn_team_free(team);
  }
}

int main(void) {
  for (int threads = 1; threads <= 9; threads += threads < 3 ? 1 : 3) {
    run_jobs(threads, 2000, 40, -1);
    run_jobs(threads, 40, 40, threads - 1);
    run_jobs(threads, 40, 40, 0);
  }
  run_jobs(2, 4, MOST, -1); /* more pieces than one word counts */
  for (int i = 0; i < 200; i++) run_jobs(3, 1, 5, -1);
  test_order();
  CHECK(spn_core_count() >= 1, "cores");
  spn_team_free(NULL);
  return check_report("test_team");
}
