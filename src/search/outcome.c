#include "search/outcome.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "model/blockstring.h"
#include "train/environment.h"
#include "train/model_file.h"

static void add_text(cJSON *o, const char *key, char *text) {
  cJSON_AddStringToObject(o, key, text ? text : "");
  free(text);
}

static void add_arch(cJSON *o, const char *key, const spn_arch *arch) {
  char *text = spn_arch_to_json(arch);
  cJSON_AddItemToObject(o, key, text ? cJSON_Parse(text) : NULL);
  free(text);
}

static cJSON *decisions_json(const spn_space *space, const spn_choice *choice) {
  cJSON *list = cJSON_CreateArray();
  for (int l = 0; l < space->layers; l++) {
    const spn_layer *layer = &space->layer[l];
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "layer", l);
    cJSON_AddBoolToObject(o, "keep", choice->layer[l].keep);
    if (choice->layer[l].keep) {
      cJSON_AddNumberToObject(o, "kernel", layer->kernel[choice->layer[l].kernel]);
      cJSON_AddNumberToObject(o, "expand", layer->expand[choice->layer[l].expand]);
      cJSON_AddNumberToObject(o, "se", layer->se[choice->layer[l].se]);
    }
    cJSON_AddItemToArray(list, o);
  }
  return list;
}

static cJSON *indicators_json(const spn_supernet *net) {
  cJSON *list = cJSON_CreateArray();
  for (int i = 0; i < net->indicators; i++) {
    const spn_indicator *n = &net->indicator[i];
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", n->name);
    cJSON_AddNumberToObject(o, "threshold", n->threshold);
    cJSON_AddNumberToObject(o, "statistic", n->statistic);
    cJSON_AddNumberToObject(o, "x", n->x);
    cJSON_AddNumberToObject(o, "average_x", n->average);
    cJSON_AddNumberToObject(o, "gain", n->gain);
    cJSON_AddItemToArray(list, o);
  }
  return list;
}

static void add_scores(cJSON *o, const spn_supernet *net, const spn_search_result *r) {
  cJSON_AddNumberToObject(o, "flips_to_meet_target", r->flips);
  cJSON_AddNumberToObject(o, "inherited_holdout_top1", r->inherited_holdout.top1);
  cJSON_AddNumberToObject(o, "inherited_test_top1", r->inherited_test.top1);
  cJSON_AddItemToObject(o, "indicators", indicators_json(net));
}

spn_status spn_outcome_arch(spn_run *run, const spn_settings *s, const spn_space *space, const spn_cost *cost,
                            int classes, const spn_supernet *net, const spn_search_result *r, spn_err *err) {
  spn_arch deployed, proxy;
  spn_space_arch(space, &r->choice, 0, &deployed);
  spn_space_arch(space, &r->choice, 1, &proxy);
  deployed.classes = proxy.classes = classes;
  spn_counts counts = spn_arch_counts(&deployed);
  cJSON *o = cJSON_CreateObject();
  cJSON_AddStringToObject(o, "space", s->search_space);
  cJSON_AddStringToObject(o, "method", spn_settings_name("search.method", s->search_method));
  cJSON_AddStringToObject(o, "cost", s->search_cost);
  cJSON_AddStringToObject(o, "unit", cost->unit);
  cJSON_AddNumberToObject(o, "target", r->target);
  cJSON_AddNumberToObject(o, "predicted", r->cost);
  cJSON_AddBoolToObject(o, "se_cost_is_modelled", cost->modelled_se);
  cJSON_AddNumberToObject(o, "params", (double)counts.params);
  cJSON_AddNumberToObject(o, "macs", (double)counts.macs);
  cJSON_AddNumberToObject(o, "images", r->images);
  cJSON_AddNumberToObject(o, "seconds", r->seconds);
  if (net) add_scores(o, net, r);
  add_text(o, "mnasnet", spn_blockstring_mnasnet(&deployed));
  add_text(o, "timm", spn_blockstring_timm(&deployed));
  cJSON_AddItemToObject(o, "decisions", decisions_json(space, &r->choice));
  add_arch(o, "arch", &deployed);
  add_arch(o, "proxy", &proxy);
  char *text = cJSON_Print(o);
  cJSON_Delete(o);
  if (!text) return spn_fail(err, SPN_ENOMEM, "arch.json: out of memory");
  spn_status status = spn_file_write(spn_run_path(run, "arch.json"), text, strlen(text), err);
  free(text);
  return status;
}

static spn_status write_inherited(spn_run *run, const spn_settings *s, const spn_graph *g, const spn_arch *proxy,
                                  const spn_data *data, const spn_search_result *r, const char *unit, spn_err *err) {
  char cost[64], seed[32];
  snprintf(cost, sizeof cost, "%.6f %s", r->cost, unit);
  snprintf(seed, sizeof seed, "%lld", s->run_seed);
  const char *facts[] = {
      "spnas.method", "gradient", "spnas.predicted", cost, "spnas.cost", s->search_cost, "spnas.seed", seed, NULL};
  return spn_model_save(spn_run_path(run, "inherited.safetensors"), g, NULL, proxy, data, facts, err);
}

spn_status spn_outcome_write(spn_run *run, const spn_settings *s, const spn_supernet *net, const spn_data *data,
                             spn_search_result *out, spn_err *err) {
  spn_arch proxy;
  spn_graph *g;
  spn_space_arch(&net->space, &out->choice, 1, &proxy);
  proxy.classes = net->arch.classes;
  proxy.input_channels = net->arch.input_channels;
  spn_network_options o;
  SPN_TRY(spn_options_choose(s, &o, err));
  o.smoothing = 0;
  SPN_TRY(spn_network_create(&proxy, &o, 0, &g, err));
  spn_status status = spn_network_cut(net->graph, g, err);
  if (!status) status = spn_recalibrate(g, data, s, (int)s->search_recalibrate, err);
  if (!status && spn_dataset_count(data->set, SPN_SPLIT_HOLDOUT))
    status = spn_evaluate(g, NULL, data, s, SPN_SPLIT_HOLDOUT, &out->inherited_holdout, err);
  if (!status && spn_dataset_count(data->set, SPN_SPLIT_TEST))
    status = spn_evaluate(g, NULL, data, s, SPN_SPLIT_TEST, &out->inherited_test, err);
  if (!status) status = write_inherited(run, s, g, &proxy, data, out, net->cost.unit, err);
  spn_graph_free(g);
  return status ? status : spn_outcome_arch(run, s, &net->space, &net->cost, proxy.classes, net, out, err);
}
