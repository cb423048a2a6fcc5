#include "model/arch.h"

spn_pad spn_pad_axis(spn_padding padding, int n, int k, int s) {
  spn_pad pad;
  if (padding == SPN_PAD_SYMMETRIC) {
    pad.before = pad.after = k / 2;
    pad.out = (n + 2 * (k / 2) - k) / s + 1;
    return pad;
  }
  pad.out = (n + s - 1) / s;
  int total = (pad.out - 1) * s + k - n;
  if (total < 0) total = 0;
  pad.before = total / 2;
  pad.after = total - pad.before;
  return pad;
}

int spn_block_expanded(const spn_block *b) { return b->in * b->expand; }

int spn_block_squeeze(const spn_block *b) {
  if (b->se <= 0) return 0;
  int squeeze = (int)(b->in * b->se);
  return squeeze > 1 ? squeeze : 1;
}

spn_act spn_block_activation(const spn_arch *arch, const spn_block *b) {
  return b->activation == SPN_ACT_NONE ? arch->activation : b->activation;
}

static int block_equal(const spn_arch *x, const spn_block *a, const spn_arch *y, const spn_block *b) {
  return a->in == b->in && a->out == b->out && a->kernel == b->kernel && a->stride == b->stride &&
         a->expand == b->expand && spn_block_squeeze(a) == spn_block_squeeze(b) && a->residual == b->residual &&
         spn_block_activation(x, a) == spn_block_activation(y, b);
}

static int frame_equal(const spn_arch *a, const spn_arch *b) {
  return a->input_size == b->input_size && a->input_channels == b->input_channels && a->classes == b->classes &&
         a->stem_channels == b->stem_channels && a->stem_kernel == b->stem_kernel && a->stem_stride == b->stem_stride &&
         a->head_channels == b->head_channels && a->activation == b->activation && a->padding == b->padding &&
         a->bn_momentum == b->bn_momentum && a->bn_eps == b->bn_eps && a->dropout == b->dropout;
}

static int next_block(const spn_arch *a, int i) {
  while (i < a->blocks && a->block[i].skipped) i++;
  return i;
}

int spn_arch_equal(const spn_arch *a, const spn_arch *b) {
  if (!frame_equal(a, b)) return 0;
  int i = next_block(a, 0), j = next_block(b, 0);
  while (i < a->blocks && j < b->blocks) {
    if (!block_equal(a, &a->block[i], b, &b->block[j])) return 0;
    i = next_block(a, i + 1);
    j = next_block(b, j + 1);
  }
  return i >= a->blocks && j >= b->blocks;
}

static spn_status check_frame(const spn_arch *a, spn_err *err) {
  if (a->input_size < 1 || a->input_size > SPN_MAX_SIZE)
    return spn_fail(err, SPN_EINPUT, "input size: expected 1 to %d, got %d", SPN_MAX_SIZE, a->input_size);
  if (a->input_channels < 1 || a->input_channels > SPN_MAX_CHANNELS)
    return spn_fail(err, SPN_EINPUT, "input channels: expected 1 to %d, got %d", SPN_MAX_CHANNELS, a->input_channels);
  if (a->classes < 1 || a->classes > SPN_MAX_CLASSES)
    return spn_fail(err, SPN_EINPUT, "classes: expected 1 to %d, got %d", SPN_MAX_CLASSES, a->classes);
  if (a->stem_channels < 1 || a->stem_channels > SPN_MAX_CHANNELS)
    return spn_fail(err, SPN_EINPUT, "stem channels: expected 1 to %d, got %d", SPN_MAX_CHANNELS, a->stem_channels);
  if (a->stem_kernel != 1 && a->stem_kernel != 3 && a->stem_kernel != 5 && a->stem_kernel != 7)
    return spn_fail(err, SPN_EINPUT, "stem kernel: expected 1, 3, 5 or 7, got %d", a->stem_kernel);
  if (a->stem_stride != 1 && a->stem_stride != 2)
    return spn_fail(err, SPN_EINPUT, "stem stride: expected 1 or 2, got %d", a->stem_stride);
  if (a->head_channels < 0 || a->head_channels > SPN_MAX_CHANNELS)
    return spn_fail(err, SPN_EINPUT, "head channels: expected 0 to %d, got %d", SPN_MAX_CHANNELS, a->head_channels);
  if (a->activation < SPN_ACT_NONE || a->activation > SPN_ACT_HSWISH)
    return spn_fail(err, SPN_EINPUT, "activation: unknown code %d", (int)a->activation);
  if (a->padding != SPN_PAD_SAME && a->padding != SPN_PAD_SYMMETRIC)
    return spn_fail(err, SPN_EINPUT, "padding: unknown code %d", (int)a->padding);
  if (!(a->bn_momentum >= 0 && a->bn_momentum < 1))
    return spn_fail(err, SPN_EINPUT, "bn momentum: expected 0 <= m < 1, got %g", a->bn_momentum);
  if (!(a->bn_eps > 0 && a->bn_eps <= 1))
    return spn_fail(err, SPN_EINPUT, "bn eps: expected 0 < eps <= 1, got %g", a->bn_eps);
  if (!(a->dropout >= 0 && a->dropout < 1))
    return spn_fail(err, SPN_EINPUT, "dropout: expected 0 <= p < 1, got %g", a->dropout);
  if (a->blocks < 0 || a->blocks > SPN_MAX_BLOCKS)
    return spn_fail(err, SPN_EINPUT, "blocks: expected at most %d, got %d", SPN_MAX_BLOCKS, a->blocks);
  return SPN_OK;
}

static spn_status check_block(const spn_block *b, int i, int in, spn_err *err) {
  if (b->in != in)
    return spn_fail(err, SPN_EINPUT, "blocks[%d].in: the layer before gives %d channels, got %d", i, in, b->in);
  if (b->out < 1 || b->out > SPN_MAX_CHANNELS)
    return spn_fail(err, SPN_EINPUT, "blocks[%d].out: expected 1 to %d, got %d", i, SPN_MAX_CHANNELS, b->out);
  if (b->kernel != 3 && b->kernel != 5 && b->kernel != 7)
    return spn_fail(err, SPN_EINPUT, "blocks[%d].kernel: expected 3, 5 or 7, got %d", i, b->kernel);
  if (b->stride != 1 && b->stride != 2)
    return spn_fail(err, SPN_EINPUT, "blocks[%d].stride: expected 1 or 2, got %d", i, b->stride);
  if (b->expand < 0 || b->expand > SPN_MAX_EXPAND)
    return spn_fail(err, SPN_EINPUT, "blocks[%d].expand: expected 0 to %d, got %d", i, SPN_MAX_EXPAND, b->expand);
  if (!(b->se >= 0 && b->se <= 1)) return spn_fail(err, SPN_EINPUT, "blocks[%d].se: expected 0 to 1, got %g", i, b->se);
  if (!b->expand && b->se > 0)
    return spn_fail(err, SPN_EINPUT, "blocks[%d].se: expected 0 in a plain convolution (expand 0), got %g", i, b->se);
  if (b->activation < SPN_ACT_NONE || b->activation > SPN_ACT_HSWISH)
    return spn_fail(err, SPN_EINPUT, "blocks[%d].activation: unknown code %d", i, (int)b->activation);
  int shortcut = b->stride == 1 && b->in == b->out;
  if (b->residual && !shortcut)
    return spn_fail(err, SPN_EINPUT, "blocks[%d].residual: needs stride 1 and in == out, got stride %d, %d -> %d", i,
                    b->stride, b->in, b->out);
  if (b->skipped && !shortcut)
    return spn_fail(err, SPN_EINPUT, "blocks[%d].skipped: needs stride 1 and in == out, got stride %d, %d -> %d", i,
                    b->stride, b->in, b->out);
  return SPN_OK;
}

spn_status spn_arch_check(const spn_arch *arch, spn_err *err) {
  SPN_TRY(check_frame(arch, err));
  int channels = arch->stem_channels;
  for (int i = 0; i < arch->blocks; i++) {
    SPN_TRY(check_block(&arch->block[i], i, channels, err));
    channels = arch->block[i].out;
  }
  return SPN_OK;
}

int spn_scale_channels(int channels, double width) {
  double exact = channels * width;
  int scaled = (int)(exact + 4) / 8 * 8;
  if (scaled < 8) scaled = 8;
  if (scaled < 0.9 * exact) scaled += 8;
  return scaled;
}

void spn_arch_scale(spn_arch *arch, double width) {
  if (width == 1) return;
  if (arch->head_widens && width > 1) arch->head_channels = spn_scale_channels(arch->head_channels, width);
  arch->stem_channels = spn_scale_channels(arch->stem_channels, width);
  int channels = arch->stem_channels;
  for (int i = 0; i < arch->blocks; i++) {
    arch->block[i].in = channels;
    channels = arch->block[i].out = spn_scale_channels(arch->block[i].out, width);
  }
}
