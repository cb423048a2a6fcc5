/* What a sampled network is worth: its accuracy and its cost against a target, in one number. */
#ifndef SPN_SEARCH_REWARD_H
#define SPN_SEARCH_REWARD_H

#include "train/settings.h"

/* SPN_REWARD_SOFT and _HARD (MnasNet, arXiv 1807.11626, eq. 2 and figure 3): accuracy * (cost / target)^w with w =
 * -0.07 on both sides, or 0 up to the target and -1 above. SPN_REWARD_ABSOLUTE (TuNAS, arXiv 2008.06120, eq. 1):
 * accuracy - 0.1 * |cost / target - 1|. cost and target > 0. */
double spn_reward_of(spn_reward form, double accuracy, double cost, double target);

/* search.reward; of SPN_REWARD_AUTO, accuracy alone where no network above the target is drawn (search.feasible): a
 * reward that pulls to the target from below as well would price accurate networks that cost less. */
spn_reward spn_reward_chosen(const spn_settings *settings);

#endif
