#include "latency/work.h"

#include <stdio.h>

const char *const spn_work_names[] = {SPN_WORKS_LIST(SPN_CHOICE_NAME) NULL};
const char *const spn_part_names[] = {"stem", "block", "head", "classifier", NULL};

static const double MILLION = 1e6;

spn_part spn_part_of_block(const spn_block *b, int in_size) {
  return (spn_part){SPN_PART_BLOCK, in_size, b->in, b->out, b->kernel, b->stride, b->expand, b->se, b->residual};
}

spn_part spn_part_of_option(const spn_layer *l, int k, int e, int s, int in_size) {
  return (spn_part){SPN_PART_BLOCK, in_size,      l->in,    l->out,     l->kernel[k],
                    l->stride,      l->expand[e], l->se[s], l->residual};
}

int spn_part_out_size(const spn_part *part) {
  int strided = part->kind == SPN_PART_STEM || part->kind == SPN_PART_BLOCK;
  return strided ? (part->h + part->stride - 1) / part->stride : part->h;
}

static void add_pointwise(double pixels, double in, double out, double *amount) {
  amount[SPN_WORK_MACS] += pixels * in * out / MILLION;
  amount[SPN_WORK_OUTPUTS] += pixels * out / MILLION;
  amount[SPN_WORK_WEIGHTS] += in * out / MILLION;
  amount[SPN_WORK_OPS] += 1;
}

/* Pool, two dense layers with a ReLU and a sigmoid, and the multiplication. */
enum { SE_OPS = 5 };

static void add_shortcut(const spn_part *p, double pixels, double *amount) {
  if (!p->residual) return;
  amount[SPN_WORK_MOVED] += 3 * pixels * p->out / MILLION;
  amount[SPN_WORK_OPS] += 1;
}

static void add_block(const spn_part *p, double in_pixels, double pixels, double *amount) {
  const spn_block b = {.in = p->in, .out = p->out, .expand = p->expand, .se = p->se};
  double expanded = spn_block_expanded(&b), squeeze = spn_block_squeeze(&b);
  if (!p->expand) { /* a plain convolution works as the stem does */
    amount[SPN_WORK_STEM] += pixels * p->in * p->out * p->kernel * p->kernel / MILLION;
    amount[SPN_WORK_OPS] += 1;
    add_shortcut(p, pixels, amount);
    return;
  }
  if (p->expand > 1) add_pointwise(in_pixels, p->in, expanded, amount);
  amount[SPN_WORK_TAPS] += pixels * expanded * p->kernel * p->kernel / MILLION;
  amount[SPN_WORK_DW_OUTPUTS] += pixels * expanded / MILLION;
  amount[SPN_WORK_DW_INPUTS] += in_pixels * expanded / MILLION;
  amount[SPN_WORK_OPS] += 1;
  if (squeeze > 0) {
    amount[SPN_WORK_SE] += (3 * expanded * pixels + 2 * expanded * squeeze + expanded + squeeze) / MILLION;
    amount[SPN_WORK_OPS] += SE_OPS;
  }
  add_pointwise(pixels, expanded, p->out, amount);
  add_shortcut(p, pixels, amount);
}

void spn_work_add(const spn_part *p, spn_work *out) {
  double *amount = out->amount, in_pixels = (double)p->h * p->h, size = spn_part_out_size(p), pixels = size * size;
  switch (p->kind) {
    case SPN_PART_STEM:
      amount[SPN_WORK_STEM] += pixels * p->in * p->out * p->kernel * p->kernel / MILLION;
      amount[SPN_WORK_OPS] += 1;
      break;
    case SPN_PART_BLOCK: add_block(p, in_pixels, pixels, amount); break;
    case SPN_PART_HEAD: add_pointwise(in_pixels, p->in, p->out, amount); break;
    case SPN_PART_CLASSIFIER:
      amount[SPN_WORK_MOVED] += in_pixels * p->in / MILLION;
      amount[SPN_WORK_CLASSIFIER] += (double)p->in * p->out / MILLION;
      amount[SPN_WORK_OPS] += 2;
      break;
  }
}

double spn_work_cost(const spn_work *work, const double weight[SPN_WORKS]) {
  double sum = 0;
  for (int i = 0; i < SPN_WORKS; i++) sum += work->amount[i] * weight[i];
  return sum;
}

void spn_part_text(const spn_part *p, char *text, size_t size) {
  char se[24] = "";
  if (p->kind != SPN_PART_BLOCK) {
    snprintf(text, size, "%s %d > %d at %d", spn_part_names[p->kind], p->in, p->out, p->h);
    return;
  }
  if (p->se > 0) snprintf(se, sizeof se, " se%g", p->se);
  snprintf(text, size, "k%d e%d%s %d > %d s%d at %d", p->kernel, p->expand, se, p->in, p->out, p->stride, p->h);
}

int spn_parts_around(const spn_arch *a, int channels, int size, spn_part part[3]) {
  int count = 0;
  part[count++] = (spn_part){.kind = SPN_PART_STEM,
                             .h = a->input_size,
                             .in = a->input_channels,
                             .out = a->stem_channels,
                             .kernel = a->stem_kernel,
                             .stride = a->stem_stride};
  if (a->head_channels) {
    part[count++] = (spn_part){.kind = SPN_PART_HEAD, .h = size, .in = channels, .out = a->head_channels};
    channels = a->head_channels;
  }
  part[count++] = (spn_part){.kind = SPN_PART_CLASSIFIER, .h = size, .in = channels, .out = a->classes};
  return count;
}

int spn_parts_of(const spn_arch *arch, spn_part *part, int *index) {
  spn_part around[3];
  int count = 1, channels = arch->stem_channels;
  spn_parts_around(arch, channels, 1, around);
  int size = spn_part_out_size(&around[0]);
  part[0] = around[0];
  index[0] = -1;
  for (int i = 0; i < arch->blocks; i++) {
    const spn_block *b = &arch->block[i];
    if (b->skipped) continue;
    index[count] = i;
    part[count] = spn_part_of_block(b, size);
    size = spn_part_out_size(&part[count++]);
    channels = b->out;
  }
  int last = spn_parts_around(arch, channels, size, around);
  for (int i = 1; i < last; i++, count++) {
    part[count] = around[i];
    index[count] = -1;
  }
  return count;
}
