#include <math.h>
#include <stdlib.h>

#include "latency/table.h"

/* Entries of one block of the file: all of one shape, with the kernels and expansions that occur. */
typedef struct {
  const spn_table_entry *first;
  int kernels, kernel[SPN_MAX_OPTIONS], expands, expand[SPN_MAX_OPTIONS];
  const spn_table_entry *cell[SPN_MAX_OPTIONS][SPN_MAX_OPTIONS];
} block;

static int same_block(const spn_table_entry *a, const spn_table_entry *b) {
  spn_part p = a->part;
  p.kernel = b->part.kernel;
  p.expand = b->part.expand;
  return a->layer == b->layer && p.residual == b->part.residual && spn_part_same(&p, &b->part);
}

/* Place of a value in an ascending list, which gets it where there is room; -1: there is none. */
static int place(int *list, int *count, int value) {
  for (int i = 0; i < *count; i++)
    if (list[i] == value) return i;
  if (*count == SPN_MAX_OPTIONS) return -1;
  list[(*count)++] = value;
  return *count - 1;
}

/* Puts what is left of the first entry's shape into a block; marks what went in. */
static void collect(const spn_table *t, int first, unsigned char *done, block *b) {
  *b = (block){.first = &t->entry[first]};
  for (int i = first; i < t->entries; i++) {
    const spn_table_entry *e = &t->entry[i];
    if (done[i] || e->part.kind != SPN_PART_BLOCK || !same_block(b->first, e)) continue;
    int k = place(b->kernel, &b->kernels, e->part.kernel), x = place(b->expand, &b->expands, e->part.expand);
    if (k < 0 || x < 0 || b->cell[k][x]) continue;
    b->cell[k][x] = e;
    done[i] = 1;
  }
}

typedef enum { COST, SPREAD, COUNT } figure;

static int has(const block *b, figure what) {
  for (int k = 0; k < b->kernels; k++)
    for (int e = 0; e < b->expands; e++) {
      const spn_table_entry *one = b->cell[k][e];
      if (one && (what == COST || (what == SPREAD ? !isnan(one->spread) : one->count > 0))) return 1;
    }
  return 0;
}

static void put_matrix(spn_json_writer *w, const char *key, const block *b, figure what) {
  if (!has(b, what)) return;
  spn_json_array(w, key, SPN_JSON_INLINE);
  for (int k = 0; k < b->kernels; k++) {
    spn_json_array(w, NULL, SPN_JSON_INLINE);
    for (int e = 0; e < b->expands; e++) {
      const spn_table_entry *one = b->cell[k][e];
      if (what == COUNT && one && one->count) spn_json_put_integer(w, NULL, one->count);
      else spn_json_put_number(w, NULL, !one || what == COUNT ? NAN : what == COST ? one->cost : one->spread);
    }
    spn_json_end(w);
  }
  spn_json_end(w);
}

static void put_shape(spn_json_writer *w, const spn_part *p) {
  spn_json_put_integer(w, "h", p->h);
  spn_json_put_integer(w, "in", p->in);
  spn_json_put_integer(w, "out", p->out);
}

static void put_list(spn_json_writer *w, const char *key, const int *list, int count) {
  spn_json_array(w, key, SPN_JSON_INLINE);
  for (int i = 0; i < count; i++) spn_json_put_integer(w, NULL, list[i]);
  spn_json_end(w);
}

static void put_block_shape(spn_json_writer *w, const spn_part *p, const int *kernel, int kernels, const int *expand,
                            int expands) {
  put_shape(w, p);
  spn_json_put_integer(w, "stride", p->stride);
  if (p->se > 0) spn_json_put_number(w, "se", p->se);
  if (p->residual != (p->stride == 1 && p->in == p->out)) spn_json_put_flag(w, "residual", p->residual);
  put_list(w, "kernel", kernel, kernels);
  put_list(w, "expand", expand, expands);
}

static void put_blocks(spn_json_writer *w, const spn_table *t) {
  unsigned char *done = calloc((size_t)t->entries + 1, 1);
  if (!done) w->failed = 1;
  spn_json_array(w, "blocks", SPN_JSON_LINES);
  for (int i = 0; done && i < t->entries; i++) {
    block b;
    if (done[i] || t->entry[i].part.kind != SPN_PART_BLOCK) continue;
    collect(t, i, done, &b);
    spn_json_object(w, NULL, SPN_JSON_INLINE);
    if (b.first->layer >= 0) spn_json_put_integer(w, "layer", b.first->layer);
    put_block_shape(w, &b.first->part, b.kernel, b.kernels, b.expand, b.expands);
    put_matrix(w, "cost", &b, COST);
    put_matrix(w, "spread", &b, SPREAD);
    put_matrix(w, "count", &b, COUNT);
    spn_json_end(w);
  }
  spn_json_end(w);
  free(done);
}

static void put_evidence(spn_json_writer *w, double cost, double spread, long long count) {
  spn_json_put_number(w, "cost", cost);
  if (!isnan(spread)) spn_json_put_number(w, "spread", spread);
  if (count) spn_json_put_integer(w, "count", count);
}

static void put_parts(spn_json_writer *w, const spn_table *t) {
  spn_json_array(w, "parts", SPN_JSON_LINES);
  for (int i = 0; i < t->entries; i++) {
    const spn_table_entry *e = &t->entry[i];
    if (e->part.kind == SPN_PART_BLOCK) continue;
    spn_json_object(w, NULL, SPN_JSON_INLINE);
    spn_json_put_text(w, "part", spn_part_names[e->part.kind]);
    put_shape(w, &e->part);
    if (e->part.kind == SPN_PART_STEM) {
      spn_json_put_integer(w, "kernel", e->part.kernel);
      spn_json_put_integer(w, "stride", e->part.stride);
    }
    put_evidence(w, e->cost, e->spread, e->count);
    spn_json_end(w);
  }
  spn_json_end(w);
}

static void put_rest(spn_json_writer *w, const spn_table_rest *r) {
  spn_json_object(w, "rest", SPN_JSON_LINES);
  put_evidence(w, r->cost, r->spread, r->count);
  spn_json_put_integer(w, "input", r->input);
  spn_json_put_integer(w, "stem", r->stem);
  spn_json_put_integer(w, "head", r->head);
  spn_json_array(w, "layers", SPN_JSON_LINES);
  for (int i = 0; i < r->layers; i++) {
    spn_json_object(w, NULL, SPN_JSON_INLINE);
    put_block_shape(w, &r->layer[i], &r->layer[i].kernel, 1, &r->layer[i].expand, 1);
    spn_json_end(w);
  }
  spn_json_end(w);
  spn_json_end(w);
}

void spn_table_put(spn_json_writer *w, const char *key, const spn_table *t) {
  spn_json_object(w, key, SPN_JSON_LINES);
  spn_json_put_text(w, "name", t->name);
  spn_json_put_text(w, "unit", t->unit);
  spn_json_put_text(w, "source", t->source);
  if (t->device[0]) spn_json_put_text(w, "device", t->device);
  if (t->framework[0]) spn_json_put_text(w, "framework", t->framework);
  if (t->threads) spn_json_put_integer(w, "threads", t->threads);
  spn_json_put_number(w, "skip", t->skip);
  if (t->se_values > 0) spn_json_put_number(w, "se_values_per_unit", t->se_values);
  if (t->rest.whole) put_rest(w, &t->rest);
  put_parts(w, t);
  put_blocks(w, t);
  spn_json_end(w);
}

spn_status spn_table_save(const spn_table *table, const char *path, spn_err *err) {
  spn_json_writer w = {0};
  spn_json_begin(&w);
  spn_table_put(&w, NULL, table);
  return spn_json_save(&w, path, err);
}
