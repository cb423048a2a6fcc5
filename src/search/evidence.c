#include "search/evidence.h"

#include <stdio.h>
#include <string.h>

/* With half of the gates exploring, a third of these at values between 0 and 1 (indicators.h), a gain is seen in a
 * sixth of the steps, in half of them with the gates above open: eight times in 100 steps. Means of fewer have no
 * standard error to speak of. */
static const double LEAST_STEPS = 100;
/* One gain in twenty is beyond two standard errors by chance; twice that tells a search from noise. */
static const double LEAST_SIGNIFICANT = 0.1;

void spn_evidence_text(const spn_evidence *e, char text[SPN_EVIDENCE_TEXT]) {
  snprintf(text, SPN_EVIDENCE_TEXT,
           "%.0f steps after the warm-up, %d of %d gains significant, %s CE %.4g (chance %.4g)", e->steps,
           e->significant, e->gains, e->held_out ? "held-out" : "training", e->ce, e->chance);
}

static void add(char *text, const char *what) {
  size_t used = strlen(text);
  snprintf(text + used, SPN_EVIDENCE_TEXT - used, "%s%s", used ? ", " : "", what);
}

void spn_evidence_lacks(const spn_evidence *e, char text[SPN_EVIDENCE_TEXT]) {
  char what[96];
  *text = 0;
  if (!e->stated) return;
  if (!(e->steps >= LEAST_STEPS)) {
    snprintf(what, sizeof what, "%.0f steps after the warm-up, at least %.0f are needed", e->steps, LEAST_STEPS);
    add(text, what);
  }
  if (!(e->significant >= LEAST_SIGNIFICANT * e->gains)) {
    snprintf(what, sizeof what, "%d of %d gains significant, at least %.0f %% are needed", e->significant, e->gains,
             100 * LEAST_SIGNIFICANT);
    add(text, what);
  }
  if (!(e->ce < e->chance)) {
    snprintf(what, sizeof what, "CE %.4g, no better than guessing (%.4g)", e->ce, e->chance);
    add(text, what);
  }
}
