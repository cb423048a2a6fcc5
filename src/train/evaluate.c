#include "train/evaluate.h"

#include "core/phase.h"

static void count_confusion(const spn_graph *g, const spn_batch *batch, int classes, unsigned *confusion) {
  for (int i = 0; i < batch->count; i++) {
    const real *logit = g->logits + (size_t)i * (size_t)classes;
    int best = 0;
    for (int k = 1; k < classes; k++)
      if (logit[k] > logit[best]) best = k;
    if (batch->labels[i] >= 0) confusion[(size_t)batch->labels[i] * (size_t)classes + (size_t)best]++;
  }
}

/* What is asked of an evaluation; confusion and mistakes may be NULL. */
typedef struct {
  spn_score *score;
  unsigned *confusion;
  spn_mistakes *mistakes;
  const spn_data *data;
} answer;

static spn_status score_pass(spn_graph *g, spn_loader *loader, spn_phase *work, const answer *out, spn_err *err) {
  double loss = 0, hits = 0, hits5 = 0;
  size_t images = 0;
  for (uint64_t done = 0;; done++) {
    spn_batch batch;
    int end = 0;
    SPN_TRY(spn_phase_at(work, done, err));
    SPN_TRY(spn_loader_next(loader, &batch, &end, err));
    if (end) break;
    if (!batch.count) continue;
    SPN_TRY(spn_graph_forward(g, batch.images, batch.labels, batch.count, 0, err));
    loss += g->loss_plain * batch.count;
    hits += g->correct;
    hits5 += g->correct5;
    images += (size_t)batch.count;
    if (out->confusion) count_confusion(g, &batch, out->data->classes, out->confusion);
    if (out->mistakes) spn_mistakes_gather(g, &batch, out->data, out->mistakes);
  }
  if (!images) return spn_fail(err, SPN_EINPUT, "nothing to evaluate: no image could be read");
  *out->score = (spn_score){
      .images = images, .loss = loss / (double)images, .top1 = hits / (double)images, .top5 = hits5 / (double)images};
  return SPN_OK;
}

static spn_status evaluate(spn_graph *g, const spn_data *d, const spn_settings *s, spn_split split, const answer *out,
                           spn_err *err) {
  spn_loader *loader;
  SPN_TRY(spn_data_loader(d, s, split, 0, 0, &loader, err));
  static const char *const what[] = {[SPN_SPLIT_TRAIN] = "evaluation on training images",
                                     [SPN_SPLIT_HOLDOUT] = "evaluation on held-out images",
                                     [SPN_SPLIT_TEST] = "evaluation on test images"};
  spn_phase work = {.what = what[split], .unit = "batches", .total = spn_loader_batches(loader)};
  spn_status status = score_pass(g, loader, &work, out, err);
  spn_phase_end(&work);
  spn_loader_close(loader);
  return status;
}

spn_status spn_evaluate(spn_graph *g, const real *weights, const spn_data *d, const spn_settings *s, spn_split split,
                        spn_score *out, spn_err *err) {
  real *own = g->weights;
  if (weights) g->weights = (real *)weights; /* evaluation only reads */
  spn_status status = evaluate(g, d, s, split, &(answer){.score = out}, err);
  g->weights = own;
  return status;
}

spn_status spn_evaluate_closely(spn_graph *g, const spn_data *d, const spn_settings *s, spn_split split, spn_score *out,
                                spn_details *details, spn_err *err) {
  return evaluate(g, d, s, split, &(answer){out, details->confusion, &details->mistakes, d}, err);
}

static spn_status average_statistics(spn_graph *g, spn_loader *loader, spn_phase *work, spn_err *err) {
  for (uint64_t i = 0; i < work->total; i++) {
    spn_batch batch;
    int end = 0;
    SPN_TRY(spn_phase_at(work, i, err));
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
  spn_phase work = {
      .what = "recalibration of batch norm", .unit = "batches", .total = batches < epoch ? batches : epoch};
  spn_status status = average_statistics(g, loader, &work, err);
  spn_phase_end(&work);
  g->norm_momentum = -1;
  g->weights = own;
  spn_loader_close(loader);
  return status;
}
