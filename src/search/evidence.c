#include "search/evidence.h"

#include <math.h>
#include <stdarg.h>
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

__attribute__((format(printf, 2, 3))) static void add(char *text, const char *format, ...) {
  size_t used = strlen(text);
  if (used) used += (size_t)snprintf(text + used, SPN_EVIDENCE_TEXT - used, ", ");
  if (used >= SPN_EVIDENCE_TEXT) return;
  va_list values;
  va_start(values, format);
  vsnprintf(text + used, SPN_EVIDENCE_TEXT - used, format, values);
  va_end(values);
}

static void add_scores(const spn_evidence *e, char *text) {
  add(text, "%.0f training steps", e->steps);
  add(text, "%d networks scored %.3g %% and differ by %.2g (standard error %.2g)", e->networks, 100 * e->mean,
      100 * e->spread, 100 * e->error);
  if (!isfinite(e->agreement)) return;
  add(text, "ranks of %d scored again agree by %.2g", e->again, e->agreement);
}

void spn_evidence_text(const spn_evidence *e, char text[SPN_EVIDENCE_TEXT]) {
  *text = 0;
  if (e->of == SPN_EVIDENCE_SCORES) add_scores(e, text);
  else {
    add(text, "%.0f steps after the warm-up", e->steps);
    add(text, "%d of %d gains significant", e->significant, e->gains);
  }
  add(text, "%s CE %.4g (chance %.4g)", e->held_out ? "held-out" : "training", e->ce, e->chance);
}

/* ---- Floors ---- */

static void lacks_gains(const spn_evidence *e, char *text) {
  if (e->significant >= LEAST_SIGNIFICANT * e->gains) return;
  add(text, "%d of %d gains significant, at least %.0f %% are needed", e->significant, e->gains,
      100 * LEAST_SIGNIFICANT);
}

static void lacks_networks(const spn_evidence *e, char *text) {
  if (e->networks >= LEAST_NETWORKS) return;
  add(text, "%d network%s scored, at least %d are needed", e->networks, e->networks == 1 ? "" : "s", LEAST_NETWORKS);
}

void spn_evidence_lacks(const spn_evidence *e, char text[SPN_EVIDENCE_TEXT]) {
  *text = 0;
  if (e->of == SPN_EVIDENCE_NONE) return;
  if (!(e->steps >= LEAST_STEPS)) {
    add(text, "%.0f %s, at least %.0f are needed", e->steps,
        e->of == SPN_EVIDENCE_GAINS ? "steps after the warm-up" : "training steps", LEAST_STEPS);
  }
  if (e->of == SPN_EVIDENCE_GAINS) lacks_gains(e, text);
  else lacks_networks(e, text);
  if (!(e->ce < e->chance)) {
    add(text, "CE %.4g, no better than guessing (%.4g)", e->ce, e->chance);
  }
}
