/* A latency table as its file holds it, before it is laid over a space. The format: data/latency/README.md. */
#ifndef SPN_LATENCY_TABLE_H
#define SPN_LATENCY_TABLE_H

#include "core/status.h"
#include "io/json.h"
#include "io/json_write.h"
#include "latency/latency.h"
#include "latency/work.h"

enum { SPN_MAX_REST_LAYERS = 8, SPN_MAX_TABLE_ENTRIES = 65536 };

/* One measured part. Of a block read from a table, `residual` is what its shape allows. */
typedef struct {
  spn_part part;
  int layer; /* position in the measured network; -1: any layer of this shape */
  double cost;
  double spread;   /* standard deviation of one run; NaN: not known */
  long long count; /* runs behind the cost; 0: not known */
} spn_table_entry;

/* Stem, head, classifier and fixed layers in one sum, valid for one network around the searched layers. */
typedef struct {
  int whole; /* 0: there is no such sum, the parts are entries of their own */
  double cost, spread;
  long long count;
  int input, stem, head; /* input size, stem and head channels the sum belongs to */
  int layers;
  spn_part layer[SPN_MAX_REST_LAYERS];
} spn_table_rest;

typedef struct {
  char name[64], unit[16], source[192];
  char device[96], framework[96]; /* "" where the file does not say */
  int threads;                    /* 0: not known */
  double skip;                    /* cost of a skipped layer */
  double se_values; /* values moved per unit of cost, for the estimate of squeeze-and-excite; 0: no estimate */
  spn_table_rest rest;
  int entries;
  spn_table_entry *entry;
} spn_table;

spn_status spn_table_load(const char *name, spn_table *out, spn_err *err);
spn_status spn_table_parse(const char *name, const char *text, size_t size, spn_table *out, spn_err *err);
/* From a place in a document. */
spn_status spn_table_read(const spn_json *at, spn_table *out, spn_err *err);
void spn_table_free(spn_table *table);

/* Appends an entry; SPN_ENOMEM, SPN_EINPUT beyond SPN_MAX_TABLE_ENTRIES. */
spn_status spn_table_add(spn_table *table, const spn_table_entry *entry, spn_err *err);
/* By layer, then as a network runs; kernels and expansions ascend. */
void spn_table_sort(spn_table *table);
/* The table as a member (key NULL: an element or the root) of a document; reads back as the same table. */
void spn_table_put(spn_json_writer *w, const char *key, const spn_table *table);
spn_status spn_table_save(const spn_table *table, const char *path, spn_err *err);

/* The entry that holds for a part at a position in its network (-1: unknown), NULL when there is none: one of this
 * position wins over another of the same shape. Classes and image channels are not compared: tables are made for 1000
 * classes and colour, and the classifier is a percent of a network. */
const spn_table_entry *spn_table_find(const spn_table *table, const spn_part *part, int layer);
/* Whether the sum for the rest belongs to a network with this frame: SPN_EINPUT says why not. */
spn_status spn_table_rest_fits(const spn_table *table, const spn_arch *frame, const char *whose, spn_err *err);
/* The rest's parts, as the network around the searched layers has them; returns how many. */
int spn_table_rest_parts(const spn_table_rest *rest, spn_part part[SPN_MAX_REST_LAYERS + 3]);
/* Whether the rest includes a fixed layer that is not marked in `used` yet; marks it. */
int spn_table_in_rest(const spn_table_rest *rest, const spn_part *part, int *used);
int spn_part_same(const spn_part *a, const spn_part *b); /* shape, squeeze ratio */

/* Lays the table over a space; SPN_EINPUT names the first shape that the table lacks. */
spn_status spn_table_apply(const spn_table *table, const spn_space *space, spn_cost *out, spn_err *err);

#endif
