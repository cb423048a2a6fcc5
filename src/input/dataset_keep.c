/* Small images, decoded once by several threads. */
#include <stdlib.h>
#include <unistd.h>

#include "core/phase.h"
#include "input/dataset.h"

enum { STEP = 32, THREADS_MAX = 16 };

typedef struct {
  spn_dataset *set;
  spn_image *images;  /* (count) */
  atomic_size_t next; /* position in the three splits, one after the other */
  atomic_size_t bytes;
  atomic_int stop; /* an image is large, the set is large, or the system refused */
  pthread_mutex_t lock;
  spn_err err; /* the system's refusal */
} keep_job;

/* The item at a position of all splits in a row; 0 beyond the end. */
static int item_at(const spn_dataset *set, size_t position, uint32_t *item) {
  for (int i = 0; i < SPN_SPLITS; i++) {
    if (position < set->split_count[i]) {
      *item = set->split[i][position];
      return 1;
    }
    position -= set->split_count[i];
  }
  return 0;
}

static void keep_item(keep_job *job, uint32_t item) {
  spn_err err = {0};
  spn_image *image = &job->images[item];
  spn_status status = job->set->reader->image(job->set, item, SPN_SMALL_SIDE, image, &err);
  if (status && status != SPN_EINPUT) {
    pthread_mutex_lock(&job->lock);
    job->err = err;
    pthread_mutex_unlock(&job->lock);
    atomic_store(&job->stop, 1);
  } else if (!status) {
    size_t size = (size_t)image->h * (size_t)image->w * 3;
    if (!image->pixels || atomic_fetch_add(&job->bytes, size) + size > SPN_KEEP_MAX) atomic_store(&job->stop, 1);
  }
}

/* work: of the one thread that tells how far all are; or NULL. */
static void keep_some(keep_job *job, spn_phase *work) {
  uint32_t item;
  while (!atomic_load(&job->stop)) {
    size_t first = atomic_fetch_add(&job->next, STEP);
    if (!item_at(job->set, first, &item)) break;
    if (work && spn_phase_at(work, first, &job->err)) atomic_store(&job->stop, 1);
    for (size_t i = first; i < first + STEP && !atomic_load(&job->stop) && item_at(job->set, i, &item); i++)
      keep_item(job, item);
  }
}

static void *keep_worker(void *argument) {
  keep_some(argument, NULL);
  return NULL;
}

/* Works on the job in as many threads as there are processors, this one among them. */
static void run_job(keep_job *job) {
  pthread_t threads[THREADS_MAX];
  spn_phase work = {.what = "reading of the images", .unit = "images"};
  for (int i = 0; i < SPN_SPLITS; i++) work.total += job->set->split_count[i];
  long want = sysconf(_SC_NPROCESSORS_ONLN) - 1, started = 0;
  if (want > THREADS_MAX) want = THREADS_MAX;
  while (started < want && !pthread_create(&threads[started], NULL, keep_worker, job)) started++;
  keep_some(job, &work);
  for (long i = 0; i < started; i++) pthread_join(threads[i], NULL);
  spn_phase_end(&work);
}

spn_status spn_dataset_keep(spn_dataset *set, spn_err *err) {
  keep_job job = {.set = set, .images = calloc(set->count, sizeof *job.images), .lock = PTHREAD_MUTEX_INITIALIZER};
  if (!job.images) return spn_fail(err, SPN_ENOMEM, "%.900s: out of memory", set->path);
  run_job(&job);
  if (!atomic_load(&job.stop)) {
    uint32_t item;
    set->kept = job.images;
    for (size_t i = 0; item_at(set, i, &item); i++)
      if (atomic_load(&set->reason[item])) spn_dataset_note_bad(set, item);
    return spn_dataset_check_bad(set, err);
  }
  for (size_t i = 0; i < set->count; i++) {
    free(job.images[i].owned);
    atomic_store(&set->reason[i], NULL);
  }
  free(job.images);
  if (!job.err.code) return SPN_OK;
  if (err) *err = job.err;
  return job.err.code;
}
