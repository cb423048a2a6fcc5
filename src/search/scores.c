#include "search/scores.h"

#include <math.h>
#include <stdlib.h>

#include "latency/stats.h"
#include "search/significance.h"

/* numbers: room for one of each evaluation. */
static void measure_spread(const spn_archive *a, double *numbers, spn_evidence *out) {
  spn_sample sample;
  for (size_t i = 0; i < spn_archive_count(a); i++) {
    const spn_evaluation *e = spn_archive_at(a, i);
    if (spn_archive_find(a, &e->choice) == e) /* each network once, by its last score */
      numbers[out->networks++] = e->answer.accuracy;
  }
  spn_sample_of(numbers, out->networks, &sample);
  if (out->networks > 0) out->mean = sample.mean;
  if (out->networks > 1) out->spread = sample.deviation;
}

/* numbers: room for two of each that was scored again. */
static void measure_agreement(const spn_archive *a, double *numbers, spn_evidence *out) {
  double *first = numbers, *again = numbers + spn_archive_rescored(a);
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
  double *numbers = malloc((2 * spn_archive_count(a) + 1) * sizeof *numbers);
  if (!numbers) return spn_fail(err, SPN_ENOMEM, "evidence: out of memory");
  *out = (spn_evidence){.of = SPN_EVIDENCE_SCORES};
  measure_spread(a, numbers, out);
  measure_agreement(a, numbers, out);
  free(numbers);
  return SPN_OK;
}
