#include "core/rng.h"

#include <math.h>

/* The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection that passes avalanche tests. */
static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t spn_rng_bits(uint64_t seed, uint64_t stream, uint64_t index) {
  uint64_t key = mix(seed + 0x9e3779b97f4a7c15u * (stream + 1));
  return mix(key ^ mix(index + 0x9e3779b97f4a7c15u));
}

double spn_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  return (double)(spn_rng_bits(seed, stream, index) >> 11) * 0x1p-53;
}

double spn_rng_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  uint64_t pair = spn_rng_split(seed, stream, index);
  double u = ((double)(spn_rng_bits(pair, 0, 0) >> 11) + 1.0) * 0x1p-53; /* in (0, 1] */
  return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * spn_rng_uniform(pair, 0, 1));
}

uint64_t spn_rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n) {
  return (uint64_t)(((unsigned __int128)spn_rng_bits(seed, stream, index) * n) >> 64);
}

uint64_t spn_rng_split(uint64_t seed, uint64_t stream, uint64_t index) {
  return spn_rng_bits(seed ^ 0xa5a5a5a55a5a5a5au, stream, index);
}
