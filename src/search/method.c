#include "search/inquiry.h"

#define SPN_METHOD(name) extern const spn_method spn_method_##name;
#include "search/methods.def"
#undef SPN_METHOD

const char *const spn_method_names[] = {
#define SPN_METHOD(name) #name,
#include "search/methods.def"
#undef SPN_METHOD
    NULL};

const spn_method *const spn_methods[] = {
#define SPN_METHOD(name) &spn_method_##name,
#include "search/methods.def"
#undef SPN_METHOD
    NULL};

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

static const spn_method *method_of(const spn_settings *s) {
  return spn_methods[spn_name_index(spn_method_names, s->search_method)];
}

spn_status spn_problem_needs_images(const spn_settings *s, int *needs, spn_err *err) {
  *needs = method_of(s)->run || spn_evaluator_of(s)->images;
  if (!method_of(s)->run || !s->search_table[0]) return SPN_OK;
  return spn_fail(err, SPN_EINPUT,
                  "search.table: expected a method that asks, such as evolution; %s learns from images",
                  s->search_method);
}

spn_status spn_problem_search(const spn_problem *p, spn_search_result *out, spn_err *err) {
  const spn_method *method = method_of(p->settings);
  return method->search ? spn_inquiry_run(p, method->search, out, err) : method->run(p, out, err);
}
