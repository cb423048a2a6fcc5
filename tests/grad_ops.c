/* Every op of ops.def against finite differences in double, inside the smallest network that exercises it; and every
 * way its gates can stand. */
#include "gradcheck.h"
#include "graph/ops.h"
#include "model/network.h"

enum { BATCH = 3, CLASSES = 4 };

static spn_graph *start(void) { return spn_graph_new(BATCH, 2, 0, spn_kernels_ref(), 7); }

static spn_value *norm(spn_graph *g, const char *name, spn_value *raw, spn_act act, const spn_branch *branch) {
  return spn_add_norm(g, name, raw, act, 0.9, 1e-3, branch);
}

static spn_value *conv1x1(spn_graph *g, const char *name, spn_value *x, int co, const spn_width *in,
                          const spn_width *out, const spn_branch *branch) {
  spn_conv_spec spec = {.co = co,
                        .k = 1,
                        .stride = 1,
                        .aligned = out != NULL,
                        .in_width = in,
                        .out_width = out,
                        .branch = branch,
                        .init_std = 0.4};
  return spn_add_conv(g, name, x, &spec);
}

static void finish(spn_graph *g, spn_value *x, double smoothing, grad_case *t, int h, int w, int c) {
  spn_err err;
  spn_conv_spec dense = {.co = CLASSES, .k = 1, .stride = 1, .bias = 1, .init_std = 0.5};
  spn_add_loss(g, "loss", spn_add_conv(g, "classifier", spn_add_pool(g, "pool", x), &dense), smoothing);
  CHECK_OK(spn_graph_compile(g, 0, &err), err);
  t->g = g;
  grad_perturb(g);
  grad_data(t, h, w, c, CLASSES);
}

static int run(grad_case *t, const char *what) {
  int n = grad_check(t, what, 12);
  CHECK(n > 5, "%s: %d points", what, n);
  return n;
}

static void case_conv(void) {
  for (int stride = 1; stride <= 2; stride++)
    for (spn_act act = SPN_ACT_NONE; act <= SPN_ACT_HSWISH; act++) {
      grad_case t;
      spn_graph *g = start();
      spn_value *x = spn_add_input(g, 5, 5, 2);
      spn_conv_spec spec = {
          .co = 5, .k = 3, .stride = stride, .pad_before = stride == 1, .pad_after = 1, .init_std = 0.4};
      x = norm(g, "a.bn", spn_add_conv(g, "a", x, &spec), act, NULL);
      spec.co = 4; /* a second one: gradient of the input through a view */
      x = norm(g, "b.bn", spn_add_conv(g, "b", x, &spec), act, NULL);
      finish(g, x, 0.1, &t, 5, 5, 2);
      run(&t, "conv");
      grad_free(&t);
    }
}

static void case_norm(void) { /* without a reader that mixes channels: pool right behind */
  grad_case t;
  spn_graph *g = start();
  spn_value *x = spn_add_input(g, 3, 4, 2);
  x = norm(g, "a.bn", conv1x1(g, "a", x, 6, NULL, NULL, NULL), SPN_ACT_RELU6, NULL);
  finish(g, x, 0, &t, 3, 4, 2);
  run(&t, "norm");
  grad_free(&t);
}

static void case_depthwise(void) {
  for (int k = 3; k <= 7; k += 2)
    for (int stride = 1; stride <= 2; stride++)
      for (int open = 0; open <= 2; open++) {
        grad_case t;
        spn_graph *g = start();
        spn_value *x = spn_add_input(g, 6, 6, 2);
        x = norm(g, "a.bn", conv1x1(g, "a", x, 5, NULL, NULL, NULL), SPN_ACT_RELU, NULL);
        spn_dw_spec spec = {.k = k,
                            .stride = stride,
                            .pad_before = stride == 1 ? k / 2 : k / 2 - 1,
                            .pad_after = k / 2,
                            .rings = (k - 3) / 2,
                            .inner_k = 3,
                            .init_std = 0.3};
        for (int i = 0; i < spec.rings; i++) {
          spec.gates[i] = spn_graph_gate(g, i < open ? 1 : i == open ? 0 : 0.6);
          g->gates[spec.gates[i]].wanted = 1;
          spec.ring_k[i] = 5 + 2 * i;
        }
        x = norm(g, "dw.bn", spn_add_depthwise(g, "dw", x, &spec), SPN_ACT_NONE, NULL);
        finish(g, x, 0.1, &t, 6, 6, 2);
        run(&t, "depthwise");
        grad_free(&t);
      }
}

/* A masked block: expansion levels, kernel ring, SE and keep gate in every combination of 0, 1 and a fraction. */
static void block(double keep, double e1, double e2, double ring, double se, double wide) {
  grad_case t;
  spn_graph *g = start();
  spn_value *x = spn_add_input(g, 4, 4, 2), *in;
  in = x = norm(g, "in.bn", conv1x1(g, "in", x, 3, NULL, NULL, NULL), SPN_ACT_NONE, NULL);
  int gates[6];
  double values[6] = {keep, e1, e2, ring, se, wide};
  for (int i = 0; i < 6; i++) {
    gates[i] = spn_graph_gate(g, values[i]);
    g->gates[gates[i]].wanted = 1;
  }
  spn_branch *branch = spn_graph_branch(g, gates[0]);
  spn_width *width = spn_graph_width(g, 3, (int[]){3, 6, 9}, gates + 1);
  x = norm(g, "e.bn", conv1x1(g, "e", x, 9, NULL, width, branch), SPN_ACT_HSWISH, branch);
  spn_dw_spec dw = {.k = 5,
                    .stride = 1,
                    .pad_before = 2,
                    .pad_after = 2,
                    .rings = 1,
                    .gates = {gates[3]},
                    .ring_k = {5},
                    .inner_k = 3,
                    .width = width,
                    .branch = branch,
                    .init_std = 0.3};
  x = norm(g, "dw.bn", spn_add_depthwise(g, "dw", x, &dw), SPN_ACT_RELU6, branch);
  spn_se_spec spec = {
      .squeeze = 4, .levels = 2, .channels = {2, 4}, .gates = {gates[5]}, .on_gate = gates[4], .branch = branch};
  x = spn_add_se(g, "se", x, &spec);
  x = norm(g, "p.bn", conv1x1(g, "p", x, 3, width, NULL, branch), SPN_ACT_NONE, branch);
  x = spn_add_join(g, "join", in, x, branch);
  x = norm(g, "h.bn", conv1x1(g, "h", x, 5, NULL, NULL, NULL), SPN_ACT_RELU, NULL);
  finish(g, x, 0.1, &t, 4, 4, 2);
  char what[160];
  snprintf(what, sizeof what, "block keep %g e %g %g ring %g se %g %g", keep, e1, e2, ring, se, wide);
  run(&t, what);
  grad_free(&t);
}

static void case_block(void) {
  block(1, 1, 1, 1, 1, 1);
  block(0, 1, 1, 1, 1, 1);
  block(1, 0, 1, 1, 1, 1);
  block(1, 1, 0, 1, 1, 1);
  block(1, 1, 1, 0, 1, 1);
  block(1, 1, 1, 1, 0, 1);
  block(1, 1, 1, 1, 1, 0);
  block(1, 0, 0, 0, 0, 0);
  block(0.7, 0.4, 0.8, 0.6, 0.3, 0.5);
  block(0.7, 0.4, 0, 1, 0.3, 0);
}

static void case_dropout(void) {
  grad_case t;
  spn_err err;
  spn_graph *g = start();
  spn_value *x = spn_add_input(g, 2, 2, 3);
  x = norm(g, "a.bn", conv1x1(g, "a", x, 8, NULL, NULL, NULL), SPN_ACT_RELU, NULL);
  x = spn_add_dropout(g, "dropout", spn_add_pool(g, "pool", x), 0.4);
  spn_conv_spec dense = {.co = CLASSES, .k = 1, .stride = 1, .bias = 1, .init_std = 0.5};
  spn_add_loss(g, "loss", spn_add_conv(g, "classifier", x, &dense), 0.2);
  CHECK_OK(spn_graph_compile(g, 0, &err), err);
  t.g = g;
  grad_perturb(g);
  grad_data(&t, 2, 2, 3, CLASSES);
  run(&t, "dropout");
  grad_free(&t);
}

/* join, pool, loss, se and input stand in every network above; named here so that ops.def and this list stay one. */
static void case_input(void) { case_norm(); }
static void case_se(void) { block(1, 1, 1, 1, 1, 1); }
static void case_join(void) { block(1, 1, 1, 0, 0, 1); }
static void case_pool(void) { case_norm(); }
static void case_loss(void) { case_dropout(); }

int main(void) {
#define SPN_OP(name) case_##name();
#include "graph/ops.def"
#undef SPN_OP
  case_block();
  return check_report("grad_ops");
}
