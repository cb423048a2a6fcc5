#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "export/export.h"
#include "model/blockstring.h"
#include "train/environment.h"
#include "train/model_file.h"

enum { MAX_FACTS = 24 };

/* The file's own facts, and the network as block strings. */
static size_t collect_facts(const spn_model *m, char *mnasnet, char *timm, spn_export_fact *facts) {
  size_t count = 0;
  facts[count++] = (spn_export_fact){"spnas.mnasnet", mnasnet};
  facts[count++] = (spn_export_fact){"spnas.timm", timm};
  const char *key, *value;
  for (size_t i = 0; count < MAX_FACTS && spn_tensors_meta_at(m->tensors, i, &key, &value); i++)
    if (strcmp(key, "spnas.classes")) facts[count++] = (spn_export_fact){key, value};
  return count;
}

static spn_status export_model(const spn_arguments *a, const spn_model *m, const char *format, spn_err *err) {
  const spn_settings *s = &a->settings;
  spn_export_options o = spn_export_defaults();
  spn_export_fact facts[MAX_FACTS];
  char *mnasnet = spn_blockstring_mnasnet(&m->arch), *timm = spn_blockstring_timm(&m->arch);
  const char **classes = spn_model_classes(m);
  o.opset = s->export_opset ? 17 : 13;
  o.fold_bn = s->export_fold_bn;
  o.input = s->export_normalize ? SPN_INPUT_PIXELS : SPN_INPUT_NORMALISED;
  for (int i = 0; i < 3; i++) o.mean[i] = (double)m->eval.mean[i], o.std[i] = (double)m->eval.std[i];
  o.resize = (int)lround(m->eval.size / m->eval.eval_crop);
  o.crop_fraction = m->eval.eval_crop;
  o.resize_filter = m->eval.resize == SPN_RESIZE_BICUBIC ? "bicubic" : "bilinear";
  o.class_names = classes;
  o.version = spn_version();
  o.facts = facts;
  o.fact_count = mnasnet && timm ? collect_facts(m, mnasnet, timm, facts) : 0;
  spn_status status = spn_export(format, &m->arch, m->tensors, &o, a->out, err);
  free(mnasnet);
  free(timm);
  free(classes);
  return status;
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  spn_model m;
  const char *format = a->format ? a->format : a->settings.export_format;
  if (!a->positional) return spn_fail(err, SPN_EINPUT, "expected a network file, for example best.safetensors, got nothing");
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the file to write, got nothing");
  SPN_TRY(spn_model_load(a->positional, &m, err));
  spn_status status = export_model(a, &m, format, err);
  spn_model_free(&m);
  if (!status) printf("wrote %s (%s)\n", a->out, format);
  return status;
}

const spn_command spn_cmd_export = {
    .name = "export", .about = "Writes a trained network in a format other software runs.",
    .usage = "spnas export NETWORK.safetensors --out FILE [--format onnx] [--set export.opset=17]...\n\n"
             "  --out FILE         the file to write\n  --format NAME      export.format",
    .sections = "export", .takes = "pof", .run = command};
