#include "latency/whole.h"

#include <stdlib.h>

/* A term of a sum. */
struct spn_cost_whole {
  spn_space space;
  const char *counted; /* a name that spn_cost_counted knows; NULL: by the fit */
  spn_fit *fit;        /* owned */
  double weight;
  struct spn_cost_whole *next;
};

spn_status spn_cost_make_whole(const spn_space *space, const char *counted, spn_fit *fit, spn_cost *out, spn_err *err) {
  out->layers = space->layers;
  out->whole = malloc(sizeof *out->whole);
  if (!out->whole) return spn_fail(err, SPN_ENOMEM, "cost: out of memory");
  *out->whole = (struct spn_cost_whole){.space = *space, .counted = counted, .fit = fit, .weight = 1};
  return SPN_OK;
}

void spn_cost_whole_add(struct spn_cost_whole **sum, struct spn_cost_whole *one, double weight) {
  one->weight = weight;
  one->next = *sum;
  *sum = one;
}

void spn_cost_whole_free(struct spn_cost_whole *w) {
  for (struct spn_cost_whole *next; w; w = next) {
    next = w->next;
    if (w->fit) spn_fit_free(w->fit);
    free(w->fit);
    free(w);
  }
}

double spn_cost_whole_of(const struct spn_cost_whole *whole, const spn_choice *choice) {
  double sum = 0;
  for (; whole; whole = whole->next) {
    spn_arch arch;
    const char *unit;
    double one;
    spn_space_arch(&whole->space, choice, 0, &arch);
    if (!whole->counted || !spn_cost_counted(whole->counted, &arch, &one, &unit)) {
      spn_prediction prediction;
      spn_fit_predict(whole->fit, &arch, &prediction);
      one = prediction.calibrated;
    }
    sum += whole->weight * one;
  }
  return sum;
}

double spn_cost_whole_block(const struct spn_cost_whole *whole, int layer, const spn_block *b, int in_size) {
  double sum = 0;
  for (; whole; whole = whole->next) {
    spn_part_latency one;
    if (whole->counted) {
      sum += b->skipped ? 0 : whole->weight * spn_cost_counted_part(whole->counted, &whole->space.base, b, 0, in_size);
      continue;
    }
    spn_part part = spn_part_of_block(b, in_size);
    spn_fit_part(whole->fit, &part, layer, &one);
    sum += whole->weight * (b->skipped ? whole->fit->table[0].skip : one.calibrated);
  }
  return sum;
}

double spn_cost_whole_frame(const struct spn_cost_whole *whole, int channels, int size) {
  double sum = 0;
  for (; whole; whole = whole->next) {
    const spn_arch *base = &whole->space.base;
    spn_part part[3];
    if (whole->counted) {
      sum += whole->weight * spn_cost_counted_part(whole->counted, base, NULL, channels, size);
      continue;
    }
    int parts = spn_parts_around(base, channels, size, part);
    for (int i = 0; i < parts; i++) {
      spn_part_latency one;
      spn_fit_part(whole->fit, &part[i], -1, &one);
      sum += whole->weight * one.calibrated;
    }
  }
  return sum;
}

/* From a network on, the option that costs least (sign 1) or most (sign -1) for one decision after the other, until
 * none changes. */
static double extreme(const spn_cost *cost, const spn_space *space, spn_choice *choice, double sign) {
  spn_decisions decisions;
  double best = spn_cost_of(cost, choice);
  spn_decisions_of(space, &decisions);
  for (int changed = 1; changed;) {
    changed = 0;
    for (int d = 0; d < decisions.count; d++)
      for (int option = 0; option < decisions.list[d].options; option++) {
        spn_choice other = *choice;
        spn_decision_set(space, &decisions.list[d], option, &other);
        double one = spn_cost_of(cost, &other);
        if (!(sign * one < sign * best)) continue;
        *choice = other;
        best = one;
        changed = 1;
      }
  }
  return best;
}

void spn_cost_whole_range(const spn_cost *cost, const spn_space *space, double *min, double *max) {
  spn_choice choice;
  spn_choice_min(space, &choice);
  *min = extreme(cost, space, &choice, 1);
  spn_choice_max(space, &choice);
  *max = extreme(cost, space, &choice, -1);
}
