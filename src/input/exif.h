/* How a camera was held, and the picture upright. */
#ifndef SPN_INPUT_EXIF_H
#define SPN_INPUT_EXIF_H

#include <stddef.h>

enum { SPN_UPRIGHT = 1 };

/* The orientation tag in the body of a JPEG's APP1 segment, 1 to 8 (Exif 2.3, CIPA DC-008, 4.6.4, tag 0x0112);
 * SPN_UPRIGHT where there is none, or none that can be read; 0: the segment is not Exif's. */
int spn_exif_orientation(const unsigned char *body, size_t size);
/* Whether height and width change places. */
int spn_exif_turns(int orientation);
/* from (h,w,3), as stored -> to, upright: (h,w,3), or (w,h,3) where it turns. */
void spn_exif_upright(int orientation, const unsigned char *from, int h, int w, unsigned char *to);

#endif
