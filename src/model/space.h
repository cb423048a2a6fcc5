/* A search space: which networks can be expressed, read from JSON (data/spaces). See data/spaces/README.md for the
 * format. */
#ifndef SPN_MODEL_SPACE_H
#define SPN_MODEL_SPACE_H

#include "core/status.h"
#include <stddef.h>
#include <stdint.h>

#include "model/arch.h"

enum { SPN_MAX_LAYERS = 64, SPN_MAX_OPTIONS = 6 };

/* Options of one layer (one block position). Lists ascend. A decision that belongs to a whole stage (channels, number
 * of layers, shortcuts; with `shared` also kernel, expansion and SE) is led by the stage's first layer. */
typedef struct {
  int leader;          /* the stage's first layer */
  int leads;           /* this is it */
  int stage_layers;    /* of the stage, at most */
  int in, out, stride; /* channels at most; stride in deployment (latency); see proxy_stride */
  int proxy_stride;    /* stride when training on the proxy */
  int kernels, kernel[SPN_MAX_OPTIONS];
  int expands, expand[SPN_MAX_OPTIONS]; /* 0, a plain convolution, stands last */
  int ses;
  double se[SPN_MAX_OPTIONS];             /* first may be 0 = none */
  int tied;                               /* kernel and expansion move together (option i = kernel[i], expand[i]) */
  int channels, channel[SPN_MAX_OPTIONS]; /* of the output, of every layer of the stage */
  int counts, count[SPN_MAX_OPTIONS];     /* how many of the stage's layers there are; the last ones are left out */
  int shortcuts;                          /* 2: option 0 goes without the shortcut that `residual` tells of */
  int shared;                             /* kernel, expansion and SE are one choice for the stage */
  spn_act activation;                     /* of the stage; SPN_ACT_NONE: the space's */
  int skippable;                          /* may be the identity: stride 1, in == out, and the space says so */
  int residual;    /* has the identity shortcut (stride 1 and in == out, unless the stage says noskip) */
  int table_layer; /* the layer's own position; -1: one option, nothing to decide, counted in `rest` */
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
  SPN_DECISION_CHANNELS, /* these three are the stage's */
  SPN_DECISION_LAYERS,
  SPN_DECISION_SHORTCUT,
  SPN_DECISION_KINDS
} spn_decision_kind;

/* One layer of a network, by name and by kind of decision: indices into the layer's option lists. In a tied layer
 * expand == kernel (as indices). In a skipped layer, or one that the stage has no more, the other indices are 0; so are
 * se in a plain convolution and shortcut where no layer is left that could have one. What is led is copied to the
 * stage's layers (kernel, expansion, SE) or stands in the leader alone (channels, layers, shortcut). */
typedef union {
  struct {
    signed char keep, kernel, expand, se, channels, layers, shortcut;
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

/* What ties layers together, so that costs and choices of one depend on another's: the name of the first such decision
 * ("layer 3 channels"), in `name`; NULL: layers are independent. */
enum { SPN_DECISION_NAME = 24 };
const char *spn_space_coupled(const spn_space *space, char name[SPN_DECISION_NAME]);

int spn_choice_equal(const spn_choice *a, const spn_choice *b);
/* Reads a network into a choice: where a stage's blocks are all there, skipped ones marked, each is its layer; a
 * network from a block string, which does not say which layers are skipped, uses the first layers of each stage.
 * SPN_EINPUT when the space lacks it, or when input size, stem or head are others. */
spn_status spn_space_match(const spn_space *space, const spn_arch *arch, spn_choice *out, spn_err *err);

/* "k3e6 k5e3 skip ..." for people; c24 at the head of a stage whose channels are decided. */
void spn_choice_text(const spn_space *space, const spn_choice *choice, char *text, size_t size);

#endif
