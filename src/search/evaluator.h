/* Where the accuracy of a network comes from, for search methods that ask. Evaluators are listed in evaluators.def. */
#ifndef SPN_SEARCH_EVALUATOR_H
#define SPN_SEARCH_EVALUATOR_H

#include "io/json_write.h"
#include "search/archive.h"
#include "search/method.h"

/* What evaluations process at least. */
typedef struct {
  spn_images first, each; /* the first, and every other */
  spn_images again;       /* of a rescoring */
} spn_price;

typedef struct {
  const char *about; /* a line for --help */
  int images;        /* needs a data set */
  int settled;       /* the same network always has the same answer */
  /* SPN_EINPUT: what the evaluator needs is missing or broken. */
  spn_status (*open)(const spn_problem *problem, void **out, spn_err *err);
  void (*close)(void *own); /* NULL is allowed */
  /* Accuracy and loss of a network (the cost is filled in), and adds what that has processed to *images. */
  spn_status (*answer)(void *own, const spn_choice *choice, spn_answer *out, spn_images *images, spn_err *err);
  /* Of an evaluator that is not settled: the answer as it is by now, without learning from the question; or NULL. */
  spn_status (*rescore)(void *own, const spn_choice *choice, spn_answer *out, spn_images *images, spn_err *err);
  spn_price (*price)(const void *own); /* or NULL: nothing */
  /* Writes its state as a checkpoint of the run, after `done` evaluations; and takes the newest one: *done, how many
   * that one knows of. Or NULL: it has none. */
  spn_status (*save)(void *own, spn_run *run, size_t done, spn_err *err);
  spn_status (*restore)(void *own, spn_run *run, size_t *done, spn_err *err);
  /* Looks at the network that a search names: inherits weights, or says what is known of it. Or NULL. Members of
   * arch.json of its own, or NULL. */
  spn_status (*finish)(void *own, const spn_problem *problem, spn_search_result *result, spn_err *err);
  void (*facts)(const void *own, const spn_search_result *result, spn_json_writer *arch);
} spn_evaluator;

extern const char *const spn_evaluator_names[]; /* ends with NULL */
extern const spn_evaluator *const spn_evaluators[];
const spn_evaluator *spn_evaluator_of(const spn_settings *s);
/* How many of so many evaluations are rescorings: search.rescore, a quarter at most. */
size_t spn_rescorings(const spn_settings *s, double evaluations);

#endif
