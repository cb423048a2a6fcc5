#include <stdio.h>

#include "cli/cli.h"
#include "model/network.h"
#include "train/environment.h"
#include "train/evaluate.h"
#include "train/model_file.h"

static spn_status evaluate(const spn_arguments *a, const spn_model *m, spn_err *err) {
  const spn_settings *s = &a->settings;
  spn_data data;
  spn_graph *g;
  spn_score score;
  SPN_TRY(spn_data_open(s, m->arch.input_size, m->arch.input_channels, &data, err));
  data.eval = m->eval; /* the weights' own preprocessing */
  data.eval.augment = SPN_AUGMENT_NONE;
  spn_status status = data.classes == m->arch.classes ? SPN_OK
      : spn_fail(err, SPN_EINPUT, "%s: expected data with the network's %d classes, got %d", s->data_path, m->arch.classes, data.classes);
  spn_network_options o = {.batch = (int)s->optim_batch, .threads = spn_thread_count(s), .reproducible = s->run_reproducible, .seed = 1};
  if (!status) status = spn_kernels_choose(s, &o.kernels, err);
  if (!status) status = spn_network_create(&m->arch, &o, 1, &g, err);
  if (!status) {
    status = spn_network_from_tensors(g, m->tensors, 0, err);
    if (!status) status = spn_evaluate(g, NULL, &data, s, SPN_SPLIT_TEST, &score, err);
    spn_graph_free(g);
  }
  spn_data_close(&data);
  if (status) return status;
  if (a->json)
    printf("{\"images\": %zu, \"top1\": %.6f, \"top5\": %.6f, \"loss\": %.9g}\n", score.images, score.top1, score.top5, score.loss);
  else
    printf("top-1 %.2f %%  top-5 %.2f %%  cross entropy %.4f  on %zu test images\n", 100 * score.top1, 100 * score.top5, score.loss, score.images);
  return SPN_OK;
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  spn_model m;
  if (!a->positional) return spn_fail(err, SPN_EINPUT, "expected a network file, for example best.safetensors, got nothing");
  SPN_TRY(spn_model_load(a->positional, &m, err));
  spn_status status = evaluate(a, &m, err);
  spn_model_free(&m);
  return status;
}

const spn_command spn_cmd_eval = {
    .name = "eval", .about = "Top-1 and top-5 of a trained network on the test images, with the preprocessing stored in its file.",
    .usage = "spnas eval NETWORK.safetensors --data DIR [--json] [--config FILE] [--set a.b=c]...\n\n"
             "  --data DIR         data.path: the images\n  --json             one JSON object",
    .sections = "run,data", .takes = "pdj", .run = command};
