#include "latency/latency.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/datapath.h"
#include "latency/fit.h"
#include "latency/limits.h"
#include "latency/nested.h"
#include "latency/whole.h"

double spn_cost_layer(const spn_cost *cost, int layer, const spn_layer_choice *choice) {
  const spn_layer_cost *c = &cost->layer[layer];
  return choice->keep ? c->cost[choice->kernel][choice->expand][choice->se] : c->skip;
}

double spn_cost_of(const spn_cost *cost, const spn_choice *choice) {
  if (cost->whole) return spn_cost_whole_of(cost->whole, choice);
  double sum = cost->rest;
  for (int i = 0; i < cost->layers; i++) sum += spn_cost_layer(cost, i, &choice->layer[i]);
  return sum;
}

/* ---- The differentiable form ---- */

double spn_cost_layer_soft(const spn_cost *cost, const spn_space *space, int layer, const spn_layer_gates *gates,
                           spn_layer_gates *grad) {
  const spn_layer *l = &space->layer[layer];
  const spn_layer_cost *c = &cost->layer[layer];
  spn_nested kernel, expand, se;
  double by_kernel[SPN_MAX_OPTIONS] = {0}, by_expand[SPN_MAX_OPTIONS] = {0}, by_se[SPN_MAX_OPTIONS] = {0}, sum = 0;
  spn_nest(spn_layer_options(l, SPN_DECISION_KERNEL), gates->kernel, &kernel);
  spn_nest(spn_layer_options(l, SPN_DECISION_EXPAND), gates->expand, &expand);
  spn_nest(spn_layer_options(l, SPN_DECISION_SE), gates->se, &se);
  for (int k = 0; k < kernel.n; k++)
    for (int e = 0; e < expand.n; e++)
      for (int s = 0; s < se.n; s++) {
        double value = c->cost[k][l->tied ? k : e][s];
        sum += kernel.w[k] * expand.w[e] * se.w[s] * value;
        by_kernel[k] += expand.w[e] * se.w[s] * value;
        by_expand[e] += kernel.w[k] * se.w[s] * value;
        by_se[s] += kernel.w[k] * expand.w[e] * value;
      }
  double keep = l->skippable ? gates->keep[0] : 1;
  if (grad) {
    memset(grad, 0, sizeof *grad);
    for (int i = 0; i < SPN_MAX_OPTIONS; i++) {
      by_kernel[i] *= keep;
      by_expand[i] *= keep;
      by_se[i] *= keep;
    }
    grad->keep[0] = l->skippable ? sum - c->skip : 0;
    spn_nest_pull(&kernel, by_kernel, grad->kernel);
    spn_nest_pull(&expand, by_expand, grad->expand);
    spn_nest_pull(&se, by_se, grad->se);
  }
  return keep * sum + (1 - keep) * c->skip;
}

/* ---- Range ---- */

void spn_cost_range(const spn_cost *cost, const spn_space *space, double *min, double *max) {
  if (cost->whole) {
    spn_cost_whole_range(cost, space, min, max);
    return;
  }
  *min = *max = cost->rest;
  for (int i = 0; i < cost->layers; i++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    int count = spn_layer_choices(&space->layer[i], all);
    double low = spn_cost_layer(cost, i, &all[0]), high = low;
    for (int k = 1; k < count; k++) {
      low = fmin(low, spn_cost_layer(cost, i, &all[k]));
      high = fmax(high, spn_cost_layer(cost, i, &all[k]));
    }
    *min += low;
    *max += high;
  }
}

/* ---- Counted cost ---- */

typedef struct {
  const char *name, *unit, *source;
  int params; /* 1: parameters; 0: multiply-accumulates */
} counted;

static const counted counts[] = {
    {"flops", "MFLOPs",
     "counted from the space; a multiply-accumulate counts as one FLOP, as in papers on mobile networks", 0},
    {"macs", "MMACs", "counted from the space", 0},
    {"params", "Mparams", "counted from the space", 1}};

static const counted *find_counted(const char *name) {
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    if (!strcmp(name, counts[i].name)) return &counts[i];
  return NULL;
}

static double millions(const counted *kind, spn_counts c) { return (double)(kind->params ? c.params : c.macs) / 1e6; }

int spn_cost_counted(const char *name, const spn_arch *arch, double *cost, const char **unit) {
  const counted *kind = find_counted(name);
  if (!kind) return 0;
  *cost = millions(kind, spn_arch_counts(arch));
  *unit = kind->unit;
  return 1;
}

double spn_cost_counted_part(const char *name, const spn_arch *arch, const spn_block *b, int channels, int size) {
  int next;
  return millions(find_counted(name),
                  b ? spn_block_counts(arch, b, size, &next) : spn_arch_fixed_counts(arch, channels, size));
}

/* The block a layer is with the given options, in the deployed network. */
static spn_block option_block(const spn_layer *l, int k, int e, int s) {
  return (spn_block){l->in, l->out, l->kernel[k], l->stride, l->expand[e], l->se[s], l->residual, 0, l->activation};
}

/* Of the deployed network. Sizes after a layer do not depend on its options. */
static void count(const counted *kind, const spn_space *space, spn_cost *out) {
  const spn_arch *base = &space->base;
  int size = spn_pad_axis(base->padding, base->input_size, base->stem_kernel, base->stem_stride).out, next = size;
  out->layers = space->layers;
  for (int i = 0; i < space->layers; i++, size = next) {
    const spn_layer *l = &space->layer[i];
    for (int k = 0; k < l->kernels; k++)
      for (int e = 0; e < l->expands; e++)
        for (int s = 0; s < l->ses; s++) {
          spn_block b = option_block(l, k, e, s);
          out->layer[i].cost[k][e][s] = millions(kind, spn_block_counts(base, &b, size, &next));
        }
    if (l->table_layer < 0) {
      out->rest += out->layer[i].cost[0][0][0];
      out->layer[i].cost[0][0][0] = 0;
    }
  }
  out->rest += millions(kind, spn_arch_fixed_counts(base, space->layer[space->layers - 1].out, size));
}

static spn_status read_table(const spn_json *root, const spn_space *space, spn_cost *out, spn_err *err) {
  spn_table table;
  char name[SPN_DECISION_NAME];
  SPN_TRY(spn_table_read(root, &table, err));
  spn_status status =
      spn_space_coupled(space, name)
          ? spn_fail(err, SPN_EINPUT,
                     "table %s: prices layers one by one, but in space %s other layers depend on what is decided for "
                     "%s; spnas latency fit makes a model of the table that prices networks whole",
                     table.name, space->name, name)
          : spn_table_apply(&table, space, out, err);
  spn_table_free(&table);
  return status;
}

/* A fitted model that prices networks whole is kept. */
static spn_status apply_fit(spn_fit *fit, const spn_space *space, spn_cost *out, spn_err *err) {
  char name[SPN_DECISION_NAME];
  if (!spn_space_coupled(space, name)) {
    spn_status status = spn_fit_cost(fit, space, out, err);
    spn_fit_free(fit);
    free(fit);
    return status;
  }
  memset(out, 0, sizeof *out);
  strcpy(out->name, fit->name);
  strcpy(out->unit, fit->unit);
  strcpy(out->source, fit->source);
  for (int i = 0; i < space->layers; i++)
    for (int s = 0; s < space->layer[i].ses; s++) out->modelled_se |= space->layer[i].se[s] > 0;
  spn_status status = spn_cost_make_whole(space, NULL, fit, out, err);
  if (!status) return SPN_OK;
  spn_fit_free(fit);
  free(fit);
  return status;
}

/* A table, laid over the space as it is; or a fitted model, which may fill in what was not measured. */
static spn_status read_measured(const spn_json *root, const spn_space *space, spn_cost *out, spn_err *err) {
  spn_json model = spn_json_get(root, "model");
  if (spn_json_is_null(&model)) return read_table(root, space, out, err);
  spn_fit *fit = malloc(sizeof *fit);
  if (!fit) return spn_fail(err, SPN_ENOMEM, "latency: out of memory");
  spn_status status = spn_fit_read(root, fit, err);
  if (!status) return apply_fit(fit, space, out, err);
  free(fit);
  return status;
}

static spn_status load_measured(const char *name, const spn_space *space, spn_cost *out, spn_err *err) {
  char path[4096];
  spn_json_doc *doc = NULL;
  SPN_TRY(spn_data_path("latency", name, path, sizeof path, err));
  SPN_TRY(spn_json_load(path, &doc, err));
  spn_json root = spn_json_root(doc);
  spn_status status = read_measured(&root, space, out, err);
  spn_json_free(doc);
  return status;
}

static spn_status load_one(const char *name, const spn_space *space, spn_cost *out, spn_err *err) {
  const counted *kind = find_counted(name);
  memset(out, 0, sizeof *out);
  if (kind) {
    strcpy(out->name, kind->name);
    strcpy(out->unit, kind->unit);
    strcpy(out->source, kind->source);
    char decision[SPN_DECISION_NAME];
    if (spn_space_coupled(space, decision)) return spn_cost_make_whole(space, kind->name, NULL, out, err);
    count(kind, space, out);
    return SPN_OK;
  }
  return load_measured(name, space, out, err);
}

/* ---- Several devices ---- */

/* Adds weight times a cost, member by member: a weighted sum of additive costs is one. */
static void add_weighted(spn_cost *sum, const spn_cost *one, double weight) {
  sum->rest += weight * one->rest;
  sum->entries += one->entries;
  sum->modelled += one->modelled;
  sum->modelled_se |= one->modelled_se;
  for (int i = 0; i < one->layers; i++) {
    const double *from = &one->layer[i].cost[0][0][0];
    double *to = &sum->layer[i].cost[0][0][0];
    for (size_t k = 0; k < sizeof one->layer[i].cost / sizeof *from; k++) to[k] += weight * from[k];
    sum->layer[i].skip += weight * one->layer[i].skip;
  }
}

/* "0.5 * a": weight and name; a name alone weighs 1. */
static spn_status read_term(const char *whole, char *term, double *weight, char **name, spn_err *err) {
  char *star = strchr(term, '*'), *end;
  *weight = 1;
  *name = term;
  if (star) {
    *weight = strtod(term, &end);
    end += strspn(end, " ");
    if (end != star || !(*weight > 0 && *weight <= 1e6))
      return spn_fail(err, SPN_EINPUT, "search.cost %.200s: expected a weight above 0 before *, got \"%.40s\"", whole,
                      term);
    *name = star + 1;
  }
  *name += strspn(*name, " ");
  for (size_t n = strlen(*name); n && (*name)[n - 1] == ' ';) (*name)[--n] = 0;
  if (**name) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "search.cost %.200s: expected a name, got nothing", whole);
}

static spn_status add_term(const char *whole, char *term, const spn_space *space, spn_cost *out, spn_cost *one,
                           spn_err *err) {
  double weight;
  char *name;
  SPN_TRY(read_term(whole, term, &weight, &name, err));
  SPN_TRY(load_one(name, space, one, err));
  if (out->layers && strcmp(out->unit, one->unit)) {
    spn_cost_free(one);
    return spn_fail(err, SPN_EINPUT, "search.cost %.200s: expected costs in one unit, got %s and %s", whole, out->unit,
                    one->unit);
  }
  out->layers = one->layers;
  strcpy(out->unit, one->unit);
  snprintf(out->source, sizeof out->source, "weighted sum; of its last part: %.140s", one->source);
  add_weighted(out, one, weight);
  if (one->whole) spn_cost_whole_add(&out->whole, one->whole, weight);
  return SPN_OK;
}

spn_status spn_cost_load(const char *name, const spn_space *space, spn_cost *out, spn_err *err) {
  char text[1024], *next = text;
  if (!strstr(name, " + ") && !strchr(name, '*')) return load_one(name, space, out, err);
  if (strlen(name) >= sizeof text) return spn_fail(err, SPN_EINPUT, "search.cost: expected at most 1023 characters");
  spn_cost *one = malloc(sizeof *one);
  if (!one) return spn_fail(err, SPN_ENOMEM, "latency: out of memory");
  strcpy(text, name);
  memset(out, 0, sizeof *out);
  spn_status status = SPN_OK;
  while (!status && next) {
    char *term = next, *plus = strstr(next, " + ");
    next = plus ? plus + 3 : NULL;
    if (plus) *plus = 0;
    status = add_term(name, term, space, out, one, err);
  }
  snprintf(out->name, sizeof out->name, "%.63s", name);
  free(one);
  if (status) spn_cost_free(out);
  return status;
}

void spn_cost_free(spn_cost *cost) {
  spn_cost_whole_free(cost->whole);
  spn_limits_free(cost->limits);
  cost->whole = NULL;
  cost->limits = NULL;
}

/* ---- For people ---- */

const char *spn_cost_caveat(const spn_cost *cost, char *text, size_t size) {
  if (cost->modelled) snprintf(text, size, "%d of %d entries modelled, not measured", cost->modelled, cost->entries);
  else snprintf(text, size, "%s", cost->modelled_se ? "SE part modelled, not measured" : "");
  return text;
}
