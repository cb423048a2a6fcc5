#include "search/outcome.h"

#include <stdlib.h>

#include "model/blockstring.h"

static void put_decisions(spn_json_writer *w, const spn_space *space, const spn_choice *choice) {
  spn_json_array(w, "decisions", SPN_JSON_LINES);
  for (int i = 0; i < space->layers; i++) {
    const spn_layer *layer = &space->layer[i];
    const spn_layer_choice *c = &choice->layer[i];
    spn_json_object(w, NULL, SPN_JSON_INLINE);
    spn_json_put_integer(w, "layer", i);
    spn_json_put_flag(w, "keep", c->keep);
    if (c->keep) {
      spn_json_put_integer(w, "kernel", layer->kernel[c->kernel]);
      spn_json_put_integer(w, "expand", layer->expand[c->expand]);
      spn_json_put_number(w, "se", layer->se[c->se]);
    }
    spn_json_end(w);
  }
  spn_json_end(w);
}

static void put_blockstrings(spn_json_writer *w, const spn_arch *arch) {
  char *mnasnet = spn_blockstring_mnasnet(arch), *timm = spn_blockstring_timm(arch);
  w->failed |= !mnasnet || !timm;
  spn_json_put_text(w, "mnasnet", mnasnet);
  spn_json_put_text(w, "timm", timm);
  free(mnasnet);
  free(timm);
}

spn_status spn_outcome_write(const spn_problem *p, const spn_search_result *r, spn_outcome_facts facts,
                             const void *owner, spn_err *err) {
  spn_arch deployed, proxy;
  spn_json_writer w = {0};
  SPN_TRY(spn_run_begin(p->run, 0, err)); /* of a method that takes no steps */
  spn_space_arch(p->space, &r->choice, 0, &deployed);
  spn_space_arch(p->space, &r->choice, 1, &proxy);
  if (p->data) deployed.classes = proxy.classes = p->data->classes;
  spn_counts counts = spn_arch_counts(&deployed);
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_json_put_text(&w, "space", p->settings->search_space);
  spn_json_put_text(&w, "method", p->settings->search_method);
  spn_json_put_text(&w, "cost", p->settings->search_cost);
  spn_json_put_text(&w, "unit", p->cost->unit);
  spn_json_put_number(&w, "target", p->target);
  spn_json_put_rounded(&w, "predicted", r->cost, 15);
  spn_json_put_flag(&w, "se_cost_is_modelled", p->cost->modelled_se);
  spn_json_put_integer(&w, "params", counts.params);
  spn_json_put_integer(&w, "macs", counts.macs);
  spn_json_put_number(&w, "images", r->images);
  spn_json_put_rounded(&w, "seconds", r->seconds, 6);
  if (facts) facts(owner, &w);
  put_blockstrings(&w, &deployed);
  put_decisions(&w, p->space, &r->choice);
  spn_arch_put(&w, "arch", &deployed);
  spn_arch_put(&w, "proxy", &proxy);
  spn_json_end(&w);
  return spn_json_save(&w, spn_run_path(p->run, "arch.json"), err);
}
