/* A search space: which networks can be expressed, read from JSON (data/spaces). See data/spaces/README.md for the
 * format. */
#ifndef SPN_MODEL_SPACE_H
#define SPN_MODEL_SPACE_H

#include "core/status.h"
#include <stddef.h>
#include <stdint.h>

#include "model/arch.h"

enum { SPN_MAX_LAYERS = 64, SPN_MAX_OPTIONS = 6 };

/* Options of one layer (one block position). Lists ascend; each option nests in the next one, as masks need. */
typedef struct {
  int in, out, stride; /* stride in deployment (latency); see proxy_stride */
  int proxy_stride;    /* stride when training on the proxy */
  int kernels, kernel[SPN_MAX_OPTIONS];
  int expands, expand[SPN_MAX_OPTIONS];
  int ses;
  double se[SPN_MAX_OPTIONS]; /* first may be 0 = none */
  int tied;                   /* kernel and expansion move together (option i = kernel[i], expand[i]) */
  int skippable;              /* may be the identity: stride 1, in == out, and the space says so */
  int residual;               /* has the identity shortcut (stride 1 and in == out, unless the stage says noskip) */
  int table_layer;            /* the layer's own position; -1: one option, nothing to decide, counted in `rest` */
} spn_layer;

typedef struct {
  char name[64];
  spn_arch base; /* everything but the blocks, at deployment size and width 1 */
  /* What is trained while searching (spn_space_train_at), at first the file's `proxy`: */
  int proxy_size; /* training input size; = base.input_size when there is no proxy */
  int proxy_stem_stride;
  double proxy_width; /* channel multiplier when training; 1 = the deployment width */
  int proxy_head;     /* head channels when training; = base.head_channels unless the file says otherwise */
  int layers;
  spn_layer layer[SPN_MAX_LAYERS];
} spn_space;

/* What can be decided in a layer. */
typedef enum {
  SPN_DECISION_KEEP,   /* 0: skipped, 1: kept */
  SPN_DECISION_KERNEL, /* index into spn_layer.kernel; in a tied layer also into expand */
  SPN_DECISION_EXPAND,
  SPN_DECISION_SE,
  SPN_DECISION_KINDS
} spn_decision_kind;

/* One layer of a network, by name and by kind of decision: indices into the layer's option lists. In a tied layer
 * expand == kernel (as indices). In a skipped layer the other indices are 0. */
typedef union {
  struct {
    signed char keep, kernel, expand, se;
  };
  signed char option[SPN_DECISION_KINDS];
} spn_layer_choice;

/* One network of a space: what a search decides (decisions.h lists what there is to decide). */
typedef struct {
  int layers;
  spn_layer_choice layer[SPN_MAX_LAYERS];
} spn_choice;

/* Loads a space from a path, or by name from the data folder. */
spn_status spn_space_load(const char *path_or_name, spn_space *out, spn_err *err);
/* From a text; name stands for the file in messages. */
spn_status spn_space_parse(const char *name, const char *text, size_t size, spn_space *out, spn_err *err);

/* The input size to train a search at, for images of this short side (median, pixels): the proxy's own for images no
 * more than a quarter larger, the deployed size for images at least as large, and between them the images' own, in
 * steps of 8. */
int spn_space_size_for(const spn_space *space, int side);
/* Sets what a search trains at: input size, and width (0: the space's own). Strides, head and the space's own width
 * follow the size: the proxy's up to the geometric mean of the proxy's and the deployed size, the deployed ones above.
 */
void spn_space_train_at(spn_space *space, int size, double width);
/* Whether that is another network than the deployed one. */
int spn_space_is_proxy(const spn_space *space);

/* The network at deployment size and width. proxy 1: at the proxy's size, strides and width (channels by
 * spn_scale_channels). classes and input channels are the
 * space's. */
void spn_space_arch(const spn_space *space, const spn_choice *choice, int proxy, spn_arch *out);

int spn_choice_equal(const spn_choice *a, const spn_choice *b);
/* Reads a network into a choice: skipped blocks align with skippable layers; a network from a block string, which
 * does not say which layers are skipped, uses the first layers of each stage. SPN_EINPUT when the space lacks it, or
 * when input size, stem or head are others. */
spn_status spn_space_match(const spn_space *space, const spn_arch *arch, spn_choice *out, spn_err *err);

/* "k3e6 k5e3 skip ..." for people. */
void spn_choice_text(const spn_space *space, const spn_choice *choice, char *text, size_t size);

#endif
