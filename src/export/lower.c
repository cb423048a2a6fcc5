#include "export/lower.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/weights.h"

spn_lowered *spn_lowered_new(void) { return calloc(1, sizeof(spn_lowered)); }

static void free_node(spn_lowered_node *n) {
  free(n->weight);
  free(n->bias);
  free(n->norm);
}

void spn_lowered_free(spn_lowered *net) {
  if (!net) return;
  for (int i = 0; i < net->count; i++) free_node(&net->node[i]);
  free(net->node);
  free(net);
}

spn_lowered_node *spn_lowered_add(spn_lowered *net, spn_lowered_kind kind) {
  if (net->count == net->room) {
    int room = net->room ? 2 * net->room : 64;
    spn_lowered_node *wider = realloc(net->node, (size_t)room * sizeof *wider);
    if (!wider) return NULL;
    net->node = wider;
    net->room = room;
  }
  spn_lowered_node *n = &net->node[net->count++];
  *n = (spn_lowered_node){.kind = kind, .in = {-1, -1}};
  return n;
}

size_t spn_lowered_elements(const spn_lowered_node *n) { return (size_t)n->h * (size_t)n->w * (size_t)n->c; }

size_t spn_lowered_results(const spn_lowered *net) {
  size_t n = 0;
  for (int i = 0; i < net->outputs; i++) n += spn_lowered_elements(&net->node[net->output[i].node]);
  return n;
}

const char *spn_lowered_output_name(const spn_lowered *net, int node) {
  for (int i = 0; i < net->outputs; i++)
    if (net->output[i].node == node) return net->output[i].name;
  return NULL;
}

int spn_lowered_give(spn_lowered *net, int node, const char *name, size_t length) {
  spn_lowered_output *o = &net->output[net->outputs];
  if (net->outputs == SPN_MAX_OUTPUTS || length >= sizeof o->name) return 0;
  *o = (spn_lowered_output){.node = node};
  memcpy(o->name, name, length);
  net->outputs++;
  return 1;
}

size_t spn_lowered_weights(const spn_lowered_node *n, int in) {
  const size_t out = (size_t)n->c, taps = (size_t)n->kernel * (size_t)n->kernel;
  switch (n->kind) {
    case SPN_LOWERED_CONV: return out * (size_t)in * taps;
    case SPN_LOWERED_DEPTHWISE: return out * taps;
    case SPN_LOWERED_DENSE: return out * (size_t)in;
    case SPN_LOWERED_SCALE: return out;
    default: return 0;
  }
}

/* ---- Building ---- */

typedef struct {
  const spn_arch *arch;
  const spn_tensors *weights;
  const spn_export_options *options;
  spn_lowered *net;
  int at;                                   /* the node that the next one reads */
  spn_endpoint endpoint[SPN_MAX_ENDPOINTS]; /* of options->endpoints */
  int endpoints;
  spn_err *err;
} builder;

/* A convolution and what follows it. Weights are `<name>.weight` and, without bn, `<name>.bias`. */
typedef struct {
  const char *name, *bn; /* prefixes; bn NULL: a bias instead */
  int out, kernel, stride, depthwise;
  spn_fused act;
} layer;

static spn_status no_memory(const builder *b) { return spn_fail(b->err, SPN_ENOMEM, "export: out of memory"); }

/* A node after the current one, of the same size; it becomes the current one. */
static spn_status next_node(builder *b, spn_lowered_kind kind, const char *name, spn_lowered_node **out) {
  spn_lowered_node *n = spn_lowered_add(b->net, kind);
  if (!n) return no_memory(b);
  const spn_lowered_node *x = &b->net->node[b->at];
  snprintf(n->name, sizeof n->name, "%s", name);
  n->in[0] = b->at;
  n->h = x->h, n->w = x->w, n->c = x->c;
  b->at = b->net->count - 1;
  *out = n;
  return SPN_OK;
}

static spn_status copy(const builder *b, const float *data, size_t n, float **out) {
  *out = malloc(n * sizeof **out);
  if (!*out) return no_memory(b);
  memcpy(*out, data, n * sizeof **out);
  return SPN_OK;
}

/* Multiplies output channel o of the weight by scale[o]. */
static spn_status fold_weight(const builder *b, spn_lowered_node *n, size_t weights, const double *scale) {
  const size_t out = (size_t)n->c, row = weights / out;
  int finite = 1;
  for (size_t i = 0; i < weights; i++) {
    size_t o = n->kind == SPN_LOWERED_DEPTHWISE ? i % out : i / row;
    n->weight[i] = (float)((double)n->weight[i] * scale[o]);
    finite &= isfinite(n->weight[i]) != 0;
  }
  return finite ? SPN_OK
                : spn_fail(b->err, SPN_ENUMERIC, "export: %s.weight overflows with its batch norm folded in", n->name);
}

static spn_status fold_norm(const builder *b, spn_lowered_node *n, size_t weights, const spn_weight_bn *bn) {
  const size_t c = (size_t)n->c;
  double *scale = malloc(2 * c * sizeof *scale);
  n->bias = malloc(c * sizeof *n->bias);
  spn_status status = scale && n->bias ? SPN_OK : no_memory(b);
  if (!status) {
    spn_weight_fold(bn, n->c, b->arch->bn_eps, scale, scale + c);
    for (size_t o = 0; o < c; o++) n->bias[o] = (float)scale[c + o];
    status = fold_weight(b, n, weights, scale);
  }
  free(scale);
  return status;
}

static spn_status keep_norm(builder *b, const layer *l, const spn_weight_bn *bn) {
  const float *const part[] = {bn->gamma, bn->beta, bn->mean, bn->var};
  const size_t c = (size_t)l->out;
  spn_lowered_node *n;
  SPN_TRY(next_node(b, SPN_LOWERED_NORM, l->bn, &n));
  n->act = l->act;
  n->eps = (float)b->arch->bn_eps;
  n->norm = malloc(4 * c * sizeof *n->norm);
  if (!n->norm) return no_memory(b);
  for (size_t k = 0; k < 4; k++) memcpy(n->norm + k * c, part[k], c * sizeof *n->norm);
  return SPN_OK;
}

static spn_status conv(builder *b, const layer *l) {
  const spn_lowered_node x = b->net->node[b->at];
  const size_t k = (size_t)l->kernel, out = (size_t)l->out;
  const size_t oikk[] = {out, (size_t)x.c, k, k}, kkc[] = {k, k, out};
  char name[SPN_LOWERED_NAME + 8];
  spn_weight_bn bn;
  const float *w, *bias;
  spn_lowered_node *n;
  SPN_TRY(next_node(b, l->depthwise ? SPN_LOWERED_DEPTHWISE : SPN_LOWERED_CONV, l->name, &n));
  n->c = l->out, n->kernel = l->kernel, n->stride = l->stride;
  n->y = spn_pad_axis(b->arch->padding, x.h, l->kernel, l->stride);
  n->x = spn_pad_axis(b->arch->padding, x.w, l->kernel, l->stride);
  n->h = n->y.out, n->w = n->x.out;
  const size_t weights = spn_lowered_weights(n, x.c);
  snprintf(name, sizeof name, "%s.weight", l->name);
  SPN_TRY(spn_weight_find(b->weights, name, l->depthwise ? 3 : 4, l->depthwise ? kkc : oikk, &w, b->err));
  SPN_TRY(copy(b, w, weights, &n->weight));
  if (!l->bn) {
    n->act = l->act;
    snprintf(name, sizeof name, "%s.bias", l->name);
    SPN_TRY(spn_weight_find(b->weights, name, 1, &out, &bias, b->err));
    return copy(b, bias, out, &n->bias);
  }
  SPN_TRY(spn_weight_find_bn(b->weights, l->bn, l->out, &bn, b->err));
  if (!b->options->fold_bn) return keep_norm(b, l, &bn);
  n->act = l->act;
  return fold_norm(b, n, weights, &bn);
}

/* in[0] of the two-input node is the current one. */
static spn_status join(builder *b, spn_lowered_kind kind, const char *name, int other) {
  spn_lowered_node *n;
  SPN_TRY(next_node(b, kind, name, &n));
  n->in[1] = other;
  return SPN_OK;
}

static spn_status pool(builder *b, const char *name) {
  spn_lowered_node *n;
  SPN_TRY(next_node(b, SPN_LOWERED_POOL, name, &n));
  n->h = n->w = 1;
  return SPN_OK;
}

/* ---- The network ---- */

/* The current node is what `place` says: an output, where it is an endpoint. */
static void mark(builder *b, int block, int expansion) {
  char name[16];
  for (int i = 0; i < b->endpoints; i++) {
    if (b->endpoint[i].block != block || b->endpoint[i].expansion != expansion) continue;
    snprintf(name, sizeof name, "stride%d", b->options->endpoints.stride[i]);
    spn_lowered_give(b->net, b->at, name, strlen(name));
  }
}

static spn_status squeeze_excite(builder *b, const char *block, int squeeze) {
  const int x = b->at;
  char name[SPN_LOWERED_NAME], reduce[SPN_LOWERED_NAME], expand[SPN_LOWERED_NAME];
  snprintf(name, sizeof name, "%.16s.se", block);
  snprintf(reduce, sizeof reduce, "%.16s.se.reduce", block);
  snprintf(expand, sizeof expand, "%.16s.se.expand", block);
  const layer first = {reduce, NULL, squeeze, 1, 1, 0, SPN_FUSED_RELU};
  const layer second = {expand, NULL, b->net->node[x].c, 1, 1, 0, SPN_FUSED_SIGMOID};
  SPN_TRY(pool(b, name));
  SPN_TRY(conv(b, &first));
  SPN_TRY(conv(b, &second));
  const int gate = b->at;
  b->at = x;
  return join(b, SPN_LOWERED_MUL, name, gate);
}

static spn_status block(builder *b, int i) {
  enum { PARTS = 4 };
  static const char *const part[PARTS] = {"expand", "dw", "project", "conv"};
  const spn_block *s = &b->arch->block[i];
  const spn_fused act = (spn_fused)spn_block_activation(b->arch, s);
  const int input = b->at, expanded = spn_block_expanded(s), squeeze = spn_block_squeeze(s);
  char prefix[20], name[PARTS][SPN_LOWERED_NAME], bn[PARTS][SPN_LOWERED_NAME];
  snprintf(prefix, sizeof prefix, "block.%d", i);
  for (int p = 0; p < PARTS; p++) {
    snprintf(name[p], sizeof name[p], "%s.%s", prefix, part[p]);
    snprintf(bn[p], sizeof bn[p], "%s.%s.bn", prefix, part[p]);
  }
  const layer expand = {name[0], bn[0], expanded, 1, 1, 0, act};
  const layer depthwise = {name[1], bn[1], expanded, s->kernel, s->stride, 1, act};
  const layer project = {name[2], bn[2], s->out, 1, 1, 0, SPN_FUSED_NONE};
  const layer plain = {name[3], bn[3], s->out, s->kernel, s->stride, 0, act};
  if (!s->expand) {
    SPN_TRY(conv(b, &plain));
  } else {
    if (s->expand > 1) SPN_TRY(conv(b, &expand));
    mark(b, i, 1);
    SPN_TRY(conv(b, &depthwise));
    if (squeeze) SPN_TRY(squeeze_excite(b, prefix, squeeze));
    SPN_TRY(conv(b, &project));
  }
  if (s->residual) SPN_TRY(join(b, SPN_LOWERED_ADD, prefix, input));
  mark(b, i, 0);
  return SPN_OK;
}

/* (pixel - 255 mean) / (255 std), before the first convolution, so that its padding stays zero. */
static spn_status normalise(builder *b) {
  spn_lowered_node *n;
  SPN_TRY(next_node(b, SPN_LOWERED_SCALE, "image.normalised", &n));
  n->weight = malloc((size_t)n->c * sizeof *n->weight);
  n->bias = malloc((size_t)n->c * sizeof *n->bias);
  if (!n->weight || !n->bias) return no_memory(b);
  for (int c = 0; c < n->c; c++) {
    n->weight[c] = (float)(1 / (255 * b->options->std[c]));
    n->bias[c] = (float)(-b->options->mean[c] / b->options->std[c]);
  }
  return SPN_OK;
}

static spn_status stem(builder *b) {
  const spn_arch *a = b->arch;
  const layer l = {"stem.conv",    "stem.bn", a->stem_channels,        a->stem_kernel,
                   a->stem_stride, 0,         (spn_fused)a->activation};
  if (b->options->input == SPN_INPUT_PIXELS) SPN_TRY(normalise(b));
  SPN_TRY(conv(b, &l));
  mark(b, -1, 0);
  return SPN_OK;
}

static spn_status head(builder *b) {
  const spn_arch *a = b->arch;
  const layer l = {"head.conv", "head.bn", a->head_channels, 1, 1, 0, (spn_fused)a->activation};
  const float *w, *bias;
  spn_lowered_node *n;
  if (a->head_channels) {
    SPN_TRY(conv(b, &l));
    mark(b, a->blocks, 0);
  }
  SPN_TRY(pool(b, "features"));
  const size_t in = (size_t)b->net->node[b->at].c, out = (size_t)a->classes, sides[] = {out, in};
  SPN_TRY(next_node(b, SPN_LOWERED_DENSE, "classifier", &n));
  n->c = a->classes;
  SPN_TRY(spn_weight_find(b->weights, "classifier.weight", 2, sides, &w, b->err));
  SPN_TRY(spn_weight_find(b->weights, "classifier.bias", 1, &out, &bias, b->err));
  SPN_TRY(copy(b, w, in * out, &n->weight));
  return copy(b, bias, out, &n->bias);
}

/* The input's size: the image's, or what the layers before the part make of it. */
static spn_status input(builder *b, const spn_lower_part *part) {
  const spn_arch *a = b->arch;
  spn_lowered_node *n = spn_lowered_add(b->net, SPN_LOWERED_INPUT);
  if (!n) return no_memory(b);
  int size = a->input_size, channels = a->input_channels;
  if (!part->stem) {
    size = spn_pad_axis(a->padding, size, a->stem_kernel, a->stem_stride).out;
    channels = a->stem_channels;
    for (int i = 0; i < part->first; i++) {
      spn_block_counts(a, &a->block[i], size, &size);
      channels = a->block[i].out;
    }
  }
  snprintf(n->name, sizeof n->name, "%s", b->net->input);
  n->h = n->w = size;
  n->c = channels;
  return SPN_OK;
}

static spn_status build(builder *b, const spn_lower_part *part) {
  const spn_arch *a = b->arch;
  if (part->first < 0 || part->blocks < 0 || part->first > a->blocks || part->blocks > a->blocks - part->first ||
      (part->stem && part->first) || (part->stem && part->head && part->blocks != a->blocks))
    return spn_fail(b->err, SPN_EINPUT, "export: no part of %d blocks from %d on in a network of %d blocks",
                    part->blocks, part->first, a->blocks);
  b->net->input = part->stem ? "image" : "input";
  SPN_TRY(input(b, part));
  if (part->stem) SPN_TRY(stem(b));
  for (int i = part->first; i < part->first + part->blocks; i++)
    if (!a->block[i].skipped) SPN_TRY(block(b, i));
  return part->head ? head(b) : SPN_OK;
}

static spn_status find_endpoints(builder *b) {
  const spn_endpoints *e = &b->options->endpoints;
  for (; b->endpoints < e->count; b->endpoints++)
    SPN_TRY(spn_endpoint_find(b->arch, e->stride[b->endpoints], e->layer, &b->endpoint[b->endpoints], b->err));
  return SPN_OK;
}

/* The last node is the last output: the logits or what a part gives; or else nodes go that no endpoint needs. */
static void end(builder *b, const spn_lower_part *part) {
  const char *name = part->head ? "logits" : "output";
  if (!b->endpoints || b->options->endpoints.logits) spn_lowered_give(b->net, b->at, name, strlen(name));
  const int count = b->net->output[b->net->outputs - 1].node + 1;
  while (b->net->count > count) free_node(&b->net->node[--b->net->count]);
}

spn_status spn_lower(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                     const spn_lower_part *part, spn_lowered **out, spn_err *err) {
  const spn_lower_part whole = {1, 0, arch->blocks, 1};
  builder b = {.arch = arch, .weights = weights, .options = options, .net = spn_lowered_new(), .err = err};
  if (!b.net) return no_memory(&b);
  spn_status status = part ? SPN_OK : find_endpoints(&b);
  if (!part) part = &whole;
  if (!status) status = build(&b, part);
  if (status) {
    spn_lowered_free(b.net);
    return status;
  }
  end(&b, part);
  *out = b.net;
  return SPN_OK;
}
