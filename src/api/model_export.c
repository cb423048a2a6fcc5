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
static const double LEAST_DEVIATION = 1e-6;    /* where all logits are equal */

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

/* The written file, read back, on the samples. */
static spn_status run_back(const spn_exporter *e, const spn_export_options *o, const spn_export_samples *samples,
                           const char *path, float *logits, spn_err *err) {
  spn_lowered *net;
  float *pixels = NULL;
  SPN_TRY(e->read(path, &net, err));
  const size_t n = (size_t)samples->count * spn_lowered_elements(&net->node[0]), channels = (size_t)net->node[0].c;
  spn_status status = SPN_OK;
  if (e->takes_pixels && o->input == SPN_INPUT_PIXELS) {
    pixels = malloc(n * sizeof *pixels);
    if (!pixels) status = spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
    for (size_t i = 0; pixels && i < n; i++)
      pixels[i] = (float)(255 * ((double)samples->images[i] * o->std[i % channels] + o->mean[i % channels]));
  }
  if (!status)
    status = spn_interpret(net, o->threads, pixels ? pixels : samples->images, samples->count, logits, NULL, err);
  free(pixels);
  spn_lowered_free(net);
  return status;
}

static int best(const float *logits, int classes) {
  int top = 0;
  for (int c = 1; c < classes; c++)
    if (logits[c] > logits[top]) top = c;
  return top;
}

static void compare(const float *got, const float *expected, int images, int classes, spn_export_check *out) {
  const size_t n = (size_t)images * (size_t)classes;
  double worst = 0, sum = 0, square = 0;
  *out = (spn_export_check){.images = images};
  for (size_t i = 0; i < n; i++) {
    const double difference = fabs((double)got[i] - (double)expected[i]);
    if (!(difference <= worst)) worst = difference; /* NaN counts */
    sum += (double)expected[i];
    square += (double)expected[i] * (double)expected[i];
  }
  const double mean = sum / (double)n, deviation = sqrt(fmax(square / (double)n - mean * mean, 0));
  out->difference = worst / fmax(deviation, LEAST_DEVIATION);
  for (int i = 0; i < images; i++)
    out->same += best(got + (size_t)i * (size_t)classes, classes) ==
                 best(expected + (size_t)i * (size_t)classes, classes);
}

static spn_status check_file(const spn_exporter *e, const spn_export_options *o, const spn_export_samples *samples,
                             int classes, const char *path, spn_export_check *out, spn_err *err) {
  float *logits = malloc((size_t)samples->count * (size_t)classes * sizeof *logits);
  if (!logits) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
  spn_status status = run_back(e, o, samples, path, logits, err);
  if (!status) {
    compare(logits, samples->logits, samples->count, classes, out);
    if (!e->approximate && !(out->difference <= LARGEST_DIFFERENCE))
      status = spn_fail(
          err, SPN_ENUMERIC,
          "%s: read back, it gives other logits than the network: off by %.3g of their standard deviation, "
          "expected at most %g",
          path, out->difference, LARGEST_DIFFERENCE);
  }
  free(logits);
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

spn_status spn_model_export(const spn_model *m, const spn_settings *s, const spn_export_samples *samples,
                            const char *format, const char *path, spn_export_check *check, spn_err *err) {
  spn_export_options o = spn_export_defaults();
  spn_export_fact facts[MAX_FACTS];
  char *mnasnet = spn_blockstring_mnasnet(&m->arch), *timm = spn_blockstring_timm(&m->arch);
  const char **classes = spn_model_classes(m);
  spn_profile profile;
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
