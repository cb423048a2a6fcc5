/* How a search method sees a problem that it solves by asking: the decisions, what may be spent, and an evaluator's
 * answers, all of which the archive keeps.
 *
 * A method is a function of the seed and of the answers so far. So a search that was stopped goes on by replay: the
 * method starts anew, and as long as the archive knows the answers it takes them from there, after a check that the
 * questions are the same. Nothing of a method has to be saved, and a resumed search asks what one without a stop would
 * have asked, to the last bit. */
#ifndef SPN_SEARCH_INQUIRY_H
#define SPN_SEARCH_INQUIRY_H

#include "search/evaluator.h"

struct spn_inquiry {
  const spn_settings *settings;
  const spn_space *space;
  const spn_cost *cost;
  double low, high; /* a network meets the budget when low <= its worst cost <= high; at most `high` it may be named */
  spn_decisions decisions; /* of the space */
  uint64_t seed;
  spn_archive *archive;
  const spn_evaluator *evaluator; /* NULL: nobody answers (spn_method's draws) */
  void *own;                      /* the evaluator's */
  spn_run *run;                   /* for words and checkpoints; NULL: none */
  size_t asked;                   /* evaluations so far, replayed ones too */
  size_t idle;                    /* the last questions in a row whose settled answers were known: no evaluations */
  size_t limit;                   /* evaluations that may be asked for; 0: any number */
  double images;                  /* that may be processed; 0: any number */
  size_t finals;                  /* evaluations of these that are kept for the rescoring at the end */
  size_t replayed;                /* answers that the archive had when this process began */
  spn_choice nominee;             /* the method's own answer */
  int nominated;
  uint64_t draws; /* of spn_inquiry_uniform and those below */
};

/* Reads the budget from the settings. evaluator NULL: nobody answers. SPN_EINPUT: a budget smaller than one evaluation.
 */
spn_status spn_inquiry_open(const spn_problem *problem, const spn_evaluator *evaluator, const char *archive_path,
                            spn_inquiry *out, spn_err *err);
void spn_inquiry_close(spn_inquiry *q);

/* Whether the budget allows another evaluation, beside those of the rescoring; 0 also where the method only asks for
 * what it knows. */
int spn_inquiry_goes_on(const spn_inquiry *q);
/* How much of the budget, the rescoring's apart, is used, 0 to 1: for schedules. */
double spn_inquiry_used(const spn_inquiry *q);
/* How many evaluations it allows. */
double spn_inquiry_expected(const spn_inquiry *q);
/* Asks for a network's accuracy and cost. SPN_ESTOPPED after a signal or run.max_steps; SPN_EINPUT: the archive of the
 * resumed search holds other questions. */
spn_status spn_ask(spn_inquiry *q, const spn_choice *choice, spn_answer *out, spn_err *err);
/* Names the method's own answer: one of those that are rescored, and the answer itself where accuracies cannot be
 * compared or nobody was asked. */
void spn_nominate(spn_inquiry *q, const spn_choice *choice);

/* ---- Random numbers and networks: functions of the seed and of how many were drawn before ---- */
double spn_inquiry_uniform(spn_inquiry *q);               /* in [0, 1) */
uint64_t spn_inquiry_below(spn_inquiry *q, uint64_t n);   /* in [0, n) */
void spn_inquiry_random(spn_inquiry *q, spn_choice *out); /* uniform among all networks */
/* Uniform among the networks whose worst cost lies from low to high. Where a million draws
 * find none and costs add up over layers, the best by random gains, which is not uniform. SPN_EINPUT: there is none. */
spn_status spn_inquiry_network(spn_inquiry *q, double low, double high, spn_choice *out, spn_err *err);

/* ---- Whole ---- */

/* What a method that asks does as a search: opens archive and evaluator, lets it search, and writes what it found. */
spn_status spn_inquiry_run(const spn_problem *problem, const spn_method *method, spn_search_result *out, spn_err *err);
/* Where the evaluator's answers drift: asks again about the method's own answer and the most accurate networks within
 * the budget, search.rescore in all, with the evaluator as the search leaves it. What is best then is the answer. */
spn_status spn_inquiry_rescore(spn_inquiry *q, spn_err *err);
/* The network to name: SPN_EINPUT when none of the budget was found. */
spn_status spn_inquiry_result(const spn_inquiry *q, spn_choice *out, spn_err *err);

#endif
