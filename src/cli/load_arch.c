/* A network as users name one: arch.json, a name in data/networks, a block string. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "io/json.h"
#include "model/blockstring.h"
#include "model/frame_json.h"

/* A block string has a stride or a repeat right after an underscore-separated word and no path in it. */
static int is_block_string(const char *text) {
  return (text[0] == 'r' || !strncmp(text, "ds_", 3) || !strncmp(text, "ir_", 3)) && strstr(text, "_k") &&
         !strchr(text, '/') && !strstr(text, ".json");
}

/* A block string leaves stem, head and BN open: MnasNet's. */
static spn_status from_block_string(const char *text, spn_arch *out, char *note, spn_err *err) {
  SPN_TRY(spn_arch_load("mnasnet-b1", out, err));
  snprintf(out->name, sizeof out->name, "block-string");
  SPN_TRY(spn_blockstring_parse(text, out, note, err));
  return SPN_OK;
}

/* The member that train.variant asks for, of an arch.json that a search wrote. */
static spn_status read_variant(const spn_json *root, spn_variant variant, spn_arch *out, spn_err *err) {
  spn_json proxy = spn_json_get(root, "proxy");
  if (variant == SPN_VARIANT_DEPLOYMENT) return spn_arch_read(root, out, NULL, err);
  if (!spn_json_is_object(&proxy))
    return spn_json_fail(root, err, "train.variant proxy: this file holds no proxy network");
  return spn_arch_read(&proxy, out, NULL, err);
}

static spn_status load(const spn_settings *s, const char *arch, spn_arch *out, char *note, spn_err *err) {
  if (!arch[0])
    return spn_fail(err, SPN_EINPUT,
                    "--arch: expected arch.json, a name in data/networks or a block string, got nothing");
  if (is_block_string(arch)) return from_block_string(arch, out, note, err);
  if (!strstr(arch, ".json") && !strchr(arch, '/')) return spn_arch_load_noted(arch, out, note, err);
  spn_json_doc *doc;
  SPN_TRY(spn_json_load(arch, &doc, err));
  spn_json root = spn_json_root(doc);
  spn_json inner = spn_json_get(&root, "arch");
  spn_status status = spn_json_is_object(&inner) ? read_variant(&root, s->train_variant, out, err)
                                                 : spn_arch_load_noted(arch, out, note, err);
  spn_json_free(doc);
  return status;
}

spn_status spn_cli_load_arch(const spn_settings *s, const char *arch, spn_arch *out, char *note, spn_err *err) {
  note[0] = 0;
  SPN_TRY(load(s, arch, out, note, err));
  if (s->train_width != 1) spn_arch_scale(out, s->train_width);
  if (s->train_size) out->input_size = (int)s->train_size;
  return spn_arch_check(out, err);
}
