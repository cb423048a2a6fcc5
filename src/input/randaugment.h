/* RandAugment (arXiv 1909.13719): a few operations on colours and geometry, drawn at random, one after the other. */
#ifndef SPN_INPUT_RANDAUGMENT_H
#define SPN_INPUT_RANDAUGMENT_H

#include <stdint.h>

/* The operations of the paper's list, as PIL defines them: pixel values are those that PIL would give (geometry but for
 * roundings of the sampled place). */
#define SPN_AUGMENT_OPS(X)        \
  X(IDENTITY, "identity")         \
  X(AUTOCONTRAST, "autocontrast") \
  X(EQUALIZE, "equalize")         \
  X(ROTATE, "rotate")             \
  X(SOLARIZE, "solarize")         \
  X(COLOR, "color")               \
  X(POSTERIZE, "posterize")       \
  X(CONTRAST, "contrast")         \
  X(BRIGHTNESS, "brightness")     \
  X(SHARPNESS, "sharpness")       \
  X(SHEAR_X, "shear_x") X(SHEAR_Y, "shear_y") X(TRANSLATE_X, "translate_x") X(TRANSLATE_Y, "translate_y")
typedef enum {
#define SPN_AUGMENT_OP(name, text) SPN_OP_##name,
  SPN_AUGMENT_OPS(SPN_AUGMENT_OP)
#undef SPN_AUGMENT_OP
      SPN_OP_COUNT
} spn_augment_op;
extern const char *const spn_augment_op_names[]; /* ends with NULL */

/* What magnitude 10, the largest, means; smaller ones in proportion. */
#define SPN_ROTATE_DEGREES 30
#define SPN_SHEAR 0.3
#define SPN_TRANSLATE 0.45     /* of the image's side */
#define SPN_ENHANCE 0.9        /* colour, contrast, brightness, sharpness: factor 1 +- 0.9 */
#define SPN_POSTERIZE_BITS 4   /* of 8 that go */
#define SPN_SOLARIZE_BELOW 256 /* by how much the threshold of inversion comes down from 256 */

/* One operation in place on pixels (size,size,channels), channels 1 or 3. amount: degrees, shear, share of the side,
 * factor (1: no change), bits that stay, or threshold; ignored by the others. spare: as large as pixels. What moves in
 * is 0. */
void spn_augment_apply(spn_augment_op op, double amount, unsigned char *pixels, unsigned char *spare, int size,
                       int channels);
/* ops operations at the magnitude (0..10), a function of key. Directions are drawn too. */
void spn_randaugment(unsigned char *pixels, unsigned char *spare, int size, int channels, int ops, double magnitude,
                     uint64_t key);

#endif
