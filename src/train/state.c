#include "train/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct spn_state {
  spn_tensors *out;      /* saving, or NULL */
  const spn_tensors *in; /* loading, or NULL */
  spn_status status;     /* of saving */
  spn_err *err;
  char complaint[3][300]; /* of loading: missing, wrong, unknown */
  unsigned char *used;    /* of the set's tensors */
};

/* ---- Both ways ---- */

enum { MISSING, WRONG, UNKNOWN };
static const char *const complaints[] = {"missing", "wrong size of", "unknown"};

static void complain(spn_state *s, int kind, const char *name, const char *rest) {
  char *list = s->complaint[kind];
  size_t used = strlen(list), room = sizeof s->complaint[kind] - used;
  int n = snprintf(list + used, room, "%s%.100s%s", used ? ", " : "", name, rest);
  if (n >= (int)room) snprintf(list + sizeof s->complaint[kind] - 4, 4, "...");
}

/* Data of a tensor to fill (saving) or to read (loading); NULL when there is none. */
static void *slot(spn_state *s, const char *name, spn_dtype dtype, size_t count) {
  if (s->out) {
    if (!s->status) s->status = spn_tensors_add(s->out, name, dtype, 1, &count, NULL, s->err);
    return s->status ? NULL : spn_tensors_find(s->out, name)->data;
  }
  for (size_t i = 0; i < spn_tensors_count(s->in); i++) {
    const spn_tensor *t = spn_tensors_at(s->in, i);
    if (strcmp(t->name, name)) continue;
    s->used[i] = 1;
    if (t->dtype == dtype && spn_tensor_elements(t) == count) return t->data;
    char rest[80];
    snprintf(rest, sizeof rest, " (expected %zu numbers, got %zu%s)", count, spn_tensor_elements(t),
             t->dtype == dtype ? "" : " of another type");
    complain(s, WRONG, name, rest);
    return NULL;
  }
  complain(s, MISSING, name, "");
  return NULL;
}

void spn_state_doubles(spn_state *s, const char *name, double *first, size_t count, size_t stride) {
  double *data = slot(s, name, SPN_F64, count);
  for (size_t i = 0; data && i < count; i++) {
    double *own = (double *)((char *)first + i * stride);
    if (s->out) data[i] = *own;
    else *own = data[i];
  }
}

void spn_state_double(spn_state *s, const char *name, double *value) {
  spn_state_doubles(s, name, value, 1, sizeof *value);
}

void spn_state_counter(spn_state *s, const char *name, uint64_t *value) {
  int64_t *data = slot(s, name, SPN_I64, 1);
  if (data && s->out) *data = (int64_t)*value;
  else if (data) *value = (uint64_t)*data;
}

void spn_state_floats(spn_state *s, const char *name, float *values, size_t count) {
  float *data = slot(s, name, SPN_F32, count);
  if (data) memcpy(s->out ? data : values, s->out ? values : data, count * sizeof *values);
}

/* ---- Whole ---- */

spn_status spn_state_save(spn_state_list list, void *owner, spn_tensors *out, spn_err *err) {
  spn_state s = {.out = out, .err = err};
  list(owner, &s);
  return s.status;
}

spn_status spn_state_load(spn_state_list list, void *owner, const spn_tensors *set, const char *what, spn_err *err) {
  size_t count = spn_tensors_count(set);
  spn_state s = {.in = set, .err = err, .used = calloc(count + 1, 1)};
  if (!s.used) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", what);
  list(owner, &s);
  for (size_t i = 0; i < count; i++)
    if (!s.used[i]) complain(&s, UNKNOWN, spn_tensors_at(set, i)->name, "");
  free(s.used);
  char all[960] = "";
  for (int kind = MISSING; kind <= UNKNOWN; kind++) {
    size_t n = strlen(all);
    if (s.complaint[kind][0])
      snprintf(all + n, sizeof all - n, "%s%s %s", n ? "; " : "", complaints[kind], s.complaint[kind]);
  }
  if (!all[0]) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "%.200s: not a state of this version of spnas and this network: %s", what, all);
}
