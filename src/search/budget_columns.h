/* Costs of a budget as columns, each with tables of what the layers that are left can add. Internal to the budget. */
#ifndef SPN_SEARCH_BUDGET_COLUMNS_H
#define SPN_SEARCH_BUDGET_COLUMNS_H

#include "search/budget.h"

/* The main cost, the limits, and their weighted sum. */
enum { SPN_MAX_COLUMNS = SPN_MAX_LIMITS + 2 };

typedef struct {
  double rest;
  double cost[SPN_MAX_LAYERS][SPN_MAX_LAYER_CHOICES];
  double rest_least[SPN_MAX_LAYERS + 1]; /* cost of the cheapest layers from l on */
  double rest_most[SPN_MAX_LAYERS + 1];
  double low, high;            /* of the range under way, in this column's unit */
  double room;                 /* differences that are rounding */
  double step;                 /* cost of a step of the tables */
  double *gain, *open, *tight; /* (layers + 1, size); budget_columns.c tells them */
} spn_budget_column;

typedef struct {
  const spn_budget *budget;
  int costs;   /* the main one and the limits */
  int columns; /* costs, and 1 more where their weighted sum tells something */
  int size;    /* entries of a table's layer */
  spn_budget_column column[SPN_MAX_COLUMNS];
} spn_budget_columns;

/* Costs alone: no tables yet (malloc'd; spn_budget_columns_free; NULL: out of memory). */
spn_budget_columns *spn_budget_columns_new(const spn_budget *budget);
void spn_budget_columns_free(spn_budget_columns *c); /* NULL is allowed */
/* What a sum of costs, one for each column, is as one number; with a layer's option added; and the network that these
 * picked options are. */
double spn_budget_worst(const spn_budget_columns *t, const double *sum);
void spn_budget_spend(const spn_budget_columns *t, int layer, int option, const double *spent, double *after);
void spn_budget_answer_of(const spn_budget_columns *t, const int *picked, spn_budget_answer *out);
/* What a sum counts as in the main cost; cost: 0 the main one, or the number of a limit, from 1. */
double spn_budget_counts(const spn_budget *budget, int cost, double sum);

/* Tables for networks of at most `high`, with the weighted sum. SPN_ENOMEM. */
spn_status spn_budget_columns_fill(spn_budget_columns *c, double high, spn_err *err);
/* The range's lower end, for bounds. SPN_ENOMEM. */
spn_status spn_budget_columns_from(spn_budget_columns *c, double low, spn_err *err);

/* Largest gain of any network of the range that begins with `layer` layers of these costs (one for each column) and
 * this gain; -INFINITY: there is none. */
double spn_budget_bound(const spn_budget_columns *c, int layer, const double *spent, double gain);

#endif
