/* The single-path supernet (Single-Path NAS, arXiv 1904.02877; SE: arXiv 1907.00959): one network with every largest
 * option, whose nested masks ("gates") give every network of a space. Each gate is driven by an indicator
 * d = 1(x >= 0), x = (statistic - threshold) / temperature, with the derivative of the sigmoid (straight-through). */
#ifndef SPN_MODEL_SUPERNET_H
#define SPN_MODEL_SUPERNET_H

#include "graph/graph.h"
#include "latency/latency.h"
#include "model/forms.h"
#include "model/network.h"
#include "model/space.h"

typedef enum { SPN_KIND_SKIP, SPN_KIND_KERNEL, SPN_KIND_EXPAND, SPN_KIND_SE, SPN_KINDS } spn_indicator_kind;

/* Part of a parameter seen as (outer, inner): a range of rows, of columns, and for depthwise kernels of rings. */
typedef struct {
  int param; /* -1: none */
  size_t outer0, outer1, inner0, inner1, inner_size;
  int k, ring0, ring1; /* depthwise: only taps whose reach (3, 5, 7) lies in [ring0, ring1]; k 0: all rows */
} spn_region;

typedef struct {
  int layer;
  spn_indicator_kind kind;
  int step;                 /* opens option step+1 (kernel, expand, SE); 0 for skip */
  char name[40];            /* "layer 5 kernel 5" */
  int gate, gate2;          /* gate2: expansion gate of a tied layer, else -1 */
  spn_region part, extends; /* statistic = RMS(part) / RMS(extends), or / reference where extends has no parameter */
  double reference;
  /* state */
  double threshold;
  double average;           /* running average of x: what is decoded */
  double gain, gain_weight; /* with exploration: running mean of CE(closed) - CE(open), and how many steps' weight is
                               behind it */
  /* of the last step */
  double statistic, x, derivative; /* derivative = sigmoid'(x) */
  int on, kept;                    /* decision; 0: dropped in this step by indicator dropout */
  int between;                     /* the gate was drawn from (0, 1) in this step */
  double dce, dcost;               /* gradients of the cross entropy and of the cost R with respect to the gate */
  double dthreshold;               /* of the whole loss */
} spn_indicator;

typedef struct {
  spn_graph *graph;
  spn_space space;
  spn_arch arch; /* every maximal option, at proxy size and width */
  spn_cost cost;
  spn_statistic statistic;
  double temperature;
  int soft; /* gates are sigmoid(x) instead of 0 or 1: for the gradient check */
  spn_indicator *indicator;
  int indicators;
  double gain_decay;    /* of the gains' running means, per step; 1: plain means */
  int explores;         /* the last step's gates took random values now and then: gains are learnt, and decoded */
  double expected_cost; /* R of the last step's decisions (of its gates when soft) */
} spn_supernet;

/* classes and channels: of the data. */
spn_status spn_supernet_create(const spn_space *space, const spn_cost *cost, int classes, int channels,
                               const spn_network_options *options, spn_statistic statistic, double temperature,
                               spn_supernet **out, spn_err *err);
void spn_supernet_free(spn_supernet *s);

/* Every indicator's statistic, x, derivative and decision from the weights and thresholds as they are. */
void spn_supernet_measure(spn_supernet *s);
/* Before a search step: that, running averages, gates, and R of the decisions (expected_cost, every dcost).
 * keep_probability 1: no indicator dropout. explore: share of gates that take a random value in this step: 0, 1 or
 * uniform in (0, 1), a third each. average_decay < 0 leaves the running averages alone. */
void spn_supernet_decide(spn_supernet *s, uint64_t seed, uint64_t step, double keep_probability, double explore,
                         double average_decay);
/* After spn_graph_backward: adds lambda * cost term; fills dce and dthreshold, gathers gains, and adds what flows to
 * the weights through the statistics. Returns the cost term's value (without lambda).
 *
 * Plain straight-through (explore 0) moves a threshold by dCE/dgate at the gate's present value. At 1 that is close to
 * zero once the part is trained (its own scale is at a stationary point), at 0 it is what a small addition would bring;
 * a threshold then hovers at its decision and ranks nothing. With exploration the question that the decision asks is
 * answered: CE(0) - CE(1) is the integral of -dCE/dgate over the gate, and the mean over uniform draws is an unbiased
 * estimate of it (the path integral of arXiv 1703.01365, with one gate as the path), with the other gates at random,
 * those above it in its nesting open. The gain of a whole layer counts its smallest option; those of the options inside
 * come on top. */
double spn_supernet_indicator_grads(spn_supernet *s, double lambda, spn_cost_form form, double target);
/* R with every gate at sigmoid(sharpness * x) of the last decisions. */
double spn_supernet_soft_cost(const spn_supernet *s, double sharpness);
double spn_cost_term(spn_cost_form form, double r, double target, double *derivative);

/* Fixes the gates to a network's decisions; no indicator gets a gradient. */
void spn_supernet_set(spn_supernet *s, const spn_choice *choice);
/* The network of decisions on[i] (one for each indicator): impossible combinations cannot be expressed. */
void spn_supernet_choice(const spn_supernet *s, const unsigned char *on, spn_choice *out);

/* The decoded network, exact by dynamic programming over layers and cost.
 * Plain straight-through: running averages >= 0 are on; where that network's cost is not in [low, high], the nearest
 * one that is, by the sum of |average| over flipped indicators. With exploration: the network of cost in [low, high]
 * with the largest sum of gains. A short search takes for useless or harmful what has not learnt enough yet, so what is
 * cheaper than low is left for when nothing lies between. flips: how many decisions differ from the plain decoding.
 * Returns 0 when the cost is not in [low, high]: out is then the dearest network below high (with exploration the one
 * with the largest sum of gains), or the plain decoding where none is below high. */
int spn_supernet_decode(const spn_supernet *s, double low, double high, spn_choice *out, int *flips);

#endif
