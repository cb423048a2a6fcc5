#include "search/inquiry.h"
#include "train/schedule.h"

#include <stdio.h>

#define SPN_METHOD(name) extern const spn_method spn_method_##name;
#include "search/methods.def"
#undef SPN_METHOD

const char *const spn_method_names[] = {
#define SPN_METHOD(name) #name,
#include "search/methods.def"
#undef SPN_METHOD
    NULL};

const spn_method *const spn_methods[] = {
#define SPN_METHOD(name) &spn_method_##name,
#include "search/methods.def"
#undef SPN_METHOD
    NULL};

/* Below these a network sees next to nothing: eight pixels are one after three strides, and a twentieth of the width is
 * the eight channels that every layer has at least (spn_scale_channels). */
static const int LEAST_SIZE = 8;
static const double LEAST_WIDTH = 0.05;

spn_status spn_problem_size(spn_settings *s, spn_space *space, spn_dataset *set, char why[SPN_SIZE_TEXT],
                            spn_err *err) {
  if (s->search_proxy_size && s->search_proxy_size < LEAST_SIZE)
    return spn_fail(err, SPN_EINPUT, "search.proxy_size: expected 0 or at least %d pixels, got %lld", LEAST_SIZE,
                    s->search_proxy_size);
  if (s->search_proxy_width > 0 && s->search_proxy_width < LEAST_WIDTH)
    return spn_fail(err, SPN_EINPUT, "search.proxy_width: expected 0 or at least %g, got %g", LEAST_WIDTH,
                    s->search_proxy_width);
  int side = spn_dataset_median_side(set), asked = s->search_proxy_size || s->search_proxy_width > 0;
  spn_space_train_at(space, s->search_proxy_size ? (int)s->search_proxy_size : spn_space_size_for(space, side),
                     s->search_proxy_width);
  s->search_proxy_size = space->proxy_size;
  s->search_proxy_width = space->proxy_width;
  const char *what = spn_space_is_proxy(space) ? "proxy, not the network that is found," : "network as it is deployed,";
  snprintf(why, SPN_SIZE_TEXT, "trains the %s at %dx%d, width %.4g%s: the images' median short side is %d pixels", what,
           space->proxy_size, space->proxy_size, space->proxy_width, asked ? ", as the settings ask" : "", side);
  return SPN_OK;
}

/* A dearest cost that was printed and given back as the target may have been rounded up. */
static const double ROUNDED = 1e-4;

static const spn_method *method_of(const spn_settings *s) {
  return spn_methods[spn_name_index(spn_method_names, s->search_method)];
}

/* Only a method with a cost term in its loss does without a budget, and only forms that pull without one. */
static spn_status free_budget(spn_problem *p, double min, double max, spn_err *err) {
  const spn_settings *s = p->settings;
  p->low = min;
  p->target = max;
  if (!method_of(s)->run)
    return spn_fail(err, SPN_EINPUT, "search.target: expected a budget, got 0: %s has no cost term that would do",
                    s->search_method);
  if (p->cost->limits)
    return spn_fail(err, SPN_EINPUT, "search.limits: expected none without a target (search.target=0)");
  if (s->search_cost_form == SPN_COST_LOG || s->search_cost_form == SPN_COST_RATIO) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "search.cost_form: expected log or ratio without a target (search.target=0), got %s",
                  spn_settings_name("search.cost_form", (int)s->search_cost_form));
}

spn_status spn_problem_budget(spn_problem *p, spn_err *err) {
  const spn_settings *s = p->settings;
  double min, max;
  const char *unit = p->cost->unit, *space = p->space->name;
  spn_cost_range(p->cost, p->space, &min, &max);
  if (!(max > min && max > 0))
    return spn_fail(err, SPN_EINPUT,
                    "search.cost %s: every network of space %s costs %.4g %s: there is no budget to meet",
                    p->cost->name, space, max, unit);
  p->target = s->search_target_share > 0 ? s->search_target_share * max : s->search_target;
  p->low = p->target * (1 - s->search_tolerance);
  p->free = p->target <= 0 && s->search_lambda >= 0;
  if (p->free) return free_budget(p, min, max, err);
  if (p->target >= min && p->target <= max * (1 + ROUNDED)) return spn_problem_limits(p, err);
  int above = p->target > max;
  return spn_fail(
      err, SPN_EINPUT,
      "search.target: expected %.4g to %.4g %s, the cheapest and the dearest network of space %s, got %.4g, "
      "which is %.4g %s %s",
      min, max, unit, space, p->target, above ? p->target - max : min - p->target, unit,
      above ? "above: every network meets it" : "below: no network meets it");
}

spn_status spn_problem_needs_images(const spn_settings *s, int *needs, spn_err *err) {
  *needs = method_of(s)->run || spn_evaluator_of(s)->images;
  if (!method_of(s)->run || !s->search_table[0]) return SPN_OK;
  return spn_fail(err, SPN_EINPUT,
                  "search.table: expected a method that asks, such as evolution; %s learns from images",
                  s->search_method);
}

/* Images of the epochs that a search over training images takes. */
static double scheduled(const spn_problem *p) {
  size_t training = spn_dataset_count(p->data->set, SPN_SPLIT_TRAIN);
  return (double)p->settings->search_epochs * (double)p->settings->optim_batch *
         (double)spn_steps_per_epoch(p->settings, training);
}

double spn_problem_images(const spn_problem *p) {
  const spn_settings *s = p->settings;
  return s->search_budget > 0 || s->search_evaluations || !p->data ? s->search_budget : scheduled(p);
}

spn_status spn_problem_search(const spn_problem *p, spn_search_result *out, spn_err *err) {
  const spn_method *method = method_of(p->settings);
  if (method->search) return spn_inquiry_run(p, method, out, err);
  double budget = p->settings->search_budget, needs = scheduled(p);
  if (budget > 0 && needs > budget)
    return spn_fail(err, SPN_EINPUT,
                    "search.budget: expected at least %.0f images, which %lld epochs of %s take, got %.0f", needs,
                    p->settings->search_epochs, p->settings->search_method, budget);
  return method->run(p, out, err);
}
