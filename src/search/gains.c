/* What the indicators learn from a step: gradients, gains, and the evidence that moves thresholds. */
#include "search/indicators.h"

#include <math.h>

/* Whether mask `other` decides about mask `m` at all: whether its layer is there, or an earlier step of its kind. */
static int is_above(const spn_indicators *s, const spn_mask *other, const spn_mask *m) {
  const spn_layer *layer = &s->net->space.layer[m->layer];
  if (other->kind == SPN_DECISION_LAYERS && other->layer == layer->leader && other->layer != m->layer)
    return s->net->space.layer[other->layer].count[other->step] <= m->layer - other->layer;
  if (other->layer != m->layer || m->kind == SPN_DECISION_KEEP) return 0;
  return other->kind == SPN_DECISION_KEEP || (other->kind == m->kind && other->step < m->step);
}

/* Of SE: how much its layer is a plain convolution, in which it has no say. */
static double convolution(const spn_indicators *s, int i) {
  const spn_mask *m = &s->net->mask[i];
  double product = m->kind == SPN_DECISION_SE && m->moot >= 0;
  for (int k = 0; product > 0 && k < s->count; k++) {
    const spn_mask *other = &s->net->mask[k];
    if (other->layer == m->layer && other->kind == SPN_DECISION_EXPAND) product *= spn_mask_value(s->net, k);
  }
  return product;
}

/* Product of the masks above one: how much of it the step let through. below_keep: without the layer's own. */
static double openness(const spn_indicators *s, int i, int below_keep) {
  double product = 1;
  for (int k = 0; k < s->count; k++) {
    const spn_mask *other = &s->net->mask[k];
    if (is_above(s, other, &s->net->mask[i]) && !(below_keep && other->kind == SPN_DECISION_KEEP))
      product *= spn_mask_value(s->net, k);
  }
  return product * (1 - convolution(s, i));
}

/* Whether an option is decided on, with every step below it in its kind. */
static int is_decided(const spn_indicators *s, int i) {
  for (int k = 0; k < s->count; k++) {
    const spn_mask *other = &s->net->mask[k];
    if (is_above(s, other, &s->net->mask[i]) && other->kind != SPN_DECISION_KEEP && !s->list[k].on) return 0;
  }
  return s->list[i].on;
}

/* Gain of a layer's options as they stand in this step, or, by_decision, as they are decided. */
static double inner_gain(const spn_indicators *s, int layer, int by_decision) {
  double sum = 0;
  for (int i = 0; i < s->count; i++) {
    const spn_mask *m = &s->net->mask[i];
    if (m->layer != layer || m->kind == SPN_DECISION_KEEP) continue;
    sum += s->list[i].gain * (by_decision ? is_decided(s, i) : spn_mask_value(s->net, i) * openness(s, i, 1));
  }
  return sum;
}

static void gather_gain(const spn_indicators *s, int i) {
  spn_indicator *n = &s->list[i];
  const spn_mask *m = &s->net->mask[i];
  if (!n->between || openness(s, i, 0) < 1) return;
  double seen = -n->dce - (m->kind == SPN_DECISION_KEEP ? inner_gain(s, m->layer, 0) : 0);
  n->gain_weight = s->gain_decay * n->gain_weight + 1;
  n->gain += (seen - n->gain) / n->gain_weight;
  n->gain_square += (seen * seen - n->gain_square) / n->gain_weight;
}

void spn_indicators_observe(spn_indicators *s) {
  for (int i = 0; i < s->count; i++) {
    spn_indicator *n = &s->list[i];
    n->dce = spn_mask_gradient(s->net, i);
    n->looked = (s->explores ? n->between : n->kept) && openness(s, i, 0) > 0;
    if (s->explores) gather_gain(s, i);
  }
}

double spn_indicator_significance(const spn_indicator *n) {
  double variance = n->gain_square - n->gain * n->gain;
  return n->gain_weight >= 2 && variance > 0 ? fabs(n->gain) / sqrt(variance / (n->gain_weight - 1)) : 0;
}

double spn_indicator_evidence(const spn_indicators *s, int i) {
  const spn_mask *m = &s->net->mask[i];
  if (!s->explores) return s->list[i].dce;
  return -s->list[i].gain - (m->kind == SPN_DECISION_KEEP ? inner_gain(s, m->layer, 1) : 0);
}

void spn_indicators_forget_gains(spn_indicators *s, int layers_only) {
  for (int i = 0; i < s->count; i++)
    if (!layers_only || s->net->mask[i].kind == SPN_DECISION_KEEP)
      s->list[i].gain = s->list[i].gain_square = s->list[i].gain_weight = 0;
}
