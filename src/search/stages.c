/* Between two stages the state is the option of the channels; inside a stage whose layers decide for themselves it is
 * what is decided for the stage: channels, number of layers and shortcut. */
#include "search/stages.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double LEAST_WIDTH = 1e-6; /* as spn_budget's */

spn_layer_choice spn_stages_layer(const spn_space *space, const spn_choice *choice, int layer) {
  const spn_layer *l = &space->layer[layer];
  spn_layer_choice own = choice->layer[layer];
  int possible = 0;
  if (!l->leads || l->shortcuts < 2) return own;
  for (int i = layer; i < layer + l->stage_layers; i++) possible |= space->layer[i].residual && choice->layer[i].keep;
  if (!possible) own.shortcut = -1;
  return own;
}

/* ---- Options ---- */

static int inside_states(const spn_layer *stage) { return stage->channels * stage->counts * stage->shortcuts; }

static int inside_state(const spn_layer *stage, const spn_layer_choice *lead) {
  int shortcut = lead->shortcut > 0;
  return (lead->channels * stage->counts + lead->layers) * stage->shortcuts + shortcut;
}

/* Decisions of one layer, and the options of them that stand. */
typedef struct {
  const spn_decision *list;
  int count, option[SPN_DECISION_KINDS];
} odometer;

static odometer decisions_at(const spn_stages *s, int layer) {
  odometer o = {.list = s->decisions.list};
  while (o.list < s->decisions.list + s->decisions.count && o.list->layer != layer) o.list++;
  for (const spn_decision *d = o.list; d < s->decisions.list + s->decisions.count && d->layer == layer; d++) o.count++;
  return o;
}

static int advance(odometer *o) {
  for (int i = o->count - 1; i >= 0; i--) {
    if (++o->option[i] < o->list[i].options) return 1;
    o->option[i] = 0;
  }
  return 0;
}

/* Sets them; 0 where something else follows from other decisions, so that these options are no network's. */
static int apply(const spn_stages *s, const odometer *o, spn_choice *choice) {
  int stands = 1;
  for (int i = 0; i < o->count; i++) spn_decision_set(s->space, &o->list[i], o->option[i], choice);
  for (int i = 0; i < o->count; i++) stands &= spn_decision_get(&o->list[i], choice) == o->option[i];
  return stands;
}

static spn_status add(spn_stages *s, int unit, spn_path_option option, spn_layer_choice own, spn_err *err) {
  int count = s->path.count[unit];
  if (!(count & (count - 1))) { /* capacity is the next power of two */
    size_t room = count ? 2 * (size_t)count : 1;
    spn_path_option *options = realloc(s->path.option[unit], room * sizeof *options);
    if (options) s->path.option[unit] = options;
    spn_layer_choice *choices = realloc(s->choice[unit], room * sizeof *choices);
    if (choices) s->choice[unit] = choices;
    if (!options || !choices) return spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  }
  s->path.option[unit][count] = option;
  s->choice[unit][count] = own;
  s->path.count[unit]++;
  return SPN_OK;
}

/* Layers of the unit. */
static int length_of(const spn_stages *s, int layer) {
  const spn_layer *l = &s->space->layer[layer];
  return l->leads && l->shared ? l->stage_layers : 1;
}

static double cost_of(const spn_stages *s, int layer, int before, const spn_choice *choice) {
  const spn_layer_choice *lead = &choice->layer[s->space->layer[layer].leader];
  int end = layer + length_of(s, layer);
  double sum = end == s->space->layers ? spn_cost_chain_frame(s->chain, lead->channels) : 0;
  for (int l = layer; l < end; l++) sum += spn_cost_chain_layer(s->chain, l, before, lead, &choice->layer[l]);
  return sum;
}

/* Options of a unit behind what is decided already, from the state `from`. */
static spn_status add_options(spn_stages *s, int unit, int from, int before, const spn_choice *so_far, spn_err *err) {
  int layer = s->layer[unit];
  const spn_layer *l = &s->space->layer[layer], *stage = &s->space->layer[l->leader];
  int ends = layer + length_of(s, layer) == l->leader + stage->stage_layers;
  odometer o = decisions_at(s, layer);
  do {
    spn_choice choice = *so_far;
    if (!apply(s, &o, &choice)) continue;
    const spn_layer_choice *lead = &choice.layer[l->leader];
    spn_path_option option = {.from = from,
                              .to = ends ? lead->channels : inside_state(stage, lead),
                              .cost = cost_of(s, layer, before, &choice)};
    SPN_TRY(add(s, unit, option, spn_stages_layer(s->space, &choice, layer), err));
  } while (advance(&o));
  return SPN_OK;
}

/* The first unit of a stage, from every channels option before it; and any other, from every state of the stage. */
static spn_status fill_unit(spn_stages *s, int unit, spn_err *err) {
  const spn_layer *l = &s->space->layer[s->layer[unit]];
  spn_choice start;
  spn_choice_max(s->space, &start);
  if (l->leads) {
    s->path.states[unit] = s->layer[unit] ? s->space->layer[s->layer[unit] - 1].channels : 1;
    for (int from = 0; from < s->path.states[unit]; from++) SPN_TRY(add_options(s, unit, from, from, &start, err));
    return SPN_OK;
  }
  const spn_layer *stage = &s->space->layer[l->leader];
  s->path.states[unit] = inside_states(stage);
  odometer lead = decisions_at(s, l->leader);
  unsigned char seen[SPN_MAX_OPTIONS * SPN_MAX_OPTIONS * 2] = {0};
  do {
    spn_choice choice = start;
    int stands = apply(s, &lead, &choice), state = inside_state(stage, &choice.layer[l->leader]);
    if (!stands || seen[state]) continue; /* the leader's own options make no difference here */
    seen[state] = 1;
    SPN_TRY(add_options(s, unit, state, 0, &choice, err));
  } while (advance(&lead));
  return SPN_OK;
}

spn_status spn_stages_new(const spn_space *space, const spn_cost *cost, const spn_cost_chain *chain, spn_stages **out,
                          spn_err *err) {
  spn_stages *s = calloc(1, sizeof *s);
  spn_status status = s ? SPN_OK : spn_fail(err, SPN_ENOMEM, "budget: out of memory");
  if (s) {
    *s = (spn_stages){.space = space, .cost = cost, .chain = chain};
    spn_decisions_of(space, &s->decisions);
  }
  for (int layer = 0; !status && layer < space->layers; layer += length_of(s, layer)) {
    s->layer[s->path.units] = layer;
    status = fill_unit(s, s->path.units++, err);
  }
  if (s) s->path.states[s->path.units] = space->layer[space->layers - 1].channels;
  if (status) spn_stages_free(s);
  else *out = s;
  return status;
}

void spn_stages_free(spn_stages *s) {
  if (!s) return;
  for (int u = 0; u < s->path.units; u++) {
    free(s->path.option[u]);
    free(s->choice[u]);
  }
  free(s);
}

/* ---- The answer ---- */

static void answer(const spn_stages *s, const spn_path_answer *way, spn_budget_answer *out) {
  spn_choice_max(s->space, &out->choice);
  for (int u = 0; u < s->path.units; u++) {
    odometer o = decisions_at(s, s->layer[u]);
    for (int i = 0; i < o.count; i++) {
      int option = s->choice[u][way->picked[u]].option[o.list[i].kind];
      o.option[i] = option < 0 ? 0 : option;
    }
    apply(s, &o, &out->choice);
  }
  out->cost = out->worst = spn_cost_of(s->cost, &out->choice);
  out->gain = way->gain;
  out->bound = way->bound;
}

spn_status spn_stages_best(const spn_stages *s, double low, double high, spn_budget_answer *out, spn_err *err) {
  spn_path_answer way, best;
  int found = 0;
  double asked = -INFINITY;
  if (!(low <= high)) return spn_fail(err, SPN_EINPUT, "budget: expected a range, got %g to %g", low, high);
  SPN_TRY(spn_path_cheapest(&s->path, &way, err));
  out->outcome = way.cost > high ? SPN_BUDGET_ABOVE : SPN_BUDGET_MET;
  for (double width = high - low; out->outcome != SPN_BUDGET_ABOVE; width = fmax(2 * width, LEAST_WIDTH * fabs(high))) {
    double from = fmax(high - width, way.cost);
    SPN_TRY(spn_path_best(&s->path, from, high, &best, &found, err));
    if (out->outcome == SPN_BUDGET_MET) asked = best.bound;
    if (found || from <= way.cost) break; /* at least the cheapest network is there */
    out->outcome = SPN_BUDGET_BELOW;
  }
  if (found) {
    way = best;
    way.bound = fmax(asked, best.gain);
  }
  answer(s, &way, out);
  return SPN_OK;
}
