#include <math.h>
#include <stdio.h>
#include <string.h>

#include "latency/table.h"

/* Squeeze-and-excite is bound by memory: the pool reads the expanded map, the gate reads and writes it, and the two
 * dense layers read their weights and biases. Cost = values moved / values moved per unit (our estimate;
 * data/latency/README.md). */
static double modelled_se(const spn_table *table, const spn_part *part) {
  spn_work with = {0};
  spn_work_add(part, &with);
  return with.amount[SPN_WORK_SE] * 1e6 / table->se_values;
}

static spn_status option_cost(const spn_table *table, const spn_space *space, int position, const spn_part *part,
                              double *slot, int *modelled, spn_err *err) {
  spn_part plain = *part;
  plain.se = 0;
  const spn_table_entry *entry = spn_table_find(table, part, position), *without = entry;
  if (part->se > 0) without = spn_table_find(table, &plain, position);
  if (entry) {
    *slot = entry->cost;
    return SPN_OK;
  }
  if (without && table->se_values > 0) {
    *slot = without->cost + modelled_se(table, part);
    *modelled = 1;
    return SPN_OK;
  }
  char se[32] = "";
  if (part->se > 0) snprintf(se, sizeof se, " se%g", part->se);
  return spn_fail(err, SPN_EINPUT,
                  "table %s: no entry for k%d e%d%s, %d -> %d channels, stride %d, at %dx%d (layer %d of space %s); "
                  "spnas latency fit makes a model of the table that has one",
                  table->name, part->kernel, part->expand, se, part->in, part->out, part->stride, part->h, part->h,
                  position, space->name);
}

static spn_status layer_costs(const spn_table *table, const spn_space *space, int position, int h, spn_cost *out,
                              spn_err *err) {
  const spn_layer *l = &space->layer[position];
  for (int k = 0; k < l->kernels; k++)
    for (int e = 0; e < l->expands; e++)
      for (int s = 0; s < l->ses; s++) {
        spn_part part = spn_part_of_option(l, k, e, s, h);
        if (!l->tied || e == k)
          SPN_TRY(
              option_cost(table, space, position, &part, &out->layer[position].cost[k][e][s], &out->modelled_se, err));
      }
  if (l->skippable) out->layer[position].skip = table->skip;
  return SPN_OK;
}

int spn_table_in_rest(const spn_table_rest *rest, const spn_part *part, int *used) {
  for (int i = 0; rest->whole && i < rest->layers; i++)
    if (!used[i] && spn_part_same(&rest->layer[i], part)) return used[i] = 1;
  return 0;
}

static spn_status part_cost(const spn_table *table, const spn_space *space, const spn_part *part, spn_cost *out,
                            spn_err *err) {
  const spn_table_entry *entry = spn_table_find(table, part, -1);
  char text[64];
  spn_part_text(part, text, sizeof text);
  if (!entry)
    return spn_fail(err, SPN_EINPUT, "table %s: no entry for the %s (space %s)", table->name, text, space->name);
  out->rest += entry->cost;
  return SPN_OK;
}

static spn_status rest_cost(const spn_table *table, const spn_space *space, int size, const int *used, spn_cost *out,
                            spn_err *err) {
  const spn_table_rest *r = &table->rest;
  const spn_arch *a = &space->base;
  char whose[80];
  snprintf(whose, sizeof whose, "space %s", space->name);
  if (r->whole) {
    SPN_TRY(spn_table_rest_fits(table, a, whose, err));
    for (int i = 0; i < r->layers; i++)
      if (!used[i])
        return spn_fail(err, SPN_EINPUT,
                        "table %s: its rest includes a fixed layer k%d e%d %d -> %d at %dx%d, which space %s has not",
                        table->name, r->layer[i].kernel, r->layer[i].expand, r->layer[i].in, r->layer[i].out,
                        r->layer[i].h, r->layer[i].h, space->name);
    out->rest += r->cost;
    return SPN_OK;
  }
  spn_part part[3];
  int count = spn_parts_around(a, space->layer[space->layers - 1].out, size, part);
  for (int i = 0; i < count; i++) SPN_TRY(part_cost(table, space, &part[i], out, err));
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
    spn_part first = spn_part_of_option(l, 0, 0, 0, size);
    int fixed = l->table_layer < 0;
    if (!fixed || !spn_table_in_rest(&table->rest, &first, used)) {
      SPN_TRY(layer_costs(table, space, i, size, out, err));
      if (fixed) {
        out->rest += out->layer[i].cost[0][0][0];
        out->layer[i].cost[0][0][0] = 0;
      }
    }
    size = spn_part_out_size(&first);
  }
  return rest_cost(table, space, size, used, out, err);
}
