#include "search/cost_term.h"

#include <math.h>

double spn_cost_term(spn_cost_form form, double r, double target, double *derivative) {
  switch (form) {
    case SPN_COST_RATIO: *derivative = 1 / target; return r / target;
    case SPN_COST_DISTANCE: *derivative = (r >= target ? 1 : -1) / target; return fabs(r / target - 1);
    case SPN_COST_HINGE: *derivative = r > target ? 1 / target : 0; return r > target ? r / target - 1 : 0;
    default: *derivative = 1 / r; return log(r);
  }
}
