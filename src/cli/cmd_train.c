#include <stdio.h>

#include "cli/cli.h"
#include "cli/serve.h"
#include "cli/summary.h"
#include "train/machine.h"
#include "train/model_file.h"
#include "train/schedule.h"
#include "train/trainer.h"

static void announce(spn_run *run, const spn_named_arch *n, const spn_data *data) {
  const spn_arch *a = &n->arch;
  spn_counts counts = spn_arch_counts(a);
  int side = spn_dataset_median_side(data->set);
  char target[48] = "";
  if (n->origin.target > 0) snprintf(target, sizeof target, ", for a target of %.4g", n->origin.target);
  spn_run_say(
      run, "network %s at %dx%d: %.3f M parameters, %.1f M MACs; %s data, %zu training, %zu held-out, %zu test images",
      a->name, a->input_size, a->input_size, (double)counts.params * 1e-6, (double)counts.macs * 1e-6,
      spn_dataset_kind(data->set), spn_dataset_count(data->set, SPN_SPLIT_TRAIN),
      spn_dataset_count(data->set, SPN_SPLIT_HOLDOUT), spn_dataset_count(data->set, SPN_SPLIT_TEST));
  if (n->origin.searched && !n->origin.differs)
    spn_run_say(run, "predicted %.3f %s by %s%s", n->origin.predicted, n->origin.unit, n->origin.cost, target);
  if (n->origin.limits[0] && !n->origin.differs) spn_run_say(run, "limits: %s", n->origin.limits);
  if (n->origin.note[0]) spn_run_say(run, "note: %s", n->origin.note);
  char note[256];
  spn_data_note(data, note, sizeof note);
  if (note[0]) spn_run_say(run, "%s", note);
  if (n->origin.searched && side && 2 * side < a->input_size)
    spn_run_say(run,
                "note: the images, %d pixels in the median, are enlarged to %d, the size that the prediction is for; "
                "train.variant=proxy trains the network as the search did",
                side, a->input_size);
}

static void report_score(const char *what, const spn_score *score, int top5) {
  char more[32] = "";
  if (top5) snprintf(more, sizeof more, ", top-5 %.2f %%", 100 * score->top5);
  if (score->images)
    spn_summary_line(what, SPN_PLAIN, "top-1 %.2f %%%s on %zu images", 100 * score->top1, more, score->images);
  else spn_summary_line(what, SPN_PLAIN, "none: there are no such images");
}

static void report(const char *folder, const spn_named_arch *n, const spn_train_result *r) {
  char target[48] = "";
  if (n->origin.target > 0) snprintf(target, sizeof target, ", target %.4g", n->origin.target);
  spn_summary_line("trained", SPN_PLAIN, "best epoch %d%s", r->best_epoch,
                   r->best_holdout.images ? "" : ", the last: no held-out images to choose by");
  report_score("held out", &r->best_holdout, 0);
  report_score("test", &r->test, n->arch.classes > 5);
  if (n->origin.searched && !n->origin.differs)
    spn_summary_line("predicted", SPN_PLAIN, "%.3f %s (%s%s)", n->origin.predicted, n->origin.unit, n->origin.cost,
                     target);
  if (n->origin.note[0]) spn_summary_line("note", SPN_WARN, "%s", n->origin.note);
  spn_summary_log("train loss", folder, "metrics.jsonl", "train_loss", "epochs");
  spn_summary_log("held loss", folder, "metrics.jsonl", "holdout_loss", "epochs");
  spn_summary_log("held top-1", folder, "metrics.jsonl", "holdout_top1", "epochs");
  spn_summary_line("time", SPN_PLAIN, "%.1f s in this process", r->seconds);
  spn_summary_line("files", SPN_PLAIN, "%s/report.html, best.safetensors, last.safetensors, result.json", folder);
}

static spn_status train(const spn_cli_run *a, spn_settings *s, spn_named_arch *n, const spn_tensors *init,
                        spn_err *err) {
  spn_data data;
  spn_run *run;
  SPN_TRY(spn_data_open(s, n->arch.input_size, n->arch.input_channels, &data, err));
  n->arch.classes = data.classes;
  if (s->optim_dropout >= 0) n->arch.dropout = s->optim_dropout;
  spn_status status = spn_schedule_train(s, spn_dataset_count(data.set, SPN_SPLIT_TRAIN), err);
  if (!status) status = spn_run_open(a->out, s, "train", a->resume, a->quiet, &run, err);
  if (!status) {
    spn_train_result r;
    spn_training job = {.run = run, .settings = s, .arch = &n->arch, .data = &data, .init = init, .origin = &n->origin};
    announce(run, n, &data);
    status = spn_train(&job, &r, err);
    if (!status) status = spn_cli_report(a->out, err);
    if (!status && !a->silent) {
      report(a->out, n, &r);
      spn_summary_unreadable(data.set);
    }
    spn_run_close(run);
  }
  spn_data_close(&data);
  return status;
}

spn_status spn_cli_train(const spn_cli_run *a, spn_settings *s, spn_err *err) {
  static spn_named_arch named;
  spn_network_options machine;
  spn_model init = {0};
  SPN_TRY(spn_options_choose(s, &machine, err)); /* before anything is written */
  SPN_TRY(spn_cli_load_arch(s, s->train_arch, &named, err));
  if (named.note[0]) fprintf(stderr, "spnas train: %s\n", named.note);
  if (s->train_init[0]) SPN_TRY(spn_model_load(s->train_init, &init, err));
  spn_status status = train(a, s, &named, init.tensors, err);
  if (init.tensors) spn_model_free(&init);
  return status;
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  spn_settings s = a->settings;
  spn_cli_run where = {.out = a->out, .resume = a->resume, .quiet = a->quiet};
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the folder of the run, got nothing");
  spn_server *server = NULL;
  if (a->serve) SPN_TRY(spn_serve_open(a->out, a->serve, &server, err));
  spn_status status = spn_cli_train(&where, &s, err);
  spn_serve_close(server);
  return status;
}

const spn_command spn_cmd_train = {
    .about = "Trains a network: a found one, a reference one, or one given as a block string.",
    .usage = "spnas train --arch ARCH --data DIR --out RUNDIR [--init WEIGHTS] [--depth D] [--width W] [--size N] "
             "[--config FILE] [--set a.b=c]... [--resume] [--serve [PORT]] [--quiet] [--reproducible]\n\n"
             "  --arch ARCH        train.arch: a search's arch.json, a name in data/networks, or a block string\n"
             "  --init WEIGHTS     train.init: start from these weights, for example a search's inherited.safetensors\n"
             "  --data DIR         data.path: the images\n  --out RUNDIR       folder of the run\n"
             "  --depth D          train.depth; likewise --width W and --size N: another depth, width or input size\n"
             "  --resume           go on with the run in RUNDIR; its settings need not be given again\n"
             "  --serve [PORT]     its page for a browser while it runs, at 127.0.0.1 (or ADDRESS:PORT)\n"
             "  --reproducible     run.reproducible: the same losses for any number of threads\n  --quiet            "
             "no progress",
    .sections = "run,data,train,optim",
    .takes = "vodairqRHWZ",
    .run = command};
