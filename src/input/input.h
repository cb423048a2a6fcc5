/* Images in, batches out. */
#ifndef SPN_INPUT_INPUT_H
#define SPN_INPUT_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "core/names.h"
#include "core/status.h"

typedef enum { SPN_SPLIT_TRAIN, SPN_SPLIT_HOLDOUT, SPN_SPLIT_TEST } spn_split;
#define SPN_RESIZES(X) X(SPN_RESIZE_BILINEAR, "bilinear") X(SPN_RESIZE_BICUBIC, "bicubic")
typedef enum { SPN_RESIZES(SPN_CHOICE_CONSTANT) } spn_resize;
extern const char *const spn_resize_names[]; /* ends with NULL */

/* "auto" and the kinds of datasets.def; ends with NULL. */
extern const char *const spn_dataset_names[];

typedef struct {
  const char *kind; /* one of spn_dataset_names; NULL: "auto" */
  const char *path; /* a folder: idx files; CIFAR .bin files; or train/ and test|val/ with class folders below. Without
                       test|val (path may then hold the class folders itself) a tenth of the training images, classes in
                       proportion and the same for every seed, is the test split */
  double holdout;   /* share of the training images held out for choosing, 0..0.9 */
  double max_bad;   /* largest tolerated share of unreadable images */
  size_t max_train; /* use at most so many training images (0 = all), chosen at random by seed, classes in proportion */
  size_t max_test;  /* likewise for the test images */
  uint64_t seed;
  int allow_empty; /* classes may have no images; otherwise each needs training and, where there are test files, test
                      ones */
  int test_only;   /* for evaluation: only the test split is made, where there are test files from these alone */
} spn_dataset_options;

typedef struct spn_dataset spn_dataset;

/* Opens and indexes; images of folders are decoded later, those of idx and CIFAR files are kept in memory as 8 bit.
 * Decoded images that are small (every one at most 64x64, set at most 1 GiB) are decoded here, by all
 * processors, and kept in memory too; then max_bad is checked here as well. The image decoder is for data one trusts:
 * use no files of strangers. */
spn_status spn_dataset_open(const spn_dataset_options *options, spn_dataset **out, spn_err *err);
void spn_dataset_close(spn_dataset *set);
size_t spn_dataset_count(const spn_dataset *set, spn_split split);
int spn_dataset_classes(const spn_dataset *set);
size_t spn_dataset_class_count(const spn_dataset *set, spn_split split, int label); /* images of one class */
const char *spn_dataset_class_name(const spn_dataset *set, int label);
/* Names of classes from a text file, one a line, in the order of the labels. SPN_EINPUT as for a data set's names:
 * UTF-8 of 1 to 512 bytes without control characters, each once. *names: spn_class_names_free frees. */
spn_status spn_class_names_load(const char *file, char ***names, int *count, spn_err *err);
void spn_class_names_free(char **names, int count);
/* Place of name among names (classes), -1 when it is none of them. */
int spn_class_find(const char *const *names, int classes, const char *name);
/* Makes the set's labels places in another's list of class names (copied; each once), by name. Before a loader is
 * opened. SPN_EINPUT with the first class that is not in the list; the set is unchanged then. */
spn_status spn_dataset_relabel(spn_dataset *set, const char *const *names, int classes, spn_err *err);
const char *spn_dataset_kind(const spn_dataset *set); /* what auto found */
/* Median of the short sides of some training images, in pixels, as the files have them (a pack: as it holds them); 0
 * when none of them can be read. Decodes nothing. */
int spn_dataset_median_side(spn_dataset *set);
/* Of a pack: the short side to which larger images were reduced; 0: there were none. */
int spn_dataset_side(const spn_dataset *set);
/* Unreadable images found so far and the first few of them, one "file: reason" a line ("" if none). Thread-safe. */
size_t spn_dataset_bad(spn_dataset *set, char *list, size_t size);

/* Where an image of a batch lies: "test/cat/3.png" below the set's folder, or "test image 17" of a file of many.
 * Returns the length, as snprintf. */
int spn_dataset_place(const spn_dataset *set, uint32_t item, char *out, size_t size);

/* What is rounded: as torchvision has it, long sides down and offsets half to even, and pixels stay as exact as floats
 * are; or long sides to the nearest, offsets down, and pixels to whole levels, first along rows and then along columns,
 * as PIL does: some published networks were measured so, and small ones notice. */
#define SPN_FRAMINGS(X) X(SPN_FRAME_TORCHVISION, "floor") X(SPN_FRAME_ROUNDED, "round")
typedef enum { SPN_FRAMINGS(SPN_CHOICE_CONSTANT) } spn_framing;
extern const char *const spn_long_side_names[];   /* of each, what becomes of the long side; ends with NULL */
extern const char *const spn_crop_offset_names[]; /* and of the offset */
extern const char *const spn_level_names[];       /* and of the levels */

typedef enum {
  SPN_AUGMENT_NONE,     /* evaluation: resize, centre crop */
  SPN_AUGMENT_CROP,     /* pad and crop, flip (CIFAR): pad by `pad` pixels of zeros after normalisation */
  SPN_AUGMENT_INCEPTION /* random area and aspect crop, flip */
} spn_augment;

typedef struct {
  int size;     /* output height and width */
  int channels; /* 3 or 1; a grey image is repeated for 3 */
  spn_augment augment;
  int pad;          /* CROP: pixels, counted at output size */
  int flip;         /* mirror half the images left-right (train only) */
  double min_area;  /* INCEPTION: 0.08 */
  double eval_crop; /* NONE: fraction of the resized short side kept: 0.875; 1 = none */
  int ops;          /* training: operations of RandAugment (randaugment.h); 0: none */
  double magnitude; /* theirs, 0..10 */
  double erase;     /* training: share of the images of which a rectangle is erased */
  spn_resize resize;
  spn_framing framing;   /* NONE: what is rounded */
  float mean[3], std[3]; /* of pixels in 0..1 */
  uint64_t seed;
} spn_transform;

/* What NONE does to every image, as X(key, value), for files that must say how it is repeated elsewhere. The short side
 * becomes spn_transform_side pixels, the long one in proportion; samples sit at pixel centres, the filter is widened
 * when shrinking, cut at the borders and normalised there; the crop starts at half of what is too much; the framing
 * says what is rounded. With its first value that is torchvision's Resize and CenterCrop on PIL images, but for their
 * rounding to 8 bit (within one level of 255). */
#define SPN_EVAL_RULES(X)            \
  X("resize_sampling", "half_pixel") \
  X("resize_antialias", "true")      \
  X("resize_edges", "renormalised")  \
  X("crop", "centre")
/* What reading an image file does before, whatever the network: told, not asked for. Files of earlier versions say
 * "ignored". */
#define SPN_READ_RULES(X) X("orientation_tag", "applied")
extern const float spn_grey_weights[3]; /* of R, G and B where an image of three channels becomes one */
/* NONE: what the short side is resized to before the crop, size / eval_crop. */
int spn_transform_side(const spn_transform *t);

/* One image (H,W,3) 8 bit RGB into out (size,size,channels) float, a pure function of (seed, epoch, sample). Fails only
 * with SPN_ENOMEM. */
spn_status spn_transform_apply(const spn_transform *t, const unsigned char *rgb, int h, int w, uint64_t epoch,
                               uint64_t sample, float *out);

/* A loader yields batches in order; decoding and augmentation run in `threads` worker threads that stay at most
 * `prefetch` batches ahead. Training order is a permutation that is a function of (seed, epoch); evaluation order is
 * that of the set. What it yields does not depend on the number of threads. */
typedef struct spn_loader spn_loader;
typedef struct {
  spn_dataset *set;
  spn_split split;
  spn_transform transform;
  int batch;
  int shuffle; /* also: drop the last incomplete batch */
  int threads, prefetch;
  uint64_t seed;
  uint64_t first_batch; /* global batch number to start from: a resumed run passes its step */
} spn_loader_options;
typedef struct {
  const float *images;   /* (batch,size,size,channels); valid until the next call */
  const int32_t *labels; /* (batch) */
  const uint32_t *items; /* (batch) evaluation: which image each is, for spn_dataset_place */
  int count; /* valid images, at least 1; below batch only in an evaluation: in the last batch, or where images are
                unreadable (the rest is zeros) */
  uint64_t epoch;
} spn_batch;

spn_status spn_loader_open(const spn_loader_options *options, spn_loader **out, spn_err *err);
/* Training: endless, epoch after epoch. Evaluation (shuffle 0): *end is set and out left alone after the last batch.
 * An unreadable image is counted, and another of the same split takes its place in training; in evaluation it is left
 * out of count (images and labels are packed to the front), and a batch of which nothing is left is passed over. Beyond
 * max_bad: SPN_EINPUT with the list. After an error every call returns that error. */
spn_status spn_loader_next(spn_loader *loader, spn_batch *out, int *end, spn_err *err);
void spn_loader_close(spn_loader *loader);
size_t spn_loader_batches(const spn_loader *loader); /* per epoch */
/* Back to first_batch. */
void spn_loader_rewind(spn_loader *loader);

#endif
