#include "search/reward.h"

#include <math.h>

spn_reward spn_reward_chosen(const spn_settings *s) {
  if (s->search_reward != SPN_REWARD_AUTO) return s->search_reward;
  return s->search_feasible ? SPN_REWARD_HARD : SPN_REWARD_ABSOLUTE;
}

static const double SOFT = -0.07, HARD = -1, ABSOLUTE = -0.1;

double spn_reward_of(spn_reward form, double accuracy, double cost, double target) {
  double ratio = cost / target;
  switch (form) {
    case SPN_REWARD_SOFT: return accuracy * pow(ratio, SOFT);
    case SPN_REWARD_HARD: return ratio <= 1 ? accuracy : accuracy * pow(ratio, HARD);
    default: return accuracy + ABSOLUTE * fabs(ratio - 1);
  }
}
