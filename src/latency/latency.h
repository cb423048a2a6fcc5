/* What a network costs: milliseconds from tables measured on a phone, or FLOPs, or MACs. Additive over layers:
 * R = rest + sum of R_l (Single-Path NAS, arXiv 1904.02877, its runtime model). Where a layer's cost depends on another
 * layer's decisions (spn_space_coupled) networks are priced whole instead: counted, or by a fitted model. */
#ifndef SPN_LATENCY_LATENCY_H
#define SPN_LATENCY_LATENCY_H

#include "core/status.h"
#include "model/decisions.h"

typedef struct {
  double cost[SPN_MAX_OPTIONS][SPN_MAX_OPTIONS][SPN_MAX_OPTIONS]; /* [kernel][expand][se] */
  double skip;
} spn_layer_cost;

typedef struct spn_cost {
  char name[64];    /* "pixel1-singlepath", "flops", "macs", "params" */
  char unit[16];    /* "ms", "MFLOPs", "MMACs", "Mparams" */
  char source[192]; /* where the figures come from */
  double rest;      /* stem, head, fixed layers, classifier */
  int layers;
  int entries, modelled; /* of a fitted model: options, and how many of them come from the model */
  int modelled_se;       /* SE terms are an estimate, not measured: say so wherever the figure is shown */
  spn_layer_cost layer[SPN_MAX_LAYERS];
  struct spn_cost_whole *whole;  /* NULL: additive. Else networks are priced whole, `rest` and `layer` are zeros */
  struct spn_cost_limit *limits; /* further costs that have an upper limit (limits.h); NULL: none */
} spn_cost;

/* name: a table or a fitted model of data/latency (by name or path), or "flops", "macs", "params", counted from the
 * space itself, in millions. Or a weighted sum of such in one unit, for several devices: "0.5 * a + 0.5 * b".
 * SPN_EINPUT also for a table, which prices layers apart, where the space ties them together. */
spn_status spn_cost_load(const char *name, const spn_space *space, spn_cost *out, spn_err *err);
void spn_cost_free(spn_cost *cost); /* what networks that are priced whole need, and limits */
/* A counted cost of any network, also of one in no space; 0 where name is none (but a table). */
int spn_cost_counted(const char *name, const spn_arch *arch, double *cost, const char **unit);

/* What of a cost was not measured, for people; "" when all was. At most 64 bytes. */
const char *spn_cost_caveat(const spn_cost *cost, char *text, size_t size);

/* Exact table sum of one network, in a fixed order of additions. */
double spn_cost_of(const spn_cost *cost, const spn_choice *choice);
/* Of an additive cost: one layer. */
double spn_cost_layer(const spn_cost *cost, int layer, const spn_layer_choice *choice);

/* The differentiable form of an additive cost: multilinear in the nested indicators, each in [0,1]. With hard
 * indicators it equals spn_cost_of to the last bit. An option's weight is the product over nested indicators: options
 * 0,1,2 have weights 1-d1, d1(1-d2), d1 d2; R_l = keep * sum of weights * cost + (1-keep) * skip. Tied layers use the
 * diagonal only. */
typedef union {
  struct {
    double keep[SPN_MAX_OPTIONS];   /* [0]; not read where the layer is not skippable */
    double kernel[SPN_MAX_OPTIONS]; /* [i]: indicator that option i+1 is reached, given option i; kernels-1 of them */
    double expand[SPN_MAX_OPTIONS]; /* unused in tied layers */
    double se[SPN_MAX_OPTIONS];
  };
  double gate[SPN_DECISION_KINDS][SPN_MAX_OPTIONS]; /* the same by kind of decision */
} spn_layer_gates;
/* Cost of one layer and, when grad is not NULL, its derivative with respect to every gate. */
double spn_cost_layer_soft(const spn_cost *cost, const spn_space *space, int layer, const spn_layer_gates *gates,
                           spn_layer_gates *grad);

/* Cheapest and dearest network; of those priced whole, the ends of a walk that changes one decision at a time, which
 * are the extremes where every decision's cost has the same sign whatever the others are. */
void spn_cost_range(const spn_cost *cost, const spn_space *space, double *min, double *max);

#endif
