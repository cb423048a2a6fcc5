#include "model/space.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int spn_space_size_for(const spn_space *space, int side) {
  if (4 * side <= 5 * space->proxy_size) return space->proxy_size;
  return side < space->base.input_size ? side / 8 * 8 : space->base.input_size;
}

void spn_space_train_at(spn_space *space, int size, double width) {
  if ((long)size * size > (long)space->proxy_size * space->base.input_size) {
    for (int i = 0; i < space->layers; i++) space->layer[i].proxy_stride = space->layer[i].stride;
    space->proxy_stem_stride = space->base.stem_stride;
    space->proxy_head = space->base.head_channels;
    space->proxy_width = 1;
  }
  space->proxy_size = size;
  if (width > 0) space->proxy_width = width;
}

int spn_space_is_proxy(const spn_space *space) {
  int differs = space->proxy_size != space->base.input_size || space->proxy_width != 1 ||
                space->proxy_stem_stride != space->base.stem_stride || space->proxy_head != space->base.head_channels;
  for (int i = 0; i < space->layers; i++) differs |= space->layer[i].proxy_stride != space->layer[i].stride;
  return differs;
}

void spn_space_arch(const spn_space *space, const spn_choice *choice, int proxy, spn_arch *out) {
  *out = space->base;
  out->blocks = space->layers;
  for (int i = 0; i < space->layers; i++) {
    const spn_layer *l = &space->layer[i];
    spn_block *b = &out->block[i];
    b->in = l->in;
    b->out = l->out;
    b->stride = proxy ? l->proxy_stride : l->stride;
    b->kernel = l->kernel[choice->layer[i].kernel];
    b->expand = l->expand[choice->layer[i].expand];
    b->se = l->se[choice->layer[i].se];
    b->residual = l->residual;
    b->skipped = !choice->layer[i].keep;
  }
  if (!proxy) return;
  out->input_size = space->proxy_size;
  out->stem_stride = space->proxy_stem_stride;
  spn_arch_scale(out, space->proxy_width);
  out->head_channels = space->proxy_head;
}

int spn_choice_equal(const spn_choice *a, const spn_choice *b) {
  if (a->layers != b->layers) return 0;
  for (int i = 0; i < a->layers; i++)
    if (memcmp(a->layer[i].option, b->layer[i].option, sizeof a->layer[i].option)) return 0;
  return 1;
}

void spn_choice_text(const spn_space *space, const spn_choice *choice, char *text, size_t size) {
  size_t used = 0;
  if (size) *text = 0;
  for (int i = 0; i < space->layers; i++) {
    const spn_layer *l = &space->layer[i];
    char word[64];
    if (!choice->layer[i].keep) {
      snprintf(word, sizeof word, "skip");
    } else {
      int n = snprintf(word, sizeof word, "k%de%d", l->kernel[choice->layer[i].kernel],
                       l->expand[choice->layer[i].expand]);
      double se = l->se[choice->layer[i].se];
      if (se > 0) snprintf(word + n, sizeof word - (size_t)n, "se%g", se);
    }
    size_t length = strlen(word) + (i > 0);
    if (used + length >= size) return;
    used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "", word);
  }
}

/* ---- Matching a network ---- */

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

static int same_shape(const spn_layer *l, const spn_block *b) {
  return b->in == l->in && b->out == l->out && b->stride == l->stride;
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

/* What the layer would have to choose to be this block; 0 when it cannot. */
static int layer_takes(const spn_layer *l, const spn_block *b, spn_layer_choice *pick) {
  *pick = (spn_layer_choice){.keep = 0};
  if (!same_shape(l, b)) return 0;
  if (b->skipped) return l->skippable;
  int kernel = index_of(l->kernel, l->kernels, b->kernel), expand = index_of(l->expand, l->expands, b->expand);
  int se = index_of_se(l, b->se);
  if (kernel < 0 || expand < 0 || se < 0 || (l->tied && kernel != expand) || b->residual != l->residual) return 0;
  *pick = (spn_layer_choice){
      .keep = 1, .kernel = (signed char)kernel, .expand = (signed char)expand, .se = (signed char)se};
  return 1;
}

static spn_status fail_no_match(const spn_space *space, const spn_arch *arch, int layer, int block, spn_err *err) {
  const spn_layer *l = &space->layer[layer < space->layers ? layer : space->layers - 1];
  if (block >= arch->blocks)
    return spn_fail(err, SPN_EINPUT,
                    "space %s: the network ends after %d blocks, but layer %d (%d -> %d, stride %d) must be kept",
                    space->name, arch->blocks, layer, l->in, l->out, l->stride);
  const spn_block *b = &arch->block[block];
  if (layer >= space->layers)
    return spn_fail(err, SPN_EINPUT, "space %s: block %d (%d -> %d) is left over; the space has no more layers",
                    space->name, block, b->in, b->out);
  return spn_fail(err, SPN_EINPUT,
                  "space %s: block %d (k%d e%d se%g, %d -> %d, stride %d, %s) "
                  "is not an option of layer %d (%d -> %d, stride %d, %s)",
                  space->name, block, b->kernel, b->expand, b->se, b->in, b->out, b->stride,
                  b->residual ? "residual" : "no residual", layer, l->in, l->out, l->stride,
                  l->residual ? "residual" : "no residual");
}

/* fits[l][b]: layers l.. can take blocks b.. . Filled from the end, then read from the front, taking a block where both
 * taking and skipping lead on; so a network without skip marks fills the first layers of each stage. Where nothing
 * fits, the same walk takes blocks greedily until it can name the first block that does not fit. */
spn_status spn_space_match(const spn_space *space, const spn_arch *arch, spn_choice *out, spn_err *err) {
  unsigned char fits[SPN_MAX_LAYERS + 1][SPN_MAX_BLOCKS + 1] = {{0}};
  spn_layer_choice pick;
  int n = space->layers, m = arch->blocks, layer = 0, block = 0;
  SPN_TRY(match_frame(space, arch, err));
  fits[n][m] = 1;
  for (int l = n - 1; l >= 0; l--)
    for (int b = m; b >= 0; b--)
      fits[l][b] = (b < m && fits[l + 1][b + 1] && layer_takes(&space->layer[l], &arch->block[b], &pick)) ||
                   (space->layer[l].skippable && fits[l + 1][b]);
  memset(out, 0, sizeof *out);
  out->layers = n;
  for (; layer < n; layer++) {
    const spn_layer *l = &space->layer[layer];
    int takes = block < m && layer_takes(l, &arch->block[block], &pick);
    if (takes && (!fits[0][0] || fits[layer + 1][block + 1])) {
      out->layer[layer] = pick;
      block++;
    } else if (!l->skippable || (!fits[0][0] && block < m && same_shape(l, &arch->block[block]))) {
      return fail_no_match(space, arch, layer, block, err);
    }
  }
  return block == m ? SPN_OK : fail_no_match(space, arch, layer, block, err);
}
