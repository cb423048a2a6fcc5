#include "search/scores.h"

#include <math.h>
#include <stdlib.h>

#include "latency/stats.h"

static void measure_spread(const spn_archive *a, spn_evidence *out) {
  double sum = 0, squares = 0;
  for (size_t i = 0; i < spn_archive_count(a); i++) {
    const spn_evaluation *e = spn_archive_at(a, i);
    if (spn_archive_find(a, &e->choice) != e) continue; /* each network once, by its last score */
    out->networks++;
    sum += e->answer.accuracy;
    squares += e->answer.accuracy * e->answer.accuracy;
  }
  out->mean = sum / fmax(1, out->networks);
  out->spread = sqrt(fmax(0, squares - sum * out->mean) / fmax(1, out->networks - 1));
}

/* pairs: room for all that were scored again, twice. */
static void measure_agreement(const spn_archive *a, double *pairs, spn_evidence *out) {
  double *first = pairs, *again = pairs + spn_archive_rescored(a);
  spn_agreement agreement;
  for (size_t i = 0; i < spn_archive_count(a); i++) {
    const spn_evaluation *e = spn_archive_at(a, i), *before = spn_archive_find(a, &e->choice);
    if (!e->rescored || !before) continue; /* a policy's own answer may never have been drawn */
    first[out->again] = before->answer.accuracy;
    again[out->again++] = e->answer.accuracy;
  }
  spn_agreement_of(first, again, out->again, &agreement);
  out->agreement = out->again > 1 ? agreement.spearman : NAN;
}

spn_status spn_scores_evidence(const spn_archive *a, spn_evidence *out, spn_err *err) {
  double *pairs = malloc((2 * spn_archive_rescored(a) + 1) * sizeof *pairs);
  if (!pairs) return spn_fail(err, SPN_ENOMEM, "evidence: out of memory");
  *out = (spn_evidence){.of = SPN_EVIDENCE_SCORES};
  measure_spread(a, out);
  measure_agreement(a, pairs, out);
  free(pairs);
  return SPN_OK;
}
