/* Supernets for tests: every space of data/spaces at a small size, and thresholds that aim at a given network. */
#ifndef SPN_TESTS_SUPERNET_CASE_H
#define SPN_TESTS_SUPERNET_CASE_H

#include <unistd.h>

#include "check.h"
#include "core/rng.h"
#include "search/cost_term.h"
#include "search/indicators.h"

#ifdef __SANITIZE_ADDRESS__
enum { NETWORKS = 12 }; /* of each space */
#else
enum { NETWORKS = 200 };
#endif
enum { BATCH = 4, CLASSES = 10, SIZE = 16 };

static const struct {
  const char *space, *cost;
} rows[] = {{"singlepath", "pixel1-singlepath"},
            {"singlepath-se", "pixel1-singlepath"},
            {"singlepath-k7", "pixel1-proxylessnas"},
            {"singlepath-se-k7", "pixel1-proxylessnas"},
            {"demo", "pixel1-singlepath"},
            {"nas-bench-macro", "flops"},
            {"mnasnet", "macs"}, /* from here on whole stages are decided */
            {"mobilenetv2", "macs"},
            {"mobilenetv3", "macs"}};
enum { ALL_ROWS = sizeof rows / sizeof *rows, ROWS = ALL_ROWS - 3 };

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

/* A supernet with its indicators, and the cost they count. */
typedef struct {
  spn_supernet *net;
  spn_indicators *in;
  spn_cost cost;
} searched;

/* size, width 0: the space's own. Channels stay as the space makes them, so every option keeps its place. */
static searched *supernet(int row, int size, double width, spn_network_options o) {
  spn_space space;
  spn_err err;
  searched *s = calloc(1, sizeof *s);
  must(spn_space_load(rows[row].space, &space, &err), &err);
  must(spn_cost_load(rows[row].cost, &space, &s->cost, &err), &err);
  if (size) space.proxy_size = size;
  if (width > 0) space.proxy_width = width;
  if (size) space.proxy_head = 64;
  must(spn_supernet_create(&space, CLASSES, space.base.input_channels, &o, &s->net, &err), &err);
  must(spn_indicators_create(s->net, &s->cost, SPN_STATISTIC_RMS, 1, &s->in, &err), &err);
  return s;
}

static void supernet_free(searched *s) {
  spn_indicators_free(s->in);
  spn_supernet_free(s->net);
  spn_cost_free(&s->cost);
  free(s);
}

__attribute__((unused)) static void decide(searched *s, int step, double keep_probability, double explore,
                                           double average_decay) {
  spn_draw draw = {.keep_probability = keep_probability, .explore = explore, .average_decay = average_decay};
  spn_indicators_decide(s->in, 1, (uint64_t)step, &draw, NULL);
}

/* Gradients of thresholds after a backward pass, at this weight of ln R. */
__attribute__((unused)) static void pull(searched *s, double lambda) {
  spn_indicators_observe(s->in);
  spn_indicators_pull(s->in, lambda / s->in->expected_cost);
}

/* Is indicator i on in a network? Where its decision cannot matter, a coin. */
static int wanted_sign(const searched *s, int i, const spn_choice *c, uint64_t seed) {
  const spn_mask *m = &s->net->mask[i];
  const spn_layer_choice *layer = &c->layer[m->layer];
  if (!spn_mask_matters(m, layer)) return spn_rng_uniform(seed, SPN_RNG_TEST, (uint64_t)i) < 0.5;
  return spn_mask_is_open(m, layer);
}

/* Thresholds that make the indicators decide for a network; x lies within 0.1 and 1.1 of zero. */
__attribute__((unused)) static void aim(searched *s, const spn_choice *c, uint64_t seed) {
  decide(s, 0, 1, 0, -1);
  for (int i = 0; i < s->in->count; i++) {
    spn_indicator *n = &s->in->list[i];
    double far = 0.1 + spn_rng_uniform(seed, SPN_RNG_TEST, 1000 + (uint64_t)i);
    n->threshold = n->statistic - s->in->temperature * (wanted_sign(s, i, c, seed) ? far : -far);
  }
  decide(s, 0, 1, 0, -1);
}

/* Decodes; returns whether the network lies in the range. */
__attribute__((unused)) static int decode(const searched *s, double low, double high, spn_choice *out, int *flips) {
  spn_budget_answer answer;
  spn_err err;
  must(spn_indicators_decode(s->in, low, high, &answer, flips, &err), &err);
  CHECK(answer.bound == answer.gain, "decoding %.9g to %.9g is exact", low, high);
  *out = answer.choice;
  return answer.outcome == SPN_BUDGET_MET;
}

/* Threads that wait for each other should sleep where other tests share the cores; libgomp reads this at its start. */
static void sleep_while_waiting(char **argv) {
  if (getenv("OMP_WAIT_POLICY")) return;
  setenv("OMP_WAIT_POLICY", "passive", 1);
  execv("/proc/self/exe", argv);
}

#endif
