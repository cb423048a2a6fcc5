#include "search/score.h"

spn_status spn_score_load(const spn_problem *p, spn_batches *norm, spn_batches *score, spn_err *err) {
  const spn_settings *s = p->settings;
  if (!spn_dataset_count(p->data->set, SPN_SPLIT_HOLDOUT))
    return spn_fail(err, SPN_EINPUT,
                    "data.holdout: expected held-out images, on which search.evaluator=%s scores networks, got none",
                    s->search_evaluator);
  SPN_TRY(spn_batches_load(p->data, s, SPN_SPLIT_HOLDOUT, 0, (size_t)s->search_score_images, score, err));
  return spn_batches_load(p->data, s, SPN_SPLIT_TRAIN, 1, (size_t)s->search_norm_images, norm, err);
}

static spn_status measure_norm(spn_graph *g, const spn_batches *norm, spn_err *err) {
  spn_status status = SPN_OK;
  for (size_t i = 0; i < norm->count && !status; i++) {
    g->norm_momentum = (double)i / (double)(i + 1);
    status = spn_graph_forward(g, norm->batch[i].pixels, NULL, norm->batch[i].count, 1, err);
  }
  g->norm_momentum = -1;
  return status;
}

spn_status spn_score_network(spn_graph *g, const spn_batches *norm, const spn_batches *score, spn_answer *out,
                             spn_err *err) {
  double loss = 0, hits = 0;
  SPN_TRY(measure_norm(g, norm, err));
  for (size_t i = 0; i < score->count; i++) {
    int count = score->batch[i].count;
    SPN_TRY(spn_graph_forward(g, score->batch[i].pixels, score->batch[i].labels, count, 0, err));
    loss += g->loss_plain * count;
    hits += g->correct;
  }
  out->accuracy = hits / (double)score->images;
  out->loss = loss / (double)score->images;
  return SPN_OK;
}
