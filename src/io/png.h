/* Small pictures inside of text files. */
#ifndef SPN_IO_PNG_H
#define SPN_IO_PNG_H

#include "core/status.h"

/* The picture rgb (height,width,3) as a PNG file in base64, for "data:image/png;base64," and its like: malloc'd, the
 * caller frees. SPN_ENOMEM. */
spn_status spn_png_text(const unsigned char *rgb, int width, int height, char **out, spn_err *err);

#endif
