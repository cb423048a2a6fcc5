#include "export/naming.h"

#include <stdio.h>
#include <string.h>

#include "export/weights.h"

enum { NAME = 96 };

typedef struct {
  spn_naming kind;
  spn_status (*put)(void *context, const spn_naming_pair *name, spn_err *err);
  void *context;
  spn_err *err;
} walk;

static spn_status one(const walk *w, const char *ours, const char *our_part, const char *theirs, const char *their_part,
                      spn_layout layout) {
  char a[2 * NAME], b[2 * NAME];
  snprintf(a, sizeof a, "%s%s", ours, our_part);
  snprintf(b, sizeof b, "%s%s", theirs, their_part);
  const spn_naming_pair name = {layout == SPN_LAYOUT_COUNTER ? NULL : a, b, layout};
  return w->put(w->context, &name, w->err);
}

/* A convolution and its batch norm. */
static spn_status conv_norm(const walk *w, const char *ours, const char *our_norm, const char *theirs,
                            const char *their_norm, spn_layout layout) {
  static const char *const parts[][2] = {
      {".gamma", ".weight"}, {".beta", ".bias"}, {".mean", ".running_mean"}, {".var", ".running_var"}};
  SPN_TRY(one(w, ours, ".weight", theirs, ".weight", layout));
  for (int i = 0; i < 4; i++) SPN_TRY(one(w, our_norm, parts[i][0], their_norm, parts[i][1], SPN_LAYOUT_SAME));
  if (w->kind != SPN_NAMING_TIMM) return SPN_OK;
  return one(w, "", "", their_norm, ".num_batches_tracked", SPN_LAYOUT_COUNTER);
}

/* Of a layer of ours and theirs below a common prefix. */
static spn_status block_part(const walk *w, int block, const char *part, const char *prefix, const char *conv,
                             const char *norm, spn_layout layout) {
  char ours[NAME], our_norm[NAME], theirs[NAME], their_norm[NAME];
  snprintf(ours, sizeof ours, "block.%d.%s", block, part);
  snprintf(our_norm, sizeof our_norm, "block.%d.%s.bn", block, part);
  snprintf(theirs, sizeof theirs, "%.40s%s", prefix, conv);
  snprintf(their_norm, sizeof their_norm, "%.40s%s", prefix, norm);
  return conv_norm(w, ours, our_norm, theirs, their_norm, layout);
}

static spn_status squeeze_excite(const walk *w, int block, const char *prefix) {
  static const char *const parts[][2] = {{"se.reduce", "se.conv_reduce"}, {"se.expand", "se.conv_expand"}};
  for (int i = 0; i < 2; i++) {
    char ours[NAME], theirs[NAME];
    snprintf(ours, sizeof ours, "block.%d.%s", block, parts[i][0]);
    snprintf(theirs, sizeof theirs, "%.40s%s", prefix, parts[i][1]);
    SPN_TRY(one(w, ours, ".weight", theirs, ".weight", SPN_LAYOUT_SAME));
    SPN_TRY(one(w, ours, ".bias", theirs, ".bias", SPN_LAYOUT_SAME));
  }
  return SPN_OK;
}

/* ---- timm ---- */

void spn_naming_stages(const spn_arch *arch, int *stage, int *place) {
  int s = -1, p = 0;
  for (int i = 0; i < arch->blocks; i++) {
    const spn_block *b = &arch->block[i];
    stage[i] = place[i] = -1;
    if (b->skipped) continue;
    if (s < 0 || b->stride != 1 || b->in != b->out) s++, p = 0; /* changes of shape begin a stage */
    stage[i] = s;
    place[i] = p++;
  }
}

static spn_status timm_block(const walk *w, const spn_arch *arch, int i, int stage, int place) {
  const spn_block *b = &arch->block[i];
  const int wide = b->expand > 1;
  char prefix[40];
  snprintf(prefix, sizeof prefix, "blocks.%d.%d.", stage, place);
  if (!b->expand) return block_part(w, i, "conv", prefix, "conv", "bn1", SPN_LAYOUT_SAME);
  if (!b->expand) return block_part(w, i, "conv", prefix, "conv", "bn1", SPN_LAYOUT_SAME);
  if (wide) SPN_TRY(block_part(w, i, "expand", prefix, "conv_pw", "bn1", SPN_LAYOUT_SAME));
  SPN_TRY(block_part(w, i, "dw", prefix, "conv_dw", wide ? "bn2" : "bn1", SPN_LAYOUT_DEPTHWISE));
  if (spn_block_squeeze(b)) SPN_TRY(squeeze_excite(w, i, prefix));
  return block_part(w, i, "project", prefix, wide ? "conv_pwl" : "conv_pw", wide ? "bn3" : "bn2", SPN_LAYOUT_SAME);
}

static spn_status timm(const walk *w, const spn_arch *arch) {
  int stage[SPN_MAX_BLOCKS], place[SPN_MAX_BLOCKS];
  spn_naming_stages(arch, stage, place);
  SPN_TRY(conv_norm(w, "stem.conv", "stem.bn", "conv_stem", "bn1", SPN_LAYOUT_SAME));
  for (int i = 0; i < arch->blocks; i++)
    if (!arch->block[i].skipped) SPN_TRY(timm_block(w, arch, i, stage[i], place[i]));
  if (arch->head_channels) SPN_TRY(conv_norm(w, "head.conv", "head.bn", "conv_head", "bn2", SPN_LAYOUT_SAME));
  SPN_TRY(one(w, "classifier", ".weight", "classifier", ".weight", SPN_LAYOUT_DENSE));
  return one(w, "classifier", ".bias", "classifier", ".bias", SPN_LAYOUT_SAME);
}

/* ---- ProxylessNAS ---- */

static spn_status proxyless_block(const walk *w, const spn_block *b, int i) {
  char prefix[48];
  snprintf(prefix, sizeof prefix, "blocks.%d.mobile_inverted_conv.", i);
  if (!b->expand) return spn_fail(w->err, SPN_EINPUT, "ProxylessNAS has no plain convolutions, as block %d is one", i);
  if (b->expand > 1)
    SPN_TRY(block_part(w, i, "expand", prefix, "inverted_bottleneck.conv", "inverted_bottleneck.bn", SPN_LAYOUT_SAME));
  SPN_TRY(block_part(w, i, "dw", prefix, "depth_conv.conv", "depth_conv.bn", SPN_LAYOUT_DEPTHWISE));
  return block_part(w, i, "project", prefix, "point_linear.conv", "point_linear.bn", SPN_LAYOUT_SAME);
}

static spn_status proxyless(const walk *w, const spn_arch *arch) {
  SPN_TRY(conv_norm(w, "stem.conv", "stem.bn", "first_conv.conv", "first_conv.bn", SPN_LAYOUT_SAME));
  for (int i = 0; i < arch->blocks; i++)
    if (!arch->block[i].skipped) SPN_TRY(proxyless_block(w, &arch->block[i], i));
  if (arch->head_channels)
    SPN_TRY(conv_norm(w, "head.conv", "head.bn", "feature_mix_layer.conv", "feature_mix_layer.bn", SPN_LAYOUT_SAME));
  SPN_TRY(one(w, "classifier", ".weight", "classifier.linear", ".weight", SPN_LAYOUT_DENSE));
  return one(w, "classifier", ".bias", "classifier.linear", ".bias", SPN_LAYOUT_SAME);
}

spn_status spn_naming_each(spn_naming kind, const spn_arch *arch,
                           spn_status (*put)(void *context, const spn_naming_pair *name, spn_err *err), void *context,
                           spn_err *err) {
  const walk w = {kind, put, context, err};
  return kind == SPN_NAMING_TIMM ? timm(&w, arch) : proxyless(&w, arch);
}

/* ---- Tensors ---- */

typedef struct {
  const spn_tensors *from;
  spn_tensors *to;
  size_t used; /* tensors of `from` that have a name */
} transfer;

/* to[i][k] = from[k][i] of an (outer,inner) matrix. */
static void transpose(const float *from, size_t outer, size_t inner, float *to) {
  for (size_t i = 0; i < outer; i++)
    for (size_t k = 0; k < inner; k++) to[k * outer + i] = from[i * inner + k];
}

static spn_status write_one(void *context, const spn_naming_pair *name, spn_err *err) {
  const transfer *t = context;
  if (name->layout == SPN_LAYOUT_COUNTER) return spn_tensors_add(t->to, name->theirs, SPN_I64, 0, NULL, NULL, err);
  const spn_tensor *ours = spn_tensors_find(t->from, name->ours);
  if (!ours) return spn_fail(err, SPN_EINPUT, "weights: tensor %s: expected F32, got nothing", name->ours);
  const size_t *s = ours->shape;
  const float *data;
  SPN_TRY(spn_weight_find(t->from, name->ours, ours->dims, s, &data, err));
  if (name->layout == SPN_LAYOUT_SAME) return spn_tensors_add(t->to, name->theirs, SPN_F32, ours->dims, s, data, err);
  if (name->layout == SPN_LAYOUT_DENSE) return spn_tensors_add(t->to, name->theirs, SPN_F32, 2, s, data, err);
  SPN_TRY(spn_tensors_add(t->to, name->theirs, SPN_F32, 4, (size_t[]){s[2], 1, s[0], s[1]}, NULL, err));
  transpose(data, s[0] * s[1], s[2], spn_tensors_find(t->to, name->theirs)->data);
  return SPN_OK;
}

spn_status spn_naming_write(spn_naming kind, const spn_arch *arch, const spn_tensors *from, spn_tensors *to,
                            spn_err *err) {
  transfer t = {from, to, 0};
  return spn_naming_each(kind, arch, write_one, &t, err);
}

/* Shapes are taken as they come; what becomes of them is compared with the network by those who use the set. */
static spn_status read_one(void *context, const spn_naming_pair *name, spn_err *err) {
  transfer *t = context;
  const spn_tensor *theirs = spn_tensors_find(t->from, name->theirs);
  const float *data;
  t->used += theirs != NULL;
  if (name->layout == SPN_LAYOUT_COUNTER) return SPN_OK;
  if (!theirs) return spn_fail(err, SPN_EINPUT, "weights: tensor %s: expected F32, got nothing", name->theirs);
  const size_t *s = theirs->shape;
  SPN_TRY(spn_weight_find(t->from, name->theirs, theirs->dims, s, &data, err));
  if (name->layout == SPN_LAYOUT_SAME) return spn_tensors_add(t->to, name->ours, SPN_F32, theirs->dims, s, data, err);
  if (name->layout == SPN_LAYOUT_DENSE && theirs->dims == 2)
    return spn_tensors_add(t->to, name->ours, SPN_F32, 4, (size_t[]){s[0], s[1], 1, 1}, data, err);
  if (name->layout == SPN_LAYOUT_DENSE || theirs->dims != 4 || s[1] != 1)
    return spn_fail(err, SPN_EINPUT, "weights: tensor %s: expected shape %s, got %d axes", name->theirs,
                    name->layout == SPN_LAYOUT_DENSE ? "(O,I)" : "(C,1,K,K)", theirs->dims);
  SPN_TRY(spn_tensors_add(t->to, name->ours, SPN_F32, 3, (size_t[]){s[2], s[3], s[0]}, NULL, err));
  transpose(data, s[0], s[2] * s[3], spn_tensors_find(t->to, name->ours)->data);
  return SPN_OK;
}

typedef struct {
  const char *theirs;
  int found;
} search;

static spn_status match(void *context, const spn_naming_pair *name, spn_err *err) {
  search *s = context;
  s->found |= !strcmp(s->theirs, name->theirs);
  return SPN_OK;
}

spn_status spn_naming_read(spn_naming kind, const spn_arch *arch, const spn_tensors *from, spn_tensors *to,
                           spn_err *err) {
  transfer t = {from, to, 0};
  SPN_TRY(spn_naming_each(kind, arch, read_one, &t, err));
  for (size_t i = 0; t.used < spn_tensors_count(from) && i < spn_tensors_count(from); i++) {
    search s = {spn_tensors_at(from, i)->name, 0};
    SPN_TRY(spn_naming_each(kind, arch, match, &s, err));
    if (!s.found)
      return spn_fail(err, SPN_EINPUT,
                      "weights: tensor %s: the network has no such tensor (another network's weights?)", s.theirs);
  }
  return SPN_OK;
}
