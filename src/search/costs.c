/* What the settings say that networks cost and may cost: the main cost, and the limits of others. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/budget.h"
#include "search/method.h"
#include "search/table_columns.h"

/* ---- Loading ---- */

/* owner: the settings. table:COLUMN is a column of search.table. */
static spn_status load_one(const void *owner, const char *name, const spn_space *space, spn_cost *out, spn_err *err) {
  static const char of_table[] = "table:";
  const spn_settings *s = owner;
  size_t n = sizeof of_table - 1;
  if (strncmp(name, of_table, n)) return spn_cost_load(name, space, out, err);
  if (!s->search_table[0]) return spn_fail(err, SPN_EINPUT, "%.100s: expected a search.table, got none", name);
  return spn_table_cost(s->search_table, name + n, space, out, err);
}

static spn_status add_limits(const spn_settings *s, const spn_space *space, spn_cost *out, spn_err *err) {
  char text[sizeof s->search_limits];
  strcpy(text, s->search_limits);
  for (char *next, *at = text; at && *at; at = next) {
    at += strspn(at, " ");
    next = strchr(at, ',');
    if (next) *next++ = 0;
    SPN_TRY(spn_limits_add(out, at, space, load_one, s, err));
  }
  return SPN_OK;
}

spn_status spn_problem_cost(const spn_settings *s, const spn_space *space, spn_cost *out, spn_err *err) {
  SPN_TRY(load_one(s, s->search_cost, space, out, err));
  spn_status status = add_limits(s, space, out, err);
  if (status) spn_cost_free(out);
  return status;
}

/* ---- Whether anything keeps them ---- */

/* Four digits, not below the value: what is printed can be given back as a limit. */
static void text_above(double value, char text[32]) {
  double unit = value > 0 ? pow(10, floor(log10(value)) - 3) : 1;
  snprintf(text, 32, "%.6g", ceil(value / unit - 1e-9) * unit);
}

/* The network whose worst cost is least: by the budget's search; of those priced whole, the one of all first options.
 */
static spn_status find_least(const spn_problem *p, spn_choice *out, spn_err *err) {
  spn_choice_min(p->space, out);
  if (p->cost->whole) return SPN_OK;
  spn_budget *b = spn_budget_new(p->space, p->cost);
  spn_budget_answer least;
  if (!b) return spn_fail(err, SPN_ENOMEM, "search.limits: out of memory");
  spn_status status = spn_budget_least(b, &least, err);
  free(b);
  if (!status) *out = least.choice;
  return status;
}

static spn_status refuse_all(const spn_problem *p, const spn_choice *nearest, spn_err *err) {
  char list[400], value[32], limit[32];
  text_above(spn_cost_of(p->cost, nearest), value);
  int used = snprintf(list, sizeof list, "%s of %.6g %s", value, p->target, p->cost->unit);
  for (const spn_cost_limit *l = p->cost->limits; l && used < (int)sizeof list; l = l->next) {
    text_above(spn_cost_of(&l->cost, nearest), value);
    snprintf(limit, sizeof limit, "%.6g", l->high);
    used += snprintf(list + used, sizeof list - (size_t)used, ", %.60s %s of %s %s", l->cost.name, value, limit,
                     l->cost.unit);
  }
  return spn_fail(err, SPN_EINPUT,
                  "search.limits: no network of space %s keeps them all and search.target; the one that comes nearest "
                  "takes %s",
                  p->space->name, list);
}

spn_status spn_problem_limits(const spn_problem *p, spn_err *err) {
  spn_choice nearest;
  if (!p->cost->limits) return SPN_OK;
  for (spn_cost_limit *l = p->cost->limits; l; l = l->next) {
    double least, most;
    char text[32];
    l->target = p->target;
    if (l->follows) l->high = p->target;
    spn_cost_range(&l->cost, p->space, &least, &most);
    text_above(least, text);
    if (l->high < least)
      return spn_fail(err, SPN_EINPUT, "search.limits: %.63s: expected at least %s %s, the least of space %s, got %.6g",
                      l->cost.name, text, l->cost.unit, p->space->name, l->high);
  }
  SPN_TRY(find_least(p, &nearest, err));
  return spn_cost_worst(p->cost, &nearest) <= p->target ? SPN_OK : refuse_all(p, &nearest, err);
}
