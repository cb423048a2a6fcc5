#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/serve.h"
#include "cli/summary.h"
#include "search/evaluator.h"
#include "search/method.h"
#include "train/data.h"
#include "train/machine.h"
#include "train/run.h"
#include "train/schedule.h"

/* "81.22 % on 5000 held-out images" */
static void score_text(const spn_score *score, const char *which, char *text, size_t size) {
  if (score->images) snprintf(text, size, "%.2f %% on %zu %s images", 100 * score->top1, score->images, which);
  else snprintf(text, size, "unknown without %s images", which);
}

static void report_inherited(const spn_problem *p, const spn_search_result *r) {
  char holdout[64], test[64];
  score_text(&r->inherited_holdout, "held-out", holdout, sizeof holdout);
  score_text(&r->inherited_test, "test", test, sizeof test);
  char proxy[80] = "";
  if (spn_space_is_proxy(p->space))
    snprintf(proxy, sizeof proxy, "; of the proxy, not the network of %.4g %s", r->cost, p->cost->unit);
  spn_summary_line("inherited", SPN_PLAIN, "top-1 %s, %s (supernet weights, not trained further%s)", holdout, test,
                   proxy);
}

static void report_evidence(const spn_evidence *e) {
  char text[SPN_EVIDENCE_TEXT], lacks[SPN_EVIDENCE_TEXT];
  if (e->of == SPN_EVIDENCE_NONE) return;
  spn_evidence_text(e, text);
  spn_evidence_lacks(e, lacks);
  spn_summary_line("evidence", lacks[0] ? SPN_WARN : SPN_PLAIN, "%s%s", lacks[0] ? "TOO LITTLE: " : "", text);
}

static void report(const char *folder, const spn_problem *p, const spn_search_result *r) {
  char text[1024], caveat[64];
  spn_choice_text(p->space, &r->choice, text, sizeof text);
  spn_summary_line("found", SPN_PLAIN, "%s", text);
  spn_cost_caveat(p->cost, caveat, sizeof caveat);
  char against[160];
  int keeps = spn_cost_worst(p->cost, &r->choice) <= p->target;
  if (p->free) snprintf(against, sizeof against, "no target: by lambda %g alone", p->settings->search_lambda);
  else
    snprintf(against, sizeof against, "target %.3f, %s; %d decision%s changed to meet it", p->target,
             r->within ? "met"
             : keeps   ? "kept; no network lies nearer below it"
                       : "NOT met",
             r->flips, r->flips == 1 ? "" : "s");
  spn_summary_line("predicted",
                   p->free ? SPN_PLAIN
                   : keeps ? SPN_GOOD
                           : SPN_BAD,
                   "%.3f %s%s%s%s (%s)", r->cost, p->cost->unit, caveat[0] ? " (" : "", caveat, caveat[0] ? ")" : "",
                   against);
  for (const spn_cost_limit *l = p->cost->limits; l; l = l->next) {
    double is = spn_cost_of(&l->cost, &r->choice);
    spn_summary_line("limit", is <= l->high ? SPN_GOOD : SPN_BAD, "%.6g %s of %.6g by %s", is, l->cost.unit, l->high,
                     l->cost.name);
  }
  report_evidence(&r->evidence);
  if (r->inherits) report_inherited(p, r);
  spn_summary_log("CE", folder, "metrics.jsonl", "ce", "batches");
  spn_summary_log("held-out CE", folder, "metrics.jsonl", "holdout_ce", "epochs");
  spn_summary_log(p->cost->unit, folder, "metrics.jsonl", "cost", "batches");
  spn_summary_log("accuracy", folder, "archive.jsonl", "accuracy", "evaluations");
  spn_summary_line("cost", SPN_PLAIN, "%.0f images, %.1f s in this process", r->images, r->seconds);
  spn_summary_line("files", SPN_PLAIN, "%s/report.html, arch.json%s", folder,
                   r->inherits ? ", inherited.safetensors, metrics.jsonl" : "");
}

/* "target 80 ms" */
static void target_text(const spn_problem *p, char *text, size_t size) {
  if (p->free) snprintf(text, size, "lambda %g without a target", p->settings->search_lambda);
  else snprintf(text, size, "target %.4g %s", p->target, p->cost->unit);
}

static void announce(const spn_problem *p, const char *size) {
  const spn_dataset *set = p->data->set;
  char target[64];
  target_text(p, target, sizeof target);
  spn_run_say(p->run, "space %s (10^%.1f networks), cost %s, %s; %s data, %zu training, %zu held-out, %zu test images",
              p->space->name, spn_space_log10_size(p->space), p->cost->name, target, spn_dataset_kind(set),
              spn_dataset_count(set, SPN_SPLIT_TRAIN), spn_dataset_count(set, SPN_SPLIT_HOLDOUT),
              spn_dataset_count(set, SPN_SPLIT_TEST));
  spn_run_say(p->run, "%s", size);
  char note[256];
  spn_data_note(p->data, note, sizeof note);
  if (note[0]) spn_run_say(p->run, "%s", note);
}

static spn_status search_images(const spn_cli_run *a, spn_settings *s, spn_space *space, const spn_cost *cost,
                                spn_err *err) {
  spn_data data;
  char size[SPN_SIZE_TEXT];
  spn_problem problem = {.settings = s, .space = space, .cost = cost, .data = &data, .warmup_only = a->warmup};
  SPN_TRY(spn_problem_budget(&problem, err));
  SPN_TRY(spn_data_open_set(s, &data, err));
  spn_status status = spn_problem_size(s, space, data.set, size, err);
  if (!status) status = spn_data_prepare(&data, s, space->proxy_size, space->base.input_channels, err);
  if (!status) status = spn_schedule_search(s, spn_dataset_count(data.set, SPN_SPLIT_TRAIN), err);
  if (!status) status = spn_run_open(a->out, s, "search", a->resume, a->quiet, &problem.run, err);
  if (!status) {
    spn_search_result result = {.images = 0};
    announce(&problem, size);
    status = spn_problem_search(&problem, &result, err);
    if (!status && !a->warmup) status = spn_cli_report(a->out, err);
    if (!status && !a->silent) {
      report(a->out, &problem, &result);
      spn_summary_unreadable(data.set);
    }
    spn_run_close(problem.run);
  }
  spn_data_close(&data);
  return status;
}

static spn_status search(const spn_cli_run *a, spn_settings *s, spn_err *err) {
  spn_network_options machine;
  spn_space space;
  spn_cost cost;
  SPN_TRY(spn_options_choose(s, &machine, err)); /* before anything is written */
  SPN_TRY(spn_space_load(s->search_space, &space, err));
  if (s->optim_dropout >= 0) space.base.dropout = s->optim_dropout;
  SPN_TRY(spn_problem_cost(s, &space, &cost, err));
  spn_status status = search_images(a, s, &space, &cost, err);
  spn_cost_free(&cost);
  return status;
}

static spn_status search_table(const spn_cli_run *a, spn_settings *s, const spn_space *space, const spn_cost *cost,
                               spn_err *err) {
  spn_problem problem = {.settings = s, .space = space, .cost = cost};
  spn_search_result result = {.images = 0};
  SPN_TRY(spn_problem_budget(&problem, err));
  SPN_TRY(spn_run_open(a->out, s, "search", a->resume, a->quiet, &problem.run, err));
  spn_run_say(problem.run, "space %s (10^%.1f networks), cost %s, target %.4g %s; no images", space->name,
              spn_space_log10_size(space), cost->name, problem.target, cost->unit);
  spn_status status = spn_problem_search(&problem, &result, err);
  if (!status) status = spn_cli_report(a->out, err);
  if (!status && !a->silent) report(a->out, &problem, &result);
  spn_run_close(problem.run);
  return status;
}

/* A table of finished networks needs neither images nor a machine that trains. */
static spn_status search_without_images(const spn_cli_run *a, spn_settings *s, spn_err *err) {
  spn_space space;
  spn_cost cost;
  SPN_TRY(spn_space_load(s->search_space, &space, err));
  SPN_TRY(spn_problem_cost(s, &space, &cost, err));
  spn_status status = search_table(a, s, &space, &cost, err);
  spn_cost_free(&cost);
  return status;
}

spn_status spn_cli_search(const spn_cli_run *where, spn_settings *s, spn_err *err) {
  int images;
  SPN_TRY(spn_problem_needs_images(s, &images, err));
  return images ? search(where, s, err) : search_without_images(where, s, err);
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  spn_settings s = a->settings;
  spn_cli_run where = {.out = a->out, .resume = a->resume, .quiet = a->quiet};
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the folder of the run, got nothing");
  spn_server *server = NULL;
  if (a->serve) SPN_TRY(spn_serve_open(a->out, a->serve, &server, err));
  spn_status status = spn_cli_search(&where, &s, err);
  spn_serve_close(server);
  return status;
}

static void list_methods(FILE *out) {
  fprintf(out, "\nMethods (search.method):\n\n");
  for (int i = 0; spn_methods[i]; i++) fprintf(out, "  %-10s %s\n", spn_method_names[i], spn_methods[i]->about);
  fprintf(out, "\nEvaluators (search.evaluator), for methods that ask:\n\n");
  for (int i = 0; spn_evaluators[i]; i++)
    fprintf(out, "  %-10s %s\n", spn_evaluator_names[i], spn_evaluators[i]->about);
}

const spn_command spn_cmd_search = {
    .about = "Searches a network under a cost budget.",
    .usage = "spnas search --data DIR --target MS --out RUNDIR [--config FILE] [--set a.b=c]... [--resume] [--serve "
             "[PORT]] [--quiet] "
             "[--reproducible]\n\n"
             "  --data DIR         data.path: the images\n  --target MS        search.target: the budget in units of "
             "search.cost\n"
             "  --out RUNDIR       folder of the run: config, log, checkpoints, arch.json, weights\n"
             "  --resume           go on with the run in RUNDIR; its settings need not be given again\n"
             "  --serve [PORT]     its page for a browser while it runs, at 127.0.0.1 (or ADDRESS:PORT)\n"
             "  --reproducible     run.reproducible: the same losses for any number of threads\n  --quiet            "
             "no progress",
    .help = list_methods,
    .sections = "run,data,search,train,optim",
    .takes = "vodtrqR",
    .run = command};
