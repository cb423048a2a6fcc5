/* Separable resampling: rows are blended first, because that is a vectorised sum over contiguous memory and leaves only
 * as many rows to blend across columns as the output has. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "input/transform.h"

const char *const spn_resize_names[] = {SPN_RESIZES(SPN_CHOICE_NAME) NULL};

static double filter_value(spn_resize filter, double x) {
  x = fabs(x);
  if (filter == SPN_RESIZE_BILINEAR) return x < 1.0 ? 1.0 - x : 0.0;
  if (x < 1.0) return (1.5 * x - 2.5) * x * x + 1.0;
  if (x < 2.0) return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
  return 0.0;
}

static spn_status taps_reserve(spn_taps *taps, int count, int stride) {
  size_t spans = (size_t)count, weights = spans * (size_t)stride;
  if (spans > taps->span_room) {
    free(taps->spans);
    taps->spans = malloc(spans * sizeof *taps->spans);
    taps->span_room = taps->spans ? spans : 0;
    if (!taps->spans) return SPN_ENOMEM;
  }
  if (weights > taps->weight_room) {
    free(taps->weights);
    taps->weights = malloc(weights * sizeof *taps->weights);
    taps->weight_room = taps->weights ? weights : 0;
    if (!taps->weights) return SPN_ENOMEM;
  }
  taps->count = count;
  taps->stride = stride;
  return SPN_OK;
}

static spn_status taps_set_copy(spn_taps *taps, int first, int count) {
  SPN_TRY(taps_reserve(taps, count, 1));
  for (int i = 0; i < count; i++) {
    taps->spans[i] = (spn_span){first + i, 1};
    taps->weights[i] = 1.0f;
  }
  return SPN_OK;
}

spn_status spn_taps_set(spn_taps *taps, int in, int out, int first, int count, spn_resize filter) {
  if (in == out) return taps_set_copy(taps, first, count);
  double scale = (double)in / out, widen = scale > 1.0 ? scale : 1.0;
  double support = (filter == SPN_RESIZE_BILINEAR ? 1.0 : 2.0) * widen;
  SPN_TRY(taps_reserve(taps, count, 2 * (int)ceil(support) + 1));
  for (int i = 0; i < count; i++) {
    double centre = (first + i + 0.5) * scale, sum = 0.0;
    int low = (int)fmax(0.0, floor(centre - support + 0.5)), high = (int)fmin(in, floor(centre + support + 0.5));
    float *weights = taps->weights + (size_t)i * (size_t)taps->stride;
    for (int k = low; k < high; k++) sum += filter_value(filter, (k - centre + 0.5) / widen);
    for (int k = low; k < high; k++) weights[k - low] = (float)(filter_value(filter, (k - centre + 0.5) / widen) / sum);
    taps->spans[i] = (spn_span){low, high - low};
  }
  return SPN_OK;
}

void spn_taps_free(spn_taps *taps) {
  free(taps->spans);
  free(taps->weights);
  *taps = (spn_taps){0};
}

static void row_start(const unsigned char *restrict src, float weight, size_t n, float *restrict row) {
  for (size_t i = 0; i < n; i++) row[i] = weight * src[i];
}

static void row_add(const unsigned char *restrict src, float weight, size_t n, float *restrict row) {
  for (size_t i = 0; i < n; i++) row[i] += weight * src[i];
}

void spn_taps_blend_rows(const unsigned char *src, size_t stride, spn_span span, const float *weights, size_t n,
                         float *row) {
  src += (size_t)span.start * stride;
  row_start(src, weights[0], n, row);
  for (int k = 1; k < span.count; k++) row_add(src + (size_t)k * stride, weights[k], n, row);
}

typedef float quad __attribute__((vector_size(16)));

/* Three channels ride in a vector of four; the fourth lane reads the next pixel (or the room behind the row) and is
 * dropped. */
static void blend_columns_rgb(const spn_taps *taps, const float *row, float *line) {
  for (int i = 0; i < taps->count; i++) {
    const float *weights = taps->weights + (size_t)i * (size_t)taps->stride;
    const float *pixel = row + (size_t)taps->spans[i].start * 3;
    quad sum = {0, 0, 0, 0};
    for (int k = 0; k < taps->spans[i].count; k++) {
      quad value;
      memcpy(&value, pixel + 3 * k, sizeof value);
      sum += weights[k] * value;
    }
    for (int c = 0; c < 3; c++) line[3 * i + c] = sum[c];
  }
}

static void blend_columns_grey(const spn_taps *taps, const float *row, float *line) {
  for (int i = 0; i < taps->count; i++) {
    const float *weights = taps->weights + (size_t)i * (size_t)taps->stride;
    const float *pixel = row + taps->spans[i].start;
    float sum = 0.0f;
    for (int k = 0; k < taps->spans[i].count; k++) sum += weights[k] * pixel[k];
    line[i] = sum;
  }
}

void spn_taps_blend_columns(const spn_taps *taps, const float *row, int channels, float *line) {
  if (channels == 3) blend_columns_rgb(taps, row, line);
  else blend_columns_grey(taps, row, line);
}
