#include "api/model_export.h"

#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "model/blockstring.h"
#include "core/version.h"

enum { MAX_FACTS = 48 };

static int opset_number(spn_opset opset) {
  switch (opset) {
    case SPN_OPSET_13: return 13;
    case SPN_OPSET_17: return 17;
  }
  return 0; /* the exporter refuses it */
}

/* The file's own facts, the rules of its preprocessing, and the network as block strings. */
static size_t collect_facts(const spn_model *m, char *mnasnet, char *timm, spn_export_fact *facts) {
  size_t count = 0;
  facts[count++] = (spn_export_fact){"spnas.mnasnet", mnasnet};
  facts[count++] = (spn_export_fact){"spnas.timm", timm};
#define RULE(name, rule) facts[count++] = (spn_export_fact){"input." name, rule};
  SPN_EVAL_RULES(RULE)
#undef RULE
  facts[count++] = (spn_export_fact){"input.resize_long_side", spn_long_side_names[m->eval.framing]};
  facts[count++] = (spn_export_fact){"input.resize_rounding", spn_level_names[m->eval.framing]};
  facts[count++] = (spn_export_fact){"input.crop_offset", spn_crop_offset_names[m->eval.framing]};
  const char *key, *value;
  for (size_t i = 0; count < MAX_FACTS && spn_tensors_meta_at(m->tensors, i, &key, &value); i++)
    if (strcmp(key, "spnas.classes")) facts[count++] = (spn_export_fact){key, value};
  return count;
}

spn_status spn_model_export(const spn_model *m, const spn_settings *s, const char *format, const char *path,
                            spn_err *err) {
  spn_export_options o = spn_export_defaults();
  spn_export_fact facts[MAX_FACTS];
  char *mnasnet = spn_blockstring_mnasnet(&m->arch), *timm = spn_blockstring_timm(&m->arch);
  const char **classes = spn_model_classes(m);
  o.opset = opset_number(s->export_opset);
  o.fold_bn = s->export_fold_bn;
  o.input = s->export_normalize ? SPN_INPUT_PIXELS : SPN_INPUT_NORMALISED;
  for (int i = 0; i < 3; i++) o.mean[i] = (double)m->eval.mean[i], o.std[i] = (double)m->eval.std[i];
  o.resize = spn_transform_side(&m->eval);
  o.crop_fraction = m->eval.eval_crop;
  o.resize_filter = spn_resize_names[m->eval.resize];
  o.class_names = classes;
  o.version = spn_version();
  o.facts = facts;
  o.fact_count = mnasnet && timm ? collect_facts(m, mnasnet, timm, facts) : 0;
  spn_status status = spn_export(format, &m->arch, m->tensors, &o, path, err);
  free(mnasnet);
  free(timm);
  free(classes);
  return status;
}
