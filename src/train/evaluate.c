#include "train/evaluate.h"

static spn_status score_pass(spn_graph *g, spn_loader *loader, spn_score *out, spn_err *err) {
  double loss = 0, hits = 0, hits5 = 0;
  size_t images = 0;
  for (;;) {
    spn_batch batch;
    int end = 0;
    SPN_TRY(spn_loader_next(loader, &batch, &end, err));
    if (end) break;
    if (!batch.count) continue;
    SPN_TRY(spn_graph_forward(g, batch.images, batch.labels, batch.count, 0, err));
    loss += g->loss_plain * batch.count;
    hits += g->correct;
    hits5 += g->correct5;
    images += (size_t)batch.count;
  }
  if (!images) return spn_fail(err, SPN_EINPUT, "nothing to evaluate: no image could be read");
  *out = (spn_score){
      .images = images, .loss = loss / (double)images, .top1 = hits / (double)images, .top5 = hits5 / (double)images};
  return SPN_OK;
}

spn_status spn_evaluate(spn_graph *g, const real *weights, const spn_data *d, const spn_settings *s, spn_split split,
                        spn_score *out, spn_err *err) {
  spn_loader *loader;
  SPN_TRY(spn_data_loader(d, s, split, 0, 0, &loader, err));
  real *own = g->weights;
  if (weights) g->weights = (real *)weights; /* evaluation only reads */
  spn_status status = score_pass(g, loader, out, err);
  g->weights = own;
  spn_loader_close(loader);
  return status;
}

static spn_status average_statistics(spn_graph *g, spn_loader *loader, size_t batches, spn_err *err) {
  for (size_t i = 0; i < batches; i++) {
    spn_batch batch;
    int end = 0;
    SPN_TRY(spn_loader_next(loader, &batch, &end, err));
    g->norm_momentum = (double)i / (double)(i + 1);
    SPN_TRY(spn_graph_forward(g, batch.images, NULL, batch.count, 1, err));
  }
  return SPN_OK;
}

spn_status spn_recalibrate(spn_graph *g, real *weights, const spn_data *d, const spn_settings *s, size_t images,
                           spn_err *err) {
  spn_loader *loader;
  SPN_TRY(spn_data_loader(d, s, SPN_SPLIT_TRAIN, 1, 0, &loader, err));
  size_t epoch = spn_loader_batches(loader), batch = (size_t)s->optim_batch, batches = (images + batch - 1) / batch;
  real *own = g->weights;
  if (weights) g->weights = weights;
  spn_status status = average_statistics(g, loader, batches < epoch ? batches : epoch, err);
  g->norm_momentum = -1;
  g->weights = own;
  spn_loader_close(loader);
  return status;
}
