/* How large the images of a set are, from a few of them. */
#include <stdlib.h>

#include "input/dataset.h"

enum { LOOKED_AT = 65 }; /* spread over the training images; odd, so that the median is one of them */

static int ascending(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* Short side of an item, measured without decoding; 0 where it is unusable. */
static int short_side(spn_dataset *set, uint32_t item) {
  spn_image image = {.h = set->h, .w = set->w};
  if (set->kept && set->kept[item].pixels) image = (spn_image){.h = set->kept[item].h, .w = set->kept[item].w};
  else if (set->reader->image && set->reader->image(set, item, 1, &image, NULL)) return 0;
  int side = image.h < image.w ? image.h : image.w;
  spn_image_free(&image);
  return side;
}

int spn_dataset_median_side(spn_dataset *set) {
  const uint32_t *items = set->split[SPN_SPLIT_TRAIN];
  size_t count = set->split_count[SPN_SPLIT_TRAIN], looks = count < LOOKED_AT ? count : LOOKED_AT;
  int side[LOOKED_AT], known = 0;
  for (size_t i = 0; i < looks; i++) {
    side[known] = short_side(set, items[i * count / looks]);
    known += side[known] > 0;
  }
  if (!known) return 0;
  qsort(side, (size_t)known, sizeof *side, ascending);
  return side[known / 2];
}
