/* How well predictions agree with measurements. */
#ifndef SPN_LATENCY_STATS_H
#define SPN_LATENCY_STATS_H

typedef struct {
  int count;
  double rmse;     /* in the unit of the figures */
  double mape;     /* mean of |predicted / measured - 1| */
  double worst;    /* largest of them */
  double within;   /* share with at most 0.1 */
  double kendall;  /* tau-b: ties count for neither order */
  double spearman; /* correlation of mean ranks */
} spn_agreement;

/* measured > 0. A rank correlation is NaN where one side is constant. */
void spn_agreement_of(const double *predicted, const double *measured, int count, spn_agreement *out);

#endif
