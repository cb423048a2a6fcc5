#include <stdio.h>

#include "cli/cli.h"
#include "train/machine.h"
#include "train/model_file.h"
#include "train/schedule.h"
#include "train/trainer.h"

static spn_status train(const spn_arguments *a, spn_settings *s, spn_arch *arch, const spn_tensors *init,
                        spn_err *err) {
  spn_data data;
  spn_run *run;
  SPN_TRY(spn_data_open(s, arch->input_size, arch->input_channels, &data, err));
  arch->classes = data.classes;
  if (s->optim_dropout >= 0) arch->dropout = s->optim_dropout;
  spn_status status = spn_schedule_train(s, spn_dataset_count(data.set, SPN_SPLIT_TRAIN), err);
  if (!status) status = spn_run_open(a->out, s, "train", a->resume, a->quiet, &run, err);
  if (!status) {
    spn_train_result r;
    spn_counts counts = spn_arch_counts(arch);
    spn_run_say(
        run,
        "network %s at %dx%d: %.3f M parameters, %.1f M MACs; %s data, %zu training, %zu held-out, %zu test images",
        arch->name, arch->input_size, arch->input_size, (double)counts.params * 1e-6, (double)counts.macs * 1e-6,
        spn_dataset_kind(data.set), spn_dataset_count(data.set, SPN_SPLIT_TRAIN),
        spn_dataset_count(data.set, SPN_SPLIT_HOLDOUT), spn_dataset_count(data.set, SPN_SPLIT_TEST));
    char note[256];
    spn_data_note(&data, note, sizeof note);
    if (note[0]) spn_run_say(run, "%s", note);
    status = spn_train(run, s, arch, &data, init, &r, err);
    if (!status)
      printf(
          "trained     best epoch %d: top-1 %.2f %% on %zu held-out images\ntest        top-1 %.2f %%, top-5 %.2f %% "
          "on %zu images\n"
          "time        %.1f s in this process\nfiles       %s/best.safetensors, %s/last.safetensors, %s/result.json\n",
          r.best_epoch, 100 * r.best_holdout.top1, r.best_holdout.images, 100 * r.test.top1, 100 * r.test.top5,
          r.test.images, r.seconds, a->out, a->out, a->out);
    spn_run_close(run);
  }
  spn_data_close(&data);
  return status;
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  spn_network_options machine;
  spn_arch arch;
  spn_model init = {0};
  char note[256];
  spn_settings settings = a->settings, *s = &settings;
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the folder of the run, got nothing");
  SPN_TRY(spn_options_choose(s, &machine, err)); /* before anything is written */
  SPN_TRY(spn_cli_load_arch(s, s->train_arch, &arch, note, err));
  if (note[0]) fprintf(stderr, "spnas train: %s\n", note);
  if (s->train_init[0]) SPN_TRY(spn_model_load(s->train_init, &init, err));
  spn_status status = train(a, s, &arch, init.tensors, err);
  if (init.tensors) spn_model_free(&init);
  return status;
}

const spn_command spn_cmd_train = {
    .about = "Trains a network: a found one, a reference one, or one given as a block string.",
    .usage = "spnas train --arch ARCH --data DIR --out RUNDIR [--init WEIGHTS] [--config FILE] [--set a.b=c]... "
             "[--resume] [--quiet] [--reproducible]\n\n"
             "  --arch ARCH        train.arch: a search's arch.json, a name in data/networks, or a block string\n"
             "  --init WEIGHTS     train.init: start from these weights, for example a search's inherited.safetensors\n"
             "  --data DIR         data.path: the images\n  --out RUNDIR       folder of the run\n"
             "  --resume           go on from the newest valid checkpoint in RUNDIR\n"
             "  --reproducible     run.reproducible: the same losses for any number of threads\n  --quiet            "
             "no progress",
    .sections = "run,data,train,optim",
    .takes = "odairqR",
    .run = command};
