/* What few measurements allow to say: mean, confidence interval, and whether two means differ. Distributions are those
 * of Student's t; formulas: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.5 and 26.7. */
#ifndef SPN_SEARCH_SIGNIFICANCE_H
#define SPN_SEARCH_SIGNIFICANCE_H

typedef struct {
  int count;
  double mean;
  double deviation; /* of a single one, with count - 1; NaN below two */
} spn_sample;

void spn_sample_of(const double *values, int count, spn_sample *out);

/* P(T <= t) of Student's t with so many degrees of freedom (> 0, any real number). */
double spn_student(double t, double freedom);
/* The t > 0 with P(|T| <= t) = share, 0 < share < 1. */
double spn_student_bound(double share, double freedom);
/* Half the width of the confidence interval of the mean (share: 0.95), by Student's t; NaN below two values. */
double spn_sample_interval(const spn_sample *s, double share);

typedef struct {
  double difference; /* of the means, a - b */
  double t, freedom;
  double p; /* two-sided; NaN where it cannot be told: below two values, or all are equal */
} spn_comparison;
/* Welch's t-test: means of normal values with variances that may differ (Biometrika 34, 1947). */
void spn_welch(const spn_sample *a, const spn_sample *b, spn_comparison *out);

/* Adjusts the p of several tests in place, so that the chance of one false alarm among all stays what is asked for
 * (Holm, Scandinavian Journal of Statistics 6, 1979). NaN stays, and counts as no test. */
void spn_holm(double *p, int count);

/* Percentile of a value in a population, 0 to 100: the share below it, and half of its equals. NaN: an empty one. */
double spn_percentile(double value, const double *population, int count);

#endif
