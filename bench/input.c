/* Images ready for training per second of one core: decoded, cropped as Inception does, resized, flipped, normalised.
 *
 *   bench_input --data DIR|PACK [--size 224] [--rounds 3]
 *
 * Files are read once before, so that what is timed is work and not the disk. Prints one line. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "input/dataset.h"
#include "input/transform.h"

/* Processor time: other programs may share the core. */
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const spn_err *err) {
  fprintf(stderr, "bench_input: %s\n", err->text);
  return err->code == SPN_EINPUT ? 2 : 1;
}

/* Every training image once; returns how many could be read. */
static size_t pass(spn_dataset *set, const spn_transform_plan *plan, spn_scratch *scratch, uint64_t epoch, float *out) {
  size_t done = 0;
  for (size_t i = 0; i < set->split_count[SPN_SPLIT_TRAIN]; i++) {
    spn_image image;
    spn_err err;
    uint32_t item = set->split[SPN_SPLIT_TRAIN][i];
    if (spn_dataset_image(set, item, &image, &err)) continue;
    if (!spn_transform_run(plan, scratch, &image, epoch, item, out)) done++;
    spn_image_free(&image);
  }
  return done;
}

int main(int argc, char **argv) {
  spn_dataset_options o = {.kind = "auto", .max_bad = 1, .seed = 1};
  spn_transform t = {.size = 224,
                     .channels = 3,
                     .augment = SPN_AUGMENT_INCEPTION,
                     .flip = 1,
                     .min_area = 0.08,
                     .mean = {0.485f, 0.456f, 0.406f},
                     .std = {0.229f, 0.224f, 0.225f},
                     .seed = 1};
  int rounds = 3;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--data")) o.path = argv[i + 1];
    else if (!strcmp(argv[i], "--size")) t.size = atoi(argv[i + 1]);
    else if (!strcmp(argv[i], "--rounds")) rounds = atoi(argv[i + 1]);
    else return fprintf(stderr, "bench_input: unknown argument %s\n", argv[i]), 2;
  }
  spn_err err;
  spn_dataset *set;
  spn_transform_plan plan;
  spn_scratch scratch = {0};
  if (spn_dataset_open(&o, &set, &err) || spn_transform_check(&t, &err)) return fail(&err);
  float *out = malloc((size_t)t.size * (size_t)t.size * 3 * sizeof *out);
  if (!out || spn_transform_plan_make(&t, &plan)) return 1;
  size_t images = pass(set, &plan, &scratch, 0, out);
  double best = 1e9;
  for (int r = 1; r <= rounds; r++) {
    double start = now();
    pass(set, &plan, &scratch, (uint64_t)r, out);
    double seconds = now() - start;
    if (seconds < best) best = seconds;
  }
  printf("%s size %d: %zu images, %.1f images/s a core\n", spn_dataset_kind(set), t.size, images,
         (double)images / best);
  spn_transform_plan_free(&plan);
  spn_scratch_free(&scratch);
  spn_dataset_close(set);
  free(out);
  return 0;
}
