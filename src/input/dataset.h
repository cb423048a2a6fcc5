/* Inside of a data set; for src/input and its tests. */
#ifndef SPN_INPUT_DATASET_H
#define SPN_INPUT_DATASET_H

#include <pthread.h>
#include <stdatomic.h>

#include "input/image.h"
#include "input/input.h"
#include "input/pack.h"

enum { SPN_SPLITS = 3, SPN_BAD_LISTED = 8, SPN_CLASSES_MAX = 65536, SPN_SMALL_SIDE = 64 };
#define SPN_KEEP_MAX ((size_t)1 << 30)   /* bytes of small folder images kept decoded */
#define SPN_PIXELS_MAX ((size_t)1 << 35) /* bytes of an idx or CIFAR set */

/* Images are numbered: those of the training files come first ("items" 0 .. train_count-1), then those of the test
 * files. */
struct spn_dataset {
  const char *kind;
  char *path;
  double max_bad;
  size_t count, train_count;
  int32_t *labels; /* (count) */
  int classes;
  char **class_names;

  unsigned char *pixels; /* idx, CIFAR: (count,h,w,channels) */
  int h, w, channels;

  char *train_folder, *test_folder; /* folder; test_folder is NULL when the test split is taken from train_folder */
  char *names;                      /* file names, zero-terminated */
  size_t *name_at;                  /* (count) where an item's name starts */
  spn_image *kept;                  /* (count) decoded small images, or NULL */

  unsigned char *map; /* pack: the file */
  size_t map_bytes;
  spn_pack_entry *packed; /* (count) */
  atomic_uchar *verified; /* (count) the image's checksum was right */

  uint32_t *split[SPN_SPLITS]; /* items in ascending order */
  size_t split_count[SPN_SPLITS];

  _Atomic(const char *) *reason; /* folder, pack (count): why an item is unusable, a constant, or NULL */
  pthread_mutex_t lock;          /* guards what follows */
  unsigned char *noted;          /* folder, pack (count): item is in bad */
  size_t bad;
  uint32_t bad_first[SPN_BAD_LISTED];
};

/* Readers: fill the parts above up to `kept`. On failure the caller closes the set. */
spn_status spn_idx_read(spn_dataset *set, spn_err *err);
spn_status spn_cifar_read(spn_dataset *set, int classes, spn_err *err);
spn_status spn_folder_index(spn_dataset *set, spn_err *err);
spn_status spn_pack_read(spn_dataset *set, spn_err *err);
/* 1 if path looks like a set of that kind. */
int spn_idx_found(const char *path);
int spn_cifar_found(const char *path, int classes);
int spn_folder_found(const char *path);
int spn_pack_found(const char *path);
/* An image of a pack, as spn_dataset_image. */
spn_status spn_pack_image(spn_dataset *set, uint32_t item, spn_image *out);

/* Decodes a folder's images into memory if all are small; otherwise leaves the set as it was. SPN_EINPUT: max_bad. */
spn_status spn_folder_keep(spn_dataset *set, spn_err *err);

/* Makes the three splits. An image is in one split at most; shares and limits are met exactly in total and, up to
 * rounding by largest remainder, in each class. Limits come first, then the holdout is taken from the training images
 * left. */
spn_status spn_splits_make(spn_dataset *set, const spn_dataset_options *options, spn_err *err);
/* Shuffles items (n) in place: a pure function of (seed, epoch) and their order. */
void spn_items_shuffle(uint32_t *items, size_t n, uint64_t seed, uint64_t epoch);

/* One image; pixels may belong to the set, spn_image_free is right in every case. Thread-safe. SPN_EINPUT: the image is
 * unusable and set->reason[item] says why. */
spn_status spn_dataset_image(spn_dataset *set, uint32_t item, spn_image *out, spn_err *err);
/* Reads and decodes an item of a folder; max_side as in spn_image_read, otherwise as spn_dataset_image. */
spn_status spn_dataset_read(spn_dataset *set, uint32_t item, int max_side, spn_image *out, spn_err *err);
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

#endif
