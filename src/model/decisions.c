#include "model/decisions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"

static const char *const kind_names[SPN_DECISION_KINDS] = {"keep",     "kernel", "expand",  "se",
                                                           "channels", "layers", "shortcut"};

int spn_layer_options(const spn_layer *layer, spn_decision_kind kind) {
  int leads = layer->leads, own = leads || !layer->shared;
  switch (kind) {
    case SPN_DECISION_KEEP: return 1 + layer->skippable;
    case SPN_DECISION_KERNEL: return own ? layer->kernels : 1;
    case SPN_DECISION_EXPAND: return own && !layer->tied ? layer->expands : 1;
    case SPN_DECISION_SE: return own ? layer->ses : 1;
    case SPN_DECISION_CHANNELS: return leads ? layer->channels : 1;
    case SPN_DECISION_LAYERS: return leads ? layer->counts : 1;
    default: return leads ? layer->shortcuts : 1;
  }
}

double spn_option_value(const spn_layer *layer, spn_decision_kind kind, int option) {
  switch (kind) {
    case SPN_DECISION_KERNEL: return layer->kernel[option];
    case SPN_DECISION_EXPAND: return layer->expand[option];
    case SPN_DECISION_SE: return layer->se[option];
    case SPN_DECISION_CHANNELS: return layer->channel[option];
    case SPN_DECISION_LAYERS: return layer->count[option];
    default: return option;
  }
}

void spn_option_text(const spn_layer *layer, spn_decision_kind kind, int option, char *text, size_t size) {
  if (kind == SPN_DECISION_KEEP) snprintf(text, size, option ? "keep" : "skip");
  else snprintf(text, size, "%s %g", kind_names[kind], spn_option_value(layer, kind, option));
}

/* ---- The list ---- */

/* The first layer of the stage that can have a shortcut; the leader's where none can. */
static int shortcut_layer(const spn_space *space, int leader) {
  for (int l = leader; l < leader + space->layer[leader].stage_layers; l++)
    if (space->layer[l].residual) return l;
  return leader;
}

static int plain_option(const spn_layer *layer) { return layer->expand[layer->expands - 1] ? -1 : layer->expands - 1; }

static spn_decision decision_of(const spn_space *space, int layer, spn_decision_kind kind) {
  const spn_layer *l = &space->layer[layer];
  spn_decision d = {.layer = layer, .kind = kind, .options = spn_layer_options(l, kind), .depends = layer, .moot = -1};
  if (kind == SPN_DECISION_SHORTCUT) d.depends = shortcut_layer(space, layer);
  if (kind == SPN_DECISION_SE) d.moot = plain_option(l);
  snprintf(d.name, sizeof d.name, "layer %d %s", layer, kind_names[kind]);
  return d;
}

void spn_decisions_of(const spn_space *space, spn_decisions *out) {
  out->count = 0;
  for (int layer = 0; layer < space->layers; layer++)
    for (spn_decision_kind kind = 0; kind < SPN_DECISION_KINDS; kind++)
      if (spn_layer_options(&space->layer[layer], kind) > 1) out->list[out->count++] = decision_of(space, layer, kind);
}

const char *spn_space_coupled(const spn_space *space, char name[SPN_DECISION_NAME]) {
  spn_decisions decisions;
  spn_decisions_of(space, &decisions);
  for (int i = 0; i < decisions.count; i++) {
    const spn_decision *d = &decisions.list[i];
    const spn_layer *l = &space->layer[d->layer];
    int led = d->kind >= SPN_DECISION_CHANNELS || (l->shared && l->stage_layers > 1 && d->kind != SPN_DECISION_KEEP);
    if (!led) continue;
    memcpy(name, d->name, sizeof d->name);
    return name;
  }
  return NULL;
}

/* ---- Setting ---- */

static void set_option(spn_decision_kind kind, int option, spn_layer_choice *choice) {
  if (kind == SPN_DECISION_KEEP && !option) *choice = (spn_layer_choice){.keep = 0};
  else if (kind == SPN_DECISION_KEEP || choice->keep) choice->option[kind] = (signed char)option;
}

/* Everything in a stage that follows from what was decided: see spn_layer_choice. */
static void settle(const spn_space *space, int leader, spn_choice *choice) {
  const spn_layer *stage = &space->layer[leader];
  spn_layer_choice *lead = &choice->layer[leader];
  for (int l = leader; l < leader + stage->stage_layers; l++) {
    spn_layer_choice *c = &choice->layer[l];
    if (stage->counts > 1) c->keep = l - leader < stage->count[lead->layers];
    if (!c->keep) *c = (spn_layer_choice){.keep = 0};
    if (!c->keep) continue;
    if (stage->shared) c->kernel = lead->kernel, c->expand = lead->expand, c->se = lead->se;
    if (stage->tied) c->expand = c->kernel;
    if (!stage->expand[c->expand]) c->se = 0;
  }
  if (!choice->layer[shortcut_layer(space, leader)].keep) lead->shortcut = 0;
}

void spn_decision_set(const spn_space *space, const spn_decision *decision, int option, spn_choice *choice) {
  set_option(decision->kind, option, &choice->layer[decision->layer]);
  settle(space, space->layer[decision->layer].leader, choice);
}

int spn_decision_get(const spn_decision *decision, const spn_choice *choice) {
  return choice->layer[decision->layer].option[decision->kind];
}

int spn_decision_matters(const spn_decision *decision, const spn_choice *choice) {
  if (decision->kind == SPN_DECISION_KEEP) return 1;
  return choice->layer[decision->depends].keep && choice->layer[decision->layer].expand != decision->moot;
}

/* ---- Whole networks ---- */

/* An odometer over the kinds; SE turns fastest, then the kernel. */
int spn_layer_choices(const spn_layer *layer, spn_layer_choice *out) {
  int count = 0, plain = plain_option(layer);
  for (int expand = 0; expand < spn_layer_options(layer, SPN_DECISION_EXPAND); expand++)
    for (int kernel = 0; kernel < spn_layer_options(layer, SPN_DECISION_KERNEL); kernel++)
      for (int se = 0; se < (expand == plain ? 1 : spn_layer_options(layer, SPN_DECISION_SE)); se++)
        out[count++] = (spn_layer_choice){.keep = 1,
                                          .kernel = (signed char)kernel,
                                          .expand = (signed char)(layer->tied ? kernel : expand),
                                          .se = (signed char)se};
  if (layer->skippable) out[count++] = (spn_layer_choice){.keep = 0};
  return count;
}

static void settle_all(const spn_space *space, spn_choice *choice) {
  for (int l = 0; l < space->layers; l += space->layer[l].stage_layers) settle(space, l, choice);
}

/* The network that takes the same end of every list. */
static void choose_end(const spn_space *space, int last, spn_choice *out) {
  memset(out, 0, sizeof *out);
  out->layers = space->layers;
  for (int i = 0; i < space->layers; i++) {
    const spn_layer *layer = &space->layer[i];
    set_option(SPN_DECISION_KEEP, last || !layer->skippable, &out->layer[i]);
    for (spn_decision_kind kind = SPN_DECISION_KERNEL; last && kind < SPN_DECISION_KINDS; kind++)
      set_option(kind, spn_layer_options(layer, kind) - 1, &out->layer[i]);
  }
  settle_all(space, out);
}

void spn_choice_max(const spn_space *space, spn_choice *out) { choose_end(space, 1, out); }

void spn_choice_min(const spn_space *space, spn_choice *out) { choose_end(space, 0, out); }

/* networks[i]: networks of a stage that has its i-th number of layers, its channels apart. Returns their sum. */
static double stage_networks(const spn_space *space, int leader, double networks[SPN_MAX_OPTIONS]) {
  const spn_layer *stage = &space->layer[leader];
  spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
  double sum = 0, product = 1;
  int l = leader, shortcut = shortcut_layer(space, leader);
  for (int i = 0; i < stage->counts; i++) {
    for (; l < leader + stage->count[i]; l++) product *= spn_layer_choices(&space->layer[l], all);
    networks[i] = product * (shortcut < l ? stage->shortcuts : 1);
    sum += networks[i];
  }
  return sum;
}

/* What belongs to the stage: its number of layers, by how many networks there are of each; channels and shortcuts. */
static void draw_stage(const spn_space *space, int leader, uint64_t own, spn_choice *out) {
  const spn_layer *stage = &space->layer[leader];
  spn_layer_choice *lead = &out->layer[leader];
  double networks[SPN_MAX_OPTIONS];
  uint64_t draw = SPN_MAX_LAYERS + 3 * (uint64_t)leader; /* past those of the layers */
  double left = stage_networks(space, leader, networks) * spn_rng_uniform(own, SPN_RNG_SAMPLE, draw);
  while (lead->layers < stage->counts - 1 && left >= networks[lead->layers]) left -= networks[lead->layers++];
  lead->channels = (signed char)spn_rng_below(own, SPN_RNG_SAMPLE, draw + 1, (uint64_t)stage->channels);
  lead->shortcut = (signed char)spn_rng_below(own, SPN_RNG_SAMPLE, draw + 2, (uint64_t)stage->shortcuts);
}

void spn_choice_random(const spn_space *space, uint64_t seed, uint64_t index, spn_choice *out) {
  uint64_t own = spn_rng_split(seed, SPN_RNG_SAMPLE, index);
  memset(out, 0, sizeof *out);
  out->layers = space->layers;
  for (int i = 0; i < space->layers; i++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    uint64_t count = (uint64_t)spn_layer_choices(&space->layer[i], all);
    out->layer[i] = all[spn_rng_below(own, SPN_RNG_SAMPLE, (uint64_t)i, count)];
    if (space->layer[i].leader == i && out->layer[i].keep) draw_stage(space, i, own, out);
  }
  settle_all(space, out);
}

double spn_space_log10_size(const spn_space *space) {
  double sum = 0;
  for (int l = 0; l < space->layers; l += space->layer[l].stage_layers) {
    double networks[SPN_MAX_OPTIONS];
    sum += log10(space->layer[l].channels * stage_networks(space, l, networks));
  }
  return sum;
}
