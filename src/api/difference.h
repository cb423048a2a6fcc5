/* How far numbers that were computed twice are apart. */
#ifndef SPN_API_DIFFERENCE_H
#define SPN_API_DIFFERENCE_H

#include <stddef.h>

/* In standard deviations of the numbers expected. */
typedef struct {
  double worst, typical; /* the largest, and the root of the mean square; NaN where one of the numbers is */
} spn_difference;

/* n numbers of each of `rows` images, whose results begin got_row and expected_row numbers apart. */
spn_difference spn_difference_of(const float *got, size_t got_row, const float *expected, size_t expected_row, int rows,
                                 size_t n);

#endif
