#include "search/inherit.h"

#include <stdio.h>

#include "search/outcome.h"
#include "train/machine.h"
#include "train/model_file.h"
#include "train/origin.h"

static spn_status write_weights(const spn_problem *p, const spn_graph *g, const spn_arch *arch,
                                const spn_search_result *r, spn_err *err) {
  spn_origin origin;
  spn_origin_text numbers;
  char seed[32];
  const char *facts[SPN_ORIGIN_FACTS + 3] = {"spnas.seed", seed};
  spn_outcome_origin(p, r, &origin);
  if (spn_space_is_proxy(p->space)) spn_origin_differ(&origin, "proxy");
  snprintf(seed, sizeof seed, "%lld", p->settings->run_seed);
  spn_origin_facts(&origin, &numbers, facts + 2);
  return spn_model_save(spn_run_path(p->run, "inherited.safetensors"), g, NULL, arch, p->data, facts, err);
}

static spn_status score(const spn_problem *p, spn_graph *g, spn_split split, spn_score *out, spn_err *err) {
  if (!spn_dataset_count(p->data->set, split)) return SPN_OK;
  return spn_evaluate(g, NULL, p->data, p->settings, split, out, err);
}

spn_status spn_inherit(const spn_problem *p, const spn_supernet *net, spn_search_result *out, spn_err *err) {
  spn_arch arch;
  spn_graph *g;
  spn_network_options o;
  spn_space_arch(&net->space, &out->choice, 1, &arch);
  arch.classes = net->arch.classes;
  arch.input_channels = net->arch.input_channels;
  SPN_TRY(spn_options_choose(p->settings, &o, err));
  o.smoothing = 0;
  SPN_TRY(spn_network_create(&arch, &o, 0, &g, err));
  spn_status status = spn_network_cut(net->graph, g, err);
  if (!status) status = spn_recalibrate(g, NULL, p->data, p->settings, (size_t)p->settings->search_recalibrate, err);
  if (!status) status = score(p, g, SPN_SPLIT_HOLDOUT, &out->inherited_holdout, err);
  if (!status) status = score(p, g, SPN_SPLIT_TEST, &out->inherited_test, err);
  if (out->inherited_holdout.images) {
    out->evidence.ce = out->inherited_holdout.loss;
    out->evidence.held_out = 1;
  }
  if (!status) status = spn_outcome_require(p, out, err);
  if (!status) status = write_weights(p, g, &arch, out, err);
  out->inherits = !status;
  spn_graph_free(g);
  return status;
}
