#include "search/outcome.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/blockstring.h"
#include "search/choices.h"

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
      spn_json_put_number(w, "se", layer->expand[c->expand] ? layer->se[c->se] : 0);
      if (layer->leads && layer->channels > 1) spn_json_put_integer(w, "channels", layer->channel[c->channels]);
      if (layer->leads && layer->shortcuts > 1) spn_json_put_flag(w, "shortcut", c->shortcut);
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

static void put_limits(spn_json_writer *w, const spn_problem *p, const spn_choice *choice) {
  if (!p->cost->limits) return;
  spn_json_array(w, "limits", SPN_JSON_LINES);
  for (const spn_cost_limit *l = p->cost->limits; l; l = l->next) {
    spn_json_object(w, NULL, SPN_JSON_INLINE);
    spn_json_put_text(w, "cost", l->cost.name);
    spn_json_put_text(w, "unit", l->cost.unit);
    spn_json_put_rounded(w, "limit", l->high, 15);
    spn_json_put_rounded(w, "predicted", spn_cost_of(&l->cost, choice), 15);
    spn_json_end(w);
  }
  spn_json_end(w);
}

void spn_outcome_origin(const spn_problem *p, const spn_search_result *r, spn_origin *out) {
  const spn_settings *s = p->settings;
  char lacks[SPN_EVIDENCE_TEXT];
  *out = (spn_origin){.searched = 1, .target = p->free ? 0 : p->target, .predicted = r->cost};
  snprintf(out->space, sizeof out->space, "%s", s->search_space);
  snprintf(out->method, sizeof out->method, "%s", s->search_method);
  snprintf(out->cost, sizeof out->cost, "%s", s->search_cost);
  snprintf(out->unit, sizeof out->unit, "%s", p->cost->unit);
  for (const spn_cost_limit *l = p->cost->limits; l; l = l->next)
    spn_origin_limit(out, l->cost.name, spn_cost_of(&l->cost, &r->choice), l->high, l->cost.unit);
  spn_evidence_lacks(&r->evidence, lacks);
  if (lacks[0]) snprintf(out->note, sizeof out->note, "too little evidence: %s", lacks);
}

spn_status spn_outcome_require(const spn_problem *p, const spn_search_result *r, spn_err *err) {
  char lacks[SPN_EVIDENCE_TEXT];
  spn_evidence_lacks(&r->evidence, lacks);
  if (!lacks[0] || p->settings->search_force) return SPN_OK;
  return spn_fail(err, SPN_EINPUT,
                  "too little evidence to name a network: %s. Search longer (search.epochs, or search.budget) into "
                  "another --out; or --resume --set search.force=1 names one all the same",
                  lacks);
}

/* What there is no image for is null. */
static void put_score(spn_json_writer *w, const char *key, const spn_score *score) {
  spn_json_put_number(w, key, score->images ? score->top1 : NAN);
}

static void put_scores(spn_json_writer *w, const spn_evidence *e) {
  spn_json_put_number(w, "training_steps", e->steps);
  spn_json_put_integer(w, "networks", e->networks);
  spn_json_put_rounded(w, "mean", e->mean, 6);
  spn_json_put_rounded(w, "spread", e->spread, 6);
  spn_json_put_rounded(w, "standard_error", e->error, 6);
  spn_json_put_integer(w, "scored_again", e->again);
  spn_json_put_rounded(w, "rank_agreement", e->agreement, 6);
}

static void put_evidence(spn_json_writer *w, const spn_search_result *r) {
  const spn_evidence *e = &r->evidence;
  if (e->of != SPN_EVIDENCE_NONE) {
    char lacks[SPN_EVIDENCE_TEXT];
    spn_evidence_lacks(e, lacks);
    spn_json_object(w, "evidence", SPN_JSON_INLINE);
    spn_json_put_flag(w, "enough", !lacks[0]);
    if (e->of == SPN_EVIDENCE_SCORES) put_scores(w, e);
    else {
      spn_json_put_number(w, "steps_after_warmup", e->steps);
      spn_json_put_integer(w, "gains", e->gains);
      spn_json_put_integer(w, "significant_gains", e->significant);
    }
    spn_json_put_rounded(w, e->held_out ? "holdout_ce" : "train_ce", e->ce, 6);
    spn_json_put_rounded(w, "chance_ce", e->chance, 6);
    spn_json_end(w);
  }
  if (!r->inherits) return;
  put_score(w, "inherited_holdout_top1", &r->inherited_holdout);
  put_score(w, "inherited_test_top1", &r->inherited_test);
}

spn_status spn_outcome_write(const spn_problem *p, const spn_search_result *r, spn_outcome_facts facts,
                             const void *owner, spn_err *err) {
  spn_arch deployed, proxy;
  spn_json_writer w = {0};
  spn_origin origin;
  spn_decisions decisions;
  spn_code code;
  SPN_TRY(spn_run_begin(p->run, 0, err)); /* of a method that takes no steps */
  spn_outcome_origin(p, r, &origin);
  spn_space_arch(p->space, &r->choice, 0, &deployed);
  spn_space_arch(p->space, &r->choice, 1, &proxy);
  if (p->data) deployed.classes = proxy.classes = p->data->classes;
  spn_counts counts = spn_arch_counts(&deployed);
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  spn_json_put_text(&w, "space", origin.space);
  spn_json_put_text(&w, "method", origin.method);
  spn_json_put_text(&w, "cost", origin.cost);
  spn_json_put_text(&w, "unit", origin.unit);
  spn_json_put_number(&w, "target", p->free ? NAN : origin.target);
  spn_json_put_rounded(&w, "predicted", origin.predicted, 15);
  put_limits(&w, p, &r->choice);
  if (origin.note[0]) spn_json_put_text(&w, "note", origin.note);
  put_blockstrings(&w, &deployed);
  spn_decisions_of(p->space, &decisions);
  spn_code_of(&decisions, &r->choice, &code);
  spn_json_put_text(&w, "network", code.text);
  put_decisions(&w, p->space, &r->choice);
  spn_json_put_flag(&w, "se_cost_is_modelled", p->cost->modelled_se);
  spn_json_put_integer(&w, "params", counts.params);
  spn_json_put_integer(&w, "macs", counts.macs);
  spn_json_put_number(&w, "images", r->images);
  spn_json_put_rounded(&w, "seconds", r->seconds, 6);
  put_evidence(&w, r);
  if (r->inherits && spn_space_is_proxy(p->space)) {
    char text[128];
    snprintf(text, sizeof text, "proxy at %dx%d, width %.4g, not the network of %.4g %s", proxy.input_size,
             proxy.input_size, p->space->proxy_width, r->cost, p->cost->unit);
    spn_json_put_text(&w, "searched_on", text);
  }
  spn_arch_put(&w, "arch", &deployed);
  spn_arch_put(&w, "proxy", &proxy);
  if (facts) facts(owner, &w); /* last: what is found comes before long lists of how */
  spn_json_end(&w);
  return spn_json_save(&w, spn_run_path(p->run, "arch.json"), err);
}
