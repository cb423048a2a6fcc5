/* What each node of a graph took, for benches that run with --profile. */
#ifndef SPN_BENCH_PROFILE_H
#define SPN_BENCH_PROFILE_H

#include <stdio.h>

#include "graph/ops.h"

/* A row a node: milliseconds forward and backward, and, where the op tells, what that is in GF/s (backward counts twice
 * the forward's flops) and, forward, in GB/s of activations. */
static inline void print_profile(const spn_graph *g, int steps) {
  printf("%-22s %-10s %9s %9s %7s %7s %6s  %s\n", "node", "op", "forward", "backward", "GF/s", "GF/s", "GB/s",
         "implementation");
  double total[2] = {0};
  for (int i = 0; i < g->node_count; i++) {
    const spn_node *n = g->nodes[i];
    double forward = n->seconds[0] / steps, backward = n->seconds[1] / steps, flops = 0, bytes = 0;
    if (n->op->cost) n->op->cost(g, n, &flops, &bytes);
    printf("%-22s %-10s %6.2f ms %6.2f ms", n->name, n->op->name, forward * 1e3, backward * 1e3);
    if (flops > 0 && forward > 0 && backward > 0)
      printf(" %7.1f %7.1f %6.1f  %s", flops / forward * 1e-9, 2 * flops / backward * 1e-9, bytes / forward * 1e-9,
             n->op->implementation ? n->op->implementation(n) : g->kernels->name);
    printf("\n");
    total[0] += forward;
    total[1] += backward;
  }
  printf("%-22s %-10s %6.1f ms %6.1f ms\n", "sum", "", total[0] * 1e3, total[1] * 1e3);
}

#endif
