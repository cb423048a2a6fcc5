#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/pricing.h"
#include "cli/cli.h"
#include "io/datapath.h"
#include "model/blockstring.h"

static void print_counts(const spn_counts *c) {
  printf("%8.3f M %9.1f M", (double)c->params * 1e-6, (double)c->macs * 1e-6);
}

static void print_block(const spn_block *b, const spn_layer_profile *l) {
  if (b->skipped) printf(" %9s %28s", "skipped", "");
  else {
    printf(" %5dx%-3d %3d %2d %3d %5.3g ", b->out, l->out_size, b->kernel, b->stride, b->expand, b->se);
    printf("%10lld %11lld", l->counts.params, l->counts.macs);
  }
}

static void print_layers(const spn_arch *arch, const spn_profile *p) {
  static const char *const names[] = {
      [SPN_LAYER_STEM] = "stem", [SPN_LAYER_HEAD] = "head", [SPN_LAYER_CLASSIFIER] = "class"};
  printf("%5s %9s %9s %3s %2s %3s %5s %10s %11s%s\n", "layer", "input", "output", "k", "s", "e", "se", "params", "MACs",
         isnan(p->cost) ? "" : "        cost");
  for (int i = 0; i < p->layers; i++) {
    const spn_layer_profile *l = &p->layer[i];
    if (l->kind == SPN_LAYER_BLOCK) {
      printf("%5d %5dx%-3d", l->block, l->in, l->size);
      print_block(&arch->block[l->block], l);
    } else {
      printf("%5s %5dx%-3d %5dx%-3d %15s %10lld %11lld", names[l->kind], l->in, l->size, l->out, l->out_size, "",
             l->counts.params, l->counts.macs);
    }
    if (!isnan(l->cost)) printf(" %8.4f %s", l->cost, p->unit);
    putchar('\n');
  }
}

static void print_cost(const spn_profile *p, const char *space) {
  char rest[48] = "", where[96] = "";
  if (p->rest > 0 && p->rest < p->cost) snprintf(rest, sizeof rest, "; rest %.4f", p->rest);
  if (p->placed) snprintf(where, sizeof where, " in space %.64s", space);
  printf("cost        %.4f %s by %s%s%s%s%s\n", p->cost, p->unit, p->by, where, rest, p->caveat[0] ? "; " : "",
         p->caveat);
}

/* pricer: NULL where there is none, and why. */
static spn_status print_arch(const spn_arch *arch, const spn_pricer *pricer, const spn_err *why, spn_err *err) {
  static spn_profile p;
  spn_err problem = *why;
  char *mnasnet = spn_blockstring_mnasnet(arch), *timm = spn_blockstring_timm(arch);
  if (!mnasnet || !timm) return spn_fail(err, SPN_ENOMEM, "info: out of memory");
  spn_profile_of(arch, &p);
  if (pricer) spn_pricer_apply(pricer, arch, &p, &problem);
  printf("network     %s, input %dx%dx%d, %d classes\n", arch->name, arch->input_size, arch->input_size,
         arch->input_channels, arch->classes);
  printf("parameters  %.3f M\nMACs        %.1f M\n", (double)p.counts.params * 1e-6, (double)p.counts.macs * 1e-6);
  if (isnan(p.cost)) printf("cost        unknown: %s\n", problem.text);
  else print_cost(&p, pricer ? spn_pricer_space(pricer) : "");
  printf("mnasnet     %s\ntimm        %s\n", mnasnet, timm);
  print_layers(arch, &p);
  free(mnasnet);
  free(timm);
  return SPN_OK;
}

static void print_choice_row(const spn_space *space, const spn_cost *cost, const char *name, const spn_choice *choice) {
  spn_arch arch;
  spn_space_arch(space, choice, 0, &arch);
  spn_counts c = spn_arch_counts(&arch);
  printf("%-34s ", name);
  print_counts(&c);
  printf(" %10.3f %s\n", spn_cost_of(cost, choice), cost->unit);
}

/* The network with the k-th kernel and the e-th expansion wherever there is a choice, without SE, and with a stage's
 * middle number of channels and layers; 0 when the space has none such. */
static int same_everywhere(const spn_space *space, int k, int e, spn_choice *choice, char *name, size_t size) {
  const int wanted[SPN_DECISION_KINDS] = {
      [SPN_DECISION_KEEP] = 1, [SPN_DECISION_KERNEL] = k, [SPN_DECISION_EXPAND] = e, [SPN_DECISION_SHORTCUT] = 1};
  spn_decisions decisions;
  int kernel = 0, expand = 0;
  spn_decisions_of(space, &decisions);
  spn_choice_max(space, choice);
  for (int i = 0; i < decisions.count; i++) {
    const spn_decision *d = &decisions.list[i];
    const spn_layer *layer = &space->layer[d->layer];
    int option = wanted[d->kind], middle = d->kind == SPN_DECISION_CHANNELS || d->kind == SPN_DECISION_LAYERS;
    if (middle) option = (d->options - 1) / 2;
    if (layer->tied && d->kind == SPN_DECISION_KERNEL && k != e) return 0;
    spn_decision_set(space, d, option < d->options ? option : d->options - 1, choice);
    if (d->kind == SPN_DECISION_KERNEL && k < d->options) kernel = layer->kernel[k];
    if ((d->kind == SPN_DECISION_EXPAND || layer->tied) && e < layer->expands) expand = layer->expand[e];
  }
  snprintf(name, size, "all %dx%d-e%d, nothing skipped", kernel, kernel, expand);
  return kernel && expand;
}

static void print_networks(const spn_space *space, const spn_cost *cost) {
  spn_choice choice;
  char name[64];
  spn_choice_max(space, &choice);
  print_choice_row(space, cost, "largest", &choice);
  spn_choice_min(space, &choice);
  print_choice_row(space, cost, "smallest (optional layers skipped)", &choice);
  for (int k = 0; k < SPN_MAX_OPTIONS; k++)
    for (int e = 0; e < SPN_MAX_OPTIONS; e++)
      if (same_everywhere(space, k, e, &choice, name, sizeof name)) print_choice_row(space, cost, name, &choice);
}

/* A space: its size, and the networks that take the same option everywhere. */
static spn_status print_space(const spn_settings *s, const spn_space *space, spn_err *err) {
  spn_cost cost;
  char rest[48] = "of whole networks", caveat[64];
  SPN_TRY(spn_cost_load(s->search_cost, space, &cost, err));
  if (!cost.whole) snprintf(rest, sizeof rest, "rest %.4f %s", cost.rest, cost.unit);
  printf("space       %s: %d layers, 10^%.2f networks; input %d for the cost, %d in training (width %.3g)\n",
         space->name, space->layers, spn_space_log10_size(space), space->base.input_size, space->proxy_size,
         space->proxy_width);
  spn_cost_caveat(&cost, caveat, sizeof caveat);
  printf("cost        %s: %s; %s%s%s\n", cost.name, cost.source, rest, caveat[0] ? "; " : "", caveat);
  printf("%-34s %10s %11s %10s\n", "network", "params", "MACs", "cost");
  print_networks(space, &cost);
  spn_cost_free(&cost);
  return SPN_OK;
}

/* space, cost: that a file names, or NULL. */
static spn_status print_named(const spn_settings *s, const spn_arch *arch, const char *space, const char *cost,
                              spn_err *err) {
  spn_pricer *pricer;
  spn_err why = {.text = ""};
  spn_status status = spn_pricing_for(s, space, cost, &pricer, &why);
  if (status == SPN_ENOMEM) return spn_fail(err, status, "%s", why.text);
  status = print_arch(arch, pricer, &why, err);
  spn_pricer_free(pricer);
  return status;
}

static spn_status print_model(const spn_settings *s, const char *path, spn_err *err) {
  spn_model m;
  const char *key, *value;
  SPN_TRY(spn_model_load(path, &m, err));
  spn_status status = print_named(s, &m.arch, spn_tensors_meta(m.tensors, "spnas.space"),
                                  spn_tensors_meta(m.tensors, "spnas.cost"), err);
  for (size_t i = 0; !status && spn_tensors_meta_at(m.tensors, i, &key, &value); i++)
    if (strcmp(key, "spnas.arch")) printf("%-24s %s\n", key, value);
  spn_model_free(&m);
  return status;
}

static int ends_with(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n >= m && !strcmp(text + n - m, end);
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  const spn_settings *s = &a->settings;
  const char *what = a->positional;
  spn_space space;
  static spn_named_arch network;
  if (!what) return spn_fail(err, SPN_EINPUT, "expected a network or a space, got nothing; see --help");
  if (ends_with(what, ".safetensors")) return print_model(s, what, err);
  spn_err not_space, not_network;
  char path[4096];
  spn_settings own = *s;
  int is_space = !spn_space_load(what, &space, &not_space);
  spn_status status = spn_cli_load_arch(&own, what, &network, &not_network);
  if (is_space && status) return print_space(s, &space, err);
  if (is_space && !spn_data_path("spaces", what, path, sizeof path, NULL))
    printf("note        the space of that name: spnas info %s\n", path);
  if (status && strstr(not_network.text, "data/networks")) /* a name: the lists of both kinds */
    return spn_fail(err, status, "%.450s; %.450s", not_network.text, not_space.text);
  if (status) return spn_fail(err, status, "%s", not_network.text);
  if (network.note[0]) printf("note        %s\n", network.note);
  if (network.origin.note[0]) printf("note        %s\n", network.origin.note);
  if (network.origin.limits[0] && !network.origin.differs) printf("limits      %s\n", network.origin.limits);
  return print_named(s, &network.arch, network.origin.space, network.origin.cost, err);
}

const spn_command spn_cmd_info = {
    .about = "Parameters, MACs, cost, layers and block strings of a network, or the extremes of a space.",
    .usage =
        "spnas info WHAT [--depth D] [--width W] [--size N] [--set search.space=S] [--set search.cost=C]\n\n"
        "  WHAT               arch.json, a .safetensors file of spnas, a name in data/networks or data/spaces\n"
        "                     (in this order), a space file, or a block string; params in millions, MACs of one image "
        "in millions",
    .sections = "train",
    .takes = "pHWZ",
    .run = command};
