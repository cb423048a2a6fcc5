#include <string.h>

#include "cli/latency_command.h"

static const struct {
  const char *name;
  spn_status (*run)(const spn_arguments *a, spn_err *err);
} parts[] = {{"fit", spn_cli_latency_fit},
             {"import", spn_cli_latency_import},
             {"kit", spn_cli_latency_kit},
             {"measure", spn_cli_latency_measure},
             {"predict", spn_cli_latency_predict}};
enum { PARTS = sizeof parts / sizeof *parts };

void spn_cli_print_agreement(const char *what, const spn_agreement *a, const char *unit) {
  printf(
      "%-34s %4d  RMSE %7.3f %s  MAPE %5.2f %%  worst %5.1f %%  within 10 %%: %5.1f %%  Kendall %.3f  Spearman %.3f\n",
      what, a->count, a->rmse, unit, 100 * a->mape, 100 * a->worst, 100 * a->within, a->kendall, a->spearman);
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  const char *names[PARTS + 1] = {NULL};
  int which = 0;
  for (int i = 0; i < PARTS; i++) names[i] = parts[i].name;
  SPN_TRY(spn_name_find(names, "spnas latency", a->words ? a->word[0] : "", &which, err));
  return parts[which].run(a, err);
}

const spn_command spn_cmd_latency = {
    .about = "Latency on a device: fits a model to measured tables and networks, predicts any network.",
    .usage =
        "spnas latency fit TABLE... --out FILE.json [--networks FILE.csv] [--holdout FILE.csv] [--plot FILE.csv]\n"
        "       spnas latency import FILE... --out TABLE.json [--network NETWORK]\n"
        "       spnas latency import KIT --out TABLE.json\n"
        "       spnas latency kit SPACE --out KIT\n"
        "       spnas latency measure SPACE --out TABLE.json\n"
        "       spnas latency measure NETWORK... [--out FILE.csv]\n"
        "       spnas latency predict MODEL NETWORK... [--json] [--depth D] [--width W] [--size N]\n\n"
        "  TABLE              a table: a name in data/latency or a file; the first one is the reference\n"
        "  --networks FILE    latency.networks: networks measured as a whole calibrate the model; CSV with the "
        "columns\n"
        "                     network (name in data/networks, file or block string), ms, width, input_size\n"
        "  --holdout FILE     latency.holdout: further networks, predicted only, to judge the model\n"
        "  --plot FILE        latency.plot: predicted against measured of every entry and network, as CSV\n"
        "  --out FILE         the model; search.cost takes it like a table\n"
        "  FILE               Single-Path NAS's JSON, ProxylessNAS' or OFA's YAML, CSV with the columns "
        "op,h,cin,cout,\n"
        "                     expand,kernel,stride,se,skip,ms,std,n, or an op profile of TFLite's benchmark_model\n"
        "  --network NETWORK  latency.network: what an op profile is of\n"
        "  KIT                folder of TFLite models with a script that runs them on a phone; imported, it gives the "
        "table\n"
        "                     and two CSVs beside it: networks that calibrate and networks that judge\n"
        "  SPACE              measured on this computer with oneDNN: every option of every layer\n"
        "  MODEL              a fitted model, or a table\n"
        "  NETWORK            arch.json, a name in data/networks, or a block string\n"
        "  --json             one JSON object a network instead of text",
    .sections = "latency",
    .takes = "wonhPjNqHWZ",
    .run = command};
