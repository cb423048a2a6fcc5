#include "search/method.h"

#include <stdio.h>
#include <string.h>

#define METHOD(name) extern const spn_method spn_method_##name;
#include "search/methods.def"
#undef METHOD

static const spn_method *const methods[] = {
#define METHOD(name) &spn_method_##name,
#include "search/methods.def"
#undef METHOD
};

const spn_method *spn_method_at(int i) {
  return i >= 0 && (size_t)i < sizeof methods / sizeof *methods ? methods[i] : NULL;
}

spn_status spn_method_find(const char *name, const spn_method **out, spn_err *err) {
  char names[256] = "";
  for (int i = 0; (*out = spn_method_at(i)); i++) {
    if (!strcmp((*out)->name, name)) return SPN_OK;
    size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", (*out)->name);
  }
  return spn_fail(err, SPN_EINPUT, "search.method: expected one of %s, got \"%.100s\"", names, name);
}

spn_status spn_problem_budget(spn_problem *p, spn_err *err) {
  const spn_settings *s = p->settings;
  double min, max;
  spn_cost_range(p->cost, p->space, &min, &max);
  p->target = s->search_target_share > 0 ? s->search_target_share * max : s->search_target;
  p->low = p->target * (1 - s->search_tolerance);
  if (p->target >= min) return SPN_OK;
  return spn_fail(err, SPN_EINPUT,
                  "search.target: expected at least %.4g %s, the cheapest network of space %s, got %.4g", min,
                  p->cost->unit, p->space->name, p->target);
}
