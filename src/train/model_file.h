/* A network in one file: named weights, arch, preprocessing, class names and facts. What train and search write, and
 * all that eval and export need. */
#ifndef SPN_TRAIN_MODEL_FILE_H
#define SPN_TRAIN_MODEL_FILE_H

#include "graph/graph.h"
#include "input/input.h"
#include "io/tensors.h"
#include "model/arch.h"
#include "train/data.h"

typedef struct {
  spn_arch arch;
  spn_transform eval;   /* the preprocessing that belongs to the weights */
  spn_tensors *tensors; /* weights under their canonical names; metadata */
} spn_model;

/* weights NULL: the graph's own; else an averaged copy. facts: NULL-terminated key, value, key, value... */
spn_status spn_model_save(const char *path, const spn_graph *g, const real *weights, const spn_arch *arch,
                          const spn_data *data, const char *const *facts, spn_err *err);
/* Writes what a model file must tell beside its tensors into the set's metadata: network and preprocessing. */
spn_status spn_model_describe(spn_tensors *set, const spn_arch *arch, const spn_transform *eval, spn_err *err);
spn_status spn_model_load(const char *path, spn_model *out, spn_err *err);
void spn_model_free(spn_model *m);
/* Class names out of the metadata (malloc'd list of arch.classes strings in one block, or NULL). */
const char **spn_model_classes(const spn_model *m);

#endif
