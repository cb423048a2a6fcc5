/* A model file through an exporter, with everything the file knows, and the written file held against the network. */
#ifndef SPN_API_MODEL_EXPORT_H
#define SPN_API_MODEL_EXPORT_H

#include "api/difference.h"
#include "export/lower.h"
#include "train/model_file.h"

/* Images as the network takes them and what it says of them: by them int8 formats choose their ranges, and every
 * written file is judged. */
typedef struct {
  float *images, *logits; /* (count,size,size,channels) normalised, (count,classes) */
  int count, real;        /* real: of data.path; else noise, a function of run.seed */
  float *maps;            /* (mapped, map_row): of the first images the endpoints and the logits; NULL: no endpoints */
  int mapped;
  size_t map_row;
} spn_export_samples;

/* export.samples training images of data.path, in proportion to the classes; without a path a few images of noise.
 * SPN_EINPUT also for export.endpoints that the network has not. */
spn_status spn_export_samples_make(const spn_model *m, const spn_settings *s, spn_export_samples *out, spn_err *err);
void spn_export_samples_free(spn_export_samples *samples);

/* What export.endpoints and export.endpoint_layer ask of the network; SPN_EINPUT for what it has not. */
spn_status spn_model_endpoints(const spn_model *m, const spn_settings *s, spn_endpoints *out, spn_err *err);

/* What the written file computes, read back from its bytes, against the network. */
typedef struct {
  int images; /* 0: not checked */
  int same;   /* images of the same best class; -1: the file gives no logits */
  int outputs;
  struct {
    char name[16];
    spn_difference off;
  } output[SPN_MAX_OUTPUTS];
  spn_difference off; /* the largest of each */
} spn_export_check;

/* s gives export.opset, export.fold_bn, export.normalize, export.int8_io, export.endpoints and export.endpoint_layer.
 * samples NULL: no ranges for int8, no check; check may be NULL. SPN_ENUMERIC when a file that should be exact gives
 * other numbers than the network: it stays for whoever wants to see why. */
spn_status spn_model_export(const spn_model *m, const spn_settings *s, const spn_export_samples *samples,
                            const char *format, const char *path, spn_export_check *check, spn_err *err);

#endif
