/* A latency table as its file holds it, before it is laid over a space. The format: data/latency/README.md. */
#ifndef SPN_LATENCY_TABLE_H
#define SPN_LATENCY_TABLE_H

#include "core/status.h"
#include "latency/latency.h"

enum { SPN_MAX_REST_LAYERS = 8 };

/* Costs of one block shape, or of one layer of one network. Input h x h, in channels. NaN: not measured. */
typedef struct {
  int layer; /* position in the measured network; -1: any layer of this shape */
  int h, in, out, stride;
  double se; /* squeeze ratio of the measured block */
  int kernels, kernel[SPN_MAX_OPTIONS], expands, expand[SPN_MAX_OPTIONS];
  double cost[SPN_MAX_OPTIONS][SPN_MAX_OPTIONS]; /* [kernel][expand] */
} spn_table_block;

/* Stem, head and classifier: either one sum, valid for one network around the searched layers, or the three by
 * themselves. A negative cost means: not in the table. */
typedef struct {
  int whole; /* 1: `cost` covers stem, head, classifier and `layer`; 0: stem, head and classifier below */
  double cost;
  int input, stem, head; /* input size, stem and head channels the figures belong to */
  int layers;
  spn_table_block layer[SPN_MAX_REST_LAYERS]; /* fixed layers inside the sum: one kernel, one expansion */
  double stem_cost, head_cost, classifier_cost;
  int head_in, head_size; /* channels and size before the head */
} spn_table_rest;

typedef struct {
  char name[64], unit[16], source[192];
  double skip;      /* cost of a skipped layer */
  double se_values; /* values moved per unit of cost, for the estimate of squeeze-and-excite; 0: no estimate */
  spn_table_rest rest;
  int blocks;
  spn_table_block *block;
} spn_table;

spn_status spn_table_load(const char *name, spn_table *out, spn_err *err);
spn_status spn_table_parse(const char *name, const char *text, size_t size, spn_table *out, spn_err *err);
void spn_table_free(spn_table *table);

/* Lays the table over a space; SPN_EINPUT names the first shape that the table lacks. */
spn_status spn_table_apply(const spn_table *table, const spn_space *space, spn_cost *out, spn_err *err);

#endif
