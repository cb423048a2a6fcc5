#include "train/evaluate.h"

#include <math.h>
#include <string.h>

static spn_status score_pass(spn_graph *g, spn_loader *loader, spn_score *out, spn_err *err) {
  double loss = 0, hits = 0, hits5 = 0;
  size_t images = 0;
  for (;;) {
    spn_batch batch;
    int end = 0;
    SPN_TRY(spn_loader_next(loader, &batch, &end, err));
    if (end) break;
    if (!batch.count) continue;
    spn_graph_forward(g, batch.images, batch.labels, batch.count, 0);
    loss += g->loss_plain * batch.count;
    hits += g->correct;
    hits5 += g->correct5;
    images += (size_t)batch.count;
  }
  if (!images) return spn_fail(err, SPN_EINPUT, "nothing to evaluate: no image could be read");
  *out = (spn_score){.images = images, .loss = loss / (double)images, .top1 = hits / (double)images, .top5 = hits5 / (double)images};
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

spn_status spn_recalibrate(spn_graph *g, const spn_data *d, const spn_settings *s, int batches, spn_err *err) {
  spn_data plain = *d;
  spn_loader *loader;
  plain.train = d->eval;
  SPN_TRY(spn_data_loader(&plain, s, SPN_SPLIT_TRAIN, 1, 0, &loader, err));
  spn_status status = SPN_OK;
  for (int i = 0; i < batches && !status; i++) {
    spn_batch batch;
    int end = 0;
    if ((status = spn_loader_next(loader, &batch, &end, err))) break;
    g->norm_momentum = (double)i / (i + 1);
    spn_graph_forward(g, batch.images, NULL, batch.count, 1);
  }
  g->norm_momentum = -1;
  spn_loader_close(loader);
  return status;
}

spn_status spn_check_finite(spn_graph *g, uint64_t step, spn_err *err) {
  if (isfinite(g->loss)) return SPN_OK;
  const char *where = spn_graph_find_bad(g);
  return spn_fail(err, SPN_ENUMERIC, "step %llu: %s holds NaN or infinity; the run stops and its last checkpoint is intact. "
                  "A lower optim.lr is the usual remedy", (unsigned long long)step, where ? where : "the loss");
}

spn_status spn_state_save(spn_run *run, uint64_t step, const spn_graph *g, const spn_optimizer *o, const double *numbers,
                          size_t count, spn_err *err) {
  for (int i = 0; i < g->param_count; i++)
    for (size_t k = 0; k < g->params[i].size; k++)
      if (!isfinite(g->weights[g->params[i].offset + k]))
        return spn_fail(err, SPN_ENUMERIC, "step %llu: %s holds NaN or infinity; no checkpoint is written over the last good one",
                        (unsigned long long)step, g->params[i].name);
  spn_tensors *set = spn_tensors_new();
  if (!set) return spn_fail(err, SPN_ENOMEM, "checkpoint: out of memory");
  size_t n = g->param_elements;
  double optimizer_steps = (double)o->steps;
  spn_status status = spn_tensors_add(set, "weights", SPN_F32, 1, &n, g->weights, err);
  if (!status) status = spn_tensors_add(set, "slot0", SPN_F32, 1, &n, o->slot[0], err);
  if (!status && o->slot[1]) status = spn_tensors_add(set, "slot1", SPN_F32, 1, &n, o->slot[1], err);
  if (!status && o->ema) status = spn_tensors_add(set, "ema", SPN_F32, 1, &n, o->ema, err);
  if (!status) status = spn_tensors_add(set, "optimizer_steps", SPN_F64, 1, (size_t[]){1}, &optimizer_steps, err);
  if (!status) status = spn_tensors_add(set, "numbers", SPN_F64, 1, &count, numbers, err);
  if (!status) status = spn_run_checkpoint(run, step, set, err);
  spn_tensors_free(set);
  return status;
}

static spn_status take(const spn_tensors *set, const char *name, size_t count, size_t size, void *out, spn_err *err) {
  const spn_tensor *t = spn_tensors_find(set, name);
  if (!t || spn_tensor_elements(t) != count)
    return spn_fail(err, SPN_EINPUT, "checkpoint: %s: expected %zu elements, got %zu; it belongs to another network",
                    name, count, t ? spn_tensor_elements(t) : 0);
  memcpy(out, t->data, count * size);
  return SPN_OK;
}

spn_status spn_state_load(const spn_tensors *set, spn_graph *g, spn_optimizer *o, double *numbers, size_t count, spn_err *err) {
  size_t n = g->param_elements;
  double steps;
  SPN_TRY(take(set, "weights", n, sizeof(real), g->weights, err));
  SPN_TRY(take(set, "slot0", n, sizeof(real), o->slot[0], err));
  if (o->slot[1]) SPN_TRY(take(set, "slot1", n, sizeof(real), o->slot[1], err));
  if (o->ema) SPN_TRY(take(set, "ema", n, sizeof(real), o->ema, err));
  SPN_TRY(take(set, "optimizer_steps", 1, sizeof steps, &steps, err));
  o->steps = (uint64_t)steps;
  return take(set, "numbers", count, sizeof *numbers, numbers, err);
}
