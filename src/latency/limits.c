#include "latency/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 1024 };

double spn_cost_worst(const spn_cost *cost, const spn_choice *choice) {
  double worst = spn_cost_of(cost, choice);
  for (const spn_cost_limit *l = cost->limits; l; l = l->next)
    worst = fmax(worst, spn_limit_counts(spn_cost_of(&l->cost, choice), l->high, l->target));
  return worst;
}

int spn_limits_count(const spn_cost *cost) {
  int count = 0;
  for (const spn_cost_limit *l = cost->limits; l; l = l->next) count++;
  return count;
}

void spn_limits_free(spn_cost_limit *l) {
  for (spn_cost_limit *next; l; l = next) {
    next = l->next;
    spn_cost_free(&l->cost);
    free(l);
  }
}

/* ---- Reading ---- */

static spn_status refused(const char *text, spn_err *err) {
  return spn_fail(err, SPN_EINPUT,
                  "search.limits: expected a cost and its limit, such as params <= 4.5 or params <= 60%%, or a cost "
                  "alone for search.target, got \"%.200s\"",
                  text);
}

/* "params <= 60%": the name, and 60 with percent 1. value 0: none is given. */
static spn_status split(const char *text, char name[NAME], double *value, int *percent, spn_err *err) {
  const char *sign = strstr(text, "<=");
  size_t n = sign ? (size_t)(sign - text) : strlen(text);
  *value = *percent = 0;
  while (n && text[n - 1] == ' ') n--;
  if (!n || n >= NAME) return refused(text, err);
  memcpy(name, text, n);
  name[n] = 0;
  if (!sign) return SPN_OK;
  char *end;
  *value = strtod(sign + 2, &end);
  *percent = *end == '%';
  end += *percent;
  end += strspn(end, " ");
  return *end || !(*value > 0) || isinf(*value) || (*percent && *value > 100) ? refused(text, err) : SPN_OK;
}

static spn_status settle(spn_cost_limit *l, const spn_cost *main_cost, const spn_space *space, double value,
                         int percent, spn_err *err) {
  double least, most;
  if (!(value > 0)) {
    l->follows = 1;
    if (!strcmp(l->cost.unit, main_cost->unit)) return SPN_OK;
    return spn_fail(err, SPN_EINPUT, "search.limits: expected a limit in %s, such as %.63s <= 1, got \"%.63s\" alone",
                    l->cost.unit, l->cost.name, l->cost.name);
  }
  spn_cost_range(&l->cost, space, &least, &most);
  l->high = percent ? value / 100 * most : value;
  if (l->high > 0) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "search.limits: no network of space %s costs anything by %.63s", space->name,
                  l->cost.name);
}

spn_status spn_limits_add(spn_cost *cost, const char *text, const spn_space *space, spn_cost_loader load,
                          const void *owner, spn_err *err) {
  char name[NAME];
  double value;
  int percent;
  if (spn_limits_count(cost) == SPN_MAX_LIMITS)
    return spn_fail(err, SPN_EINPUT, "search.limits: expected at most %d limits, got more", SPN_MAX_LIMITS);
  SPN_TRY(split(text, name, &value, &percent, err));
  spn_cost_limit *l = calloc(1, sizeof *l), **end = &cost->limits;
  if (!l) return spn_fail(err, SPN_ENOMEM, "search.limits: out of memory");
  spn_status status = load(owner, name, space, &l->cost, err);
  if (!status) status = settle(l, cost, space, value, percent, err);
  if (status) {
    spn_limits_free(l);
    return status;
  }
  while (*end) end = &(*end)->next;
  *end = l;
  return SPN_OK;
}
