/* Resampling and augmentation: 8 bit image in, normalised float image out. */
#ifndef SPN_INPUT_TRANSFORM_H
#define SPN_INPUT_TRANSFORM_H

#include "input/image.h"
#include "input/input.h"

/* Taps of one axis: output i is the sum over k < spans[i].count of weights[i * stride + k] * input[spans[i].start + k].
 */
typedef struct {
  int start, count;
} spn_span;
typedef struct {
  spn_span *spans;
  float *weights;
  size_t span_room, weight_room; /* allocated elements */
  int count, stride;
} spn_taps;

/* Taps of outputs first .. first+count-1 when an axis of `in` samples is resized to `out` samples. Samples sit at pixel
 * centres (half-pixel convention), the filter (triangle, or Keys cubic with a = -0.5) is widened by in/out when
 * shrinking (antialias), cut at the borders and normalised: PIL's resize in float. in == out gives one tap of weight 1.
 */
spn_status spn_taps_set(spn_taps *taps, int in, int out, int first, int count, spn_resize filter);
void spn_taps_free(spn_taps *taps);

/* The weighted sum of the span's rows of src (n samples each, `stride` bytes apart) into row (n). */
void spn_taps_blend_rows(const unsigned char *src, size_t stride, spn_span span, const float *weights, size_t n,
                         float *row);
/* row (w,channels), followed by room for one more float, into line (count,channels). */
void spn_taps_blend_columns(const spn_taps *taps, const float *row, int channels, float *line);

/* The size of an image (h,w) whose short side is resized to `side`: the long one in proportion, rounded down, as
 * torchvision's Resize has it. */
void spn_resized(int h, int w, int side, int *out_h, int *out_w);

/* Buffers of one thread, reused from image to image. Zero-initialise. */
typedef struct {
  spn_taps y, x;
  float *row, *line;          /* one blended row of the image, one row of the output */
  size_t row_room, line_room; /* in floats */
  unsigned char *picture;     /* (2,size,size,channels): a picture that RandAugment changes, and its room for that */
  size_t picture_room;
} spn_scratch;
void spn_scratch_free(spn_scratch *scratch);

/* A transform with what does not depend on the image worked out. */
typedef struct {
  spn_transform t;
  float *scale, *bias; /* (size*channels): normalised = value * scale + bias, value in 0..255 */
} spn_transform_plan;

/* SPN_EINPUT with the field's name when a field is out of range. */
spn_status spn_transform_check(const spn_transform *t, spn_err *err);
spn_status spn_transform_plan_make(const spn_transform *t, spn_transform_plan *out);
void spn_transform_plan_free(spn_transform_plan *plan);
/* spn_transform_apply for an image of 1 or 3 channels. SPN_ENOMEM is the only failure. */
spn_status spn_transform_run(const spn_transform_plan *plan, spn_scratch *scratch, const spn_image *image,
                             uint64_t epoch, uint64_t sample, float *out);

#endif
