#include "search/evaluator.h"

#define SPN_EVALUATOR(name) extern const spn_evaluator spn_evaluator_##name;
#include "search/evaluators.def"
#undef SPN_EVALUATOR

const char *const spn_evaluator_names[] = {
#define SPN_EVALUATOR(name) #name,
#include "search/evaluators.def"
#undef SPN_EVALUATOR
    NULL};

const spn_evaluator *const spn_evaluators[] = {
#define SPN_EVALUATOR(name) &spn_evaluator_##name,
#include "search/evaluators.def"
#undef SPN_EVALUATOR
    NULL};

const spn_evaluator *spn_evaluator_of(const spn_settings *s) {
  return spn_evaluators[spn_name_index(spn_evaluator_names, s->search_evaluator)];
}

size_t spn_rescorings(const spn_settings *s, double evaluations) {
  double most = evaluations / 4, asked = (double)s->search_rescore;
  return (size_t)(asked < most ? asked : most);
}
