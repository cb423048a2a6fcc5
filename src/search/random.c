#include "search/random.h"

#include <string.h>

#include "search/outcome.h"

enum { DRAWS = 1000000 };

spn_status spn_search_random(spn_run *run, const spn_settings *s, const spn_space *space, const spn_cost *cost,
                             int classes, spn_search_result *out, spn_err *err) {
  memset(out, 0, sizeof *out);
  SPN_TRY(spn_search_target(s, space, cost, &out->target, err));
  double low = out->target * (1 - s->search_tolerance);
  for (uint64_t i = 0; i < DRAWS && !out->within; i++) {
    spn_choice_random(space, (uint64_t)s->run_seed, i, &out->choice);
    out->cost = spn_cost_of(cost, &out->choice);
    out->within = out->cost >= low && out->cost <= out->target;
  }
  if (!out->within)
    return spn_fail(err, SPN_EINPUT,
                    "search.target: none of %d random networks of space %s costs between %.4g and %.4g %s", DRAWS,
                    space->name, low, out->target, cost->unit);
  out->seconds = spn_run_seconds(run);
  return spn_outcome_arch(run, s, space, cost, classes, NULL, out, err);
}
