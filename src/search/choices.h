/* Networks as keys: a short code that names one, and a map from networks to numbers. */
#ifndef SPN_SEARCH_CHOICES_H
#define SPN_SEARCH_CHOICES_H

#include "model/decisions.h"

/* A network's code: one digit for each decision of the space, in their order: the option's place, from 0. Decisions of
 * a skipped layer are 0. Equal codes are equal networks. */
typedef struct {
  char text[SPN_MAX_DECISIONS + 1];
} spn_code;
void spn_code_of(const spn_decisions *decisions, const spn_choice *choice, spn_code *out);
/* The other way. 0: the text is no code of this space. */
int spn_code_read(const spn_space *space, const spn_decisions *decisions, const char *text, spn_choice *out);

typedef struct spn_choice_map spn_choice_map;

spn_choice_map *spn_choice_map_new(void);      /* NULL: out of memory */
void spn_choice_map_free(spn_choice_map *map); /* NULL is allowed */
/* Remembers a number with a network; a number that is there already gives way. SPN_ENOMEM. */
spn_status spn_choice_map_put(spn_choice_map *map, const spn_choice *choice, size_t number, spn_err *err);
/* Whether the network is there; *number is left alone when it is not. */
int spn_choice_map_find(const spn_choice_map *map, const spn_choice *choice, size_t *number);

#endif
