#include "api/difference.h"

#include <math.h>

static const double LEAST_DEVIATION = 1e-6; /* where all numbers expected are equal */

spn_difference spn_difference_of(const float *got, size_t got_row, const float *expected, size_t expected_row, int rows,
                                 size_t n) {
  const double count = (double)rows * (double)n;
  double worst = 0, off = 0, sum = 0, square = 0;
  for (size_t r = 0; r < (size_t)rows; r++)
    for (size_t i = 0; i < n; i++) {
      const double y = (double)expected[r * expected_row + i], d = fabs((double)got[r * got_row + i] - y);
      if (!(d <= worst)) worst = d; /* NaN counts, and stays */
      off += d * d;
      sum += y;
      square += y * y;
    }
  const double mean = sum / count, deviation = fmax(sqrt(fmax(square / count - mean * mean, 0)), LEAST_DEVIATION);
  return (spn_difference){isnan(off) ? NAN : worst / deviation, sqrt(off / count) / deviation};
}
