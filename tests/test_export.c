/* Exports small random networks, reads the files back as protocol buffers and checks the graph. With a folder as
 * argument the models stay there beside `<name>.input.f32` and `<name>.logits.f32`, for tests/check_onnx.py. */
#include <ctype.h>
#include <unistd.h>

#include "check.h"
#include "export_case.h"
#include "export/lower.h"
#include "export/tflite.h"
#include "io/file.h"
#include "test_export_forward.h"

enum { BATCH = 2 };

/* ---- Reading the file back ---- */

typedef struct {
  const unsigned char *p, *end;
} bytes;
typedef struct {
  int number, wire;
  uint64_t value;
  bytes content;
} field;

static uint64_t read_varint(bytes *b) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (b->p >= b->end) break;
    value |= (uint64_t)(*b->p & 127) << shift;
    if (!(*b->p++ & 128)) return value;
  }
  CHECK(0, "a varint does not end");
  b->p = b->end;
  return 0;
}

static int next_field(bytes *b, field *f) {
  if (b->p >= b->end) return 0;
  uint64_t tag = read_varint(b), left, size;
  *f = (field){.number = (int)(tag >> 3), .wire = (int)(tag & 7)};
  if (f->wire == 0) {
    f->value = read_varint(b);
    return 1;
  }
  size = f->wire == 2 ? read_varint(b) : f->wire == 5 ? 4 : 8;
  left = (uint64_t)(b->end - b->p);
  CHECK(f->wire == 2 || f->wire == 5 || f->wire == 1, "wire type %d", f->wire);
  CHECK(size <= left, "field %d: %llu bytes, %llu left", f->number, (unsigned long long)size, (unsigned long long)left);
  if (size > left) size = left;
  f->content = (bytes){b->p, b->p + size};
  b->p += size;
  return 1;
}

static field find_field(bytes b, int number) {
  field f;
  while (next_field(&b, &f))
    if (f.number == number) return f;
  return (field){0};
}

static char *text_of(bytes b) { return strndup((const char *)b.p, (size_t)(b.end - b.p)); }

typedef struct {
  char *name[1024];
  int count;
} names;

static int has(const names *set, const char *name) {
  for (int i = 0; i < set->count; i++)
    if (!strcmp(set->name[i], name)) return 1;
  return 0;
}
static void put(names *set, char *name) { /* takes name over */
  int identifier = isalpha((unsigned char)*name) || *name == '_';
  for (const char *p = name; *p; p++) identifier &= isalnum((unsigned char)*p) || *p == '_';
  CHECK(identifier, "%s is no C identifier", name);
  CHECK(!has(set, name), "%s stands twice", name);
  if (set->count < 1024) set->name[set->count++] = name;
}
static void clear(names *set) {
  while (set->count) free(set->name[--set->count]);
}

static void check_constant(bytes tensor, names *defined) {
  uint64_t elements = 1;
  field f;
  put(defined, text_of(find_field(tensor, 8).content));
  bytes raw = find_field(tensor, 9).content;
  while (next_field(&tensor, &f))
    if (f.number == 1) elements *= f.value;
  CHECK((uint64_t)(raw.end - raw.p) == 4 * elements, "%s: raw data of another size", defined->name[defined->count - 1]);
}

/* Inputs stand before their readers; every output is declared. Returns the number of nodes of an operator. */
static int check_graph(bytes graph, const char *op) {
  names defined = {.count = 0}, declared = {.count = 0};
  field f, g;
  int found = 0;
  for (bytes b = graph; next_field(&b, &f);) {
    if (f.number == 5) check_constant(f.content, &defined);
    if (f.number == 11) put(&defined, text_of(find_field(f.content, 1).content));
    if (f.number == 12 || f.number == 13) put(&declared, text_of(find_field(f.content, 1).content));
  }
  for (bytes b = graph; next_field(&b, &f);) {
    if (f.number != 1) continue;
    for (bytes n = f.content; next_field(&n, &g);) {
      char *text = g.number <= 4 ? text_of(g.content) : NULL;
      if (g.number == 1) CHECK(has(&defined, text), "%s is read before it is made", text);
      if (g.number == 2) CHECK(has(&declared, text), "%s has no value_info", text);
      if (g.number == 4) found += !strcmp(text, op);
      if (g.number == 2) put(&defined, strdup(text));
      free(text);
    }
  }
  CHECK(has(&defined, "logits"), "no logits");
  clear(&defined);
  clear(&declared);
  return found;
}

static void check_file(const char *path, const spn_export_options *options, const spn_arch *a) {
  spn_err err = {0};
  char *data;
  size_t size;
  CHECK_OK(spn_file_read(path, (size_t)1 << 28, &data, &size, &err), err);
  if (!data) return;
  const bytes model = {(unsigned char *)data, (unsigned char *)data + size};
  CHECK(find_field(model, 1).value == (options->opset == 13 ? 7u : 8u), "IR version");
  CHECK(find_field(find_field(model, 8).content, 2).value == (uint64_t)options->opset, "opset");
  const bytes graph = find_field(model, 7).content;
  const int bn = check_graph(graph, "BatchNormalization"), add_nodes = check_graph(graph, "Add");
  int residuals = 0;
  for (int i = 0; i < a->blocks; i++) residuals += a->block[i].residual && !a->block[i].skipped;
  CHECK(options->fold_bn ? !bn : bn > 0, "%d BatchNormalization nodes", bn);
  residuals += options->input == SPN_INPUT_PIXELS; /* the normalisation ends with one */
  CHECK(add_nodes == residuals, "%d Add nodes, expected %d", add_nodes, residuals);
  names keys = {.count = 0};
  field f;
  for (bytes b = model; next_field(&b, &f);) {
    if (f.number != 14) continue;
    char *key = text_of(find_field(f.content, 1).content);
    for (char *p = key; *p; p++) *p = *p == '.' ? '_' : *p;
    put(&keys, key);
  }
  CHECK(has(&keys, "input_mean") && has(&keys, "class_names") && has(&keys, "seed"), "metadata");
  clear(&keys);
  free(data);
}

/* ---- Cases ---- */

static void write_floats(const char *base, const char *suffix, const float *v, size_t n) {
  spn_err err = {0};
  char path[600];
  snprintf(path, sizeof path, "%s.%s", base, suffix);
  CHECK_OK(spn_file_write(path, v, n * sizeof *v, &err), err);
}

/* Random pixels, as the exported network wants them (image) and normalised for the oracle. */
static void write_expected(const char *base, const spn_arch *a, const spn_tensors *w, const spn_export_options *o) {
  const size_t plane_size = (size_t)a->input_size * (size_t)a->input_size, n = plane_size * (size_t)a->input_channels;
  float *image = malloc(BATCH * n * sizeof *image), *logits = malloc(BATCH * (size_t)a->classes * sizeof *logits);
  double *normal = malloc(n * sizeof *normal);
  for (size_t b = 0; b < BATCH; b++) {
    for (size_t i = 0; i < n; i++) {
      double pixel = (double)spn_rng_below(SEED, SPN_RNG_TEST, b << 32 | i, 256);
      normal[i] = (pixel / 255 - o->mean[i / plane_size]) / o->std[i / plane_size];
      image[b * n + i] = (float)(o->input == SPN_INPUT_PIXELS ? pixel : normal[i]);
    }
    double *y = forward(a, w, normal);
    for (int c = 0; c < a->classes; c++) logits[b * (size_t)a->classes + (size_t)c] = (float)y[c];
    free(y);
  }
  write_floats(base, "input.f32", image, BATCH * n);
  write_floats(base, "logits.f32", logits, BATCH * (size_t)a->classes);
  free(normal);
  free(logits);
  free(image);
}

static void export_case(const char *folder, const spn_arch *a, const spn_tensors *w, int variant, int keep) {
  static const char *const classes[] = {"cat", "\"dog\"", "b\xc3\xa4r", "not\xff utf8", "a,b", "", "x\n"};
  const spn_export_fact facts[] = {{"seed", "7"}, {"search_method", "gradient"}, {"seed", "8"}, {"classes", "seven"}};
  spn_export_options o = spn_export_defaults();
  spn_err err = {0};
  char base[512], path[520];
  o.opset = variant & 1 ? 17 : 13;
  o.fold_bn = !(variant & 2);
  o.input = variant & 4 ? SPN_INPUT_PIXELS : SPN_INPUT_NORMALISED;
  o.class_names = classes;
  o.facts = facts;
  o.fact_count = 4;
  o.resize = 256;
  o.resize_filter = "bilinear";
  o.crop_fraction = 0.875;
  o.version = "test";
  snprintf(base, sizeof base, "%s/%s_%d_%s_%s", folder, a->name, o.opset, o.fold_bn ? "folded" : "bn",
           o.input == SPN_INPUT_PIXELS ? "pixels" : "normalised");
  snprintf(path, sizeof path, "%s.onnx", base);
  CHECK_OK(spn_export("onnx", a, w, &o, path, &err), err);
  check_file(path, &o, a);
  if (variant % 4 == 0) { /* TFLite knows no operator sets, and always folds */
    snprintf(path, sizeof path, "%s.tflite", base);
    CHECK_OK(spn_export("tflite", a, w, &o, path, &err), err);
    if (!keep) unlink(path);
    snprintf(path, sizeof path, "%s.onnx", base);
  }
  if (keep) write_expected(base, a, w, &o);
  else unlink(path);
}

/* The network cut into stem, blocks and head, a TFLite file each: <name>.parts/0.tflite ... which run one after
 * another. */
static void export_parts(const char *folder, const spn_arch *a, const spn_tensors *w, int keep) {
  const spn_export_options o = spn_export_defaults();
  char parts[512], path[560];
  spn_err err = {0};
  snprintf(parts, sizeof parts, "%s/%s.parts", folder, a->name);
  CHECK_OK(spn_folder_create(parts, &err), err);
  for (int i = -1, number = 0; i <= a->blocks; i++) {
    spn_lowered *net = NULL;
    const spn_lower_part part = {i < 0, i < 0 ? 0 : i, i >= 0 && i < a->blocks, i == a->blocks};
    if (i >= 0 && i < a->blocks && a->block[i].skipped) continue;
    CHECK_OK(spn_lower(a, w, &o, &part, &net, &err), err);
    if (!net) return;
    CHECK(!strcmp(net->input, i < 0 ? "image" : "input") && net->outputs == 1 &&
              !strcmp(net->output[0].name, part.head ? "logits" : "output"),
          "names of a part: %s, %s", net->input, net->output[0].name);
    snprintf(path, sizeof path, "%s/%d.tflite", parts, number++);
    CHECK_OK(spn_tflite_write(net, NULL, "part", NULL, path, &err), err);
    spn_lowered_free(net);
    if (!keep) unlink(path);
  }
  if (!keep) CHECK(!rmdir(parts), "something is left in %s", parts);
  static const spn_lower_part wrong[] = {{1, 1, 0, 0}, {0, 0, 7, 0}, {0, 7, 0, 1}, {1, 0, 3, 1}, {0, -1, 1, 0}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    spn_lowered *net = NULL;
    CHECK(spn_lower(a, w, &o, &wrong[i], &net, &err) == SPN_EINPUT && strstr(err.text, "no part of"), "%s", err.text);
  }
}

/* Pictures: a group or node for each layer that computes. */
static void check_pictures(const char *folder, const spn_arch *a, const spn_tensors *w) {
  static const char *const format[] = {"svg", "dot"}, *const mark[] = {"<g>", " MACs\", fill"};
  int layers = 2 + (a->head_channels > 0);
  for (int i = 0; i < a->blocks; i++) layers += !a->block[i].skipped;
  for (int f = 0; f < 2; f++) {
    char path[560], *text = NULL;
    size_t size;
    int found = 0;
    spn_err err = {0};
    snprintf(path, sizeof path, "%s/picture.%s", folder, format[f]);
    CHECK_OK(spn_export(format[f], a, w, NULL, path, &err), err);
    CHECK_OK(spn_file_read(path, (size_t)1 << 20, &text, &size, &err), err);
    for (const char *p = text; p && (p = strstr(p, mark[f])); p++) found++;
    CHECK(found == layers, "%s: %d layers drawn, expected %d", format[f], found, layers);
    free(text);
    unlink(path);
  }
}

/* Captions: what goes in and comes out, costs where somebody knows them, the file's remark. */
static void check_captions(const char *folder, const spn_arch *a, const spn_tensors *w) {
  static const spn_export_fact note = {"spnas.note", "proxy <not> the \"network\" & so on"};
  static const char *const both[] = {
      "7 classes", "short side to 40 (bicubic)", "mean 0.25 0.375 0.5", "12.5 ms by a phone",
      ", 2.5 ms",  "1 of 9 parts modelled"};
  spn_export_options o = spn_export_defaults();
  spn_profile profile;
  spn_profile_of(a, &profile);
  profile.cost = 12.5;
  profile.rest = 10;
  profile.layer[1].cost = 2.5;
  strcpy(profile.unit, "ms");
  strcpy(profile.by, "a phone");
  strcpy(profile.caveat, "1 of 9 parts modelled");
  for (int c = 0; c < 3; c++) o.mean[c] = 0.25 + 0.125 * c;
  o.resize = 40;
  o.resize_filter = "bicubic";
  o.profile = &profile;
  o.facts = &note;
  o.fact_count = 1;
  for (int f = 0; f < 2; f++) {
    char path[560], *text = NULL;
    size_t size;
    spn_err err = {0};
    snprintf(path, sizeof path, "%s/captions.%s", folder, f ? "dot" : "svg");
    CHECK_OK(spn_export(f ? "dot" : "svg", a, w, &o, path, &err), err);
    CHECK_OK(spn_file_read(path, (size_t)1 << 20, &text, &size, &err), err);
    for (size_t i = 0; text && i < sizeof both / sizeof *both; i++)
      CHECK(strstr(text, both[i]), "%s: no \"%s\"", path, both[i]);
    CHECK(text && strstr(text, f ? "proxy <not> the \\\"network\\\" & so on"
                                 : "&#60;not&#62; the &#34;network&#34; &#38; so on"),
          "%s: the remark", path);
    free(text);
    unlink(path);
  }
}

/* A batch norm that is not folded cannot be said in TFLite. */
static void refuse_norm(const char *folder, const spn_arch *a, const spn_tensors *w) {
  spn_export_options o = spn_export_defaults();
  spn_lowered *net = NULL;
  char path[560];
  spn_err err = {0};
  o.fold_bn = 0;
  snprintf(path, sizeof path, "%s/refused.tflite", folder);
  CHECK_OK(spn_lower(a, w, &o, NULL, &net, &err), err);
  CHECK(spn_tflite_write(net, NULL, "x", NULL, path, &err) == SPN_EINPUT && strstr(err.text, "stem.bn"), "%s",
        err.text);
  CHECK(access(path, F_OK), "%s exists", path);
  spn_lowered_free(net);
}

/* ---- Errors ---- */

static void check_refused(const char *format, const spn_arch *a, const spn_tensors *w, const spn_export_options *o,
                          const char *path, spn_status code, const char *expected) {
  spn_err err = {0};
  spn_status status = spn_export(format, a, w, o, path, &err);
  CHECK(status == code, "%s: status %d (%s)", expected, status, err.text);
  CHECK(strstr(err.text, expected) != NULL, "expected \"%s\" in \"%s\"", expected, err.text);
  CHECK(access(path, F_OK), "%s exists after a failure", path);
}

/* A copy of w whose tensor `name` is left out, or changed by edit. */
static spn_tensors *damaged(const spn_tensors *w, const char *name, int edit) {
  spn_tensors *copy = spn_tensors_new();
  for (size_t i = 0; i < spn_tensors_count(w); i++) {
    spn_tensor t = *spn_tensors_at(w, i);
    int hit = !strcmp(t.name, name);
    if (hit && edit == 0) continue;
    if (hit && edit == 1) t.shape[0]--;
    spn_tensors_add(copy, t.name, hit && edit == 2 ? SPN_U8 : SPN_F32, t.dims, t.shape, t.data, NULL);
    if (hit && edit == 3) *(float *)spn_tensors_find(copy, name)->data = NAN;
    if (hit && edit == 4) *(float *)spn_tensors_find(copy, name)->data = -1;
  }
  return copy;
}

static void check_errors(const char *folder) {
  static const struct {
    const char *name;
    int edit;
    const char *expected;
  } cases[] = {{"block.1.dw.weight", 0, "block.1.dw.weight: expected F32 (5,5,12), got nothing"},
               {"block.1.dw.weight", 1, "block.1.dw.weight: expected F32 (5,5,12), got F32 (4,5,12)"},
               {"head.bn.gamma", 2, "head.bn.gamma: expected F32 (20), got U8 (20)"},
               {"classifier.bias", 3, "classifier.bias: expected finite values, got nan at element 0"},
               {"stem.bn.var", 4, "stem.bn.var: expected no negative variance"},
               {"block.2.se.reduce.bias", 0, "block.2.se.reduce.bias: expected F32 (4), got nothing"},
               {"block.0.project.weight", 0, "block.0.project.weight: expected F32 (4,6,1,1)"}};
  spn_arch a = network_at(0);
  spn_tensors *w = random_weights(&a);
  spn_export_options o = spn_export_defaults();
  char path[512];
  snprintf(path, sizeof path, "%s/refused.onnx", folder);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    spn_tensors *bad = damaged(w, cases[i].name, cases[i].edit);
    for (int f = 0; spn_exporter_names[f]; f++)
      check_refused(spn_exporter_names[f], &a, bad, NULL, path, SPN_EINPUT, cases[i].expected);
    spn_tensors_free(bad);
  }
  check_refused("onxx", &a, w, NULL, path, SPN_EINPUT, "did you mean \"onnx\"?");
  o.opset = 14;
  check_refused("onnx", &a, w, &o, path, SPN_EINPUT, "expected opset 13 or 17, got 14");
  o = spn_export_defaults();
  o.std[1] = 0;
  check_refused("onnx", &a, w, &o, path, SPN_EINPUT, "positive std");
  check_refused("onnx", &a, w, NULL, "no/such/folder/x.onnx", SPN_EIO, "no/such/folder/x.onnx: cannot write");
  a.block[1].kernel = 4;
  check_refused("onnx", &a, w, NULL, path, SPN_EINPUT, "kernel");
  spn_tensors_free(w);
}

int main(int argc, char **argv) {
  char own[] = "/tmp/spn_export_XXXXXX";
  spn_err err = {0};
  const char *folder = argc > 1 ? argv[1] : mkdtemp(own);
  CHECK(folder != NULL, "no folder to write to");
  if (!folder) return check_report("export");
  CHECK_OK(spn_folder_create(folder, &err), err);
  for (int i = 0; i < CASES; i++) {
    spn_arch a = network_at(i);
    spn_tensors *w = random_weights(&a);
    for (int variant = 0; variant < 8; variant++) export_case(folder, &a, w, variant, argc > 1);
    if (a.blocks) export_parts(folder, &a, w, argc > 1);
    check_pictures(folder, &a, w);
    if (i == 0) check_captions(folder, &a, w);
    if (!i) refuse_norm(folder, &a, w);
    spn_tensors_free(w);
  }
  check_errors(folder);
  if (argc <= 1) CHECK(!rmdir(own), "something is left in %s", own);
  return check_report("export");
}
