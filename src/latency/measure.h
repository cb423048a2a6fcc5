/* Latency measured on this computer: inference with oneDNN (kernels/infer.h), batch norm folded into the weights, one
 * image at a time. Networks run whole, as they would be used, and each part's share of every run is timed, so that
 * caches are as full as in use; networks take turns, so that noise hits all alike.
 * One thread is timed by the time it ran, so that what other processes take does not count (though caches that they
 * fill do); several threads by the clock on the wall. */
#ifndef SPN_LATENCY_MEASURE_H
#define SPN_LATENCY_MEASURE_H

#include "latency/fit.h"

typedef struct {
  int threads;
  double seconds; /* in all; at least ten rounds, at most a thousand */
  int minimum;    /* 1: the fastest run counts instead of the median: for a computer that has other work */
} spn_measure_options;

/* Every option of every layer of a space, as a table: networks that take option i wherever they can. The caller frees
 * the table; its name, unit and source are set. SPN_EBACKEND, SPN_ENOMEM. */
spn_status spn_measure_space(const spn_space *space, const spn_measure_options *options, spn_table *out, spn_err *err);

typedef struct {
  double cost, spread; /* ms, of one run */
  int count;
} spn_measured;
/* Whole networks. */
spn_status spn_measure_networks(const spn_arch *arch, int count, const spn_measure_options *options, spn_measured *out,
                                spn_err *err);

#endif
