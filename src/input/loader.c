/* A ring of batches between worker threads and one consumer. Workers claim pieces of batches in order; a batch's slot
 * in the ring is number % slots. What a piece holds depends on (seed, epoch, position) alone, never on who works on it.
 */
#include "input/loader.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

/* ---- What is in a batch ------------------------------------------------------------------------------------------ */

/* Makes the order of an epoch current; called with the lock held. */
static void set_epoch(spn_loader *l, uint64_t epoch) {
  if (l->order_ready && l->order_epoch == epoch) return;
  memcpy(l->order, l->set->split[l->o.split], l->items * sizeof *l->order);
  if (l->o.shuffle) spn_items_shuffle(l->order, l->items, l->o.seed, epoch);
  l->order_epoch = epoch;
  l->order_ready = 1;
}

/* Prepares the slot of batch `number`; called with the lock held. */
static void slot_start(spn_loader *l, uint64_t number) {
  spn_slot *s = &l->slots[number % (uint64_t)l->slot_count];
  uint64_t in_epoch = l->o.shuffle ? number % l->batches : number;
  s->epoch = l->o.shuffle ? number / l->batches : 0;
  s->first = (size_t)in_epoch * (size_t)l->o.batch;
  s->count = l->items - s->first < (size_t)l->o.batch ? (int)(l->items - s->first) : l->o.batch;
  s->pieces_left = (s->count + l->piece - 1) / l->piece;
  s->err = (spn_err){0};
  set_epoch(l, s->epoch);
  memcpy(s->items, l->order + s->first, (size_t)s->count * sizeof *s->items);
}

/* The item tried at a place of a batch: the planned one, then others of the split drawn at random. */
static uint32_t candidate(const spn_loader *l, const spn_slot *s, int place, int attempt) {
  if (attempt == 0) return s->items[place];
  uint64_t key = spn_rng_split(~l->o.seed, SPN_RNG_SHUFFLE, s->epoch << 32 | (s->first + (size_t)place));
  return l->set->split[l->o.split][spn_rng_below(key, SPN_RNG_SHUFFLE, (uint64_t)attempt, l->items)];
}

/* Fills one place; if no image could be read the label is -1. */
static spn_status fill_place(spn_loader *l, spn_slot *s, int place, spn_scratch *scratch, spn_err *err) {
  spn_image image;
  spn_status status = SPN_EINPUT;
  int tries = l->o.shuffle ? SPN_TRIES : 1;
  s->labels[place] = -1;
  s->tried[place] = 0;
  for (int attempt = 0; attempt < tries; attempt++) {
    uint32_t item = candidate(l, s, place, attempt);
    s->tried[place]++;
    status = spn_dataset_image(l->set, item, &image, err);
    if (status == SPN_EINPUT) continue;
    if (status) return status;
    status = spn_transform_run(&l->plan, scratch, &image, s->epoch, s->items[place],
                               s->images + (size_t)place * l->image_size);
    spn_image_free(&image);
    s->labels[place] = l->set->labels[item];
    return status ? spn_fail(err, status, "out of memory for an image") : SPN_OK;
  }
  return SPN_OK;
}

/* Counts the unreadable images met in a batch, in the batch's order, and closes the gaps they left. */
static spn_status settle(spn_loader *l, spn_slot *s, spn_err *err) {
  int kept = 0;
  for (int i = 0; i < s->count; i++) {
    int bad = s->tried[i] - (s->labels[i] >= 0);
    for (int attempt = 0; attempt < bad; attempt++) spn_dataset_note_bad(l->set, candidate(l, s, i, attempt));
    if (s->labels[i] < 0) continue;
    if (kept != i) {
      memcpy(s->images + (size_t)kept * l->image_size, s->images + (size_t)i * l->image_size,
             l->image_size * sizeof(float));
      s->labels[kept] = s->labels[i];
      s->items[kept] = s->items[i];
    }
    kept++;
  }
  int empty = l->o.batch - kept, lost = s->count - kept, met_bad = lost > 0;
  memset(s->images + (size_t)kept * l->image_size, 0, (size_t)empty * l->image_size * sizeof(float));
  memset(s->labels + kept, 0, (size_t)empty * sizeof *s->labels);
  for (int i = 0; i < s->count; i++) met_bad |= s->tried[i] > 1;
  s->count = kept;
  if (met_bad) SPN_TRY(spn_dataset_check_bad(l->set, err));
  if (lost && l->o.shuffle)
    return spn_fail(err, SPN_EINPUT, "%.800s: found no readable image in %d attempts", l->set->path, SPN_TRIES);
  return SPN_OK;
}

/* ---- Workers ----------------------------------------------------------------------------------------------------- */

/* 1 if a piece may be claimed; called with the lock held. */
static int has_work(const spn_loader *l) {
  return !l->paused && l->claim < l->end && l->claim - l->released < (uint64_t)l->slot_count;
}

static void work_piece(spn_loader *l, spn_slot *s, int first, spn_scratch *scratch) {
  int end = first + l->piece < s->count ? first + l->piece : s->count;
  spn_err err = {0};
  for (int i = first; i < end && !err.code; i++) fill_place(l, s, i, scratch, &err);
  pthread_mutex_lock(&l->lock);
  if (err.code && (!s->err.code || first < s->err_first)) {
    s->err = err;
    s->err_first = first;
  }
  if (--s->pieces_left == 0) pthread_cond_broadcast(&l->ready);
  if (--l->active == 0) pthread_cond_broadcast(&l->idle);
}

static void *worker(void *argument) {
  spn_loader *l = argument;
  spn_scratch scratch = {0};
  pthread_mutex_lock(&l->lock);
  for (;;) {
    while (!l->stop && !has_work(l)) pthread_cond_wait(&l->work, &l->lock);
    if (l->stop) break;
    spn_slot *s = &l->slots[l->claim % (uint64_t)l->slot_count];
    int first = l->claim_first;
    if (first == 0) slot_start(l, l->claim);
    l->claim_first += l->piece;
    if (l->claim_first >= s->count) {
      l->claim_first = 0;
      l->claim++;
    }
    l->active++;
    pthread_mutex_unlock(&l->lock);
    work_piece(l, s, first, &scratch); /* returns with the lock held */
  }
  pthread_mutex_unlock(&l->lock);
  spn_scratch_free(&scratch);
  return NULL;
}

/* ---- Opening and closing ------------------------------------------------------------------------------------------
 */

static spn_status check_options(const spn_loader_options *o, spn_err *err) {
  static const char *const names[] = {"training", "holdout", "test"};
  size_t count = spn_dataset_count(o->set, o->split);
  if (o->batch < 1 || o->batch > 1 << 20)
    return spn_fail(err, SPN_EINPUT, "batch: expected 1 to %d, got %d", 1 << 20, o->batch);
  if (o->threads > 1024) return spn_fail(err, SPN_EINPUT, "loader threads: expected at most 1024, got %d", o->threads);
  if (o->prefetch > 4096)
    return spn_fail(err, SPN_EINPUT, "prefetched batches: expected at most 4096, got %d", o->prefetch);
  if (!count) return spn_fail(err, SPN_EINPUT, "%.800s: the %s split is empty", o->set->path, names[o->split]);
  if (o->shuffle && count < (size_t)o->batch)
    return spn_fail(err, SPN_EINPUT, "%.800s: the %s split has %zu images, fewer than one batch of %d", o->set->path,
                    names[o->split], count, o->batch);
  return spn_transform_check(&o->transform, err);
}

static spn_status make_slots(spn_loader *l) {
  size_t batch = (size_t)l->o.batch, bytes;
  l->image_size = (size_t)l->o.transform.size * (size_t)l->o.transform.size * (size_t)l->o.transform.channels;
  if (__builtin_mul_overflow(batch, l->image_size * sizeof(float), &bytes)) return SPN_ENOMEM;
  bytes = (bytes + 63) / 64 * 64;
  for (int i = 0; i < l->slot_count; i++) {
    spn_slot *s = &l->slots[i];
    s->images = aligned_alloc(64, bytes);
    s->labels = calloc(batch, sizeof *s->labels);
    s->items = calloc(batch, sizeof *s->items);
    s->tried = calloc(batch, sizeof *s->tried);
    if (!s->images || !s->labels || !s->items || !s->tried) return SPN_ENOMEM;
  }
  return SPN_OK;
}

static void rewind_counters(spn_loader *l) {
  l->claim = l->released = l->deliver = l->o.first_batch;
  l->claim_first = 0;
}

static spn_status start_workers(spn_loader *l, spn_err *err) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
  int failed = 0;
  while (!failed && l->started < l->o.threads) {
    failed = pthread_create(&l->threads[l->started], NULL, worker, l);
    if (!failed) l->started++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed) return spn_fail(err, SPN_EIO, "cannot start loader thread %d: %s", l->started + 1, strerror(failed));
  return SPN_OK;
}

static spn_status open_loader(spn_loader *l, spn_err *err) {
  l->items = spn_dataset_count(l->set, l->o.split);
  size_t batch = (size_t)l->o.batch;
  l->batches = l->o.shuffle ? l->items / batch : (l->items + batch - 1) / batch;
  l->end = l->o.shuffle ? UINT64_MAX : l->batches;
  if (l->o.threads < 1) l->o.threads = 1;
  if (l->o.prefetch < 1) l->o.prefetch = 1;
  l->slot_count = l->o.prefetch + 1; /* one is with the consumer */
  int share = l->o.batch / (2 * l->o.threads);
  l->piece = share < 1 ? 1 : share > 16 ? 16 : share;
  rewind_counters(l);
  l->slots = calloc((size_t)l->slot_count, sizeof *l->slots);
  l->threads = calloc((size_t)l->o.threads, sizeof *l->threads);
  l->order = malloc(l->items * sizeof *l->order);
  if (!l->slots || !l->threads || !l->order || make_slots(l) || spn_transform_plan_make(&l->o.transform, &l->plan))
    return spn_fail(err, SPN_ENOMEM, "out of memory for %d batches of %d images", l->slot_count, l->o.batch);
  return start_workers(l, err);
}

spn_status spn_loader_open(const spn_loader_options *options, spn_loader **out, spn_err *err) {
  *out = NULL;
  SPN_TRY(check_options(options, err));
  spn_loader *l = calloc(1, sizeof *l);
  if (!l) return spn_fail(err, SPN_ENOMEM, "out of memory");
  l->o = *options;
  l->set = options->set;
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->work, NULL);
  pthread_cond_init(&l->ready, NULL);
  pthread_cond_init(&l->idle, NULL);
  spn_status status = open_loader(l, err);
  if (status) spn_loader_close(l);
  else *out = l;
  return status;
}

void spn_loader_close(spn_loader *l) {
  if (!l) return;
  pthread_mutex_lock(&l->lock);
  l->stop = 1;
  pthread_cond_broadcast(&l->work);
  pthread_mutex_unlock(&l->lock);
  for (int i = 0; i < l->started; i++) pthread_join(l->threads[i], NULL);
  for (int i = 0; l->slots && i < l->slot_count; i++) {
    free(l->slots[i].images);
    free(l->slots[i].labels);
    free(l->slots[i].items);
    free(l->slots[i].tried);
  }
  free(l->slots);
  free(l->threads);
  free(l->order);
  spn_transform_plan_free(&l->plan);
  pthread_cond_destroy(&l->work);
  pthread_cond_destroy(&l->ready);
  pthread_cond_destroy(&l->idle);
  pthread_mutex_destroy(&l->lock);
  free(l);
}

/* ---- The consumer -------------------------------------------------------------------------------------------------
 */

/* Gives the consumer's slot back and waits for the next batch; NULL after the last. */
static spn_slot *wait_for_batch(spn_loader *l) {
  spn_slot *s = NULL;
  pthread_mutex_lock(&l->lock);
  if (l->released != l->deliver) {
    l->released = l->deliver;
    pthread_cond_broadcast(&l->work);
  }
  if (l->deliver < l->end) {
    s = &l->slots[l->deliver % (uint64_t)l->slot_count];
    while (l->claim <= l->deliver || s->pieces_left > 0) pthread_cond_wait(&l->ready, &l->lock);
    l->deliver++;
  }
  pthread_mutex_unlock(&l->lock);
  return s;
}

spn_status spn_loader_next(spn_loader *l, spn_batch *out, int *end, spn_err *err) {
  if (end) *end = 0;
  if (l->failed.code) {
    if (err) *err = l->failed;
    return l->failed.code;
  }
  spn_slot *s;
  do { /* an evaluation batch without one readable image is passed over */
    s = wait_for_batch(l);
    if (!s) {
      if (end) *end = 1;
      return SPN_OK;
    }
    l->failed = s->err;
    if (l->failed.code || settle(l, s, &l->failed)) {
      if (err) *err = l->failed;
      return l->failed.code;
    }
  } while (s->count == 0);
  *out = (spn_batch){.images = s->images, .labels = s->labels, .items = s->items, .count = s->count, .epoch = s->epoch};
  return SPN_OK;
}

size_t spn_loader_batches(const spn_loader *l) { return l->batches; }

void spn_loader_rewind(spn_loader *l) {
  pthread_mutex_lock(&l->lock);
  l->paused = 1;
  while (l->active) pthread_cond_wait(&l->idle, &l->lock);
  rewind_counters(l);
  l->failed = (spn_err){0};
  l->paused = 0;
  pthread_cond_broadcast(&l->work);
  pthread_mutex_unlock(&l->lock);
}
