/* The evaluator that trains every network by itself: search.scratch_epochs epochs from new weights (MnasNet, arXiv
 * 1807.11626, trains 5), batch-norm statistics and accuracy as for shared weights (search.norm_images,
 * search.score_images). The same network has the same answer, so a resumed search needs nothing but its archive. */
#include <math.h>
#include <stdlib.h>

#include "core/phase.h"
#include "search/evaluator.h"
#include "search/score.h"
#include "train/machine.h"
#include "train/optimizer.h"
#include "train/schedule.h"

typedef struct {
  const spn_problem *problem;
  spn_settings settings; /* of a training */
  spn_batches score, norm;
  uint64_t per_epoch, steps;
} scratch;

static spn_status train(scratch *t, spn_graph *g, spn_optimizer *optimizer, spn_loader *loader, spn_err *err) {
  double epochs = (double)t->settings.search_scratch_epochs;
  for (g->step = 0; g->step < t->steps; g->step++) {
    spn_batch batch;
    int end = 0;
    if (spn_stop_requested())
      return spn_fail(err, SPN_ESTOPPED, "stopped in the training of a network; --resume repeats that one");
    SPN_TRY(spn_loader_next(loader, &batch, &end, err));
    SPN_TRY(spn_graph_forward(g, batch.images, batch.labels, batch.count, 1, err));
    if (!isfinite(g->loss))
      return spn_fail(err, SPN_ENUMERIC,
                      "step %llu of a network's training: the loss is NaN or infinity; a lower "
                      "optim.lr is the usual remedy",
                      (unsigned long long)g->step);
    SPN_TRY(spn_graph_backward(g, err));
    double epoch = (double)g->step / (double)t->per_epoch;
    spn_optimizer_step(optimizer, g, spn_learning_rate(&t->settings, epoch, epochs));
  }
  return SPN_OK;
}

static spn_status evaluate(scratch *t, spn_graph *g, spn_answer *out, spn_err *err) {
  spn_optimizer *optimizer = NULL;
  spn_loader *loader = NULL;
  spn_status status = spn_optimizer_create(g, &t->settings, &optimizer, err);
  if (!status) status = spn_data_loader(t->problem->data, &t->settings, SPN_SPLIT_TRAIN, 1, 0, &loader, err);
  if (!status) status = train(t, g, optimizer, loader, err);
  if (!status) status = spn_score_network(g, &t->norm, &t->score, out, err);
  if (loader) spn_loader_close(loader);
  spn_optimizer_free(optimizer);
  return status;
}

static spn_status answer(void *own, const spn_choice *choice, spn_answer *out, spn_images *images, spn_err *err) {
  scratch *t = own;
  spn_arch arch;
  spn_graph *g;
  spn_network_options o;
  spn_space_arch(t->problem->space, choice, 1, &arch);
  arch.classes = t->problem->data->classes;
  SPN_TRY(spn_options_choose(&t->settings, &o, err));
  SPN_TRY(spn_network_create(&arch, &o, 0, &g, err));
  spn_status status = evaluate(t, g, out, err);
  spn_graph_free(g);
  images->trained += (double)t->steps * (double)t->settings.optim_batch;
  images->evaluated += (double)(t->score.images + t->norm.images);
  return status;
}

static void price(const void *own, spn_images *first, spn_images *each) {
  const scratch *t = own;
  each->trained = (double)t->steps * (double)t->settings.optim_batch;
  each->evaluated = (double)(t->score.images + t->norm.images);
  *first = *each;
}

static void close_scratch(void *own) {
  scratch *t = own;
  if (!t) return;
  spn_batches_free(&t->score);
  spn_batches_free(&t->norm);
  free(t);
}

static spn_status open_scratch(const spn_problem *p, void **out, spn_err *err) {
  scratch *t = calloc(1, sizeof *t);
  if (!t) return spn_fail(err, SPN_ENOMEM, "search.evaluator: out of memory");
  t->problem = p;
  t->settings = *p->settings;
  t->settings.optim_ema = 0;
  t->settings.optim_lr_warmup_epochs = fmin(t->settings.optim_lr_warmup_epochs,
                                            (double)t->settings.search_scratch_epochs / 8); /* as in any training */
  t->per_epoch = spn_steps_per_epoch(&t->settings, spn_dataset_count(p->data->set, SPN_SPLIT_TRAIN));
  t->steps = t->per_epoch * (uint64_t)t->settings.search_scratch_epochs;
  spn_status status = spn_score_load(p, &t->norm, &t->score, err);
  if (status) close_scratch(t);
  else *out = t;
  return status;
}

const spn_evaluator spn_evaluator_scratch = {.about = "each network trained by itself for search.scratch_epochs epochs",
                                             .images = 1,
                                             .settled = 1,
                                             .open = open_scratch,
                                             .close = close_scratch,
                                             .answer = answer,
                                             .price = price};
