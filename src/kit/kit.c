#include "kit/kit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/version.h"
#include "export/interpret.h"
#include "export/tflite.h"
#include "io/file.h"
#include "io/sha256.h"
#include "kit/templates.h"
#include "latency/table.h"

enum { MAX_KIT_PARTS = 4096, CHECKED = 8 };

typedef struct {
  const spn_kit_options *options;
  spn_json_writer manifest;
  spn_part *seen; /* (MAX_KIT_PARTS): parts that have a file */
  int parts, files, expected;
  spn_err *err;
} kit;

/* One file to write: which part of which network, and what the manifest says of it. */
typedef struct {
  const spn_arch *arch;
  int block; /* as in spn_kit_weights */
  spn_lower_part lower;
  const char *use;
  const spn_part *part;
  int parts;
  const char *arch_file;
} item;

static void put_part(spn_json_writer *w, const spn_part *p) {
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(w, "part", spn_part_names[p->kind]);
  spn_json_put_integer(w, "h", p->h);
  spn_json_put_integer(w, "in", p->in);
  spn_json_put_integer(w, "out", p->out);
  if (p->kind == SPN_PART_BLOCK || p->kind == SPN_PART_STEM) {
    spn_json_put_integer(w, "kernel", p->kernel);
    spn_json_put_integer(w, "stride", p->stride);
  }
  if (p->kind == SPN_PART_BLOCK) {
    spn_json_put_integer(w, "expand", p->expand);
    spn_json_put_number(w, "se", p->se);
    spn_json_put_flag(w, "residual", p->residual);
  }
  spn_json_end(w);
}

/* The first outputs for a fixed input, by our own plain loops: whoever runs the file can compare. */
static spn_status put_check(kit *k, const spn_lowered *net) {
  const spn_lowered_node *last = &net->node[net->count - 1];
  size_t inputs = spn_lowered_elements(&net->node[0]), outputs = spn_lowered_elements(last);
  float *in = malloc(inputs * sizeof *in), *out = malloc(outputs * sizeof *out), largest = 0;
  spn_status status = in && out ? SPN_OK : spn_fail(k->err, SPN_ENOMEM, "latency kit: out of memory");
  for (size_t i = 0; !status && i < inputs; i++) in[i] = (float)(i * 7919 % 2048) / 1024 - 1;
  if (!status) status = spn_interpret(net, 1, in, 1, out, NULL, k->err);
  for (size_t i = 0; !status && i < outputs; i++) largest = fmaxf(largest, fabsf(out[i]));
  if (!status) {
    spn_json_array(&k->manifest, "check", SPN_JSON_INLINE);
    for (size_t i = 0; i < CHECKED && i < outputs; i++) spn_json_put_rounded(&k->manifest, NULL, out[i], 9);
    spn_json_end(&k->manifest);
    spn_json_put_rounded(&k->manifest, "largest", largest, 9);
  }
  free(in);
  free(out);
  return status;
}

static spn_status describe(kit *k, const item *it, const char *file, const char *path, const spn_lowered *net) {
  char sum[SPN_SHA256_TEXT];
  spn_json_writer *w = &k->manifest;
  SPN_TRY(spn_sha256_file(path, sum, k->err));
  spn_json_object(w, NULL, SPN_JSON_INLINE);
  spn_json_put_text(w, "file", file);
  spn_json_put_text(w, "sha256", sum);
  spn_json_put_text(w, "use", it->use);
  if (it->arch_file) spn_json_put_text(w, "arch", it->arch_file);
  if (it->parts) {
    spn_json_array(w, "parts", SPN_JSON_INLINE);
    for (int i = 0; i < it->parts; i++) put_part(w, &it->part[i]);
    spn_json_end(w);
  }
  SPN_TRY(put_check(k, net));
  spn_json_end(w);
  return SPN_OK;
}

static spn_status write_item(kit *k, const item *it, const char *name) {
  char file[64], path[4200];
  spn_tensors *weights;
  spn_lowered *net = NULL;
  const spn_export_options options = spn_export_defaults();
  snprintf(file, sizeof file, "models/%s.tflite", name);
  snprintf(path, sizeof path, "%s/%s", k->options->folder, file);
  SPN_TRY(spn_kit_weights(it->arch, it->block, k->options->seed, &weights, k->err));
  spn_status status = spn_lower(it->arch, weights, &options, it->block == SPN_KIT_ALL ? NULL : &it->lower, &net,
                                k->err);
  spn_tensors_free(weights);
  if (!status) status = spn_tflite_write(net, NULL, name, NULL, path, k->err);
  if (!status) status = describe(k, it, file, path, net);
  spn_lowered_free(net);
  k->files++;
  if (!status && k->options->progress) k->options->progress(k->files, k->expected);
  return status;
}

/* ---- Parts ---- */

static int is_new(kit *k, const spn_part *part) {
  for (int i = 0; i < k->parts; i++)
    if (spn_part_same(&k->seen[i], part) && k->seen[i].residual == part->residual) return 0;
  if (k->parts < MAX_KIT_PARTS) k->seen[k->parts++] = *part;
  return 1;
}

static spn_status write_block(kit *k, const spn_arch *arch, int layer, const spn_part *part) {
  char name[32];
  if (!is_new(k, part)) return SPN_OK;
  snprintf(name, sizeof name, "p%04d", k->parts);
  return write_item(k, &(item){arch, layer, {0, layer, 1, 0}, "part", part, 1, NULL}, name);
}

/* Every option of a layer, in a network of largest options around it. */
static spn_status write_layer(kit *k, int layer, int h) {
  const spn_layer *l = &k->options->space->layer[layer];
  spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
  int count = spn_layer_choices(l, all);
  spn_choice choice;
  spn_choice_max(k->options->space, &choice);
  for (int i = 0; i < count; i++) {
    spn_arch arch;
    if (!all[i].keep) continue;
    choice.layer[layer] = all[i];
    spn_space_arch(k->options->space, &choice, 0, &arch);
    spn_part part = spn_part_of_option(l, all[i].kernel, all[i].expand, all[i].se, h);
    SPN_TRY(write_block(k, &arch, layer, &part));
  }
  return SPN_OK;
}

/* The classifier by itself is the tail of a network whose last block gives what the head would. */
static spn_status write_around(kit *k, const spn_arch *arch) {
  spn_part part[SPN_MAX_PARTS];
  int index[SPN_MAX_PARTS], count = spn_parts_of(arch, part, index);
  SPN_TRY(write_item(k, &(item){arch, SPN_KIT_STEM, {1, 0, 0, 0}, "part", &part[0], 1, NULL}, "stem"));
  int head = arch->head_channels > 0;
  SPN_TRY(write_item(
      k,
      &(item){
          arch, SPN_KIT_TAIL, {0, arch->blocks, 0, 1}, head ? "tail" : "part", &part[count - 1 - head], 1 + head, NULL},
      "tail"));
  if (!head) return SPN_OK;
  spn_arch bare = *arch;
  bare.block[bare.blocks - 1].out = arch->head_channels;
  bare.block[bare.blocks - 1].residual = 0;
  bare.head_channels = 0;
  return write_item(k, &(item){&bare, SPN_KIT_TAIL, {0, bare.blocks, 0, 1}, "part", &part[count - 1], 1, NULL},
                    "classifier");
}

static spn_status write_parts(kit *k) {
  const spn_space *space = k->options->space;
  spn_part part[SPN_MAX_PARTS];
  int index[SPN_MAX_PARTS];
  spn_arch arch;
  spn_choice choice;
  spn_choice_max(space, &choice);
  spn_space_arch(space, &choice, 0, &arch);
  SPN_TRY(write_around(k, &arch));
  int count = spn_parts_of(&arch, part, index);
  for (int i = 0; i < count; i++)
    if (index[i] >= 0) SPN_TRY(write_layer(k, index[i], part[i].h));
  return SPN_OK;
}

/* ---- Networks ---- */

static spn_status write_networks(kit *k) {
  const spn_kit_options *o = k->options;
  for (int i = 0; i < o->networks + o->holdout; i++) {
    char name[32], file[64], path[4200];
    spn_choice choice;
    spn_arch arch;
    spn_json_writer w = {0};
    spn_choice_random(o->space, o->seed, (uint64_t)i, &choice);
    spn_space_arch(o->space, &choice, 0, &arch);
    snprintf(name, sizeof name, "n%03d", i + 1);
    snprintf(file, sizeof file, "networks/%s.json", name);
    snprintf(path, sizeof path, "%s/%s", o->folder, file);
    snprintf(arch.name, sizeof arch.name, "%s", name);
    spn_json_begin(&w);
    spn_arch_put(&w, NULL, &arch);
    SPN_TRY(spn_json_save(&w, path, k->err));
    const char *use = i < o->networks ? "calibration" : "holdout";
    SPN_TRY(write_item(k, &(item){&arch, SPN_KIT_ALL, {1, 0, arch.blocks, 1}, use, NULL, 0, file}, name));
  }
  return SPN_OK;
}

/* ---- Whole ---- */

static spn_status make_folders(kit *k) {
  static const char *const inner[] = {"", "/models", "/networks"};
  char path[4200];
  struct stat known;
  snprintf(path, sizeof path, "%s/manifest.json", k->options->folder);
  if (!stat(path, &known))
    return spn_fail(k->err, SPN_EINPUT, "%s holds a kit already; choose another --out", k->options->folder);
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s%s", k->options->folder, inner[i]);
    SPN_TRY(spn_folder_create(path, k->err));
  }
  return SPN_OK;
}

static spn_status write_text(kit *k, const char *file, const char *text, int runs) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", k->options->folder, file);
  SPN_TRY(spn_file_write(path, text, strlen(text), k->err));
  if (runs && chmod(path, 0755)) return spn_fail(k->err, SPN_EIO, "%s: cannot be made executable", path);
  return SPN_OK;
}

static int count_files(const spn_space *space) {
  int count = 3;
  for (int i = 0; i < space->layers; i++) {
    spn_layer_choice all[SPN_MAX_LAYER_CHOICES];
    count += spn_layer_choices(&space->layer[i], all) - space->layer[i].skippable;
  }
  return count;
}

static spn_status write_all(kit *k) {
  spn_json_writer *w = &k->manifest;
  char path[4200];
  SPN_TRY(make_folders(k));
  spn_json_begin(w);
  spn_json_object(w, NULL, SPN_JSON_LINES);
  spn_json_put_integer(w, "kit", 1);
  spn_json_put_text(w, "spnas", spn_version());
  spn_json_put_text(w, "space", k->options->space->name);
  spn_json_put_text(w, "check_input", "x[i] = i * 7919 mod 2048 / 1024 - 1");
  spn_json_array(w, "files", SPN_JSON_LINES);
  SPN_TRY(write_parts(k));
  SPN_TRY(write_networks(k));
  spn_json_end(w);
  spn_json_end(w);
  SPN_TRY(write_text(k, "run.sh", spn_template_kit_run, 1));
  SPN_TRY(write_text(k, "README.md", spn_template_kit_readme, 0));
  snprintf(path, sizeof path, "%s/manifest.json", k->options->folder);
  return spn_json_save(w, path, k->err); /* last: a kit with a manifest is whole */
}

spn_status spn_kit_write(const spn_kit_options *options, int *files, spn_err *err) {
  char decision[SPN_DECISION_NAME];
  if (spn_space_coupled(options->space, decision))
    return spn_fail(err, SPN_EINPUT,
                    "latency kit: expected a space of independent layers, whose parts can be listed; in space %s they "
                    "depend on %s",
                    options->space->name, decision);
  kit k = {.options = options, .err = err, .seen = malloc(sizeof *k.seen * MAX_KIT_PARTS)};
  if (!k.seen) return spn_fail(err, SPN_ENOMEM, "latency kit: out of memory");
  k.expected = count_files(options->space) + options->networks + options->holdout;
  spn_status status = write_all(&k);
  free(k.seen);
  spn_json_writer_free(&k.manifest);
  *files = k.files;
  return status;
}
