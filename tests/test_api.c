/* The public header on a model file made here: probabilities, names, counts, export, and every kind of refusal. */
#include "spnas.h"

#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "core/rng.h"
#include "io/tensors.h"
#include "model/network.h"
#include "tiny_arch.h"

enum { SIDE = 40 };

static void make_model(const char *path) {
  spn_err err;
  spn_arch arch = tiny_arch("tiny", 16, 3);
  spn_network_options o = {.batch = 1, .threads = 1, .kernels = spn_kernels_get(NULL), .seed = 5};
  spn_graph *g;
  tiny_add(&arch, 8, 3, 1, 3, 0);
  CHECK_OK(spn_network_create(&arch, &o, 1, &g, &err), err);
  spn_tensors *set = spn_tensors_new();
  char *json = spn_arch_to_json(&arch);
  CHECK_OK(spn_network_to_tensors(g, NULL, set, &err), err);
  CHECK_OK(spn_tensors_set_meta(set, "spnas.arch", json, &err), err);
  CHECK_OK(spn_tensors_set_meta(set, "spnas.classes", "[\"cat\", \"dog\", \"fox\"]", &err), err);
  CHECK_OK(spn_tensors_set_meta(set, "spnas.preprocessing",
                                "{\"size\": 16, \"channels\": 3, \"eval_crop\": 0.875, \"resize\": \"bilinear\", "
                                "\"mean\": [0.5, 0.5, 0.5], \"std\": [0.25, 0.25, 0.25]}",
                                &err),
           err);
  CHECK_OK(spn_tensors_save(set, path, &err), err);
  free(json);
  spn_tensors_free(set);
  spn_graph_free(g);
}

static void classify(spnas_network *net) {
  spnas_error error;
  unsigned char rgb[SIDE * SIDE * 3];
  float p[3], again[3];
  for (int i = 0; i < SIDE * SIDE * 3; i++) rgb[i] = (unsigned char)spn_rng_below(1, SPN_RNG_TEST, (uint64_t)i, 256);
  CHECK(!spnas_network_classify(net, rgb, SIDE, SIDE, p, &error), "%s", error.text);
  CHECK_NEAR(p[0] + p[1] + p[2], 1, 1e-6, "sum of the probabilities");
  CHECK(!spnas_network_classify(net, rgb, SIDE, SIDE, again, &error), "%s", error.text);
  CHECK(!memcmp(p, again, sizeof p), "the same image gives the same answer");
  memset(rgb, 255, sizeof rgb);
  CHECK(!spnas_network_classify(net, rgb, SIDE, SIDE, again, &error), "%s", error.text);
  CHECK(memcmp(p, again, sizeof p), "another image gives another answer");
  CHECK(spnas_network_classify(net, rgb, 0, SIDE, p, &error) == 2, "an empty image is refused");
}

enum { MANY = 37, THREADS = 3 };
static unsigned char pixels[MANY][SIDE * SIDE * 3];
static float alone[MANY][3];

/* In batches, from several threads at a time: what the images gave one by one. */
static void *classify_many(void *context) {
  spnas_image images[MANY];
  spnas_error error;
  float p[MANY][3];
  for (int i = 0; i < MANY; i++) images[i] = (spnas_image){pixels[i], SIDE - i % 5, SIDE};
  for (int round = 0; round < 3; round++) {
    CHECK(!spnas_network_classify_batch(context, images, MANY, p[0], &error), "%s", error.text);
    for (int i = 0; i < MANY; i++)
      for (int c = 0; c < 3; c++) CHECK_NEAR(p[i][c], alone[i][c], 1e-5, "image %d of a batch", i);
  }
  return NULL;
}

static void check_batches(spnas_network *net) {
  spnas_error error;
  pthread_t thread[THREADS];
  for (int i = 0; i < MANY; i++) {
    for (int k = 0; k < SIDE * SIDE * 3; k++)
      pixels[i][k] = (unsigned char)spn_rng_below(2, SPN_RNG_TEST, (uint64_t)i << 32 | (uint64_t)k, 256);
    CHECK(!spnas_network_classify(net, pixels[i], SIDE - i % 5, SIDE, alone[i], &error), "%s", error.text);
  }
  for (int t = 0; t < THREADS; t++) CHECK(!pthread_create(&thread[t], NULL, classify_many, net), "a thread");
  for (int t = 0; t < THREADS; t++) pthread_join(thread[t], NULL);
  const spnas_image none = {NULL, SIDE, SIDE};
  CHECK(spnas_network_classify_batch(net, &none, 1, alone[0], &error) == 2, "an image without pixels is refused");
  CHECK(spnas_network_classify_batch(net, &none, 0, alone[0], &error) == 2, "no images are refused");
}

int main(void) {
  char path[] = "/tmp/spnas-api-XXXXXX", onnx[64];
  spnas_error error;
  spnas_network *net;
  long long parameters, macs;
  int file = mkstemp(path);
  CHECK(file >= 0, "mkstemp");
  close(file);
  make_model(path);
  CHECK(!spnas_network_open(path, 1, &net, &error), "%s", error.text);
  CHECK(spnas_network_classes(net) == 3 && !strcmp(spnas_network_class_name(net, 2), "fox"), "classes");
  CHECK(!strcmp(spnas_network_class_name(net, 3), ""), "no class 3");
  CHECK(spnas_network_input_size(net) == 16, "input size");
  spnas_network_counts(net, &parameters, &macs);
  CHECK(parameters > 500 && macs > 10000, "%lld parameters, %lld MACs", parameters, macs);
  classify(net);
  check_batches(net);
  snprintf(onnx, sizeof onnx, "%s.onnx", path);
  CHECK(!spnas_network_export(net, "onnx", onnx, &error), "%s", error.text);
  CHECK(!access(onnx, R_OK), "the export exists");
  CHECK(spnas_network_export(net, "nonsense", onnx, &error) == 2, "unknown format: %s", error.text);
  unlink(onnx);
  CHECK(!spnas_network_export(net, NULL, onnx, &error) && !access(onnx, R_OK), "format by suffix: %s", error.text);
  CHECK(spnas_network_export(net, "tflite", onnx, &error) == 2 && strstr(error.text, ".tflite"), "%s", error.text);
  CHECK(spnas_network_export(net, NULL, "/tmp/net.pb", &error) == 2 && strstr(error.text, "onnx (.onnx)"), "%s",
        error.text);
  CHECK(spnas_network_export(net, NULL, "", &error) == 2, "no path");
  spnas_network_close(net);
  CHECK(spnas_network_open("/nonexistent/file", 1, &net, &error) == 2 && strstr(error.text, "/nonexistent/file"), "%s",
        error.text);
  CHECK(strlen(spnas_version()) > 4, "version");
  unlink(path);
  unlink(onnx);
  return check_report("api");
}
