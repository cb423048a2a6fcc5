/* Every op of ops.def against finite differences in double, inside the smallest network that exercises it; and every
 * way its gates can stand. The loss is the dot product of the op's output with fixed random numbers: a sum would be
 * blind to batch norm and softmax, and a classifier behind would hide single elements. */
#include "gradcheck.h"
#include "graph/ops.h"

enum { BATCH = 3, CLASSES = 4, MAX_CHANNELS = 16 };

/* ---- The loss ---- */

static real dot_weight(const spn_value *x, size_t pixel, int channel) {
  return (real)spn_rng_normal(9, SPN_RNG_TEST, pixel * (size_t)x->c + (size_t)channel);
}

static size_t dot_pixels(const spn_graph *g, const spn_value *x) { return (size_t)g->batch * x->h * x->w; }

static void dot_forward(spn_graph *g, spn_node *node) {
  const spn_value *x = node->in[0];
  g->loss = 0;
  for (size_t p = 0; p < dot_pixels(g, x); p++) {
    real row[MAX_CHANNELS];
    spn_value_load(g, x, p, 1, x->c, row, (size_t)x->c);
    for (int i = 0; i < x->c; i++) g->loss += row[i] * dot_weight(x, p, i);
  }
}

static void dot_backward(spn_graph *g, spn_node *node) {
  const spn_value *x = node->in[0];
  for (size_t p = 0; p < dot_pixels(g, x); p++) {
    real row[MAX_CHANNELS];
    for (int i = 0; i < x->c; i++) row[i] = dot_weight(x, p, i);
    spn_value_grad(g, x, 0, p, 1, x->c, row, (size_t)x->c, x->base->grad_written);
  }
  x->base->grad_written = 1;
}

static const spn_op dot_op = {.name = "dot", .forward = dot_forward, .backward = dot_backward};

/* ---- Small networks ---- */

static const spn_op *checked; /* the op that the last run was about */

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

/* A convolution with batch norm: something with weights whose gradient goes through what stands behind it. */
static spn_value *source(spn_graph *g, const char *name, spn_value *x, int co, spn_act act) {
  char bn[32];
  snprintf(bn, sizeof bn, "%s.bn", name);
  return norm(g, bn, conv1x1(g, name, x, co, NULL, NULL, NULL), act, NULL);
}

static int wanted_gate(spn_graph *g, double value) {
  int gate = spn_graph_gate(g, value);
  g->gates[gate].wanted = 1;
  return gate;
}

static void check(spn_graph *g, const spn_op *op, const char *what) {
  grad_case t = {.g = g};
  spn_err err;
  const spn_value *image = g->nodes[0]->out;
  CHECK_OK(spn_graph_compile(g, 0, &err), err);
  grad_perturb(g);
  grad_data(&t, image->h, image->w, image->c, CLASSES);
  int points = grad_check(&t, what, 12);
  CHECK(points > 5, "%s: %d points", what, points);
  checked = op;
  grad_free(&t);
}

/* The dot product of x is the loss; frees the graph. */
static void check_dot(spn_graph *g, spn_value *x, const spn_op *op, const char *what) {
  CHECK(x->c <= MAX_CHANNELS, "%s: %d channels", what, x->c);
  spn_graph_node(g, &dot_op, "dot", x, NULL, NULL, 0);
  check(g, op, what);
}

/* ---- The ops ---- */

/* No gradient is taken to it: its readers, a convolution and a depthwise one, must do without, and see the images of
 * the call and not of an earlier one. */
static void case_input(void) {
  grad_case t = {.g = start()};
  spn_err err;
  spn_dw_spec dw = {.k = 3, .stride = 1, .pad_before = 1, .pad_after = 1, .inner_k = 3, .init_std = 0.3};
  spn_value *x = spn_add_input(t.g, 3, 4, 2);
  spn_value *a = norm(t.g, "dw.bn", spn_add_depthwise(t.g, "dw", x, &dw), SPN_ACT_HSWISH, NULL);
  x = spn_add_join(t.g, "join", source(t.g, "conv", x, 2, SPN_ACT_NONE), a, NULL, 0);
  spn_graph_node(t.g, &dot_op, "dot", x, NULL, NULL, 0);
  CHECK_OK(spn_graph_compile(t.g, 0, &err), err);
  grad_perturb(t.g);
  grad_data(&t, 3, 4, 2, CLASSES);
  CHECK(grad_check(&t, "input", 12) > 5, "points");
  double first = grad_loss(&t);
  real *images = t.images, other[BATCH * 3 * 4 * 2];
  for (size_t i = 0; i < sizeof other / sizeof *other; i++) other[i] = images[i] * images[i];
  t.images = other;
  CHECK(grad_check(&t, "input, other images", 12) > 5, "points");
  CHECK(fabs(grad_loss(&t) - first) > 1e-3, "other images, the same loss %g", first);
  checked = &spn_op_input;
  t.images = images;
  grad_free(&t);
}

/* A value with two readers, of which the later one writes its gradient and the earlier one adds to it. */
static void two_readers(int conv_last) {
  spn_graph *g = start();
  spn_value *x = source(g, "a", spn_add_input(g, 3, 4, 2), 5, SPN_ACT_HSWISH), *y[2];
  spn_dw_spec dw = {.k = 3, .stride = 1, .pad_before = 1, .pad_after = 1, .inner_k = 3, .init_std = 0.3};
  for (int i = 0; i < 2; i++)
    y[i] = i == conv_last ? conv1x1(g, "conv", x, 5, NULL, NULL, NULL) : spn_add_depthwise(g, "dw", x, &dw);
  const spn_op *op = conv_last ? &spn_op_conv : &spn_op_depthwise;
  check_dot(g, spn_add_join(g, "join", y[0], y[1], NULL, 0), op, "two readers");
}

static void case_conv(void) {
  for (int stride = 1; stride <= 2; stride++)
    for (spn_act act = SPN_ACT_NONE; act <= SPN_ACT_HSWISH; act++) {
      spn_graph *g = start();
      int size = stride == 1 ? 5 : 9; /* 1 behind the third */
      spn_value *x = spn_add_input(g, size, size, 2);
      spn_conv_spec spec = {
          .co = 5, .k = 3, .stride = stride, .pad_before = stride == 1, .pad_after = 1, .init_std = 0.4};
      x = norm(g, "a.bn", spn_add_conv(g, "a", x, &spec), act, NULL);
      spec.co = 4; /* a second one: gradient of the input through a view */
      x = norm(g, "b.bn", spn_add_conv(g, "b", x, &spec), act, NULL);
      spec.bias = 1; /* a third one, without batch norm, which would hide the bias */
      check_dot(g, spn_add_conv(g, "c", x, &spec), &spn_op_conv, "conv");
    }
  two_readers(1);
}

static void case_norm(void) {
  for (spn_act act = SPN_ACT_NONE; act <= SPN_ACT_HSWISH; act++) {
    spn_graph *g = start();
    spn_value *x = source(g, "a", spn_add_input(g, 3, 4, 2), 6, act);
    check_dot(g, x, &spn_op_norm, "norm");
  }
}

static void case_depthwise(void) {
  for (int k = 3; k <= 7; k += 2)
    for (int stride = 1; stride <= 2; stride++)
      for (int open = 0; open <= 2; open++) {
        spn_graph *g = start();
        spn_value *x = spn_add_input(g, 6, 6, 2);
        x = source(g, "a", x, 5, SPN_ACT_RELU);
        spn_dw_spec spec = {.k = k,
                            .stride = stride,
                            .pad_before = stride == 1 ? k / 2 : k / 2 - 1,
                            .pad_after = k / 2,
                            .rings = (k - 3) / 2,
                            .inner_k = 3,
                            .init_std = 0.3};
        for (int i = 0; i < spec.rings; i++) {
          spec.gates[i] = wanted_gate(g, i < open ? 1 : i == open ? 0 : 0.6);
          spec.ring_k[i] = 5 + 2 * i;
        }
        x = spn_add_depthwise(g, "dw", x, &spec);
        if (open) x = norm(g, "dw.bn", x, SPN_ACT_HSWISH, NULL);
        check_dot(g, x, &spn_op_depthwise, "depthwise");
      }
  two_readers(0);
}

/* on, squeeze: gates, or -1 for none. wide: behind an expansion with masked channels, and read by the projection. */
static void se(double on, double squeeze, double expand, int wide) {
  char what[80];
  spn_graph *g = start();
  spn_value *x = source(g, "in", spn_add_input(g, 3, 4, 2), 3, SPN_ACT_NONE);
  spn_se_spec spec = {.squeeze = 4, .on_gate = on < 0 ? -1 : wanted_gate(g, on)};
  if (squeeze >= 0) spec.units = spn_graph_width(g, 2, (int[]){2, 4}, (int[]){wanted_gate(g, squeeze)});
  spn_width *width = wide ? spn_graph_width(g, 2, (int[]){3, 7}, (int[]){wanted_gate(g, expand)}) : NULL;
  x = norm(g, "e.bn", conv1x1(g, "e", x, 7, NULL, width, NULL), SPN_ACT_HSWISH, NULL);
  x = spn_add_se(g, "se", x, &spec);
  if (wide) x = conv1x1(g, "p", x, 3, width, NULL, NULL);
  snprintf(what, sizeof what, "se on %g squeeze %g expand %g", on, squeeze, expand);
  check_dot(g, x, &spn_op_se, what);
}

static void case_se(void) {
  static const double gates[] = {-1, 0, 0.4, 1};
  for (int on = 0; on < 4; on++)
    for (int squeeze = 0; squeeze < 4; squeeze++) {
      se(gates[on], gates[squeeze], 1, 0);
      for (int expand = 1; expand < 4; expand++) se(gates[on], gates[squeeze], gates[expand], 1);
    }
}

/* A residual block in small: the joined value has a second reader, and the branch a gate; drop: with images that do
 * without it. */
static void join(double keep, double drop) {
  spn_graph *g = start();
  spn_value *a = source(g, "a", spn_add_input(g, 3, 4, 2), 5, SPN_ACT_RELU6);
  spn_branch *branch = keep < 0 ? NULL : spn_graph_branch(g, wanted_gate(g, keep));
  spn_value *b = norm(g, "b.bn", conv1x1(g, "b", a, 5, NULL, NULL, branch), SPN_ACT_HSWISH, branch);
  spn_value *y = spn_add_join(g, "join", a, b, branch, drop);
  y = spn_add_join(g, "again", y, source(g, "c", y, 5, SPN_ACT_NONE), NULL, 0); /* of a stored value */
  check_dot(g, y, &spn_op_join, "join");
}

/* Both inputs have a reader before the join and one after it: gradients add up whoever comes first. */
static void join_shared(void) {
  spn_graph *g = start();
  spn_value *image = spn_add_input(g, 3, 4, 2), *in[2], *before[2];
  in[0] = source(g, "a", image, 5, SPN_ACT_RELU6);
  in[1] = source(g, "b", image, 5, SPN_ACT_HSWISH);
  for (int i = 0; i < 2; i++) before[i] = source(g, i ? "d" : "c", in[i], 5, SPN_ACT_NONE);
  spn_value *y = spn_add_join(g, "join", in[0], in[1], NULL, 0);
  for (int i = 0; i < 2; i++)
    y = spn_add_join(g, "more", y, spn_add_join(g, "after", before[i], in[i], NULL, 0), NULL, 0);
  check_dot(g, y, &spn_op_join, "join of shared values");
}

static void case_join(void) {
  static const double keep[] = {-1, 0, 0.4, 1};
  for (int i = 0; i < 8; i++) join(keep[i / 2], i % 2 ? 0.5 : 0);
  join_shared();
}

/* A layer as a supernet has it: two ops side by side by a gate, one of them with an expansion that the channels of its
 * input cut too, both with decided channels; a shortcut, and what passes where the layer is left out. */
static void mix(const double *values) {
  enum { KEEP, SHORTCUT, OP, EXPAND, SE, IN, OUT, RING, GATES };
  spn_graph *g = start();
  int gates[GATES];
  char what[120] = "mix";
  for (int i = 0; i < GATES; i++) {
    gates[i] = wanted_gate(g, values[i]);
    snprintf(what + strlen(what), sizeof what - strlen(what), " %g", values[i]);
  }
  spn_axis one = {.options = 1}, in = {2, {gates[IN]}}, expand = {2, {gates[EXPAND]}}, se = {2, {gates[SE]}};
  spn_width *narrow = spn_graph_width(g, 2, (int[]){2, 3}, &gates[IN]);
  spn_width *out = spn_graph_width(g, 2, (int[]){2, 3}, &gates[OUT]);
  spn_width *wide = spn_graph_width_by(g, &in, &expand, (int[]){4, 6, 6, 9});
  spn_width *own = spn_graph_width_by(g, &in, &one, (int[]){2, 3});
  own->dense = 1;
  spn_width *units = spn_graph_width_by(g, &in, &se, (int[]){1, 1, 2, 3});
  const spn_branch *around = spn_graph_branch_by(g, 0, NULL, 1, &gates[KEEP]);
  const spn_branch *shortcut = spn_graph_branch_by(g, 2, (int[]){gates[KEEP], gates[SHORTCUT]}, 0, NULL);
  const spn_branch *first = spn_graph_branch_by(g, 1, &gates[KEEP], 1, &gates[OP]);
  const spn_branch *second = spn_graph_branch_by(g, 2, (int[]){gates[KEEP], gates[OP]}, 0, NULL);
  spn_value *x = source(g, "in", spn_add_input(g, 4, 4, 2), 3, SPN_ACT_HSWISH);
  x = spn_add_mix(g, "narrow", 1, (spn_mix_term[]){{x, NULL, 1}}, narrow);
  spn_dw_spec dw = {.k = 3,
                    .stride = 1,
                    .pad_before = 1,
                    .pad_after = 1,
                    .inner_k = 3,
                    .width = own,
                    .branch = first,
                    .init_std = 0.3};
  spn_value *a = norm(g, "a.bn", spn_add_depthwise(g, "a", x, &dw), SPN_ACT_RELU6, first);
  spn_value *b = norm(g, "e.bn", conv1x1(g, "e", x, 9, NULL, wide, second), SPN_ACT_HSWISH, second);
  spn_conv_spec conv = {.co = 3,
                        .k = 5,
                        .stride = 1,
                        .pad_before = 2,
                        .pad_after = 2,
                        .rings = 1,
                        .gates = {gates[RING]},
                        .ring_k = {5},
                        .inner_k = 3,
                        .init_std = 0.2};
  a = norm(g, "ap.bn", conv1x1(g, "ap", a, 3, own, NULL, first), SPN_ACT_NONE, first);
  b = spn_add_se(g, "se", b, &(spn_se_spec){.squeeze = 3, .units = units, .on_gate = -1, .branch = second});
  b = norm(g, "bp.bn", conv1x1(g, "bp", b, 3, wide, NULL, second), SPN_ACT_NONE, second);
  x = spn_add_mix(g, "mix", 4, (spn_mix_term[]){{x, around, 0}, {x, shortcut, 0}, {a, first, 1}, {b, second, 1}}, out);
  x = norm(g, "c.bn", spn_add_conv(g, "c", x, &conv), SPN_ACT_RELU6, NULL);
  check_dot(g, x, &spn_op_mix, what);
}

static void case_mix(void) {
  static const double soft[] = {0.7, 0.4, 0.6, 0.3, 0.5, 0.8, 0.2, 0.9}, some[] = {1, 0, 0.6, 1, 0, 0.8, 0.2, 1};
  enum { GATES = sizeof soft / sizeof *soft };
  mix(soft);
  mix(some);
  for (int draw = 0; draw < 24; draw++) {
    double hard[GATES];
    for (int i = 0; i < GATES; i++)
      hard[i] = draw < 16 ? (double)spn_rng_below(2, SPN_RNG_TEST, (uint64_t)(draw * GATES + i), 2)
                          : 0.5 * (double)spn_rng_below(2, SPN_RNG_TEST, (uint64_t)(draw * GATES + i), 3);
    mix(hard);
  }
}

/* Of a view with batch norm, of one gated by SE, of a stored value; the last with a second reader. */
static void case_pool(void) {
  for (int kind = 0; kind < 3; kind++) {
    spn_graph *g = start();
    spn_se_spec spec = {.squeeze = 2, .on_gate = -1};
    spn_value *x = source(g, "a", spn_add_input(g, 3, 4, 2), 6, SPN_ACT_RELU6), *y;
    if (kind == 1) x = spn_add_se(g, "se", x, &spec);
    if (kind == 2) x = spn_add_join(g, "join", x, source(g, "b", x, 6, SPN_ACT_HSWISH), NULL, 0);
    y = spn_add_pool(g, "pool", x);
    if (kind == 2) y = spn_add_join(g, "sum", y, spn_add_pool(g, "again", x), NULL, 0);
    check_dot(g, y, &spn_op_pool, "pool");
  }
}

/* With and without dropping; by itself, and of a value with a reader before it, or one after it. */
static void dropout(double rate, int reader_before, int reader_after) {
  spn_graph *g = start();
  spn_value *x = source(g, "a", spn_add_input(g, 2, 2, 3), 8, SPN_ACT_RELU), *pooled = spn_add_pool(g, "pool", x);
  spn_value *before = reader_before ? spn_add_join(g, "before", pooled, pooled, NULL, 0) : NULL;
  x = spn_add_dropout(g, "dropout", pooled, rate);
  if (reader_after) x = spn_add_join(g, "after", x, pooled, NULL, 0);
  if (before) x = spn_add_join(g, "sum", x, before, NULL, 0);
  check_dot(g, x, &spn_op_dropout, "dropout");
}

static void case_dropout(void) {
  for (int i = 0; i < 8; i++) dropout(i & 1 ? 0.4 : 0, i & 2, i & 4);
}

/* Its own loss, on logits straight from a dense layer; also of a batch with fewer images than it has room for, and, at
 * last, of targets that sum to anything. */
static void case_loss(void) {
  static const double smoothing[] = {0, 0.1, 1, 0.1};
  static const real targets[BATCH][CLASSES] = {{0.3, 0, 0.7, 0}, {0, 0, 0, 0}, {0.1, 2, 0.5, 0.4}};
  for (int i = 0; i < 4; i++)
    for (int count = 1; count <= BATCH; count++) {
      grad_case t = {.g = start()};
      spn_err err;
      spn_conv_spec dense = {.co = CLASSES, .k = 1, .stride = 1, .bias = 1, .init_std = 0.5};
      spn_add_loss(t.g, "loss", spn_add_conv(t.g, "dense", spn_add_input(t.g, 1, 1, 5), &dense), smoothing[i]);
      CHECK_OK(spn_graph_compile(t.g, 0, &err), err);
      grad_perturb(t.g);
      grad_data(&t, 1, 1, 5, CLASSES);
      t.count = count;
      if (i == 3) t.g->targets = targets[0];
      CHECK(grad_check(&t, "loss", 12) > 5, "points");
      grad_free(&t);
    }
  checked = &spn_op_loss;
}

/* ---- Together ---- */

/* A masked block: expansion levels, kernel ring, SE and keep gate in every combination of 0, 1 and a fraction. */
static void block(double keep, double e1, double e2, double ring, double se, double wide) {
  spn_graph *g = start();
  spn_value *in = source(g, "in", spn_add_input(g, 4, 4, 2), 3, SPN_ACT_NONE), *x = in;
  int gates[6];
  double values[6] = {keep, e1, e2, ring, se, wide};
  for (int i = 0; i < 6; i++) gates[i] = wanted_gate(g, values[i]);
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
      .squeeze = 4, .units = spn_graph_width(g, 2, (int[]){2, 4}, gates + 5), .on_gate = gates[4], .branch = branch};
  x = spn_add_se(g, "se", x, &spec);
  x = norm(g, "p.bn", conv1x1(g, "p", x, 3, width, NULL, branch), SPN_ACT_NONE, branch);
  x = spn_add_join(g, "join", in, x, branch, 0);
  x = source(g, "h", x, 5, SPN_ACT_RELU);
  char what[160];
  snprintf(what, sizeof what, "block keep %g e %g %g ring %g se %g %g", keep, e1, e2, ring, se, wide);
  check_dot(g, x, NULL, what);
}

static void check_blocks(void) {
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

/* A case that checks another op than its own is no case. */
int main(void) {
#define SPN_OP(op) \
  checked = NULL;  \
  case_##op();     \
  CHECK(checked == &spn_op_##op, "case_%s is about %s", #op, checked ? checked->name : "nothing");
#include "graph/ops.def"
#undef SPN_OP
  check_blocks();
  return check_report("grad_ops");
}
