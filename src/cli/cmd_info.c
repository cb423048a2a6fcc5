#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "io/datapath.h"
#include "latency/latency.h"
#include "model/blockstring.h"
#include "model/space.h"
#include "train/model_file.h"

static void print_counts(const spn_counts *c) {
  printf("%8.3f M %9.1f M", (double)c->params * 1e-6, (double)c->macs * 1e-6);
}

/* The cost of a network as far as it lies in the space; SPN_EINPUT says why not. */
typedef struct {
  spn_space space;
  spn_cost cost;
  spn_choice choice;
} placed;

static spn_status place(const char *space, const char *cost, const spn_arch *arch, placed *out, spn_err *err) {
  SPN_TRY(spn_space_load(space, &out->space, err));
  SPN_TRY(spn_cost_load(cost, &out->space, &out->cost, err));
  return spn_space_match(&out->space, arch, &out->choice, err);
}

static void print_layers(const spn_arch *arch, const placed *p) {
  spn_pad pad = spn_pad_axis(arch->padding, arch->input_size, arch->stem_kernel, arch->stem_stride);
  int size = pad.out;
  printf("%5s %9s %9s %3s %2s %3s %5s %10s %11s%s\n", "layer", "input", "output", "k", "s", "e", "se", "params", "MACs",
         p ? "        cost" : "");
  for (int i = 0, layer = 0; i < arch->blocks; i++, layer++) {
    const spn_block *b = &arch->block[i];
    int next = size;
    spn_counts c = spn_block_counts(arch, b, size, &next);
    if (b->skipped) printf("%5d %5dx%-3d %9s %28s", i, b->in, size, "skipped", "");
    else {
      printf("%5d %5dx%-3d %5dx%-3d %3d %2d %3d %5.3g ", i, b->in, size, b->out, next, b->kernel, b->stride, b->expand,
             b->se);
      printf("%10lld %11lld", c.params, c.macs);
    }
    if (p && !p->cost.whole && arch->blocks == p->space.layers)
      printf(" %8.4f %s", spn_cost_layer(&p->cost, layer, &p->choice.layer[layer]), p->cost.unit);
    putchar('\n');
    if (!b->skipped) size = next;
  }
}

static void print_cost(const placed *p) {
  char rest[32] = "", caveat[64];
  spn_cost_caveat(&p->cost, caveat, sizeof caveat);
  if (!p->cost.whole) snprintf(rest, sizeof rest, " (rest %.4f)", p->cost.rest);
  printf("cost        %.4f %s by %s in space %s%s%s%s\n", spn_cost_of(&p->cost, &p->choice), p->cost.unit, p->cost.name,
         p->space.name, rest, caveat[0] ? "; " : "", caveat);
}

/* p: its place in a space; or NULL, and why it has none. */
static spn_status print_network(const spn_arch *arch, const char *cost, const placed *p, const spn_err *why,
                                spn_err *err) {
  spn_counts counts = spn_arch_counts(arch);
  char *mnasnet = spn_blockstring_mnasnet(arch), *timm = spn_blockstring_timm(arch);
  if (!mnasnet || !timm) return spn_fail(err, SPN_ENOMEM, "info: out of memory");
  printf("network     %s, input %dx%dx%d, %d classes\n", arch->name, arch->input_size, arch->input_size,
         arch->input_channels, arch->classes);
  printf("parameters  %.3f M\nMACs        %.1f M\n", (double)counts.params * 1e-6, (double)counts.macs * 1e-6);
  double counted;
  const char *unit;
  if (p) print_cost(p);
  else if (spn_cost_counted(cost, arch, &counted, &unit)) printf("cost        %.4f %s\n", counted, unit);
  else printf("cost        unknown: %s\n", why->text);
  printf("mnasnet     %s\ntimm        %s\n", mnasnet, timm);
  print_layers(arch, p);
  free(mnasnet);
  free(timm);
  return SPN_OK;
}

static spn_status print_arch(const spn_arch *arch, const char *space, const char *cost, spn_err *err) {
  static placed where;
  spn_err why;
  spn_status misplaced = place(space, cost, arch, &where, &why);
  spn_status status = print_network(arch, cost, misplaced ? NULL : &where, &why, err);
  spn_cost_free(&where.cost);
  return status;
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

/* What the user set, else what the network's file names, else the default. */
static const char *chosen(const char *set, const char *standard, const char *named) {
  return strcmp(set, standard) || !named || !*named ? set : named;
}

/* space, cost: that a file names, or NULL. */
static spn_status print_named(const spn_settings *s, const spn_arch *arch, const char *space, const char *cost,
                              spn_err *err) {
  static spn_settings standard;
  spn_settings_default(&standard);
  return print_arch(arch, chosen(s->search_space, standard.search_space, space),
                    chosen(s->search_cost, standard.search_cost, cost), err);
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
        "spnas info WHAT [--set search.space=S] [--set search.cost=C] [--set train.width=W] [--set train.size=N]\n\n"
        "  WHAT               arch.json, a .safetensors file of spnas, a name in data/networks or data/spaces\n"
        "                     (in this order), a space file, or a block string; params in millions, MACs of one image "
        "in millions",
    .sections = "train",
    .takes = "p",
    .run = command};
