/* A network layer by layer, as tables, reports and pictures show it: sizes, counts and, where it is known, cost. */
#ifndef SPN_MODEL_PROFILE_H
#define SPN_MODEL_PROFILE_H

#include "model/arch.h"

typedef enum { SPN_LAYER_STEM, SPN_LAYER_BLOCK, SPN_LAYER_HEAD, SPN_LAYER_CLASSIFIER } spn_layer_kind;

typedef struct {
  spn_layer_kind kind; /* SPN_LAYER_CLASSIFIER: with the pool before it */
  int block;           /* its place in arch->block, -1 outside */
  int in, out;         /* channels */
  int size, out_size;  /* sides of its input and output */
  spn_counts counts;
  double cost; /* NaN: not known, or part of the profile's rest */
} spn_layer_profile;

typedef struct {
  int layers; /* stem, blocks (skipped ones too), head if any, classifier */
  spn_layer_profile layer[SPN_MAX_BLOCKS + 3];
  spn_counts counts; /* of the network */
  /* What the network costs, for whoever knows it (latency/price.h): */
  double cost, rest; /* NaN: not known; rest: the part of it that no layer here has */
  int placed;        /* as the search of a space in which the network lies prices it */
  char unit[16];     /* "ms" */
  char by[64];       /* what says so, "pixel1-singlepath" */
  char caveat[96];   /* what of it was not measured, or "" */
} spn_profile;

/* Without costs. */
void spn_profile_of(const spn_arch *arch, spn_profile *out);

#endif
