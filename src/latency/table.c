#include "latency/table.h"

#include <math.h>
#include <stdlib.h>

void spn_table_free(spn_table *table) {
  free(table->entry);
  table->entry = NULL;
  table->entries = 0;
}

/* Room is taken in powers of two, so how much there is follows from how much is used. */
spn_status spn_table_add(spn_table *table, const spn_table_entry *entry, spn_err *err) {
  int n = table->entries;
  if (n >= SPN_MAX_TABLE_ENTRIES)
    return spn_fail(err, SPN_EINPUT, "table %s: expected at most %d entries, got more", table->name,
                    SPN_MAX_TABLE_ENTRIES);
  if (!(n & (n - 1))) {
    spn_table_entry *grown = realloc(table->entry, sizeof *grown * (size_t)(n ? 2 * n : 1));
    if (!grown) return spn_fail(err, SPN_ENOMEM, "table %s: out of memory", table->name);
    table->entry = grown;
  }
  table->entry[table->entries++] = *entry;
  return SPN_OK;
}

static int by_place(const void *left, const void *right) {
  const spn_table_entry *a = left, *b = right;
  const spn_part *p = &a->part, *q = &b->part;
  const int order[][2] = {{(int)p->kind, (int)q->kind},
                          {a->layer, b->layer},
                          {q->h, p->h}, /* as a network runs: large maps first */
                          {p->in, q->in},
                          {p->out, q->out},
                          {p->stride, q->stride},
                          {(int)(1e6 * p->se), (int)(1e6 * q->se)},
                          {p->kernel, q->kernel},
                          {p->expand, q->expand}};
  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    if (order[i][0] != order[i][1]) return order[i][0] < order[i][1] ? -1 : 1;
  return 0;
}

void spn_table_sort(spn_table *table) {
  if (table->entries) qsort(table->entry, (size_t)table->entries, sizeof *table->entry, by_place);
}

int spn_part_same(const spn_part *a, const spn_part *b) {
  if (a->kind != b->kind || a->h != b->h) return 0;
  switch (a->kind) {
    case SPN_PART_STEM: return a->out == b->out && a->kernel == b->kernel && a->stride == b->stride;
    case SPN_PART_HEAD: return a->in == b->in && a->out == b->out;
    case SPN_PART_CLASSIFIER: return a->in == b->in;
    default:
      return a->in == b->in && a->out == b->out && a->kernel == b->kernel && a->stride == b->stride &&
             a->expand == b->expand && fabs(a->se - b->se) <= 1e-9;
  }
}

const spn_table_entry *spn_table_find(const spn_table *table, const spn_part *part, int layer) {
  const spn_table_entry *found = NULL;
  for (int i = 0; i < table->entries; i++) {
    const spn_table_entry *e = &table->entry[i];
    if (!spn_part_same(&e->part, part)) continue;
    if (layer >= 0 && e->layer == layer) return e;
    if (!found) found = e;
  }
  return found;
}

spn_status spn_table_rest_fits(const spn_table *table, const spn_arch *a, const char *whose, spn_err *err) {
  const spn_table_rest *r = &table->rest;
  if (r->input != a->input_size || r->stem != a->stem_channels || a->stem_kernel != 3 || a->stem_stride != 2)
    return spn_fail(err, SPN_EINPUT,
                    "table %s: measured with a 3x3 stride-2 stem of %d channels at %dx%d; "
                    "%s has %dx%d stride %d, %d channels at %dx%d",
                    table->name, r->stem, r->input, r->input, whose, a->stem_kernel, a->stem_kernel, a->stem_stride,
                    a->stem_channels, a->input_size, a->input_size);
  if (r->head != a->head_channels)
    return spn_fail(err, SPN_EINPUT, "table %s: measured with %d head channels; %s has %d", table->name, r->head, whose,
                    a->head_channels);
  return SPN_OK;
}

int spn_table_rest_parts(const spn_table_rest *r, spn_part part[SPN_MAX_REST_LAYERS + 3]) {
  int count = 0;
  const spn_part *last = r->layers ? &r->layer[r->layers - 1] : NULL;
  for (int i = 0; i < r->layers; i++) {
    part[count++] = r->layer[i];
    if (spn_part_out_size(&r->layer[i]) < spn_part_out_size(last)) last = &r->layer[i];
  }
  part[count++] = (spn_part){.kind = SPN_PART_STEM, .h = r->input, .in = 3, .out = r->stem, .kernel = 3, .stride = 2};
  if (!last) return count;
  int size = spn_part_out_size(last), channels = last->out;
  if (r->head) {
    part[count++] = (spn_part){.kind = SPN_PART_HEAD, .h = size, .in = channels, .out = r->head};
    channels = r->head;
  }
  part[count++] = (spn_part){.kind = SPN_PART_CLASSIFIER, .h = size, .in = channels, .out = 1000};
  return count;
}
