/* Regularised evolution (arXiv 1802.01548): a population in which the oldest dies, whoever it is; the parent is the
 * best of a tournament, and its child differs in one layer (one
 * decision where layers are tied together). Networks above the budget are not born. */
#include <stdlib.h>

#include "search/inquiry.h"
#include "search/reach.h"

typedef struct {
  spn_choice choice;
  double accuracy;
} member;

typedef struct {
  spn_inquiry *q;
  const spn_reach *reach;
  member *list; /* a ring: the oldest gives way */
  size_t members, room, oldest;
} population;

enum { DRAWS = 1000, TRIES = 2000, TRIES_EACH = 200 };

/* Uniform where that meets the budget in reasonable time; otherwise decision by decision, which always does. */
static void create(population *p, spn_choice *out) {
  spn_inquiry *q = p->q;
  unsigned char allowed[SPN_MAX_OPTIONS];
  for (int i = 0; i < DRAWS; i++) {
    spn_inquiry_random(q, out);
    if (spn_cost_worst(q->cost, out) <= q->high) return;
  }
  spn_choice_max(q->space, out);
  for (int d = 0; d < q->decisions.count; d++) {
    if (!spn_decision_matters(&q->decisions.list[d], out)) continue;
    uint64_t left = spn_inquiry_below(q, (uint64_t)spn_reach_options(p->reach, d, out, allowed));
    int option = 0;
    while (!allowed[option] || left--) option++;
    spn_decision_set(q->space, &q->decisions.list[d], option, out);
  }
}

static const member *tournament(population *p) {
  const member *best = NULL;
  for (long long i = 0; i < p->q->settings->search_tournament; i++) {
    const member *one = &p->list[spn_inquiry_below(p->q, p->members)];
    if (!best || one->accuracy > best->accuracy) best = one;
  }
  return best;
}

/* Draws what matters now and did not matter before: nothing is known of layers that come back. */
static void draw_new(spn_inquiry *q, const spn_choice *before, spn_choice *choice) {
  for (int i = 0; i < q->decisions.count; i++) {
    const spn_decision *d = &q->decisions.list[i];
    if (spn_decision_matters(d, choice) && !spn_decision_matters(d, before))
      spn_decision_set(q->space, d, (int)spn_inquiry_below(q, (uint64_t)d->options), choice);
  }
}

/* Another choice for one step that has any. */
static void mutate(const population *p, spn_choice *choice) {
  const spn_choice before = *choice;
  int step, count;
  do step = (int)spn_inquiry_below(p->q, (uint64_t)p->reach->steps);
  while ((count = spn_reach_choices(p->reach, step, choice)) < 2);
  int other = (int)spn_inquiry_below(p->q, (uint64_t)count - 1);
  spn_reach_take(p->reach, step, other + (other >= spn_reach_taken(p->reach, step, choice)), choice);
  if (p->q->cost->whole) draw_new(p->q, &before, choice); /* a step is one decision */
}

/* A child within the budget; where single changes lead nowhere, one that differs in more. */
static void bear(population *p, spn_choice *out) {
  const spn_choice parent = tournament(p)->choice;
  for (int i = 0; i < TRIES; i++) {
    *out = parent;
    for (int changes = 0; changes <= i / TRIES_EACH; changes++) mutate(p, out);
    if (spn_cost_worst(p->q->cost, out) <= p->q->high) return;
  }
  create(p, out);
}

static spn_status live(population *p, spn_err *err) {
  while (spn_inquiry_goes_on(p->q)) {
    member child;
    spn_answer answer;
    if (p->members < p->room) create(p, &child.choice);
    else bear(p, &child.choice);
    SPN_TRY(spn_ask(p->q, &child.choice, &answer, err));
    child.accuracy = answer.accuracy;
    if (p->members < p->room) p->list[p->members++] = child;
    else {
      p->list[p->oldest] = child;
      p->oldest = (p->oldest + 1) % p->room;
    }
  }
  return SPN_OK;
}

static spn_status evolve(spn_inquiry *q, spn_err *err) {
  spn_reach *reach = spn_reach_new(q->space, q->cost, &q->decisions, q->high);
  population p = {.q = q, .reach = reach, .room = (size_t)q->settings->search_population};
  p.list = malloc(p.room * sizeof *p.list);
  spn_status status = reach && p.list ? live(&p, err) : spn_fail(err, SPN_ENOMEM, "evolution: out of memory");
  free(reach);
  free(p.list);
  return status;
}

const spn_method spn_method_evolution = {
    .about = "regularised evolution: tournaments, one mutation a child, the oldest dies", .search = evolve};
