#include "search/inquiry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "core/phase.h"
#include "search/budget.h"
#include "search/outcome.h"
#include "search/scores.h"

enum {
  TABLE_EVALUATIONS = 200,      /* where nothing else limits a search and an answer costs no images */
  IDLE = 200,                   /* questions in a row whose answers were known: the method has settled */
  CHECKPOINT_EVALUATIONS = 100, /* where run.checkpoint_steps is 0 */
  DRAWS = 1000000
};

/* ---- The budget ---- */

static double images_of(const spn_images *n) { return n->trained + n->evaluated; }

static spn_images processed(const spn_inquiry *q) {
  return q->asked ? spn_archive_at(q->archive, q->asked - 1)->images : (spn_images){0};
}

static spn_price price_of(const spn_inquiry *q) {
  return q->evaluator && q->evaluator->price ? q->evaluator->price(q->own) : (spn_price){0};
}

/* What the next evaluation takes at least. */
static double next_price(const spn_inquiry *q) {
  spn_price price = price_of(q);
  return images_of(q->asked ? &price.each : &price.first);
}

/* Images that are kept for the rescoring. */
static double kept_back(const spn_inquiry *q) {
  spn_price price = price_of(q);
  return (double)q->finals * images_of(&price.again);
}

int spn_inquiry_goes_on(const spn_inquiry *q) {
  spn_images done = processed(q);
  return q->idle < IDLE && (!q->limit || q->asked + q->finals < q->limit) &&
         (!(q->images > 0) || images_of(&done) + next_price(q) + kept_back(q) <= q->images);
}

double spn_inquiry_used(const spn_inquiry *q) {
  spn_images done = processed(q);
  double evaluations = q->limit ? (double)q->asked / (double)(q->limit - q->finals) : 0;
  double images = q->images > 0 ? images_of(&done) / (q->images - kept_back(q)) : 0;
  return fmin(1, fmax(evaluations, images));
}

double spn_inquiry_expected(const spn_inquiry *q) {
  spn_price price = price_of(q);
  double most = q->limit ? (double)(q->limit - q->finals) : INFINITY, each = images_of(&price.each);
  if (q->images > 0 && each > 0)
    most = fmin(most, 1 + fmax(0, q->images - kept_back(q) - images_of(&price.first)) / each);
  return floor(most);
}

static void read_budget(spn_inquiry *q, const spn_problem *p) {
  q->limit = (size_t)p->settings->search_evaluations;
  q->images = spn_problem_images(p);
  if (!q->limit && !(q->images > 0)) q->limit = TABLE_EVALUATIONS;
}

static spn_status check_budget(const spn_inquiry *q, spn_err *err) {
  double price = next_price(q);
  if (!(q->images > 0) || price <= q->images) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "search.budget: expected at least %.0f images, which one evaluation takes, got %.0f",
                  price, q->images);
}

/* ---- Opening ---- */

/* The evaluator's state knows of some evaluations; later ones are repeated. Without a state all are taken. */
static spn_status restore(spn_inquiry *q, spn_err *err) {
  size_t known = spn_archive_count(q->archive), done = 0;
  if (q->evaluator && q->evaluator->restore) {
    SPN_TRY(q->evaluator->restore(q->own, q->run, &done, err));
    if (done > known)
      return spn_fail(err, SPN_EINPUT,
                      "archive.jsonl: expected at least the %zu evaluations that the checkpoint knows of, got %zu",
                      done, known);
    SPN_TRY(spn_archive_cut(q->archive, done, err));
    known = done;
  }
  q->replayed = known;
  if (known && q->run) spn_run_say(q->run, "going on after %zu evaluations", known);
  return SPN_OK;
}

static spn_status open_parts(spn_inquiry *q, const spn_problem *p, const char *archive_path, spn_err *err) {
  int torn;
  if (!q->decisions.count)
    return spn_fail(err, SPN_EINPUT, "space %s: every layer has one option: there is nothing to search",
                    q->space->name);
  if (q->evaluator) SPN_TRY(q->evaluator->open(p, &q->own, err));
  SPN_TRY(check_budget(q, err));
  if (q->evaluator && q->evaluator->rescore) q->finals = spn_rescorings(q->settings, spn_inquiry_expected(q));
  SPN_TRY(spn_archive_open(archive_path, q->space, q->cost->unit, &q->archive, &torn, err));
  if (torn && q->run)
    spn_run_say(q->run, "note: the last line of archive.jsonl was not written whole; that evaluation is repeated");
  SPN_TRY(restore(q, err));
  return q->run ? spn_run_begin(q->run, q->replayed, err) : SPN_OK;
}

spn_status spn_inquiry_open(const spn_problem *p, const spn_evaluator *evaluator, const char *archive_path,
                            spn_inquiry *q, spn_err *err) {
  *q = (spn_inquiry){.settings = p->settings,
                     .space = p->space,
                     .cost = p->cost,
                     .low = p->low,
                     .high = p->target,
                     .seed = (uint64_t)p->settings->run_seed,
                     .evaluator = evaluator,
                     .run = p->run};
  spn_decisions_of(p->space, &q->decisions);
  read_budget(q, p);
  spn_status status = open_parts(q, p, archive_path, err);
  if (status) spn_inquiry_close(q);
  return status;
}

void spn_inquiry_close(spn_inquiry *q) {
  if (q->own) q->evaluator->close(q->own);
  spn_archive_free(q->archive);
  q->own = NULL;
  q->archive = NULL;
}

/* ---- Asking ---- */

static spn_status replay(spn_inquiry *q, const spn_choice *choice, int rescored, spn_answer *out, spn_err *err) {
  const spn_evaluation *e = spn_archive_at(q->archive, q->asked);
  if (!spn_choice_equal(&e->choice, choice) || e->rescored != rescored) {
    spn_code want, got;
    spn_code_of(&q->decisions, choice, &want);
    spn_code_of(&q->decisions, &e->choice, &got);
    return spn_fail(
        err, SPN_EINPUT,
        "archive.jsonl: evaluation %zu: expected network %s, which this search asks for%s, got %s: the archive "
        "is another search's, or of another version of spnas",
        q->asked + 1, want.text, rescored ? " again" : "", got.text);
  }
  *out = e->answer;
  q->asked++;
  return SPN_OK;
}

static spn_status save(const spn_inquiry *q, spn_err *err) {
  if (!q->run || !q->evaluator->save) return SPN_OK;
  return q->evaluator->save(q->own, q->run, q->asked, err);
}

static spn_status stop_when_asked(const spn_inquiry *q, spn_err *err) {
  size_t most = (size_t)q->settings->run_max_steps;
  if (!spn_stop_requested() && !(most && q->asked - q->replayed >= most)) return SPN_OK;
  SPN_TRY(save(q, err));
  return spn_fail(err, SPN_ESTOPPED, "stopped after %zu evaluations", q->asked);
}

/* A settled answer that was given before is not worked out again, and no evaluation. */
static const spn_evaluation *known_answer(const spn_inquiry *q, const spn_choice *choice) {
  const spn_evaluation *e = q->evaluator->settled ? spn_archive_find(q->archive, choice) : NULL;
  return e && e < spn_archive_at(q->archive, 0) + q->asked ? e : NULL; /* what follows is still to be replayed */
}

static spn_status find_answer(spn_inquiry *q, spn_evaluation *e, spn_err *err) {
  if (e->rescored) return q->evaluator->rescore(q->own, &e->choice, &e->answer, &e->images, err);
  return q->evaluator->answer(q->own, &e->choice, &e->answer, &e->images, err);
}

static spn_status ask(spn_inquiry *q, const spn_choice *choice, int rescored, spn_answer *out, spn_err *err) {
  if (q->asked < q->replayed) return replay(q, choice, rescored, out, err);
  SPN_TRY(stop_when_asked(q, err));
  spn_evaluation e = {.choice = *choice, .answer.loss = NAN, .images = processed(q), .rescored = rescored};
  double start = q->run ? spn_run_seconds(q->run) : 0;
  SPN_TRY(find_answer(q, &e, err));
  e.answer.cost = spn_cost_of(q->cost, choice);
  e.seconds = q->run ? spn_run_seconds(q->run) - start : 0;
  SPN_TRY(spn_archive_add(q->archive, &e, err));
  q->asked++;
  *out = e.answer;
  size_t steps = (size_t)q->settings->run_checkpoint_steps;
  int due = q->asked % (steps ? steps : CHECKPOINT_EVALUATIONS) == 0;
  return due || spn_checkpoint_requested() ? save(q, err) : SPN_OK;
}

spn_status spn_ask(spn_inquiry *q, const spn_choice *choice, spn_answer *out, spn_err *err) {
  const spn_evaluation *known = known_answer(q, choice);
  q->idle = known ? q->idle + 1 : 0;
  if (!known) return ask(q, choice, 0, out, err);
  *out = known->answer;
  return SPN_OK;
}

void spn_nominate(spn_inquiry *q, const spn_choice *choice) {
  q->nominee = *choice;
  q->nominated = 1;
}

/* ---- Random networks ---- */

double spn_inquiry_uniform(spn_inquiry *q) { return spn_rng_uniform(q->seed, SPN_RNG_METHOD, q->draws++); }

uint64_t spn_inquiry_below(spn_inquiry *q, uint64_t n) { return spn_rng_below(q->seed, SPN_RNG_METHOD, q->draws++, n); }

void spn_inquiry_random(spn_inquiry *q, spn_choice *out) { spn_choice_random(q->space, q->seed, q->draws++, out); }

/* Of random gains the best network of the range, which is there if there is one. */
static spn_status best_of_random_gains(spn_inquiry *q, double low, double high, spn_choice *out, int *found,
                                       spn_err *err) {
  spn_budget *b = spn_budget_new(q->space, q->cost);
  spn_budget_answer best;
  if (!b) return spn_fail(err, SPN_ENOMEM, "search: out of memory");
  for (int l = 0; l < b->layers; l++)
    for (int o = 0; o < b->count[l]; o++) b->option[l][o].gain = spn_rng_normal(q->seed, SPN_RNG_METHOD, q->draws++);
  spn_status status = spn_budget_best(b, low, high, &best, err);
  free(b);
  if (status) return status;
  *found = best.outcome == SPN_BUDGET_MET;
  *out = best.choice;
  return SPN_OK;
}

spn_status spn_inquiry_network(spn_inquiry *q, double low, double high, spn_choice *out, spn_err *err) {
  for (int i = 0; i < DRAWS; i++) {
    spn_inquiry_random(q, out);
    double cost = spn_cost_worst(q->cost, out);
    if (cost >= low && cost <= high) return SPN_OK;
  }
  int found = 0;
  if (!q->cost->whole) SPN_TRY(best_of_random_gains(q, low, high, out, &found, err));
  if (found) return SPN_OK;
  return spn_fail(err, SPN_EINPUT,
                  "search.target: none of %d random networks of space %s costs between %.4g and %.4g %s", DRAWS,
                  q->space->name, low, high, q->cost->unit);
}

/* ---- Rescoring ---- */

/* The most accurate network within the budget that is not among the evaluations from `first` on; 0: there is none. */
static int next_best(const spn_inquiry *q, size_t first, spn_choice *out) {
  const spn_evaluation *best = NULL;
  for (size_t i = 0; i < first; i++) {
    const spn_evaluation *e = spn_archive_at(q->archive, i);
    if (spn_cost_worst(q->cost, &e->choice) > q->high || (best && e->answer.accuracy <= best->answer.accuracy))
      continue;
    size_t k = first;
    while (k < q->asked && !spn_choice_equal(&spn_archive_at(q->archive, k)->choice, &e->choice)) k++;
    if (k == q->asked) best = e;
  }
  if (best) *out = best->choice;
  return best != NULL;
}

spn_status spn_inquiry_rescore(spn_inquiry *q, spn_err *err) {
  size_t first = q->asked;
  spn_choice choice;
  spn_answer answer;
  if (!q->finals) return SPN_OK;
  if (q->nominated && spn_cost_worst(q->cost, &q->nominee) <= q->high) SPN_TRY(ask(q, &q->nominee, 1, &answer, err));
  while (q->asked - first < q->finals && next_best(q, first, &choice)) SPN_TRY(ask(q, &choice, 1, &answer, err));
  return SPN_OK;
}

/* ---- Whole ---- */

/* Whether the archive's accuracies can be compared with each other. */
static int are_comparable(const spn_inquiry *q) { return q->finals || (q->evaluator && q->evaluator->settled); }

spn_status spn_inquiry_result(const spn_inquiry *q, spn_choice *out, spn_err *err) {
  const spn_evaluation *best = spn_archive_best(q->archive, q->cost, q->high);
  if (q->nominated && !(best && are_comparable(q))) *out = q->nominee;
  else if (best) *out = best->choice;
  else
    return spn_fail(err, SPN_EINPUT, "search.target: none of the %zu networks asked for costs at most %.4g %s",
                    spn_archive_count(q->archive), q->high, q->cost->unit);
  return SPN_OK;
}

typedef struct {
  const spn_inquiry *q;
  const spn_search_result *result;
  const size_t *front; /* numbers of evaluations */
  size_t fronts;
} arch_facts;

static void put_front(spn_json_writer *w, const arch_facts *f) {
  spn_json_array(w, "front", SPN_JSON_LINES);
  for (size_t i = 0; i < f->fronts; i++) {
    const spn_evaluation *e = spn_archive_at(f->q->archive, f->front[i]);
    spn_code code;
    spn_code_of(&f->q->decisions, &e->choice, &code);
    spn_json_object(w, NULL, SPN_JSON_INLINE);
    spn_json_put_integer(w, "evaluation", (long long)f->front[i] + 1);
    spn_json_put_text(w, "network", code.text);
    spn_json_put_number(w, "cost", e->answer.cost);
    spn_json_put_number(w, "accuracy", e->answer.accuracy);
    spn_json_end(w);
  }
  spn_json_end(w);
}

static void write_facts(const void *owner, spn_json_writer *w) {
  const arch_facts *f = owner;
  const spn_inquiry *q = f->q;
  spn_images done = processed(q);
  const spn_evaluation *found = spn_archive_best(q->archive, q->cost, q->high);
  if (!found || !spn_choice_equal(&found->choice, &f->result->choice))
    found = spn_archive_find(q->archive, &f->result->choice);
  spn_json_put_text(w, "evaluator", q->settings->search_evaluator);
  if (found) spn_json_put_number(w, "accuracy", found->answer.accuracy);
  spn_json_put_integer(w, "evaluations", (long long)q->asked);
  if (q->finals) spn_json_put_integer(w, "rescored", (long long)spn_archive_rescored(q->archive));
  spn_json_put_number(w, "images_trained", done.trained);
  spn_json_put_number(w, "images_evaluated", done.evaluated);
  if (q->evaluator && q->evaluator->facts) q->evaluator->facts(q->own, f->result, w);
  put_front(w, f);
}

/* The evaluator's look at the found network. One that refuses to name it leaves its state as it is now, so that the
 * search goes on from here where it is told to name one all the same. */
static spn_status look_at(spn_inquiry *q, const spn_problem *p, spn_search_result *out, spn_err *err) {
  spn_err ignored;
  if (!q->evaluator) return SPN_OK;
  if (q->evaluator->rescore) SPN_TRY(spn_scores_evidence(q->archive, &out->evidence, err));
  spn_status status = q->evaluator->finish ? q->evaluator->finish(q->own, p, out, err) : SPN_OK;
  if (status == SPN_EINPUT && q->asked > q->replayed) save(q, &ignored);
  return status;
}

static spn_status finish(spn_inquiry *q, const spn_problem *p, spn_search_result *out, spn_err *err) {
  spn_images done = processed(q);
  SPN_TRY(spn_inquiry_result(q, &out->choice, err));
  out->cost = spn_cost_of(q->cost, &out->choice);
  double worst = spn_cost_worst(q->cost, &out->choice);
  out->within = worst >= q->low && worst <= q->high;
  out->images = images_of(&done);
  SPN_TRY(look_at(q, p, out, err));
  out->seconds = spn_run_seconds(p->run);
  arch_facts facts = {.q = q, .result = out};
  size_t *front = malloc((spn_archive_count(q->archive) + 1) * sizeof *front);
  if (!front) return spn_fail(err, SPN_ENOMEM, "archive: out of memory");
  spn_status status = spn_archive_front(q->archive, front, &facts.fronts, err);
  facts.front = front;
  if (!status) status = spn_outcome_write(p, out, write_facts, &facts, err);
  free(front);
  return status;
}

spn_status spn_inquiry_run(const spn_problem *p, const spn_method *method, spn_search_result *out, spn_err *err) {
  spn_inquiry q;
  int asks = !method->draws || p->settings->search_evaluations != 1;
  const spn_evaluator *evaluator = asks ? spn_evaluator_of(p->settings) : NULL;
  SPN_TRY(spn_inquiry_open(p, evaluator, spn_run_path(p->run, "archive.jsonl"), &q, err));
  spn_status status = method->search(&q, err);
  if (!status) status = spn_inquiry_rescore(&q, err);
  if (!status) status = finish(&q, p, out, err);
  spn_inquiry_close(&q);
  return status;
}
