/* The indicators that drive a supernet's masks: d = 1(x >= 0), x = (statistic - threshold) / temperature, with the
 * derivative of the sigmoid (straight-through; Single-Path NAS, arXiv 1904.02877, section 3). One for each mask. */
#ifndef SPN_SEARCH_INDICATORS_H
#define SPN_SEARCH_INDICATORS_H

#include "latency/limits.h"
#include "model/supernet.h"
#include "search/budget.h"
#include "search/stages.h"
#include "train/choices.h"

typedef struct {
  /* state */
  double threshold;
  double average;           /* running average of x: what is decoded */
  double gain, gain_weight; /* with exploration: running mean of CE(closed) - CE(open), and how many steps' weight is
                               behind it */
  double gain_square;       /* the same of its square */
  double was_on;            /* 1: on in the last step */
  /* of the last step */
  double statistic, x, derivative; /* derivative = sigmoid'(x) */
  int on, kept;                    /* decision; 0: dropped in this step by indicator dropout */
  int between;                     /* the mask was drawn from (0, 1) in this step */
  int looked;                      /* dce was asked for, and those above the mask were open */
  double dce, dcost;               /* gradients of the cross entropy and of the cost R with respect to the mask */
  double dthreshold;               /* of the whole loss */
} spn_indicator;

typedef struct {
  spn_supernet *net;    /* borrowed */
  const spn_cost *cost; /* borrowed */
  spn_statistic statistic;
  double temperature;
  int soft; /* masks are sigmoid(x) instead of 0 or 1: for the gradient check */
  spn_indicator *list;
  int count;            /* = net->masks */
  double gain_decay;    /* of the gains' running means, per step; 1: plain means */
  int explores;         /* masks took random values in the last step: gains are learnt, and decoded */
  int unlimited;        /* R is the main cost in the last step, else the worst (latency/limits.h) */
  double expected_cost; /* R of the last step's decisions (of its masks when soft) */
  double free_cost;     /* R of the signs of x, before they are held to a range */
  double drawn_cost;    /* R of the masks as the step drew them, with dropout and exploration */
  spn_budget *budget;   /* of the space: for holding decisions to a range */
  /* Instead of it where stages are decided as wholes (spn_space_coupled), and NULL elsewhere: */
  spn_cost_chain *chain;
  spn_stages *stages;
} spn_indicators;

spn_status spn_indicators_create(spn_supernet *net, const spn_cost *cost, spn_statistic statistic, double temperature,
                                 spn_indicators **out, spn_err *err);
void spn_indicators_free(spn_indicators *s); /* NULL is allowed; the supernet stays */

/* Every indicator's statistic, x, derivative and decision from the weights and thresholds as they are. */
void spn_indicators_measure(spn_indicators *s);

/* How the masks of a step come about. */
typedef struct {
  double keep_probability; /* of indicator dropout; 1: none */
  double explore;          /* share of masks that take a random value: 0, 1 or uniform in (0, 1), a third each */
  double average_decay;    /* of the running averages of x; < 0: they stand still */
  double low, high;        /* decisions are held to networks of this cost; high 0: they are free */
  int unlimited;           /* R is the main cost alone: what its limits count as depends on the target */
} spn_draw;
/* Before a search step: measures, moves the running averages, decides, opens masks, and finds R of the decisions
 * (expected_cost) with its derivatives (dcost). A function of (seed, step).
 *
 * Decisions are the signs of x; where these make a network outside of [low, high], the nearest one inside by the sum of
 * |x| over changed indicators (spn_budget_best: the projection onto the budget), or the last step's where that is about
 * as near. SPN_ENOMEM. */
spn_status spn_indicators_decide(spn_indicators *s, uint64_t seed, uint64_t step, const spn_draw *draw, spn_err *err);

/* After spn_graph_backward: takes every mask's gradient (dce) and, with exploration, gathers gains.
 *
 * Plain straight-through (explore 0) moves a threshold by dCE/dmask at the mask's present value. At 1 that is close to
 * zero once the part is trained (its own scale is at a stationary point), at 0 it is what a small addition would bring;
 * a threshold then hovers at its decision and ranks nothing. With exploration the question that the decision asks is
 * answered: CE(0) - CE(1) is the integral of -dCE/dmask over the mask, and the mean over uniform draws is an unbiased
 * estimate of it (the path integral of arXiv 1703.01365, with one mask as the path), with the other masks at random,
 * those above it in its nesting open. The gain of a whole layer counts its smallest option; those of the options inside
 * come on top. */
void spn_indicators_observe(spn_indicators *s);
/* Then: dthreshold of CE + price * R (price: derivative of the whole cost term with respect to R), and what flows to
 * the weights through the statistics, added to the graph's gradients. */
void spn_indicators_pull(spn_indicators *s, double price);
/* What the cross entropy says against opening mask i. */
double spn_indicator_evidence(const spn_indicators *s, int i);
/* |gain| in standard errors of the mean; 0 below two observations. */
double spn_indicator_significance(const spn_indicator *n);
/* Gains start anew: all, or those of whole layers. */
void spn_indicators_forget_gains(spn_indicators *s, int layers_only);

/* R with every mask at sigmoid(sharpness * x), as x was at the last decisions. grip (count; or NULL): its derivative
 * with respect to every x. */
double spn_indicators_soft_cost(const spn_indicators *s, double sharpness, double *grip);

/* The decoded network, and how many decisions (flips) differ from the plain decoding, in which running averages >= 0
 * are on. Within [low, high] (spn_budget_best says what happens where nothing lies there) it is, plain
 * straight-through, the network nearest to the plain decoding by the sum of |average| over flipped indicators; with
 * exploration the one with the largest sum of gains. With high INFINITY there is no budget: the plain decoding, in
 * which the cost term has had its say. */
spn_status spn_indicators_decode(const spn_indicators *s, double low, double high, spn_budget_answer *out, int *flips,
                                 spn_err *err);

#endif
