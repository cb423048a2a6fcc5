/* What a training is judged by. In short runs, with weights that move fast, running batch-norm statistics belong to
 * other weights: held-out loss explodes while training goes well. With statistics of the judged weights it does not,
 * nothing else changes, and what is saved is what was judged. The rule that warns is tested by itself. */

#include "check.h"
#include "core/rng.h"
#include "data_input/files.h"
#include "io/file.h"
#include "io/json.h"
#include "model/decisions.h"
#include "model/network.h"
#include "model/space.h"
#include "train/machine.h"
#include "train/model_file.h"
#include "train/parting.h"
#include "train/regularise.h"
#include "train/trainer.h"

enum { SIDE = 12, CLASSES = 3, TRAIN = 640, TEST = 64, EPOCHS = 6 };

static const char space_text[] =
    "{\"name\": \"tiny\", \"input\": {\"size\": 12, \"channels\": 1}, \"classes\": 3, \"activation\": \"relu\","
    " \"padding\": \"same\", \"bn\": {\"momentum\": 0.99, \"eps\": 0.001}, \"dropout\": 0,"
    " \"stem\": {\"channels\": 8, \"kernel\": 3, \"stride\": 1},"
    " \"stages\": [{\"layers\": 2, \"channels\": 16, \"stride\": 2, \"kernel\": [3], \"expand\": [3], \"skip\": true},"
    "               {\"layers\": 2, \"channels\": 24, \"stride\": 2, \"kernel\": [3], \"expand\": [3], \"skip\": "
    "true}],"
    " \"head\": {\"channels\": 32}}";

/* ---- A small world ---- */

/* Stripes under noise, whose direction and width are the class. */
static int pixel(int image, int label, int y, int x, uint64_t stream) {
  int along = label == 1 ? x : y, wide = label == 2 ? 2 : 3;
  double noise = spn_rng_normal(stream, SPN_RNG_TEST, (uint64_t)((image * SIDE + y) * SIDE + x));
  double v = 128 + ((along / wide) & 1 ? 40 : -40) + 50 * noise;
  return v < 0 ? 0 : v > 255 ? 255 : (int)v;
}

static void put_split(const char *images, const char *labels, int count, uint64_t stream) {
  static unsigned char bytes[16 + TRAIN * SIDE * SIDE];
  size_t size = make_idx_images(bytes, count, SIDE);
  for (int i = 0; i < count * SIDE * SIDE; i++) {
    int image = i / (SIDE * SIDE), p = i % (SIDE * SIDE);
    bytes[16 + i] = (unsigned char)pixel(image, image % CLASSES, p / SIDE, p % SIDE, stream);
  }
  put(images, bytes, size);
  put(labels, bytes, make_idx_labels(bytes, count));
}

static void make_world(void) {
  files_begin();
  put_split("data/train-images-idx3-ubyte", "data/train-labels-idx1-ubyte", TRAIN, 1);
  put_split("data/t10k-images-idx3-ubyte", "data/t10k-labels-idx1-ubyte", TEST, 2);
}

typedef struct {
  double train[EPOCHS], held_out[EPOCHS], parted[EPOCHS];
  int epochs;
  spn_train_result result;
  spn_score again; /* of last.safetensors, held-out images */
} history;

static void read_metrics(const char *path, history *h) {
  char *text;
  size_t size;
  spn_err err;
  CHECK_OK(spn_file_read(path, 1 << 20, &text, &size, &err), err);
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    spn_json_doc *doc = NULL;
    CHECK_OK(spn_json_parse(path, line, strlen(line), &doc, &err), err);
    spn_json root = spn_json_root(doc), loss = spn_json_get(&root, "train_loss");
    spn_json held = spn_json_get(&root, "holdout_loss"), parted = spn_json_get(&root, "parted_epochs");
    if (strstr(line, "epoch_end") && h->epochs < EPOCHS) {
      CHECK_OK(spn_json_real(&loss, 0, 1e9, &h->train[h->epochs], &err), err);
      CHECK_OK(spn_json_real(&held, 0, 1e9, &h->held_out[h->epochs], &err), err);
      CHECK_OK(spn_json_real(&parted, 0, 1e9, &h->parted[h->epochs], &err), err);
      h->epochs++;
    }
    spn_json_free(doc);
  }
  free(text);
}

static spn_status judge_file(const char *path, const spn_settings *s, const spn_data *data, spn_score *out,
                             spn_err *err) {
  spn_model m;
  spn_network_options o;
  spn_graph *g = NULL;
  SPN_TRY(spn_model_load(path, &m, err));
  spn_status status = spn_options_choose(s, &o, err);
  if (!status) status = spn_network_create(&m.arch, &o, 0, &g, err);
  if (!status) status = spn_network_from_tensors(g, m.tensors, err);
  if (!status) status = spn_evaluate(g, NULL, data, s, SPN_SPLIT_HOLDOUT, out, err);
  spn_graph_free(g);
  spn_model_free(&m);
  return status;
}

static void train(const char *name, long long recalibrate, double rate, history *h) {
  static spn_settings s;
  static spn_space space;
  char out[512];
  spn_choice choice;
  spn_arch arch;
  spn_data data;
  spn_run *run;
  spn_err err;
  *h = (history){.epochs = 0};
  snprintf(out, sizeof out, "%s", at(name));
  spn_settings_default(&s);
  snprintf(s.data_path, sizeof s.data_path, "%s", at("data"));
  s.run_threads = 1;
  s.run_seed = 2;
  s.optim_batch = 32;
  s.train_epochs = EPOCHS;
  s.optim_lr_warmup_epochs = 1;
  s.optim_ema = 0.97;
  s.optim_lr = rate;
  s.train_recalibrate = recalibrate;
  CHECK_OK(spn_space_parse("tiny", space_text, strlen(space_text), &space, &err), err);
  spn_choice_max(&space, &choice);
  spn_space_arch(&space, &choice, 0, &arch);
  CHECK_OK(spn_data_open(&s, SIDE, 1, &data, &err), err);
  CHECK_OK(spn_run_open(out, &s, "train", 0, 1, &run, &err), err);
  spn_origin origin = {0};
  spn_training job = {.run = run, .settings = &s, .arch = &arch, .data = &data, .origin = &origin};
  CHECK_OK(spn_train(&job, &h->result, &err), err);
  read_metrics(spn_run_path(run, "metrics.jsonl"), h);
  CHECK_OK(judge_file(spn_run_path(run, "last.safetensors"), &s, &data, &h->again, &err), err);
  spn_run_close(run);
  spn_data_close(&data);
}

/* ---- Held-out loss ---- */

static double largest(const double *x) {
  double most = 0;
  for (int i = 0; i < EPOCHS; i++) most = fmax(most, x[i]);
  return most;
}

/* A rate at which weights travel far within the hundred steps that running statistics remember. */
static void test_short_run(void) {
  history running, judged;
  double guess = log(CLASSES);
  train("running", 0, 1.6, &running);
  train("judged", 1000, 1.6, &judged);
  CHECK(running.epochs == EPOCHS && judged.epochs == EPOCHS, "%d, %d epochs", running.epochs, judged.epochs);
  for (int i = 0; i < EPOCHS; i++)
    CHECK(running.train[i] == judged.train[i], "epoch %d: what is judged trains otherwise", i + 1);
  CHECK(largest(running.held_out) > 2 * guess,
        "running statistics no longer explode (%.3f): the test needs a higher rate", largest(running.held_out));
  CHECK(largest(running.parted) >= SPN_PARTING_EPOCHS, "nothing warns of it");
  CHECK(largest(judged.held_out) < 1.1 * guess && judged.held_out[EPOCHS - 1] < 0.3 * guess, "worst %.3f, last %.3f",
        largest(judged.held_out), judged.held_out[EPOCHS - 1]);
  CHECK(!(largest(judged.parted) > 0), "a false alarm");
  CHECK_NEAR(judged.again.loss, judged.held_out[EPOCHS - 1], 1e-8, "what is saved is not what was judged");
  CHECK(judged.result.test.top1 > 0.9, "test top-1 %.3f", judged.result.test.top1);
}

/* ---- The rule ---- */

typedef struct {
  const char *what;
  int classes, epochs, warns; /* epoch at which it must warn, 0: never */
  double loss[8][2];          /* training, held out */
  const char *cause;          /* a word of it */
} course;

static const course courses[] = {
    {"statistics that lag", 10, 5, 4, {{2.3, 2.29}, {2.24, 2.05}, {2.2, 3.5}, {2.1, 12.4}, {2.0, 5.4}}, "recalibrate"},
    {"a first epoch that knows nothing", 10, 3, 0, {{2.4, 2.5}, {2.1, 2.4}, {1.9, 2.0}}, NULL},
    {"one bad epoch", 10, 4, 0, {{2.0, 1.9}, {1.7, 3.4}, {1.6, 1.6}, {1.5, 1.5}}, NULL},
    {"a small set, remembered a little", 10, 4, 0, {{1.5, 1.4}, {1.0, 1.2}, {0.7, 1.4}, {0.6, 1.6}}, NULL},
    {"a small set, remembered by heart",
     10,
     5,
     5,
     {{1.5, 1.4}, {1.0, 1.2}, {0.6, 1.7}, {0.2, 2.0}, {0.1, 2.2}},
     "remember"},
    {"losses near 0", 10, 4, 0, {{0.5, 0.1}, {0.4, 0.02}, {0.3, 0.04}, {0.2, 0.05}}, NULL},
    {"a rate too high for both", 10, 3, 0, {{5, 4}, {6, 5}, {7, 6}}, NULL},
    {"training above a guess, held out far above", 10, 3, 2, {{2.9, 8}, {2.9, 9}, {2.8, 9}}, "optim.lr"},
    {"other images", 2, 3, 2, {{0.5, 1.2}, {0.4, 1.5}, {0.3, 1.6}}, "differ"},
    {"two classes, few images", 2, 4, 0, {{0.69, 0.7}, {0.66, 0.75}, {0.62, 0.72}, {0.6, 0.65}}, NULL},
    {"not a number", 10, 2, 2, {{2, NAN}, {2, NAN}}, "optim.lr"},
};

static void test_rule(void) {
  for (size_t c = 0; c < sizeof courses / sizeof *courses; c++) {
    const course *k = &courses[c];
    spn_parting p = {0};
    int warned = 0;
    const char *cause = "";
    for (int i = 0; i < k->epochs; i++) {
      spn_parting_epoch(&p, k->loss[i][0], k->loss[i][1], k->classes);
      if (p.epochs != SPN_PARTING_EPOCHS || warned) continue;
      warned = i + 1;
      cause = spn_parting_cause(&p, k->loss[i][0], k->classes, k->cause && strcmp(k->cause, "recalibrate"));
    }
    CHECK(warned == k->warns, "%s: warns at epoch %d, expected %d", k->what, warned, k->warns);
    CHECK(!k->cause || strstr(cause, k->cause), "%s: %s", k->what, cause);
  }
}

/* ---- Classes that weigh alike ---- */

/* A label's target sums to images / (classes * images of the class), 1 on average over the images. */
static void test_balance(void) {
  static spn_settings s;
  spn_arch arch = {.classes = CLASSES};
  spn_data data;
  spn_loader *loader;
  spn_regulariser *r;
  spn_batch batch;
  spn_err err;
  const float *images;
  const real *targets;
  int end = 0, differ = 0;
  spn_settings_default(&s);
  snprintf(s.data_path, sizeof s.data_path, "%s", at("data"));
  s.optim_batch = 32;
  s.data_holdout = 0; /* 640 images do not divide by 3 */
  s.train_class_weights = SPN_CLASS_WEIGHTS_BALANCED;
  CHECK_OK(spn_data_open(&s, SIDE, 1, &data, &err), err);
  CHECK_OK(spn_data_loader(&data, &s, SPN_SPLIT_TRAIN, 1, 0, &loader, &err), err);
  CHECK_OK(spn_regulariser_create(&s, &data, &arch, &r, &err), err);
  CHECK_OK(spn_loader_next(loader, &batch, &end, &err), err);
  CHECK_OK(spn_regulariser_apply(r, &batch, 0, &images, &targets, &err), err);
  CHECK(images == batch.images, "nothing is mixed");
  double all = (double)spn_dataset_count(data.set, SPN_SPLIT_TRAIN);
  for (int i = 0; i < batch.count; i++) {
    double sum = 0, own = (double)spn_dataset_class_count(data.set, SPN_SPLIT_TRAIN, batch.labels[i]);
    for (int c = 0; c < CLASSES; c++) sum += (double)targets[i * CLASSES + c];
    CHECK_NEAR(sum, all / (CLASSES * own), 1e-6, "weight of an image");
    differ += fabs(sum - 1) > 1e-4;
  }
  CHECK(differ > 0, "the classes are as large as each other: the test cannot tell");
  spn_regulariser_free(r);
  spn_loader_close(loader);
  spn_data_close(&data);
}

int main(void) {
  make_world();
  test_balance();
  test_short_run();
  test_rule();
  files_end();
  return check_report("test_training");
}
