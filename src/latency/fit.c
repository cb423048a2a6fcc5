#include "latency/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const spn_class_names[] = {SPN_CLASSES_LIST(SPN_CHOICE_NAME) NULL};
const char *const spn_origin_names[] = {"measured", "measured, converted", "measured + model", "modelled", NULL};

static const spn_work_class class_of[SPN_WORKS] = {[SPN_WORK_MACS] = SPN_CLASS_MACS,
                                                   [SPN_WORK_OUTPUTS] = SPN_CLASS_TRAFFIC,
                                                   [SPN_WORK_WEIGHTS] = SPN_CLASS_WEIGHTS,
                                                   [SPN_WORK_TAPS] = SPN_CLASS_TAPS,
                                                   [SPN_WORK_DW_OUTPUTS] = SPN_CLASS_TRAFFIC,
                                                   [SPN_WORK_DW_INPUTS] = SPN_CLASS_TRAFFIC,
                                                   [SPN_WORK_STEM] = SPN_CLASS_STEM,
                                                   [SPN_WORK_MOVED] = SPN_CLASS_MOVED,
                                                   [SPN_WORK_CLASSIFIER] = SPN_CLASS_CLASSIFIER,
                                                   [SPN_WORK_SE] = SPN_CLASS_SE,
                                                   [SPN_WORK_OPS] = SPN_CLASS_OPS};

/* An entry without a spread of its own: what repeated runs of a phone's benchmark show. */
static const double USUAL_SPREAD = 0.02;

void spn_fit_free(spn_fit *fit) {
  free(fit->point);
  fit->point = NULL;
  fit->points = 0;
  for (int t = 0; t < fit->tables; t++) spn_table_free(&fit->table[t]);
  fit->tables = 0;
}

/* Standard deviation of what the weights say of some work: their own uncertainty and what no weights explain; no more
 * than all of it. */
static double model_error(const spn_fit *fit, const spn_work *work, double cost) {
  double variance = fit->spread * cost * fit->spread * cost;
  for (int i = 0; i < SPN_WORKS; i++)
    for (int k = 0; k < SPN_WORKS; k++)
      variance += work->amount[i] * fit->covariance[i * SPN_WORKS + k] * work->amount[k];
  return fmin(sqrt(fmax(variance, 0)), cost);
}

static double entry_error(const spn_table_entry *e) { return isnan(e->spread) ? USUAL_SPREAD * e->cost : e->spread; }

/* Splits a cost over the classes as the model would. */
static void share_out(const spn_fit *fit, const spn_work *work, double cost, double *share) {
  double whole = spn_work_cost(work, fit->weight[0]);
  memset(share, 0, sizeof *share * SPN_CLASSES);
  for (int i = 0; i < SPN_WORKS; i++)
    share[class_of[i]] += whole > 0 ? work->amount[i] * fit->weight[0][i] * cost / whole : 0;
  if (!(whole > 0)) share[SPN_CLASS_OPS] = cost;
}

static double calibrate(const spn_fit *fit, const double *share, double cost) {
  double sum = 0;
  if (!fit->networks) return cost;
  for (int c = 0; c < SPN_CLASSES; c++) sum += fit->factor[c] * share[c];
  return sum;
}

static void finish(const spn_fit *fit, const spn_work *work, spn_part_latency *out) {
  share_out(fit, work, out->cost, out->share);
  out->calibrated = calibrate(fit, out->share, out->cost);
}

/* The first table with an entry for the part. Another table's figure is converted by what the model says of both. */
static int from_tables(const spn_fit *fit, const spn_part *part, const spn_work *work, int layer,
                       spn_part_latency *out) {
  for (int t = 0; t < fit->tables; t++) {
    const spn_table_entry *e = spn_table_find(&fit->table[t], part, layer);
    double here = spn_work_cost(work, fit->weight[0]), there = spn_work_cost(work, fit->weight[t]);
    double rate = t && there > 0 && here > 0 ? here / there : 1;
    if (!e) continue;
    out->cost = rate * e->cost;
    out->error = rate * entry_error(e);
    if (t) out->error = hypot(out->error, fit->spread * out->cost);
    out->origin = t ? SPN_FROM_OTHER_TABLE : SPN_FROM_TABLE;
    return 1;
  }
  return 0;
}

void spn_fit_part(const spn_fit *fit, const spn_part *part, int layer, spn_part_latency *out) {
  spn_work work = {0};
  spn_part plain = *part;
  spn_work_add(part, &work);
  plain.se = 0;
  if (!from_tables(fit, part, &work, layer, out)) {
    spn_work without = {0};
    spn_work_add(&plain, &without);
    double model = spn_work_cost(&work, fit->weight[0]);
    if (part->se > 0 && from_tables(fit, &plain, &without, layer, out)) {
      double se = model - spn_work_cost(&without, fit->weight[0]);
      out->cost += se;
      out->error = hypot(out->error, 0.5 * se); /* a part that was seldom measured by itself: half of it */
      out->origin = SPN_FROM_PART_TABLE;
    } else {
      out->cost = model;
      out->error = model_error(fit, &work, model);
      out->origin = SPN_FROM_MODEL;
    }
  }
  finish(fit, &work, out);
}

/* ---- Networks ---- */

/* Marks the parts that the first table's sum for the rest covers (of a space: fixed layers only); 0 when it does not
 * belong to this network. */
static int covered_by_rest(const spn_fit *fit, const spn_arch *arch, const spn_space *space, spn_prediction *p) {
  const spn_table *table = &fit->table[0];
  int used[SPN_MAX_REST_LAYERS] = {0}, found = 0;
  memset(p->in_rest, 0, sizeof p->in_rest);
  if (!table->rest.whole || spn_table_rest_fits(table, arch, "", NULL)) return 0;
  for (int i = 0; i < p->parts; i++) {
    int block = p->part[i].kind == SPN_PART_BLOCK,
        fixed = !block || !space || space->layer[p->index[i]].table_layer < 0;
    p->in_rest[i] = !block || (fixed && spn_table_in_rest(&table->rest, &p->part[i], used));
    found += p->in_rest[i] && p->part[i].kind == SPN_PART_BLOCK;
  }
  if (found == table->rest.layers) return 1;
  memset(p->in_rest, 0, sizeof p->in_rest);
  return 0;
}

static void predict_rest(const spn_fit *fit, spn_prediction *p) {
  const spn_table_rest *r = &fit->table[0].rest;
  spn_work work = {0};
  for (int i = 0; i < p->parts; i++)
    if (p->in_rest[i]) spn_work_add(&p->part[i], &work);
  p->rest.cost = r->cost;
  p->rest.error = isnan(r->spread) ? USUAL_SPREAD * r->cost : r->spread;
  p->rest.origin = SPN_FROM_TABLE;
  finish(fit, &work, &p->rest);
}

/* Relative variance of a network's prediction that comes from its factors. */
static double factor_variance(const spn_fit *fit, const double *share, double total) {
  double variance = 0;
  for (int a = 0; a < SPN_CLASSES; a++)
    for (int b = 0; b < SPN_CLASSES; b++)
      variance += share[a] / total * fit->factor_covariance[a * SPN_CLASSES + b] * share[b] / total;
  return fmax(variance, 0);
}

/* Errors of measurements are independent; those of the model are not, and add. */
static void add_up(const spn_part_latency *one, spn_prediction *p, double *share, double *model_error_sum) {
  p->sum += one->cost;
  if (one->origin == SPN_FROM_TABLE) p->sum_error = hypot(p->sum_error, one->error);
  else *model_error_sum += one->error;
  p->calibrated += one->calibrated;
  for (int c = 0; c < SPN_CLASSES; c++) share[c] += one->share[c];
}

static void predict(const spn_fit *fit, const spn_arch *arch, const spn_space *space, spn_prediction *p) {
  double share[SPN_CLASSES] = {0}, from_model = 0;
  memset(p, 0, sizeof *p);
  p->parts = spn_parts_of(arch, p->part, p->index);
  p->has_rest = covered_by_rest(fit, arch, space, p);
  if (p->has_rest) {
    predict_rest(fit, p);
    add_up(&p->rest, p, share, &from_model);
  }
  for (int i = 0; i < p->parts; i++) {
    if (p->in_rest[i]) continue;
    spn_fit_part(fit, &p->part[i], p->index[i], &p->latency[i]);
    add_up(&p->latency[i], p, share, &from_model);
  }
  for (int i = 0; i < arch->blocks; i++) {
    p->sum += arch->block[i].skipped ? fit->table[0].skip : 0;
    p->calibrated += arch->block[i].skipped ? fit->table[0].skip : 0;
  }
  p->sum_error = hypot(p->sum_error, from_model);
  p->calibrated_error = p->sum_error;
  if (fit->networks && p->calibrated > 0)
    p->calibrated_error = p->calibrated *
                          sqrt(fit->network_spread * fit->network_spread + factor_variance(fit, share, p->calibrated));
}

void spn_fit_predict(const spn_fit *fit, const spn_arch *arch, spn_prediction *out) { predict(fit, arch, NULL, out); }

/* ---- Spaces ---- */

static double deployed(const spn_fit *fit, const spn_part *part, int layer, int *modelled) {
  spn_part_latency one;
  spn_fit_part(fit, part, layer, &one);
  *modelled += one.origin == SPN_FROM_MODEL || one.origin == SPN_FROM_PART_TABLE;
  return one.calibrated;
}

static void layer_costs(const spn_fit *fit, const spn_space *space, int position, int h, spn_cost *out) {
  const spn_layer *l = &space->layer[position];
  spn_layer_cost *c = &out->layer[position];
  for (int k = 0; k < l->kernels; k++)
    for (int e = 0; e < l->expands; e++)
      for (int s = 0; s < l->ses; s++) {
        spn_part part = spn_part_of_option(l, k, e, s, h);
        if (l->tied && e != k) continue;
        c->cost[k][e][s] = deployed(fit, &part, position, &out->modelled);
        out->entries++;
      }
  c->skip = l->skippable ? fit->table[0].skip : 0;
  if (l->table_layer < 0) {
    out->rest += c->cost[0][0][0];
    c->cost[0][0][0] = 0;
  }
}

/* The network of the space's first options: it tells what the first table's sum for the rest covers. */
static void lay_out(const spn_fit *fit, const spn_space *space, spn_prediction *frame) {
  spn_arch arch;
  spn_choice choice;
  spn_choice_max(space, &choice);
  for (int i = 0; i < space->layers; i++) choice.layer[i].kernel = choice.layer[i].expand = choice.layer[i].se = 0;
  spn_space_arch(space, &choice, 0, &arch);
  predict(fit, &arch, space, frame);
}

spn_status spn_fit_cost(const spn_fit *fit, const spn_space *space, spn_cost *out, spn_err *err) {
  spn_prediction frame;
  if (!fit->networks && !spn_table_apply(&fit->table[0], space, out, NULL) && !out->modelled_se) return SPN_OK;
  memset(out, 0, sizeof *out);
  strcpy(out->name, fit->name);
  strcpy(out->unit, fit->unit);
  strcpy(out->source, fit->source);
  out->layers = space->layers;
  lay_out(fit, space, &frame);
  if (frame.has_rest) out->rest += frame.rest.calibrated;
  for (int i = 0; i < frame.parts; i++) {
    int layer = frame.index[i];
    if (frame.in_rest[i]) continue;
    if (layer >= 0) {
      layer_costs(fit, space, layer, frame.part[i].h, out);
      continue;
    }
    out->rest += deployed(fit, &frame.part[i], -1, &out->modelled);
    out->entries++;
  }
  for (int i = 0; i < space->layers; i++)
    for (int s = 0; s < space->layer[i].ses; s++) out->modelled_se |= space->layer[i].se[s] > 0 && out->modelled;
  return SPN_OK;
}
