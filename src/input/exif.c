#include "input/exif.h"

#include <string.h>

enum { ORIENTATION = 0x0112, SHORT = 3, ENTRY = 12 }; /* tag, type, bytes of a directory's entry */

static size_t number(const unsigned char *p, int bytes, int big) {
  size_t n = 0;
  for (int i = 0; i < bytes; i++) n = n << 8 | p[big ? i : bytes - 1 - i];
  return n;
}

/* Of a TIFF structure's first directory. */
static int orientation_of(const unsigned char *tiff, size_t size) {
  if (size < 8) return SPN_UPRIGHT;
  int big = !memcmp(tiff, "MM\0*", 4);
  if (!big && memcmp(tiff, "II*\0", 4)) return SPN_UPRIGHT;
  size_t at = number(tiff + 4, 4, big);
  if (at > size - 2) return SPN_UPRIGHT;
  size_t entries = number(tiff + at, 2, big);
  for (at += 2; entries-- && size - at >= ENTRY; at += ENTRY) {
    if (number(tiff + at, 2, big) != ORIENTATION || number(tiff + at + 2, 2, big) != SHORT) continue;
    size_t value = number(tiff + at + 8, 2, big);
    return value >= 1 && value <= 8 ? (int)value : SPN_UPRIGHT;
  }
  return SPN_UPRIGHT;
}

int spn_exif_orientation(const unsigned char *body, size_t size) {
  static const unsigned char exif[6] = "Exif\0";
  if (size < sizeof exif || memcmp(body, exif, sizeof exif)) return 0;
  return orientation_of(body + sizeof exif, size - sizeof exif);
}

/* 1: as it is, 2: mirrored, 3: upside down, 4: both; 5 to 8: rows and columns changed places besides. */
int spn_exif_turns(int orientation) { return orientation >= 5; }

void spn_exif_upright(int orientation, const unsigned char *from, int h, int w, unsigned char *to) {
  int turns = spn_exif_turns(orientation), rows = turns ? w : h, columns = turns ? h : w;
  int from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  int from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  for (int y = 0; y < rows; y++)
    for (int x = 0; x < columns; x++, to += 3) {
      int row = turns ? x : y, column = turns ? y : x;
      if (from_bottom) row = h - 1 - row;
      if (from_right) column = w - 1 - column;
      memcpy(to, from + 3 * ((size_t)row * (size_t)w + (size_t)column), 3);
    }
}
