#include "search/adam.h"

#include <math.h>

static const double BETA2 = 0.999, EPSILON = 1e-8;

void spn_adam_init(spn_adam *a, size_t count, double beta1, double *moments) {
  *a = (spn_adam){.count = count, .beta1 = beta1, .moment1 = moments, .moment2 = moments + count};
}

void spn_adam_step(spn_adam *a, double *weight, const double *gradient, double rate) {
  a->steps++;
  double first = 1 - pow(a->beta1, a->steps), second = 1 - pow(BETA2, a->steps);
  for (size_t i = 0; i < a->count; i++) {
    double g = gradient[i];
    a->moment1[i] = a->beta1 * a->moment1[i] + (1 - a->beta1) * g;
    a->moment2[i] = BETA2 * a->moment2[i] + (1 - BETA2) * g * g;
    weight[i] -= rate * (a->moment1[i] / first) / (sqrt(a->moment2[i] / second) + EPSILON);
  }
}
