#include "search/batches.h"

#include <stdlib.h>
#include <string.h>

/* whole: images of a whole batch, which a graph reads (zeros) even where fewer count. */
static spn_status keep(spn_batches *b, const spn_batch *batch, size_t whole, size_t pixels, spn_err *err) {
  void *grown = realloc(b->batch, (b->count + 1) * sizeof *b->batch);
  if (!grown) return spn_fail(err, SPN_ENOMEM, "kept images: out of memory");
  b->batch = grown;
  size_t i = b->count++, n = (size_t)batch->count;
  b->batch[i].pixels = calloc(whole * pixels, sizeof *b->batch[i].pixels);
  b->batch[i].labels = malloc(n * sizeof *b->batch[i].labels);
  b->batch[i].count = batch->count;
  if (!b->batch[i].pixels || !b->batch[i].labels)
    return spn_fail(err, SPN_ENOMEM, "kept images: out of memory (%zu images)", b->images + n);
  memcpy(b->batch[i].pixels, batch->images, n * pixels * sizeof *b->batch[i].pixels);
  memcpy(b->batch[i].labels, batch->labels, n * sizeof *b->batch[i].labels);
  b->images += n;
  return SPN_OK;
}

static spn_status load(spn_loader *loader, size_t whole, size_t pixels, size_t images, spn_batches *out, spn_err *err) {
  while (out->count < spn_loader_batches(loader) && (!images || out->images < images)) {
    spn_batch batch;
    int end = 0;
    SPN_TRY(spn_loader_next(loader, &batch, &end, err));
    if (end) break;
    SPN_TRY(keep(out, &batch, whole, pixels, err));
  }
  return out->images ? SPN_OK : spn_fail(err, SPN_EINPUT, "no image could be read");
}

spn_status spn_batches_load(const spn_data *d, const spn_settings *s, spn_split split, int training, size_t images,
                            spn_batches *out, spn_err *err) {
  spn_loader *loader;
  spn_data plain = *d;
  size_t pixels = (size_t)d->eval.size * (size_t)d->eval.size * (size_t)d->eval.channels;
  size_t all = spn_dataset_count(d->set, split);
  /* A part is drawn: in order it would be the first classes, for those of a folder come one after the other. */
  int part = images && images < all && all >= (size_t)s->optim_batch;
  *out = (spn_batches){0};
  if (!training) plain.train = plain.eval;
  SPN_TRY(spn_data_loader(&plain, s, split, training || part, 0, &loader, err));
  spn_status status = load(loader, (size_t)s->optim_batch, pixels, images, out, err);
  spn_loader_close(loader);
  if (status) spn_batches_free(out);
  return status;
}

void spn_batches_free(spn_batches *b) {
  for (size_t i = 0; i < b->count; i++) {
    free(b->batch[i].pixels);
    free(b->batch[i].labels);
  }
  free(b->batch);
  *b = (spn_batches){0};
}
