/* What a stream of text can show: to a person at a terminal more than to a file. */
#ifndef SPN_CORE_SCREEN_H
#define SPN_CORE_SCREEN_H

#include <stddef.h>
#include <stdio.h>

/* Whether lines can be rewritten there: a terminal that is not TERM=dumb. */
int spn_screen_is_terminal(FILE *out);
/* Characters in a line of the terminal; 0: no terminal, lines are as long as they like. */
int spn_screen_columns(FILE *out);
/* Whether it is a terminal that shows UTF-8, as far as LC_ALL, LC_CTYPE or LANG say so. */
int spn_screen_is_utf8(FILE *out);

typedef enum { SPN_PLAIN, SPN_BOLD, SPN_DIM, SPN_GOOD, SPN_WARN, SPN_BAD } spn_style;
/* What switches a style on (SPN_PLAIN: all off); "" where there are no colours: no terminal, or NO_COLOR is set
 * (no-color.org). */
const char *spn_screen_style(FILE *out, spn_style style);

/* The course of the values in `width` characters or fewer, from the lowest to the highest of them, or from low to high
 * where low < high: blocks in UTF-8, else denser and denser ASCII. What is no number leaves a space. */
enum { SPN_SPARK_BYTES = 3 }; /* at most, of a character */
typedef struct {
  const double *value;
  size_t count;
  double low, high;
} spn_course;
void spn_screen_spark(const spn_course *course, int width, int utf8,
                      char *text); /* SPN_SPARK_BYTES * width + 1 bytes */

#endif
