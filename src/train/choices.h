/* The choices among the settings that belong to training and to searches, which read them from here; others are
 * declared by what they choose in. The first of a list is the default. */
#ifndef SPN_TRAIN_CHOICES_H
#define SPN_TRAIN_CHOICES_H

#include "core/names.h"

#define SPN_PRECISIONS(X) X(SPN_PRECISION_F32, "f32") X(SPN_PRECISION_BF16, "bf16") X(SPN_PRECISION_AUTO, "auto")
typedef enum { SPN_PRECISIONS(SPN_CHOICE_CONSTANT) } spn_precision;

/* spn_augment (input/input.h), or what suits the input size. */
#define SPN_AUGMENT_CHOICES(X)       \
  X(SPN_AUGMENT_CHOICE_AUTO, "auto") \
  X(SPN_AUGMENT_CHOICE_NONE, "none") \
  X(SPN_AUGMENT_CHOICE_CROP, "crop") \
  X(SPN_AUGMENT_CHOICE_INCEPTION, "inception")
typedef enum { SPN_AUGMENT_CHOICES(SPN_CHOICE_CONSTANT) } spn_augment_choice;

/* What an indicator's threshold is compared with: a scale-free ratio of RMS, or the paper's norm. */
#define SPN_STATISTICS(X) X(SPN_STATISTIC_RMS, "rms") X(SPN_STATISTIC_NORM, "norm")
typedef enum { SPN_STATISTICS(SPN_CHOICE_CONSTANT) } spn_statistic;

/* The cost term of cost R and target T: ln R, R/T, |R/T - 1|, max(0, R/T - 1). */
#define SPN_COST_FORMS(X) \
  X(SPN_COST_LOG, "log") X(SPN_COST_RATIO, "ratio") X(SPN_COST_DISTANCE, "distance") X(SPN_COST_HINGE, "hinge")
typedef enum { SPN_COST_FORMS(SPN_CHOICE_CONSTANT) } spn_cost_form;

/* What a sampled network is worth (search/reward.h). */
#define SPN_REWARDS(X)       \
  X(SPN_REWARD_AUTO, "auto") \
  X(SPN_REWARD_ABSOLUTE, "absolute") X(SPN_REWARD_SOFT, "soft") X(SPN_REWARD_HARD, "hard")
typedef enum { SPN_REWARDS(SPN_CHOICE_CONSTANT) } spn_reward;

#define SPN_VARIANTS(X) X(SPN_VARIANT_DEPLOYMENT, "deployment") X(SPN_VARIANT_PROXY, "proxy")
typedef enum { SPN_VARIANTS(SPN_CHOICE_CONSTANT) } spn_variant;

/* How much the classes of a training weigh: alike, or in inverse proportion to their images. */
#define SPN_CLASS_WEIGHTS(X) X(SPN_CLASS_WEIGHTS_NONE, "none") X(SPN_CLASS_WEIGHTS_BALANCED, "balanced")
typedef enum { SPN_CLASS_WEIGHTS(SPN_CHOICE_CONSTANT) } spn_class_weights;

#define SPN_OPTIMIZERS(X) X(SPN_RMSPROP, "rmsprop") X(SPN_SGD, "sgd") X(SPN_ADAM, "adam")
typedef enum { SPN_OPTIMIZERS(SPN_CHOICE_CONSTANT) } spn_optimizer_kind;

#define SPN_SCHEDULES(X) \
  X(SPN_SCHEDULE_EXPONENTIAL, "exponential") X(SPN_SCHEDULE_COSINE, "cosine") X(SPN_SCHEDULE_CONSTANT, "constant")
typedef enum { SPN_SCHEDULES(SPN_CHOICE_CONSTANT) } spn_schedule;

#define SPN_OPSETS(X) X(SPN_OPSET_13, "13") X(SPN_OPSET_17, "17")
typedef enum { SPN_OPSETS(SPN_CHOICE_CONSTANT) } spn_opset;

#endif
