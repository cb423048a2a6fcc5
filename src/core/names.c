#include "core/names.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int spn_name_index(const char *const *names, const char *text) {
  for (int i = 0; names[i]; i++)
    if (!strcmp(names[i], text)) return i;
  return -1;
}

spn_status spn_name_find(const char *const *names, const char *what, const char *text, int *index, spn_err *err) {
  char list[SPN_NAMES_TEXT];
  *index = spn_name_index(names, text);
  if (*index >= 0) return SPN_OK;
  spn_names_text(names, "\"", text, list, sizeof list);
  return spn_fail(err, SPN_EINPUT, "%s: expected %s, got \"%.200s\"", what, list, text);
}

/* Edit distance with swaps of neighbours (optimal string alignment); case counts half. Long words: never near. */
static double distance(const char *a, const char *b) {
  enum { LIMIT = 64 };
  double row[3][LIMIT + 1];
  size_t n = strlen(a), m = strlen(b);
  if (n > LIMIT || m > LIMIT) return 1e9;
  for (size_t j = 0; j <= m; j++) row[0][j] = (double)j;
  for (size_t i = 1; i <= n; i++) {
    double *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
    now[0] = (double)i;
    for (size_t j = 1; j <= m; j++) {
      int same = a[i - 1] == b[j - 1], alike = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
      now[j] = fmin(fmin(up[j] + 1, now[j - 1] + 1), up[j - 1] + (same ? 0 : alike ? 0.5 : 1));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = fmin(now[j], up2[j - 2] + 1);
    }
  }
  return row[n % 3][m];
}

const char *spn_nearest(const char *text, const char *const *names) {
  const char *best = NULL;
  double least = 1e9;
  for (; *names; names++) {
    double d = distance(text, *names);
    size_t n = strlen(text), m = strlen(*names), longer = n > m ? n : m;
    d += 0.01 * (double)(longer - (n > m ? m : n)); /* of two equally near, the one of equal length */
    if (d < least && d <= 1 + (double)longer / 4 && d < (double)longer * 0.6) {
      least = d;
      best = *names;
    }
  }
  return best;
}

void spn_names_text(const char *const *names, const char *quote, const char *text, char *out, size_t size) {
  const char *nearest = text ? spn_nearest(text, names) : NULL;
  size_t n = 0, kept = 80; /* for what may follow the list */
  *out = 0;
  for (size_t i = 0; names[i]; i++) {
    const char *joint = !i ? "" : names[i + 1] ? ", " : " or ";
    if (n + strlen(names[i]) + kept > size) {
      n += (size_t)snprintf(out + n, size - n, ", ...");
      break;
    }
    n += (size_t)snprintf(out + n, size - n, "%s%s%s%s", joint, quote, names[i], quote);
  }
  if (nearest) snprintf(out + n, size - n, " (did you mean \"%.40s\"?)", nearest);
}
