/* The single-path supernet (Single-Path NAS, arXiv 1904.02877; SE: arXiv 1907.00959): one network with every largest
 * option over shared weights, whose nested masks give every network of a space. Who opens the masks, and why, is the
 * search's business (search/indicators.h). */
#ifndef SPN_MODEL_SUPERNET_H
#define SPN_MODEL_SUPERNET_H

#include "graph/graph.h"
#include "model/decisions.h"
#include "model/network.h"

/* At most one mask for each option but a kind's first. */
enum { SPN_MAX_MASKS = SPN_MAX_DECISIONS * (SPN_MAX_OPTIONS - 1) };

/* Part of a parameter seen as (outer, inner): a range of rows, of columns, and for kernels of rings. */
typedef struct {
  int param;
  size_t outer0, outer1, inner0, inner1, inner_size;
  int k, ring0, ring1; /* only taps whose reach (3, 5, 7) lies in [ring0, ring1]; k 0: all. The taps are rows of a
                          depthwise kernel, columns of a convolution's */
  int columns;         /* they are columns */
} spn_region;

/* What one more option adds: weights behind a gate. Masks come by layer, then kind (as decisions do), then step; a mask
 * has no effect while one below it in its kind, or its layer's keep, is closed. What is decided for a whole stage has
 * one mask, its first layer's, with weights in all of its layers. */
typedef struct {
  int layer;
  spn_decision_kind kind;
  int step;                   /* opens option step+1; 0 for keep, whose option 1 it opens */
  char name[40];              /* "layer 5 kernel 5" */
  int gate, gate2;            /* gate2: expansion gate of a tied layer, else -1 */
  int moot;                   /* of SE: option of the expansion with which it has no say, a convolution; -1: none */
  int first, parts, extended; /* regions from `first` on: the weights it adds, none for a shortcut; behind them what
                                 these extend, none for keep, SE as a whole, another op */
  double init_std;            /* size the weights it adds had at initialisation */
} spn_mask;

typedef struct {
  spn_graph *graph;
  spn_space space;
  spn_arch arch; /* every largest option, at proxy size and width */
  spn_mask *mask;
  int masks;
  spn_region *region;
  int regions;
} spn_supernet;

/* classes and channels: of the data. All masks are open.
 *
 * Options nest over shared weights: kernels in their middle, expansions, squeeze units and decided channels as
 * prefixes. A plain convolution, a depthwise-separable op and the bottlenecks of a layer are apart, side by side, each
 * with weights of its own (spn_network_cut finds them). */
spn_status spn_supernet_create(const spn_space *space, int classes, int channels, const spn_network_options *options,
                               spn_supernet **out, spn_err *err);
void spn_supernet_free(spn_supernet *net); /* NULL is allowed */

/* value 0 or 1, or between for what looks into the loss's course; wanted: the next backward pass gives its gradient. */
void spn_mask_open(spn_supernet *net, int mask, double value, int wanted);
double spn_mask_value(const spn_supernet *net, int mask);
/* dCE/dvalue after spn_graph_backward, where it was wanted. */
double spn_mask_gradient(const spn_supernet *net, int mask);
/* Whether a mask has a say once its layer is `choice`: the layer is kept and every step below is open. An option of -1
 * stands for a decision without a say. */
int spn_mask_matters(const spn_mask *mask, const spn_layer_choice *choice);
/* Whether it is open in that network. */
int spn_mask_is_open(const spn_mask *mask, const spn_layer_choice *choice);

/* Opens the masks of one network and closes the others; no gradients are wanted. */
void spn_supernet_set(spn_supernet *net, const spn_choice *choice);
/* The network of open masks on[i]: impossible combinations cannot be expressed. */
void spn_supernet_choice(const spn_supernet *net, const unsigned char *on, spn_choice *out);

/* Sum of squares of the weights of `count` regions from `first` on, and how many weights they are. */
double spn_regions_squares(const spn_supernet *net, int first, int count, double *weights);
/* Adds factor * weight to the gradient of every weight of these regions. */
void spn_regions_pull(const spn_supernet *net, int first, int count, double factor);

#endif
