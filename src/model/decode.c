/* From indicators to a network: the plain decoding, and the nearest network within a budget. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/supernet.h"

enum { BUCKETS = 20000, MAX_CHOICES = SPN_MAX_OPTIONS * SPN_MAX_OPTIONS * SPN_MAX_OPTIONS + 1 };

void spn_supernet_choice(const spn_supernet *s, const unsigned char *on, spn_choice *out) {
  memset(out, 0, sizeof *out);
  out->layers = s->space.layers;
  for (int l = 0; l < out->layers; l++) out->layer[l].keep = 1;
  for (int i = 0; i < s->indicators; i++) { /* steps of a kind come in order */
    const spn_indicator *n = &s->indicator[i];
    if (n->kind == SPN_KIND_SKIP) out->layer[n->layer].keep = (signed char)on[i];
    signed char *option = n->kind == SPN_KIND_KERNEL   ? &out->layer[n->layer].kernel
                          : n->kind == SPN_KIND_EXPAND ? &out->layer[n->layer].expand
                          : n->kind == SPN_KIND_SE     ? &out->layer[n->layer].se
                                                       : NULL;
    if (option && on[i] && *option == n->step) *option = (signed char)(n->step + 1);
  }
  for (int l = 0; l < out->layers; l++) {
    if (s->space.layer[l].tied) out->layer[l].expand = out->layer[l].kernel;
    if (!out->layer[l].keep) out->layer[l].kernel = out->layer[l].expand = out->layer[l].se = 0;
  }
}

typedef struct {
  signed char keep, kernel, expand, se;
  double cost, penalty; /* penalty: sum of |average| of the indicators that would have to flip, or minus the gains */
  int flips;
} option;

/* An indicator counts when its decision matters: reached in its nesting, in a layer that is kept. */
static void price(const spn_supernet *s, int layer, option *o) {
  for (int i = 0; i < s->indicators; i++) {
    const spn_indicator *n = &s->indicator[i];
    if (n->layer != layer || (n->kind != SPN_KIND_SKIP && !o->keep)) continue;
    int at = n->kind == SPN_KIND_KERNEL ? o->kernel : n->kind == SPN_KIND_EXPAND ? o->expand : o->se;
    if (n->kind != SPN_KIND_SKIP && at < n->step) continue; /* never asked */
    int is = n->kind == SPN_KIND_SKIP ? o->keep : at > n->step;
    if (s->explores && is) o->penalty -= n->gain;
    if (is == (n->average >= 0)) continue;
    if (!s->explores) o->penalty += fabs(n->average);
    o->flips++;
  }
}

static int layer_options(const spn_supernet *s, int layer, option *out) {
  const spn_layer *l = &s->space.layer[layer];
  int count = 0;
  for (int keep = !l->skippable; keep <= 1; keep++)
    for (int k = 0; k < (keep ? l->kernels : 1); k++)
      for (int e = 0; e < (keep && !l->tied ? l->expands : 1); e++)
        for (int se = 0; se < (keep ? l->ses : 1); se++) {
          spn_choice c;
          memset(&c, 0, sizeof c);
          option o = {.keep = (signed char)keep,
                      .kernel = (signed char)k,
                      .se = (signed char)se,
                      .expand = (signed char)(l->tied ? k : e)};
          c.layer[layer].keep = o.keep;
          c.layer[layer].kernel = o.kernel;
          c.layer[layer].expand = o.expand;
          c.layer[layer].se = o.se;
          o.cost = spn_cost_layer(&s->cost, layer, &c);
          price(s, layer, &o);
          out[count++] = o;
        }
  return count;
}

typedef struct {
  double penalty, cost; /* cost is exact; penalty infinite: empty */
  int from;             /* cell of the layer before */
  short pick, flips;
} cell;

static int bucket_of(double cost, double least, double high) {
  double share = (cost - least) / (high - least);
  return share < 0 ? 0 : (int)(share * (BUCKETS - 1));
}

/* Fills layer l's row of cells from row l-1; a cell keeps the smallest penalty, then the smallest cost. */
static void extend(const cell *before, cell *row, const option *options, int count, double least, double high) {
  for (int b = 0; b < BUCKETS; b++) row[b].penalty = INFINITY;
  for (int b = 0; b < BUCKETS; b++) {
    if (isinf(before[b].penalty)) continue;
    for (int o = 0; o < count; o++) {
      double cost = before[b].cost + options[o].cost, penalty = before[b].penalty + options[o].penalty;
      if (cost > high) continue;
      cell *to = &row[bucket_of(cost, least, high)];
      if (penalty < to->penalty || (penalty == to->penalty && cost < to->cost))
        *to = (cell){.penalty = penalty,
                     .cost = cost,
                     .from = b,
                     .pick = (short)o,
                     .flips = (short)(before[b].flips + options[o].flips)};
    }
  }
}

static void plain_decoding(const spn_supernet *s, spn_choice *out) {
  unsigned char on[SPN_MAX_LAYERS * 4 * SPN_MAX_OPTIONS];
  for (int i = 0; i < s->indicators; i++) on[i] = s->indicator[i].average >= 0;
  spn_supernet_choice(s, on, out);
}

/* Best cell of the last row within [low, high]; failing that the dearest one below. */
static int best_cell(const cell *row, double low, int *met) {
  int best = -1, dearest = -1;
  for (int b = 0; b < BUCKETS; b++) {
    if (isinf(row[b].penalty)) continue;
    dearest = b;
    if (row[b].cost >= low && (best < 0 || row[b].penalty < row[best].penalty)) best = b;
  }
  *met = best >= 0;
  return *met ? best : dearest;
}

int spn_supernet_decode(const spn_supernet *s, double low, double high, spn_choice *out, int *flips) {
  int layers = s->space.layers, met = 0;
  plain_decoding(s, out);
  *flips = 0;
  double cost = spn_cost_of(&s->cost, out);
  if (!s->explores && cost >= low && cost <= high) return 1;
  option(*options)[MAX_CHOICES] = malloc(sizeof(option[MAX_CHOICES]) * (size_t)layers);
  cell(*cells)[BUCKETS] = malloc(sizeof(cell[BUCKETS]) * ((size_t)layers + 1));
  if (options && cells) {
    for (int b = 0; b < BUCKETS; b++) cells[0][b].penalty = INFINITY;
    /* Rounding in another order of additions than the table's must not let a sum slip over the limit. */
    double limit = high * (1 - 1e-12);
    cells[0][bucket_of(s->cost.rest, 0, limit)] = (cell){.penalty = 0, .cost = s->cost.rest};
    for (int l = 0; l < layers; l++) {
      int count = layer_options(s, l, options[l]);
      extend(cells[l], cells[l + 1], options[l], count, 0, limit);
    }
    int below, at = best_cell(cells[layers], low, &met);
    if (!met && s->explores) at = best_cell(cells[layers], 0, &below);
    if (at >= 0) {
      *flips = cells[layers][at].flips;
      for (int l = layers; l > 0; at = cells[l--][at].from) {
        const option *o = &options[l - 1][cells[l][at].pick];
        out->layer[l - 1].keep = o->keep;
        out->layer[l - 1].kernel = o->kernel;
        out->layer[l - 1].expand = o->expand;
        out->layer[l - 1].se = o->se;
      }
    }
  }
  free(options);
  free(cells);
  return met;
}
