#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/rng.h"
#include "kit/kit.h"

typedef struct {
  spn_tensors *set;
  uint64_t seed, drawn;
  spn_err *err;
} filler;

/* inputs 0: all equal to `value`; else normal with variance 2 / inputs. */
static spn_status add(filler *f, const char *prefix, const char *name, int dims, const size_t *shape, double inputs,
                      float value) {
  char full[96];
  size_t count = 1;
  for (int i = 0; i < dims; i++) count *= shape[i];
  float *numbers = malloc(count * sizeof *numbers);
  if (!numbers) return spn_fail(f->err, SPN_ENOMEM, "latency kit: out of memory");
  double scale = inputs > 0 ? sqrt(2 / inputs) : 0;
  for (size_t i = 0; i < count; i++)
    numbers[i] = inputs > 0 ? (float)(scale * spn_rng_normal(f->seed, SPN_RNG_INIT, f->drawn++)) : value;
  snprintf(full, sizeof full, "%s%s", prefix, name);
  spn_status status = spn_tensors_add(f->set, full, SPN_F32, dims, shape, numbers, f->err);
  free(numbers);
  return status;
}

static spn_status add_bn(filler *f, const char *prefix, int channels) {
  static const char *const part[] = {".gamma", ".beta", ".mean", ".var"};
  const size_t shape = (size_t)channels;
  for (int i = 0; i < 4; i++)
    SPN_TRY(add(f, prefix, part[i], 1, &shape, 0, i == 0 || i == 3 ? 1 : 0.1f * (float)(i == 1)));
  return SPN_OK;
}

/* `name`.weight (out,in,k,k) and `bn`, or with bn NULL a bias. */
static spn_status add_conv(filler *f, const char *name, const char *bn, int out, int in, int k) {
  const size_t shape[] = {(size_t)out, (size_t)in, (size_t)k, (size_t)k};
  SPN_TRY(add(f, name, ".weight", 4, shape, (double)in * k * k, 0));
  return bn ? add_bn(f, bn, out) : add(f, name, ".bias", 1, shape, 0, 0.1f);
}

enum { PART_NAME = 48 };

static void part_names(int block, const char *part, char name[PART_NAME], char bn[PART_NAME + 4]) {
  snprintf(name, PART_NAME, "block.%d.%s", block, part);
  snprintf(bn, PART_NAME + 4, "%s.bn", name);
}

static spn_status add_block(filler *f, const spn_arch *arch, int i) {
  const spn_block *b = &arch->block[i];
  int expanded = spn_block_expanded(b), squeeze = spn_block_squeeze(b);
  char name[PART_NAME], bn[PART_NAME + 4];
  if (b->skipped) return SPN_OK;
  if (!b->expand) {
    part_names(i, "conv", name, bn);
    return add_conv(f, name, bn, b->out, b->in, b->kernel);
  }
  if (b->expand > 1) {
    part_names(i, "expand", name, bn);
    SPN_TRY(add_conv(f, name, bn, expanded, b->in, 1));
  }
  part_names(i, "dw", name, bn);
  const size_t kkc[] = {(size_t)b->kernel, (size_t)b->kernel, (size_t)expanded};
  SPN_TRY(add(f, name, ".weight", 3, kkc, (double)b->kernel * b->kernel, 0));
  SPN_TRY(add_bn(f, bn, expanded));
  if (squeeze) {
    part_names(i, "se.reduce", name, bn);
    SPN_TRY(add_conv(f, name, NULL, squeeze, expanded, 1));
    part_names(i, "se.expand", name, bn);
    SPN_TRY(add_conv(f, name, NULL, expanded, squeeze, 1));
  }
  part_names(i, "project", name, bn);
  return add_conv(f, name, bn, b->out, expanded, 1);
}

static spn_status add_tail(filler *f, const spn_arch *arch) {
  int channels = arch->blocks ? arch->block[arch->blocks - 1].out : arch->stem_channels;
  if (arch->head_channels) {
    SPN_TRY(add_conv(f, "head.conv", "head.bn", arch->head_channels, channels, 1));
    channels = arch->head_channels;
  }
  const size_t shape[] = {(size_t)arch->classes, (size_t)channels};
  SPN_TRY(add(f, "classifier", ".weight", 2, shape, channels, 0));
  return add(f, "classifier", ".bias", 1, shape, 0, 0.1f);
}

static spn_status fill(filler *f, const spn_arch *arch, int block) {
  if (block == SPN_KIT_STEM || block == SPN_KIT_ALL)
    SPN_TRY(add_conv(f, "stem.conv", "stem.bn", arch->stem_channels, arch->input_channels, arch->stem_kernel));
  for (int i = 0; i < arch->blocks; i++)
    if (block == i || block == SPN_KIT_ALL) SPN_TRY(add_block(f, arch, i));
  return block == SPN_KIT_TAIL || block == SPN_KIT_ALL ? add_tail(f, arch) : SPN_OK;
}

spn_status spn_kit_weights(const spn_arch *arch, int block, uint64_t seed, spn_tensors **out, spn_err *err) {
  filler f = {.set = spn_tensors_new(), .seed = seed, .err = err};
  *out = NULL;
  if (!f.set) return spn_fail(err, SPN_ENOMEM, "latency kit: out of memory");
  spn_status status = fill(&f, arch, block);
  if (status) spn_tensors_free(f.set);
  else *out = f.set;
  return status;
}
