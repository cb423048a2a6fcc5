#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/table_columns.h"

/* Rounding of files, against the dearest network; what the normal equations leave of a pivot that is zero. */
static const double TOLERANCE = 1e-6, NO_PIVOT = 1e-9;

/* The unknowns: one for the rest, one for every option of a layer but its first. */
typedef struct {
  spn_table_columns columns;
  int cost, unknowns, first[SPN_MAX_LAYERS];
  spn_layer_choice option[SPN_MAX_LAYERS][SPN_MAX_LAYER_CHOICES];
  int options[SPN_MAX_LAYERS];
  double *matrix; /* (unknowns, unknowns + 1): the normal equations */
  double largest;
} fit;

static void number_unknowns(fit *f, const spn_space *space) {
  f->unknowns = 1;
  for (int l = 0; l < space->layers; l++) {
    f->options[l] = spn_layer_choices(&space->layer[l], f->option[l]);
    f->first[l] = f->unknowns;
    f->unknowns += f->options[l] - 1;
  }
}

/* The unknowns that a network's cost is the sum of; returns how many. */
static int terms_of(const fit *f, const spn_choice *c, int *term) {
  int count = 0;
  term[count++] = 0;
  for (int l = 0; l < f->columns.space->layers; l++)
    for (int i = 1; i < f->options[l]; i++)
      if (!memcmp(&f->option[l][i], &c->layer[l], sizeof c->layer[l])) term[count++] = f->first[l] + i - 1;
  return count;
}

/* Calls `take` for every row of the space. */
static spn_status for_rows(fit *f, const char *file,
                           spn_status (*take)(fit *f, const spn_csv *csv, const spn_choice *c, double cost,
                                              spn_err *err),
                           spn_err *err) {
  spn_csv *csv;
  int end = 0, there;
  SPN_TRY(spn_csv_load(file, &csv, err));
  spn_status status = spn_table_columns_find(csv, f->columns.space, &f->columns, err);
  while (!status && !(status = spn_csv_next(csv, &end, err)) && !end) {
    spn_choice choice;
    double cost;
    status = spn_table_network(&f->columns, csv, &choice, &there, err);
    if (!status) status = spn_csv_real(csv, f->cost, 0, 1e300, &cost, err);
    if (!status && there) status = take(f, csv, &choice, cost, err);
  }
  spn_csv_free(csv);
  return status;
}

static spn_status gather(fit *f, const spn_csv *csv, const spn_choice *c, double cost, spn_err *err) {
  int term[SPN_MAX_LAYERS + 1], count = terms_of(f, c, term), width = f->unknowns + 1;
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < count; k++) f->matrix[term[i] * width + term[k]]++;
    f->matrix[term[i] * width + f->unknowns] += cost;
  }
  f->largest = fmax(f->largest, cost);
  return SPN_OK;
}

/* Gauss-Jordan with pivots; the solution is the last column. */
static spn_status solve(fit *f, const char *file, spn_err *err) {
  int n = f->unknowns, width = n + 1;
  for (int at = 0; at < n; at++) {
    int best = at;
    for (int i = at + 1; i < n; i++)
      if (fabs(f->matrix[i * width + at]) > fabs(f->matrix[best * width + at])) best = i;
    double pivot = f->matrix[best * width + at];
    if (!(fabs(pivot) > NO_PIVOT))
      return spn_fail(
          err, SPN_EINPUT,
          "%.200s: expected rows that tell what every option costs; some options are in none, or only together", file);
    for (int k = 0; k < width; k++) {
      double keep = f->matrix[at * width + k];
      f->matrix[at * width + k] = f->matrix[best * width + k] / pivot;
      if (best != at) f->matrix[best * width + k] = keep;
    }
    for (int i = 0; i < n; i++) {
      double factor = f->matrix[i * width + at];
      for (int k = at; i != at && k < width; k++) f->matrix[i * width + k] -= factor * f->matrix[at * width + k];
    }
  }
  return SPN_OK;
}

static double unknown(const fit *f, int i) { return f->matrix[i * (f->unknowns + 1) + f->unknowns]; }

static spn_status check(fit *f, const spn_csv *csv, const spn_choice *c, double cost, spn_err *err) {
  int term[SPN_MAX_LAYERS + 1], count = terms_of(f, c, term);
  double sum = 0;
  for (int i = 0; i < count; i++) sum += unknown(f, term[i]);
  if (fabs(sum - cost) <= TOLERANCE * f->largest) return SPN_OK;
  return spn_csv_fail(csv, f->cost, err,
                      "expected %.9g, for costs must add up over layers and all rows but this one say so; got %.9g",
                      sum, cost);
}

static void fill(const fit *f, const char *column, spn_cost *out) {
  memset(out, 0, sizeof *out);
  snprintf(out->name, sizeof out->name, "table:%.50s", column);
  snprintf(out->unit, sizeof out->unit, "%.15s", column);
  snprintf(out->source, sizeof out->source, "column %.60s of search.table", column);
  out->layers = f->columns.space->layers;
  out->rest = unknown(f, 0);
  for (int l = 0; l < out->layers; l++)
    for (int i = 0; i < f->options[l]; i++) {
      const spn_layer_choice *o = &f->option[l][i];
      double cost = i ? unknown(f, f->first[l] + i - 1) : 0;
      if (o->keep) out->layer[l].cost[o->kernel][o->expand][o->se] = cost;
      else out->layer[l].skip = cost;
    }
}

spn_status spn_table_cost(const char *file, const char *column, const spn_space *space, spn_cost *out, spn_err *err) {
  spn_csv *csv;
  char decision[SPN_DECISION_NAME];
  if (spn_space_coupled(space, decision))
    return spn_fail(
        err, SPN_EINPUT,
        "search.cost: expected a cost that can be counted, for in space %s costs do not add up over layers, "
        "which depend on %s; got table:%.60s",
        space->name, decision, column);
  SPN_TRY(spn_csv_load(file, &csv, err));
  fit *f = calloc(1, sizeof *f);
  spn_status status = f ? SPN_OK : spn_fail(err, SPN_ENOMEM, "search.table: out of memory");
  if (!status) {
    f->columns.space = space;
    f->cost = spn_csv_find(csv, column);
    number_unknowns(f, space);
    f->matrix = calloc((size_t)f->unknowns * (size_t)(f->unknowns + 1), sizeof *f->matrix);
    if (f->cost < 0) status = spn_csv_fail(csv, -1, err, "search.cost: expected a column %.60s, got none", column);
    else if (!f->matrix) status = spn_fail(err, SPN_ENOMEM, "search.table: out of memory");
  }
  spn_csv_free(csv);
  if (!status) status = for_rows(f, file, gather, err);
  if (!status) status = solve(f, file, err);
  if (!status) status = for_rows(f, file, check, err);
  if (!status) fill(f, column, out);
  if (f) free(f->matrix);
  free(f);
  return status;
}
