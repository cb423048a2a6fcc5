/* The found or trained network layer by layer, and its neighbours: what the run's files leave to be computed. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/datapath.h"
#include "io/tensors.h"
#include "latency/price.h"
#include "model/frame_json.h"
#include "report/pieces.h"
#include "train/origin.h"

enum { MAX_PATH = 4096, RANDOM_NETWORKS = 300, RANDOM_SEED = 1, NAME = 256 };

/* Names of what the run is about; "" where nobody says. */
typedef struct {
  char space[MAX_PATH], cost[MAX_PATH];
  char note[512];               /* of the weights, or "" */
  int has_arch, priced, placed; /* priced: the space and its cost are there; placed: the network lies in it */
  spn_arch arch;
  spn_space at;
  spn_cost by;
  spn_choice choice;
} subject;

static void take_text(const spn_json *object, const char *key, char out[MAX_PATH]) {
  spn_json at = spn_json_get(object, key);
  const char *text;
  if (!out[0] && spn_json_is_string(&at) && !spn_json_string(&at, &text, NULL)) snprintf(out, MAX_PATH, "%s", text);
}

/* The network, space and cost that a training's weights name. */
static void read_weights(spn_report *r, subject *s) {
  char path[MAX_PATH];
  spn_tensors *set;
  spn_json_doc *doc;
  spn_err why;
  if (spn_report_path(r, "best.safetensors", path, sizeof path, &why)) return;
  if (spn_tensors_load(path, &set, &why)) {
    spn_report_note(r, "no trained network yet: %s", why.text);
    return;
  }
  const char *text = spn_tensors_meta(set, "spnas.arch");
  const char *space = spn_tensors_meta(set, "spnas.space"), *cost = spn_tensors_meta(set, "spnas.cost");
  const char *note = spn_tensors_meta(set, SPN_ORIGIN_NOTE_KEY);
  if (note) snprintf(s->note, sizeof s->note, "%s", note);
  if (space) snprintf(s->space, MAX_PATH, "%s", space);
  if (cost) snprintf(s->cost, MAX_PATH, "%s", cost);
  if (text && !spn_json_parse(path, text, strlen(text), &doc, &why)) {
    spn_json root = spn_json_root(doc);
    s->has_arch = !spn_arch_read(&root, &s->arch, NULL, &why);
    spn_json_free(doc);
  }
  if (!s->has_arch) spn_report_note(r, "%s: names no network", path);
  spn_tensors_free(set);
}

static void read_subject(spn_report *r, const spn_json *config, const spn_json *arch, subject *s) {
  spn_err why;
  spn_json search = spn_json_get(config, "search"), network = spn_json_get(arch, "arch");
  if (spn_json_is_object(&network)) {
    s->has_arch = !spn_arch_read(arch, &s->arch, NULL, &why);
    if (!s->has_arch) spn_report_note(r, "%s", why.text);
  }
  take_text(arch, "space", s->space);
  take_text(arch, "cost", s->cost);
  if (r->is_training) {
    read_weights(r, s);
    return; /* what a search would have looked in says nothing here */
  }
  take_text(&search, "space", s->space);
  take_text(&search, "cost", s->cost);
}

static void find_place(spn_report *r, subject *s) {
  spn_err why;
  if (!s->space[0] || !s->cost[0]) return;
  s->priced = !spn_space_load(s->space, &s->at, &why) && !spn_cost_load(s->cost, &s->at, &s->by, &why);
  if (!s->priced) spn_report_note(r, "costs of layers are left out: %s", why.text);
  if (!s->priced || !s->has_arch) return;
  s->placed = !spn_space_match(&s->at, &s->arch, &s->choice, &why) && s->arch.blocks == s->at.layers;
  if (!s->placed && !r->is_training) /* what is trained may well be the proxy, or scaled */
    spn_report_note(r, "costs of layers: the network is none that space %s prices", s->at.name);
}

static void put_layer(spn_json_writer *w, const spn_block *b, const spn_layer_profile *l, int priced) {
  spn_json_object(w, NULL, SPN_JSON_DENSE);
  spn_json_put_integer(w, "layer", l->block);
  spn_json_put_integer(w, "size", l->size);
  spn_json_put_integer(w, "in", l->in);
  spn_json_put_integer(w, "out", l->out);
  spn_json_put_flag(w, "skipped", b->skipped);
  spn_json_put_integer(w, "kernel", b->kernel);
  spn_json_put_integer(w, "stride", b->stride);
  spn_json_put_integer(w, "expand", b->expand);
  spn_json_put_number(w, "se", b->se);
  spn_json_put_integer(w, "params", l->counts.params);
  spn_json_put_integer(w, "macs", l->counts.macs);
  if (priced) spn_json_put_number(w, "cost", isnan(l->cost) ? 0 : l->cost); /* 0: in the rest */
  spn_json_end(w);
}

static void put_network(spn_report *r, const subject *s) {
  spn_json_writer *w = &r->data;
  spn_profile p;
  const int priced = s->placed && !s->by.whole;
  spn_profile_of(&s->arch, &p);
  if (s->placed) spn_profile_price(&p, &s->arch, &s->by, &s->choice);
  spn_json_object(w, "network", SPN_JSON_DENSE);
  spn_json_put_text(w, "name", s->arch.name);
  spn_json_put_integer(w, "input", s->arch.input_size);
  spn_json_put_integer(w, "stem", s->arch.stem_channels);
  spn_json_put_integer(w, "head", s->arch.head_channels);
  spn_json_put_integer(w, "classes", s->arch.classes);
  spn_json_put_integer(w, "params", p.counts.params);
  spn_json_put_integer(w, "macs", p.counts.macs);
  if (s->note[0]) spn_json_put_text(w, "note", s->note);
  if (s->placed) spn_json_put_number(w, "cost", p.cost);
  if (priced) spn_json_put_number(w, "rest", p.rest);
  spn_json_array(w, "layers", SPN_JSON_DENSE);
  for (int i = 0; i < p.layers; i++)
    if (p.layer[i].kind == SPN_LAYER_BLOCK) put_layer(w, &s->arch.block[p.layer[i].block], &p.layer[i], priced);
  spn_json_end(w);
  spn_json_end(w);
}

static void put_indicators(spn_report *r, const subject *s) {
  spn_decisions decisions;
  spn_json_array(&r->data, "indicators", SPN_JSON_DENSE);
  spn_decisions_of(&s->at, &decisions);
  for (int i = 0; i < decisions.count; i++)
    for (int option = 1; option < decisions.list[i].options; option++) {
      const spn_decision *d = &decisions.list[i];
      char what[24], name[64];
      spn_option_text(&s->at.layer[d->layer], d->kind, option, what, sizeof what);
      snprintf(name, sizeof name, "layer %d %s", d->layer, what);
      spn_json_put_text(&r->data, NULL, name);
    }
  spn_json_end(&r->data);
}

static void put_known_network(spn_report *r, const subject *s, const char *name) {
  spn_arch arch;
  spn_choice choice;
  spn_err why;
  if (spn_arch_load(name, &arch, &why)) return;
  spn_counts c = spn_arch_counts(&arch);
  spn_json_object(&r->data, NULL, SPN_JSON_DENSE);
  spn_json_put_text(&r->data, "name", name);
  spn_json_put_integer(&r->data, "params", c.params);
  spn_json_put_integer(&r->data, "macs", c.macs);
  if (!spn_space_match(&s->at, &arch, &choice, &why))
    spn_json_put_number(&r->data, "cost", spn_cost_of(&s->by, &choice));
  spn_json_end(&r->data);
}

static int names_json(const struct dirent *e) {
  size_t n = strlen(e->d_name);
  return n > 5 && n < NAME && !strcmp(e->d_name + n - 5, ".json");
}

/* Every network of the data folder; the folder is found by way of one that is always there. */
static void put_known(spn_report *r, const subject *s) {
  char path[MAX_PATH], name[NAME];
  struct dirent **entry;
  spn_err why;
  if (spn_data_path("networks", "single-path-nas", path, sizeof path, &why) || !strrchr(path, '/')) return;
  *strrchr(path, '/') = 0;
  int count = scandir(path, &entry, names_json, alphasort);
  if (count < 0) return;
  spn_json_array(&r->data, "known", SPN_JSON_DENSE);
  for (int i = 0; i < count; i++) {
    snprintf(name, sizeof name, "%.*s", (int)strlen(entry[i]->d_name) - 5, entry[i]->d_name);
    put_known_network(r, s, name);
    free(entry[i]);
  }
  free(entry);
  spn_json_end(&r->data);
}

static void put_random(spn_report *r, const subject *s) {
  spn_arch arch;
  spn_choice choice;
  double least, most;
  spn_json_writer *w = &r->data;
  spn_cost_range(&s->by, &s->at, &least, &most);
  spn_json_object(w, "space", SPN_JSON_DENSE);
  spn_json_put_text(w, "name", s->at.name);
  spn_json_put_number(w, "log10_networks", spn_space_log10_size(&s->at));
  spn_json_put_text(w, "cost", s->by.name);
  spn_json_put_text(w, "unit", s->by.unit);
  spn_json_put_text(w, "source", s->by.source);
  spn_json_put_number(w, "cheapest", least);
  spn_json_put_number(w, "dearest", most);
  spn_json_array(w, "random", SPN_JSON_DENSE);
  for (uint64_t i = 0; i < RANDOM_NETWORKS; i++) {
    spn_choice_random(&s->at, RANDOM_SEED, i, &choice);
    spn_space_arch(&s->at, &choice, 0, &arch);
    spn_json_array(w, NULL, SPN_JSON_DENSE);
    spn_json_put_number(w, NULL, spn_cost_of(&s->by, &choice));
    spn_json_put_integer(w, NULL, spn_arch_counts(&arch).macs);
    spn_json_end(w);
  }
  spn_json_end(w);
  spn_json_end(w);
}

spn_status spn_report_network(spn_report *r, const spn_json *config, const spn_json *arch, spn_err *err) {
  subject *s = calloc(1, sizeof *s);
  if (!s) return spn_fail(err, SPN_ENOMEM, "report: out of memory");
  read_subject(r, config, arch, s);
  find_place(r, s);
  if (s->has_arch) put_network(r, s);
  if (s->priced) {
    put_indicators(r, s);
    put_known(r, s);
    put_random(r, s);
  }
  spn_cost_free(&s->by);
  free(s);
  return SPN_OK;
}
