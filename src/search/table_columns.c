#include "search/table_columns.h"

#include <string.h>

static int first_of(const spn_csv *csv, const char *const *names) {
  for (; *names; names++)
    if (spn_csv_find(csv, *names) >= 0) return spn_csv_find(csv, *names);
  return -1;
}

/* A digit for each layer that has something to decide: 0 skipped, i the i-th of its choices as spn_layer_choices lists
 * them. *there 0: the space lacks the network. */
static spn_status read_digits(const spn_table_columns *t, const spn_csv *csv, spn_choice *out, int *there,
                              spn_err *err) {
  const spn_space *space = t->space;
  const char *text = spn_csv_text(csv, t->digits);
  size_t at = 0, size = strlen(text);
  spn_choice_max(space, out);
  *there = 1;
  for (int l = 0; l < space->layers; l++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    int count = spn_layer_choices(&space->layer[l], all), kept = count - space->layer[l].skippable;
    if (count < 2) continue;
    char digit = at < size ? text[at++] : 0;
    if (digit < '0' || digit > '9')
      return spn_csv_fail(csv, t->digits, err, "expected a digit for each searchable layer of space %s, got \"%.80s\"",
                          space->name, text);
    int option = digit == '0' ? kept : digit - '1';
    *there &= digit == '0' ? space->layer[l].skippable : option < kept;
    if (*there) out->layer[l] = all[option];
  }
  if (at == size) return SPN_OK;
  return spn_csv_fail(csv, t->digits, err, "expected %zu digits, one for each searchable layer of space %s, got %zu",
                      at, space->name, size);
}

static spn_status read_decisions(const spn_table_columns *t, const spn_csv *csv, spn_choice *out, int *there,
                                 spn_err *err) {
  const spn_space *space = t->space;
  spn_choice_max(space, out);
  *there = 1;
  for (int i = 0; i < t->decisions.count; i++) {
    const spn_decision *d = &t->decisions.list[i];
    double value;
    int option = 0;
    if (!spn_decision_matters(d, out)) continue;
    SPN_TRY(spn_csv_real(csv, t->column[i], 0, 1e6, &value, err));
    while (option < d->options && spn_option_value(&space->layer[d->layer], d->kind, option) != value) option++;
    if (option < d->options) spn_decision_set(space, d, option, out);
    else *there = 0;
  }
  return SPN_OK;
}

spn_status spn_table_columns_find(const spn_csv *csv, const spn_space *space, spn_table_columns *out, spn_err *err) {
  static const char *const codes[] = {"network", "arch", NULL};
  char decision[SPN_DECISION_NAME];
  out->space = space;
  spn_decisions_of(space, &out->decisions);
  out->digits = spn_space_coupled(space, decision) ? -1 : first_of(csv, codes); /* a digit is a layer's own */
  for (int i = 0; out->digits < 0 && i < out->decisions.count; i++) {
    out->column[i] = spn_csv_find(csv, out->decisions.list[i].name);
    if (out->column[i] < 0)
      return spn_csv_fail(csv, -1, err, "expected %sone for each decision of space %s; there is none for \"%s\"",
                          spn_space_coupled(space, decision) ? "" : "a column network (a digit a layer), or ",
                          space->name, out->decisions.list[i].name);
  }
  return SPN_OK;
}

spn_status spn_table_network(const spn_table_columns *t, const spn_csv *csv, spn_choice *out, int *there,
                             spn_err *err) {
  return t->digits >= 0 ? read_digits(t, csv, out, there, err) : read_decisions(t, csv, out, there, err);
}
