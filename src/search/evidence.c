#include "search/evidence.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* With half of the gates exploring, a third of these at values between 0 and 1 (indicators.h), a gain is seen in a
 * sixth of the steps, in half of them with the gates above open: eight times in 100 steps. Means of fewer have no
 * standard error to speak of. Shared weights that are asked about networks have not learnt to tell them apart in
 * fewer either. */
static const double LEAST_STEPS = 100;
/* One gain in twenty is beyond two standard errors by chance; twice that tells a search from noise. */
static const double LEAST_SIGNIFICANT = 0.1;
/* Of n networks drawn uniformly the best lies at the n / (n + 1) quantile on average, with answers that never err: of
 * 20 at 95 %. What is named after fewer is a draw from the space more than an answer. */
static const int LEAST_NETWORKS = 20;

/* ---- In words ---- */

static void add(char *text, const char *what) {
  size_t used = strlen(text);
  snprintf(text + used, SPN_EVIDENCE_TEXT - used, "%s%s", used ? ", " : "", what);
}

static void add_scores(const spn_evidence *e, char *text) {
  char what[96];
  snprintf(what, sizeof what, "%.0f training steps", e->steps);
  add(text, what);
  snprintf(what, sizeof what, "%d networks scored %.3g %% and differ by %.2g (standard error %.2g)", e->networks,
           100 * e->mean, 100 * e->spread, 100 * e->error);
  add(text, what);
  if (!isfinite(e->agreement)) return;
  snprintf(what, sizeof what, "ranks of %d scored again agree by %.2g", e->again, e->agreement);
  add(text, what);
}

void spn_evidence_text(const spn_evidence *e, char text[SPN_EVIDENCE_TEXT]) {
  char what[96];
  *text = 0;
  if (e->of == SPN_EVIDENCE_SCORES) add_scores(e, text);
  else {
    snprintf(what, sizeof what, "%.0f steps after the warm-up", e->steps);
    add(text, what);
    snprintf(what, sizeof what, "%d of %d gains significant", e->significant, e->gains);
    add(text, what);
  }
  snprintf(what, sizeof what, "%s CE %.4g (chance %.4g)", e->held_out ? "held-out" : "training", e->ce, e->chance);
  add(text, what);
}

/* ---- Floors ---- */

static void lacks_gains(const spn_evidence *e, char *text) {
  char what[96];
  if (e->significant >= LEAST_SIGNIFICANT * e->gains) return;
  snprintf(what, sizeof what, "%d of %d gains significant, at least %.0f %% are needed", e->significant, e->gains,
           100 * LEAST_SIGNIFICANT);
  add(text, what);
}

static void lacks_networks(const spn_evidence *e, char *text) {
  char what[96];
  if (e->networks >= LEAST_NETWORKS) return;
  snprintf(what, sizeof what, "%d network%s scored, at least %d are needed", e->networks, e->networks == 1 ? "" : "s",
           LEAST_NETWORKS);
  add(text, what);
}

void spn_evidence_lacks(const spn_evidence *e, char text[SPN_EVIDENCE_TEXT]) {
  char what[96];
  *text = 0;
  if (e->of == SPN_EVIDENCE_NONE) return;
  if (!(e->steps >= LEAST_STEPS)) {
    snprintf(what, sizeof what, "%.0f %s, at least %.0f are needed", e->steps,
             e->of == SPN_EVIDENCE_GAINS ? "steps after the warm-up" : "training steps", LEAST_STEPS);
    add(text, what);
  }
  if (e->of == SPN_EVIDENCE_GAINS) lacks_gains(e, text);
  else lacks_networks(e, text);
  if (!(e->ce < e->chance)) {
    snprintf(what, sizeof what, "CE %.4g, no better than guessing (%.4g)", e->ce, e->chance);
    add(text, what);
  }
}
