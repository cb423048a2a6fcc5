#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "export/import.h"
#include "train/model_file.h"

/* The evaluation that the network was made with: that project's own, or timm's; settings that say otherwise win. */
static spn_status preprocessing(const spn_settings *s, const spn_imported *net, spn_transform *t, spn_err *err) {
  static const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225}; /* ImageNet's */
  static const double crop = 0.875;
  t->size = net->arch.input_size;
  t->channels = net->arch.input_channels;
  t->eval_crop = s->data_eval_crop > 0 ? s->data_eval_crop : net->has_preprocessing ? net->eval_crop : crop;
  t->resize = s->data_resize;
  t->framing = net->has_preprocessing ? SPN_FRAME_ROUNDED : SPN_FRAME_TORCHVISION;
  for (int i = 0; i < 3; i++) {
    t->mean[i] = (float)(net->has_preprocessing ? net->mean[i] : mean[i]);
    t->std[i] = (float)(net->has_preprocessing ? net->std[i] : std[i]);
  }
  return spn_data_numbers(s, t, err);
}

static spn_status import(const spn_arguments *a, spn_imported *net, spn_err *err) {
  const size_t n = strlen(a->positional);
  spn_named_arch named;
  if (n > 5 && !strcmp(a->positional + n - 5, ".json")) return spn_import_proxyless(a->positional, net, err);
  if (!a->settings.train_arch[0]) return spn_import_timm(a->positional, NULL, net, err);
  SPN_TRY(spn_cli_load_arch(&a->settings, a->settings.train_arch, &named, err));
  if (named.note[0]) fprintf(stderr, "spnas import: %s\n", named.note);
  return spn_import_timm(a->positional, &named.arch, net, err);
}

/* A file that spnas exported tells its preprocessing and facts itself. */
static spn_status describe(const spn_settings *s, const spn_imported *net, spn_err *err) {
  spn_transform eval = {.size = 0};
  if (!spn_tensors_meta(net->weights, "spnas.preprocessing")) {
    SPN_TRY(preprocessing(s, net, &eval, err));
    return spn_model_describe(net->weights, &net->arch, &eval, err);
  }
  char *json = spn_arch_to_json(&net->arch);
  if (!json) return spn_fail(err, SPN_ENOMEM, "import: out of memory");
  spn_status status = spn_tensors_set_meta(net->weights, "spnas.arch", json, err);
  free(json);
  return status;
}

/* From --names, else from a file that spnas exported. */
static spn_status name_classes(const spn_settings *s, const spn_imported *net, spn_err *err) {
  const char *own = spn_tensors_meta(net->weights, "class_names"); /* what exports call them (export/facts.c) */
  char **names;
  int count;
  if (!s->import_names[0]) return own ? spn_tensors_set_meta(net->weights, "spnas.classes", own, err) : SPN_OK;
  SPN_TRY(spn_class_names_load(s->import_names, &names, &count, err));
  spn_status status = SPN_OK;
  if (count != net->arch.classes)
    status = spn_fail(err, SPN_EINPUT,
                      "%.800s: expected %d names, one a line, for as many classes of the network, got %d",
                      s->import_names, net->arch.classes, count);
  else status = spn_model_name_classes(net->weights, (const char *const *)names, count, err);
  if (!status && own) /* exports take what is there as it is */
    status = spn_tensors_set_meta(net->weights, "class_names", spn_tensors_meta(net->weights, "spnas.classes"), err);
  spn_class_names_free(names, count);
  return status;
}

static spn_status save(const spn_arguments *a, const spn_imported *net, spn_err *err) {
  SPN_TRY(describe(&a->settings, net, err));
  SPN_TRY(name_classes(&a->settings, net, err));
  SPN_TRY(spn_tensors_set_meta(net->weights, "spnas.imported", a->positional, err));
  return spn_tensors_save(net->weights, a->out, err);
}

static spn_status command(const spn_arguments *a, spn_err *err) {
  spn_imported net;
  if (!a->positional) return spn_fail(err, SPN_EINPUT, "expected a network to import, got nothing; see --help");
  if (!a->out) return spn_fail(err, SPN_EINPUT, "--out: expected the file to write, got nothing");
  SPN_TRY(import(a, &net, err));
  spn_status status = save(a, &net, err);
  if (!status) {
    const spn_counts counts = spn_arch_counts(&net.arch);
    printf("%s at %dx%d: %.3f M parameters, %.1f M MACs, %d classes\nwrote %s\n", net.arch.name, net.arch.input_size,
           net.arch.input_size, (double)counts.params * 1e-6, (double)counts.macs * 1e-6, net.arch.classes, a->out);
  }
  spn_imported_free(&net);
  return status;
}

const spn_command spn_cmd_import = {
    .about = "Turns another program's trained network into ours, to evaluate, fine-tune and export it.",
    .usage =
        "spnas import FILE --out NETWORK.safetensors [--arch ARCH] [--names FILE] [--set data.mean=0.5]...\n\n"
        "  FILE               safetensors with timm's names; or ProxylessNAS: <name>.json with <name>.f32.bin and\n"
        "                     <name>.manifest.json beside it\n"
        "  --arch ARCH        the network that timm's weights belong to (arch.json, a name in data/networks, a "
        "block\n"
        "                     string; its padding, activation and input size count); not needed for spnas's own "
        "exports\n"
        "                     (with --depth D, --width W, --size N: one of another depth, width or size)\n"
        "  --names FILE       import.names: names of the classes, one a line, in the order of the classifier's "
        "outputs\n"
        "  --out FILE         the file to write, for eval, predict, export and train --init",
    .sections = "data",
    .takes = "poaCHWZ",
    .run = command};
