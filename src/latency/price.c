#include "latency/price.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latency/fit.h"

struct spn_pricer {
  char name[1024];
  int counted; /* by spn_cost_counted */
  char unit[16];
  int placed; /* space and cost are there */
  int fitted; /* fit is there; else `why` says why not */
  spn_space space;
  spn_cost cost;
  spn_fit fit;
  spn_err why;
};

static void label(spn_profile *p, const char *by, const char *unit) {
  snprintf(p->by, sizeof p->by, "%.63s", by);
  snprintf(p->unit, sizeof p->unit, "%s", unit);
}

/* ---- In a space ---- */

/* The space's layers meet the network's blocks one by one, or, where a network does not tell what it skips, the kept
 * ones in order. */
void spn_profile_price(spn_profile *p, const spn_arch *arch, const spn_cost *cost, const spn_choice *choice) {
  const int aligned = arch->blocks == cost->layers;
  char caveat[64];
  label(p, cost->name, cost->unit);
  snprintf(p->caveat, sizeof p->caveat, "%s", spn_cost_caveat(cost, caveat, sizeof caveat));
  p->cost = spn_cost_of(cost, choice);
  p->rest = cost->whole ? p->cost : cost->rest;
  p->placed = 1;
  for (int i = 0, block = 0; !cost->whole && i < cost->layers; i++) {
    const double one = spn_cost_layer(cost, i, &choice->layer[i]);
    while (!aligned && block < arch->blocks && arch->block[block].skipped) block++;
    if (aligned || choice->layer[i].keep) {
      if (one > 0) p->layer[1 + block].cost = one; /* behind the stem; 0: in the rest */
      block++;
    } else {
      p->rest += one;
    }
  }
}

/* ---- By parts ---- */

static int row_of(const spn_profile *p, spn_part_kind kind, int block) {
  switch (kind) {
    case SPN_PART_STEM: return 0;
    case SPN_PART_BLOCK: return 1 + block;
    case SPN_PART_HEAD: return p->layers - 2;
    case SPN_PART_CLASSIFIER: return p->layers - 1;
  }
  return 0;
}

static void price_parts(const spn_fit *fit, const spn_arch *arch, spn_profile *p) {
  spn_prediction said;
  int parts = 0, modelled = 0;
  spn_fit_predict(fit, arch, &said);
  label(p, fit->name, fit->unit);
  p->cost = said.calibrated;
  p->rest = said.has_rest ? said.rest.calibrated : 0;
  for (int i = 0; i < said.parts; i++) {
    if (said.in_rest[i]) continue;
    const spn_part_latency *one = &said.latency[i];
    p->layer[row_of(p, said.part[i].kind, said.index[i])].cost = one->calibrated;
    modelled += one->origin == SPN_FROM_MODEL || one->origin == SPN_FROM_PART_TABLE;
    parts++;
  }
  for (int i = 0; i < arch->blocks; i++)
    if (arch->block[i].skipped) p->layer[1 + i].cost = fit->table[0].skip;
  if (modelled) snprintf(p->caveat, sizeof p->caveat, "%d of %d parts modelled, not measured", modelled, parts);
}

/* ---- Counted ---- */

static void price_counts(const char *name, const spn_arch *arch, spn_profile *p) {
  const char *unit;
  const int params = !strcmp(name, "params");
  spn_cost_counted(name, arch, &p->cost, &unit);
  label(p, name, unit);
  p->rest = 0;
  for (int i = 0; i < p->layers; i++)
    p->layer[i].cost = (double)(params ? p->layer[i].counts.params : p->layer[i].counts.macs) / 1e6;
}

/* ---- Any network ---- */

static spn_status load(const char *cost, const char *space, spn_pricer *p, spn_err *err) {
  const spn_arch none = {.input_size = 1, .stem_kernel = 1, .stem_stride = 1};
  const char *unit;
  double zero;
  if ((size_t)snprintf(p->name, sizeof p->name, "%s", cost) >= sizeof p->name)
    return spn_fail(err, SPN_EINPUT, "search.cost: expected at most %zu characters", sizeof p->name - 1);
  p->counted = spn_cost_counted(cost, &none, &zero, &unit);
  if (p->counted) {
    snprintf(p->unit, sizeof p->unit, "%s", unit);
    return SPN_OK;
  }
  p->placed = space && !spn_space_load(space, &p->space, NULL) && !spn_cost_load(cost, &p->space, &p->cost, NULL);
  if (strchr(cost, '*') || strstr(cost, " + "))
    spn_fail(&p->why, SPN_EINPUT, "cost %.200s: a sum of costs prices networks of its space only", cost);
  else p->fitted = !spn_fit_load(cost, &p->fit, &p->why);
  if (!p->fitted && !p->placed) return spn_fail(err, p->why.code, "%s", p->why.text);
  snprintf(p->unit, sizeof p->unit, "%s", p->placed ? p->cost.unit : p->fit.unit);
  return SPN_OK;
}

spn_status spn_pricer_load(const char *cost, const char *space, spn_pricer **out, spn_err *err) {
  spn_pricer *p = calloc(1, sizeof *p);
  *out = NULL;
  if (!p) return spn_fail(err, SPN_ENOMEM, "cost: out of memory");
  spn_status status = load(cost, space, p, err);
  if (status) spn_pricer_free(p);
  else *out = p;
  return status;
}

void spn_pricer_free(spn_pricer *p) {
  if (!p) return;
  if (p->fitted) spn_fit_free(&p->fit);
  if (p->placed) spn_cost_free(&p->cost);
  free(p);
}

const char *spn_pricer_unit(const spn_pricer *p) { return p->unit; }
const char *spn_pricer_space(const spn_pricer *p) { return p->space.name; }

spn_status spn_pricer_apply(const spn_pricer *p, const spn_arch *arch, spn_profile *profile, spn_err *err) {
  spn_choice choice;
  if (p->counted) price_counts(p->name, arch, profile);
  else if (p->placed && !spn_space_match(&p->space, arch, &choice, NULL))
    spn_profile_price(profile, arch, &p->cost, &choice);
  else if (p->fitted) price_parts(&p->fit, arch, profile);
  else return spn_fail(err, SPN_EINPUT, "%s", p->why.text);
  return SPN_OK;
}

double spn_pricer_cost(const void *pricer, const spn_arch *arch) {
  spn_profile profile;
  spn_profile_of(arch, &profile);
  return spn_pricer_apply(pricer, arch, &profile, NULL) ? NAN : profile.cost;
}
