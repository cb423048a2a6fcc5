/* Search methods under one budget: rows (a method with settings of its own) x targets x seeds, and at each target a
 * population of random networks of equal cost. What was found and the population are trained alike; with
 * search.table the table knows their accuracies. In the folder:
 *   search/ROW-TARGET-SEED   random/TARGET-N   train/NETWORK   compare.json   compare.csv */
#ifndef SPN_CLI_COMPARE_H
#define SPN_CLI_COMPARE_H

#include "cli/series.h"
#include "search/evaluator.h"

enum { SPN_COMPARE_ROWS = 16, SPN_COMPARE_NAME = 160, SPN_COMPARE_PATH = SPN_MAX_DECISIONS + 32 };

typedef struct {
  char label[SPN_COMPARE_NAME]; /* as the user wrote it */
  spn_settings settings;
} spn_compare_row;

typedef struct {
  spn_series series;
  spn_compare_row row[SPN_COMPARE_ROWS];
  int rows;
  int seeds, population;
  /* With search.table: who tells accuracies. */
  spn_space space;
  spn_decisions decisions;
  spn_cost cost;
  void *table;
} spn_compare;

/* Name of a run's folder: row >= 0: a search, number is the seed's; row -1: a random network. */
void spn_compare_run(const spn_compare *c, int row, int target, int number, char name[SPN_COMPARE_PATH]);

/* A network of the comparison, with what is known of it. */
typedef struct {
  int row, target, number;                      /* as in spn_compare_run */
  char network[SPN_MAX_DECISIONS + 1], *blocks; /* its code; block string, malloc'd */
  double predicted, images, seconds;            /* of the search */
  double accuracy;                              /* 0 to 1 */
  double percentile;                            /* in the population of its target */
} spn_compare_entry;

/* Reads what a finished search wrote. The caller frees e->blocks. */
spn_status spn_compare_read(const spn_compare *c, int row, int target, int number, spn_compare_entry *e, spn_err *err);
/* Folder of a network's training. */
void spn_compare_training(const char *network, char name[SPN_COMPARE_PATH]);

/* Gathers everything, prints the tables, writes compare.json and compare.csv. */
spn_status spn_compare_report(const spn_compare *c, spn_err *err);

#endif
