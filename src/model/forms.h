/* The forms in which a search measures, for the supernet and the settings that choose them. */
#ifndef SPN_MODEL_FORMS_H
#define SPN_MODEL_FORMS_H

#include "core/names.h"

/* What a threshold is compared with: a scale-free ratio of RMS, or the paper's norm. */
#define SPN_STATISTICS(X) X(SPN_STATISTIC_RMS, "rms") X(SPN_STATISTIC_NORM, "norm")
typedef enum { SPN_STATISTICS(SPN_CHOICE_CONSTANT) } spn_statistic;

/* The cost term of cost R and target T: ln R, R/T, |R/T - 1|, max(0, R/T - 1). */
#define SPN_COST_FORMS(X) \
  X(SPN_COST_LOG, "log") X(SPN_COST_RATIO, "ratio") X(SPN_COST_DISTANCE, "distance") X(SPN_COST_HINGE, "hinge")
typedef enum { SPN_COST_FORMS(SPN_CHOICE_CONSTANT) } spn_cost_form;

#endif
