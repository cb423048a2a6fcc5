/* The choices among the settings that belong to this folder; others are declared by what they choose in. The first of a
 * list is the default. */
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

#define SPN_SEARCH_METHODS(X) X(SPN_SEARCH_GRADIENT, "gradient") X(SPN_SEARCH_RANDOM, "random")
typedef enum { SPN_SEARCH_METHODS(SPN_CHOICE_CONSTANT) } spn_search_method;

#define SPN_VARIANTS(X) \
  X(SPN_VARIANT_AUTO, "auto") X(SPN_VARIANT_PROXY, "proxy") X(SPN_VARIANT_DEPLOYMENT, "deployment")
typedef enum { SPN_VARIANTS(SPN_CHOICE_CONSTANT) } spn_variant;

#define SPN_OPTIMIZERS(X) X(SPN_RMSPROP, "rmsprop") X(SPN_SGD, "sgd") X(SPN_ADAM, "adam")
typedef enum { SPN_OPTIMIZERS(SPN_CHOICE_CONSTANT) } spn_optimizer_kind;

#define SPN_SCHEDULES(X) \
  X(SPN_SCHEDULE_EXPONENTIAL, "exponential") X(SPN_SCHEDULE_COSINE, "cosine") X(SPN_SCHEDULE_CONSTANT, "constant")
typedef enum { SPN_SCHEDULES(SPN_CHOICE_CONSTANT) } spn_schedule;

#define SPN_OPSETS(X) X(SPN_OPSET_13, "13") X(SPN_OPSET_17, "17")
typedef enum { SPN_OPSETS(SPN_CHOICE_CONSTANT) } spn_opset;

#endif
