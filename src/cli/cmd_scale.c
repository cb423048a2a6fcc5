#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/pricing.h"
#include "cli/cli.h"
#include "io/file.h"
#include "io/json_write.h"
#include "model/blockstring.h"
#include "model/scale.h"

/* A network before or after. */
typedef struct {
  const spn_arch *arch;
  spn_scaling scaling;
  spn_profile profile;
} scaled;

static int layers_of(const spn_arch *a) {
  int layers = 0;
  for (int i = 0; i < a->blocks; i++) layers += !a->block[i].skipped;
  return layers;
}

static void print_row(const scaled *n) {
  const spn_profile *p = &n->profile;
  char cost[48] = "unknown";
  if (!isnan(p->cost)) snprintf(cost, sizeof cost, "%.3f %s", p->cost, p->unit);
  printf("%-36.36s %6d %7.3g %7.3g %6d %9.3f M %9.1f M %14s\n", n->arch->name, layers_of(n->arch), n->scaling.depth,
         n->scaling.width, n->arch->input_size, (double)p->counts.params * 1e-6, (double)p->counts.macs * 1e-6, cost);
}

/* "mnasnet-a1 d1.2 w1.4 at 192": what differs. */
static void rename_scaled(spn_arch *a, const spn_scaling *s, int size) {
  char name[64];
  int n = snprintf(name, sizeof name, "%.34s", a->name);
  if (s->depth != 1) n += snprintf(name + n, sizeof name - (size_t)n, " d%.3g", s->depth);
  if (s->width != 1) n += snprintf(name + n, sizeof name - (size_t)n, " w%.3g", s->width);
  if (a->input_size != size) snprintf(name + n, sizeof name - (size_t)n, " at %d", a->input_size);
  strcpy(a->name, name);
}

/* ---- The file ---- */

static void put_predicted(spn_json_writer *w, const spn_arguments *a, const char *cost, const spn_profile *p) {
  char absolute[4096];
  const int file = strchr(cost, '/') || strstr(cost, ".json");
  spn_json_put_text(w, "method", "scale");
  if (isnan(p->cost)) return;
  spn_json_put_text(w, "cost", file && !spn_path_absolute(cost, absolute, sizeof absolute) ? absolute : cost);
  spn_json_put_text(w, "unit", p->unit);
  if (a->settings.scale_target > 0) spn_json_put_number(w, "target", a->settings.scale_target);
  spn_json_put_rounded(w, "predicted", p->cost, 15);
}

static spn_status write_scaled(const spn_arguments *a, const spn_named_arch *from, const char *cost,
                               const scaled *result, spn_err *err) {
  const spn_profile *p = &result->profile;
  spn_origin note = {.note = ""};
  spn_json_writer w = {0};
  char *mnasnet = spn_blockstring_mnasnet(result->arch), *timm = spn_blockstring_timm(result->arch);
  w.failed |= !mnasnet || !timm;
  spn_json_object(&w, NULL, SPN_JSON_LINES);
  put_predicted(&w, a, cost, p);
  if (from->origin.note[0]) spn_origin_remark(&note, from->origin.note);
  if (!isnan(p->cost) && p->caveat[0]) spn_origin_remark(&note, p->caveat);
  if (note.note[0]) spn_json_put_text(&w, "note", note.note);
  spn_json_object(&w, "scaled", SPN_JSON_INLINE);
  spn_json_put_text(&w, "from", from->arch.name);
  spn_json_put_number(&w, "depth", result->scaling.depth);
  spn_json_put_number(&w, "width", result->scaling.width);
  spn_json_put_integer(&w, "size", result->arch->input_size);
  spn_json_end(&w);
  spn_json_put_integer(&w, "params", p->counts.params);
  spn_json_put_integer(&w, "macs", p->counts.macs);
  spn_json_put_text(&w, "mnasnet", mnasnet);
  spn_json_put_text(&w, "timm", timm);
  spn_arch_put(&w, "arch", result->arch);
  spn_json_end(&w);
  free(mnasnet);
  free(timm);
  return spn_json_save(&w, a->out, err);
}

/* ---- The command ---- */

/* The factors as they are set, or as many steps from there as the target allows. */
static spn_status find_scaling(const spn_settings *s, const spn_arch *from, const spn_pricer *pricer, spn_scaling *out,
                               spn_err *err) {
  *out = (spn_scaling){s->train_depth, s->train_width, s->train_size ? (int)s->train_size : from->input_size};
  if (!(s->scale_target > 0)) return SPN_OK;
  const spn_compound compound = {s->scale_depth, s->scale_width, s->scale_size, *out};
  spn_scaled found;
  if (s->scale_depth == 1 && s->scale_width == 1 && s->scale_size == 1)
    return spn_fail(err, SPN_EINPUT, "scale.target: expected one of scale.depth, scale.width and scale.size above 1");
  SPN_TRY(spn_scale_to(from, &compound, s->scale_target, spn_pricer_cost, pricer, &found, err));
  *out = found.scaling;
  printf("coefficient %.4g of depth, %.4g of size, %.4g of width; target %.4g %s\n", found.depth_x, found.size_x,
         found.width_x, s->scale_target, spn_pricer_unit(pricer));
  return SPN_OK;
}

static spn_status scale(const spn_arguments *a, const spn_named_arch *from, const spn_pricer *pricer, const char *cost,
                        const spn_err *why, spn_err *err) {
  static scaled before, after;
  static spn_arch arch;
  spn_err not_priced = *why;
  arch = from->arch;
  SPN_TRY(find_scaling(&a->settings, &from->arch, pricer, &after.scaling, err));
  SPN_TRY(spn_arch_rescale(&arch, &after.scaling, err));
  rename_scaled(&arch, &after.scaling, from->arch.input_size);
  before.arch = &from->arch;
  before.scaling = (spn_scaling){1, 1, 0};
  after.arch = &arch;
  spn_profile_of(before.arch, &before.profile);
  spn_profile_of(after.arch, &after.profile);
  if (pricer) spn_pricer_apply(pricer, before.arch, &before.profile, &not_priced);
  if (pricer) spn_pricer_apply(pricer, after.arch, &after.profile, &not_priced);
  printf("%-36s %6s %7s %7s %6s %11s %11s %14s\n", "network", "layers", "depth", "width", "input", "parameters", "MACs",
         "cost");
  print_row(&before);
  print_row(&after);
  if (isnan(after.profile.cost)) printf("cost        unknown: %s\n", not_priced.text);
  else printf("cost        by %s%s%s\n", after.profile.by, after.profile.caveat[0] ? "; " : "", after.profile.caveat);
  if (!a->out) return SPN_OK;
  SPN_TRY(write_scaled(a, from, cost, &after, err));
  printf("wrote       %s\n", a->out);
  return SPN_OK;
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  static spn_named_arch from;
  static spn_settings own;
  spn_pricer *pricer = NULL;
  spn_err why = {.text = ""};
  if (!a->positional)
    return spn_fail(err, SPN_EINPUT,
                    "expected a network (arch.json, a name in data/networks or a block string), got "
                    "nothing; see --help");
  own = a->settings;
  own.train_depth = own.train_width = 1;
  own.train_size = 0;
  SPN_TRY(spn_cli_load_arch(&own, a->positional, &from, err));
  if (from.note[0]) printf("note        %s\n", from.note);
  if (from.origin.note[0]) printf("note        %s\n", from.origin.note);
  spn_status status = spn_pricing_for(&a->settings, from.origin.space, from.origin.cost, &pricer, &why);
  if (status && (status == SPN_ENOMEM || a->settings.scale_target > 0)) return spn_fail(err, status, "%s", why.text);
  const char *cost = spn_pricing_name(&a->settings, from.origin.cost);
  status = scale(a, &from, pricer, cost, &why, err);
  spn_pricer_free(pricer);
  return status;
}

const spn_command spn_cmd_scale = {
    .about = "Makes a network deeper, wider or larger, by factors or to a target, and says what it costs.",
    .usage =
        "spnas scale NETWORK [--depth D] [--width W] [--size N] [--out arch.json] [--set search.cost=C]\n"
        "       spnas scale NETWORK --target MS [--set scale.depth=1.2] [--set scale.width=1.1] [--set "
        "scale.size=1.15]...\n\n"
        "  NETWORK            arch.json, a name in data/networks, or a block string\n"
        "  --depth D          train.depth: layers of every stage, times D, rounded up\n"
        "  --width W          train.width: channels, times W, to the nearest multiple of 8, never below 90 %\n"
        "  --size N           train.size: side of the input, in pixels\n"
        "  --target MS        scale.target: compound scaling (arXiv 1905.11946), up or down from there: the largest "
        "step x\n"
        "                     of scale.depth^x, scale.width^x and scale.size^x that costs at most so much, in ms or "
        "the\n"
        "                     cost's own unit\n"
        "  --out FILE         the network, for train --arch, info and scale; with what it is predicted to cost\n"
        "  search.cost        a table, a fitted model (better for shapes no table has), macs or params",
    .sections = "scale",
    .takes = "poHWZm",
    .run = command};
