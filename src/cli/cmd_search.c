#include <stdio.h>

#include "cli/cli.h"
#include "search/gradient.h"
#include "search/random.h"
#include "train/data.h"
#include "train/environment.h"
#include "train/run.h"

static void report(const char *folder, const spn_space *space, const spn_cost *cost, const spn_search_result *r) {
  char text[1024];
  spn_choice_text(space, &r->choice, text, sizeof text);
  printf("found       %s\n", text);
  printf("predicted   %.3f %s%s (target %.3f, %s; %d decision%s changed to meet it)\n", r->cost, cost->unit,
         cost->modelled_se ? " (SE part modelled, not measured)" : "", r->target,
         r->within              ? "met"
         : r->cost <= r->target ? "kept, with room to spare"
                                : "NOT met",
         r->flips, r->flips == 1 ? "" : "s");
  if (r->inherited_test.images)
    printf("inherited   top-1 %.2f %% on %zu held-out images, %.2f %% on %zu test images (supernet weights, not "
           "trained further)\n",
           100 * r->inherited_holdout.top1, r->inherited_holdout.images, 100 * r->inherited_test.top1,
           r->inherited_test.images);
  printf("cost        %.0f images, %.1f s in this process\n", r->images, r->seconds);
  printf("files       %s/arch.json%s\n", folder, r->images > 0 ? ", inherited.safetensors, metrics.jsonl" : "");
}

static spn_status run_search(const spn_arguments *a, spn_settings *s, spn_err *err) {
  spn_network_options machine;
  spn_space space;
  spn_cost cost;
  spn_data data;
  spn_run *run;
  double target;
  SPN_TRY(spn_options_choose(s, &machine, err)); /* before anything is written */
  SPN_TRY(spn_space_load(s->search_space, &space, err));
  if (s->search_proxy_size) space.proxy_size = (int)s->search_proxy_size;
  if (s->search_proxy_width > 0) space.proxy_width = s->search_proxy_width;
  if (s->optim_dropout >= 0) space.base.dropout = s->optim_dropout;
  SPN_TRY(spn_cost_load(s->search_cost, &space, &cost, err));
  SPN_TRY(spn_search_target(s, &space, &cost, &target, err));
  SPN_TRY(spn_data_open(s, space.proxy_size, space.base.input_channels, &data, err));
  spn_status status = spn_run_open(a->out, s, "search", a->resume, a->quiet, &run, err);
  if (!status) {
    spn_search_result result;
    spn_run_say(
        run,
        "space %s (10^%.1f networks), cost %s, target %.4g %s; %s data, %zu training, %zu held-out, %zu test images",
        space.name, spn_space_log10_size(&space), cost.name, target, cost.unit, spn_dataset_kind(data.set),
        spn_dataset_count(data.set, SPN_SPLIT_TRAIN), spn_dataset_count(data.set, SPN_SPLIT_HOLDOUT),
        spn_dataset_count(data.set, SPN_SPLIT_TEST));
    status = s->search_method == SPN_SEARCH_RANDOM
                 ? spn_search_random(run, s, &space, &cost, data.classes, &result, err)
                 : spn_search_gradient(run, s, &space, &cost, &data, &result, err);
    if (!status) report(a->out, &space, &cost, &result);
    spn_run_close(run);
  }
  spn_data_close(&data);
  return status;
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the folder of the run, got nothing");
  spn_settings s = a->settings;
  return run_search(a, &s, err);
}

const spn_command spn_cmd_search = {
    .about = "Searches a network under a cost budget with the differentiable single-path supernet.",
    .usage = "spnas search --data DIR --target MS --out RUNDIR [--config FILE] [--set a.b=c]... [--resume] [--quiet] "
             "[--reproducible]\n\n"
             "  --data DIR         data.path: the images\n  --target MS        search.target: the budget in units of "
             "search.cost\n"
             "  --out RUNDIR       folder of the run: config, log, checkpoints, arch.json, weights\n"
             "  --resume           go on from the newest valid checkpoint in RUNDIR\n"
             "  --reproducible     run.reproducible: the same losses for any number of threads\n  --quiet            "
             "no progress",
    .sections = "run,data,search,optim",
    .takes = "odtrqR",
    .run = command};
