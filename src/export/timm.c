/* Safetensors with the names that timm's EfficientNet gives its tensors, and a script that loads them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/facts.h"
#include "export/import.h"
#include "export/naming.h"
#include "export/lower.h"
#include "export/templates.h"
#include "io/file.h"

static const char script_name[] = "load_timm.py";

/* The block as timm's decode_arch_def reads it. The squeeze ratio is
 * written so that timm's rounding gives our count. */
static void block_text(const spn_arch *arch, const spn_block *b, char *text, size_t size) {
  static const char *const acts[] = {
      [SPN_ACT_NONE] = "", [SPN_ACT_RELU] = "_nre", [SPN_ACT_RELU6] = "_nr6", [SPN_ACT_HSWISH] = "_nhs"};
  const spn_act act = spn_block_activation(arch, b);
  const char *type = !b->expand ? "cn" : b->expand > 1 ? "ir" : "ds";
  const char *skip = b->expand ? (b->residual ? "" : "_noskip") : b->residual ? "_skip" : "";
  char ratio[32], se[40] = "", expand[16] = "";
  if (spn_block_squeeze(b)) snprintf(se, sizeof se, "_se%s", spn_shortest((double)spn_block_squeeze(b) / b->in, ratio));
  if (b->expand > 1) snprintf(expand, sizeof expand, "_e%d", b->expand);
  snprintf(text, size, "%s_r1_k%d_s%d%s_c%d%s%s%s", type, b->kernel, b->stride, expand, b->out, se,
           act == arch->activation ? "" : acts[act], skip);
}

/* A list of stages, each a list of blocks. */
static char *arch_def(const spn_arch *arch) {
  int stage[SPN_MAX_BLOCKS], place[SPN_MAX_BLOCKS], open = 0;
  char text[96];
  spn_json_writer w = {0};
  spn_naming_stages(arch, stage, place);
  spn_json_array(&w, NULL, SPN_JSON_INLINE);
  for (int i = 0; i < arch->blocks; i++) {
    if (arch->block[i].skipped) continue;
    if (!place[i]) {
      if (open) spn_json_end(&w);
      spn_json_array(&w, NULL, SPN_JSON_INLINE);
      open = 1;
    }
    block_text(arch, &arch->block[i], text, sizeof text);
    spn_json_put_text(&w, NULL, text);
  }
  if (open) spn_json_end(&w);
  spn_json_end(&w);
  return spn_json_take(&w);
}

static spn_status set_text(spn_tensors *set, const char *key, char *text, spn_err *err) {
  if (!text) return spn_fail(err, SPN_ENOMEM, "export: out of memory");
  spn_status status = spn_tensors_set_meta(set, key, text, err);
  free(text);
  return status;
}

typedef struct {
  spn_tensors *set;
  spn_status status;
  spn_err *err;
} meta_sink;

static void put_meta(void *context, const char *key, const char *value) {
  meta_sink *s = context;
  if (!s->status) s->status = spn_tensors_set_meta(s->set, key, value, s->err);
}

static spn_status fill(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                       spn_tensors *set, spn_err *err) {
  const spn_facts facts = {arch, options, "NCHW", NULL};
  meta_sink sink = {set, SPN_OK, err};
  spn_lowered *net;
  SPN_TRY(spn_lower(arch, weights, options, NULL, &net, err)); /* every tensor is there and has its shape */
  spn_lowered_free(net);
  SPN_TRY(spn_naming_write(SPN_NAMING_TIMM, arch, weights, set, err));
  SPN_TRY(spn_facts_each(&facts, put_meta, &sink, err));
  SPN_TRY(sink.status);
  SPN_TRY(set_text(set, "spnas.arch", spn_arch_to_json(arch), err));
  SPN_TRY(set_text(set, "timm.arch_def", arch_def(arch), err));
  return spn_tensors_set_meta(set, "batch_norm", "kept", err); /* whatever is asked of other formats */
}

/* The script, beside the file. */
static spn_status write_script(const char *path, spn_err *err) {
  const char *slash = strrchr(path, '/');
  const size_t folder = slash ? (size_t)(slash - path) + 1 : 0, room = folder + sizeof script_name;
  char *script = malloc(room);
  if (!script) return spn_fail(err, SPN_ENOMEM, "export: out of memory");
  snprintf(script, room, "%.*s%s", (int)folder, path, script_name);
  spn_status status = spn_file_write(script, spn_template_load_timm, strlen(spn_template_load_timm), err);
  free(script);
  return status;
}

static spn_status write_timm(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                             const char *path, spn_err *err) {
  spn_tensors *set = spn_tensors_new();
  if (!set) return spn_fail(err, SPN_ENOMEM, "%s: out of memory while exporting", path);
  spn_status status = fill(arch, weights, options, set, err);
  if (!status) status = spn_tensors_save(set, path, err);
  spn_tensors_free(set);
  return status ? status : write_script(path, err);
}

static spn_status read_timm(const char *path, spn_lowered **out, spn_err *err) {
  const spn_export_options options = spn_export_defaults();
  spn_imported net;
  SPN_TRY(spn_import_timm(path, NULL, &net, err));
  spn_status status = spn_lower(&net.arch, net.weights, &options, NULL, out, err);
  spn_imported_free(&net);
  return status;
}

const spn_exporter spn_exporter_timm = {.suffix = ".timm.safetensors",
                                        .about = "safetensors with timm's names, and load_timm.py beside it (PyTorch)",
                                        .write = write_timm,
                                        .read = read_timm};
