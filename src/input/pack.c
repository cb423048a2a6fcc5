#include "core/team.h"
#include "core/phase.h"
#include "input/pack.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "input/dataset.h"
#include "input/transform.h"
#include "io/file.h"

enum { CHUNK = 256 }; /* images decoded together */

typedef struct {
  unsigned char *pixels;
  int h, w, whole_h, whole_w;
  uint32_t crc;
  spn_status status;
  spn_err err;
} packed;

typedef struct {
  spn_dataset *set;
  spn_file *file;
  spn_pack_entry *entries;
  spn_names names;
  spn_pack_end end;
} writer;

/* ---- One image ---- */

/* rgb (h,w,3) reduced to (out_h,out_w,3), rounded to 8 bit. */
static spn_status reduce(spn_scratch *s, const spn_image *image, int out_h, int out_w, spn_resize filter,
                         unsigned char *out) {
  size_t row = (size_t)image->w * 3, line = (size_t)out_w * 3;
  float *blended = malloc((row + 1) * sizeof *blended), *values = malloc(line * sizeof *values);
  spn_status status = blended && values ? spn_taps_set(&s->y, image->h, out_h, 0, out_h, filter) : SPN_ENOMEM;
  if (!status) status = spn_taps_set(&s->x, image->w, out_w, 0, out_w, filter);
  for (int y = 0; !status && y < out_h; y++) {
    spn_taps_blend_rows(image->pixels, row, s->y.spans[y], s->y.weights + (size_t)y * (size_t)s->y.stride, row,
                        blended);
    spn_taps_blend_columns(&s->x, blended, 3, values);
    for (size_t i = 0; i < line; i++) {
      float v = values[i] + 0.5f;
      out[(size_t)y * line + i] = v <= 0 ? 0 : v >= 255 ? 255 : (unsigned char)v;
    }
  }
  free(blended);
  free(values);
  return status;
}

/* Out's size: short side `side`, the long one as evaluation has it, so that an evaluation that resizes to `side` finds
 * nothing left to resize; never enlarged. */
static void reduced_size(const spn_image *image, int side, int *h, int *w) {
  int least = image->h < image->w ? image->h : image->w;
  if (side && least > side) return spn_resized(image->h, image->w, side, h, w);
  *h = image->h;
  *w = image->w;
}

static void pack_image(spn_dataset *set, uint32_t item, int side, spn_resize filter, packed *out) {
  spn_image image;
  spn_scratch scratch = {0};
  *out = (packed){.status = spn_stop_requested() ? SPN_ESTOPPED : spn_dataset_image(set, item, &image, &out->err)};
  if (out->status) return; /* a stop is told by the work's next look */
  out->whole_h = image.h;
  out->whole_w = image.w;
  reduced_size(&image, side, &out->h, &out->w);
  size_t bytes = (size_t)out->h * (size_t)out->w * 3;
  out->pixels = malloc(bytes);
  out->status = !out->pixels ? SPN_ENOMEM
                : image.h > UINT16_MAX || image.w > UINT16_MAX
                    ? spn_fail(&out->err, SPN_EINPUT, "image of %dx%d: expected sides up to %d", image.w, image.h,
                               UINT16_MAX)
                    : SPN_OK;
  if (!out->status && out->h == image.h && out->w == image.w) memcpy(out->pixels, image.pixels, bytes);
  else if (!out->status) out->status = reduce(&scratch, &image, out->h, out->w, filter, out->pixels);
  if (!out->status) out->crc = (uint32_t)crc32_z(0, out->pixels, bytes);
  spn_scratch_free(&scratch);
  spn_image_free(&image);
}

/* ---- The file ---- */

static spn_status add_image(writer *w, uint32_t item, const packed *image, uint64_t *at, spn_err *err) {
  size_t bytes = (size_t)image->h * (size_t)image->w * 3, name_at;
  if (spn_names_add(&w->names, w->set->names + w->set->name_at[item], &name_at) || name_at > UINT32_MAX)
    return spn_fail(err, SPN_ENOMEM, "%s: no room for the names", w->set->path);
  w->entries[w->end.count++] = (spn_pack_entry){.at = *at,
                                                .crc = image->crc,
                                                .name_at = (uint32_t)name_at,
                                                .label = w->set->labels[item],
                                                .h = (uint16_t)image->h,
                                                .w = (uint16_t)image->w,
                                                .whole_h = (uint16_t)image->whole_h,
                                                .whole_w = (uint16_t)image->whole_w};
  if (item < w->set->train_count) w->end.train_count++;
  *at += bytes;
  return spn_file_append(w->file, image->pixels, bytes, err);
}

/* Appends a chunk's images in order; one that cannot be read is noted and left out. */
static spn_status add_chunk(writer *w, uint32_t first, const packed *chunk, int n, uint64_t *at, spn_err *err) {
  for (int i = 0; i < n; i++) {
    if (chunk[i].status == SPN_EINPUT && atomic_load(&w->set->reason[first + (uint32_t)i]))
      spn_dataset_note_bad(w->set, first + (uint32_t)i);
    else if (chunk[i].status == SPN_ENOMEM) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", w->set->path);
    else if (chunk[i].status) return *err = chunk[i].err, chunk[i].status;
    else SPN_TRY(add_image(w, first + (uint32_t)i, &chunk[i], at, err));
  }
  return spn_dataset_check_bad(w->set, err);
}

typedef struct {
  const writer *writer;
  uint32_t first;
  int side;
  spn_resize filter;
  packed *chunk;
} pack_job;

static void pack_piece(void *context, int i, int thread) {
  const pack_job *j = context;
  pack_image(j->writer->set, j->first + (uint32_t)i, j->side, j->filter, &j->chunk[i]);
}

static spn_status add_images(writer *w, int side, spn_resize filter, int threads, spn_err *err) {
  static const char start[] = SPN_PACK_MAGIC;
  uint64_t at = sizeof start - 1;
  spn_phase work = {.what = "packing", .unit = "images", .total = w->set->count};
  packed *chunk = calloc(CHUNK, sizeof *chunk);
  spn_team *team = NULL;
  spn_status status = chunk ? spn_team_create(threads, &team, err) : spn_fail(err, SPN_ENOMEM, "out of memory");
  if (!status) status = spn_file_append(w->file, start, sizeof start - 1, err);
  for (size_t first = 0; !status && first < w->set->count; first += CHUNK) {
    int n = (int)(w->set->count - first < CHUNK ? w->set->count - first : CHUNK);
    pack_job job = {.writer = w, .first = (uint32_t)first, .side = side, .filter = filter, .chunk = chunk};
    spn_team_run(team, n, pack_piece, &job);
    status = spn_phase_at(&work, first, err); /* before the chunk is taken: pieces of it may have been passed over */
    if (!status) status = add_chunk(w, (uint32_t)first, chunk, n, &at, err);
    for (int i = 0; i < n; i++) free(chunk[i].pixels);
  }
  spn_phase_end(&work);
  spn_team_free(team);
  free(chunk);
  w->end.index_at = at;
  return status;
}

static spn_status add_index(writer *w, int side, spn_err *err) {
  size_t entries = (size_t)w->end.count * sizeof *w->entries;
  w->end.index_bytes = entries + w->names.used;
  w->end.index_crc = (uint32_t)crc32_z(crc32_z(0, (const unsigned char *)w->entries, entries),
                                       (const unsigned char *)w->names.text, w->names.used);
  w->end.classes = (uint32_t)w->set->classes;
  w->end.version = SPN_PACK_VERSION;
  w->end.side = (uint32_t)side;
  memcpy(w->end.magic, SPN_PACK_MAGIC, sizeof w->end.magic);
  if (!w->end.train_count) return spn_fail(err, SPN_EINPUT, "%s: no training image can be read", w->set->path);
  SPN_TRY(spn_file_append(w->file, w->entries, entries, err));
  SPN_TRY(spn_file_append(w->file, w->names.text, w->names.used, err));
  return spn_file_append(w->file, &w->end, sizeof w->end, err);
}

spn_status spn_pack_write(spn_dataset *set, const char *path, int side, spn_resize filter, int threads, size_t *bad,
                          spn_err *err) {
  writer w = {.set = set};
  size_t at;
  if (!set->reader->decodes)
    return spn_fail(
        err, SPN_EINPUT,
        "%s: expected images to decode, such as class folders, got a set of kind %s, which needs no packing", set->path,
        set->kind);
  w.entries = calloc(set->count, sizeof *w.entries);
  if (!w.entries) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", set->path);
  spn_status status = spn_file_create(path, &w.file, err);
  for (int c = 0; !status && c < set->classes; c++)
    if (spn_names_add(&w.names, set->class_names[c], &at)) status = spn_fail(err, SPN_ENOMEM, "out of memory");
  if (!status) status = add_images(&w, side, filter, threads, err);
  if (!status) status = add_index(&w, side, err);
  if (!status) status = spn_file_commit(w.file, err);
  else spn_file_abort(w.file);
  *bad = set->bad;
  free(w.entries);
  free(w.names.text);
  return status;
}
