/* A model file through an exporter, with everything the file knows. */
#ifndef SPN_API_MODEL_EXPORT_H
#define SPN_API_MODEL_EXPORT_H

#include "train/model_file.h"

/* s gives export.opset, export.fold_bn and export.normalize. */
spn_status spn_model_export(const spn_model *m, const spn_settings *s, const char *format, const char *path,
                            spn_err *err);

#endif
