/* Building a supernet: a mask for every option but a decision's first, the ops that they stand before, and the weights
 * behind each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/supernet.h"

_Static_assert((int)SPN_MAX_AXIS == (int)SPN_MAX_OPTIONS, "an axis holds every list of options");

/* ---- Masks and their gates ---- */

static void make_masks(spn_supernet *net) {
  spn_decisions decisions;
  spn_decisions_of(&net->space, &decisions);
  for (int d = 0; d < decisions.count; d++)
    for (int step = 0; step + 1 < decisions.list[d].options; step++) {
      const spn_decision *of = &decisions.list[d];
      const spn_layer *layer = &net->space.layer[of->layer];
      spn_mask *m = &net->mask[net->masks++];
      char what[24];
      spn_option_text(layer, of->kind, step + 1, what, sizeof what);
      *m = (spn_mask){.layer = of->layer, .kind = of->kind, .step = step, .gate2 = -1, .moot = of->moot};
      m->gate = spn_graph_gate(net->graph, 1);
      if (of->kind == SPN_DECISION_KERNEL && layer->tied) m->gate2 = spn_graph_gate(net->graph, 1);
      snprintf(m->name, sizeof m->name, "layer %d %s", of->layer, what);
    }
}

/* Whether a decision is one for all layers of the stage. */
static int is_led(const spn_layer *layer, spn_decision_kind kind) {
  return kind >= SPN_DECISION_CHANNELS || (layer->shared && kind != SPN_DECISION_KEEP);
}

/* The gates of a layer's decision; one option where there is nothing to decide. */
static spn_axis axis_of(const spn_supernet *net, int position, spn_decision_kind kind) {
  const spn_layer *layer = &net->space.layer[position];
  int from = is_led(layer, kind) ? layer->leader : position, with_kernel = kind == SPN_DECISION_EXPAND && layer->tied;
  spn_axis axis = {.options = 1};
  for (int i = 0; i < net->masks; i++) {
    const spn_mask *m = &net->mask[i];
    if (m->layer == from && m->kind == (with_kernel ? SPN_DECISION_KERNEL : kind))
      axis.gate[axis.options++ - 1] = with_kernel ? m->gate2 : m->gate;
  }
  return axis;
}

/* Gates from..to-1 of an axis alone. */
static spn_axis part_of(const spn_axis *axis, int from, int to) {
  spn_axis part = {.options = to - from + 1};
  for (int i = from; i < to; i++) part.gate[i - from] = axis->gate[i];
  return part;
}

/* ---- Channels ---- */

static int scaled(const spn_space *space, int channels) {
  return space->proxy_width == 1 ? channels : spn_scale_channels(channels, space->proxy_width);
}

/* What a layer's input can have. */
typedef struct {
  spn_axis axis;
  int channels[SPN_MAX_OPTIONS];
} inputs;

static inputs outputs_of(const spn_supernet *net, int position) {
  const spn_space *space = &net->space;
  inputs in = {.axis = {.options = 1}, .channels = {scaled(space, space->base.stem_channels)}};
  if (position < 0) return in;
  in.axis = axis_of(net, position, SPN_DECISION_CHANNELS);
  for (int i = 0; i < space->layer[position].channels; i++)
    in.channels[i] = scaled(space, space->layer[position].channel[i]);
  return in;
}

/* ---- The ops of a layer ---- */

/* Options of one op among a layer's expansions: first..last. */
typedef struct {
  int expand, first, last;
} span;

static int spans_of(const spn_layer *layer, span *out) {
  int count = 0;
  for (int e = 0; e < layer->expands; e++) {
    int expand = layer->expand[e], joins = count && expand > 1 && out[count - 1].expand > 1;
    if (!joins) out[count++] = (span){.first = e};
    out[count - 1].expand = expand;
    out[count - 1].last = e;
  }
  return count;
}

static void kernel_masks(const spn_supernet *net, int position, spn_op_masks *op) {
  const spn_layer *layer = &net->space.layer[position];
  spn_axis axis = axis_of(net, position, SPN_DECISION_KERNEL);
  op->inner_k = layer->kernel[0];
  op->rings = axis.options - 1;
  for (int i = 0; i < op->rings; i++) {
    op->ring_gate[i] = axis.gate[i];
    op->ring_k[i] = layer->kernel[i + 1];
  }
}

/* The expanded channels and the squeeze units, each by the input's channels and by the op's own options. */
static void width_masks(spn_supernet *net, int position, const span *of, spn_op_masks *op) {
  const spn_layer *layer = &net->space.layer[position];
  inputs in = outputs_of(net, position - 1);
  spn_axis expand = axis_of(net, position, SPN_DECISION_EXPAND), se = axis_of(net, position, SPN_DECISION_SE);
  int channels[SPN_MAX_LEVELS], count = 0, with_none = layer->se[0] == 0;
  expand = part_of(&expand, of->first, of->last);
  for (int i = 0; i < in.axis.options; i++)
    for (int e = of->first; e <= of->last; e++) channels[count++] = in.channels[i] * layer->expand[e];
  if (count > 1) {
    spn_width *width = spn_graph_width_by(net->graph, &in.axis, &expand, channels);
    width->dense = of->expand == 1;
    op->width = width;
  }
  if (layer->ses == with_none) return;
  op->se_on = with_none ? se.gate[0] : -1; /* the first mask switches SE on; later ones widen the squeeze */
  se = part_of(&se, with_none, layer->ses - 1);
  count = 0;
  for (int i = 0; i < in.axis.options; i++)
    for (int e = with_none; e < layer->ses; e++)
      channels[count++] = spn_block_squeeze(&(spn_block){.in = in.channels[i], .expand = 1, .se = layer->se[e]});
  op->units = spn_graph_width_by(net->graph, &in.axis, &se, channels);
}

/* Gates that must be open for the layer to be there at all; returns how many. */
static int keep_gates(const spn_supernet *net, int position, int *gates) {
  const spn_layer *layer = &net->space.layer[position], *stage = &net->space.layer[layer->leader];
  spn_axis own = axis_of(net, position, SPN_DECISION_KEEP), layers = axis_of(net, position, SPN_DECISION_LAYERS);
  int count = 0;
  if (own.options > 1) gates[count++] = own.gate[0];
  for (int i = 0; i + 1 < layers.options && stage->count[i] <= position - layer->leader; i++)
    gates[count++] = layers.gate[i];
  return count;
}

/* When an op has its turn: the layer is there, the expansions before its own are passed, and those behind are not all
 * reached. */
static const spn_branch *op_branch(spn_supernet *net, int position, const span *of) {
  const spn_layer *layer = &net->space.layer[position];
  spn_axis expand = axis_of(net, position, SPN_DECISION_EXPAND);
  int on[SPN_MAX_BRANCH_GATES], off[SPN_MAX_BRANCH_GATES], ons = keep_gates(net, position, on), offs = 0;
  for (int i = 0; i < of->first; i++) on[ons++] = expand.gate[i];
  for (int i = of->first; of->last + 1 < layer->expands && i <= of->last; i++) off[offs++] = expand.gate[i];
  return ons || offs ? spn_graph_branch_by(net->graph, ons, on, offs, off) : NULL;
}

/* The shortcut counts while the layer is there; the layer's input passes while it is not. */
static void shortcut_masks(spn_supernet *net, int position, spn_block_masks *out) {
  const spn_layer *layer = &net->space.layer[position];
  spn_axis shortcut = axis_of(net, position, SPN_DECISION_SHORTCUT);
  int on[SPN_MAX_BRANCH_GATES], ons = keep_gates(net, position, on);
  if (ons) out->around = spn_graph_branch_by(net->graph, 0, NULL, ons, on);
  out->has_shortcut = layer->residual;
  if (!layer->residual) return;
  if (shortcut.options > 1) on[ons++] = shortcut.gate[0];
  if (ons) out->shortcut = spn_graph_branch_by(net->graph, ons, on, 0, NULL);
}

static void layer_masks(spn_supernet *net, int position, spn_block_masks *out) {
  const spn_layer *layer = &net->space.layer[position], *stage = &net->space.layer[layer->leader];
  span ops[SPN_MAX_OPS];
  int count = spans_of(layer, ops);
  memset(out, 0, sizeof *out);
  for (int o = 0; o < count; o++) {
    spn_op_masks *op = &out->op[o];
    op->expand = ops[o].expand;
    kernel_masks(net, position, op);
    if (op->expand) width_masks(net, position, &ops[o], op);
    op->branch = op_branch(net, position, &ops[o]);
  }
  if (count == 1 && stage->channels < 2 && stage->counts < 2 && stage->shortcuts < 2)
    return; /* the network's own join */
  out->ops = count;
  shortcut_masks(net, position, out);
  inputs channels = outputs_of(net, position);
  spn_axis one = {.options = 1};
  if (channels.axis.options > 1) out->out = spn_graph_width_by(net->graph, &one, &channels.axis, channels.channels);
}

/* ---- The weights behind a mask ---- */

/* Regions are gathered in two lists, which are then put one behind the other. */
enum { MAX_REGIONS = SPN_MAX_LAYERS * SPN_MAX_OPS };
typedef struct {
  const spn_supernet *net;
  spn_region part[MAX_REGIONS], extends[MAX_REGIONS];
  int parts, extended;
} gathered;

static int param_number(const spn_graph *g, int layer, const char *op, const char *suffix) {
  char name[64];
  snprintf(name, sizeof name, "block.%d.%s%s", layer, op, suffix);
  const spn_param *p = spn_graph_find_param(g, name);
  return p ? (int)(p - g->params) : -1;
}

/* Rows outer0..outer1-1 and columns inner0..inner1-1 of a parameter whose first outer_dims axes are rows. */
static spn_region region(const spn_graph *g, int param, int outer_dims, size_t outer0, size_t outer1, size_t inner0,
                         size_t inner1) {
  const spn_param *p = &g->params[param];
  spn_region r = {
      .param = param, .outer0 = outer0, .outer1 = outer1, .inner0 = inner0, .inner1 = inner1, .inner_size = 1};
  for (int d = outer_dims; d < p->dims; d++) r.inner_size *= p->shape[d];
  return r;
}

/* All of it, but for other output channels (rows) than row0..row1-1. */
static spn_region rows(const spn_graph *g, int param, int row0, int row1) {
  const spn_param *p = &g->params[param];
  return region(g, param, 1, (size_t)row0, (size_t)row1, 0, p->size / p->shape[0]);
}

/* Taps of a depthwise kernel (rows k*k, columns channels) in rings ring0..ring1 and channels c0..c1-1. */
static spn_region taps(const spn_graph *g, int param, int ring0, int ring1, int c0, int c1) {
  int k = (int)g->params[param].shape[0];
  spn_region r = region(g, param, 2, 0, (size_t)k * (size_t)k, (size_t)c0, (size_t)c1);
  r.k = k;
  r.ring0 = ring0;
  r.ring1 = ring1;
  return r;
}

/* The same of a convolution, all of its channels. */
static spn_region conv_taps(const spn_graph *g, int param, int ring0, int ring1) {
  spn_region r = rows(g, param, 0, (int)g->params[param].shape[0]);
  r.k = (int)g->params[param].shape[2];
  r.columns = 1;
  r.ring0 = ring0;
  r.ring1 = ring1;
  return r;
}

static void add(spn_region r, spn_region *list, int *count) {
  if (r.outer1 > r.outer0 && r.inner1 > r.inner0) list[(*count)++] = r;
}

/* An op of a layer, where its parameters are, and its channels at most. */
typedef struct {
  const spn_layer *layer;
  span span;
  int weight, in; /* of the depthwise or the plain convolution */
  const char *place;
  int position;
} op_at;

static int ops_at(const spn_supernet *net, int position, op_at *out) {
  const spn_layer *layer = &net->space.layer[position];
  span spans[SPN_MAX_OPS];
  int count = spans_of(layer, spans), bottleneck = 0;
  for (int o = 0; o < count; o++) bottleneck |= spans[o].expand > 1;
  for (int o = 0; o < count; o++) {
    out[o] = (op_at){.layer = layer, .span = spans[o], .in = net->arch.block[position].in, .position = position};
    out[o].place = spans[o].expand == 1 && bottleneck ? "ds." : "";
    out[o].weight = param_number(net->graph, position, out[o].place, spans[o].expand ? "dw.weight" : "conv.weight");
  }
  return count;
}

/* A layer as a whole: its smallest option, which extends nothing. */
static void whole_regions(gathered *r, const op_at *first) {
  const spn_layer *l = first->layer;
  const spn_graph *g = r->net->graph;
  if (first->span.expand) add(taps(g, first->weight, 0, l->kernel[0], 0, first->in * l->expand[0]), r->part, &r->parts);
  else add(conv_taps(g, first->weight, 0, l->kernel[0]), r->part, &r->parts);
}

/* The ring, and what it surrounds. */
static void kernel_regions(gathered *r, const op_at *op, int step) {
  const spn_layer *l = op->layer;
  const spn_graph *g = r->net->graph;
  int from = l->kernel[step], to = l->kernel[step + 1], all = op->in * op->span.expand;
  if (op->span.expand) {
    add(taps(g, op->weight, from + 1, to, 0, all), r->part, &r->parts);
    add(taps(g, op->weight, 0, from, 0, all), r->extends, &r->extended);
  } else {
    add(conv_taps(g, op->weight, from + 1, to), r->part, &r->parts);
    add(conv_taps(g, op->weight, 0, from), r->extends, &r->extended);
  }
}

/* The added channels, and the earlier ones; of an op that begins with this option all, which extend nothing. */
static void expand_regions(gathered *r, const op_at *op, int step) {
  const spn_layer *l = op->layer;
  const spn_graph *g = r->net->graph;
  int option = step + 1, largest = l->kernel[l->kernels - 1];
  if (option < op->span.first || option > op->span.last) return;
  if (!op->span.expand) {
    add(conv_taps(g, op->weight, 0, largest), r->part, &r->parts);
    return;
  }
  int from = option > op->span.first ? op->in * l->expand[step] : 0;
  add(taps(g, op->weight, 0, largest, from, op->in * l->expand[option]), r->part, &r->parts);
  add(taps(g, op->weight, 0, largest, 0, from), r->extends, &r->extended);
}

/* The added squeeze rows, and the earlier ones. */
static void se_regions(gathered *r, const op_at *op, int step) {
  const spn_layer *l = op->layer;
  if (!op->span.expand) return;
  int reduce = param_number(r->net->graph, op->position, op->place, "se.reduce.weight");
  int below = spn_block_squeeze(&(spn_block){.in = op->in, .expand = 1, .se = l->se[step]});
  int at = spn_block_squeeze(&(spn_block){.in = op->in, .expand = 1, .se = l->se[step + 1]});
  add(rows(r->net->graph, reduce, below, at), r->part, &r->parts);
  add(rows(r->net->graph, reduce, 0, below), r->extends, &r->extended);
}

/* The added output channels, and the earlier ones. */
static void channel_regions(gathered *r, const op_at *op, int step) {
  const spn_graph *g = r->net->graph;
  int last = op->span.expand ? param_number(g, op->position, op->place, "project.weight") : op->weight;
  int from = scaled(&r->net->space, op->layer->channel[step]),
      to = scaled(&r->net->space, op->layer->channel[step + 1]);
  add(rows(g, last, from, to), r->part, &r->parts);
  add(rows(g, last, 0, from), r->extends, &r->extended);
}

static void layer_regions(gathered *r, const spn_mask *m, int position) {
  op_at ops[SPN_MAX_OPS];
  int count = ops_at(r->net, position, ops);
  if (m->kind == SPN_DECISION_KEEP || m->kind == SPN_DECISION_LAYERS) whole_regions(r, &ops[0]);
  for (int o = 0; o < count; o++) switch (m->kind) {
      case SPN_DECISION_KERNEL: kernel_regions(r, &ops[o], m->step); break;
      case SPN_DECISION_EXPAND: expand_regions(r, &ops[o], m->step); break;
      case SPN_DECISION_SE: se_regions(r, &ops[o], m->step); break;
      case SPN_DECISION_CHANNELS: channel_regions(r, &ops[o], m->step); break;
      default: break;
    }
}

static spn_status set_regions(spn_supernet *net, spn_mask *m, gathered *r, spn_err *err) {
  const spn_layer *layer = &net->space.layer[m->layer];
  int from = m->layer, to = m->layer + (is_led(layer, m->kind) ? layer->stage_layers : 1);
  r->parts = r->extended = 0;
  if (m->kind == SPN_DECISION_LAYERS)
    from = m->layer + layer->count[m->step], to = m->layer + layer->count[m->step + 1];
  for (int l = from; l < to; l++) layer_regions(r, m, l);
  spn_region *larger = realloc(net->region, (size_t)(net->regions + r->parts + r->extended + 1) * sizeof *larger);
  if (!larger) return spn_fail(err, SPN_ENOMEM, "supernet: out of memory");
  net->region = larger;
  m->first = net->regions;
  m->parts = r->parts;
  m->extended = r->extended;
  for (int i = 0; i < r->parts; i++) net->region[net->regions++] = r->part[i];
  for (int i = 0; i < r->extended; i++) net->region[net->regions++] = r->extends[i];
  if (r->parts) m->init_std = net->graph->params[r->part[0].param].init_std;
  return SPN_OK;
}

static spn_status find_regions(spn_supernet *net, spn_err *err) {
  gathered *r = malloc(sizeof *r);
  spn_status status = r ? SPN_OK : spn_fail(err, SPN_ENOMEM, "supernet: out of memory");
  if (r) r->net = net;
  for (int i = 0; !status && i < net->masks; i++) status = set_regions(net, &net->mask[i], r, err);
  free(r);
  return status;
}

/* ---- Whole ---- */

spn_status spn_supernet_create(const spn_space *space, int classes, int channels, const spn_network_options *o,
                               spn_supernet **out, spn_err *err) {
  spn_supernet *net = calloc(1, sizeof *net);
  spn_block_masks *masks = calloc((size_t)space->layers, sizeof *masks);
  if (net) net->mask = calloc(SPN_MAX_MASKS, sizeof *net->mask);
  if (!net || !masks || !net->mask) {
    free(masks);
    spn_supernet_free(net);
    return spn_fail(err, SPN_ENOMEM, "supernet: out of memory");
  }
  net->space = *space;
  spn_choice max;
  spn_choice_max(space, &max);
  spn_space_arch(space, &max, 1, &net->arch);
  net->arch.classes = classes;
  net->arch.input_channels = channels;
  for (int i = 0; i < space->layers; i++) net->arch.block[i].se = space->layer[i].se[space->layer[i].ses - 1];
  net->graph = spn_graph_new(o->batch, o->threads, o->reproducible, o->kernels, o->seed);
  if (net->graph) make_masks(net);
  for (int i = 0; net->graph && i < space->layers; i++) layer_masks(net, i, &masks[i]);
  if (net->graph) spn_network_build(&net->arch, o, masks, net->graph);
  free(masks);
  spn_status status = spn_graph_status(net->graph, err);
  if (!status) status = find_regions(net, err);
  if (!status) status = spn_graph_compile(net->graph, 0, err);
  if (status) {
    spn_supernet_free(net);
    return status;
  }
  *out = net;
  return SPN_OK;
}
