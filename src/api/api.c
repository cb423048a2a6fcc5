/* The public header on top of the parts. */
#include "spnas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/model_export.h"
#include "export/export.h"
#include "model/network.h"
#include "core/version.h"
#include "train/machine.h"

struct spnas_network {
  spn_model model;
  spn_graph *graph;
  const char **classes; /* or NULL */
  float *image;         /* (size,size,channels), transformed */
};

static int tell(spnas_error *error, spn_status status, const spn_err *err) {
  if (error) {
    error->code = (int)status;
    memcpy(error->text, status ? err->text : "", status ? sizeof err->text : 1);
  }
  return (int)status;
}

const char *spnas_version(void) { return spn_version(); }

static spn_status open_network(const char *path, int threads, spnas_network *net, spn_err *err) {
  spn_settings s;
  spn_settings_default(&s);
  s.run_threads = threads;
  SPN_TRY(spn_model_load(path, &net->model, err));
  net->model.eval.augment = SPN_AUGMENT_NONE;
  net->classes = spn_model_classes(&net->model);
  s.optim_batch = 1;
  spn_network_options o;
  SPN_TRY(spn_options_choose(&s, &o, err));
  SPN_TRY(spn_network_create(&net->model.arch, &o, 1, &net->graph, err));
  SPN_TRY(spn_network_from_tensors(net->graph, net->model.tensors, err));
  size_t size = (size_t)net->model.eval.size;
  net->image = malloc(size * size * (size_t)net->model.eval.channels * sizeof *net->image);
  return net->image ? SPN_OK : spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
}

int spnas_network_open(const char *path, int threads, spnas_network **out, spnas_error *error) {
  spn_err err;
  spnas_network *net = calloc(1, sizeof *net);
  spn_status status = net ? open_network(path, threads < 0 ? 0 : threads, net, &err)
                          : spn_fail(&err, SPN_ENOMEM, "out of memory");
  if (status) spnas_network_close(net);
  else *out = net;
  return tell(error, status, &err);
}

void spnas_network_close(spnas_network *net) {
  if (!net) return;
  spn_graph_free(net->graph);
  if (net->model.tensors) spn_model_free(&net->model);
  free(net->classes);
  free(net->image);
  free(net);
}

int spnas_network_classes(const spnas_network *net) { return net->model.arch.classes; }

const char *spnas_network_class_name(const spnas_network *net, int class_number) {
  return net->classes && class_number >= 0 && class_number < net->model.arch.classes ? net->classes[class_number] : "";
}

int spnas_network_input_size(const spnas_network *net) { return net->model.arch.input_size; }

void spnas_network_counts(const spnas_network *net, long long *parameters, long long *macs) {
  spn_counts counts = spn_arch_counts(&net->model.arch);
  *parameters = counts.params;
  *macs = counts.macs;
}

static void softmax(const real *logits, int n, float *out) {
  double top = (double)logits[0], sum = 0;
  for (int i = 1; i < n; i++) top = fmax(top, (double)logits[i]);
  for (int i = 0; i < n; i++) sum += exp((double)logits[i] - top);
  for (int i = 0; i < n; i++) out[i] = (float)(exp((double)logits[i] - top) / sum);
}

int spnas_network_classify(spnas_network *net, const unsigned char *rgb, int height, int width, float *probability,
                           spnas_error *error) {
  spn_err err;
  spn_status status = height > 0 && width > 0
                          ? SPN_OK
                          : spn_fail(&err, SPN_EINPUT, "image: expected a positive height and width, got %d x %d",
                                     height, width);
  if (!status && spn_transform_apply(&net->model.eval, rgb, height, width, 0, 0, net->image))
    status = spn_fail(&err, SPN_ENOMEM, "image: out of memory to resize %d x %d", height, width);
  if (!status) status = spn_graph_forward(net->graph, net->image, NULL, 1, 0, &err);
  if (!status) softmax(net->graph->logits, net->model.arch.classes, probability);
  return tell(error, status, &err);
}

int spnas_network_export(const spnas_network *net, const char *format, const char *path, spnas_error *error) {
  spn_err err;
  spn_settings s;
  spn_settings_default(&s);
  spn_status status = path && *path ? spn_export_format(format, path, &format, &err)
                                    : spn_fail(&err, SPN_EINPUT, "export: expected the file to write, got nothing");
  if (!status) status = spn_model_export(&net->model, &s, format, path, &err);
  return tell(error, status, &err);
}
