/* How much a search knows: what it has to go by when it names a network. */
#ifndef SPN_SEARCH_EVIDENCE_H
#define SPN_SEARCH_EVIDENCE_H

#include <stddef.h>

typedef struct {
  int stated;             /* 0: the method values no options by themselves; all else is empty */
  double steps;           /* after the warm-up */
  int gains, significant; /* options valued, and those whose gain is told from 0: 2 standard errors and more */
  double ce, chance;      /* cross entropy of the found network with the search's weights; of guessing: ln(classes) */
  int held_out;           /* ce is of held-out images; else of the last epoch's training images */
} spn_evidence;

enum { SPN_EVIDENCE_TEXT = 200 };

/* "212 steps after the warm-up, 41 of 62 gains significant, held-out CE 0.61 (chance 2.303)" */
void spn_evidence_text(const spn_evidence *e, char text[SPN_EVIDENCE_TEXT]);
/* What is below its floor, or "" where the evidence suffices. */
void spn_evidence_lacks(const spn_evidence *e, char text[SPN_EVIDENCE_TEXT]);

#endif
