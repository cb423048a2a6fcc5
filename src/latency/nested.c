#include "latency/nested.h"

void spn_nest(int n, const double *d, spn_nested *out) {
  out->n = n;
  for (int i = 0; i < n; i++) {
    double product = 1;
    for (int m = 0; m < i; m++) product *= d[m];
    out->w[i] = i < n - 1 ? product * (1 - d[i]) : product;
    for (int j = 0; j < n - 1; j++) {
      double others = j <= i ? 1 : 0;
      for (int m = 0; m < i && m < n - 1; m++) others *= m == j ? 1 : d[m];
      if (j == i) others = -others;
      else if (i < n - 1) others *= 1 - d[i];
      out->slope[i][j] = others;
    }
  }
}

void spn_nest_pull(const spn_nested *options, const double *partial, double *gradient) {
  for (int i = 0; i < options->n; i++)
    for (int j = 0; j < options->n - 1; j++) gradient[j] += partial[i] * options->slope[i][j];
}
