/* RandAugment's operations against vectors that PIL made (make_augment_vectors.py), and what is drawn. */
#include "check.h"
#include "core/rng.h"
#include "data_input/augment_vectors.h"
#include "input/randaugment.h"

/* Geometry samples the nearest pixel: PIL rounds places to 1/65536 of a pixel, which moves a few. */
static const double LEAST_EQUAL = 0.99;

static void test_vectors(void) {
  unsigned char pixels[VECTOR_BYTES], spare[VECTOR_BYTES];
  for (int v = 0; v < VECTORS; v++) {
    int moves = vectors[v].op == SPN_OP_ROTATE || vectors[v].op >= SPN_OP_SHEAR_X, equal = 0;
    size_t n = (size_t)(VECTOR_SIZE * VECTOR_SIZE * vectors[v].channels);
    memcpy(pixels, vectors[v].channels == 3 ? vector_rgb : vector_grey, n);
    spn_augment_apply((spn_augment_op)vectors[v].op, vectors[v].amount, pixels, spare, VECTOR_SIZE,
                      vectors[v].channels);
    for (size_t i = 0; i < n; i++) equal += pixels[i] == vectors[v].pixels[i];
    CHECK(equal >= (moves ? LEAST_EQUAL : 1) * (double)n, "%s %g, %d channels: %d of %d values as PIL gives them",
          spn_augment_op_names[vectors[v].op], vectors[v].amount, vectors[v].channels, equal, (int)n);
  }
}

/* Magnitude 0 changes colours and places of nothing but where the operation has no strength; a key draws the same. */
static void test_draws(void) {
  unsigned char a[VECTOR_BYTES], b[VECTOR_BYTES], spare[VECTOR_BYTES];
  int same = 0, changed = 0;
  for (uint64_t key = 0; key < 300; key++) {
    memcpy(a, vector_rgb, VECTOR_BYTES);
    memcpy(b, vector_rgb, VECTOR_BYTES);
    spn_randaugment(a, spare, VECTOR_SIZE, 3, 2, 9, key);
    spn_randaugment(b, spare, VECTOR_SIZE, 3, 2, 9, key);
    same += !memcmp(a, b, VECTOR_BYTES);
    changed += memcmp(a, vector_rgb, VECTOR_BYTES) != 0;
    memcpy(b, vector_rgb, VECTOR_BYTES);
    spn_randaugment(b, spare, VECTOR_SIZE, 3, 0, 9, key);
    CHECK(!memcmp(b, vector_rgb, VECTOR_BYTES), "no operations, no change");
  }
  CHECK(same == 300, "%d of 300 keys draw the same twice", same);
  CHECK(changed > 280, "%d of 300 images changed", changed);
}

int main(void) {
  test_vectors();
  test_draws();
  return check_report("test_input_randaugment");
}
