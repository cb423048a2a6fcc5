#include "model/decisions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"

static const char *const kind_names[SPN_DECISION_KINDS] = {"keep", "kernel", "expand", "se"};

int spn_layer_options(const spn_layer *layer, spn_decision_kind kind) {
  switch (kind) {
    case SPN_DECISION_KEEP: return 1 + layer->skippable;
    case SPN_DECISION_KERNEL: return layer->kernels;
    case SPN_DECISION_EXPAND: return layer->tied ? 1 : layer->expands;
    default: return layer->ses;
  }
}

void spn_option_text(const spn_layer *layer, spn_decision_kind kind, int option, char *text, size_t size) {
  switch (kind) {
    case SPN_DECISION_KEEP: snprintf(text, size, option ? "keep" : "skip"); break;
    case SPN_DECISION_KERNEL: snprintf(text, size, "kernel %d", layer->kernel[option]); break;
    case SPN_DECISION_EXPAND: snprintf(text, size, "expand %d", layer->expand[option]); break;
    default: snprintf(text, size, "se %g", layer->se[option]);
  }
}

void spn_decisions_of(const spn_space *space, spn_decisions *out) {
  out->count = 0;
  for (int layer = 0; layer < space->layers; layer++)
    for (spn_decision_kind kind = 0; kind < SPN_DECISION_KINDS; kind++) {
      int options = spn_layer_options(&space->layer[layer], kind);
      if (options < 2) continue;
      spn_decision *d = &out->list[out->count++];
      *d = (spn_decision){.layer = layer, .kind = kind, .options = options};
      snprintf(d->name, sizeof d->name, "layer %d %s", layer, kind_names[kind]);
    }
}

static void set_option(const spn_layer *layer, spn_decision_kind kind, int option, spn_layer_choice *choice) {
  if (kind == SPN_DECISION_KEEP && !option) *choice = (spn_layer_choice){.keep = 0};
  else if (kind == SPN_DECISION_KEEP || choice->keep) choice->option[kind] = (signed char)option;
  if (layer->tied) choice->expand = choice->kernel;
}

void spn_decision_set(const spn_space *space, const spn_decision *decision, int option, spn_choice *choice) {
  set_option(&space->layer[decision->layer], decision->kind, option, &choice->layer[decision->layer]);
}

int spn_decision_get(const spn_decision *decision, const spn_choice *choice) {
  return choice->layer[decision->layer].option[decision->kind];
}

int spn_decision_matters(const spn_decision *decision, const spn_choice *choice) {
  return decision->kind == SPN_DECISION_KEEP || choice->layer[decision->layer].keep;
}

/* An odometer over the kinds; SE turns fastest, then the kernel. */
int spn_layer_choices(const spn_layer *layer, spn_layer_choice *out) {
  int count = 0;
  for (int expand = 0; expand < spn_layer_options(layer, SPN_DECISION_EXPAND); expand++)
    for (int kernel = 0; kernel < spn_layer_options(layer, SPN_DECISION_KERNEL); kernel++)
      for (int se = 0; se < spn_layer_options(layer, SPN_DECISION_SE); se++)
        out[count++] = (spn_layer_choice){.keep = 1,
                                          .kernel = (signed char)kernel,
                                          .expand = (signed char)(layer->tied ? kernel : expand),
                                          .se = (signed char)se};
  if (layer->skippable) out[count++] = (spn_layer_choice){.keep = 0};
  return count;
}

/* The network that takes the same end of every list. */
static void choose_end(const spn_space *space, int last, spn_choice *out) {
  memset(out, 0, sizeof *out);
  out->layers = space->layers;
  for (int i = 0; i < space->layers; i++) {
    const spn_layer *layer = &space->layer[i];
    set_option(layer, SPN_DECISION_KEEP, last || !layer->skippable, &out->layer[i]);
    for (spn_decision_kind kind = SPN_DECISION_KERNEL; last && kind < SPN_DECISION_KINDS; kind++)
      set_option(layer, kind, spn_layer_options(layer, kind) - 1, &out->layer[i]);
  }
}

void spn_choice_max(const spn_space *space, spn_choice *out) { choose_end(space, 1, out); }

void spn_choice_min(const spn_space *space, spn_choice *out) { choose_end(space, 0, out); }

void spn_choice_random(const spn_space *space, uint64_t seed, uint64_t index, spn_choice *out) {
  uint64_t own = spn_rng_split(seed, SPN_RNG_SAMPLE, index);
  memset(out, 0, sizeof *out);
  out->layers = space->layers;
  for (int i = 0; i < space->layers; i++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    uint64_t count = (uint64_t)spn_layer_choices(&space->layer[i], all);
    out->layer[i] = all[spn_rng_below(own, SPN_RNG_SAMPLE, (uint64_t)i, count)];
  }
}

double spn_space_log10_size(const spn_space *space) {
  double sum = 0;
  for (int i = 0; i < space->layers; i++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    sum += log10(spn_layer_choices(&space->layer[i], all));
  }
  return sum;
}
