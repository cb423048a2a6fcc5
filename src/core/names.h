/* Names that users choose from. A list of names is an array that ends with NULL.
 *
 * A choice is written once, as a list of its constants and their names, from which the enum and the names follow:
 *   #define SPN_RESIZES(X) X(SPN_RESIZE_BILINEAR, "bilinear") X(SPN_RESIZE_BICUBIC, "bicubic")
 *   typedef enum { SPN_RESIZES(SPN_CHOICE_CONSTANT) } spn_resize;
 *   static const char *const names[] = {SPN_RESIZES(SPN_CHOICE_NAME) NULL}; // names[SPN_RESIZE_BICUBIC] = "bicubic" */
#ifndef SPN_CORE_NAMES_H
#define SPN_CORE_NAMES_H

#include <stddef.h>

#include "core/status.h"

#define SPN_CHOICE_CONSTANT(constant, name) constant,
#define SPN_CHOICE_NAME(constant, name) name,

/* Place of text among the names, -1 when it is none of them. */
int spn_name_index(const char *const *names, const char *text);
/* The same; otherwise SPN_EINPUT: `what: expected "a", "b" or "c" (did you mean "c"?), got "text"`. */
spn_status spn_name_find(const char *const *names, const char *what, const char *text, int *index, spn_err *err);
/* The name nearest to text; NULL when none is near. For "did you mean". */
const char *spn_nearest(const char *text, const char *const *names);
/* `a, b or c`, each between quotes; with did-you-mean where text (may be NULL) is near a name; cut with dots when the
 * list is long. Takes up to SPN_NAMES_TEXT bytes. */
enum { SPN_NAMES_TEXT = 512 };
void spn_names_text(const char *const *names, const char *quote, const char *text, char *out, size_t size);

#endif
