#include <stdlib.h>
#include <string.h>

#include "api/model_export.h"
#include "core/rng.h"
#include "export/interpret.h"
#include "model/network.h"
#include "train/data.h"
#include "train/machine.h"

enum { NOISE = 8, BATCH = 16, MAPPED = 16 /* images whose feature maps are kept: a map has many thousand numbers */ };
static const double LARGEST_DIFFERENCE = 1e-3; /* of the logits of plain loops from the network's; they come to 2e-4 */

void spn_export_samples_free(spn_export_samples *samples) {
  free(samples->images);
  free(samples->logits);
  free(samples->maps);
  *samples = (spn_export_samples){0};
}

static size_t pixels_of(const spn_model *m) {
  return (size_t)m->arch.input_size * (size_t)m->arch.input_size * (size_t)m->arch.input_channels;
}

static spn_status reserve(const spn_model *m, int count, spn_export_samples *out, spn_err *err) {
  const size_t whole = (size_t)(count + BATCH - 1) / BATCH * BATCH; /* a pass reads whole batches */
  out->images = calloc(whole * pixels_of(m), sizeof *out->images);
  out->logits = malloc((size_t)count * (size_t)m->arch.classes * sizeof *out->logits);
  return out->images && out->logits ? SPN_OK : spn_fail(err, SPN_ENOMEM, "export: out of memory");
}

/* Every pixel at random, as they would be after normalisation. */
static void draw_noise(const spn_model *m, uint64_t seed, spn_export_samples *out) {
  const size_t n = pixels_of(m), channels = (size_t)m->arch.input_channels;
  for (size_t i = 0; i < NOISE * n; i++)
    out->images[i] = ((float)spn_rng_uniform(seed, SPN_RNG_SAMPLE, i) - m->eval.mean[i % channels]) /
                     m->eval.std[i % channels];
  out->count = NOISE;
}

static spn_status read_images(const spn_data *data, const spn_settings *s, size_t pixels, spn_export_samples *out,
                              spn_err *err) {
  spn_loader *loader;
  SPN_TRY(spn_data_loader(data, s, SPN_SPLIT_TRAIN, 0, 0, &loader, err));
  spn_status status = SPN_OK;
  for (int end = 0; !status && out->count < (int)s->export_samples;) {
    spn_batch batch;
    status = spn_loader_next(loader, &batch, &end, err);
    if (status || end) break;
    const int room = (int)s->export_samples - out->count, n = batch.count < room ? batch.count : room;
    memcpy(out->images + (size_t)out->count * pixels, batch.images, (size_t)n * pixels * sizeof(float));
    out->count += n;
  }
  spn_loader_close(loader);
  if (!status && !out->count)
    status = spn_fail(err, SPN_EINPUT, "%s: expected training images, got none", s->data_path);
  return status;
}

static spn_status take_images(const spn_model *m, const spn_settings *s, spn_export_samples *out, spn_err *err) {
  spn_settings own = *s;
  spn_data data;
  own.data_max_train = own.export_samples;
  own.data_holdout = 0;
  own.optim_batch = 1;          /* however few images there are */
  strcpy(own.data_mean, "0.5"); /* the model's own come below: nothing is to be measured */
  strcpy(own.data_std, "0.5");
  SPN_TRY(spn_data_open(&own, m->arch.input_size, m->arch.input_channels, &data, err));
  data.eval = m->eval;
  data.eval.augment = SPN_AUGMENT_NONE;
  spn_status status = read_images(&data, &own, pixels_of(m), out, err);
  spn_data_close(&data);
  out->real = 1;
  return status;
}

static spn_status ask_network(const spn_model *m, const spn_settings *s, spn_export_samples *out, spn_err *err) {
  const size_t classes = (size_t)m->arch.classes;
  spn_network_options o;
  spn_graph *g;
  SPN_TRY(spn_options_choose(s, &o, err));
  o.batch = BATCH;
  o.bf16 = 0;
  SPN_TRY(spn_network_create(&m->arch, &o, 1, &g, err));
  spn_status status = spn_network_from_tensors(g, m->tensors, err);
  for (int i = 0; !status && i < out->count; i += BATCH) {
    const int n = out->count - i < BATCH ? out->count - i : BATCH;
    status = spn_graph_forward(g, out->images + (size_t)i * pixels_of(m), NULL, n, 0, err);
    for (size_t k = 0; !status && k < (size_t)n * classes; k++)
      out->logits[(size_t)i * classes + k] = (float)g->logits[k];
  }
  spn_graph_free(g);
  return status;
}

/* What the layers inside give: the network with its batch norms in plain loops, whose logits must be the network's own.
 */
static spn_status run_layers(const spn_lowered *net, const spn_settings *s, int classes, spn_export_samples *out,
                             spn_err *err) {
  out->map_row = spn_lowered_results(net);
  out->mapped = out->count < MAPPED ? out->count : MAPPED;
  out->maps = malloc((size_t)out->mapped * out->map_row * sizeof *out->maps);
  if (!out->maps) return spn_fail(err, SPN_ENOMEM, "export: out of memory");
  SPN_TRY(spn_interpret(net, spn_thread_count(s), out->images, out->mapped, out->maps, NULL, err));
  const float *logits = out->maps + out->map_row - classes;
  const spn_difference off = spn_difference_of(logits, out->map_row, out->logits, (size_t)classes, out->mapped,
                                               (size_t)classes);
  if (off.worst <= LARGEST_DIFFERENCE) return SPN_OK;
  return spn_fail(err, SPN_ENUMERIC,
                  "export: in plain loops the network gives other logits: off by %.3g of their standard deviation, "
                  "expected at most %g",
                  off.worst, LARGEST_DIFFERENCE);
}

static spn_status ask_layers(const spn_model *m, const spn_settings *s, const spn_endpoints *endpoints,
                             spn_export_samples *out, spn_err *err) {
  spn_export_options o = spn_export_defaults();
  spn_lowered *net;
  if (!endpoints->count) return SPN_OK;
  o.fold_bn = 0;
  o.endpoints = *endpoints;
  o.endpoints.logits = 1;
  SPN_TRY(spn_lower(&m->arch, m->tensors, &o, NULL, &net, err));
  spn_status status = run_layers(net, s, m->arch.classes, out, err);
  spn_lowered_free(net);
  return status;
}

spn_status spn_export_samples_make(const spn_model *m, const spn_settings *s, spn_export_samples *out, spn_err *err) {
  const int given = s->data_path[0] != 0;
  spn_endpoints endpoints;
  *out = (spn_export_samples){0};
  SPN_TRY(spn_model_endpoints(m, s, &endpoints, err));
  spn_status status = reserve(m, given ? (int)s->export_samples : NOISE, out, err);
  if (!status && given) status = take_images(m, s, out, err);
  else if (!status) draw_noise(m, (uint64_t)s->run_seed, out);
  if (!status) status = ask_network(m, s, out, err);
  if (!status) status = ask_layers(m, s, &endpoints, out, err);
  if (status) spn_export_samples_free(out);
  return status;
}
