#include "search/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "model/blockstring.h"

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

spn_status spn_outcome_write(const spn_problem *p, const spn_search_result *r, spn_outcome_facts facts,
                             const void *owner, spn_err *err) {
  spn_arch deployed, proxy;
  spn_space_arch(p->space, &r->choice, 0, &deployed);
  spn_space_arch(p->space, &r->choice, 1, &proxy);
  deployed.classes = proxy.classes = p->data->classes;
  spn_counts counts = spn_arch_counts(&deployed);
  cJSON *o = cJSON_CreateObject();
  cJSON_AddStringToObject(o, "space", p->settings->search_space);
  cJSON_AddStringToObject(o, "method", spn_settings_name("search.method", p->settings->search_method));
  cJSON_AddStringToObject(o, "cost", p->settings->search_cost);
  cJSON_AddStringToObject(o, "unit", p->cost->unit);
  cJSON_AddNumberToObject(o, "target", p->target);
  cJSON_AddNumberToObject(o, "predicted", r->cost);
  cJSON_AddBoolToObject(o, "se_cost_is_modelled", p->cost->modelled_se);
  cJSON_AddNumberToObject(o, "params", (double)counts.params);
  cJSON_AddNumberToObject(o, "macs", (double)counts.macs);
  cJSON_AddNumberToObject(o, "images", r->images);
  cJSON_AddNumberToObject(o, "seconds", r->seconds);
  if (facts) facts(owner, o);
  add_text(o, "mnasnet", spn_blockstring_mnasnet(&deployed));
  add_text(o, "timm", spn_blockstring_timm(&deployed));
  cJSON_AddItemToObject(o, "decisions", decisions_json(p->space, &r->choice));
  add_arch(o, "arch", &deployed);
  add_arch(o, "proxy", &proxy);
  char *text = cJSON_Print(o);
  cJSON_Delete(o);
  if (!text) return spn_fail(err, SPN_ENOMEM, "arch.json: out of memory");
  spn_status status = spn_file_write(spn_run_path(p->run, "arch.json"), text, strlen(text), err);
  free(text);
  return status;
}
