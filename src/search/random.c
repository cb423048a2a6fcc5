/* Random search's smallest form, the baseline of every claim: one network drawn uniformly among those that meet the
 * budget. */
#include <string.h>

#include "search/outcome.h"

enum { DRAWS = 1000000 };

static spn_status draw_one(const spn_problem *p, spn_search_result *out, spn_err *err) {
  for (uint64_t i = 0; i < DRAWS && !out->within; i++) {
    spn_choice_random(p->space, (uint64_t)p->settings->run_seed, i, &out->choice);
    out->cost = spn_cost_of(p->cost, &out->choice);
    out->within = out->cost >= p->low && out->cost <= p->target;
  }
  if (out->within) return SPN_OK;
  return spn_fail(err, SPN_EINPUT,
                  "search.target: none of %d random networks of space %s costs between %.4g and %.4g %s", DRAWS,
                  p->space->name, p->low, p->target, p->cost->unit);
}

static spn_status run(const spn_problem *p, spn_search_result *out, spn_err *err) {
  SPN_TRY(draw_one(p, out, err));
  out->seconds = spn_run_seconds(p->run);
  return spn_outcome_write(p, out, NULL, NULL, err);
}

const spn_method spn_method_random = {.about = "one uniform draw among the networks that meet the budget", .run = run};
