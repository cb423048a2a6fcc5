#include "input/transform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "input/randaugment.h"

/* Indices of a sample's own random sequence. */
enum { CROP_ATTEMPTS = 10 };
enum {
  DRAW_FLIP,
  DRAW_ROW,
  DRAW_COLUMN,
  DRAW_CROP /* four for each attempt */,
  DRAW_OPS = DRAW_CROP + 4 * CROP_ATTEMPTS,
  DRAW_ERASE
};

/* Random erasing: least and largest share of the area, and how much longer one side may be than the other. */
static const double ERASE_LEAST = 0.02, ERASE_MOST = 0.33, ERASE_ASPECT = 3.3;

/* What of an image is shown: its rectangle (h,w) at (y,x) is resized to (full_h,full_w), of which the part of the
 * output's size at (part_y,part_x) is taken, moved by (shift_y,shift_x) with zeros moving in, and mirrored. */
typedef struct {
  int y, x, h, w;
  int full_h, full_w, part_y, part_x;
  int shift_y, shift_x, flip;
} view;

/* Nothing is resized. */
static int is_plain(const view *v) { return v->h == v->full_h && v->w == v->full_w; }

spn_status spn_transform_check(const spn_transform *t, spn_err *err) {
  if (t->size < 1 || t->size > 4096)
    return spn_fail(err, SPN_EINPUT, "image size: expected 1 to 4096, got %d", t->size);
  if (t->channels != 1 && t->channels != 3)
    return spn_fail(err, SPN_EINPUT, "image channels: expected 1 or 3, got %d", t->channels);
  if (t->augment == SPN_AUGMENT_CROP && (t->pad < 0 || t->pad >= t->size))
    return spn_fail(err, SPN_EINPUT, "augmentation padding: expected 0 to %d, got %d", t->size - 1, t->pad);
  if (t->augment == SPN_AUGMENT_INCEPTION && !(t->min_area > 0 && t->min_area <= 1))
    return spn_fail(err, SPN_EINPUT, "smallest crop area: expected a share in (0, 1], got %g", t->min_area);
  if (t->augment == SPN_AUGMENT_NONE && !(t->eval_crop > 0 && t->eval_crop <= 1 && t->size / t->eval_crop <= 65536))
    return spn_fail(err, SPN_EINPUT, "centre crop: expected a share in (0, 1], got %g", t->eval_crop);
  if (t->ops < 0 || !(t->magnitude >= 0 && t->magnitude <= 10))
    return spn_fail(err, SPN_EINPUT,
                    "RandAugment: expected operations from 0 and a magnitude from 0 to 10, got %d and %g", t->ops,
                    t->magnitude);
  for (int c = 0; c < t->channels; c++) {
    if (!isfinite(t->mean[c])) return spn_fail(err, SPN_EINPUT, "mean[%d]: expected a number, got %g", c, t->mean[c]);
    if (!(t->std[c] > 0 && isfinite(t->std[c])))
      return spn_fail(err, SPN_EINPUT, "std[%d]: expected a number above 0, got %g", c, t->std[c]);
  }
  return SPN_OK;
}

spn_status spn_transform_plan_make(const spn_transform *t, spn_transform_plan *out) {
  size_t n = (size_t)t->size * (size_t)t->channels;
  *out = (spn_transform_plan){.t = *t, .scale = malloc(n * sizeof(float)), .bias = malloc(n * sizeof(float))};
  if (!out->scale || !out->bias) {
    spn_transform_plan_free(out);
    return SPN_ENOMEM;
  }
  for (size_t i = 0; i < n; i++) {
    size_t c = i % (size_t)t->channels;
    out->scale[i] = (float)(1.0 / (255.0 * t->std[c]));
    out->bias[i] = (float)(-(double)t->mean[c] / t->std[c]);
  }
  return SPN_OK;
}

void spn_transform_plan_free(spn_transform_plan *plan) {
  free(plan->scale);
  free(plan->bias);
  plan->scale = plan->bias = NULL;
}

void spn_scratch_free(spn_scratch *scratch) {
  spn_taps_free(&scratch->y);
  spn_taps_free(&scratch->x);
  free(scratch->row);
  free(scratch->line);
  free(scratch->picture);
  *scratch = (spn_scratch){0};
}

static spn_status reserve(float **block, size_t *room, size_t need) {
  if (need <= *room) return SPN_OK;
  free(*block);
  *block = malloc(need * sizeof **block);
  *room = *block ? need : 0;
  return *block ? SPN_OK : SPN_ENOMEM;
}

void spn_resized(int h, int w, int side, int *out_h, int *out_w) {
  *out_h = *out_w = side;
  if (h <= w) *out_w = (int)((int64_t)side * w / h);
  else *out_h = (int)((int64_t)side * h / w);
}

int spn_transform_side(const spn_transform *t) { return (int)lround(t->size / t->eval_crop); }

const char *const spn_long_side_names[] = {SPN_FRAMINGS(SPN_CHOICE_NAME) NULL};
const char *const spn_level_names[] = {[SPN_FRAME_TORCHVISION] = "none", [SPN_FRAME_ROUNDED] = "each_pass"};
const char *const spn_crop_offset_names[] = {
    [SPN_FRAME_TORCHVISION] = "round_half_even", [SPN_FRAME_ROUNDED] = "floor"};

/* Half of what is too much. */
static int offset(int full, int size, spn_framing framing) {
  return (int)(framing == SPN_FRAME_ROUNDED ? floor((full - size) / 2.0) : lrint((full - size) / 2.0));
}

/* The whole image with its short side resized to `side`, and the central part of the output's size. An image out of a
 * pack is resized to what the original would be resized to, so that the same part of it is seen. */
static view view_centre(const spn_transform *t, const spn_image *image, int side) {
  const int h = image->whole_h ? image->whole_h : image->h, w = image->whole_w ? image->whole_w : image->w;
  view v = {.h = image->h, .w = image->w};
  spn_resized(h, w, side, &v.full_h, &v.full_w);
  if (t->framing == SPN_FRAME_ROUNDED && h <= w) v.full_w = (int)lround((double)side * w / h);
  if (t->framing == SPN_FRAME_ROUNDED && h > w) v.full_h = (int)lround((double)side * h / w);
  v.part_y = offset(v.full_h, t->size, t->framing);
  v.part_x = offset(v.full_w, t->size, t->framing);
  return v;
}

/* Szegedy et al. 2015 as torchvision has it: area uniform, aspect log-uniform in [3/4, 4/3]; when ten rectangles did
 * not fit, the largest central one of a permitted aspect. */
static view view_inception(const spn_transform *t, int h, int w, uint64_t key) {
  view v = {.h = h, .w = w, .full_h = t->size, .full_w = t->size};
  for (int attempt = 0; attempt < CROP_ATTEMPTS; attempt++) {
    uint64_t draw = DRAW_CROP + 4 * (uint64_t)attempt;
    double share = t->min_area + (1.0 - t->min_area) * spn_rng_uniform(key, SPN_RNG_AUGMENT, draw);
    double aspect = exp(log(4.0 / 3.0) * (2.0 * spn_rng_uniform(key, SPN_RNG_AUGMENT, draw + 1) - 1.0));
    double area = share * h * w;
    long crop_w = lround(sqrt(area * aspect)), crop_h = lround(sqrt(area / aspect));
    if (crop_w < 1 || crop_h < 1 || crop_w > w || crop_h > h) continue;
    v.w = (int)crop_w;
    v.h = (int)crop_h;
    v.y = (int)spn_rng_below(key, SPN_RNG_AUGMENT, draw + 2, (uint64_t)(h - v.h) + 1);
    v.x = (int)spn_rng_below(key, SPN_RNG_AUGMENT, draw + 3, (uint64_t)(w - v.w) + 1);
    return v;
  }
  if (3L * w > 4L * h) v.w = (int)fmax(1, lround(h * 4.0 / 3.0));
  else if (4L * w < 3L * h) v.h = (int)fmax(1, lround(w * 4.0 / 3.0));
  v.y = (h - v.h) / 2;
  v.x = (w - v.w) / 2;
  return v;
}

/* Of a sample's own random sequence. */
static uint64_t sample_key(const spn_transform *t, uint64_t epoch, uint64_t sample) {
  return spn_rng_split(t->seed, SPN_RNG_AUGMENT, epoch << 32 ^ sample);
}

static view choose_view(const spn_transform *t, const spn_image *image, uint64_t key) {
  if (t->augment == SPN_AUGMENT_NONE) return view_centre(t, image, spn_transform_side(t));
  view v;
  if (t->augment == SPN_AUGMENT_INCEPTION) {
    v = view_inception(t, image->h, image->w, key);
  } else {
    uint64_t places = 2 * (uint64_t)t->pad + 1;
    v = view_centre(t, image, t->size);
    v.shift_y = (int)spn_rng_below(key, SPN_RNG_AUGMENT, DRAW_ROW, places) - t->pad;
    v.shift_x = (int)spn_rng_below(key, SPN_RNG_AUGMENT, DRAW_COLUMN, places) - t->pad;
  }
  v.flip = t->flip && spn_rng_below(key, SPN_RNG_AUGMENT, DRAW_FLIP, 2);
  return v;
}

const float spn_grey_weights[3] = {0.299f, 0.587f, 0.114f}; /* luma of ITU-R BT.601 */

/* In place, back to front when the line grows. line holds size*3 floats. */
static void change_channels(float *line, int size, int from, int to) {
  if (from == 1 && to == 3) {
    for (int x = size - 1; x >= 0; x--) line[3 * x] = line[3 * x + 1] = line[3 * x + 2] = line[x];
  } else if (from == 3 && to == 1) {
    const float *k = spn_grey_weights;
    for (int x = 0; x < size; x++) line[x] = k[0] * line[3 * x] + k[1] * line[3 * x + 1] + k[2] * line[3 * x + 2];
  }
}

static void clamp(float *line, int n) {
  for (int i = 0; i < n; i++) {
    float low = line[i] > 0.0f ? line[i] : 0.0f;
    line[i] = low < 255.0f ? low : 255.0f;
  }
}

/* line (size,channels) in 0..255 into out, normalised, shifted and mirrored. */
static void write_row(const spn_transform_plan *plan, const view *v, const float *restrict line, float *restrict out) {
  int size = plan->t.size, channels = plan->t.channels;
  int from = v->shift_x > 0 ? v->shift_x : 0, to = v->shift_x < 0 ? -v->shift_x : 0;
  int count = size - from - to, n = count * channels;
  const float *restrict scale = plan->scale, *restrict bias = plan->bias;
  if (from + to) memset(out, 0, (size_t)size * (size_t)channels * sizeof *out);
  line += from * channels;
  if (!v->flip) {
    out += to * channels;
    for (int i = 0; i < n; i++) out[i] = line[i] * scale[i] + bias[i];
    return;
  }
  for (int x = 0; x < count; x++) {
    float *pixel = out + (size - 1 - to - x) * channels;
    for (int c = 0; c < channels; c++) pixel[c] = line[x * channels + c] * scale[c] + bias[c];
  }
}

static void copy_line(const unsigned char *restrict src, int n, float *restrict line) {
  for (int i = 0; i < n; i++) line[i] = src[i];
}

/* Row `row` of what the view shows, before it is shifted and mirrored, into scratch->line (size,channels) in 0..255. */
static void show_row(const spn_transform_plan *plan, spn_scratch *scratch, const spn_image *image, const view *v,
                     int row) {
  const spn_taps *ys = &scratch->y, *xs = &scratch->x;
  int size = plan->t.size, from = image->channels;
  size_t stride = (size_t)image->w * (size_t)from;
  const unsigned char *corner = image->pixels + (size_t)v->y * stride + (size_t)v->x * (size_t)from;
  if (is_plain(v)) {
    copy_line(corner + (size_t)(v->part_y + row) * stride + (size_t)v->part_x * (size_t)from, size * from,
              scratch->line);
  } else { /* only the columns that the output's taps reach */
    size_t low = (size_t)xs->spans[0].start * (size_t)from;
    size_t high = (size_t)(xs->spans[size - 1].start + xs->spans[size - 1].count) * (size_t)from;
    spn_taps_blend_rows(corner + low, stride, ys->spans[row], ys->weights + (size_t)row * (size_t)ys->stride,
                        high - low, scratch->row + low);
    spn_taps_blend_columns(xs, scratch->row, from, scratch->line);
    clamp(scratch->line, size * from);
  }
  change_channels(scratch->line, size, from, plan->t.channels);
}

static spn_status prepare_scratch(const spn_transform *t, spn_scratch *scratch, const spn_image *image, const view *v) {
  size_t picture = 2 * (size_t)t->size * (size_t)t->size * (size_t)t->channels;
  SPN_TRY(reserve(&scratch->line, &scratch->line_room, (size_t)t->size * 3));
  if (t->ops && picture > scratch->picture_room) {
    free(scratch->picture);
    scratch->picture = malloc(picture);
    scratch->picture_room = scratch->picture ? picture : 0;
    if (!scratch->picture) return SPN_ENOMEM;
  }
  if (is_plain(v)) return SPN_OK;
  SPN_TRY(reserve(&scratch->row, &scratch->row_room, (size_t)v->w * (size_t)image->channels + 1));
  SPN_TRY(spn_taps_set(&scratch->y, v->h, v->full_h, v->part_y, t->size, t->resize));
  return spn_taps_set(&scratch->x, v->w, v->full_w, v->part_x, t->size, t->resize);
}

/* RandAugment works on whole pictures of 8 bit: what the view shows goes to scratch->picture and is changed there. */
static void change_picture(const spn_transform_plan *plan, spn_scratch *scratch, const spn_image *image, const view *v,
                           uint64_t key) {
  const spn_transform *t = &plan->t;
  size_t n = (size_t)t->size * (size_t)t->channels;
  for (int row = 0; row < t->size; row++) {
    show_row(plan, scratch, image, v, row);
    for (size_t i = 0; i < n; i++) scratch->picture[(size_t)row * n + i] = (unsigned char)(scratch->line[i] + 0.5f);
  }
  spn_randaugment(scratch->picture, scratch->picture + (size_t)t->size * n, t->size, t->channels, t->ops, t->magnitude,
                  spn_rng_split(key, SPN_RNG_AUGMENT, DRAW_OPS));
}

/* Random erasing (arXiv 1708.04896): a rectangle of 2 to 33 % of the area becomes the mean, which is 0. */
static void erase(const spn_transform *t, uint64_t key, float *out) {
  uint64_t own = spn_rng_split(key, SPN_RNG_AUGMENT, DRAW_ERASE);
  if (!(spn_rng_uniform(own, SPN_RNG_AUGMENT, 0) < t->erase)) return;
  for (int attempt = 0; attempt < CROP_ATTEMPTS; attempt++) {
    uint64_t draw = 1 + 4 * (uint64_t)attempt;
    double share = ERASE_LEAST + (ERASE_MOST - ERASE_LEAST) * spn_rng_uniform(own, SPN_RNG_AUGMENT, draw);
    double aspect = exp(log(ERASE_ASPECT) * (2 * spn_rng_uniform(own, SPN_RNG_AUGMENT, draw + 1) - 1));
    long h = lround(t->size * sqrt(share * aspect)), w = lround(t->size * sqrt(share / aspect));
    if (h < 1 || w < 1 || h > t->size || w > t->size) continue;
    size_t y = spn_rng_below(own, SPN_RNG_AUGMENT, draw + 2, (uint64_t)(t->size - h) + 1);
    size_t x = spn_rng_below(own, SPN_RNG_AUGMENT, draw + 3, (uint64_t)(t->size - w) + 1);
    for (size_t row = y; row < y + (size_t)h; row++)
      memset(out + (row * (size_t)t->size + x) * (size_t)t->channels, 0, (size_t)w * (size_t)t->channels * sizeof *out);
    return;
  }
}

/* The weighted sum of a span's samples, `step` bytes apart, rounded to a whole level as PIL does: in integers, with
 * weights of 22 binary places. */
static unsigned char whole_level(const unsigned char *src, size_t step, const float *weights, int count) {
  enum { PLACES = 22 };
  int64_t sum = (int64_t)1 << (PLACES - 1);
  for (int k = 0; k < count; k++) sum += src[(size_t)k * step] * llrint((double)weights[k] * (1 << PLACES));
  sum >>= PLACES;
  return (unsigned char)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* SPN_FRAME_ROUNDED: columns before rows. The taps and the line of scratch are there. */
static spn_status run_rounded(const spn_transform_plan *plan, const spn_scratch *scratch, const spn_image *image,
                              const view *v, float *out) {
  const spn_taps *ys = &scratch->y, *xs = &scratch->x;
  const int size = plan->t.size, first = ys->spans[0].start;
  const int last = ys->spans[size - 1].start + ys->spans[size - 1].count;
  const size_t from = (size_t)image->channels, width = (size_t)image->w * from, n = (size_t)size * from;
  unsigned char *narrow = malloc((size_t)(last - first) * n + 1);
  if (!narrow) return SPN_ENOMEM;
  for (int y = first; y < last; y++)
    for (size_t i = 0; i < n; i++) {
      const spn_span span = xs->spans[i / from];
      narrow[(size_t)(y - first) * n + i] = whole_level(image->pixels + (size_t)y * width + (size_t)span.start * from +
                                                            i % from,
                                                        from, xs->weights + i / from * (size_t)xs->stride, span.count);
    }
  for (int y = 0; y < size; y++, out += (size_t)size * (size_t)plan->t.channels) {
    for (size_t i = 0; i < n; i++)
      scratch->line[i] = whole_level(narrow + (size_t)(ys->spans[y].start - first) * n + i, n,
                                     ys->weights + (size_t)y * (size_t)ys->stride, ys->spans[y].count);
    change_channels(scratch->line, size, image->channels, plan->t.channels);
    write_row(plan, v, scratch->line, out);
  }
  free(narrow);
  return SPN_OK;
}

spn_status spn_transform_run(const spn_transform_plan *plan, spn_scratch *scratch, const spn_image *image,
                             uint64_t epoch, uint64_t sample, float *out) {
  const spn_transform *t = &plan->t;
  uint64_t key = sample_key(t, epoch, sample);
  view v = choose_view(t, image, key);
  size_t n = (size_t)t->size * (size_t)t->channels;
  SPN_TRY(prepare_scratch(t, scratch, image, &v));
  if (t->augment == SPN_AUGMENT_NONE && t->framing == SPN_FRAME_ROUNDED && !is_plain(&v))
    return run_rounded(plan, scratch, image, &v, out);
  if (t->ops) change_picture(plan, scratch, image, &v, key);
  for (int y = 0; y < t->size; y++) {
    int row = y + v.shift_y;
    float *to = out + (size_t)y * n;
    if (row < 0 || row >= t->size) {
      memset(to, 0, n * sizeof *to);
      continue;
    }
    if (t->ops) copy_line(scratch->picture + (size_t)row * n, (int)n, scratch->line);
    else show_row(plan, scratch, image, &v, row);
    write_row(plan, &v, scratch->line, to);
  }
  if (t->erase > 0) erase(t, key, out);
  return SPN_OK;
}

spn_status spn_transform_apply(const spn_transform *t, const unsigned char *rgb, int h, int w, uint64_t epoch,
                               uint64_t sample, float *out) {
  spn_transform_plan plan;
  spn_scratch scratch = {0};
  spn_image image = {.pixels = rgb, .h = h, .w = w, .channels = 3};
  SPN_TRY(spn_transform_plan_make(t, &plan));
  spn_status status = spn_transform_run(&plan, &scratch, &image, epoch, sample, out);
  spn_scratch_free(&scratch);
  spn_transform_plan_free(&plan);
  return status;
}
