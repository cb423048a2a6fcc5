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
  int options;   /* >= 2 */
  char name[24]; /* "layer 5 kernel" */
} spn_decision;

typedef struct {
  int count;
  spn_decision list[SPN_MAX_DECISIONS]; /* by layer, then by kind: a layer's keep comes first */
} spn_decisions;

void spn_decisions_of(const spn_space *space, spn_decisions *out);

/* Options of one kind in a layer; 1: nothing to decide. */
int spn_layer_options(const spn_layer *layer, spn_decision_kind kind);
/* "keep", "kernel 5", "expand 6", "se 0.25": what option `option` of a layer's decision is called. */
void spn_option_text(const spn_layer *layer, spn_decision_kind kind, int option, char *text, size_t size);

/* Takes option `option` (in range). What follows from it is set too: a tied layer's expansion, and zeros in a layer
 * that is skipped; other decisions of a skipped layer are ignored. So no impossible network can be expressed. */
void spn_decision_set(const spn_space *space, const spn_decision *decision, int option, spn_choice *choice);
int spn_decision_get(const spn_decision *decision, const spn_choice *choice);
/* Whether the decision changes the network at all: its layer is kept, or it is the keeping itself. */
int spn_decision_matters(const spn_decision *decision, const spn_choice *choice);

/* Everything a layer can be, each once; returns how many (<= SPN_MAX_LAYER_CHOICES). The skipped layer comes last. */
int spn_layer_choices(const spn_layer *layer, spn_layer_choice *out);

void spn_choice_max(const spn_space *space, spn_choice *out); /* every last option, nothing skipped */
void spn_choice_min(const spn_space *space, spn_choice *out); /* every first option; what may be skipped is */
/* Every network equally likely: a function of (seed, index). */
void spn_choice_random(const spn_space *space, uint64_t seed, uint64_t index, spn_choice *out);
/* log10 of the number of networks. */
double spn_space_log10_size(const spn_space *space);

#endif
