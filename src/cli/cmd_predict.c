#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "core/team.h"
#include "input/image.h"
#include "io/json_write.h"
#include "spnas.h"
#include "train/machine.h"
#include "core/phase.h"

/* ---- The files ---- */

typedef struct {
  char **path;
  size_t count, room;
} paths;

static spn_status add_path(paths *p, const char *path, spn_err *err) {
  if (p->count == p->room) {
    size_t room = p->room ? 2 * p->room : 256;
    char **wider = realloc(p->path, room * sizeof *wider);
    if (!wider) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
    p->path = wider;
    p->room = room;
  }
  if (!(p->path[p->count] = strdup(path))) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
  p->count++;
  return SPN_OK;
}

/* The file, or every file in the folder and below, in order; depth ends links that lead in circles. */
static spn_status collect(const char *path, int depth, paths *out, spn_err *err) {
  enum { MAX_DEPTH = 32 };
  struct stat info;
  struct dirent **list;
  if (stat(path, &info)) return spn_fail(err, SPN_EINPUT, "%s: no such file or folder", path);
  if (!S_ISDIR(info.st_mode)) return add_path(out, path, err);
  if (depth > MAX_DEPTH) return spn_fail(err, SPN_EINPUT, "%.200s...: folders deeper than %d", path, MAX_DEPTH);
  int n = scandir(path, &list, NULL, alphasort);
  if (n < 0) return spn_fail(err, SPN_EIO, "%s: cannot be read", path);
  spn_status status = SPN_OK;
  for (int i = 0; i < n; i++) {
    char inner[4096];
    const int fits = snprintf(inner, sizeof inner, "%s/%s", path, list[i]->d_name) < (int)sizeof inner;
    if (!status && list[i]->d_name[0] != '.')
      status = fits ? collect(inner, depth + 1, out, err)
                    : spn_fail(err, SPN_EINPUT, "%.200s...: the path is too long", path);
    free(list[i]);
  }
  free(list);
  return status;
}

/* ---- Prediction ---- */

enum { BATCH = 32 }; /* images that are decoded at the same time */

typedef struct {
  spnas_network *net;
  const paths *files;
  size_t first; /* of this batch */
  spn_image image[BATCH];
  const char *reason[BATCH]; /* why an image cannot be read, or NULL */
  float *probability;        /* (BATCH,classes) of the readable ones, in order */
  int top, json;
  size_t bad;
} predictor;

static void decode_one(void *context, int i, int thread) {
  predictor *p = context;
  p->reason[i] = NULL;
  spn_status status = spn_image_read(p->files->path[p->first + (size_t)i], 0, &p->image[i], &p->reason[i]);
  if (status && !p->reason[i]) p->reason[i] = status == SPN_ENOMEM ? "out of memory" : "cannot be read";
}

/* The class of the k-th largest probability; `used` marks those before. */
static int next_best(const float *probability, int classes, unsigned char *used) {
  int best = -1;
  for (int c = 0; c < classes; c++)
    if (!used[c] && (best < 0 || probability[c] > probability[best])) best = c;
  used[best] = 1;
  return best;
}

static void put_text(const predictor *p, const char *path, const float *probability, unsigned char *used) {
  const int classes = spnas_network_classes(p->net);
  printf("%s", path);
  for (int k = 0; k < p->top && k < classes; k++) {
    const int c = next_best(probability, classes, used);
    const char *name = spnas_network_class_name(p->net, c);
    if (*name) printf("%s %s %.2f %%", k ? "," : ":", name, 100 * (double)probability[c]);
    else printf("%s class %d %.2f %%", k ? "," : ":", c, 100 * (double)probability[c]);
  }
  putchar('\n');
}

/* {"file": ..., "top": [{"class": 3, "name": "cat", "probability": 0.93}, ...]} */
static spn_status put_json(const predictor *p, const char *path, const float *probability, unsigned char *used,
                           const char *reason, spn_err *err) {
  const int classes = spnas_network_classes(p->net);
  const char *text;
  spn_json_writer w = {0};
  spn_json_object(&w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(&w, "file", path);
  if (reason) spn_json_put_text(&w, "error", reason);
  else spn_json_array(&w, "top", SPN_JSON_INLINE);
  for (int k = 0; !reason && k < p->top && k < classes; k++) {
    const int c = next_best(probability, classes, used);
    spn_json_object(&w, NULL, SPN_JSON_INLINE);
    spn_json_put_integer(&w, "class", c);
    if (*spnas_network_class_name(p->net, c)) spn_json_put_text(&w, "name", spnas_network_class_name(p->net, c));
    spn_json_put_rounded(&w, "probability", (double)probability[c], 6);
    spn_json_end(&w);
  }
  if (!reason) spn_json_end(&w);
  spn_json_end(&w);
  spn_status status = spn_json_finish(&w, "--json", &text, NULL, err);
  if (!status) puts(text);
  spn_json_writer_free(&w);
  return status;
}

static spn_status put_batch(predictor *p, int count, spn_err *err) {
  const size_t classes = (size_t)spnas_network_classes(p->net);
  spn_status status = SPN_OK;
  unsigned char *used = malloc(classes);
  if (!used) return spn_fail(err, SPN_ENOMEM, "predict: out of memory");
  for (int i = 0, readable = 0; !status && i < count; i++) {
    const char *path = p->files->path[p->first + (size_t)i];
    const float *probability = p->probability + (size_t)readable * classes;
    memset(used, 0, classes);
    if (p->reason[i]) {
      p->bad++;
      fprintf(stderr, "spnas predict: %s: %s\n", path, p->reason[i]);
    }
    if (p->json) status = put_json(p, path, probability, used, p->reason[i], err);
    else if (!p->reason[i]) put_text(p, path, probability, used);
    readable += !p->reason[i];
  }
  free(used);
  return status;
}

static spn_status predict_batch(predictor *p, spn_team *team, int count, spn_err *err) {
  spnas_image images[BATCH];
  spnas_error error = {0};
  int readable = 0;
  spn_team_run(team, count, decode_one, p);
  for (int i = 0; i < count; i++)
    if (!p->reason[i]) images[readable++] = (spnas_image){p->image[i].pixels, p->image[i].h, p->image[i].w};
  if (readable) spnas_network_classify_batch(p->net, images, readable, p->probability, &error);
  for (int i = 0; i < count; i++)
    if (!p->reason[i]) spn_image_free(&p->image[i]);
  if (error.code) return spn_fail(err, (spn_status)error.code, "%s", error.text);
  return put_batch(p, count, err);
}

static spn_status predict(const spn_arguments *a, const paths *files, predictor *p, spn_err *err) {
  spn_team *team;
  p->probability = malloc((size_t)BATCH * (size_t)spnas_network_classes(p->net) * sizeof *p->probability);
  if (!p->probability) return spn_fail(err, SPN_ENOMEM, "predict: out of memory");
  SPN_TRY(spn_team_create(spn_thread_count(&a->settings), &team, err));
  spn_status status = SPN_OK;
  for (; !status && p->first < files->count; p->first += BATCH) {
    const size_t left = files->count - p->first;
    if (spn_stop_requested()) status = spn_fail(err, SPN_ESTOPPED, "stopped after %zu images", p->first);
    else status = predict_batch(p, team, left < BATCH ? (int)left : BATCH, err);
  }
  spn_team_free(team);
  if (!status && p->bad)
    status = spn_fail(err, SPN_EINPUT, "%zu of %zu files are no readable images", p->bad, files->count);
  return status;
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  const spn_settings *s = &a->settings;
  paths files = {0};
  spnas_error error = {0};
  if (!a->positional)
    return spn_fail(err, SPN_EINPUT, "expected a network file, for example best.safetensors, got nothing");
  if (!s->data_path[0])
    return spn_fail(err, SPN_EINPUT, "--data: expected an image or a folder of images, got nothing");
  predictor p = {.files = &files, .top = (int)s->predict_top, .json = a->json};
  spn_status status = collect(s->data_path, 0, &files, err);
  if (!status && !files.count)
    status = spn_fail(err, SPN_EINPUT, "%s: expected images, got an empty folder", s->data_path);
  if (!status && spnas_network_open(a->positional, (int)s->run_threads, &p.net, &error))
    status = spn_fail(err, (spn_status)error.code, "%s", error.text);
  if (!status) {
    status = predict(a, &files, &p, err);
    spnas_network_close(p.net);
  }
  free(p.probability);
  for (size_t i = 0; i < files.count; i++) free(files.path[i]);
  free(files.path);
  return status;
}

const spn_command spn_cmd_predict = {
    .about = "Classifies an image, or every image in a folder and below, with a trained network.",
    .usage = "spnas predict NETWORK.safetensors --data IMAGE|DIR [--json] [--set predict.top=5]\n\n"
             "  --data IMAGE|DIR   data.path: what is classified; files that are no images are told and end in code 2\n"
             "  --json             a JSON object a line, {\"file\", \"top\": [{\"class\", \"name\", \"probability\"}]}",
    .sections = "predict",
    .takes = "pdj",
    .run = command};
