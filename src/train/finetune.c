#include "train/finetune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "classifier";

/* Length of the layer's name in a parameter's: "stem", "block.3", "head", "classifier". */
static size_t layer_of(const char *name) {
  const size_t word = strcspn(name, ".");
  return strncmp(name, "block.", sizeof "block." - 1) ? word : word + 1 + strcspn(name + word + 1, ".");
}

/* Parameters stand in the order of their layers. */
static void fill_rates(const spn_graph *g, double decay, double *rate) {
  double r = 1;
  for (int i = g->param_count - 1; i >= 0; i--) {
    const char *name = g->params[i].name, *next = i + 1 < g->param_count ? g->params[i + 1].name : name;
    const size_t n = layer_of(name);
    if (n != layer_of(next) || strncmp(name, next, n)) r *= decay;
    rate[i] = r;
  }
}

spn_status spn_finetune_begin(const spn_settings *s, const spn_graph *g, int started, spn_optimizer *o, spn_err *err) {
  if (s->train_frozen_epochs > s->train_epochs)
    return spn_fail(err, SPN_EINPUT, "train.frozen_epochs: expected at most train.epochs = %lld, got %lld",
                    s->train_epochs, s->train_frozen_epochs);
  if (s->train_frozen_epochs && !started)
    return spn_fail(err, SPN_EINPUT,
                    "train.frozen_epochs: expected 0 without weights to start from (--init): a body that was never "
                    "trained would rest; got %lld",
                    s->train_frozen_epochs);
  if (s->train_layer_decay == 1) return SPN_OK;
  o->rate = malloc((size_t)(g->param_count + 1) * sizeof *o->rate);
  if (!o->rate)
    return spn_fail(err, SPN_ENOMEM, "optimiser: out of memory for the rates of %d tensors", g->param_count);
  fill_rates(g, s->train_layer_decay, o->rate);
  return SPN_OK;
}

static int first_param(const spn_graph *g) {
  int i = 0;
  while (i < g->param_count && strncmp(g->params[i].name, head, sizeof head - 1)) i++;
  return i;
}

static int first_node(const spn_graph *g) {
  int i = 0;
  while (i < g->node_count && strcmp(g->nodes[i]->name, head)) i++;
  return i;
}

void spn_finetune_step(const spn_settings *s, double epoch, spn_graph *g, spn_optimizer *o) {
  const int frozen = epoch < (double)s->train_frozen_epochs;
  o->first = frozen ? first_param(g) : 0;
  g->backward_from = frozen ? first_node(g) : 0;
}
