/* Mixed images and their targets against their definitions, the distribution of the shares, distillation, weights of
 * classes; and stochastic depth: how many images do without a block, and that evaluation knows nothing of it. */
#include "check.h"
#include "core/rng.h"
#include "graph/graph.h"
#include "train/mix.h"

enum { BATCH = 5, SIZE = 8, CHANNELS = 2, CLASSES = 4, PIXELS = SIZE * SIZE * CHANNELS, STEPS = 4000 };

static float images[BATCH * PIXELS];
static const int32_t labels[BATCH] = {0, 1, 2, 3, 1};
static const double weights[CLASSES] = {1, 2, 0.5, 1};

static spn_mixer *mixer(double mixup, double cutmix, double smoothing, const double *weight) {
  spn_err err;
  spn_mixer *m = NULL;
  spn_mix_options o = {.batch = BATCH,
                       .size = SIZE,
                       .channels = CHANNELS,
                       .classes = CLASSES,
                       .mixup = mixup,
                       .cutmix = cutmix,
                       .smoothing = smoothing,
                       .class_weight = weight,
                       .seed = 3};
  CHECK_OK(spn_mixer_create(&o, &m, &err), err);
  return m;
}

static int close_to(double a, double b) { return fabs(a - b) <= 1e-5 * (1 + fabs(b)); }

/* The target of images i and j with share l. */
static double target(int i, int j, double l, int c, double smoothing, const double *w) {
  double of_i = w[labels[i]] * ((labels[i] == c) * (1 - smoothing) + smoothing / CLASSES);
  double of_j = w[labels[j]] * ((labels[j] == c) * (1 - smoothing) + smoothing / CLASSES);
  return l * of_i + (1 - l) * of_j;
}

/* Every image of a mixed batch is made of the two that it should be, its targets too; returns the share. */
static double check_batch(spn_mixer *m, uint64_t step, int count, double smoothing, const double *w, int *cuts) {
  const float *mixed;
  const real *targets;
  spn_mixer_apply(m, images, labels, count, step, &mixed, &targets);
  double l = spn_mixer_share(m);
  int linear = 0, whole = 0, foreign = 0;
  for (int i = 0; i < count; i++) {
    int j = count - 1 - i;
    for (int k = 0; k < PIXELS; k++) {
      double x = (double)mixed[i * PIXELS + k], a = (double)images[i * PIXELS + k], b = (double)images[j * PIXELS + k];
      linear += close_to(x, l * a + (1 - l) * b);
      whole += x == a || x == b;
      foreign += x == b && i != j;
    }
    for (int c = 0; c < CLASSES; c++)
      CHECK(close_to((double)targets[i * CLASSES + c], target(i, j, l, c, smoothing, w)), "target %d of image %d", c,
            i);
  }
  int all = count * PIXELS, apart = count - count % 2;
  *cuts = whole == all;
  CHECK(linear == all || (whole == all && close_to((double)foreign / (apart * PIXELS), 1 - l)),
        "step %d: %d of %d pixels are blends, %d whole, of which %d foreign, share %g", (int)step, linear, all, whole,
        foreign, l);
  for (int i = count; i < BATCH; i++)
    for (int c = 0; c < CLASSES; c++) CHECK(targets[i * CLASSES + c] == 0, "a target where no image is");
  return l;
}

/* Beta(alpha, alpha) has mean 1/2 and variance 1/(4*(2*alpha + 1)). */
static void check_shares(double alpha) {
  spn_mixer *m = mixer(alpha, 0, 0, NULL);
  const float *mixed;
  const real *targets;
  double sum = 0, square = 0, want = 1 / (4 * (2 * alpha + 1));
  for (int step = 0; step < STEPS; step++) {
    spn_mixer_apply(m, images, labels, BATCH, (uint64_t)step, &mixed, &targets);
    double l = spn_mixer_share(m);
    CHECK(l >= 0 && l <= 1, "share %g", l);
    sum += l;
    square += l * l;
  }
  double mean = sum / STEPS, variance = square / STEPS - mean * mean;
  CHECK(fabs(mean - 0.5) < 4 * sqrt(want / STEPS), "alpha %g: mean %g", alpha, mean);
  CHECK(fabs(variance / want - 1) < 0.1, "alpha %g: variance %g, expected %g", alpha, variance, want);
  spn_mixer_free(m);
}

static void test_mix(void) {
  static const double one[CLASSES] = {1, 1, 1, 1};
  int cuts, cut_batches = 0;
  for (int i = 0; i < BATCH * PIXELS; i++) images[i] = (float)spn_rng_normal(1, SPN_RNG_TEST, (uint64_t)i);
  for (int kind = 0; kind < 4; kind++) {
    spn_mixer *m = mixer(kind & 1 ? 0.4 : 0, kind & 2 ? 1 : 0, 0.1, kind == 3 ? weights : NULL);
    for (uint64_t step = 0; step < 200; step++) {
      double l = check_batch(m, step, 2 + (int)step % (BATCH - 1), 0.1, kind == 3 ? weights : one, &cuts);
      CHECK(kind || l == 1, "nothing asked for, share %g", l);
      cut_batches += kind == 3 && cuts;
    }
    double before = check_batch(m, 7, BATCH, 0.1, kind == 3 ? weights : one, &cuts);
    check_batch(m, 8, BATCH, 0.1, kind == 3 ? weights : one, &cuts);
    CHECK(check_batch(m, 7, BATCH, 0.1, kind == 3 ? weights : one, &cuts) == before, "a function of the step");
    spn_mixer_free(m);
  }
  CHECK(cut_batches > 70 && cut_batches < 130, "%d of 200 batches cut", cut_batches);
  for (int i = 0; i < 3; i++) check_shares((double[]){0.2, 1, 3}[i]);
}

static void test_distil(void) {
  real logits[BATCH * CLASSES] = {0};
  const float *mixed;
  const real *targets;
  spn_mixer *m = mixer(0, 0, 0, weights);
  for (int i = 0; i < BATCH; i++) logits[i * CLASSES + 2] = (real)log(3.0); /* softmax 1/6 1/6 1/2 1/6 */
  spn_mixer_apply(m, images, labels, 3, 0, &mixed, &targets);
  spn_mixer_distil(m, logits, 0.25);
  for (int i = 0; i < 3; i++)
    for (int c = 0; c < CLASSES; c++) {
      double w = weights[labels[i]], want = w * (0.75 * (labels[i] == c) + 0.25 * (c == 2 ? 0.5 : 1.0 / 6));
      CHECK(close_to((double)targets[i * CLASSES + c], want), "image %d class %d: %g, expected %g", i, c,
            (double)targets[i * CLASSES + c], want);
    }
  CHECK(targets[3 * CLASSES] == 0, "a target where no image is");
  spn_mixer_free(m);
}

/* The input joined with itself: with stochastic depth an image comes out once, or 1 + 1/(1-rate) times. */
static void test_drop_path(void) {
  enum { MANY = 64 };
  static float batch[MANY];
  spn_err err;
  double rate = 0.3, dropped = 0, total = 0;
  for (int i = 0; i < MANY; i++) batch[i] = (float)(i + 1);
  spn_graph *g = spn_graph_new(MANY, 2, 0, spn_kernels_get(NULL), 5);
  spn_value *x = spn_add_pool(g, "pool", spn_add_input(g, 1, 1, 1)), *y = spn_add_join(g, "join", x, x, NULL, rate);
  spn_conv_spec dense = {.co = 2, .k = 1, .stride = 1, .bias = 1, .init_std = 1};
  spn_add_loss(g, "loss", spn_add_conv(g, "dense", y, &dense), 0);
  CHECK_OK(spn_graph_compile(g, 0, &err), err);
  for (int step = 0; step < 200; step++) {
    g->step = (uint64_t)step;
    CHECK_OK(spn_graph_forward(g, batch, NULL, MANY, 1, &err), err);
    for (int i = 0; i < MANY; i++) {
      double times = (double)y->x[i] / batch[i];
      CHECK(times == 1 || fabs(times - 1 - 1 / (1 - rate)) < 1e-5, "image %d comes out %g times", i, times);
      dropped += times == 1;
      total++;
    }
  }
  CHECK(fabs(dropped / total - rate) < 4 * sqrt(rate * (1 - rate) / total), "share dropped %g", dropped / total);
  CHECK_OK(spn_graph_forward(g, batch, NULL, MANY, 0, &err), err);
  for (int i = 0; i < MANY; i++) CHECK(y->x[i] == 2 * batch[i], "evaluation drops nothing");
  spn_graph_free(g);
}

int main(void) {
  test_mix();
  test_distil();
  test_drop_path();
  return check_report("test_regularise");
}
