/* The decision list says what a space holds: every network once, none that is impossible. */
#include "check.h"
#include "core/rng.h"
#include "model/decisions.h"

static const char *const spaces[] = {"singlepath",      "singlepath-se", "singlepath-k7", "singlepath-se-k7", "demo",
                                     "nas-bench-macro", "mnasnet",       "mobilenetv2",   "mobilenetv3"};

static int is_legal(const spn_layer *l, const spn_layer_choice *c) {
  static const spn_layer_choice skipped;
  if (!c->keep) return (l->skippable || (l->counts > 1 && !l->leads)) && !memcmp(c, &skipped, sizeof skipped);
  int own = l->leads ? c->channels < l->channels && c->layers < l->counts && c->shortcut < l->shortcuts
                     : !c->channels && !c->layers && !c->shortcut;
  if (!l->expand[c->expand] && c->se) return 0;
  return own && c->kernel >= 0 && c->kernel < l->kernels && c->expand >= 0 && c->expand < l->expands && c->se >= 0 &&
         c->se < l->ses && (!l->tied || c->kernel == c->expand);
}

static int same(const spn_layer_choice *a, const spn_layer_choice *b) { return !memcmp(a, b, sizeof *a); }

/* Every legal combination is there, each once. */
static void check_layer(const spn_layer *l, const char *space) {
  spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
  int count = spn_layer_choices(l, all), legal = l->skippable;
  for (int k = 0; k < l->kernels; k++)
    for (int e = 0; e < l->expands; e++)
      for (int se = 0; se < l->ses; se++) legal += (!l->tied || k == e) && (l->expand[e] || !se);
  if (l->shared && !l->leads) legal = 1; /* the leader's */
  CHECK(count == legal, "%s: %d choices of a layer, expected %d", space, count, legal);
  for (int i = 0; i < count; i++) {
    CHECK(is_legal(l, &all[i]), "%s: choice %d is impossible", space, i);
    for (int k = 0; k < i; k++) CHECK(!same(&all[i], &all[k]), "%s: choices %d and %d are one", space, i, k);
  }
}

static double log10_networks(const spn_space *space) {
  double sum = 0;
  for (int l = 0; l < space->layers; l++) {
    double inside = space->layer[l].kernels * space->layer[l].ses *
                    (space->layer[l].tied ? 1 : space->layer[l].expands);
    sum += log10(inside + space->layer[l].skippable);
  }
  return sum;
}

/* Taking a network's options in the list's order gives that network; any options at all give a possible one. */
static void check_networks(const spn_space *space, const spn_decisions *d) {
  for (uint64_t n = 0; n < 200; n++) {
    spn_choice want, got, any;
    spn_choice_random(space, 3, n, &want);
    spn_choice_max(space, &got);
    spn_choice_max(space, &any);
    for (int i = 0; i < d->count; i++) {
      const spn_decision *one = &d->list[i];
      spn_decision_set(space, one, spn_decision_get(one, &want), &got);
      spn_decision_set(space, one, (int)spn_rng_below(n, SPN_RNG_TEST, (uint64_t)i, (uint64_t)one->options), &any);
    }
    CHECK(spn_choice_equal(&want, &got), "%s: network %d from its decisions", space->name, (int)n);
    for (int l = 0; l < space->layers; l++)
      CHECK(is_legal(&space->layer[l], &any.layer[l]) && is_legal(&space->layer[l], &want.layer[l]),
            "%s: network %d, layer %d is impossible", space->name, (int)n, l);
    for (int i = 0; i < d->count; i++) {
      const spn_decision *one = &d->list[i];
      int kept = want.layer[one->layer].keep || one->kind == SPN_DECISION_KEEP;
      if (one->kind == SPN_DECISION_SE) kept &= space->layer[one->layer].expand[want.layer[one->layer].expand] > 0;
      if (one->kind != SPN_DECISION_SHORTCUT)
        CHECK(spn_decision_matters(one, &want) == kept, "%s: what matters", space->name);
    }
  }
}

static void check_space(const char *name) {
  spn_space space;
  spn_decisions d;
  spn_err err;
  CHECK_OK(spn_space_load(name, &space, &err), err);
  spn_decisions_of(&space, &d);
  CHECK(d.count > 0 && d.count <= SPN_MAX_DECISIONS, "%s: %d decisions", name, d.count);
  for (int i = 0; i < d.count; i++) {
    const spn_decision *one = &d.list[i];
    char text[40];
    CHECK(one->options >= 2 && one->options == spn_layer_options(&space.layer[one->layer], one->kind), "%s", one->name);
    CHECK(!i || one->layer > d.list[i - 1].layer || one->kind > d.list[i - 1].kind, "%s: order", name);
    spn_option_text(&space.layer[one->layer], one->kind, 0, text, sizeof text);
    CHECK(text[0] && strncmp(one->name, "layer ", 6) == 0, "%s: names", name);
  }
  for (int l = 0; l < space.layers; l++) check_layer(&space.layer[l], name);
  char coupled[SPN_DECISION_NAME];
  if (!spn_space_coupled(&space, coupled))
    CHECK_NEAR(spn_space_log10_size(&space), log10_networks(&space), 1e-12, "%s: size", name);
  check_networks(&space, &d);
}

int main(void) {
  for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) check_space(spaces[i]);
  return check_report("test_decisions");
}
