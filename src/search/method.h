/* A search method: from a problem to a network that meets the budget. Methods are listed in methods.def, each in a file
 * of its own. */
#ifndef SPN_SEARCH_METHOD_H
#define SPN_SEARCH_METHOD_H

#include "latency/limits.h"
#include "model/decisions.h"
#include "search/evidence.h"
#include "train/evaluate.h"
#include "train/run.h"

/* What is searched, for what cost, on which images; nothing of it is the method's own. */
typedef struct {
  spn_run *run; /* folder, metrics, checkpoints, progress */
  const spn_settings *settings;
  const spn_space *space;
  const spn_cost *cost;
  const spn_data *data; /* NULL: no images (spn_problem_needs_images) */
  double low, target;   /* a network meets the budget when low <= its worst cost (spn_cost_worst) <= target */
  int free;             /* there is no budget, a fixed lambda decides; low and target are those of the whole space */
  int warmup_only; /* of a method that warms up whatever the target: ends there, with a checkpoint and warmup.json */
} spn_problem;

typedef struct {
  spn_choice choice;
  double cost;            /* exact table sum of the found network */
  int within;             /* its worst cost lies in the asked range */
  int flips;              /* decisions changed to meet it, against the method's own answer */
  double images, seconds; /* processed; wall time */
  int inherits;           /* the run holds inherited.safetensors, scored below with batch norm recalibrated */
  spn_score inherited_holdout, inherited_test;
  spn_evidence evidence; /* of a method that goes by weights that it trains */
} spn_search_result;

typedef struct spn_inquiry spn_inquiry; /* inquiry.h */

/* One of search and run. */
typedef struct {
  const char *about; /* a line for --help */
  /* A method that asks an evaluator for answers (spn_ask) until the budget is used: what it leaves in the archive is
   * its answer, unless it nominates another. */
  spn_status (*search)(spn_inquiry *q, spn_err *err);
  int draws; /* nobody is asked where search.evaluations is 1: it then only nominates a network */
  /* A method that goes its own way, over training images: searches and writes what it found (spn_outcome_write).
   * Continues the run's newest checkpoint. SPN_ESTOPPED after a signal. */
  spn_status (*run)(const spn_problem *problem, spn_search_result *out, spn_err *err);
} spn_method;

/* What methods.def lists, each ending with NULL: names for search.method, and the methods in the same order. */
extern const char *const spn_method_names[];
extern const spn_method *const spn_methods[];

enum { SPN_SIZE_TEXT = 256 };
/* What is trained while searching (spn_space_train_at): search.proxy_size and search.proxy_width, or what the median
 * short side of the images suggests (spn_space_size_for). Settles both settings; why: a sentence that says what and
 * why. SPN_EINPUT: a size or width too small to learn from. */
spn_status spn_problem_size(spn_settings *s, spn_space *space, spn_dataset *set, char why[SPN_SIZE_TEXT], spn_err *err);

/* What networks cost, by search.cost, with search.limits; a column of search.table too (table:COLUMN). The caller frees
 * (spn_cost_free). SPN_EINPUT. */
spn_status spn_problem_cost(const spn_settings *s, const spn_space *space, spn_cost *out, spn_err *err);

/* The budget: search.target in cost units, or search.target_share of the dearest network, and search.tolerance below
 * it, limits of further costs are set against the target; or none. SPN_EINPUT when it lies outside of what networks
 * cost, or all cost the same; when no network keeps a limit, or all of them; none, and the method has no lambda, a cost
 * term that needs a target, or limits. */
spn_status spn_problem_budget(spn_problem *problem, spn_err *err);
spn_status spn_problem_limits(const spn_problem *problem, spn_err *err); /* its part about limits */

/* Whether the settings' method and evaluator need images. SPN_EINPUT: the method does, and a table is
 * given. */
spn_status spn_problem_needs_images(const spn_settings *s, int *needs, spn_err *err);
/* Images that a search may process: search.budget, or as many as the schedule of a search over training images takes
 * (settled: train/schedule.h), where neither that nor search.evaluations is set. 0: any number. */
double spn_problem_images(const spn_problem *problem);
/* Searches with the settings' method. */
spn_status spn_problem_search(const spn_problem *problem, spn_search_result *out, spn_err *err);

#endif
