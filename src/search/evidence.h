/* How much a search knows: what it has to go by when it names a network. */
#ifndef SPN_SEARCH_EVIDENCE_H
#define SPN_SEARCH_EVIDENCE_H

#include <stddef.h>

typedef enum {
  SPN_EVIDENCE_NONE,   /* nothing is stated: answers do not come from weights that are still learning */
  SPN_EVIDENCE_GAINS,  /* a method that values options */
  SPN_EVIDENCE_SCORES, /* one that asks shared weights about whole networks */
} spn_evidence_of;

typedef struct {
  spn_evidence_of of;
  double steps;           /* of GAINS: after the warm-up; of SCORES: all training steps of the weights */
  int gains, significant; /* options valued, and those whose gain is told from 0: 2 standard errors and more */
  int networks, again;    /* different networks that were scored; those scored again at the end */
  double mean, spread;    /* of the networks' accuracies; spread: standard deviation */
  double error;           /* standard error of one accuracy, for the images that it is of */
  double agreement;       /* Spearman's rank correlation of the accuracies at first and again; NaN: none */
  double ce, chance;      /* cross entropy of the found network with the search's weights; of guessing: ln(classes) */
  int held_out;           /* ce is of held-out images; else of the last epoch's training images */
} spn_evidence;

enum { SPN_EVIDENCE_TEXT = 256 };

/* "212 steps after the warm-up, 41 of 62 gains significant, held-out CE 0.61 (chance 2.303)";
 * "481 training steps, 61 networks scored 26.6 % and differ by 1.9 (standard error 2), ranks of 10 scored again agree
 * by 0.48, held-out CE 2.01 (chance 2.303)" */
void spn_evidence_text(const spn_evidence *e, char text[SPN_EVIDENCE_TEXT]);
/* What is below its floor, or "" where the evidence suffices. */
void spn_evidence_lacks(const spn_evidence *e, char text[SPN_EVIDENCE_TEXT]);

#endif
