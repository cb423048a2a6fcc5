/* Which image is in which split, and in which order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "input/dataset.h"

/* Independent choices from one seed. */
enum { CHOOSE_TEST = 1, CHOOSE_MAX_TRAIN, CHOOSE_MAX_TEST, CHOOSE_HOLDOUT };
/* Share of a training folder that serves as test images when there is no test folder. The choice does not depend on the
 * user's seed, so that runs with different seeds are tested on the same images. */
static const double carved_share = 0.1;

void spn_items_shuffle(uint32_t *items, size_t n, uint64_t seed, uint64_t epoch) {
  for (size_t i = n; i > 1; i--) {
    size_t j = (size_t)spn_rng_below(seed, SPN_RNG_SHUFFLE, epoch << 32 | (i - 1), i);
    uint32_t item = items[i - 1];
    items[i - 1] = items[j];
    items[j] = item;
  }
}

typedef struct {
  uint64_t rest;
  int label;
} remainder_of;

static int by_remainder(const void *a, const void *b) {
  const remainder_of *x = a, *y = b;
  if (x->rest != y->rest) return x->rest < y->rest ? 1 : -1;
  return x->label < y->label ? -1 : x->label > y->label;
}

/* quota (classes): `want` of n items in proportion to the classes' sizes, by largest remainder. */
static spn_status set_quotas(const spn_dataset *set, const uint32_t *items, size_t n, size_t want, size_t *quota) {
  remainder_of *rests = calloc((size_t)set->classes, sizeof *rests);
  if (!rests) return SPN_ENOMEM;
  size_t given = 0;
  memset(quota, 0, (size_t)set->classes * sizeof *quota);
  for (size_t i = 0; i < n; i++) quota[set->labels[items[i]]]++;
  for (int c = 0; c < set->classes; c++) {
    uint64_t product = (uint64_t)quota[c] * want; /* both below 2^32 */
    rests[c] = (remainder_of){product % n, c};
    quota[c] = (size_t)(product / n);
    given += quota[c];
  }
  qsort(rests, (size_t)set->classes, sizeof *rests, by_remainder);
  for (size_t i = 0; given < want; i++, given++) quota[rests[i].label]++;
  free(rests);
  return SPN_OK;
}

/* Moves `want` of the items (n), classes in proportion, into taken (want); the others stay in front in items, of which
 * n - want are then valid. Both keep the ascending order. */
static spn_status take(const spn_dataset *set, uint32_t *items, size_t n, size_t want, uint64_t key, uint32_t *taken) {
  if (n == 0 || want == 0) return SPN_OK;
  size_t *quota = calloc((size_t)set->classes, sizeof *quota);
  uint32_t *order = malloc(n * sizeof *order);
  unsigned char *chosen = calloc(n, 1);
  spn_status status = quota && order && chosen ? set_quotas(set, items, n, want, quota) : SPN_ENOMEM;
  if (status == SPN_OK) {
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    spn_items_shuffle(order, n, key, 0);
    for (size_t i = 0; i < n; i++) {
      size_t *left = &quota[set->labels[items[order[i]]]];
      if (*left) chosen[order[i]] = 1, --*left;
    }
    size_t kept = 0, moved = 0;
    for (size_t i = 0; i < n; i++) {
      if (chosen[i]) taken[moved++] = items[i];
      else items[kept++] = items[i];
    }
  }
  free(quota);
  free(order);
  free(chosen);
  return status;
}

/* Moves a share of one split into another, which must be empty. */
static spn_status take_split(spn_dataset *set, spn_split from, spn_split to, size_t want, uint64_t key) {
  set->split[to] = malloc((want + 1) * sizeof **set->split);
  if (!set->split[to]) return SPN_ENOMEM;
  SPN_TRY(take(set, set->split[from], set->split_count[from], want, key, set->split[to]));
  set->split_count[from] -= want;
  set->split_count[to] = want;
  return SPN_OK;
}

/* Reduces a split to `limit` images. */
static spn_status limit_split(spn_dataset *set, spn_split split, size_t limit, uint64_t key) {
  if (!limit || set->split_count[split] <= limit) return SPN_OK;
  uint32_t *fewer = malloc(limit * sizeof *fewer);
  if (!fewer) return SPN_ENOMEM;
  spn_status status = take(set, set->split[split], set->split_count[split], limit, key, fewer);
  free(set->split[split]);
  set->split[split] = fewer;
  set->split_count[split] = status ? 0 : limit;
  return status;
}

static spn_status fill_split(spn_dataset *set, spn_split split, size_t first, size_t count) {
  set->split[split] = malloc((count + 1) * sizeof **set->split);
  if (!set->split[split]) return SPN_ENOMEM;
  for (size_t i = 0; i < count; i++) set->split[split][i] = (uint32_t)(first + i);
  set->split_count[split] = count;
  return SPN_OK;
}

static spn_status make_splits(spn_dataset *set, const spn_dataset_options *o) {
  uint64_t seed = o->seed;
  SPN_TRY(fill_split(set, SPN_SPLIT_TRAIN, 0, set->train_count));
  if (set->train_count < set->count) {
    SPN_TRY(fill_split(set, SPN_SPLIT_TEST, set->train_count, set->count - set->train_count));
  } else {
    size_t want = (size_t)ceil(carved_share * (double)set->train_count);
    SPN_TRY(take_split(set, SPN_SPLIT_TRAIN, SPN_SPLIT_TEST, want, spn_rng_split(0, SPN_RNG_HOLDOUT, CHOOSE_TEST)));
  }
  SPN_TRY(limit_split(set, SPN_SPLIT_TRAIN, o->max_train, spn_rng_split(seed, SPN_RNG_HOLDOUT, CHOOSE_MAX_TRAIN)));
  SPN_TRY(limit_split(set, SPN_SPLIT_TEST, o->max_test, spn_rng_split(seed, SPN_RNG_HOLDOUT, CHOOSE_MAX_TEST)));
  if (o->test_only) set->split_count[SPN_SPLIT_TRAIN] = 0;
  size_t want = (size_t)llround(o->holdout * (double)set->split_count[SPN_SPLIT_TRAIN]);
  return take_split(set, SPN_SPLIT_TRAIN, SPN_SPLIT_HOLDOUT, want,
                    spn_rng_split(seed, SPN_RNG_HOLDOUT, CHOOSE_HOLDOUT));
}

spn_status spn_splits_make(spn_dataset *set, const spn_dataset_options *options, spn_err *err) {
  if (make_splits(set, options)) return spn_fail(err, SPN_ENOMEM, "%s: out of memory for the splits", set->path);
  if (!options->test_only && !set->split_count[SPN_SPLIT_TRAIN])
    return spn_fail(err, SPN_EINPUT, "%s: no training image is left (%zu in all, holdout %g)", set->path,
                    set->train_count, options->holdout);
  return SPN_OK;
}
