/* One image file: bounded read, format by content, decoding to 8 bit. */
#ifndef SPN_INPUT_IMAGE_H
#define SPN_INPUT_IMAGE_H

#include <stddef.h>

#include "core/status.h"

typedef struct {
  const unsigned char *pixels; /* (h,w,channels) */
  unsigned char *owned;        /* what spn_image_free frees; NULL when the pixels belong to someone else */
  int h, w, channels;          /* channels: 3, or 1 for grey */
  int whole_h, whole_w;        /* before a pack reduced it; 0: it was not */
} spn_image;

enum { SPN_IMAGE_MAX_SIDE = 16384 };           /* pixels */
#define SPN_IMAGE_MAX_FILE ((size_t)64 << 20)  /* bytes of a file */
#define SPN_IMAGE_MAX_PIXELS ((size_t)1 << 28) /* bytes of a decoded image */

/* Decodes a JPEG or PNG file's bytes to RGB, upright by a JPEG's Exif orientation tag; alpha is dropped, colour
 * profiles are ignored. An image with a side beyond max_side (0 = any) is measured but not decoded: pixels is NULL.
 * SPN_EINPUT: the image is unusable and *reason, a constant, says why. SPN_ENOMEM. Nothing is to be freed on failure.
 */
spn_status spn_image_decode(const unsigned char *bytes, size_t size, int max_side, spn_image *out, const char **reason);
/* The same for a file. SPN_EIO: the system refused for a reason that is not the file's. */
spn_status spn_image_read(const char *path, int max_side, spn_image *out, const char **reason);
void spn_image_free(spn_image *image);

#endif
