/* The public header on top of the parts. */
#include "spnas.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/model_export.h"
#include "core/team.h"
#include "export/export.h"
#include "model/network.h"
#include "core/version.h"
#include "train/machine.h"

enum { BATCH = 16 }; /* images in one pass of a batch: from there on a pass gets no faster by the image */

/* What one thread classifies with. */
typedef struct session {
  struct session *next;
  spn_graph *graph;
  float *images; /* (graph->batch,size,size,channels), transformed */
} session;

struct spnas_network {
  spn_model model;
  spn_network_options options;
  const char **classes; /* or NULL */
  pthread_mutex_t lock; /* of what follows */
  session *idle[2];     /* of batches of 1 and of BATCH, waiting for a thread */
};

static int tell(spnas_error *error, spn_status status, const spn_err *err) {
  if (error) {
    error->code = (int)status;
    memcpy(error->text, status ? err->text : "", status ? sizeof err->text : 1);
  }
  return (int)status;
}

const char *spnas_version(void) { return spn_version(); }

static void session_free(session *s) {
  if (!s) return;
  spn_graph_free(s->graph);
  free(s->images);
  free(s);
}

static spn_status session_new(const spnas_network *net, int batch, session **out, spn_err *err) {
  const size_t size = (size_t)net->model.eval.size, channels = (size_t)net->model.eval.channels;
  spn_network_options o = net->options;
  session *s = calloc(1, sizeof *s);
  if (!s) return spn_fail(err, SPN_ENOMEM, "network: out of memory");
  o.batch = batch;
  s->images = malloc((size_t)batch * size * size * channels * sizeof *s->images);
  spn_status status = s->images ? SPN_OK : spn_fail(err, SPN_ENOMEM, "network: out of memory");
  if (!status) status = spn_network_create(&net->model.arch, &o, 1, &s->graph, err);
  if (!status) status = spn_network_from_tensors(s->graph, net->model.tensors, err);
  if (status) session_free(s);
  else *out = s;
  return status;
}

/* A session that no other thread has. */
static spn_status take(spnas_network *net, int large, session **out, spn_err *err) {
  pthread_mutex_lock(&net->lock);
  session *s = net->idle[large];
  if (s) net->idle[large] = s->next;
  pthread_mutex_unlock(&net->lock);
  if (!s) return session_new(net, large ? BATCH : 1, out, err);
  *out = s;
  return SPN_OK;
}

static void give_back(spnas_network *net, int large, session *s) {
  pthread_mutex_lock(&net->lock);
  s->next = net->idle[large];
  net->idle[large] = s;
  pthread_mutex_unlock(&net->lock);
}

static spn_status open_network(const char *path, int threads, spnas_network *net, spn_err *err) {
  spn_settings s;
  session *first;
  spn_settings_default(&s);
  s.run_threads = threads;
  SPN_TRY(spn_model_load(path, &net->model, err));
  net->model.eval.augment = SPN_AUGMENT_NONE;
  net->classes = spn_model_classes(&net->model);
  SPN_TRY(spn_options_choose(&s, &net->options, err));
  SPN_TRY(session_new(net, 1, &first, err)); /* now, so that a network that cannot run is refused now */
  give_back(net, 0, first);
  return SPN_OK;
}

int spnas_network_open(const char *path, int threads, spnas_network **out, spnas_error *error) {
  spn_err err;
  spnas_network *net = calloc(1, sizeof *net);
  if (!net || pthread_mutex_init(&net->lock, NULL)) {
    free(net);
    return tell(error, spn_fail(&err, SPN_ENOMEM, "out of memory"), &err);
  }
  spn_status status = open_network(path, threads < 0 ? 0 : threads, net, &err);
  if (status) spnas_network_close(net);
  else *out = net;
  return tell(error, status, &err);
}

void spnas_network_close(spnas_network *net) {
  if (!net) return;
  for (int large = 0; large < 2; large++)
    while (net->idle[large]) {
      session *s = net->idle[large];
      net->idle[large] = s->next;
      session_free(s);
    }
  if (net->model.tensors) spn_model_free(&net->model);
  pthread_mutex_destroy(&net->lock);
  free(net->classes);
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

typedef struct {
  const spn_transform *eval;
  const spnas_image *images;
  float *out;
  atomic_int failed;
} transform_job;

static void transform_one(void *context, int i, int thread) {
  transform_job *job = context;
  const spn_transform *t = job->eval;
  float *out = job->out + (size_t)i * (size_t)t->size * (size_t)t->size * (size_t)t->channels;
  if (spn_transform_apply(t, job->images[i].rgb, job->images[i].height, job->images[i].width, 0, 0, out))
    atomic_store(&job->failed, 1);
}

/* At most as many images as the session's batch. */
static spn_status run(const spnas_network *net, session *s, const spnas_image *images, int count, float *probability,
                      spn_err *err) {
  const int classes = net->model.arch.classes;
  transform_job job = {.eval = &net->model.eval, .images = images, .out = s->images};
  spn_team_run(s->graph->team, count, transform_one, &job);
  if (atomic_load(&job.failed)) return spn_fail(err, SPN_ENOMEM, "image: out of memory to resize");
  SPN_TRY(spn_graph_forward(s->graph, s->images, NULL, count, 0, err));
  for (int i = 0; i < count; i++)
    softmax(s->graph->logits + (size_t)i * (size_t)classes, classes, probability + (size_t)i * (size_t)classes);
  return SPN_OK;
}

static spn_status check_images(const spnas_image *images, int count, spn_err *err) {
  for (int i = 0; i < count; i++)
    if (images[i].height <= 0 || images[i].width <= 0 || !images[i].rgb)
      return spn_fail(err, SPN_EINPUT, "image: expected pixels and a positive height and width, got %d x %d",
                      images[i].height, images[i].width);
  return count > 0 ? SPN_OK : spn_fail(err, SPN_EINPUT, "images: expected at least one, got %d", count);
}

int spnas_network_classify_batch(spnas_network *net, const spnas_image *images, int count, float *probability,
                                 spnas_error *error) {
  const int large = count > 1, step = large ? BATCH : 1;
  spn_err err;
  session *s = NULL;
  spn_status status = check_images(images, count, &err);
  if (!status) status = take(net, large, &s, &err);
  for (int i = 0; !status && i < count; i += step)
    status = run(net, s, images + i, count - i < step ? count - i : step,
                 probability + (size_t)i * (size_t)net->model.arch.classes, &err);
  if (s) give_back(net, large, s);
  return tell(error, status, &err);
}

int spnas_network_classify(spnas_network *net, const unsigned char *rgb, int height, int width, float *probability,
                           spnas_error *error) {
  const spnas_image image = {rgb, height, width};
  return spnas_network_classify_batch(net, &image, 1, probability, error);
}

int spnas_network_export(const spnas_network *net, const char *format, const char *path, spnas_error *error) {
  spn_err err;
  spn_settings s;
  spn_settings_default(&s);
  spn_status status = path && *path ? spn_export_format(format, path, &format, &err)
                                    : spn_fail(&err, SPN_EINPUT, "export: expected the file to write, got nothing");
  if (!status) status = spn_model_export(&net->model, &s, NULL, format, path, NULL, &err);
  return tell(error, status, &err);
}
