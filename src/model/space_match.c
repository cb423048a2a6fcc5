#include <math.h>
#include <string.h>

#include "model/space.h"

/* A walk over the stages: each takes as many blocks as it can have, and where the rest then fails, fewer. */
typedef struct {
  const spn_space *space;
  const spn_arch *arch;
  spn_choice *choice;
  unsigned char fails[SPN_MAX_LAYERS][SPN_MAX_BLOCKS + 1]; /* [leader][block]: the rest does not fit from there on */
  int block, layer;                                        /* the furthest place where nothing fitted */
} match;

static int index_of(const int *list, int count, int value) {
  for (int i = 0; i < count; i++)
    if (list[i] == value) return i;
  return -1;
}

/* Ratios that came through another tool may have lost digits: 0.25 as 0.2500001. */
static int index_of_se(const spn_layer *l, double se) {
  for (int i = 0; i < l->ses; i++)
    if (fabs(l->se[i] - se) < 1e-6) return i;
  return -1;
}

static void note(match *m, int layer, int block) {
  if (block <= m->block) return;
  m->block = block;
  m->layer = layer;
}

/* What the layer would have to choose to be this block; 0 when it cannot. Channels are the stage's business. */
static int layer_takes(const match *m, int layer, const spn_block *b, spn_layer_choice *pick) {
  const spn_layer *l = &m->space->layer[layer];
  int kernel = index_of(l->kernel, l->kernels, b->kernel), expand = index_of(l->expand, l->expands, b->expand);
  int se = index_of_se(l, b->se);
  *pick = (spn_layer_choice){.keep = 0};
  if (kernel < 0 || expand < 0 || (se < 0 && b->expand) || (l->tied && kernel != expand)) return 0;
  if (b->stride != l->stride || (l->activation && spn_block_activation(m->arch, b) != l->activation)) return 0;
  if (b->residual != l->residual && !(l->shortcuts > 1 && !b->residual)) return 0;
  *pick = (spn_layer_choice){
      .keep = 1, .kernel = (signed char)kernel, .expand = (signed char)expand, .se = (signed char)(b->expand ? se : 0)};
  return 1;
}

/* What the stage's layers have in common: its kernel, expansion and SE, where they are one choice, and its shortcuts.
 */
static int agrees(const match *m, int leader, int layer, const spn_block *b, const spn_layer_choice *pick,
                  int *shortcut) {
  const spn_layer *l = &m->space->layer[layer];
  spn_layer_choice *lead = &m->choice->layer[leader];
  if (l->shared && layer > leader &&
      (pick->kernel != lead->kernel || pick->expand != lead->expand || pick->se != lead->se))
    return 0;
  if (l->shortcuts < 2 || !l->residual) return 1;
  if (*shortcut >= 0 && *shortcut != b->residual) return 0;
  *shortcut = b->residual;
  return 1;
}

/* Whether the stage's layers can be `blocks` blocks from `first` on: all of them in their places, or its first ones.
 * Fills the choice. */
static int stage_takes(match *m, int leader, int first, int blocks) {
  const spn_layer *stage = &m->space->layer[leader];
  int channels = blocks ? index_of(stage->channel, stage->channels, m->arch->block[first].out) : 0;
  int shortcut = -1, kept = 0, ended = 0;
  if (channels < 0) {
    note(m, leader, first);
    return 0;
  }
  for (int i = 0; i < stage->stage_layers; i++) {
    const spn_layer *l = &m->space->layer[leader + i];
    const spn_block *b = i < blocks ? &m->arch->block[first + i] : NULL;
    spn_layer_choice pick = {.keep = 0};
    int there = b && !b->skipped, fits = b == NULL || b->out == stage->channel[channels];
    if (there)
      fits = fits && !(ended && stage->counts > 1) && layer_takes(m, leader + i, b, &pick) &&
             agrees(m, leader, leader + i, b, &pick, &shortcut);
    else fits = fits && (l->skippable || stage->counts > 1);
    ended |= !there;
    kept += there;
    if (!fits) {
      note(m, leader + i, first + (i < blocks ? i : blocks));
      return 0;
    }
    m->choice->layer[leader + i] = pick;
  }
  int count = stage->counts > 1 ? index_of(stage->count, stage->counts, kept) : 0;
  if (count < 0) {
    note(m, leader, first + blocks);
    return 0;
  }
  spn_layer_choice *lead = &m->choice->layer[leader];
  if (!lead->keep) return 1;
  lead->channels = (signed char)channels;
  lead->layers = (signed char)count;
  lead->shortcut = shortcut > 0;
  return 1;
}

static int rest_takes(match *m, int leader, int block) {
  const spn_space *space = m->space;
  if (leader == space->layers) {
    if (block < m->arch->blocks) note(m, leader, block);
    return block == m->arch->blocks;
  }
  if (m->fails[leader][block]) return 0;
  int layers = space->layer[leader].stage_layers, left = m->arch->blocks - block;
  for (int blocks = left < layers ? left : layers; blocks >= 0; blocks--)
    if (stage_takes(m, leader, block, blocks) && rest_takes(m, leader + layers, block + blocks)) return 1;
  m->fails[leader][block] = 1;
  return 0;
}

/* The figures of a space are for one input, stem and head; classes and image channels do not count. */
static spn_status match_frame(const spn_space *space, const spn_arch *a, spn_err *err) {
  const spn_arch *b = &space->base;
  if (a->input_size == b->input_size && a->stem_channels == b->stem_channels && a->stem_kernel == b->stem_kernel &&
      a->stem_stride == b->stem_stride && a->head_channels == b->head_channels)
    return SPN_OK;
  return spn_fail(err, SPN_EINPUT,
                  "space %s: expected input %d, stem %dx%d of %d channels with stride %d, head %d; "
                  "got input %d, stem %dx%d of %d channels with stride %d, head %d",
                  space->name, b->input_size, b->stem_kernel, b->stem_kernel, b->stem_channels, b->stem_stride,
                  b->head_channels, a->input_size, a->stem_kernel, a->stem_kernel, a->stem_channels, a->stem_stride,
                  a->head_channels);
}

static spn_status fail_no_match(const match *m, spn_err *err) {
  const spn_space *space = m->space;
  const spn_layer *l = &space->layer[m->layer < space->layers ? m->layer : space->layers - 1];
  if (m->block >= m->arch->blocks)
    return spn_fail(err, SPN_EINPUT,
                    "space %s: the network ends after %d blocks, but layer %d (%d -> %d, stride %d) must be kept",
                    space->name, m->arch->blocks, m->layer, l->in, l->out, l->stride);
  const spn_block *b = &m->arch->block[m->block];
  if (m->layer >= space->layers)
    return spn_fail(err, SPN_EINPUT, "space %s: block %d (%d -> %d) is left over; the space has no more layers",
                    space->name, m->block, b->in, b->out);
  return spn_fail(err, SPN_EINPUT,
                  "space %s: block %d (k%d e%d se%g, %d -> %d, stride %d, %s) "
                  "is not an option of layer %d (%d -> %d, stride %d, %s)",
                  space->name, m->block, b->kernel, b->expand, b->se, b->in, b->out, b->stride,
                  b->residual ? "residual" : "no residual", m->layer, l->in, l->out, l->stride,
                  l->residual ? "residual" : "no residual");
}

spn_status spn_space_match(const spn_space *space, const spn_arch *arch, spn_choice *out, spn_err *err) {
  match m = {.space = space, .arch = arch, .choice = out, .block = -1};
  SPN_TRY(match_frame(space, arch, err));
  memset(out, 0, sizeof *out);
  out->layers = space->layers;
  return rest_takes(&m, 0, 0) ? SPN_OK : fail_no_match(&m, err);
}
