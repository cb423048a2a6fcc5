#include <stdio.h>
#include <stdlib.h>

#include "cli/latency_command.h"
#include "io/json_write.h"

static const double SIGMAS_95 = 1.96;

/* A network that lies in search.space gets that space's positions: a table may have measured each by itself. */
static void line_up(const spn_settings *s, spn_arch *arch) {
  spn_space space;
  spn_choice choice;
  spn_arch placed;
  if (spn_space_load(s->search_space, &space, NULL) || spn_space_match(&space, arch, &choice, NULL)) return;
  spn_space_arch(&space, &choice, 0, &placed);
  if (placed.input_size != arch->input_size || placed.stem_channels != arch->stem_channels ||
      placed.head_channels != arch->head_channels)
    return;
  arch->blocks = placed.blocks;
  for (int i = 0; i < placed.blocks; i++) arch->block[i] = placed.block[i];
}

static void print_part(const char *what, const spn_part_latency *one, const spn_fit *fit) {
  printf("  %-36s %9.4f +- %-8.4f", what, one->cost, SIGMAS_95 * one->error);
  if (fit->networks) printf(" %9.4f", one->calibrated);
  printf("  %s\n", spn_origin_names[one->origin]);
}

static void print_prediction(const spn_fit *fit, const spn_arch *arch, const spn_prediction *p) {
  char what[96], shape[64];
  printf("network     %s, input %dx%d\n", arch->name, arch->input_size, arch->input_size);
  printf("  %-36s %9s +- %-8s%s  origin\n", "part", fit->unit, "95 %", fit->networks ? " calibrated" : "");
  if (p->has_rest) print_part("rest (stem, head, fixed layers)", &p->rest, fit);
  for (int i = 0; i < p->parts; i++) {
    if (p->in_rest[i]) continue;
    spn_part_text(&p->part[i], shape, sizeof shape);
    if (p->index[i] >= 0) snprintf(what, sizeof what, "%3d %s", p->index[i], shape);
    else snprintf(what, sizeof what, "    %s", shape);
    print_part(what, &p->latency[i], fit);
  }
  printf("sum         %.4f %s +- %.4f by %s\n", p->sum, fit->unit, SIGMAS_95 * p->sum_error, fit->name);
  if (fit->networks)
    printf("predicted   %.4f %s +- %.4f, calibrated on %d networks\n", p->calibrated, fit->unit,
           SIGMAS_95 * p->calibrated_error, fit->networks);
}

static void put_part(spn_json_writer *w, const spn_prediction *p, int i, const spn_part_latency *one) {
  char shape[64] = "rest";
  if (i >= 0) spn_part_text(&p->part[i], shape, sizeof shape);
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(w, "part", shape);
  if (i >= 0 && p->index[i] >= 0) spn_json_put_integer(w, "block", p->index[i]);
  spn_json_put_number(w, "cost", one->cost);
  spn_json_put_number(w, "interval", SIGMAS_95 * one->error);
  spn_json_put_number(w, "calibrated", one->calibrated);
  spn_json_put_text(w, "origin", spn_origin_names[one->origin]);
  spn_json_end(w);
}

static spn_status print_json(const spn_fit *fit, const spn_arch *arch, const spn_prediction *p, spn_err *err) {
  spn_json_writer w = {0};
  spn_json_begin(&w);
  spn_json_object(&w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(&w, "network", arch->name);
  spn_json_put_integer(&w, "input_size", arch->input_size);
  spn_json_put_text(&w, "model", fit->name);
  spn_json_put_text(&w, "unit", fit->unit);
  spn_json_put_number(&w, "predicted", p->calibrated);
  spn_json_put_number(&w, "interval", SIGMAS_95 * p->calibrated_error);
  spn_json_put_number(&w, "sum", p->sum);
  spn_json_put_number(&w, "sum_interval", SIGMAS_95 * p->sum_error);
  spn_json_put_integer(&w, "calibrated_on", fit->networks);
  spn_json_array(&w, "parts", SPN_JSON_INLINE);
  if (p->has_rest) put_part(&w, p, -1, &p->rest);
  for (int i = 0; i < p->parts; i++)
    if (!p->in_rest[i]) put_part(&w, p, i, &p->latency[i]);
  spn_json_end(&w);
  spn_json_end(&w);
  char *text = spn_json_take(&w);
  if (!text) return spn_fail(err, SPN_ENOMEM, "latency predict: out of memory");
  printf("%s\n", text);
  free(text);
  return SPN_OK;
}

spn_status spn_cli_latency_predict(const spn_arguments *a, spn_err *err) {
  static spn_fit fit;
  static spn_prediction p;
  spn_status status = SPN_OK;
  if (a->words < 3)
    return spn_fail(err, SPN_EINPUT, "latency predict: expected a model and a network, got %d of them", a->words - 1);
  SPN_TRY(spn_fit_load(a->word[1], &fit, err));
  for (int i = 2; !status && i < a->words; i++) {
    static spn_named_arch network;
    status = spn_cli_load_arch(&a->settings, a->word[i], &network, err);
    if (status) break;
    spn_arch arch = network.arch;
    if (network.note[0] && !a->json) printf("note        %s\n", network.note);
    line_up(&a->settings, &arch);
    spn_fit_predict(&fit, &arch, &p);
    if (a->json) status = print_json(&fit, &arch, &p, err);
    else print_prediction(&fit, &arch, &p);
  }
  spn_fit_free(&fit);
  return status;
}
