/* A network as users name one: arch.json, a name in data/networks, a block string. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "io/json.h"
#include "model/blockstring.h"
#include "model/frame_json.h"
#include "model/scale.h"

/* Of an arch.json that a search wrote. */
static spn_status read_searched(const spn_json *root, spn_variant variant, spn_named_arch *out, spn_err *err) {
  spn_json proxy = spn_json_get(root, "proxy");
  spn_arch deployed;
  SPN_TRY(spn_origin_read(root, &out->origin, err));
  SPN_TRY(spn_arch_read(root, &deployed, NULL, err));
  out->arch = deployed;
  if (variant == SPN_VARIANT_DEPLOYMENT) return SPN_OK;
  if (!spn_json_is_object(&proxy))
    return spn_json_fail(root, err, "train.variant proxy: this file holds no proxy network");
  SPN_TRY(spn_arch_read(&proxy, &out->arch, NULL, err));
  if (!spn_arch_equal(&out->arch, &deployed)) spn_origin_differ(&out->origin, "proxy");
  return SPN_OK;
}

static spn_status load(const spn_settings *s, const char *arch, spn_named_arch *out, spn_err *err) {
  if (!arch[0])
    return spn_fail(err, SPN_EINPUT,
                    "--arch: expected arch.json, a name in data/networks or a block string, got nothing");
  if (spn_blockstring_is(arch)) return spn_blockstring_network(arch, &out->arch, out->note, err);
  if (!strstr(arch, ".json") && !strchr(arch, '/')) return spn_arch_load_noted(arch, &out->arch, out->note, err);
  spn_json_doc *doc;
  SPN_TRY(spn_json_load(arch, &doc, err));
  spn_json root = spn_json_root(doc);
  spn_json inner = spn_json_get(&root, "arch");
  spn_status status = spn_json_is_object(&inner) ? read_searched(&root, s->train_variant, out, err)
                                                 : spn_arch_load_noted(arch, &out->arch, out->note, err);
  spn_json_free(doc);
  return status;
}

spn_status spn_cli_load_arch(const spn_settings *s, const char *arch, spn_named_arch *out, spn_err *err) {
  const spn_scaling scaling = {s->train_depth, s->train_width, (int)s->train_size};
  char what[64];
  *out = (spn_named_arch){.note = ""};
  SPN_TRY(load(s, arch, out, err));
  if (s->train_depth != 1) {
    snprintf(what, sizeof what, "train.depth %g", s->train_depth);
    spn_origin_differ(&out->origin, what);
  }
  if (s->train_width != 1) {
    snprintf(what, sizeof what, "train.width %g", s->train_width);
    spn_origin_differ(&out->origin, what);
  }
  if (s->train_size && s->train_size != out->arch.input_size) {
    snprintf(what, sizeof what, "train.size %lld", s->train_size);
    spn_origin_differ(&out->origin, what);
  }
  return spn_arch_rescale(&out->arch, &scaling, err);
}

void spn_cli_print_origin(const spn_tensors *weights) {
  const char *predicted = spn_tensors_meta(weights, "spnas.predicted"), *unit = spn_tensors_meta(weights, "spnas.unit");
  const char *cost = spn_tensors_meta(weights, "spnas.cost"), *note = spn_tensors_meta(weights, SPN_ORIGIN_NOTE_KEY);
  const char *limits = spn_tensors_meta(weights, "spnas.limits");
  if (predicted && unit && cost) printf("predicted   %s %s (%s)\n", predicted, unit, cost);
  if (predicted && limits) printf("limits      %s\n", limits);
  if (note) printf("note        %s\n", note);
}
