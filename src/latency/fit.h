/* A model of latency fitted to measurements: what tables measured is used as measured; parts without an entry get the
 * sum of their work (work.h) with weights >= 0; whole networks that were measured too correct the kinds of work apart.
 *
 * Tables. Every entry is one equation, cost = work . weight, in relative terms, weighted by its spread and robust to
 * outliers (Huber). The first table is the reference; each further table has weights of its own, drawn towards the
 * reference's as by one entry, so that what only one table measured (a kernel, a stem) is known to all, and a profile
 * taken with cold caches does not change the others.
 * Networks. factor[c] scales class c of work so that the sums agree with measured networks; factors are >= 0 and drawn
 * towards one common scale: what few networks cannot tell apart moves together (real = a * sum), what they can, apart.
 */
#ifndef SPN_LATENCY_FIT_H
#define SPN_LATENCY_FIT_H

#include "latency/stats.h"
#include "latency/table.h"

enum { SPN_MAX_FIT_TABLES = 8, SPN_MAX_NETWORKS = 4096 };

/* Kinds of work that a device can do better or worse at, apart from others. */
#define SPN_CLASSES_LIST(X)                                \
  X(SPN_CLASS_MACS, "macs")                                \
  X(SPN_CLASS_TRAFFIC, "traffic") /* inputs and outputs */ \
  X(SPN_CLASS_WEIGHTS, "weights")                          \
  X(SPN_CLASS_TAPS, "taps")                                \
  X(SPN_CLASS_STEM, "stem")                                \
  X(SPN_CLASS_MOVED, "moved")                              \
  X(SPN_CLASS_CLASSIFIER, "classifier")                    \
  X(SPN_CLASS_SE, "se")                                    \
  X(SPN_CLASS_OPS, "ops")
typedef enum { SPN_CLASSES_LIST(SPN_CHOICE_CONSTANT) SPN_CLASSES } spn_work_class;
extern const char *const spn_class_names[];

/* What was measured and what the model says of it: how far it can be trusted. */
typedef enum { SPN_POINT_ENTRY, SPN_POINT_CALIBRATION, SPN_POINT_HOLDOUT } spn_point_kind;
extern const char *const spn_point_names[]; /* "entry" (predicted without its shape), "calibration", "holdout" */
typedef struct {
  spn_point_kind kind;
  char name[96];
  const char *source;                /* a table's name; or "network" */
  double measured, predicted, error; /* error: standard deviation */
} spn_fit_point;

typedef struct {
  char name[64], unit[16], source[192];
  int tables;
  spn_table table[SPN_MAX_FIT_TABLES];
  double weight[SPN_MAX_FIT_TABLES][SPN_WORKS]; /* unit per unit of work */
  double covariance[SPN_WORKS * SPN_WORKS];     /* of weight[0] */
  double spread;                                /* of a modelled entry, relative: cross-validated over shapes */
  int networks;                                 /* behind the factors; 0: not calibrated */
  double factor[SPN_CLASSES];
  double factor_covariance[SPN_CLASSES * SPN_CLASSES];
  double network_spread; /* of a network's prediction, relative: each left out in turn */
  spn_fit_point *point;  /* (points) what a fit was judged by, for its file; malloc'd or NULL; not read back */
  int points;
} spn_fit;

/* A network with its measured latency. */
typedef struct {
  char name[96];
  spn_arch arch;
  double measured;
} spn_network_time;

/* Fits the tables that `fit` holds already (tables, table[]); units must agree. SPN_EINPUT, SPN_ENOMEM. */
spn_status spn_fit_tables(spn_fit *fit, spn_err *err);
/* Fits the factors. count >= 1. */
spn_status spn_fit_calibrate(spn_fit *fit, const spn_network_time *network, int count, spn_err *err);

/* A fitted model, or a table, which is fitted then: by path, or by name from data/latency. */
spn_status spn_fit_load(const char *name, spn_fit *out, spn_err *err);
spn_status spn_fit_read(const spn_json *root, spn_fit *out, spn_err *err);
spn_status spn_fit_save(const spn_fit *fit, const char *path, spn_err *err);
void spn_fit_free(spn_fit *fit);

/* ---- Prediction ---- */

typedef enum { SPN_FROM_TABLE, SPN_FROM_OTHER_TABLE, SPN_FROM_PART_TABLE, SPN_FROM_MODEL } spn_latency_origin;
extern const char *const spn_origin_names[]; /* "measured", "measured, converted", "measured + model", "modelled" */

typedef struct {
  double cost;  /* as the first table measures, or would */
  double error; /* its standard deviation */
  double calibrated;
  double share[SPN_CLASSES]; /* of cost, by class; their sum is cost */
  spn_latency_origin origin;
} spn_part_latency;

/* A part at a position in its network (-1: unknown). */
void spn_fit_part(const spn_fit *fit, const spn_part *part, int layer, spn_part_latency *out);

typedef struct {
  int parts;
  spn_part part[SPN_MAX_PARTS];
  int index[SPN_MAX_PARTS];                /* block, -1 outside */
  int in_rest[SPN_MAX_PARTS];              /* covered by `rest` */
  spn_part_latency latency[SPN_MAX_PARTS]; /* zeros where in_rest */
  int has_rest;
  spn_part_latency rest;
  double sum;        /* of the table's figures: exact inside a table's own space */
  double sum_error;  /* standard deviation */
  double calibrated; /* = sum without calibration */
  double calibrated_error;
} spn_prediction;

void spn_fit_predict(const spn_fit *fit, const spn_arch *arch, spn_prediction *out);

/* The model laid over a space, calibrated where it can be: every option of every layer. Equals spn_table_apply where
 * the first table covers the space and nothing is calibrated. */
spn_status spn_fit_cost(const spn_fit *fit, const spn_space *space, spn_cost *out, spn_err *err);

/* ---- How good it is ---- */

enum { SPN_WORST_ENTRIES = 5 };
typedef struct {
  spn_agreement agreement; /* of entries whose shape was left out of the fit */
  int worst[SPN_WORST_ENTRIES], worst_count;
  double *predicted; /* one for each entry of the table (malloc'd) */
} spn_table_check;

/* Every shape left out in turn (ten parts): what the model says of shapes it has not seen. Sets fit->spread. out: one
 * for each table; spn_table_check_free frees. */
spn_status spn_fit_cross_validate(spn_fit *fit, spn_table_check *out, spn_err *err);
void spn_table_check_free(spn_table_check *check);

/* Calibrated on one half of the networks, judged on the other. */
typedef struct {
  int halves, all;             /* all: every possible half, not a sample */
  double mape, worst_mape;     /* mean and largest over the halves */
  double worst, typical_worst; /* largest error of one network: over all halves, in the median half */
  double kendall, least_kendall;
  double good; /* share of halves with a MAPE of at most 3 % and no error above 8 % */
} spn_halves;
spn_status spn_fit_halves(const spn_fit *fit, const spn_network_time *network, int count, spn_halves *out,
                          spn_err *err);

/* ---- Measured networks ---- */

/* A CSV with the columns network, ms and, if wanted, width and input_size: a name in data/networks (in any case), a
 * file, or a block string; others are passed over. The caller frees *out. */
spn_status spn_networks_load(const char *path, spn_network_time **out, int *count, spn_err *err);

#endif
