/* What the scores of a search with shared weights tell, beside its answer. */
#ifndef SPN_SEARCH_SCORES_H
#define SPN_SEARCH_SCORES_H

#include "search/archive.h"
#include "search/evidence.h"

/* Of an archive, as SPN_EVIDENCE_SCORES: how many networks, mean and spread of their accuracies, and whether those
 * scored again at the end came in the same order. SPN_ENOMEM. */
spn_status spn_scores_evidence(const spn_archive *archive, spn_evidence *out, spn_err *err);

#endif
