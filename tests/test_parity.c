/* Does the library compute what PyTorch computes? Ops inside the smallest network that exercises them, and ten training
 * steps with each optimiser, against the vectors that make_parity_vectors.py wrote: the committed ones, or the file
 * given as argument. */
#include "check.h"
#include "io/tensors.h"
#include "model/network.h"
#include "tiny_arch.h"
#include "train/optimizer.h"

enum { CLASSES = 4, STEPS = 10, BATCH = 8, SIZE = 9, BATCHES = 3 };
static const double LIMIT = 1e-4; /* of the largest element of a tensor */

typedef struct {
  const spn_tensors *set;
  char prefix[64];
} vectors;

static const spn_tensor *find(const vectors *v, const char *name) {
  char full[160];
  snprintf(full, sizeof full, "%s.%s", v->prefix, name);
  return spn_tensors_find(v->set, full);
}

static const spn_tensor *need(const vectors *v, const char *name, size_t elements) {
  const spn_tensor *t = find(v, name);
  CHECK(t && spn_tensor_elements(t) == elements, "%s.%s: expected %zu elements", v->prefix, name, elements);
  if (!t || spn_tensor_elements(t) != elements) exit(check_report("test_parity"));
  return t;
}

static void compare(const vectors *v, const char *name, const real *got, size_t n) {
  const float *want = need(v, name, n)->data;
  double worst = 0, scale = 0;
  for (size_t i = 0; i < n; i++) {
    double d = fabs((double)got[i] - (double)want[i]);
    scale = fmax(scale, fabs((double)want[i]));
    if (!(d <= worst)) worst = d;
  }
  CHECK(worst <= LIMIT * scale, "%s.%s: off by %.3g of %.3g", v->prefix, name, worst, scale);
}

/* Parameters of the kinds wanted, under prefix.folder.name. */
static void compare_params(const vectors *v, const char *folder, const spn_graph *g, const real *values, int state,
                           int rest) {
  char name[128];
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    if (!(p->kind == SPN_PARAM_STATE ? state : rest)) continue;
    snprintf(name, sizeof name, "%s.%s", folder, p->name);
    compare(v, name, values + p->offset, p->size);
  }
}

static void load_weights(const vectors *v, spn_graph *g) {
  char name[128];
  for (int i = 0; i < g->param_count; i++) {
    const spn_param *p = &g->params[i];
    snprintf(name, sizeof name, "w.%s", p->name);
    const float *from = need(v, name, p->size)->data;
    for (size_t k = 0; k < p->size; k++) g->weights[p->offset + k] = (real)from[k];
  }
}

static int32_t *load_labels(const vectors *v, size_t n) {
  const int64_t *from = need(v, "labels", n)->data;
  int32_t *labels = malloc(n * sizeof *labels);
  for (size_t i = 0; i < n; i++) labels[i] = (int32_t)from[i];
  return labels;
}

/* ---- Single ops ---- */

enum { N, H, C, MID, OP, CO, K, STRIDE, BEFORE, AFTER, ACT_IN, ACT, SMOOTHING, KEYS }; /* as in the script */
enum { CONV, DEPTHWISE, SE, JOIN, POOL };

static spn_value *conv(spn_graph *g, const char *name, spn_value *x, int co, int k, int bias) {
  spn_conv_spec spec = {.co = co, .k = k, .stride = 1, .bias = bias, .init_std = 1};
  return spn_add_conv(g, name, x, &spec);
}

static spn_value *norm(spn_graph *g, const char *name, spn_value *x, int64_t act) {
  return spn_add_norm(g, name, x, (spn_act)act, 0.9, 1e-3, NULL);
}

/* raw: the stored output to compare, or NULL. */
static spn_value *add_op(spn_graph *g, const int64_t *s, spn_value *x, spn_value **raw) {
  spn_conv_spec c = {.co = (int)s[CO],
                     .k = (int)s[K],
                     .stride = (int)s[STRIDE],
                     .pad_before = (int)s[BEFORE],
                     .pad_after = (int)s[AFTER],
                     .init_std = 1};
  spn_dw_spec d = {.k = c.k,
                   .stride = c.stride,
                   .pad_before = c.pad_before,
                   .pad_after = c.pad_after,
                   .inner_k = c.k,
                   .init_std = 1};
  spn_se_spec se = {.squeeze = (int)s[CO], .on_gate = -1};
  *raw = NULL;
  if (s[OP] == SE) return spn_add_se(g, "op", x, &se);
  if (s[OP] == POOL) return *raw = spn_add_pool(g, "pool", x);
  if (s[OP] == JOIN)
    return *raw = spn_add_join(g, "join", x, norm(g, "op.bn", conv(g, "op", x, (int)s[MID], 1, 0), s[ACT]), NULL, 0);
  *raw = s[OP] == CONV ? spn_add_conv(g, "op", x, &c) : spn_add_depthwise(g, "op", x, &d);
  return norm(g, "op.bn", *raw, s[ACT]);
}

static void check_op(const spn_tensors *set, const char *name, const spn_kernels *kernels) {
  vectors v = {.set = set};
  spn_err err;
  spn_value *raw;
  snprintf(v.prefix, sizeof v.prefix, "%s", name);
  const int64_t *s = need(&v, "spec", KEYS)->data;
  spn_graph *g = spn_graph_new((int)s[N], 2, 0, kernels, 1);
  spn_value *x = spn_add_input(g, (int)s[H], (int)s[H], (int)s[C]);
  x = norm(g, "in.bn", conv(g, "in", x, (int)s[MID], 1, 0), s[ACT_IN]);
  x = add_op(g, s, x, &raw);
  spn_add_loss(g, "loss", conv(g, "out", x, CLASSES, x->h, 1), (double)s[SMOOTHING] / 1000);
  CHECK_OK(spn_graph_compile(g, 0, &err), err);
  load_weights(&v, g);
  int32_t *labels = load_labels(&v, (size_t)s[N]);
  const real *images = need(&v, "x", (size_t)(s[N] * s[H] * s[H] * s[C]))->data;
  spn_graph_forward(g, images, labels, (int)s[N], 1, NULL);
  compare(&v, "logits", g->logits, (size_t)s[N] * CLASSES);
  if (raw) compare(&v, "raw", raw->x, (size_t)s[N] * (size_t)raw->h * (size_t)raw->w * (size_t)raw->c);
  CHECK_NEAR(g->loss, *(const double *)need(&v, "loss", 1)->data, 1e-5, "%s: loss", name);
  spn_graph_backward(g, NULL);
  compare_params(&v, "g", g, g->grads, 0, 1);
  compare_params(&v, "run", g, g->weights, 1, 0);
  spn_graph_forward(g, images, labels, (int)s[N], 0, NULL);
  compare(&v, "eval", g->logits, (size_t)s[N] * CLASSES);
  spn_graph_free(g);
  free(labels);
}

/* Every case of the file, with every kernel table of this machine. */
static int check_ops(const spn_tensors *set) {
  int cases = 0;
  for (size_t i = 0; i < spn_tensors_count(set); i++) {
    const char *name = spn_tensors_at(set, i)->name, *end = strstr(name, ".spec");
    char prefix[64];
    if (!end || end[5]) continue;
    snprintf(prefix, sizeof prefix, "%.*s", (int)(end - name), name);
    for (int k = 0; spn_kernels_at(k); k++) check_op(set, prefix, spn_kernels_at(k));
    cases++;
  }
  return cases;
}

/* ---- Training ---- */

static spn_arch small_network(void) {
  spn_arch a = tiny_arch("parity", SIZE, CLASSES);
  a.activation = SPN_ACT_RELU6;
  tiny_add(&a, 8, 3, 1, 1, 0);
  tiny_add(&a, 8, 3, 1, 3, 0.25);
  tiny_add(&a, 12, 5, 2, 4, 0);
  tiny_add(&a, 12, 7, 1, 3, 0.5);
  return a;
}

static void check_training(const spn_tensors *set, const char *optimizer, double lr) {
  vectors v = {.set = set, .prefix = "train"};
  char assignment[64], losses_name[64];
  spn_err err;
  spn_settings s;
  spn_graph *g;
  spn_optimizer *o;
  spn_arch arch = small_network();
  spn_network_options options = {
      .batch = BATCH, .threads = 2, .kernels = spn_kernels_get(NULL), .seed = 1, .smoothing = 0.1};
  spn_settings_default(&s);
  snprintf(assignment, sizeof assignment, "optim.optimizer=%s", optimizer);
  CHECK_OK(spn_settings_set(&s, assignment, &err), err);
  CHECK_OK(spn_settings_set(&s, "optim.weight_decay=0.02", &err), err);
  CHECK_OK(spn_settings_set(&s, "optim.rms_decay=0.8", &err), err);
  CHECK_OK(spn_network_create(&arch, &options, 0, &g, &err), err);
  CHECK_OK(spn_optimizer_create(g, &s, &o, &err), err);
  load_weights(&v, g);
  const real *images = need(&v, "x", (size_t)BATCHES * BATCH * SIZE * SIZE * 3)->data;
  int32_t *labels = load_labels(&v, (size_t)BATCHES * BATCH);
  snprintf(losses_name, sizeof losses_name, "%s.losses", optimizer);
  const double *losses = need(&v, losses_name, STEPS)->data;
  for (int i = 0; i < STEPS; i++) {
    int b = i % BATCHES;
    spn_graph_forward(g, images + (size_t)b * BATCH * SIZE * SIZE * 3, labels + b * BATCH, BATCH, 1, NULL);
    CHECK(fabs(g->loss - losses[i]) <= LIMIT * losses[i], "%s step %d: loss %.9g, PyTorch's %.9g", optimizer, i,
          g->loss, losses[i]);
    spn_graph_backward(g, NULL);
    spn_optimizer_step(o, g, lr);
  }
  compare_params(&v, optimizer, g, g->weights, 1, 1);
  spn_optimizer_free(o);
  spn_graph_free(g);
  free(labels);
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : SPN_SOURCE_DIR "/tests/vectors/parity.safetensors";
  spn_tensors *set;
  spn_err err;
  spn_backend_init();
  if (spn_tensors_load(path, &set, &err)) {
    printf("%s\n", err.text);
    return 1;
  }
  int cases = check_ops(set);
  CHECK(cases >= 20, "%d cases", cases);
  check_training(set, "rmsprop", 0.01);
  check_training(set, "sgd", 0.05);
  check_training(set, "adam", 0.01);
  spn_tensors_free(set);
  return check_report("test_parity");
}
