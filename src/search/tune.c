#include "search/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "core/rng.h"

/* ---- Ranges ---- */

static spn_status refuse(const char *text, size_t size, const char *why, spn_err *err) {
  return spn_fail(err, SPN_EINPUT, "tune.ranges: expected section.key=LOW..HIGH, got \"%.*s\": %s", (int)size, text,
                  why);
}

/* How long a search is and what it may cost is not what is tuned, nor what it leaves behind. */
static int is_tunable(const char *path) {
  static const char *const fixed[] = {"search.target", "search.target_share", NULL};
  if (spn_name_index(fixed, path) >= 0) return 0;
  return !strncmp(path, "search.", 7) || !strncmp(path, "optim.", 6) || !strncmp(path, "data.", 5);
}

static int read_number(const char *text, double *out) {
  char *end;
  *out = strtod(text, &end);
  return end != text && !*end && isfinite(*out);
}

static spn_status read_ends(const char *low, const char *high, spn_tune_range *r, spn_err *err) {
  static spn_settings room;
  spn_number bounds;
  char min[32], max[32];
  spn_settings_default(&room);
  SPN_TRY(spn_settings_number(&room, r->path, &bounds, err));
  int good = read_number(low, &r->low) && read_number(high, &r->high) && r->low < r->high && r->low >= bounds.min &&
             r->high <= bounds.max;
  if (bounds.integer) good = good && nearbyint(r->low) == r->low && nearbyint(r->high) == r->high;
  if (!good)
    return spn_fail(err, SPN_EINPUT, "tune.ranges: %s: expected LOW..HIGH, two %s from %s to %s, got %s..%s", r->path,
                    bounds.integer ? "integers" : "numbers", spn_shortest(bounds.min, min),
                    spn_shortest(bounds.max, max), low, high);
  r->integer = bounds.integer;
  r->logarithmic = r->low > 0 && r->high / r->low >= 10;
  return SPN_OK;
}

static spn_status read_range(const char *text, size_t size, spn_tune_range *r, spn_err *err) {
  enum { SIZE = SPN_TUNE_PATH + 64, SHOWN = 60 };
  char own[SIZE];
  if (size >= sizeof own) return refuse(text, SHOWN, "it is too long", err);
  snprintf(own, sizeof own, "%.*s", (int)size, text);
  char *equals = strchr(own, '='), *dots = equals ? strstr(equals, "..") : NULL;
  if (!dots || equals == own || equals - own >= SPN_TUNE_PATH) return refuse(text, size, "it is none", err);
  *equals = *dots = 0;
  snprintf(r->path, sizeof r->path, "%.*s", SPN_TUNE_PATH - 1, own);
  if (!is_tunable(r->path)) return refuse(text, size, "it is no setting of how a search learns", err);
  return read_ends(equals + 1, dots + 2, r, err);
}

spn_status spn_tune_read(const spn_settings *s, spn_tune_space *out, spn_err *err) {
  const char *text = s->tune_ranges;
  for (out->count = 0;;) {
    size_t n = strcspn(text, ",");
    if (out->count == SPN_TUNE_SETTINGS)
      return spn_fail(err, SPN_EINPUT, "tune.ranges: expected at most %d settings, got more", SPN_TUNE_SETTINGS);
    spn_tune_range *r = &out->range[out->count];
    SPN_TRY(read_range(text, n, r, err));
    if (spn_tune_has(out, r->path)) return refuse(text, n, "it is there twice", err);
    out->count++;
    if (!text[n]) return SPN_OK;
    text += n + 1;
  }
}

int spn_tune_has(const spn_tune_space *space, const char *path) {
  for (int i = 0; i < space->count; i++)
    if (!strcmp(space->range[i].path, path)) return 1;
  return 0;
}

spn_status spn_tune_apply(const spn_tune_space *space, const double *value, spn_settings *s, spn_err *err) {
  char assignment[SPN_TUNE_PATH + 40], number[32];
  for (int i = 0; i < space->count; i++) {
    snprintf(assignment, sizeof assignment, "%s=%s", space->range[i].path, spn_shortest(value[i], number));
    SPN_TRY(spn_settings_set(s, assignment, err));
  }
  return SPN_OK;
}

int spn_tune_given(const spn_tune_space *space, const spn_settings *s, double *value) {
  int inside = 1;
  for (int i = 0; i < space->count; i++) {
    spn_number number;
    if (spn_settings_number(s, space->range[i].path, &number, NULL)) return 0;
    value[i] = number.value;
    inside &= value[i] >= space->range[i].low && value[i] <= space->range[i].high;
  }
  return inside;
}

/* ---- The unit cube ---- */

static double unit_of(const spn_tune_range *r, double value) {
  if (r->logarithmic) return log(value / r->low) / log(r->high / r->low);
  return (value - r->low) / (r->high - r->low);
}

/* Four significant digits, or an integer. */
static double value_at(const spn_tune_range *r, double unit) {
  char text[32];
  double value = r->logarithmic ? r->low * pow(r->high / r->low, unit) : r->low + unit * (r->high - r->low);
  snprintf(text, sizeof text, "%.4g", value);
  value = r->integer ? nearbyint(value) : strtod(text, NULL);
  return fmin(fmax(value, r->low), r->high);
}

/* A point of the cube as it can be tried: the nearest that is written with few digits. */
static void snap(const spn_tune_space *s, double *unit, double *value) {
  for (int i = 0; i < s->count; i++) {
    value[i] = value_at(&s->range[i], fmin(fmax(unit[i], 0), 1));
    unit[i] = unit_of(&s->range[i], value[i]);
  }
}

/* Point `index` of the Halton sequence in one dimension: the index's digits in a prime base, mirrored at the point. */
static double halton(uint64_t index, uint64_t base) {
  double sum = 0, share = 1;
  for (; index; index /= base) {
    share /= (double)base;
    sum += share * (double)(index % base);
  }
  return sum;
}

/* Evenly spread points, moved around the cube by a shift that the key decides (Cranley and Patterson 1976). */
static void spread(const spn_tune_space *s, uint64_t key, uint64_t index, double *unit) {
  static const uint64_t primes[SPN_TUNE_SETTINGS] = {2, 3, 5, 7, 11, 13, 17, 19};
  for (int i = 0; i < s->count; i++) {
    double at = halton(index + 1, primes[i]) + spn_rng_uniform(key, SPN_RNG_TUNE, (uint64_t)i);
    unit[i] = at - floor(at);
  }
}

/* ---- The next trial ---- */

enum {
  POINTS = 2000,  /* evenly spread, of which the expected improvement is computed */
  STARTS = 5,     /* the best of them, from which it is climbed */
  HALVINGS = 8,   /* of the climb's step, from FIRST_STEP */
  ATTEMPTS = 1000 /* at evenly spread values that were not tried: integers may run out */
};
static const double FIRST_STEP = 0.1;

typedef struct {
  const spn_tune_space *space;
  const spn_tune_trial *done;
  int trials;
  const spn_gp *gp;
  double best; /* largest posterior mean at the trials: with noise the largest worth is partly luck */
} climb;

typedef struct {
  double unit[SPN_TUNE_SETTINGS], value[SPN_TUNE_SETTINGS];
  double improvement; /* -1: tried already */
} candidate;

static int is_tried(const spn_tune_trial *done, int trials, const double *value, int count) {
  for (int t = 0; t < trials; t++)
    if (!memcmp(done[t].value, value, (size_t)count * sizeof *value)) return 1;
  return 0;
}

static void judge(const climb *c, candidate *at) {
  double mean, deviation;
  snap(c->space, at->unit, at->value);
  at->improvement = -1;
  if (is_tried(c->done, c->trials, at->value, c->space->count)) return;
  spn_gp_predict(c->gp, at->unit, &mean, &deviation);
  at->improvement = spn_expected_improvement(mean, deviation, c->best);
}

/* Steps along one input at a time, as long as they help; then smaller ones. */
static void go_up(const climb *c, candidate *at) {
  double step = FIRST_STEP;
  for (int halvings = 0; halvings < HALVINGS;) {
    candidate best = *at;
    for (int i = 0; i < c->space->count; i++)
      for (int sign = -1; sign <= 1; sign += 2) {
        candidate next = *at;
        next.unit[i] += sign * step;
        judge(c, &next);
        if (next.improvement > best.improvement) best = next;
      }
    if (best.improvement > at->improvement) {
      *at = best;
    } else {
      step /= 2;
      halvings++;
    }
  }
}

/* Keeps the best few in falling order. */
static void keep(candidate *start, const candidate *c) {
  int place = STARTS;
  while (place > 0 && c->improvement > start[place - 1].improvement) place--;
  if (place == STARTS) return;
  memmove(start + place + 1, start + place, (size_t)(STARTS - 1 - place) * sizeof *start);
  start[place] = *c;
}

static void most_promising(const climb *c, uint64_t key, candidate *out) {
  candidate start[STARTS], at;
  for (int i = 0; i < STARTS; i++) start[i].improvement = -1;
  for (uint64_t i = 0; i < POINTS; i++) {
    spread(c->space, key, i, at.unit);
    judge(c, &at);
    keep(start, &at);
  }
  *out = start[0];
  for (int i = 0; i < STARTS; i++) {
    if (start[i].improvement < 0) continue;
    go_up(c, &start[i]);
    if (start[i].improvement > out->improvement) *out = start[i];
  }
}

int spn_tune_best(const spn_tune_trial *done, int trials) {
  int best = -1;
  for (int t = 0; t < trials; t++)
    if (!isnan(done[t].worth) && (best < 0 || done[t].worth > done[best].worth)) best = t;
  return best;
}

static double worst_of(const spn_tune_trial *done, int trials) {
  double worst = INFINITY;
  for (int t = 0; t < trials; t++)
    if (!isnan(done[t].worth)) worst = fmin(worst, done[t].worth);
  return isinf(worst) ? 0 : worst;
}

/* By the Gaussian process; out->improvement < 0: nothing that was not tried is near. */
static spn_status by_model(const spn_tune_space *s, uint64_t key, const spn_tune_trial *done, int trials,
                           candidate *out, spn_err *err) {
  static double x[SPN_TUNE_TRIALS * SPN_TUNE_SETTINGS], y[SPN_TUNE_TRIALS];
  climb c = {.space = s, .done = done, .trials = trials, .best = -INFINITY};
  spn_gp *gp;
  double worst = worst_of(done, trials);
  for (int t = 0; t < trials; t++) {
    for (int i = 0; i < s->count; i++) x[t * s->count + i] = unit_of(&s->range[i], done[t].value[i]);
    y[t] = isnan(done[t].worth) ? worst : done[t].worth;
  }
  SPN_TRY(spn_gp_fit(x, y, trials, s->count, &gp, err));
  for (int t = 0; t < trials; t++) {
    double mean, deviation;
    spn_gp_predict(gp, x + t * s->count, &mean, &deviation);
    c.best = fmax(c.best, mean);
  }
  c.gp = gp;
  most_promising(&c, key, out);
  spn_gp_free(gp);
  return SPN_OK;
}

spn_status spn_tune_next(const spn_tune_space *s, uint64_t seed, const spn_tune_trial *done, int trials, double *value,
                         int *found, spn_err *err) {
  candidate at = {.improvement = -1};
  int first = 2 * s->count + 2;
  if (trials >= first)
    SPN_TRY(by_model(s, spn_rng_split(seed, SPN_RNG_TUNE, (uint64_t)trials), done, trials, &at, err));
  for (uint64_t i = 0; at.improvement < 0 && i < ATTEMPTS; i++) {
    spread(s, seed, (uint64_t)trials + i, at.unit);
    snap(s, at.unit, at.value);
    if (!is_tried(done, trials, at.value, s->count)) at.improvement = 0;
  }
  *found = at.improvement >= 0;
  memcpy(value, at.value, sizeof at.value);
  return SPN_OK;
}
