/* LayerNAS (arXiv 2304.11517): a memory table of the best network so far for every layer and cost bucket. Layer by
 * layer, a stored network whose layers before were searched takes another option there, is evaluated, and stays where
 * it beats its cell. Layers after it are those of the largest network. Accuracy alone counts; what cannot reach the
 * target any more is not tried.
 *
 * A budget may end before the last layer is reached. The last question is then about the best network so far, completed
 * to meet the target, so that there is an answer; ours, the paper has no such case. */
#include <math.h>
#include <stdlib.h>

#include "search/inquiry.h"
#include "search/reach.h"

typedef struct {
  int filled;
  double accuracy;
  spn_choice choice;
} cell;

typedef struct {
  spn_inquiry *q;
  spn_reach *reach;
  cell *table; /* [layer][bucket]: layers before `layer` were searched; so one row more than there are layers */
  /* Where layers are tied together, "layer" stands for a step of the reach, which is then a decision. */
  size_t buckets;
  double least, most; /* cost of the cheapest and dearest network */
} memory;

/* Sweeps over all layers that ask nothing new, before the search counts as finished. */
enum { IDLE_SWEEPS = 1000 };

static cell *row_of(const memory *m, int layer) { return &m->table[(size_t)layer * m->buckets]; }

static void keep(memory *m, int layer, const spn_choice *choice, double accuracy) {
  double share = (spn_reach_least(m->reach, choice, layer) - m->least) / fmax(m->most - m->least, 1e-300);
  size_t bucket = (size_t)(fmin(fmax(share, 0), 1) * (double)(m->buckets - 1));
  cell *c = &row_of(m, layer)[bucket];
  if (c->filled && c->accuracy >= accuracy) return;
  *c = (cell){.filled = 1, .accuracy = accuracy, .choice = *choice};
}

/* A stored network of a layer, uniformly; NULL: there is none. */
static const cell *pick(const memory *m, int layer) {
  const cell *row = row_of(m, layer), *chosen = NULL;
  uint64_t seen = 0;
  for (size_t b = 0; b < m->buckets; b++)
    if (row[b].filled) seen++;
  if (!seen) return NULL;
  uint64_t left = spn_inquiry_below(m->q, seen);
  for (size_t b = 0; b < m->buckets && !chosen; b++)
    if (row[b].filled && !left--) chosen = &row[b];
  return chosen;
}

/* What the evaluator says, or said before. */
static spn_status accuracy_of(memory *m, const spn_choice *choice, double *out, int *asked, spn_err *err) {
  const spn_evaluation *known = spn_archive_find(m->q->archive, choice);
  spn_answer answer;
  /* what a later part of a replayed archive knows is not known yet */
  if (known && known < spn_archive_at(m->q->archive, 0) + m->q->asked) {
    *out = known->answer.accuracy;
    return SPN_OK;
  }
  SPN_TRY(spn_ask(m->q, choice, &answer, err));
  *asked = 1;
  *out = answer.accuracy;
  return SPN_OK;
}

static spn_status try_layer(memory *m, int layer, int *asked, spn_err *err) {
  const cell *parent = pick(m, layer);
  if (!parent) return SPN_OK;
  spn_choice child = parent->choice;
  int count = spn_reach_choices(m->reach, layer, &child);
  double accuracy;
  spn_reach_take(m->reach, layer, (int)spn_inquiry_below(m->q, (uint64_t)count), &child);
  if (spn_reach_least(m->reach, &child, layer + 1) > m->reach->high) return SPN_OK;
  SPN_TRY(accuracy_of(m, &child, &accuracy, asked, err));
  keep(m, layer + 1, &child, accuracy);
  return SPN_OK;
}

/* ---- Where the budget ends before the last layer ---- */

/* The most accurate of a row; within the target, where it is the last layer's. NULL: there is none. */
static const cell *best_of(const memory *m, int layer) {
  const cell *best = NULL, *row = row_of(m, layer);
  int last = layer == m->reach->steps;
  for (size_t b = 0; b < m->buckets; b++)
    if (row[b].filled && (!best || row[b].accuracy > best->accuracy) &&
        (!last || spn_cost_worst(m->q->cost, &row[b].choice) <= m->q->high))
      best = &row[b];
  return best;
}

/* Settles a step at the dearest choice that still leads to the target. */
static void settle(const memory *m, int step, spn_choice *out) {
  int count = spn_reach_choices(m->reach, step, out), chosen = 0;
  double dearest = -INFINITY;
  for (int which = 0; which < count; which++) {
    spn_choice with = *out;
    spn_reach_take(m->reach, step, which, &with);
    double least = spn_reach_least(m->reach, &with, step + 1);
    if (least > m->reach->high || least <= dearest) continue;
    dearest = least;
    chosen = which;
  }
  spn_reach_take(m->reach, step, chosen, out);
}

/* The best network of the deepest layer that was reached, the layers from there on settled one by one. */
static void complete(const memory *m, spn_choice *out) {
  int searched = m->reach->steps;
  while (searched && !best_of(m, searched)) searched--;
  const cell *best = best_of(m, searched);
  if (best) *out = best->choice;
  else spn_choice_max(m->q->space, out); /* nothing was asked */
  for (int step = searched; step < m->reach->steps; step++) settle(m, step, out);
}

static int is_last_question(const memory *m) { return (double)m->q->asked + 1 >= spn_inquiry_expected(m->q); }

/* Every layer takes a question at least, beside the first one. */
static void warn_of_budget(const memory *m) {
  double needs = m->reach->steps + 1, allows = spn_inquiry_expected(m->q);
  if (allows >= needs || !m->q->run) return;
  spn_run_say(
      m->q->run,
      "note: layernas needs %.0f evaluations or more to come to the last of %d steps, and the budget allows %.0f: "
      "layers that it does not come to take their dearest options that meet the target",
      needs, m->reach->steps, allows);
}

static spn_status ask_completed(memory *m, spn_err *err) {
  spn_choice completed;
  double accuracy;
  int asked;
  complete(m, &completed);
  SPN_TRY(accuracy_of(m, &completed, &accuracy, &asked, err));
  keep(m, m->reach->steps, &completed, accuracy);
  return SPN_OK;
}

/* ---- The search ---- */

static spn_status sweep(memory *m, spn_err *err) {
  spn_choice base;
  double accuracy;
  int idle = 0, asked = 0;
  warn_of_budget(m);
  if (is_last_question(m)) return ask_completed(m, err);
  spn_choice_max(m->q->space, &base);
  SPN_TRY(accuracy_of(m, &base, &accuracy, &asked, err));
  keep(m, 0, &base, accuracy);
  while (idle++ < IDLE_SWEEPS) {
    for (int layer = 0; layer < m->reach->steps; layer++) {
      if (!spn_inquiry_goes_on(m->q)) return SPN_OK;
      if (is_last_question(m) && !best_of(m, m->reach->steps)) return ask_completed(m, err);
      asked = 0;
      SPN_TRY(try_layer(m, layer, &asked, err));
      if (asked) idle = 0;
    }
  }
  return SPN_OK;
}

/* The best of the last layer within the target; or what comes nearest to that. */
static void nominate(memory *m) {
  spn_choice answer;
  complete(m, &answer);
  spn_nominate(m->q, &answer);
}

static spn_status layernas(spn_inquiry *q, spn_err *err) {
  memory m = {.q = q, .buckets = (size_t)q->settings->search_buckets};
  spn_cost_range(q->cost, q->space, &m.least, &m.most);
  m.reach = spn_reach_new(q->space, q->cost, &q->decisions, q->high);
  m.table = m.reach ? calloc((size_t)(m.reach->steps + 1) * m.buckets, sizeof *m.table) : NULL;
  spn_status status = m.reach && m.table ? sweep(&m, err) : spn_fail(err, SPN_ENOMEM, "layernas: out of memory");
  if (!status) nominate(&m);
  free(m.reach);
  free(m.table);
  return status;
}

const spn_method spn_method_layernas = {.about = "LayerNAS: layer by layer, the best network of every cost bucket",
                                        .search = layernas};
