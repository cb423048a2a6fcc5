#include "search/watch.h"

#include <stdlib.h>
#include <string.h>

static spn_status score_pass(spn_graph *g, spn_loader *loader, spn_phase *work, spn_score *out, spn_err *err) {
  double loss = 0, hits = 0, hits5 = 0, images = 0;
  for (uint64_t i = 0; i < work->total; i++) {
    spn_batch batch;
    int end = 0;
    SPN_TRY(spn_phase_at(work, i, err));
    SPN_TRY(spn_loader_next(loader, &batch, &end, err));
    SPN_TRY(spn_graph_forward(g, batch.images, batch.labels, batch.count, 0, err));
    loss += g->loss_plain * batch.count;
    hits += g->correct;
    hits5 += g->correct5;
    images += batch.count;
  }
  *out = (spn_score){.images = (size_t)images, .loss = loss / images, .top1 = hits / images, .top5 = hits5 / images};
  return SPN_OK;
}

/* Shuffled, for those of a folder come class by class. */
static spn_status score(const spn_problem *p, spn_graph *g, spn_score *out, spn_err *err) {
  const spn_settings *s = p->settings;
  spn_data plain = *p->data;
  spn_loader *loader;
  plain.train = plain.eval;
  SPN_TRY(spn_data_loader(&plain, s, SPN_SPLIT_HOLDOUT, 1, 0, &loader, err));
  size_t all = spn_loader_batches(loader), batch = (size_t)s->optim_batch;
  size_t asked = ((size_t)s->search_watch + batch - 1) / batch;
  spn_phase work = {.what = "a look at held-out images", .unit = "batches", .total = asked < all ? asked : all};
  spn_status status = score_pass(g, loader, &work, out, err);
  spn_phase_end(&work);
  spn_loader_close(loader);
  return status;
}

/* By what a checkpoint keeps: a run that was stopped in here knows no more. */
static void set_decided(const spn_indicators *in) {
  unsigned char on[SPN_MAX_MASKS];
  spn_choice choice;
  for (int i = 0; i < in->count; i++) on[i] = in->list[i].was_on != 0;
  spn_supernet_choice(in->net, on, &choice);
  spn_supernet_set(in->net, &choice);
}

spn_status spn_watch(const spn_problem *problem, const spn_indicators *in, spn_score *out, spn_err *err) {
  const spn_settings *s = problem->settings;
  spn_graph *g = in->net->graph;
  *out = (spn_score){0};
  if (!s->search_watch || spn_dataset_count(problem->data->set, SPN_SPLIT_HOLDOUT) < (size_t)s->optim_batch)
    return SPN_OK;
  real *copy = calloc(g->param_elements + 16, sizeof *copy), *own = g->weights; /* kernels load whole vectors */
  if (!copy) return spn_fail(err, SPN_ENOMEM, "search: out of memory for a copy of the weights");
  memcpy(copy, own, g->param_elements * sizeof *copy);
  set_decided(in);
  spn_status status = spn_recalibrate(g, copy, problem->data, s, (size_t)s->search_watch, err);
  g->weights = copy;
  if (!status) status = score(problem, g, out, err);
  g->weights = own;
  free(copy);
  return status;
}
