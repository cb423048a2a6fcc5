/* Random search, the baseline of every claim: networks drawn uniformly among those that meet the budget, the best by
 * the evaluator. With search.evaluations = 1 the one draw is the answer, and nobody is asked. */
#include "search/inquiry.h"

static spn_status draw(spn_inquiry *q, spn_err *err) {
  spn_choice choice;
  spn_answer answer;
  if (!q->evaluator) {
    SPN_TRY(spn_inquiry_network(q, q->low, q->high, &choice, err));
    spn_nominate(q, &choice);
    return SPN_OK;
  }
  while (spn_inquiry_goes_on(q)) {
    SPN_TRY(spn_inquiry_network(q, q->low, q->high, &choice, err));
    SPN_TRY(spn_ask(q, &choice, &answer, err));
  }
  return SPN_OK;
}

const spn_method spn_method_random = {
    .about = "uniform draws among the networks that meet the budget, the best of them", .search = draw, .draws = 1};
