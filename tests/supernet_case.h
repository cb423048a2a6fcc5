/* Supernets for tests: every space of data/spaces at a small size, and thresholds that aim at a given network. */
#ifndef SPN_TESTS_SUPERNET_CASE_H
#define SPN_TESTS_SUPERNET_CASE_H

#include <unistd.h>

#include "check.h"
#include "core/rng.h"
#include "model/supernet.h"

#ifdef __SANITIZE_ADDRESS__
enum { NETWORKS = 12 }; /* of each space */
#else
enum { NETWORKS = 200 };
#endif
enum { BATCH = 4, CLASSES = 10, SIZE = 16, MAX_ON = SPN_MAX_LAYERS * 4 * SPN_MAX_OPTIONS };

static const struct {
  const char *space, *cost;
} rows[] = {{"singlepath", "pixel1-singlepath"},
            {"singlepath-se", "pixel1-singlepath"},
            {"singlepath-k7", "pixel1-proxylessnas"},
            {"singlepath-se-k7", "pixel1-proxylessnas"},
            {"demo", "pixel1-singlepath"},
            {"nas-bench-macro", "flops"}};
enum { ROWS = sizeof rows / sizeof *rows };

static spn_network_options options_of(int threads, int reproducible) {
  return (spn_network_options){.batch = BATCH,
                               .threads = threads,
                               .reproducible = reproducible,
                               .kernels = spn_kernels_get(NULL),
                               .seed = 11,
                               .smoothing = 0.1};
}

/* Without it nothing can go on. */
static void must(spn_status status, const spn_err *err) {
  CHECK(!status, "%s", err->text);
  if (status) exit(check_report("supernet case"));
}

/* size, width 0: the space's own. Channels stay as the space makes them, so every option keeps its place. */
static spn_supernet *supernet(int row, int size, double width, spn_network_options o) {
  spn_space space;
  spn_cost cost;
  spn_err err;
  spn_supernet *s = NULL;
  must(spn_space_load(rows[row].space, &space, &err), &err);
  must(spn_cost_load(rows[row].cost, &space, &cost, &err), &err);
  if (size) space.proxy_size = size;
  if (width > 0) space.proxy_width = width;
  if (size) space.proxy_head = 64;
  must(spn_supernet_create(&space, &cost, CLASSES, space.base.input_channels, &o, SPN_STATISTIC_RMS, 1, &s, &err),
       &err);
  return s;
}

static void decide(spn_supernet *s, int step, double keep_probability, double explore, double average_decay) {
  spn_supernet_decide(s, 1, (uint64_t)step, keep_probability, explore, average_decay);
}

/* Is indicator i on in a network? Where its decision cannot matter, a coin. */
static int wanted_sign(const spn_supernet *s, int i, const spn_choice *c, uint64_t seed) {
  const spn_indicator *n = &s->indicator[i];
  int coin = spn_rng_uniform(seed, SPN_RNG_TEST, (uint64_t)i) < 0.5;
  if (n->kind == SPN_KIND_SKIP) return c->layer[n->layer].keep;
  int at = n->kind == SPN_KIND_KERNEL   ? c->layer[n->layer].kernel
           : n->kind == SPN_KIND_EXPAND ? c->layer[n->layer].expand
                                        : c->layer[n->layer].se;
  return !c->layer[n->layer].keep || at < n->step ? coin : at > n->step;
}

/* Thresholds that make the indicators decide for a network; x lies within 0.1 and 1.1 of zero. */
static void aim(spn_supernet *s, const spn_choice *c, uint64_t seed) {
  decide(s, 0, 1, 0, -1);
  for (int i = 0; i < s->indicators; i++) {
    spn_indicator *n = &s->indicator[i];
    double far = 0.1 + spn_rng_uniform(seed, SPN_RNG_TEST, 1000 + (uint64_t)i);
    n->threshold = n->statistic - s->temperature * (wanted_sign(s, i, c, seed) ? far : -far);
  }
  decide(s, 0, 1, 0, -1);
}

/* Threads that wait for each other should sleep where other tests share the cores; libgomp reads this at its start. */
static void sleep_while_waiting(char **argv) {
  if (getenv("OMP_WAIT_POLICY")) return;
  setenv("OMP_WAIT_POLICY", "passive", 1);
  execv("/proc/self/exe", argv);
}

#endif
