/* The first half of a fit: weights of work from the tables' entries. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "latency/fit.h"
#include "latency/nnls.h"

/* What the sum of works cannot express of one block, relative: the residual of the public Pixel-1 tables. */
static const double MISFIT = 0.03;
/* An entry without a spread of its own. */
static const double USUAL_SPREAD = 0.02;
/* Huber's constant: residuals beyond so many robust standard deviations count linearly. 95 % efficient on normal noise.
 */
static const double HUBER = 1.345;
enum { HUBER_ROUNDS = 8, FOLDS = 10 };

/* One equation: work . weight = cost. */
typedef struct {
  spn_work work;
  double cost, noise; /* noise: relative standard deviation */
  double trust;       /* Huber weight */
  int table, shape;   /* shape: entries that differ in kernel, expansion and squeeze only have the same */
} equation;

typedef struct {
  equation *list;
  int count, shapes;
} equations;

static void add_equation(equations *all, int table, int shape, const spn_work *work, double cost, double spread) {
  double relative = isnan(spread) ? USUAL_SPREAD : spread / cost;
  if (!(cost > 0)) return;
  all->list[all->count++] = (equation){
      .work = *work, .cost = cost, .noise = hypot(MISFIT, relative), .trust = 1, .table = table, .shape = shape};
}

/* The number of the entry's shape: that of an entry before it with the same, or a new one. */
static int shape_of(const spn_table *table, int entry, const int *shape, int *shapes) {
  const spn_part *p = &table->entry[entry].part;
  for (int i = 0; i < entry; i++) {
    const spn_part *q = &table->entry[i].part;
    if (q->kind == p->kind && q->h == p->h && q->in == p->in && q->out == p->out && q->stride == p->stride)
      return shape[i];
  }
  return (*shapes)++;
}

static spn_status gather(const spn_fit *fit, equations *all, spn_err *err) {
  int room = 0, most = 1;
  for (int t = 0; t < fit->tables; t++) {
    room += fit->table[t].entries + 1;
    most = fit->table[t].entries > most ? fit->table[t].entries : most;
  }
  *all = (equations){.list = calloc((size_t)room, sizeof *all->list)};
  int *shape = calloc((size_t)most, sizeof *shape);
  for (int t = 0; all->list && shape && t < fit->tables; t++) {
    const spn_table *table = &fit->table[t];
    for (int i = 0; i < table->entries; i++) {
      spn_work work = {0};
      spn_work_add(&table->entry[i].part, &work);
      shape[i] = shape_of(table, i, shape, &all->shapes);
      add_equation(all, t, shape[i], &work, table->entry[i].cost, table->entry[i].spread);
    }
    if (table->rest.whole) {
      spn_part part[SPN_MAX_REST_LAYERS + 3];
      spn_work work = {0};
      int parts = spn_table_rest_parts(&table->rest, part);
      for (int i = 0; i < parts; i++) spn_work_add(&part[i], &work);
      add_equation(all, t, all->shapes++, &work, table->rest.cost, table->rest.spread);
    }
  }
  free(shape);
  if (all->list && shape) return SPN_OK;
  free(all->list);
  return spn_fail(err, SPN_ENOMEM, "latency fit: out of memory");
}

/* ---- Normal equations ---- */

typedef struct {
  int n;
  double gram[SPN_NNLS_MAX * SPN_NNLS_MAX], moment[SPN_NNLS_MAX];
} normal;

/* Adds scale^2 times the square of (row . x - target), over variables that begin at `first`. */
static void add_row(normal *out, int first, const double *row, double target) {
  for (int i = 0; i < SPN_WORKS; i++) {
    out->moment[first + i] += row[i] * target;
    for (int k = 0; k < SPN_WORKS; k++) out->gram[(first + i) * out->n + first + k] += row[i] * row[k];
  }
}

/* Pulls each weight of a further table towards `scale` times the reference's as hard as one entry does. */
static void tie(normal *out, int table, double scale, const double *strength) {
  for (int i = 0; i < SPN_WORKS; i++) {
    int a = i, b = table * SPN_WORKS + i, n = out->n;
    double s = strength[i];
    out->gram[a * n + a] += s * scale * scale;
    out->gram[a * n + b] -= s * scale;
    out->gram[b * n + a] -= s * scale;
    out->gram[b * n + b] += s;
  }
}

static void assemble(const equations *all, int tables, const double *scale, int left_out, normal *out) {
  double strength[SPN_WORKS] = {0};
  int used = 0;
  memset(out, 0, sizeof *out);
  out->n = tables * SPN_WORKS;
  for (int r = 0; r < all->count; r++) {
    const equation *e = &all->list[r];
    double row[SPN_WORKS], weight = sqrt(e->trust) / e->noise;
    if (left_out >= 0 && e->shape % FOLDS == left_out) continue;
    for (int i = 0; i < SPN_WORKS; i++) {
      row[i] = e->work.amount[i] / e->cost * weight;
      strength[i] += row[i] * row[i];
    }
    add_row(out, e->table * SPN_WORKS, row, weight);
    used++;
  }
  for (int i = 0; i < SPN_WORKS; i++) strength[i] /= used ? used : 1;
  for (int t = 1; t < tables; t++) tie(out, t, scale[t], strength);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, ascending);
  return count ? (values[(count - 1) / 2] + values[count / 2]) / 2 : 0;
}

/* ---- Fitting ---- */

/* What table t shows for what the reference's weights alone predict; 1 where they predict nothing. */
static double table_scale(const equations *all, int table, const double *reference, double *scratch) {
  int count = 0;
  for (int r = 0; r < all->count; r++) {
    const equation *e = &all->list[r];
    double expected = spn_work_cost(&e->work, reference);
    if (e->table == table && expected > 0) scratch[count++] = e->cost / expected;
  }
  return count ? median(scratch, count) : 1;
}

/* Huber weights from the residuals, in units of each entry's noise. */
static void trust(equations *all, int left_out, const double *x, double *scratch) {
  int count = 0;
  for (int r = 0; r < all->count; r++) {
    const equation *e = &all->list[r];
    if (left_out >= 0 && e->shape % FOLDS == left_out) continue;
    scratch[count++] = fabs(spn_work_cost(&e->work, x + e->table * SPN_WORKS) / e->cost - 1) / e->noise;
  }
  double limit = HUBER * fmax(1.4826 * median(scratch, count), 0.1); /* 1.4826: of a normal's median deviation */
  for (int r = 0; r < all->count; r++) {
    equation *e = &all->list[r];
    double residual = fabs(spn_work_cost(&e->work, x + e->table * SPN_WORKS) / e->cost - 1) / e->noise;
    e->trust = residual > limit ? limit / residual : 1;
  }
}

/* x: tables * SPN_WORKS weights. scratch: as many doubles as there are equations. */
static void solve(equations *all, int tables, int left_out, double *scratch, normal *system, double *x) {
  double scale[SPN_MAX_FIT_TABLES] = {0};
  equations first = *all;
  first.count = 0;
  for (int r = 0; r < all->count; r++) {
    all->list[r].trust = 1;
    first.count += all->list[r].table == 0; /* the first table's equations come first */
  }
  assemble(&first, 1, NULL, left_out, system);
  spn_nnls(SPN_WORKS, system->gram, system->moment, x);
  for (int t = 1; t < tables; t++) scale[t] = table_scale(all, t, x, scratch);
  for (int round = 0; round < HUBER_ROUNDS; round++) {
    assemble(all, tables, scale, left_out, system);
    spn_nnls(system->n, system->gram, system->moment, x);
    trust(all, left_out, x, scratch);
  }
}

/* Squeeze-and-excite that no table measured: the first table's own estimate, else what moving a value costs. */
static void assume_se(spn_fit *fit, const equations *all) {
  double seen = 0;
  for (int r = 0; r < all->count; r++) seen += all->list[r].work.amount[SPN_WORK_SE];
  for (int t = 0; t < fit->tables && !(seen > 0); t++)
    fit->weight[t][SPN_WORK_SE] = fit->table[0].se_values > 0 ? 1e6 / fit->table[0].se_values
                                                              : fit->weight[t][SPN_WORK_MOVED];
}

/* Of the reference's weights: the first block of the inverse over the weights above 0. */
static void keep_covariance(spn_fit *fit, normal *system, const double *x) {
  static _Thread_local double inverse[SPN_NNLS_MAX * SPN_NNLS_MAX];
  int n = system->n;
  for (int i = 0; i < n * n; i++)
    if (!(x[i / n] > 0) || !(x[i % n] > 0)) system->gram[i] = 0;
  spn_inverse(n, system->gram, inverse);
  for (int i = 0; i < SPN_WORKS; i++)
    for (int k = 0; k < SPN_WORKS; k++) fit->covariance[i * SPN_WORKS + k] = inverse[i * n + k];
}

static spn_status check_tables(const spn_fit *fit, spn_err *err) {
  for (int t = 1; t < fit->tables; t++)
    if (strcmp(fit->table[t].unit, fit->table[0].unit))
      return spn_fail(err, SPN_EINPUT, "table %s: expected costs in %s as in table %s, got %s", fit->table[t].name,
                      fit->table[0].unit, fit->table[0].name, fit->table[t].unit);
  return SPN_OK;
}

spn_status spn_fit_tables(spn_fit *fit, spn_err *err) {
  equations all;
  double x[SPN_NNLS_MAX];
  SPN_TRY(check_tables(fit, err));
  SPN_TRY(gather(fit, &all, err));
  double *scratch = malloc(sizeof *scratch * (size_t)(all.count + 1));
  normal *system = malloc(sizeof *system);
  spn_status status = scratch && system ? SPN_OK : spn_fail(err, SPN_ENOMEM, "latency fit: out of memory");
  if (!status && !all.count)
    status = spn_fail(err, SPN_EINPUT, "table %s: expected costs above 0 to fit a model to", fit->table[0].name);
  if (!status) {
    solve(&all, fit->tables, -1, scratch, system, x);
    memcpy(fit->weight, x, sizeof *x * (size_t)(fit->tables * SPN_WORKS));
    keep_covariance(fit, system, x);
    assume_se(fit, &all);
  }
  free(system);
  free(scratch);
  free(all.list);
  return status;
}

/* ---- Cross-validation ---- */

void spn_table_check_free(spn_table_check *check) {
  free(check->predicted);
  check->predicted = NULL;
}

static void rank_worst(const spn_table *table, spn_table_check *check) {
  check->worst_count = table->entries < SPN_WORST_ENTRIES ? table->entries : SPN_WORST_ENTRIES;
  for (int w = 0; w < check->worst_count; w++) {
    int best = -1;
    double most = -1;
    for (int i = 0; i < table->entries; i++) {
      double off = fabs(check->predicted[i] / table->entry[i].cost - 1);
      int taken = 0;
      for (int k = 0; k < w; k++) taken |= check->worst[k] == i;
      if (!taken && off > most) {
        most = off;
        best = i;
      }
    }
    check->worst[w] = best < 0 ? 0 : best;
  }
}

/* Agreement over the entries that cost anything. */
static spn_status judge(const spn_table *table, spn_table_check *check, spn_err *err) {
  double *cost = malloc(sizeof *cost * (size_t)(2 * table->entries + 2)), *predicted = cost + table->entries + 1;
  int count = 0;
  if (!cost) return spn_fail(err, SPN_ENOMEM, "latency fit: out of memory");
  for (int i = 0; i < table->entries; i++) {
    if (!(table->entry[i].cost > 0)) continue;
    cost[count] = table->entry[i].cost;
    predicted[count++] = check->predicted[i];
  }
  spn_agreement_of(predicted, cost, count, &check->agreement);
  rank_worst(table, check);
  free(cost);
  return SPN_OK;
}

/* Predictions of the entries whose shape lies in this fold; the squares of their relative errors are added up. */
static void predict_fold(const spn_fit *fit, const equations *all, int fold, const double *x, spn_table_check *out,
                         double *squares) {
  int at[SPN_MAX_FIT_TABLES] = {0};
  for (int r = 0; r < all->count; r++) {
    const equation *e = &all->list[r];
    const spn_table *table = &fit->table[e->table];
    int *i = &at[e->table];
    while (*i < table->entries && !(table->entry[*i].cost > 0)) ++*i;
    if (*i >= table->entries) continue; /* the rest */
    if (e->shape % FOLDS == fold) {
      out[e->table].predicted[*i] = spn_work_cost(&e->work, x + e->table * SPN_WORKS);
      double off = out[e->table].predicted[*i] / e->cost - 1, limit = 3 * e->noise;
      *squares += fmin(off * off, limit * limit); /* robust: an outlier counts as three standard deviations */
    }
    ++*i;
  }
}

spn_status spn_fit_cross_validate(spn_fit *fit, spn_table_check *out, spn_err *err) {
  equations all;
  double x[SPN_NNLS_MAX], squares = 0;
  int count = 0;
  SPN_TRY(gather(fit, &all, err));
  double *scratch = malloc(sizeof *scratch * (size_t)(all.count + 1));
  normal *system = malloc(sizeof *system);
  spn_status status = scratch && system ? SPN_OK : spn_fail(err, SPN_ENOMEM, "latency fit: out of memory");
  for (int t = 0; t < fit->tables; t++) {
    out[t] = (spn_table_check){.predicted = calloc((size_t)fit->table[t].entries + 1, sizeof(double))};
    count += fit->table[t].entries;
    if (!out[t].predicted && !status) status = spn_fail(err, SPN_ENOMEM, "latency fit: out of memory");
  }
  for (int fold = 0; !status && fold < FOLDS; fold++) {
    solve(&all, fit->tables, fold, scratch, system, x);
    predict_fold(fit, &all, fold, x, out, &squares);
  }
  for (int t = 0; !status && t < fit->tables; t++) status = judge(&fit->table[t], &out[t], err);
  if (!status) fit->spread = sqrt(squares / (count ? count : 1));
  for (int t = 0; status && t < fit->tables; t++) spn_table_check_free(&out[t]);
  free(system);
  free(scratch);
  free(all.list);
  return status;
}
