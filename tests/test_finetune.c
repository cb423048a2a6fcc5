/* Fine-tuning: while the body rests nothing of it moves, not by weight decay either, and the classifier learns what it
 * would learn anyway; rates fall layer by layer towards the image. */
#include "check.h"
#include "core/rng.h"
#include "model/network.h"
#include "train/finetune.h"

enum { BATCH = 4, SIZE = 12, CLASSES = 3 };

static const spn_arch arch = {
    .name = "tiny",
    .input_size = SIZE,
    .input_channels = 3,
    .classes = CLASSES,
    .stem_channels = 8,
    .stem_kernel = 3,
    .stem_stride = 2,
    .head_channels = 16,
    .blocks = 4,
    .activation = SPN_ACT_RELU,
    .bn_momentum = 0.9,
    .bn_eps = 1e-3,
    .block = {{.in = 8, .out = 8, .kernel = 3, .stride = 1, .expand = 1, .residual = 1},
              {.in = 8, .out = 8, .kernel = 3, .stride = 1, .expand = 2, .residual = 1, .skipped = 1},
              {.in = 8, .out = 8, .kernel = 5, .stride = 2, .expand = 3, .se = 0.25},
              {.in = 8, .out = 8, .kernel = 3, .stride = 1, .expand = 0}}};

/* Layers from the image on: stem, blocks 0, 2 and 3, head, classifier. */
static int distance(const char *name) {
  static const char *const layers[] = {"classifier.", "head.", "block.3.", "block.2.", "block.0.", "stem."};
  for (int i = 0; i < 6; i++)
    if (!strncmp(name, layers[i], strlen(layers[i]))) return i;
  CHECK(0, "%s belongs to no layer", name);
  return 0;
}

static void make_settings(spn_settings *s) {
  spn_settings_default(s);
  s->optim_optimizer = SPN_SGD;
  s->optim_momentum = 0;
  s->optim_weight_decay = 0.1;
  s->optim_ema = 0;
  s->train_epochs = 4;
}

/* Weights after one step in an epoch, or NULL; grads: of that step, or NULL. The caller frees. */
static real *step(const spn_settings *s, double epoch, real *grads, size_t *n, spn_graph **out) {
  const spn_network_options o = {.batch = BATCH, .threads = 1, .kernels = spn_kernels_get(NULL), .seed = 5};
  static real images[BATCH * SIZE * SIZE * 3];
  static const int32_t labels[BATCH] = {0, 1, 2, 1};
  spn_optimizer *opt = NULL;
  spn_err err;
  for (size_t i = 0; i < sizeof images / sizeof *images; i++) images[i] = (real)spn_rng_uniform(2, SPN_RNG_TEST, i);
  CHECK_OK(spn_network_create(&arch, &o, 0, out, &err), err);
  spn_graph *g = *out;
  CHECK_OK(spn_optimizer_create(g, s, &opt, &err), err);
  CHECK_OK(spn_finetune_begin(s, g, 1, opt, &err), err);
  spn_finetune_step(s, epoch, g, opt);
  CHECK_OK(spn_graph_forward(g, images, labels, BATCH, 1, &err), err);
  CHECK_OK(spn_graph_backward(g, &err), err);
  spn_optimizer_step(opt, g, 0.5);
  *n = g->param_elements;
  real *w = malloc(*n * sizeof *w);
  memcpy(w, g->weights, *n * sizeof *w);
  if (grads) memcpy(grads, g->grads, *n * sizeof *grads);
  spn_optimizer_free(opt);
  return w;
}

static void check_frozen(void) {
  spn_settings s;
  spn_graph *plain, *frozen, *thawed;
  size_t n;
  make_settings(&s);
  real *grads = calloc(1 << 16, sizeof *grads), *own = calloc(1 << 16, sizeof *own);
  real *whole = step(&s, 0, grads, &n, &plain);
  s.train_frozen_epochs = 2;
  real *rested = step(&s, 1.99, own, &n, &frozen), *later = step(&s, 2, NULL, &n, &thawed);
  spn_graph_init_weights(frozen, 5); /* as it began */
  CHECK(!memcmp(whole, later, n * sizeof *whole), "after the frozen epochs all learn");
  for (int i = 0; i < frozen->param_count; i++) {
    const spn_param *p = &frozen->params[i];
    const size_t bytes = p->size * sizeof(real);
    if (p->kind == SPN_PARAM_STATE) continue; /* statistics follow the images */
    if (!distance(p->name)) {
      CHECK(!memcmp(grads + p->offset, own + p->offset, bytes), "%s: another gradient", p->name);
      CHECK(!memcmp(whole + p->offset, rested + p->offset, bytes), "%s: another step", p->name);
      CHECK(memcmp(frozen->weights + p->offset, rested + p->offset, bytes), "%s: no step", p->name);
    } else {
      CHECK(!memcmp(frozen->weights + p->offset, rested + p->offset, bytes), "%s moved while it should rest", p->name);
      CHECK(memcmp(whole + p->offset, rested + p->offset, bytes), "%s does not learn at all", p->name);
    }
  }
  free(whole);
  free(rested);
  free(later);
  free(grads);
  free(own);
  spn_graph_free(plain);
  spn_graph_free(frozen);
  spn_graph_free(thawed);
}

static void check_rates(void) {
  static const double decay = 0.5;
  spn_settings s;
  spn_graph *plain, *decayed;
  size_t n;
  make_settings(&s);
  real *whole = step(&s, 0, NULL, &n, &plain);
  s.train_layer_decay = decay;
  real *less = step(&s, 0, NULL, &n, &decayed);
  spn_graph_init_weights(decayed, 5);
  for (int i = 0; i < plain->param_count; i++) {
    const spn_param *p = &plain->params[i];
    double moved = 0, asked = 0;
    for (size_t k = p->offset; k < p->offset + p->size && p->kind != SPN_PARAM_STATE; k++) {
      const double from = (double)decayed->weights[k];
      moved = fmax(moved, fabs((double)less[k] - from));
      asked = fmax(asked, fabs((double)whole[k] - from) * pow(decay, distance(p->name)));
    }
    CHECK(fabs(moved - asked) <= 1e-3 * asked + 1e-7, "%s moved by %g, expected %g", p->name, moved, asked);
  }
  free(whole);
  free(less);
  spn_graph_free(plain);
  spn_graph_free(decayed);
}

static void check_refused(void) {
  const spn_network_options o = {.batch = 1, .threads = 1, .kernels = spn_kernels_get(NULL), .seed = 5};
  spn_settings s;
  spn_graph *g;
  spn_optimizer *opt;
  spn_err err;
  make_settings(&s);
  CHECK_OK(spn_network_create(&arch, &o, 0, &g, &err), err);
  CHECK_OK(spn_optimizer_create(g, &s, &opt, &err), err);
  s.train_frozen_epochs = 4;
  CHECK_OK(spn_finetune_begin(&s, g, 1, opt, &err), err);
  CHECK(spn_finetune_begin(&s, g, 0, opt, &err) == SPN_EINPUT && strstr(err.text, "--init"), "%s", err.text);
  s.train_frozen_epochs = 5;
  CHECK(spn_finetune_begin(&s, g, 1, opt, &err) == SPN_EINPUT && strstr(err.text, "at most train.epochs = 4, got 5"),
        "%s", err.text);
  spn_optimizer_free(opt);
  spn_graph_free(g);
}

int main(void) {
  check_frozen();
  check_rates();
  check_refused();
  return check_report("finetune");
}
