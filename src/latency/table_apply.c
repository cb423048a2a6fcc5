#include <math.h>
#include <stdio.h>
#include <string.h>

#include "latency/table.h"

static int index_of(const int *list, int count, int value) {
  for (int i = 0; i < count; i++)
    if (list[i] == value) return i;
  return -1;
}

static int same_shape(const spn_table_block *t, int h, const spn_layer *l) {
  return t->h == h && t->in == l->in && t->out == l->out && t->stride == l->stride;
}

/* Measured cost of one option, NaN when the table has none. A row of the layer's own position wins over another row of
 * the same shape. */
static double measured(const spn_table *table, int position, int h, const spn_layer *l, int kernel, int expand,
                       double se) {
  double found = NAN;
  for (int i = 0; i < table->blocks; i++) {
    const spn_table_block *t = &table->block[i];
    if (!same_shape(t, h, l) || fabs(t->se - se) > 1e-9) continue;
    int k = index_of(t->kernel, t->kernels, kernel), e = index_of(t->expand, t->expands, expand);
    if (k < 0 || e < 0 || isnan(t->cost[k][e])) continue;
    if (t->layer == position) return t->cost[k][e];
    if (isnan(found)) found = t->cost[k][e];
  }
  return found;
}

/* Squeeze-and-excite is bound by memory: the pool reads the expanded map, the gate reads and writes it, and the two
 * dense layers read their weights and biases. Cost = values moved / values moved per unit (our estimate;
 * data/latency/README.md). */
static double modelled_se(const spn_table *table, const spn_block *b, int out_size) {
  double expanded = spn_block_expanded(b), squeeze = spn_block_squeeze(b), pixels = (double)out_size * out_size;
  return (3 * expanded * pixels + 2 * expanded * squeeze + expanded + squeeze) / table->se_values;
}

static spn_status option_cost(const spn_table *table, const spn_space *space, int position, int h, int k, int e, int s,
                              spn_cost *out, spn_err *err) {
  const spn_layer *l = &space->layer[position];
  spn_block b = {l->in, l->out, l->kernel[k], l->stride, l->expand[e], l->se[s], l->residual, 0};
  double *slot = &out->layer[position].cost[k][e][s];
  *slot = measured(table, position, h, l, b.kernel, b.expand, b.se);
  if (!isnan(*slot)) return SPN_OK;
  double plain = measured(table, position, h, l, b.kernel, b.expand, 0);
  if (b.se > 0 && table->se_values > 0 && !isnan(plain)) {
    *slot = plain + modelled_se(table, &b, spn_pad_axis(space->base.padding, h, b.kernel, b.stride).out);
    out->modelled_se = 1;
    return SPN_OK;
  }
  char se[32] = "";
  if (b.se > 0) snprintf(se, sizeof se, " se%g", b.se);
  return spn_fail(err, SPN_EINPUT,
                  "table %s: no entry for k%d e%d%s, %d -> %d channels, stride %d, at %dx%d (layer %d of space %s)",
                  table->name, b.kernel, b.expand, se, b.in, b.out, b.stride, h, h, position, space->name);
}

static spn_status layer_costs(const spn_table *table, const spn_space *space, int position, int h, spn_cost *out,
                              spn_err *err) {
  const spn_layer *l = &space->layer[position];
  for (int k = 0; k < l->kernels; k++)
    for (int e = 0; e < l->expands; e++)
      for (int s = 0; s < l->ses; s++)
        if (!l->tied || e == k) SPN_TRY(option_cost(table, space, position, h, k, e, s, out, err));
  if (l->skippable) out->layer[position].skip = table->skip;
  return SPN_OK;
}

/* A fixed layer that is inside the table's sum for the rest; marks it as used. */
static int inside_rest(const spn_table_rest *rest, int h, const spn_layer *l, int *used) {
  for (int i = 0; rest->whole && i < rest->layers; i++) {
    const spn_table_block *t = &rest->layer[i];
    if (used[i] || !same_shape(t, h, l) || t->kernel[0] != l->kernel[0] || t->expand[0] != l->expand[0] ||
        l->se[0] != t->se)
      continue;
    return used[i] = 1;
  }
  return 0;
}

/* The figures around the blocks belong to one stem and head. Classes and input channels are not compared: a table is
 * made once, for colour and 1000 classes, and the whole classifier is under 1 ms of pixel1-proxylessnas. */
static spn_status rest_cost(const spn_table *table, const spn_space *space, int size, const int *used, spn_cost *out,
                            spn_err *err) {
  const spn_table_rest *r = &table->rest;
  const spn_arch *a = &space->base;
  if (r->input != a->input_size || r->stem != a->stem_channels || a->stem_kernel != 3 || a->stem_stride != 2)
    return spn_fail(err, SPN_EINPUT,
                    "table %s: measured with a 3x3 stride-2 stem of %d channels at %dx%d; "
                    "space %s has %dx%d stride %d, %d channels at %dx%d",
                    table->name, r->stem, r->input, r->input, space->name, a->stem_kernel, a->stem_kernel,
                    a->stem_stride, a->stem_channels, a->input_size, a->input_size);
  if (r->head != a->head_channels)
    return spn_fail(err, SPN_EINPUT, "table %s: measured with %d head channels; space %s has %d", table->name, r->head,
                    space->name, a->head_channels);
  if (!r->whole) {
    int channels = space->layer[space->layers - 1].out;
    if (r->head_in != channels || r->head_size != size)
      return spn_fail(err, SPN_EINPUT,
                      "table %s: no entry for a head on %d channels at %dx%d (space %s); it has %d at %dx%d",
                      table->name, channels, size, size, space->name, r->head_in, r->head_size, r->head_size);
    out->rest += r->stem_cost + r->head_cost + r->classifier_cost;
    return SPN_OK;
  }
  for (int i = 0; i < r->layers; i++)
    if (!used[i])
      return spn_fail(err, SPN_EINPUT,
                      "table %s: its rest includes a fixed layer k%d e%d %d -> %d at %dx%d, which space %s has not",
                      table->name, r->layer[i].kernel[0], r->layer[i].expand[0], r->layer[i].in, r->layer[i].out,
                      r->layer[i].h, r->layer[i].h, space->name);
  out->rest += r->cost;
  return SPN_OK;
}

spn_status spn_table_apply(const spn_table *table, const spn_space *space, spn_cost *out, spn_err *err) {
  int used[SPN_MAX_REST_LAYERS] = {0};
  const spn_arch *base = &space->base;
  int size = spn_pad_axis(base->padding, base->input_size, base->stem_kernel, base->stem_stride).out;
  memset(out, 0, sizeof *out);
  strcpy(out->name, table->name);
  strcpy(out->unit, table->unit);
  strcpy(out->source, table->source);
  out->layers = space->layers;
  for (int i = 0; i < space->layers; i++) {
    const spn_layer *l = &space->layer[i];
    int fixed = l->table_layer < 0;
    if (!fixed || !inside_rest(&table->rest, size, l, used)) {
      SPN_TRY(layer_costs(table, space, i, size, out, err));
      if (fixed) {
        out->rest += out->layer[i].cost[0][0][0];
        out->layer[i].cost[0][0][0] = 0;
      }
    }
    size = spn_pad_axis(base->padding, size, 3, l->stride).out;
  }
  return rest_cost(table, space, size, used, out, err);
}
