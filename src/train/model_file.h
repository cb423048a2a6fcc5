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
/* Likewise the names of its classes. */
spn_status spn_model_name_classes(spn_tensors *set, const char *const *names, int count, spn_err *err);
spn_status spn_model_load(const char *path, spn_model *out, spn_err *err);
void spn_model_free(spn_model *m);
/* *names: malloc'd list of *count class names in one block out of a file's metadata; NULL: it holds none. */
spn_status spn_classes_read(const spn_tensors *set, const char ***names, int *count, spn_err *err);
/* Class names out of the metadata (malloc'd list of arch.classes strings in one block, or NULL). */
const char **spn_model_classes(const spn_model *m);

/* Fills a new graph from another network's weights (init): the tensors of equal name and shape are taken, the other
 * parameters start anew; SPN_EINPUT where none fits. The classifier's rows go by the classes' names: that of a
 * class of the data comes from the class of that name in init, and stays as it is where init has none. Where init names
 * no classes, the whole classifier is taken if it has as many, else left as it is. note (size bytes): how many were
 * taken, and what became of the classifier where it is not simply taken over. */
spn_status spn_model_start(spn_graph *g, const spn_tensors *init, const spn_data *data, char *note, size_t size,
                           spn_err *err);

#endif
