/* Counter-based random numbers: every draw is a pure function of (seed, stream, index), so neither thread order nor
 * a stop and a resume can change what is drawn. */
#ifndef SPN_CORE_RNG_H
#define SPN_CORE_RNG_H

#include <stdint.h>

/* Streams keep independent uses apart. */
typedef enum {
  SPN_RNG_INIT = 1,  /* initial weights: index = parameter number << 32 | element */
  SPN_RNG_SHUFFLE,   /* sample order: index = epoch << 32 | position */
  SPN_RNG_AUGMENT,   /* augmentation: index = (epoch << 32 | sample), see spn_rng_split */
  SPN_RNG_HOLDOUT,   /* which training images are held out: index = sample */
  SPN_RNG_DROPOUT,   /* dropout masks: index = step << 32 | element */
  SPN_RNG_INDICATOR, /* indicator dropout: index = step << 32 | indicator */
  SPN_RNG_SAMPLE,    /* random networks */
  SPN_RNG_TEST,
  SPN_RNG_METHOD,    /* what a search method draws: index = how many draws were before */
  SPN_RNG_MIX,       /* mixed images: small indices of a step's own seed */
  SPN_RNG_DROP_PATH, /* stochastic depth: index = node << 32 | image, of a step's own seed */
  SPN_RNG_TUNE       /* trials of a tuning: shifts of evenly spread points */
} spn_rng_stream;

/* 64 random bits. */
uint64_t spn_rng_bits(uint64_t seed, uint64_t stream, uint64_t index);
/* Uniform in [0, 1). */
double spn_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index);
/* Standard normal (Box-Muller on two draws of the index). */
double spn_rng_normal(uint64_t seed, uint64_t stream, uint64_t index);
/* Uniform integer in [0, n), n >= 1. */
uint64_t spn_rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n);
/* A seed for a sub-sequence (for example one augmented sample), to be used with its own small indices. */
uint64_t spn_rng_split(uint64_t seed, uint64_t stream, uint64_t index);

#endif
