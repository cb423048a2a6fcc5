/* Exporters: a trained network to a file other programs run. Adding one: a file <name>.c that defines
 * `const spn_exporter spn_exporter_<name>`, and a line in exporters.def, whose word is the format's name for users. */
#ifndef SPN_EXPORT_EXPORT_H
#define SPN_EXPORT_EXPORT_H

#include <stddef.h>

#include "core/names.h"
#include "core/status.h"
#include "io/tensors.h"
#include "model/endpoints.h"
#include "model/profile.h"

/* What the exported network takes as `image` (N,C,H,W), float, RGB. */
typedef enum {
  SPN_INPUT_NORMALISED, /* (pixel/255 - mean) / std, done by the caller: what timm and torchvision users feed */
  SPN_INPUT_PIXELS      /* pixels 0..255; the graph normalises them itself */
} spn_export_input;

typedef struct {
  const char *key, *value;
} spn_export_fact;

typedef struct {
  int opset;   /* ONNX operator set: 13 or 17 */
  int fold_bn; /* 1: batch norm goes into the convolutions; 0: it stays, for training on */
  spn_export_input input;
  double mean[3], std[3];         /* of pixels scaled to 0..1; a network of one channel uses the first */
  int resize;                     /* side the image was resized to before the crop; 0: unknown */
  double crop_fraction;           /* part of the resized image the centre crop keeps; 0: unknown */
  const char *resize_filter;      /* "bilinear", "bicubic", ...; NULL: unknown */
  const char *const *class_names; /* arch->classes strings, or NULL */
  const float *samples;           /* (sample_count,H,W,C) normalised images, channels last, that stand for what the
                                     network will see: int8 formats choose their ranges by them; NULL: none */
  int sample_count, threads;      /* threads: for walking through the samples; 0: one */
  int int8_io;                    /* int8 formats: 1: input and output are int8 too; 0: float */
  const spn_profile *profile;     /* the network layer by layer, with costs where they are known, for formats that show
                                     it; NULL: nothing is known but its counts */
  spn_endpoints endpoints;        /* feature maps that are given, instead of the logits or beside them; {0}: none */
  const char *version;            /* of spnas, for the file's producer; NULL: left out */
  const spn_export_fact
      *facts; /* search method, seed, latency...: written into the file; the last of equal keys wins */
  size_t fact_count;
} spn_export_options;

/* Opset 13, folded, normalised input, ImageNet's mean and std, nothing else known. */
spn_export_options spn_export_defaults(void);

struct spn_lowered; /* export/lower.h */
typedef struct {
  const char *suffix, *about; /* ".onnx" and one line, for the help text */
  /* As spn_export, after arch and what concerns every format in options have been checked. */
  spn_status (*write)(const spn_arch *arch, const spn_tensors *weights, const spn_export_options *options,
                      const char *path, spn_err *err);
  /* What the written file computes, out of its own bytes, for a check; NULL: it computes nothing. The caller frees. */
  spn_status (*read)(const char *path, struct spn_lowered **out, spn_err *err);
  int takes_pixels;    /* obeys options->input; else the file always takes normalised images */
  int takes_endpoints; /* obeys options->endpoints; else spn_export refuses them */
  int approximate;     /* its numbers are meant to differ from the network's */
} spn_exporter;

#define SPN_EXPORTER(name) extern const spn_exporter spn_exporter_##name;
#include "export/exporters.def"
#undef SPN_EXPORTER

/* The formats' names and, in the same order, their exporters; both end with NULL. */
extern const char *const spn_exporter_names[];
extern const spn_exporter *const spn_exporters[];

/* "auto", "all" (for those who write several) and the formats' names; ends with NULL. */
extern const char *const spn_export_format_names[];
/* The format to write to path: the one named, or with NULL or "auto" the one whose suffix the path has. SPN_EINPUT: no
 * such format, a suffix that no format has, or the suffix of another format than the one named. */
spn_status spn_export_format(const char *format, const char *path, const char **out, spn_err *err);

/* SPN_EINPUT when the format gives the logits alone. */
spn_status spn_export_takes_endpoints(const char *format, spn_err *err);

/* Writes the network to path, atomically, in a format of spn_exporter_names. weights hold float32 under these names (i
 * counts arch->block, skipped ones included but without tensors; K kernel side, E expanded and S squeeze channels;
 * others in the set are ignored): stem.conv.weight (O,I,K,K), stem.bn.*; block.<i>.expand.weight (E,I,1,1),
 * block.<i>.expand.bn.* (absent when expand is 1); block.<i>.dw.weight (K,K,E), block.<i>.dw.bn.*;
 *   block.<i>.se.reduce.weight (S,E,1,1), .bias (S), block.<i>.se.expand.weight (E,S,1,1), .bias (E) (with SE);
 *   block.<i>.project.weight (O,E,1,1), block.<i>.project.bn.*;
 *   head.conv.weight (O,I,1,1), head.bn.* (absent without a head); classifier.weight (classes,I), .bias (classes);
 * where X.bn.* is X.bn.gamma, beta, mean, var. options NULL: the defaults. SPN_EINPUT when the format is unknown, the
 * network is not legal, an option is unknown, or a tensor is missing, of another shape, or not finite. */
spn_status spn_export(const char *format, const spn_arch *arch, const spn_tensors *weights,
                      const spn_export_options *options, const char *path, spn_err *err);

#endif
