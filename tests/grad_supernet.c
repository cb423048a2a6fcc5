/* A tiny whole supernet against finite differences in double: cross entropy plus lambda times the cost term, as a
 * function of every threshold and of the weights, which act through the network and through the statistics. Gates are
 * soft (sigmoid of x), so that the loss is smooth where a search's is a step. */
#include "gradcheck.h"
#include "search/cost_term.h"
#include "search/indicators.h"

enum { BATCH = 3, CLASSES = 4, SIZE = 6, PER_PARAM = 3 };

static const char *const every_option =
    "{\"name\": \"tiny\", \"input\": {\"size\": 6, \"channels\": 2}, \"classes\": 4, \"activation\": \"hswish\","
    " \"padding\": \"same\", \"bn\": {\"momentum\": 0.9, \"eps\": 0.001}, \"dropout\": 0.2,"
    " \"stem\": {\"channels\": 4, \"kernel\": 3, \"stride\": 1},"
    " \"stages\": [{\"layers\": 2, \"channels\": 4, \"stride\": 1, \"kernel\": [3, 5, 7], \"expand\": [3, 6],"
    "               \"se\": [0, 0.25, 0.5], \"skip\": true},"
    "              {\"layers\": 2, \"channels\": 5, \"stride\": 2, \"kernel\": [3, 5], \"expand\": [2, 3, 4],"
    "               \"se\": [0.25, 0.5], \"skip\": true}],"
    " \"head\": {\"channels\": 6}}";

static const char *const tied =
    "{\"name\": \"tied\", \"input\": {\"size\": 6, \"channels\": 2}, \"classes\": 4, \"activation\": \"relu6\","
    " \"padding\": \"symmetric\", \"bn\": {\"momentum\": 0.9, \"eps\": 0.001}, \"dropout\": 0,"
    " \"stem\": {\"channels\": 3, \"kernel\": 3, \"stride\": 1},"
    " \"stages\": [{\"layers\": 2, \"channels\": 3, \"stride\": 1, \"kernel\": [3, 5], \"expand\": [3, 6], \"tied\": "
    "true, \"skip\": true},"
    "              {\"layers\": 2, \"channels\": 4, \"stride\": 2, \"kernel\": [3, 5, 7], \"expand\": [2, 3, 4], "
    "\"tied\": true, \"skip\": true}],"
    " \"head\": {\"channels\": 6}}";

/* Stages decided as wholes: MnasNet's ops side by side, channels, numbers of layers, shortcuts. */
static const char *const factorised =
    "{\"name\": \"factorised\", \"input\": {\"size\": 6, \"channels\": 2}, \"classes\": 4, \"activation\": \"relu\","
    " \"padding\": \"same\", \"bn\": {\"momentum\": 0.9, \"eps\": 0.001}, \"dropout\": 0.2,"
    " \"stem\": {\"channels\": 4, \"kernel\": 3, \"stride\": 1},"
    " \"stages\": [{\"layers\": [1, 2, 3], \"channels\": [2, 3, 5], \"stride\": 1, \"shared\": true, \"kernel\": [3, "
    "5],"
    "               \"expand\": [1, 2, 3, 0], \"se\": [0, 0.5], \"residual\": [false, true]},"
    "              {\"layers\": [1, 2], \"channels\": [3, 4], \"stride\": 2, \"shared\": true, \"kernel\": [3, 5],"
    "               \"expand\": [1, 3, 0], \"se\": [0.25, 0.5], \"residual\": [false, true]},"
    "              {\"layers\": 2, \"channels\": 4, \"stride\": 1, \"kernel\": [3], \"expand\": [1, 0], \"skip\": "
    "true}],"
    " \"head\": {\"channels\": 6}}";

/* Channels of stages, everything else layer by layer. */
static const char *const widths =
    "{\"name\": \"widths\", \"input\": {\"size\": 6, \"channels\": 2}, \"classes\": 4, \"activation\": \"hswish\","
    " \"padding\": \"symmetric\", \"bn\": {\"momentum\": 0.9, \"eps\": 0.001}, \"dropout\": 0,"
    " \"stem\": {\"channels\": 3, \"kernel\": 3, \"stride\": 1},"
    " \"stages\": [{\"layers\": 1, \"channels\": [2, 3], \"stride\": 1, \"kernel\": [3, 5], \"expand\": [1], \"se\": "
    "[0.5]},"
    "              {\"layers\": 2, \"channels\": [2, 4, 5], \"stride\": 2, \"kernel\": [3, 5, 7], \"expand\": [2, 3],"
    "               \"se\": [0, 0.5, 1], \"activation\": \"relu\"},"
    "              {\"layers\": 2, \"channels\": 4, \"stride\": 1, \"kernel\": [3, 5], \"expand\": [1, 3], \"tied\": "
    "true},"
    "              {\"layers\": [1, 2], \"channels\": 4, \"stride\": 1, \"kernel\": [3], \"expand\": [2, 3]}],"
    " \"head\": {\"channels\": 6}}";

typedef struct {
  spn_supernet *net;
  spn_indicators *s;
  spn_cost cost;
  grad_case data;
  spn_cost_form form;
  double lambda, target, keep;
} tiny;

static void decide(spn_indicators *s, uint64_t step, double keep_probability) {
  spn_draw draw = {.keep_probability = keep_probability, .average_decay = -1};
  spn_indicators_decide(s, 1, step, &draw, NULL);
}

/* The whole loss. */
static double whole_loss(const void *context) {
  const tiny *t = context;
  decide(t->s, 5, t->keep);
  double ce = grad_loss(&t->data);
  double slope;
  return ce + t->lambda * spn_cost_term(t->form, t->s->expected_cost, t->target, &slope);
}

/* Thresholds so that x is spread over -1.5..1.5, whatever the statistic's size. */
static void spread_thresholds(spn_indicators *s) {
  decide(s, 0, 1);
  for (int i = 0; i < s->count; i++) {
    spn_indicator *n = &s->list[i];
    n->threshold = n->statistic - s->temperature * (3 * spn_rng_uniform(6, SPN_RNG_TEST, (uint64_t)i) - 1.5);
  }
}

/* Without it nothing can go on. */
static void must(spn_status status, const spn_err *err) {
  CHECK(!status, "%s", err->text);
  if (status) exit(check_report("grad_supernet"));
}

static void start(tiny *t, const char *text, spn_statistic statistic, spn_cost_form form, double temperature) {
  *t = (tiny){.form = form, .lambda = 0.7, .keep = 1};
  spn_space space;
  spn_err err;
  spn_network_options o = {.batch = BATCH, .threads = 1, .kernels = spn_kernels_ref(), .seed = 7, .smoothing = 0.1};
  must(spn_space_parse("tiny", text, strlen(text), &space, &err), &err);
  must(spn_cost_load("macs", &space, &t->cost, &err), &err);
  for (int l = 0; l < space.layers; l++) t->cost.layer[l].skip = 0.001; /* counted costs have none, measured ones do */
  must(spn_supernet_create(&space, CLASSES, 2, &o, &t->net, &err), &err);
  must(spn_indicators_create(t->net, &t->cost, statistic, temperature, &t->s, &err), &err);
  t->s->soft = 1;
  t->data.g = t->net->graph;
  t->data.g->step = 5;
  grad_perturb(t->net->graph);
  spread_thresholds(t->s);
  grad_data(&t->data, SIZE, SIZE, 2, CLASSES);
  t->target = 1;
  whole_loss(t); /* for R: the target below it by a third, or above */
  t->target = t->s->expected_cost / 1.5;
}

static void finish(tiny *t) {
  t->data.g = NULL;
  grad_free(&t->data);
  spn_indicators_free(t->s);
  spn_supernet_free(t->net);
  spn_cost_free(&t->cost);
}

/* The analytic gradients of thresholds and weights at once: grads holds the weights'. */
static real *take_gradients(tiny *t, double *thresholds) {
  spn_graph *g = t->net->graph;
  real *grads = malloc(g->param_elements * sizeof *grads);
  whole_loss(t);
  spn_graph_backward(g, NULL);
  double slope;
  spn_cost_term(t->form, t->s->expected_cost, t->target, &slope);
  spn_indicators_observe(t->s);
  spn_indicators_pull(t->s, t->lambda * slope);
  memcpy(grads, g->grads, g->param_elements * sizeof *grads);
  for (int i = 0; i < t->s->count; i++) thresholds[i] = t->s->list[i].dthreshold;
  return grads;
}

static void check_thresholds(tiny *t, const double *analytic, const char *what, int *compared, int *skipped) {
  for (int i = 0; i < t->s->count; i++) {
    double numeric;
    if (!central(whole_loss, t, (real *)&t->s->list[i].threshold, &numeric)) {
      ++*skipped;
      continue;
    }
    CHECK_NEAR(analytic[i], numeric, 1e-6, "%s: threshold of %s", what, t->net->mask[i].name);
    ++*compared;
  }
}

static void check_weights(tiny *t, const real *analytic, const char *what, int *compared, int *skipped) {
  const spn_graph *g = t->net->graph;
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    if (p->kind == SPN_PARAM_STATE) continue;
    size_t step = p->size / PER_PARAM + 1;
    for (size_t k = (size_t)i % step; k < p->size; k += step) {
      double numeric;
      if (!central(whole_loss, t, &g->weights[p->offset + k], &numeric)) {
        ++*skipped;
        continue;
      }
      CHECK_NEAR((double)analytic[p->offset + k], numeric, 1e-6, "%s: %s[%zu]", what, p->name, k);
      ++*compared;
    }
  }
}

static void check_whole(tiny *t, const char *what) {
  double thresholds[SPN_MAX_MASKS];
  int compared = 0, skipped = 0, moving = 0;
  real *weights = take_gradients(t, thresholds);
  for (int i = 0; i < t->s->count; i++) moving += fabs(thresholds[i]) > 1e-6;
  check_thresholds(t, thresholds, what, &compared, &skipped);
  check_weights(t, weights, what, &compared, &skipped);
  CHECK(compared > 100 && skipped * 5 <= compared, "%s: %d points, %d at kinks", what, compared, skipped);
  CHECK(moving * 3 >= t->s->count, "%s: %d of %d thresholds have a gradient", what, moving, t->s->count);
  free(weights);
}

static void case_form(const char *text, const char *name, spn_statistic statistic, spn_cost_form form) {
  static const char *const forms[] = {"log", "ratio", "distance", "hinge"};
  char what[64];
  tiny t;
  start(&t, text, statistic, form, form == SPN_COST_LOG ? 1 : 0.6);
  snprintf(what, sizeof what, "%s, %s, %s", name, statistic == SPN_STATISTIC_RMS ? "rms" : "norm", forms[form]);
  check_whole(&t, what);
  finish(&t);
}

static void case_forms(const char *text, const char *name, spn_statistic statistic) {
  for (spn_cost_form form = SPN_COST_LOG; form <= SPN_COST_HINGE; form++) case_form(text, name, statistic, form);
}

/* R below the target: distance pulls the other way, the hinge not at all. */
static void case_below(spn_cost_form form) {
  tiny t;
  start(&t, every_option, SPN_STATISTIC_RMS, form, 1);
  t.target *= 3;
  check_whole(&t, "below the target");
  finish(&t);
}

/* A dropped indicator: its gate is 0 and nothing flows to its threshold. */
static void case_dropped(void) {
  tiny t;
  start(&t, every_option, SPN_STATISTIC_RMS, SPN_COST_LOG, 1);
  int dropped = 0;
  t.keep = 0.7;
  check_whole(&t, "indicators dropped");
  for (int i = 0; i < t.s->count; i++) {
    const spn_indicator *n = &t.s->list[i];
    dropped += !n->kept;
    CHECK(n->kept || (spn_mask_value(t.net, i) == 0 && n->dthreshold == 0), "%s is dropped", t.net->mask[i].name);
  }
  CHECK(dropped > 0 && dropped < t.s->count, "%d dropped", dropped);
  finish(&t);
}

/* A network cut out computes the same as the supernet whose indicators decide for it, hidden parts and all: to the last
 * digits, which double can tell from a leak. */
static void compare_cut(tiny *t, const spn_choice *c, const char *what) {
  spn_arch arch;
  spn_err err;
  spn_graph *net;
  spn_network_options o = {.batch = BATCH, .threads = 1, .kernels = spn_kernels_ref(), .seed = 7, .smoothing = 0.1};
  spn_space_arch(&t->net->space, c, 1, &arch);
  must(spn_network_create(&arch, &o, 0, &net, &err), &err);
  must(spn_network_cut(t->net->graph, net, &err), &err);
  net->step = t->data.g->step;
  for (int training = 0; training <= 1; training++) {
    spn_graph_forward(t->net->graph, t->data.images, t->data.labels, BATCH, training, NULL);
    spn_graph_forward(net, t->data.images, t->data.labels, BATCH, training, NULL);
    for (int i = 0; i < BATCH * CLASSES; i++)
      CHECK_NEAR((double)t->net->graph->logits[i], (double)net->logits[i], 1e-9, "%s, %s: logit %d", what,
                 training ? "training" : "evaluation", i);
  }
  spn_graph_free(net);
}

static void case_cut(const char *text, const char *what) {
  tiny t;
  start(&t, text, SPN_STATISTIC_RMS, SPN_COST_LOG, 1);
  unsigned char on[SPN_MAX_MASKS];
  t.s->soft = 0;
  for (int k = 0; k < 60; k++) {
    spn_choice c;
    for (int i = 0; i < t.s->count; i++) {
      spn_indicator *n = &t.s->list[i];
      on[i] = spn_rng_uniform(8, SPN_RNG_TEST, (uint64_t)k << 32 | (uint64_t)i) < 0.6;
      n->threshold = n->statistic + (on[i] ? -1 : 1);
    }
    decide(t.s, (uint64_t)k, k % 3 ? 1 : 0.5);
    for (int i = 0; i < t.s->count; i++) on[i] &= (unsigned char)t.s->list[i].kept;
    spn_supernet_choice(t.net, on, &c);
    compare_cut(&t, &c, what);
  }
  finish(&t);
}

/* ---- Every kind of mask by itself, where no indicator is needed ---- */

/* Every gate at random: 0, 1 or between (soft: between alone), its gradient wanted. */
static void draw_gates(spn_graph *g, uint64_t draw, int soft) {
  for (int i = 0; i < g->gate_count; i++) {
    uint64_t index = draw << 32 | (uint64_t)i;
    uint64_t kind = soft ? 2 : spn_rng_below(21, SPN_RNG_TEST, index, 3);
    double between = 0.2 + 0.7 * spn_rng_uniform(22, SPN_RNG_TEST, index);
    g->gates[i].value = kind == 2 ? between : (double)kind;
    g->gates[i].wanted = 1;
  }
}

static void case_masks(const char *text, const char *what) {
  enum { SOFT = 2, DRAWS = 6, CUTS = 40 };
  spn_space space;
  spn_err err;
  tiny t = {.keep = 1};
  spn_network_options o = {.batch = BATCH, .threads = 1, .kernels = spn_kernels_ref(), .seed = 7, .smoothing = 0.1};
  must(spn_space_parse("tiny", text, strlen(text), &space, &err), &err);
  must(spn_supernet_create(&space, CLASSES, 2, &o, &t.net, &err), &err);
  t.data.g = t.net->graph;
  t.data.g->step = 5;
  grad_perturb(t.data.g);
  grad_data(&t.data, SIZE, SIZE, 2, CLASSES);
  for (int i = 0; i < DRAWS; i++) {
    char name[64];
    snprintf(name, sizeof name, "%s, draw %d", what, i);
    draw_gates(t.data.g, (uint64_t)i, i < SOFT);
    CHECK(grad_check(&t.data, name, PER_PARAM) > 30, "%s: points", name);
  }
  for (int i = 0; i < CUTS; i++) {
    spn_choice c;
    spn_choice_random(&space, 4, (uint64_t)i, &c);
    spn_supernet_set(t.net, &c);
    for (int k = 0; k < t.data.g->gate_count; k++) t.data.g->gates[k].wanted = i % 2; /* and what they hide computed */
    compare_cut(&t, &c, what);
  }
  t.data.g = NULL;
  grad_free(&t.data);
  spn_supernet_free(t.net);
}

int main(void) {
  case_masks(factorised, "factorised");
  case_masks(widths, "widths");
  case_cut(every_option, "every option cut");
  case_cut(tied, "tied cut");
  for (spn_statistic statistic = SPN_STATISTIC_RMS; statistic <= SPN_STATISTIC_NORM; statistic++) {
    case_forms(every_option, "every option", statistic);
    case_forms(tied, "tied", statistic);
  }
  case_form(factorised, "factorised", SPN_STATISTIC_RMS, SPN_COST_LOG);
  case_form(factorised, "factorised", SPN_STATISTIC_NORM, SPN_COST_RATIO);
  case_below(SPN_COST_DISTANCE);
  case_below(SPN_COST_HINGE);
  case_dropped();
  return check_report("grad_supernet");
}
