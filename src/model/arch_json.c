#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/datapath.h"
#include "model/blockstring.h"
#include "model/frame_json.h"

/* ---- Reading ------------------------------------------------------------------------------------------------------
 */

static spn_status read_optional_flag(const spn_json *block, const char *key, int *out, spn_err *err) {
  spn_json at = spn_json_get(block, key);
  return spn_json_is_null(&at) ? SPN_OK : spn_json_bool(&at, out, err);
}

static spn_status read_block(const spn_json *at, int in, spn_block *b, spn_err *err) {
  static const char *const known[] = {"in", "out",      "kernel",  "stride",     "expand",
                                      "se", "residual", "skipped", "activation", NULL};
  int activation = SPN_ACT_NONE;
  SPN_TRY(spn_json_only(at, known, err));
  spn_json kernel = spn_json_get(at, "kernel"), se = spn_json_get(at, "se"), channels = spn_json_get(at, "in"),
           act = spn_json_get(at, "activation");
  SPN_TRY(spn_json_small(&channels, 1, SPN_MAX_CHANNELS, &b->in, err));
  if (b->in != in)
    return spn_json_fail(&channels, err, "expected %d, the channels of the layer before, got %d", in, b->in);
  SPN_TRY(spn_json_member(at, "out", 1, SPN_MAX_CHANNELS, &b->out, err));
  SPN_TRY(spn_json_small(&kernel, 3, 7, &b->kernel, err));
  if (b->kernel % 2 == 0) return spn_json_expected(&kernel, "3, 5 or 7", err);
  SPN_TRY(spn_json_member(at, "stride", 1, 2, &b->stride, err));
  SPN_TRY(spn_json_member(at, "expand", 0, SPN_MAX_EXPAND, &b->expand, err));
  if (!spn_json_is_null(&se)) SPN_TRY(spn_json_real(&se, 0, 1, &b->se, err));
  if (!spn_json_is_null(&act)) SPN_TRY(spn_json_choice(&act, spn_activation_names, &activation, err));
  b->activation = (spn_act)activation;
  b->residual = b->stride == 1 && b->in == b->out;
  SPN_TRY(read_optional_flag(at, "residual", &b->residual, err));
  return read_optional_flag(at, "skipped", &b->skipped, err);
}

static spn_status read_block_list(const spn_json *blocks, spn_arch *arch, spn_err *err) {
  size_t count = spn_json_size(blocks);
  if (!spn_json_is_array(blocks) || count > SPN_MAX_BLOCKS)
    return spn_json_expected(blocks, "a block string, or a list of at most 128 blocks", err);
  int channels = arch->stem_channels;
  for (size_t i = 0; i < count; i++) {
    spn_json at = spn_json_at(blocks, i);
    SPN_TRY(read_block(&at, channels, &arch->block[i], err));
    channels = arch->block[i].out;
    arch->blocks++;
  }
  return SPN_OK;
}

static spn_status read_block_string(const spn_json *blocks, spn_arch *arch, char *note, spn_err *err) {
  const char *text = "";
  spn_err inner;
  SPN_TRY(spn_json_string(blocks, &text, err));
  if (spn_blockstring_parse(text, arch, note, &inner)) return spn_json_fail(blocks, err, "%s", inner.text);
  return SPN_OK;
}

static spn_status read_arch(const spn_json *root, spn_arch *out, char *note, spn_err *err) {
  static const char *const known[] = {"name",    "input", "classes", "activation", "padding", "bn",
                                      "dropout", "stem",  "head",    "blocks",     NULL};
  memset(out, 0, sizeof *out);
  SPN_TRY(spn_json_only(root, known, err));
  SPN_TRY(spn_frame_read(root, out, err));
  spn_json blocks = spn_json_get(root, "blocks");
  if (spn_json_is_string(&blocks)) SPN_TRY(read_block_string(&blocks, out, note, err));
  else SPN_TRY(read_block_list(&blocks, out, err));
  spn_err inner;
  return spn_arch_check(out, &inner) ? spn_json_fail(root, err, "%s", inner.text) : SPN_OK;
}

spn_status spn_arch_read(const spn_json *at, spn_arch *out, char *note, spn_err *err) {
  if (note) *note = 0;
  spn_json inner = spn_json_get(at, "arch");
  return read_arch(inner.item ? &inner : at, out, note, err);
}

spn_status spn_arch_load_noted(const char *path_or_name, spn_arch *out, char *note, spn_err *err) {
  char path[4096];
  spn_json_doc *doc = NULL;
  SPN_TRY(spn_data_path("networks", path_or_name, path, sizeof path, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc);
  spn_status status = spn_arch_read(&root, out, note, err);
  spn_json_free(doc);
  return status;
}

spn_status spn_arch_load(const char *path, spn_arch *out, spn_err *err) {
  return spn_arch_load_noted(path, out, NULL, err);
}

/* ---- Writing ---- */

static void put_block(spn_json_writer *w, const spn_block *b) {
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_integer(w, "in", b->in);
  spn_json_put_integer(w, "out", b->out);
  spn_json_put_integer(w, "kernel", b->kernel);
  spn_json_put_integer(w, "stride", b->stride);
  spn_json_put_integer(w, "expand", b->expand);
  spn_json_put_number(w, "se", b->se);
  spn_json_put_flag(w, "residual", b->residual);
  if (b->activation != SPN_ACT_NONE) spn_json_put_text(w, "activation", spn_activation_names[b->activation]);
  if (b->skipped) spn_json_put_flag(w, "skipped", 1);
  spn_json_end(w);
}

void spn_arch_put(spn_json_writer *w, const char *key, const spn_arch *a) {
  spn_json_object(w, key, SPN_JSON_LINES);
  spn_json_put_text(w, "name", *a->name ? a->name : "unnamed");
  spn_json_object(w, "input", SPN_JSON_INLINE);
  spn_json_put_integer(w, "size", a->input_size);
  spn_json_put_integer(w, "channels", a->input_channels);
  spn_json_end(w);
  spn_json_put_integer(w, "classes", a->classes);
  spn_json_put_text(w, "activation", spn_activation_names[a->activation]);
  spn_json_put_text(w, "padding", spn_padding_names[a->padding]);
  spn_json_object(w, "bn", SPN_JSON_INLINE);
  spn_json_put_number(w, "momentum", a->bn_momentum);
  spn_json_put_number(w, "eps", a->bn_eps);
  spn_json_end(w);
  spn_json_put_number(w, "dropout", a->dropout);
  spn_json_object(w, "stem", SPN_JSON_INLINE);
  spn_json_put_integer(w, "channels", a->stem_channels);
  spn_json_put_integer(w, "kernel", a->stem_kernel);
  spn_json_put_integer(w, "stride", a->stem_stride);
  spn_json_end(w);
  spn_json_object(w, "head", SPN_JSON_INLINE);
  spn_json_put_integer(w, "channels", a->head_channels);
  if (a->head_widens) spn_json_put_flag(w, "widens", 1);
  spn_json_end(w);
  spn_json_array(w, "blocks", SPN_JSON_LINES);
  for (int i = 0; i < a->blocks; i++) put_block(w, &a->block[i]);
  spn_json_end(w);
  spn_json_end(w);
}

char *spn_arch_to_json(const spn_arch *arch) {
  spn_json_writer w = {0};
  spn_arch_put(&w, NULL, arch);
  return spn_json_take(&w);
}
