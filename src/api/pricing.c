#include "api/pricing.h"

#include <string.h>

/* set, standard: of a setting, and its default. */
static const char *chosen(const char *set, const char *standard, const char *named) {
  return strcmp(set, standard) || !named || !*named ? set : named;
}

const char *spn_pricing_name(const spn_settings *s, const char *cost) {
  spn_settings standard;
  spn_settings_default(&standard);
  return chosen(s->search_cost, standard.search_cost, cost);
}

spn_status spn_pricing_for(const spn_settings *s, const char *space, const char *cost, spn_pricer **out, spn_err *err) {
  spn_settings standard;
  spn_settings_default(&standard);
  return spn_pricer_load(spn_pricing_name(s, cost), chosen(s->search_space, standard.search_space, space), out, err);
}

spn_status spn_pricing_profile(const spn_model *m, const spn_settings *s, spn_profile *out, spn_err *err) {
  spn_settings standard;
  spn_pricer *pricer;
  spn_err why;
  spn_profile_of(&m->arch, out);
  spn_settings_default(&standard);
  if (!strcmp(s->search_cost, standard.search_cost) && !spn_tensors_meta(m->tensors, "spnas.predicted")) return SPN_OK;
  spn_status status = spn_pricing_for(s, spn_tensors_meta(m->tensors, "spnas.space"),
                                      spn_tensors_meta(m->tensors, "spnas.cost"), &pricer, &why);
  if (!status) status = spn_pricer_apply(pricer, &m->arch, out, &why);
  spn_pricer_free(pricer); /* NULL after a failure */
  return status == SPN_ENOMEM ? spn_fail(err, status, "%s", why.text) : SPN_OK;
}
