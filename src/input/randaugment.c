#include "input/randaugment.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/rng.h"

enum { LEVELS = 256 };
static const double DEGREE = 3.141592653589793 / 180;

const char *const spn_augment_op_names[] = {
#define SPN_AUGMENT_OP(name, text) text,
    SPN_AUGMENT_OPS(SPN_AUGMENT_OP)
#undef SPN_AUGMENT_OP
        0};

/* ---- Colours ---- */

static unsigned char clip(double x) { return x <= 0 ? 0 : x >= 255 ? 255 : (unsigned char)x; }

/* Luma as PIL's convert("L"). */
static int luma(const unsigned char *p) { return (p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16; }

static int grey(const unsigned char *pixels, size_t i, int channels) {
  return channels == 3 ? luma(pixels + 3 * i) : pixels[i];
}

/* PIL's ImageEnhance: from + factor * (pixel - from), cut off. */
static unsigned char blend(int from, int pixel, double factor) { return clip(from + factor * (pixel - from)); }

static void look_up(unsigned char *pixels, size_t n, int step, const unsigned char *table) {
  for (size_t i = 0; i < n; i++) pixels[i * (size_t)step] = table[pixels[i * (size_t)step]];
}

static void count_levels(const unsigned char *pixels, size_t n, int step, long *count) {
  memset(count, 0, LEVELS * sizeof *count);
  for (size_t i = 0; i < n; i++) count[pixels[i * (size_t)step]]++;
}

static void autocontrast(unsigned char *channel, size_t n, int step) {
  long count[LEVELS];
  unsigned char table[LEVELS];
  int low = 0, high = LEVELS - 1;
  count_levels(channel, n, step, count);
  while (low < LEVELS - 1 && !count[low]) low++;
  while (high > 0 && !count[high]) high--;
  if (high <= low) return;
  double scale = 255.0 / (high - low);
  for (int i = 0; i < LEVELS; i++) table[i] = clip(i * scale - low * scale);
  look_up(channel, n, step, table);
}

static void equalize(unsigned char *channel, size_t n, int step) {
  long count[LEVELS];
  unsigned char table[LEVELS];
  int last = LEVELS - 1;
  count_levels(channel, n, step, count);
  while (last > 0 && !count[last]) last--;
  long width = ((long)n - count[last]) / 255, sum = width / 2;
  if (!width) return;
  for (int i = 0; i < LEVELS; i++) {
    table[i] = clip((double)(sum / width));
    sum += count[i];
  }
  look_up(channel, n, step, table);
}

static void by_channel(void (*change)(unsigned char *, size_t, int), unsigned char *pixels, size_t area, int channels) {
  for (int c = 0; c < channels; c++) change(pixels + c, area, channels);
}

static void solarize(unsigned char *pixels, size_t n, double threshold) {
  for (size_t i = 0; i < n; i++)
    if (pixels[i] >= threshold) pixels[i] = (unsigned char)(255 - pixels[i]);
}

static void posterize(unsigned char *pixels, size_t n, int bits) {
  unsigned mask = 0xffu << (8 - bits);
  for (size_t i = 0; i < n; i++) pixels[i] = (unsigned char)(pixels[i] & mask);
}

static void color(unsigned char *pixels, size_t area, int channels, double factor) {
  for (size_t i = 0; channels == 3 && i < area; i++) {
    int from = luma(pixels + 3 * i);
    for (int c = 0; c < 3; c++) pixels[3 * i + (size_t)c] = blend(from, pixels[3 * i + (size_t)c], factor);
  }
}

static void contrast(unsigned char *pixels, size_t area, int channels, double factor) {
  double sum = 0;
  for (size_t i = 0; i < area; i++) sum += grey(pixels, i, channels);
  int from = (int)(sum / (double)area + 0.5);
  for (size_t i = 0; i < area * (size_t)channels; i++) pixels[i] = blend(from, pixels[i], factor);
}

static void brightness(unsigned char *pixels, size_t n, double factor) {
  for (size_t i = 0; i < n; i++) pixels[i] = blend(0, pixels[i], factor);
}

/* Against the image smoothed by 3x3 weights 1 and, in the middle, 5; the border is not smoothed. */
static void sharpness(unsigned char *pixels, unsigned char *spare, int size, int channels, double factor) {
  size_t row = (size_t)size * (size_t)channels, step = (size_t)channels;
  memcpy(spare, pixels, (size_t)size * row);
  for (int y = 1; y + 1 < size; y++)
    for (size_t x = step; x < row - step; x++) {
      const unsigned char *p = spare + (size_t)y * row + x;
      int sum = 4 * p[0];
      for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) sum += p[dy * (ptrdiff_t)row + dx * (ptrdiff_t)step];
      pixels[(size_t)y * row + x] = blend((int)(sum / 13.0 + 0.5), p[0], factor);
    }
}

/* ---- Geometry ---- */

/* Output pixel (x,y) shows the input at (a*x + b*y + c, d*x + e*y + f), both from pixel centres; outside is 0. */
typedef struct {
  double a, b, c, d, e, f;
} affine;

static void move(unsigned char *pixels, unsigned char *spare, int size, int channels, affine m) {
  size_t row = (size_t)size * (size_t)channels;
  memcpy(spare, pixels, (size_t)size * row);
  for (int y = 0; y < size; y++)
    for (int x = 0; x < size; x++) {
      double fx = floor(m.a * (x + 0.5) + m.b * (y + 0.5) + m.c), fy = floor(m.d * (x + 0.5) + m.e * (y + 0.5) + m.f);
      unsigned char *to = pixels + (size_t)y * row + (size_t)(x * channels);
      if (fx < 0 || fy < 0 || fx >= size || fy >= size) memset(to, 0, (size_t)channels);
      else memcpy(to, spare + (size_t)fy * row + (size_t)fx * (size_t)channels, (size_t)channels);
    }
}

/* Counter-clockwise about the middle. */
static affine rotation(double degrees, int size) {
  double cosine = cos(degrees * DEGREE), sine = sin(degrees * DEGREE), middle = size / 2.0;
  return (affine){cosine, -sine,  middle - cosine * middle + sine * middle,
                  sine,   cosine, middle - sine * middle - cosine * middle};
}

void spn_augment_apply(spn_augment_op op, double amount, unsigned char *pixels, unsigned char *spare, int size,
                       int channels) {
  size_t area = (size_t)size * (size_t)size, n = area * (size_t)channels;
  switch (op) {
    case SPN_OP_AUTOCONTRAST: by_channel(autocontrast, pixels, area, channels); break;
    case SPN_OP_EQUALIZE: by_channel(equalize, pixels, area, channels); break;
    case SPN_OP_SOLARIZE: solarize(pixels, n, amount); break;
    case SPN_OP_POSTERIZE: posterize(pixels, n, (int)amount); break;
    case SPN_OP_COLOR: color(pixels, area, channels, amount); break;
    case SPN_OP_CONTRAST: contrast(pixels, area, channels, amount); break;
    case SPN_OP_BRIGHTNESS: brightness(pixels, n, amount); break;
    case SPN_OP_SHARPNESS: sharpness(pixels, spare, size, channels, amount); break;
    case SPN_OP_ROTATE: move(pixels, spare, size, channels, rotation(amount, size)); break;
    case SPN_OP_SHEAR_X: move(pixels, spare, size, channels, (affine){1, amount, 0, 0, 1, 0}); break;
    case SPN_OP_SHEAR_Y: move(pixels, spare, size, channels, (affine){1, 0, 0, amount, 1, 0}); break;
    case SPN_OP_TRANSLATE_X: move(pixels, spare, size, channels, (affine){1, 0, amount * size, 0, 1, 0}); break;
    case SPN_OP_TRANSLATE_Y: move(pixels, spare, size, channels, (affine){1, 0, 0, 0, 1, amount * size}); break;
    case SPN_OP_IDENTITY:
    case SPN_OP_COUNT: break;
  }
}

/* What a strength from 0 to 1, in a direction of +1 or -1, is for an operation. */
static double amount_of(spn_augment_op op, double strength, int sign) {
  switch (op) {
    case SPN_OP_ROTATE: return sign * SPN_ROTATE_DEGREES * strength;
    case SPN_OP_SHEAR_X:
    case SPN_OP_SHEAR_Y: return sign * SPN_SHEAR * strength;
    case SPN_OP_TRANSLATE_X:
    case SPN_OP_TRANSLATE_Y: return sign * SPN_TRANSLATE * strength;
    case SPN_OP_POSTERIZE: return 8 - (int)(SPN_POSTERIZE_BITS * strength + 0.5);
    case SPN_OP_SOLARIZE: return 256 - SPN_SOLARIZE_BELOW * strength;
    default: return 1 + sign * SPN_ENHANCE * strength;
  }
}

void spn_randaugment(unsigned char *pixels, unsigned char *spare, int size, int channels, int ops, double magnitude,
                     uint64_t key) {
  for (int i = 0; i < ops; i++) {
    uint64_t draw = 2 * (uint64_t)i;
    spn_augment_op op = (spn_augment_op)spn_rng_below(key, SPN_RNG_AUGMENT, draw, SPN_OP_COUNT);
    int sign = spn_rng_below(key, SPN_RNG_AUGMENT, draw + 1, 2) ? 1 : -1;
    spn_augment_apply(op, amount_of(op, magnitude / 10, sign), pixels, spare, size, channels);
  }
}
