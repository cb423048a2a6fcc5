#include "api/model_export.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/pricing.h"
#include "export/export.h"
#include "export/interpret.h"
#include "model/blockstring.h"
#include "core/version.h"
#include "train/machine.h"

enum { MAX_FACTS = 48 };
static const double LARGEST_DIFFERENCE = 1e-3; /* of a file that rounds no more than floats do; they come to 1e-4 */

static int opset_number(spn_opset opset) {
  switch (opset) {
    case SPN_OPSET_13: return 13;
    case SPN_OPSET_17: return 17;
  }
  return 0; /* the exporter refuses it */
}

/* The file's own facts, the rules of its preprocessing, and the network as block strings. */
static size_t collect_facts(const spn_model *m, char *mnasnet, char *timm, spn_export_fact *facts) {
  size_t count = 0;
  facts[count++] = (spn_export_fact){"spnas.mnasnet", mnasnet};
  facts[count++] = (spn_export_fact){"spnas.timm", timm};
#define RULE(name, rule) facts[count++] = (spn_export_fact){"input." name, rule};
  SPN_READ_RULES(RULE)
  SPN_EVAL_RULES(RULE)
#undef RULE
  facts[count++] = (spn_export_fact){"input.resize_long_side", spn_long_side_names[m->eval.framing]};
  facts[count++] = (spn_export_fact){"input.resize_rounding", spn_level_names[m->eval.framing]};
  facts[count++] = (spn_export_fact){"input.crop_offset", spn_crop_offset_names[m->eval.framing]};
  const char *key, *value;
  for (size_t i = 0; count < MAX_FACTS && spn_tensors_meta_at(m->tensors, i, &key, &value); i++)
    if (strcmp(key, "spnas.classes")) facts[count++] = (spn_export_fact){key, value};
  return count;
}

/* Images as a network with the normalisation inside takes them; NULL: out of memory. */
static float *to_pixels(const spn_export_options *o, const float *images, size_t n, size_t channels) {
  float *pixels = malloc(n * sizeof *pixels);
  for (size_t i = 0; pixels && i < n; i++)
    pixels[i] = (float)(255 * ((double)images[i] * o->std[i % channels] + o->mean[i % channels]));
  return pixels;
}

/* The file on the first `count` samples. results: (count, spn_lowered_results); the caller frees. */
static spn_status run_back(const spn_exporter *e, const spn_export_options *o, const spn_export_samples *samples,
                           const spn_lowered *net, int count, float **results, spn_err *err) {
  const size_t n = (size_t)count * spn_lowered_elements(&net->node[0]), channels = (size_t)net->node[0].c;
  const int with_pixels = e->takes_pixels && o->input == SPN_INPUT_PIXELS;
  float *pixels = with_pixels ? to_pixels(o, samples->images, n, channels) : NULL;
  float *out = malloc((size_t)count * spn_lowered_results(net) * sizeof *out);
  spn_status status = out && (pixels || !with_pixels) ? SPN_OK : spn_fail(err, SPN_ENOMEM, "export: out of memory");
  if (!status) status = spn_interpret(net, o->threads, pixels ? pixels : samples->images, count, out, NULL, err);
  free(pixels);
  if (status) free(out);
  else *results = out;
  return status;
}

static int best(const float *logits, int classes) {
  int top = 0;
  for (int c = 1; c < classes; c++)
    if (logits[c] > logits[top]) top = c;
  return top;
}

/* The outputs of the file stand in the order of ours, logits last. */
static void compare(const spn_lowered *net, const float *got, const spn_export_samples *samples, int count, int classes,
                    spn_export_check *out) {
  const float *expected = samples->maps ? samples->maps : samples->logits;
  const size_t row = spn_lowered_results(net), expected_row = samples->maps ? samples->map_row : (size_t)classes;
  *out = (spn_export_check){.images = count, .same = -1, .outputs = net->outputs};
  for (size_t o = 0, at = 0; o < (size_t)net->outputs; o++) {
    const size_t n = spn_lowered_elements(&net->node[net->output[o].node]);
    const spn_difference off = spn_difference_of(got + at, row, expected + at, expected_row, count, n);
    memcpy(out->output[o].name, net->output[o].name, sizeof out->output[o].name);
    out->output[o].off = off;
    if (!(off.worst <= out->off.worst)) out->off.worst = off.worst;
    if (!(off.typical <= out->off.typical)) out->off.typical = off.typical;
    if (!strcmp(net->output[o].name, "logits")) {
      out->same = 0;
      for (size_t i = 0; i < (size_t)count; i++)
        out->same += best(got + i * row + at, classes) == best(expected + i * expected_row + at, classes);
    }
    at += n;
  }
}

/* As many outputs as ours, of the same sizes; so that a file that is not ours cannot be compared past its end. */
static spn_status same_outputs(const spn_lowered *net, const spn_export_samples *samples, const spn_export_options *o,
                               int classes, const char *path, spn_err *err) {
  const int logits = !o->endpoints.count || o->endpoints.logits;
  const size_t all = samples->maps ? samples->map_row : (size_t)classes;
  if (net->outputs == o->endpoints.count + logits && spn_lowered_results(net) == all - (logits ? 0 : (size_t)classes))
    return SPN_OK;
  return spn_fail(err, SPN_ENUMERIC, "%s: read back, it gives other outputs than were asked for", path);
}

static spn_status judge(const spn_exporter *e, const spn_export_check *check, const char *path, spn_err *err) {
  if (e->approximate || check->off.worst <= LARGEST_DIFFERENCE) return SPN_OK;
  int at = 0;
  while (at < check->outputs - 1 && check->output[at].off.worst <= LARGEST_DIFFERENCE) at++;
  return spn_fail(err, SPN_ENUMERIC,
                  "%s: read back, it gives other %s than the network: off by %.3g of their standard deviation, "
                  "expected at most %g",
                  path, check->output[at].name, check->output[at].off.worst, LARGEST_DIFFERENCE);
}

static spn_status check_file(const spn_exporter *e, const spn_export_options *o, const spn_export_samples *samples,
                             int classes, const char *path, spn_export_check *out, spn_err *err) {
  const int count = samples->maps ? samples->mapped : samples->count;
  spn_lowered *net;
  float *results;
  SPN_TRY(e->read(path, &net, err));
  spn_status status = same_outputs(net, samples, o, classes, path, err);
  if (!status) status = run_back(e, o, samples, net, count, &results, err);
  if (!status) {
    compare(net, results, samples, count, classes, out);
    free(results);
    status = judge(e, out, path, err);
  }
  spn_lowered_free(net);
  return status;
}

static spn_status write_and_check(const spn_model *m, const spn_export_options *o, const spn_export_samples *samples,
                                  const char *format, const char *path, spn_export_check *check, spn_err *err) {
  spn_export_check own = {0};
  int at;
  SPN_TRY(spn_name_find(spn_exporter_names, "export format", format, &at, err));
  SPN_TRY(spn_export(format, &m->arch, m->tensors, o, path, err));
  const spn_exporter *e = spn_exporters[at];
  spn_status status = samples && e->read ? check_file(e, o, samples, m->arch.classes, path, &own, err) : SPN_OK;
  if (check) *check = own;
  return status;
}

spn_status spn_model_endpoints(const spn_model *m, const spn_settings *s, spn_endpoints *out, spn_err *err) {
  out->layer = s->export_endpoint_layer;
  SPN_TRY(spn_endpoints_parse(s->export_endpoints, out, err));
  return spn_endpoints_check(&m->arch, out, err);
}

spn_status spn_model_export(const spn_model *m, const spn_settings *s, const spn_export_samples *samples,
                            const char *format, const char *path, spn_export_check *check, spn_err *err) {
  spn_export_options o = spn_export_defaults();
  spn_export_fact facts[MAX_FACTS];
  spn_endpoints endpoints;
  SPN_TRY(spn_model_endpoints(m, s, &endpoints, err));
  char *mnasnet = spn_blockstring_mnasnet(&m->arch), *timm = spn_blockstring_timm(&m->arch);
  const char **classes = spn_model_classes(m);
  spn_profile profile;
  o.endpoints = endpoints;
  o.opset = opset_number(s->export_opset);
  o.fold_bn = s->export_fold_bn;
  o.input = s->export_normalize ? SPN_INPUT_PIXELS : SPN_INPUT_NORMALISED;
  for (int i = 0; i < 3; i++) o.mean[i] = (double)m->eval.mean[i], o.std[i] = (double)m->eval.std[i];
  o.resize = spn_transform_side(&m->eval);
  o.crop_fraction = m->eval.eval_crop;
  o.resize_filter = spn_resize_names[m->eval.resize];
  o.class_names = classes;
  o.profile = &profile;
  o.version = spn_version();
  o.facts = facts;
  o.fact_count = mnasnet && timm ? collect_facts(m, mnasnet, timm, facts) : 0;
  o.threads = spn_thread_count(s);
  o.int8_io = s->export_int8_io;
  if (samples && samples->real) o.samples = samples->images, o.sample_count = samples->count;
  spn_status status = spn_pricing_profile(m, s, &profile, err);
  if (!status) status = write_and_check(m, &o, samples, format, path, check, err);
  free(mnasnet);
  free(timm);
  free(classes);
  return status;
}
