/* A tiny whole supernet against finite differences in double: cross entropy plus lambda times the cost term, as a
 * function of every threshold and of the weights, which act through the network and through the statistics. Gates are
 * soft (sigmoid of x), so that the loss is smooth where a search's is a step. */
#include "gradcheck.h"
#include "model/supernet.h"

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

typedef struct {
  spn_supernet *s;
  grad_case data;
  spn_cost_form form;
  double lambda, target, keep;
} tiny;

static void decide(spn_supernet *s, uint64_t step, double keep_probability) {
  spn_supernet_decide(s, 1, step, keep_probability, 0, -1);
}

/* The whole loss. indicator_grads with lambda 0 only takes R; it may add zeros to the gradients. */
static double whole_loss(const void *context) {
  const tiny *t = context;
  decide(t->s, 5, t->keep);
  double ce = grad_loss(&t->data);
  return ce + t->lambda * spn_supernet_indicator_grads(t->s, 0, t->form, t->target);
}

/* Thresholds so that x is spread over -1.5..1.5, whatever the statistic's size. */
static void spread_thresholds(spn_supernet *s) {
  decide(s, 0, 1);
  for (int i = 0; i < s->indicators; i++) {
    spn_indicator *n = &s->indicator[i];
    n->threshold = n->statistic - s->temperature * (3 * spn_rng_uniform(6, SPN_RNG_TEST, (uint64_t)i) - 1.5);
  }
}

/* Without it nothing can go on. */
static void must(spn_status status, const spn_err *err) {
  CHECK(!status, "%s", err->text);
  if (status) exit(check_report("grad_supernet"));
}

static tiny start(const char *text, spn_statistic statistic, spn_cost_form form, double temperature) {
  tiny t = {.form = form, .lambda = 0.7, .keep = 1};
  spn_space space;
  spn_cost cost;
  spn_err err;
  spn_network_options o = {.batch = BATCH, .threads = 1, .kernels = spn_kernels_ref(), .seed = 7, .smoothing = 0.1};
  must(spn_space_parse("tiny", text, strlen(text), &space, &err), &err);
  must(spn_cost_load("macs", &space, &cost, &err), &err);
  for (int l = 0; l < space.layers; l++) cost.layer[l].skip = 0.001; /* counted costs have none, measured ones do */
  must(spn_supernet_create(&space, &cost, CLASSES, 2, &o, statistic, temperature, &t.s, &err), &err);
  t.s->soft = 1;
  t.data.g = t.s->graph;
  t.data.g->step = 5;
  grad_perturb(t.s->graph);
  spread_thresholds(t.s);
  grad_data(&t.data, SIZE, SIZE, 2, CLASSES);
  t.target = 1;
  whole_loss(&t); /* for R: the target below it by a third, or above */
  t.target = t.s->expected_cost / 1.5;
  return t;
}

static void finish(tiny *t) {
  t->data.g = NULL;
  grad_free(&t->data);
  spn_supernet_free(t->s);
}

/* The analytic gradients of thresholds and weights at once: grads holds the weights'. */
static real *take_gradients(tiny *t, double *thresholds) {
  spn_graph *g = t->s->graph;
  real *grads = malloc(g->param_elements * sizeof *grads);
  whole_loss(t);
  spn_graph_backward(g);
  spn_supernet_indicator_grads(t->s, t->lambda, t->form, t->target);
  memcpy(grads, g->grads, g->param_elements * sizeof *grads);
  for (int i = 0; i < t->s->indicators; i++) thresholds[i] = t->s->indicator[i].dthreshold;
  return grads;
}

static void check_thresholds(tiny *t, const double *analytic, const char *what, int *compared, int *skipped) {
  for (int i = 0; i < t->s->indicators; i++) {
    double numeric;
    if (!central(whole_loss, t, (real *)&t->s->indicator[i].threshold, &numeric)) {
      ++*skipped;
      continue;
    }
    CHECK_NEAR(analytic[i], numeric, 1e-6, "%s: threshold of %s", what, t->s->indicator[i].name);
    ++*compared;
  }
}

static void check_weights(tiny *t, const real *analytic, const char *what, int *compared, int *skipped) {
  const spn_graph *g = t->s->graph;
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
  double thresholds[SPN_MAX_DECISIONS * SPN_MAX_OPTIONS];
  int compared = 0, skipped = 0, moving = 0;
  real *weights = take_gradients(t, thresholds);
  for (int i = 0; i < t->s->indicators; i++) moving += fabs(thresholds[i]) > 1e-6;
  check_thresholds(t, thresholds, what, &compared, &skipped);
  check_weights(t, weights, what, &compared, &skipped);
  CHECK(compared > 100 && skipped * 5 <= compared, "%s: %d points, %d at kinks", what, compared, skipped);
  CHECK(moving * 3 >= t->s->indicators, "%s: %d of %d thresholds have a gradient", what, moving, t->s->indicators);
  free(weights);
}

static void case_forms(const char *text, const char *name, spn_statistic statistic) {
  static const char *const forms[] = {"log", "ratio", "distance", "hinge"};
  for (spn_cost_form form = SPN_COST_LOG; form <= SPN_COST_HINGE; form++) {
    char what[64];
    tiny t = start(text, statistic, form, form == SPN_COST_LOG ? 1 : 0.6);
    snprintf(what, sizeof what, "%s, %s, %s", name, statistic == SPN_STATISTIC_RMS ? "rms" : "norm", forms[form]);
    check_whole(&t, what);
    finish(&t);
  }
}

/* R below the target: distance pulls the other way, the hinge not at all. */
static void case_below(spn_cost_form form) {
  tiny t = start(every_option, SPN_STATISTIC_RMS, form, 1);
  t.target *= 3;
  check_whole(&t, "below the target");
  finish(&t);
}

/* A dropped indicator: its gate is 0 and nothing flows to its threshold. */
static void case_dropped(void) {
  tiny t = start(every_option, SPN_STATISTIC_RMS, SPN_COST_LOG, 1);
  int dropped = 0;
  t.keep = 0.7;
  check_whole(&t, "indicators dropped");
  for (int i = 0; i < t.s->indicators; i++) {
    const spn_indicator *n = &t.s->indicator[i];
    dropped += !n->kept;
    CHECK(n->kept || (t.s->graph->gates[n->gate].value == 0 && n->dthreshold == 0), "%s is dropped", n->name);
  }
  CHECK(dropped > 0 && dropped < t.s->indicators, "%d dropped", dropped);
  finish(&t);
}

/* A network cut out computes the same as the supernet whose indicators decide for it, hidden parts and all: to the last
 * digits, which double can tell from a leak. */
static void compare_cut(tiny *t, const spn_choice *c, const char *what) {
  spn_arch arch;
  spn_err err;
  spn_graph *net;
  spn_network_options o = {.batch = BATCH, .threads = 1, .kernels = spn_kernels_ref(), .seed = 7, .smoothing = 0.1};
  spn_space_arch(&t->s->space, c, 1, &arch);
  must(spn_network_create(&arch, &o, 0, &net, &err), &err);
  must(spn_network_cut(t->s->graph, net, &err), &err);
  net->step = t->data.g->step;
  for (int training = 0; training <= 1; training++) {
    spn_graph_forward(t->s->graph, t->data.images, t->data.labels, BATCH, training);
    spn_graph_forward(net, t->data.images, t->data.labels, BATCH, training);
    for (int i = 0; i < BATCH * CLASSES; i++)
      CHECK_NEAR((double)t->s->graph->logits[i], (double)net->logits[i], 1e-9, "%s, %s: logit %d", what,
                 training ? "training" : "evaluation", i);
  }
  spn_graph_free(net);
}

static void case_cut(const char *text, const char *what) {
  tiny t = start(text, SPN_STATISTIC_RMS, SPN_COST_LOG, 1);
  unsigned char on[SPN_MAX_DECISIONS * SPN_MAX_OPTIONS];
  t.s->soft = 0;
  for (int k = 0; k < 60; k++) {
    spn_choice c;
    for (int i = 0; i < t.s->indicators; i++) {
      spn_indicator *n = &t.s->indicator[i];
      on[i] = spn_rng_uniform(8, SPN_RNG_TEST, (uint64_t)k << 32 | (uint64_t)i) < 0.6;
      n->threshold = n->statistic + (on[i] ? -1 : 1);
    }
    decide(t.s, (uint64_t)k, k % 3 ? 1 : 0.5);
    for (int i = 0; i < t.s->indicators; i++) on[i] &= (unsigned char)t.s->indicator[i].kept;
    spn_supernet_choice(t.s, on, &c);
    compare_cut(&t, &c, what);
  }
  finish(&t);
}

int main(void) {
  case_cut(every_option, "every option cut");
  case_cut(tied, "tied cut");
  for (spn_statistic statistic = SPN_STATISTIC_RMS; statistic <= SPN_STATISTIC_NORM; statistic++) {
    case_forms(every_option, "every option", statistic);
    case_forms(tied, "tied", statistic);
  }
  case_below(SPN_COST_DISTANCE);
  case_below(SPN_COST_HINGE);
  case_dropped();
  return check_report("grad_supernet");
}
