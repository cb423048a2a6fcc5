/* The runtimes of Single-Path NAS's public code: pixel1_runtime_model.json. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/json.h"
#include "latency/import.h"

/* What that code adds for all but the searched blocks: stem, first and last block, head and classifier. */
static const double REST_MS = 19.5999;
enum { OPTIONS = 4 };

/* The last number of a name, -1 when it is none: "13" or "block_13". */
static int number_of(const char *key) {
  const char *at = key + strlen(key);
  while (at > key && at[-1] >= '0' && at[-1] <= '9') at--;
  return *at && strlen(at) <= 3 ? atoi(at) : -1;
}

static spn_status read_option(spn_import *in, const spn_json *at, const spn_space *space, int layer, int h,
                              spn_err *err) {
  int option = number_of(spn_json_key(at));
  spn_err inner = {0};
  if (option < 0 || option >= OPTIONS) return spn_json_expected(at, "an option from 0 to 3", err);
  spn_table_entry e = {
      .part = spn_part_of_option(&space->layer[layer], option / 2, option % 2, 0, h), .layer = layer, .spread = NAN};
  SPN_TRY(spn_json_real(at, 1e-9, 1e9, &e.cost, err));
  spn_status status = spn_import_add(in, &e, 0, &inner);
  return status == SPN_EINPUT ? spn_json_fail(at, err, "%s", inner.text) : status;
}

static spn_status read_blocks(spn_import *in, const spn_json *root, const spn_space *space, spn_err *err) {
  int h[SPN_MAX_LAYERS], size = space->base.input_size / space->base.stem_stride;
  spn_json block, option;
  for (int i = 0; i < space->layers; i++) {
    h[i] = size;
    size /= space->layer[i].stride;
  }
  for (spn_json_iter it = spn_json_iterate(root); spn_json_next(&it, &block);) {
    int layer = number_of(spn_json_key(&block));
    if (!spn_json_is_object(&block))
      return spn_json_expected(&block, "an object with the runtimes of options 0 to 3", err);
    if (layer < 0 || layer >= space->layers) return spn_json_expected(&block, "a block from 0 to 21", err);
    if (space->layer[layer].table_layer < 0) continue; /* part of the rest */
    for (spn_json_iter o = spn_json_iterate(&block); spn_json_next(&o, &option);)
      SPN_TRY(read_option(in, &option, space, layer, h[layer], err));
  }
  return SPN_OK;
}

/* The rest belongs to this network. */
static void add_rest(spn_import *in, const spn_space *space) {
  spn_table_rest *r = &in->table.rest;
  int size = space->base.input_size / space->base.stem_stride;
  *r = (spn_table_rest){.whole = 1,
                        .cost = REST_MS,
                        .spread = NAN,
                        .input = space->base.input_size,
                        .stem = space->base.stem_channels,
                        .head = space->base.head_channels};
  for (int i = 0; i < space->layers; i++) {
    if (space->layer[i].table_layer < 0 && r->layers < SPN_MAX_REST_LAYERS)
      r->layer[r->layers++] = spn_part_of_option(&space->layer[i], 0, 0, 0, size);
    size /= space->layer[i].stride;
  }
}

spn_status spn_import_singlepath(spn_import *in, const char *path, spn_err *err) {
  static spn_space space;
  spn_json_doc *doc;
  SPN_TRY(spn_space_load("singlepath", &space, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc);
  int before = in->table.entries;
  spn_status status = spn_json_is_object(&root) ? read_blocks(in, &root, &space, err)
                                                : spn_json_expected(&root, "an object with one member a block", err);
  if (!status && in->table.entries == before) status = spn_json_expected(&root, "blocks 1 to 20", err);
  spn_json_free(doc);
  if (!status) add_rest(in, &space);
  return status;
}
