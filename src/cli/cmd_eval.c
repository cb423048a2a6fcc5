#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/phase.h"
#include "io/json_write.h"
#include "io/tensors.h"
#include "model/network.h"
#include "train/machine.h"
#include "train/evaluate.h"
#include "train/model_file.h"

/* What the network saw and said, for checking an export elsewhere: images (N,H,W,C) as they enter it, labels, logits.
 */
static spn_status dump(spn_graph *g, const spn_data *data, const spn_settings *s, const spn_model *m, const char *path,
                       spn_err *err) {
  size_t count = spn_dataset_count(data->set, SPN_SPLIT_TEST), size = (size_t)m->eval.size, at = 0;
  size_t channels = (size_t)m->eval.channels, pixels = size * size * channels, classes = (size_t)m->arch.classes;
  spn_loader *loader = NULL;
  spn_tensors *set = spn_tensors_new();
  if (!set) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
  spn_status status = spn_tensors_add(set, "images", SPN_F32, 4, (size_t[]){count, size, size, channels}, NULL, err);
  if (!status) status = spn_tensors_add(set, "logits", SPN_F32, 2, (size_t[]){count, classes}, NULL, err);
  if (!status) status = spn_tensors_add(set, "labels", SPN_I64, 1, &count, NULL, err);
  if (!status) status = spn_data_loader(data, s, SPN_SPLIT_TEST, 0, 0, &loader, err);
  spn_phase work = {.what = "dump", .unit = "images", .total = count};
  for (int end = 0; !status;) {
    spn_batch batch;
    if ((status = spn_phase_at(&work, at, err))) break;
    if ((status = spn_loader_next(loader, &batch, &end, err)) || end) break;
    if ((status = spn_graph_forward(g, batch.images, NULL, batch.count, 0, err))) break;
    memcpy((float *)spn_tensors_find(set, "images")->data + at * pixels, batch.images,
           (size_t)batch.count * pixels * sizeof(float));
    memcpy((float *)spn_tensors_find(set, "logits")->data + at * classes, g->logits,
           (size_t)batch.count * classes * sizeof(float));
    for (int i = 0; i < batch.count; i++)
      ((int64_t *)spn_tensors_find(set, "labels")->data)[at + (size_t)i] = batch.labels[i];
    at += (size_t)batch.count;
  }
  spn_phase_end(&work);
  if (!status) status = spn_tensors_save(set, path, err);
  if (loader) spn_loader_close(loader);
  spn_tensors_free(set);
  return status;
}

static spn_status print_json(const spn_score *score, const char *note, spn_err *err) {
  const char *text;
  spn_json_writer w = {0};
  spn_json_object(&w, NULL, SPN_JSON_INLINE);
  spn_json_put_integer(&w, "images", (long long)score->images);
  spn_json_put_rounded(&w, "top1", score->top1, 6);
  spn_json_put_rounded(&w, "top5", score->top5, 6);
  spn_json_put_rounded(&w, "loss", score->loss, 9);
  if (note) spn_json_put_text(&w, "note", note);
  spn_json_end(&w);
  spn_status status = spn_json_finish(&w, "--json", &text, NULL, err);
  if (!status) puts(text);
  spn_json_writer_free(&w);
  return status;
}

static spn_status evaluate(const spn_arguments *a, const spn_model *m, spn_err *err) {
  spn_settings settled = a->settings;
  const spn_settings *s = &settled;
  char note[SPN_PRECISION_NOTE], remark[256];
  spn_data data;
  spn_graph *g;
  spn_score score;
  const char **names;
  int count;
  SPN_TRY(spn_classes_read(m->tensors, &names, &count, err));
  spn_status status = !names || count == m->arch.classes
                          ? spn_data_open_test(s, &m->eval, names, m->arch.classes, &data, err)
                          : spn_fail(err, SPN_EINPUT, "%s: expected the names of %d classes, got %d", a->positional,
                                     m->arch.classes, count);
  free(names);
  SPN_TRY(status);
  spn_data_note(&data, remark, sizeof remark);
  if (remark[0]) fprintf(stderr, "spnas eval: %s\n", remark);
  spn_network_options o;
  if (!status) status = spn_options_choose(s, &o, err);
  spn_precision_settle(&settled, NULL, note);
  if (note[0]) fprintf(stderr, "spnas eval: %s\n", note);
  if (!status) status = spn_network_create(&m->arch, &o, 1, &g, err);
  if (!status) {
    status = spn_network_from_tensors(g, m->tensors, err);
    if (!status) status = spn_evaluate(g, NULL, &data, s, SPN_SPLIT_TEST, &score, err);
    if (!status && a->dump) status = dump(g, &data, s, m, a->dump, err);
    spn_graph_free(g);
  }
  spn_data_close(&data);
  if (status) return status;
  if (a->json) return print_json(&score, spn_tensors_meta(m->tensors, SPN_ORIGIN_NOTE_KEY), err);
  printf("top-1 %.2f %%  top-5 %.2f %%  cross entropy %.4f  on %zu test images\n", 100 * score.top1, 100 * score.top5,
         score.loss, score.images);
  spn_cli_print_origin(m->tensors);
  return SPN_OK;
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  spn_model m;
  if (!a->positional)
    return spn_fail(err, SPN_EINPUT, "expected a network file, for example best.safetensors, got nothing");
  SPN_TRY(spn_model_load(a->positional, &m, err));
  spn_status status = evaluate(a, &m, err);
  spn_model_free(&m);
  return status;
}

const spn_command spn_cmd_eval = {
    .about = "Top-1 and top-5 of a trained network on the test images, with the preprocessing and classes stored in "
             "its file.",
    .usage = "spnas eval NETWORK.safetensors --data DIR [--json] [--dump FILE] [--config FILE] [--set a.b=c]...\n\n"
             "  --data DIR         data.path: the images\n  --json             one JSON object\n"
             "  --dump FILE        also writes images (as the network takes them), labels and logits as safetensors, "
             "to check\n"
             "                     an export against; --set data.max_test=N limits how many",
    .sections = "run,data",
    .takes = "pdjD",
    .run = command};
