/* Inside of a data set; for src/input and its tests. */
#ifndef SPN_INPUT_DATASET_H
#define SPN_INPUT_DATASET_H

#include <pthread.h>
#include <stdatomic.h>

#include "input/image.h"
#include "input/input.h"

enum { SPN_SPLITS = 3, SPN_BAD_LISTED = 8, SPN_CLASSES_MAX = 65536, SPN_CLASS_NAME_MAX = 512, SPN_SMALL_SIDE = 64 };
#define SPN_KEEP_MAX ((size_t)1 << 30)   /* bytes of small folder images kept decoded */
#define SPN_PIXELS_MAX ((size_t)1 << 35) /* bytes of an idx or CIFAR set */

/* What reads a kind of data set. Adding one: a file dataset_<name>.c that defines `const spn_dataset_reader
 * spn_reader_<name>`, and a line in datasets.def, whose word is the kind's name for users. */
typedef struct {
  const char *expects; /* what must lie at a path of this kind, for the error that nothing known was found there */
  int (*found)(const char *path); /* 1: path looks like this kind */

  /* Fills the set's part "by the reader", with its pixels or its names. On failure the caller closes the set. */
  spn_status (*read)(spn_dataset *set, spn_err *err);

  /* One image, as spn_dataset_image, whose promises it keeps; max_side as in spn_image_decode, which a kind of small
   * images may ignore. NULL: `read` has put all pixels into memory. */
  spn_status (*image)(spn_dataset *set, uint32_t item, int max_side, spn_image *out, spn_err *err);
  /* Where an item's image lies, for messages; returns its length, as snprintf. NULL: "path: class/name". */
  int (*place)(const spn_dataset *set, uint32_t item, char *out, size_t size);
  int fixed;   /* the format states the classes, so that one without images says nothing about a label gone astray */
  int decodes; /* `image` takes long: small images are kept in memory, and a pack of the set (pack.h) is worth while */

  void (*close)(spn_dataset *set); /* frees set->own, which may be half made; NULL: nothing is to be freed */
} spn_dataset_reader;

#define SPN_DATASET(name) extern const spn_dataset_reader spn_reader_##name;
#include "input/datasets.def"
#undef SPN_DATASET

/* Images are numbered: those of the training files come first ("items" 0 .. train_count-1), then those of the test
 * files. */
struct spn_dataset {
  const spn_dataset_reader *reader;
  const char *kind; /* its name */
  char *path;
  double max_bad;
  int test_only;   /* the reader need not look at training files where there are test files */
  int allow_empty; /* a class may have no image */

  /* By the reader. */
  size_t count, train_count;
  int32_t *labels; /* (count) */
  int classes;
  char **class_names;
  unsigned char *pixels; /* (count,h,w,channels); NULL where the reader has `image` */
  int h, w, channels;
  int side;        /* a pack's: what larger images were reduced to; 0: there were none */
  char *names;     /* where the reader has `image`: the items' names, zero-terminated */
  size_t *name_at; /* (count) where an item's name starts */
  void *own;       /* what else the reader remembers */

  uint32_t *split[SPN_SPLITS]; /* items in ascending order */
  size_t split_count[SPN_SPLITS];
  spn_image *kept; /* (count) decoded small images, or NULL */

  /* Where the reader has `image`. */
  _Atomic(const char *) *reason; /* (count) why an item is unusable, a constant, or NULL */
  pthread_mutex_t lock;          /* guards what follows */
  unsigned char *noted;          /* (count) item is in bad */
  size_t bad;
  uint32_t bad_first[SPN_BAD_LISTED];
};

/* Decodes the images of a set into memory if all are small; otherwise leaves the set as it was. SPN_EINPUT: max_bad. */
spn_status spn_dataset_keep(spn_dataset *set, spn_err *err);

/* Makes the three splits. An image is in one split at most; shares and limits are met exactly in total and, up to
 * rounding by largest remainder, in each class. Limits come first, then the holdout is taken from the training images
 * left. */
spn_status spn_splits_make(spn_dataset *set, const spn_dataset_options *options, spn_err *err);
/* Shuffles items (n) in place: a pure function of (seed, epoch) and their order. */
void spn_items_shuffle(uint32_t *items, size_t n, uint64_t seed, uint64_t epoch);

/* One image; pixels may belong to the set, spn_image_free is right in every case. Thread-safe. SPN_EINPUT: the image is
 * unusable and set->reason[item] says why. */
spn_status spn_dataset_image(spn_dataset *set, uint32_t item, spn_image *out, spn_err *err);
/* Counts an unusable item, once. */
void spn_dataset_note_bad(spn_dataset *set, uint32_t item);
/* SPN_EINPUT with the list when the share of noted items is above max_bad. */
spn_status spn_dataset_check_bad(spn_dataset *set, spn_err *err);

/* Appends a zero-terminated name to a block that grows by doubling; *at is where it starts. Zero-initialise; the block
 * is the owner's to free. */
typedef struct {
  char *text;
  size_t used, room;
} spn_names;
spn_status spn_names_add(spn_names *names, const char *name, size_t *at);

/* folder/name in a malloc'd string, or NULL. */
char *spn_path_join(const char *folder, const char *name);
/* The names "0", "1", ... */
spn_status spn_classes_number(spn_dataset *set, int classes, spn_err *err);
/* SPN_EINPUT with the class: a name that is no UTF-8 of 1 to SPN_CLASS_NAME_MAX bytes, holds a control character, or
 * stands twice; a class without training images or, where there are test files, without test images
 * (options->allow_empty, test_only and kinds of fixed classes take those). */
spn_status spn_classes_check(const spn_dataset *set, const spn_dataset_options *options, spn_err *err);

#endif
