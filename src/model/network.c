#include "model/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* He initialisation on the fan-out (arXiv 1502.01852). Of a depthwise kernel that is taken over all its channels, as
 * torchvision's MobileNets do; MnasNet's code counts one. Before batch norm only how fast weights turn depends on their
 * size, and kernels sqrt(channels) times larger hold a whole network back for its first epochs (bench/README.md). */
static double he_std(int k, int outputs) { return sqrt(2.0 / ((double)k * k * outputs)); }

static spn_value *conv_norm(spn_graph *g, const char *prefix, const char *conv, const char *norm, const spn_arch *arch,
                            spn_value *x, spn_conv_spec spec, spn_act act) {
  char name[48];
  spec.init_std = he_std(spec.k, spec.co);
  snprintf(name, sizeof name, "%.24s%.20s", prefix, conv);
  spn_value *raw = spn_add_conv(g, name, x, &spec);
  snprintf(name, sizeof name, "%.24s%.20s", prefix, norm);
  return spn_add_norm(g, name, raw, act, arch->bn_momentum, arch->bn_eps, spec.branch);
}

static spn_value *depthwise_norm(spn_graph *g, const char *prefix, const spn_arch *arch, const spn_block *b,
                                 spn_value *x, const spn_op_masks *m) {
  char name[48];
  spn_pad pad = spn_pad_axis(arch->padding, x->h, b->kernel, b->stride);
  spn_dw_spec spec = {.k = b->kernel,
                      .stride = b->stride,
                      .pad_before = pad.before,
                      .pad_after = pad.after,
                      .rings = m->rings,
                      .inner_k = m->rings ? m->inner_k : b->kernel,
                      .width = m->width,
                      .branch = m->branch,
                      .init_std = he_std(b->kernel, x->c)};
  for (int i = 0; i < m->rings; i++) {
    spec.gates[i] = m->ring_gate[i];
    spec.ring_k[i] = m->ring_k[i];
  }
  snprintf(name, sizeof name, "%.24sdw", prefix);
  spn_value *raw = spn_add_depthwise(g, name, x, &spec);
  snprintf(name, sizeof name, "%.24sdw.bn", prefix);
  return spn_add_norm(g, name, raw, spn_block_activation(arch, b), arch->bn_momentum, arch->bn_eps, m->branch);
}

static spn_value *squeeze_excite(spn_graph *g, const char *prefix, const spn_block *b, spn_value *x,
                                 const spn_op_masks *m) {
  char name[48];
  spn_se_spec spec = {
      .squeeze = spn_block_squeeze(b), .units = m->units, .on_gate = m->units ? m->se_on : -1, .branch = m->branch};
  snprintf(name, sizeof name, "%.24sse", prefix);
  return spn_add_se(g, name, x, &spec);
}

static spn_value *plain_conv(spn_graph *g, const char *prefix, const spn_arch *arch, const spn_block *b, spn_value *x,
                             const spn_op_masks *m) {
  spn_pad pad = spn_pad_axis(arch->padding, x->h, b->kernel, b->stride);
  spn_conv_spec spec = {.co = b->out,
                        .k = b->kernel,
                        .stride = b->stride,
                        .pad_before = pad.before,
                        .pad_after = pad.after,
                        .rings = m->rings,
                        .inner_k = m->inner_k,
                        .branch = m->branch};
  memcpy(spec.gates, m->ring_gate, sizeof spec.gates);
  memcpy(spec.ring_k, m->ring_k, sizeof spec.ring_k);
  return conv_norm(g, prefix, "conv", "conv.bn", arch, x, spec, spn_block_activation(arch, b));
}

static spn_value *bottleneck(spn_graph *g, const char *prefix, const spn_arch *arch, const spn_block *b, spn_value *x,
                             const spn_op_masks *m) {
  if (b->expand > 1)
    x = conv_norm(
        g, prefix, "expand", "expand.bn", arch, x,
        (spn_conv_spec){
            .co = spn_block_expanded(b), .k = 1, .stride = 1, .aligned = 1, .out_width = m->width, .branch = m->branch},
        spn_block_activation(arch, b));
  x = depthwise_norm(g, prefix, arch, b, x, m);
  if (spn_block_squeeze(b)) x = squeeze_excite(g, prefix, b, x, m);
  return conv_norm(g, prefix, "project", "project.bn", arch, x,
                   (spn_conv_spec){.co = b->out, .k = 1, .stride = 1, .in_width = m->width, .branch = m->branch},
                   SPN_ACT_NONE);
}

/* The block's ops side by side, with what its layer is where it is left out, and its shortcut. */
static spn_value *mixed(spn_graph *g, const spn_arch *arch, int i, spn_value *x, const spn_block_masks *m) {
  spn_mix_term term[SPN_MAX_INPUTS];
  int terms = 0, bottlenecks = 0;
  char name[24];
  if (m->around) term[terms++] = (spn_mix_term){.x = x, .branch = m->around};
  if (m->has_shortcut) term[terms++] = (spn_mix_term){.x = x, .branch = m->shortcut};
  for (int o = 0; o < m->ops; o++) bottlenecks += m->op[o].expand > 1;
  for (int o = 0; o < m->ops; o++) {
    spn_block b = arch->block[i];
    b.expand = m->op[o].expand;
    snprintf(name, sizeof name, "block.%d.%s", i, b.expand == 1 && bottlenecks ? "ds." : "");
    spn_value *y = b.expand ? bottleneck(g, name, arch, &b, x, &m->op[o]) : plain_conv(g, name, arch, &b, x, &m->op[o]);
    term[terms++] = (spn_mix_term){.x = y, .branch = m->op[o].branch, .masked = 1};
  }
  snprintf(name, sizeof name, "block.%d.mix", i);
  return spn_add_mix(g, name, terms, term, m->out);
}

static spn_value *block(spn_graph *g, const spn_arch *arch, int i, spn_value *x, const spn_block_masks *m,
                        double drop_path) {
  const spn_block *b = &arch->block[i];
  const spn_op_masks *op = &m->op[0];
  char prefix[24];
  if (m->ops) return mixed(g, arch, i, x, m);
  snprintf(prefix, sizeof prefix, "block.%d.", i);
  spn_value *y = b->expand ? bottleneck(g, prefix, arch, b, x, op) : plain_conv(g, prefix, arch, b, x, op);
  if (!b->residual) return y;
  snprintf(prefix, sizeof prefix, "block.%d.join", i);
  return spn_add_join(g, prefix, x, y, op->branch, drop_path * (i + 1) / arch->blocks);
}

spn_graph *spn_network_build(const spn_arch *arch, const spn_network_options *o, const spn_block_masks *masks,
                             spn_graph *into) {
  spn_graph *g = into ? into : spn_graph_new(o->batch, o->threads, o->reproducible, o->kernels, o->seed);
  if (!g) return NULL;
  g->bf16 = o->bf16;
  spn_value *x = spn_add_input(g, arch->input_size, arch->input_size, arch->input_channels);
  spn_pad pad = spn_pad_axis(arch->padding, arch->input_size, arch->stem_kernel, arch->stem_stride);
  x = conv_norm(g, "stem.", "conv", "bn", arch, x,
                (spn_conv_spec){.co = arch->stem_channels,
                                .k = arch->stem_kernel,
                                .stride = arch->stem_stride,
                                .pad_before = pad.before,
                                .pad_after = pad.after},
                arch->activation);
  static const spn_block_masks none;
  for (int i = 0; i < arch->blocks; i++)
    if (!arch->block[i].skipped) x = block(g, arch, i, x, masks ? &masks[i] : &none, o->drop_path);
  if (arch->head_channels)
    x = conv_norm(g, "head.", "conv", "bn", arch, x, (spn_conv_spec){.co = arch->head_channels, .k = 1, .stride = 1},
                  arch->activation);
  x = spn_add_pool(g, "pool", x);
  if (arch->dropout > 0) x = spn_add_dropout(g, "dropout", x, arch->dropout);
  spn_conv_spec dense = {.co = arch->classes, .k = 1, .stride = 1, .bias = 1, .init_std = sqrt(1.0 / (3.0 * x->c))};
  spn_add_loss(g, "loss", spn_add_conv(g, "classifier", x, &dense), o->smoothing);
  return g;
}

spn_status spn_network_create(const spn_arch *arch, const spn_network_options *o, int inference_only, spn_graph **out,
                              spn_err *err) {
  SPN_TRY(spn_arch_check(arch, err));
  spn_graph *g = spn_network_build(arch, o, NULL, NULL);
  spn_status status = spn_graph_status(g, err);
  if (!status) status = spn_graph_compile(g, inference_only, err);
  if (status) {
    spn_graph_free(g);
    return status;
  }
  *out = g;
  return SPN_OK;
}

/* Copies the sub-tensor of `to`'s shape out of `from`, starting at `start` along every axis. */
static void copy_prefix(const spn_param *from, const real *src, const spn_param *to, const size_t *start, real *dst) {
  for (size_t i = 0; i < to->size; i++) {
    size_t rest = i, index = 0, stride = 1;
    for (int d = to->dims - 1; d >= 0; d--) {
      index += (rest % to->shape[d] + start[d]) * stride;
      rest /= to->shape[d];
      stride *= from->shape[d];
    }
    dst[i] = src[index];
  }
}

/* Kernels nest in their middle: axes 0 and 1 of a depthwise one (k, k, c), 2 and 3 of a convolution's. */
static int is_kernel_axis(const spn_param *p, int axis) { return p->dims == 3 ? axis < 2 : p->dims == 4 && axis >= 2; }

/* A depthwise-separable block's parameters have a place of their own where the supernet has a bottleneck too. */
static const spn_param *source_of(const spn_graph *super, const spn_graph *net, const spn_param *to) {
  char name[64];
  int block, end = 0;
  if (sscanf(to->name, "block.%d.%n", &block, &end) == 1 && end) {
    snprintf(name, sizeof name, "block.%d.expand.weight", block);
    int separable = !spn_graph_find_param(net, name);
    snprintf(name, sizeof name, "block.%d.ds.%.40s", block, to->name + end);
    const spn_param *own = separable ? spn_graph_find_param(super, name) : NULL;
    if (own) return own;
  }
  return spn_graph_find_param(super, to->name);
}

spn_status spn_network_cut(const spn_graph *super, spn_graph *net, spn_err *err) {
  for (int i = 0; i < net->param_count; i++) {
    const spn_param *to = &net->params[i], *from = source_of(super, net, to);
    if (!from) return spn_fail(err, SPN_EINPUT, "%s: not in the network to cut from", to->name);
    size_t start[4] = {0};
    for (int d = 0; d < to->dims; d++) {
      if (from->dims != to->dims || from->shape[d] < to->shape[d])
        return spn_fail(err, SPN_EINPUT, "%s: axis %d is smaller in the network to cut from", to->name, d);
      if (is_kernel_axis(to, d)) start[d] = (from->shape[d] - to->shape[d]) / 2;
    }
    copy_prefix(from, super->weights + from->offset, to, start, net->weights + to->offset);
  }
  return SPN_OK;
}

spn_status spn_network_to_tensors(const spn_graph *g, const real *from, spn_tensors *out, spn_err *err) {
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    SPN_TRY(spn_tensors_add(out, p->name, SPN_F32, p->dims, p->shape, NULL, err));
    float *data = spn_tensors_find(out, p->name)->data;
    const real *src = (from ? from : g->weights) + p->offset;
    for (size_t k = 0; k < p->size; k++) data[k] = (float)src[k];
  }
  return SPN_OK;
}

static int same_shape(const spn_param *p, const spn_tensor *t) {
  int same = t && t->dtype == SPN_F32 && t->dims == p->dims;
  for (int d = 0; same && d < p->dims; d++) same = t->shape[d] == p->shape[d];
  return same;
}

static spn_status fail_shape(const spn_param *p, const spn_tensor *t, spn_err *err) {
  char want[80] = "", got[80] = "none";
  for (int d = 0, n = 0; d < p->dims; d++)
    n += snprintf(want + n, sizeof want - (size_t)n, "%s%zu", d ? "x" : "", p->shape[d]);
  for (int d = 0, n = 0; t && d < t->dims; d++)
    n += snprintf(got + n, sizeof got - (size_t)n, "%s%zu", d ? "x" : "", t->shape[d]);
  return spn_fail(err, SPN_EINPUT, "tensor %s: expected f32 %s, got %s", p->name, want, got);
}

static void take(spn_graph *g, const spn_param *p, const spn_tensor *t) {
  for (size_t k = 0; k < p->size; k++) g->weights[p->offset + k] = (real)((const float *)t->data)[k];
}

spn_status spn_network_from_tensors(spn_graph *g, const spn_tensors *set, spn_err *err) {
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    const spn_tensor *t = spn_tensors_find(set, p->name);
    if (!same_shape(p, t)) return fail_shape(p, t, err);
    take(g, p, t);
  }
  return SPN_OK;
}

int spn_network_take_tensors(spn_graph *g, const spn_tensors *set) {
  int taken = 0;
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    const spn_tensor *t = spn_tensors_find(set, p->name);
    if (!same_shape(p, t)) continue;
    take(g, p, t);
    taken++;
  }
  return taken;
}
