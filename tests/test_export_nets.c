/* Networks of every family and space, small, with batch-norm statistics of their own: the interpreter of the lowered
 * list and the names of other programs against the trained graph. With a folder as argument it writes, for
 * tests/check_export.py, each as <name>.safetensors (what spnas export takes) with <name>.images.f32 (N,H,W,C) and
 * <name>.logits.f32 (N,classes). */
#include <unistd.h>

#include "check.h"
#include "core/rng.h"
#include "export/naming.h"
#include "export/interpret.h"
#include "io/file.h"
#include "model/blockstring.h"
#include "model/decisions.h"
#include "model/network.h"
#include "model/scale.h"
#include "test_export_forward.h"

enum { BATCH = 8, SEED = 11, KEEP = -1 };
static int images_each = 8; /* a network; more where they are written */

typedef struct {
  const char *network, *space; /* one of them */
  double width;
  int size, padding, act, seed;
  double depth; /* 0: as it is */
} net_case;

static const net_case cases[] = {{"mnasnet-a1", NULL, 0.35, 64, KEEP, KEEP, 0, 0},
                                 {"mnasnet-a1", NULL, 0.35, 49, SPN_PAD_SYMMETRIC, KEEP, 0, 0},
                                 {"mnasnet-a1", NULL, 0.35, 40, KEEP, SPN_ACT_HSWISH, 0, 0},
                                 {"mnasnet-b1", NULL, 0.35, 64, KEEP, KEEP, 0, 0},
                                 {"mnasnet-b1", NULL, 0.35, 63, SPN_PAD_SYMMETRIC, KEEP, 0, 0},
                                 {"mnasnet-small", NULL, 1, 64, KEEP, KEEP, 0, 0},
                                 {"mnasnet-small", NULL, 1, 47, SPN_PAD_SYMMETRIC, SPN_ACT_HSWISH, 0, 0},
                                 {"single-path-nas", NULL, 0.35, 64, KEEP, KEEP, 0, 0},
                                 {"single-path-nas", NULL, 0.35, 35, SPN_PAD_SYMMETRIC, KEEP, 0, 0},
                                 {"mobilenetv2", NULL, 0.35, 64, KEEP, KEEP, 0, 0},
                                 {"mobilenetv2", NULL, 0.35, 61, SPN_PAD_SYMMETRIC, KEEP, 0, 0},
                                 {NULL, "singlepath", 0.35, 48, KEEP, KEEP, 1, 0},
                                 {NULL, "singlepath", 0.35, 51, SPN_PAD_SYMMETRIC, KEEP, 2, 0},
                                 {NULL, "singlepath-se", 0.35, 48, KEEP, KEEP, 3, 0},
                                 {NULL, "singlepath-se", 0.35, 37, SPN_PAD_SYMMETRIC, KEEP, 4, 0},
                                 {NULL, "singlepath-k7", 0.35, 48, KEEP, KEEP, 5, 0},
                                 {NULL, "singlepath-se-k7", 0.35, 56, SPN_PAD_SYMMETRIC, KEEP, 6, 0},
                                 {NULL, "singlepath-se-k7", 0.35, 64, KEEP, SPN_ACT_HSWISH, 7, 0},
                                 {NULL, "demo", 0, 28, KEEP, KEEP, 8, 0},
                                 {NULL, "demo", 0, 29, SPN_PAD_SYMMETRIC, KEEP, 9, 0},
                                 {NULL, "nas-bench-macro", 0, 32, KEEP, KEEP, 10, 0},
                                 {NULL, "nas-bench-macro", 0, 16, KEEP, KEEP, 11, 0},
                                 {NULL, "mnasnet", 0.35, 48, KEEP, KEEP, 12, 0},
                                 {NULL, "mnasnet", 0.35, 65, SPN_PAD_SYMMETRIC, KEEP, 13, 0},
                                 {NULL, "mobilenetv2", 0.35, 48, KEEP, KEEP, 14, 0},
                                 {NULL, "mobilenetv3", 0.35, 49, KEEP, KEEP, 15, 0},
                                 {"mnasnet-a1", NULL, 0.5, 96, KEEP, KEEP, 0, 0},
                                 {NULL, "demo", 0, 28, KEEP, KEEP, 8, 1.2}};
enum { CASES = sizeof cases / sizeof *cases };

static spn_arch arch_of(const net_case *c, int number) {
  spn_err err;
  spn_arch a = {.blocks = 0};
  if (c->network) {
    CHECK_OK(spn_arch_load(c->network, &a, &err), err);
  } else {
    spn_space space;
    spn_choice choice;
    CHECK_OK(spn_space_load(c->space, &space, &err), err);
    spn_choice_random(&space, SEED, (uint64_t)c->seed, &choice);
    spn_space_arch(&space, &choice, c->width == 0, &a); /* width 0: the proxy as it is */
  }
  if (c->depth > 0) CHECK_OK(spn_arch_deepen(&a, c->depth, &err), err);
  if (c->width > 0) spn_arch_scale(&a, c->width);
  a.input_size = c->size;
  a.classes = 10 + number;
  if (c->width > 0) a.head_channels = a.head_channels ? 128 : 0;
  if (c->padding != KEEP) a.padding = (spn_padding)c->padding;
  if (c->act != KEEP) a.activation = (spn_act)c->act;
  snprintf(a.name, sizeof a.name, "%02d-%s", number, c->network ? c->network : c->space);
  return a;
}

static float *random_images(const spn_arch *a, int count, uint64_t stream) {
  const size_t n = (size_t)count * (size_t)a->input_size * (size_t)a->input_size * (size_t)a->input_channels;
  float *x = malloc(n * sizeof *x);
  for (size_t i = 0; i < n; i++) x[i] = (float)(2 * spn_rng_uniform(SEED, SPN_RNG_TEST, stream << 40 | i) - 1);
  return x;
}

/* Weights as drawn, batch norms with the statistics of random images, gammas and betas off 1 and 0. */
static spn_graph *network_with_statistics(const spn_arch *a) {
  const spn_network_options o = {.batch = BATCH, .threads = 2, .kernels = spn_kernels_get(NULL), .seed = SEED};
  spn_graph *g = NULL;
  spn_err err;
  CHECK_OK(spn_network_create(a, &o, 0, &g, &err), err);
  if (!g) return NULL;
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    for (size_t k = 0; k < p->size && p->kind != SPN_PARAM_WEIGHT && p->kind != SPN_PARAM_STATE; k++)
      g->weights[p->offset + k] += (real)(0.4 * spn_rng_uniform(SEED, SPN_RNG_TEST, (uint64_t)i << 32 | k) - 0.2);
  }
  float *images = random_images(a, BATCH, 1);
  g->norm_momentum = 0;
  CHECK_OK(spn_graph_forward(g, images, NULL, BATCH, 1, &err), err);
  g->norm_momentum = -1;
  free(images);
  return g;
}

static float *logits_of(spn_graph *g, const spn_arch *a, const float *images) {
  const size_t pixels = (size_t)a->input_size * (size_t)a->input_size * (size_t)a->input_channels;
  float *y = malloc((size_t)images_each * (size_t)a->classes * sizeof *y);
  spn_err err;
  for (int i = 0; i < images_each; i += BATCH) {
    CHECK_OK(spn_graph_forward(g, images + (size_t)i * pixels, NULL, BATCH, 0, &err), err);
    for (int k = 0; k < BATCH * a->classes; k++) y[i * a->classes + k] = (float)g->logits[k];
  }
  return y;
}

/* Largest difference over the logits' standard deviation. */
static double off(const float *x, const float *y, size_t n) {
  double worst = 0, mean = 0, square = 0;
  for (size_t i = 0; i < n; i++) {
    worst = fmax(worst, fabs((double)x[i] - (double)y[i]));
    mean += (double)y[i] / (double)n;
    square += (double)y[i] * (double)y[i] / (double)n;
  }
  return worst / sqrt(fmax(square - mean * mean, 1e-12));
}

/* The interpreter adds up products one after another in single precision, which of fifty layers with SE leaves a little
 * more than what runtimes do (their logits are held to 1e-4 by check_export.py). */
static const double INTERPRETED = 2e-4;

static void check_lowered(const spn_arch *a, const spn_tensors *w, const float *images, const float *logits) {
  const size_t n = (size_t)images_each * (size_t)a->classes, pixels = (size_t)a->input_size * (size_t)a->input_size;
  spn_export_options o = spn_export_defaults();
  spn_err err;
  float *y = malloc(n * sizeof *y), *again = malloc(n * sizeof *y);
  for (o.fold_bn = 0; o.fold_bn < 2; o.fold_bn++) {
    spn_lowered *net = NULL;
    CHECK_OK(spn_lower(a, w, &o, NULL, &net, &err), err);
    if (!net) continue;
    spn_range *ranges = malloc(2 * (size_t)net->count * sizeof *ranges);
    for (int i = 0; i < 2 * net->count; i++) ranges[i] = SPN_RANGE_NONE;
    CHECK_OK(spn_interpret(net, 2, images, images_each, y, ranges, &err), err);
    CHECK_OK(spn_interpret(net, 1, images, images_each, again, NULL, &err), err);
    CHECK(!memcmp(y, again, n * sizeof *y), "%s: threads change the interpreter's numbers", a->name);
    CHECK(off(y, logits, n) <= INTERPRETED, "%s: the lowered network is off by %.3g", a->name, off(y, logits, n));
    float least = y[0], most = y[0];
    for (size_t i = 0; i < n; i++) least = fminf(least, y[i]), most = fmaxf(most, y[i]);
    CHECK(ranges[2 * net->count - 1].min == least && ranges[2 * net->count - 1].max == most, "ranges of the logits");
    free(ranges);
    spn_lowered_free(net);
  }
  double *image = malloc(pixels * (size_t)a->input_channels * sizeof *image); /* one, channels first, for the oracle */
  for (size_t p = 0; p < pixels; p++)
    for (size_t c = 0; c < (size_t)a->input_channels; c++)
      image[c * pixels + p] = (double)images[p * (size_t)a->input_channels + c];
  double *oracle = forward(a, w, image);
  for (int c = 0; c < a->classes; c++) y[c] = (float)oracle[c];
  CHECK(off(y, logits, (size_t)a->classes) <= 1e-4, "%s: the graph is off the oracle by %.3g", a->name,
        off(y, logits, (size_t)a->classes));
  free(oracle);
  free(image);
  free(again);
  free(y);
}

/* Every tensor comes back bit for bit; what does not belong is refused by name. */
static void check_naming(const spn_arch *a, const spn_tensors *w) {
  for (int kind = 0; kind < SPN_NAMING_KINDS; kind++) {
    spn_tensors *theirs = spn_tensors_new(), *back = spn_tensors_new(), *more = spn_tensors_new();
    spn_err err = {0};
    int se = 0, tensors = 0;
    for (int i = 0; i < a->blocks; i++) se |= !a->block[i].skipped && spn_block_squeeze(&a->block[i]) > 0;
    if (kind == SPN_NAMING_TIMM || !se) { /* ProxylessNAS has no SE */
      CHECK_OK(spn_naming_write((spn_naming)kind, a, w, theirs, &err), err);
      CHECK_OK(spn_naming_read((spn_naming)kind, a, theirs, back, &err), err);
      for (size_t i = 0; i < spn_tensors_count(back); i++) {
        const spn_tensor *x = spn_tensors_at(back, i), *y = spn_tensors_find(w, x->name);
        tensors += y && spn_tensor_elements(x) == spn_tensor_elements(y) &&
                   !memcmp(x->data, y->data, spn_tensor_elements(x) * sizeof(float));
      }
      CHECK(tensors == (int)spn_tensors_count(w), "%s: %d of %zu tensors come back", a->name, tensors,
            spn_tensors_count(w));
      const size_t one = 1;
      CHECK_OK(spn_tensors_add(theirs, "blocks.99.0.conv_pw.weight", SPN_F32, 1, &one, NULL, &err), err);
      CHECK(spn_naming_read((spn_naming)kind, a, theirs, more, &err) == SPN_EINPUT &&
                strstr(err.text, "blocks.99.0.conv_pw.weight"),
            "%s", err.text);
    }
    spn_tensors_free(theirs);
    spn_tensors_free(back);
    spn_tensors_free(more);
  }
}

static void save_floats(const char *folder, const spn_arch *a, const char *suffix, const float *v, size_t n) {
  char path[600];
  spn_err err;
  snprintf(path, sizeof path, "%s/%s.%s", folder, a->name, suffix);
  CHECK_OK(spn_file_write(path, v, n * sizeof *v, &err), err);
}

static void save(const char *folder, const spn_arch *a, spn_tensors *w, const float *images, const float *logits) {
  char path[600], text[256], *json = spn_arch_to_json(a);
  spn_err err;
  CHECK_OK(spn_tensors_set_meta(w, "spnas.arch", json, &err), err);
  snprintf(text, sizeof text,
           "{\"size\": %d, \"channels\": %d, \"eval_crop\": 1, \"resize\": \"bilinear\", \"mean\": [0.5, 0.4, 0.3], "
           "\"std\": [0.25, 0.2, 0.15]}",
           a->input_size, a->input_channels);
  CHECK_OK(spn_tensors_set_meta(w, "spnas.preprocessing", text, &err), err);
  snprintf(path, sizeof path, "%s/%s.safetensors", folder, a->name);
  CHECK_OK(spn_tensors_save(w, path, &err), err);
  save_floats(folder, a, "images.f32", images,
              (size_t)images_each * (size_t)a->input_size * (size_t)a->input_size * (size_t)a->input_channels);
  save_floats(folder, a, "logits.f32", logits, (size_t)images_each * (size_t)a->classes);
  free(json);
}

int main(int argc, char **argv) {
  spn_err err;
  if (argc > 1) {
    images_each = argc > 2 ? atoi(argv[2]) : 40;
    CHECK_OK(spn_folder_create(argv[1], &err), err);
  }
  for (int i = 0; i < CASES; i++) {
    const spn_arch a = arch_of(&cases[i], i);
    spn_graph *g = network_with_statistics(&a);
    if (!g) continue;
    spn_tensors *w = spn_tensors_new();
    CHECK_OK(spn_network_to_tensors(g, NULL, w, &err), err);
    float *images = random_images(&a, images_each, 2), *logits = logits_of(g, &a, images);
    if (argc > 1) {
      save(argv[1], &a, w, images, logits);
    } else {
      check_lowered(&a, w, images, logits);
      check_naming(&a, w);
    }
    free(images);
    free(logits);
    spn_tensors_free(w);
    spn_graph_free(g);
  }
  return check_report("export_nets");
}
