/* The decisions of a space, one list for everything that walks networks: search methods, decoders, costs, reports. */
#ifndef SPN_MODEL_DECISIONS_H
#define SPN_MODEL_DECISIONS_H

#include "model/space.h"

enum {
  SPN_MAX_DECISIONS = SPN_DECISION_KINDS * SPN_MAX_LAYERS,
  SPN_MAX_LAYER_CHOICES = SPN_MAX_OPTIONS * SPN_MAX_OPTIONS * SPN_MAX_OPTIONS + 1
};

/* One open question: what is decided elsewhere (a tied layer's expansion) or cannot be decided is not in the list. */
typedef struct {
  int layer;
  spn_decision_kind kind;
  int options;                  /* >= 2 */
  char name[SPN_DECISION_NAME]; /* "layer 5 kernel"; of a stage, its first layer's */
  int depends;                  /* the layer that must be kept for the decision to matter */
  int moot; /* option of the layer's expansion with which it does not (SE in a plain convolution); -1: none */
} spn_decision;

typedef struct {
  int count;
  spn_decision list[SPN_MAX_DECISIONS]; /* by layer, then by kind: a layer's keep comes first */
} spn_decisions;

void spn_decisions_of(const spn_space *space, spn_decisions *out);

/* Options of one kind that are decided in this layer; 1: nothing, or elsewhere. */
int spn_layer_options(const spn_layer *layer, spn_decision_kind kind);
/* "keep", "kernel 5", "expand 6", "se 0.25": what option `option` of a layer's decision is called. */
void spn_option_text(const spn_layer *layer, spn_decision_kind kind, int option, char *text, size_t size);

/* What an option stands for: the kernel size, ratio or number itself; 0 or 1 for keep and shortcut. */
double spn_option_value(const spn_layer *layer, spn_decision_kind kind, int option);

/* Takes option `option` (in range). What follows from it is set too: a tied layer's expansion, the other layers of a
 * stage that it leads, and zeros in a layer that is skipped; other decisions of a skipped layer are ignored. So no
 * impossible network can be expressed. */
void spn_decision_set(const spn_space *space, const spn_decision *decision, int option, spn_choice *choice);
int spn_decision_get(const spn_decision *decision, const spn_choice *choice);
/* Whether the decision changes the network at all, given those before it in the list. */
int spn_decision_matters(const spn_decision *decision, const spn_choice *choice);

/* Everything that a layer by itself can be, each once; returns how many (<= SPN_MAX_LAYER_CHOICES). The skipped layer
 * comes last. Where layers are tied together (spn_space_coupled) these are not a network's to combine freely. */
int spn_layer_choices(const spn_layer *layer, spn_layer_choice *out);

void spn_choice_max(const spn_space *space, spn_choice *out); /* every last option, nothing skipped */
void spn_choice_min(const spn_space *space, spn_choice *out); /* every first option, fewest layers */
/* Every network equally likely: a function of (seed, index). */
void spn_choice_random(const spn_space *space, uint64_t seed, uint64_t index, spn_choice *out);
/* log10 of the number of networks. */
double spn_space_log10_size(const spn_space *space);

#endif
